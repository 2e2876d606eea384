"""What a provider may send and a database may refuse: lengths, and what is left out."""

import pytest

from runs.choices import MessageLevel
from runs.models import LoadTest, Person, Run, RunError, RunMessage, RunMetric, RunSeries, RunThreshold
from runs.services.base import (
    RemoteDetails,
    RemoteError,
    RemoteMessage,
    RemoteMetric,
    RemoteSeries,
    RemoteTest,
    RemoteThreshold,
)
from runs.sync import sync_account
from tests.fake_service import remote

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(fake_account):
    return fake_account


def test_texts_longer_than_their_columns_are_cut(account, fake):
    """SQLite takes any length; PostgreSQL refuses the whole page."""
    long = "é" * 12_000
    fake.tests = [RemoteTest(external_id="t1", name=long, project=long)]
    fake.has(
        remote(
            "1", provider_status=long, provider_substatus=long, provider_result=long, error_code=long, web_url=long,
            requested_by_id="", requested_by=long, stopped_by_id=f"2{long}", stopped_by="Jonas",
        )
    )  # fmt: skip
    fake.details["1"] = RemoteDetails(
        errors=[RemoteError(type=long, subtype=long, occurrences=1, test_case=long, scenario=long)],
        messages=[RemoteMessage(external_id=long, level=MessageLevel.INFO, text="x", source=long, agent=long)],
        thresholds=[RemoteThreshold(metric=long, condition=long, broken=True, unit=long)],
        metrics=[RemoteMetric(kind="request", name=long, unit=long, numbers={})],
        series=[RemoteSeries(name=long, label=long, unit=long, points=[])],
    )
    sync_account(account)
    sync_account(account, full=True)
    run = Run.objects.get()
    assert run.requested_by.name.startswith("éé")
    assert (run.stopped_by.display, run.load_test.name[-1]) == ("Jonas", "…")
    for model in (Run, LoadTest, Person, RunError, RunMessage, RunMetric, RunSeries, RunThreshold):
        row = model.objects.order_by("-pk").first()
        for field in (field for field in model._meta.concrete_fields if field.max_length):
            assert len(getattr(row, field.attname) or "") <= field.max_length, f"{model.__name__}.{field.name}"


def test_a_test_whose_name_is_left_out_keeps_the_one_we_have(account, fake):
    sync_account(account)
    fake.tests = [RemoteTest(external_id="t1", name="", project="Shop")]
    sync_account(account)
    assert (LoadTest.objects.get().name, LoadTest.objects.get().project) == ("Checkout", "Shop")


def test_who_started_a_run_here_stays_known_where_the_provider_names_nobody(account, fake):
    fake.has(remote("1", requested_by_id=""))
    sync_account(account)
    maya = Person.objects.create(key="7", name="maya", display="maya")
    Run.objects.update(requested_by=maya)
    sync_account(account, full=True)
    assert (Run.objects.get().requested_by, Run.objects.get().provider_requested_by) == (maya, None)
    fake.has(remote("1", requested_by_id="703"))
    sync_account(account, full=True)
    assert Run.objects.get().requested_by == maya
    assert Run.objects.get().provider_requested_by.display == "user 703"
