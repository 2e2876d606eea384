"""What Prometheus reads: whom it is shown to, each metric as the tables have it, and that the manual names them all."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from runs.choices import IntentKind, IntentOutcome, RunResult, RunStatus
from runs.models import Account, ControlIntent, LoadTest, ProviderCalls, Run, SyncState, Worker
from runs.provider_calls import COLUMNS
from runs.services.calls import BOUNDS
from tests.rows import make_account, make_run, make_test

TOKEN = "metrics-0123456789abcdef"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def token(settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def read(client: Client, **headers: str) -> str:
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}", **headers})
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def samples(client: Client) -> dict[str, float]:
    """Each sample as Prometheus writes it, without the prefix: `runs_live{account="a",status="running"}`."""
    found = {}
    for family in text_string_to_metric_families(read(client)):
        for one in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(one.labels.items()))
            found[one.name.removeprefix("plimsoll_") + (f"{{{labels}}}" if labels else "")] = one.value
    return found


def ago(**how_long: float):
    return timezone.now() - timedelta(**how_long)


def intent(load_test: LoadTest, outcome: IntentOutcome, **how_long: float) -> None:
    made = ControlIntent.objects.create(
        kind=IntentKind.START, account=load_test.account, load_test=load_test, user_name="maya", outcome=outcome
    )
    ControlIntent.objects.filter(pk=made.pk).update(created_at=ago(**how_long))


# -- who reads it ------------------------------------------------------------------------------------------------------


def test_without_a_token_set_nobody_reads_them(client, settings):
    settings.METRICS_TOKEN = ""
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
        answer = client.get("/metrics", headers=headers)
        assert answer.status_code == 403
        assert answer.content.startswith(b"Metrics are off. Set METRICS_TOKEN")


@pytest.mark.parametrize("sent", ["", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"])
def test_another_token_reads_nothing(sent, client):
    answer = client.get("/metrics", headers={"Authorization": sent})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert b"plimsoll_" not in answer.content


def test_prometheus_asks_by_address_over_plain_http_and_gets_the_format_it_wants(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    text = read(client, host="10.1.2.3:8000", accept="application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    assert read(client, host="web-1:8000").startswith("# HELP plimsoll_database_up 1 while the database answers")


# -- what they say -----------------------------------------------------------------------------------------------------


def test_of_a_healthy_account(client):
    account = make_account("retail")
    SyncState.objects.create(
        account=account, last_good_at=ago(seconds=40), due_at=ago(seconds=-20), last_pass_s=2.5, history_at=ago(days=1)
    )
    Worker.objects.create(name="a:1", kind="celery", started_at=ago(days=1), seen_at=ago(seconds=5))
    Worker.objects.create(name="b:1", kind="celery", started_at=ago(days=1), seen_at=ago(seconds=300))
    found = samples(client)
    assert 40 <= found.pop('sync_age_seconds{account="retail"}') < 60
    assert {name: value for name, value in found.items() if not name.startswith("http_")} == {
        "database_up": 1,
        'workers{kind="embedded"}': 0,
        'workers{kind="celery"}': 1,
        "sync_due_accounts": 0,
        "sync_due_seconds": 0,
        'account_enabled{account="retail"}': 1,
        'sync_failures{account="retail"}': 0,
        'sync_error{account="retail"}': 0,
        'sync_paused{account="retail"}': 0,
        'sync_held_back_seconds{account="retail"}': 0,
        'sync_bad_rows{account="retail"}': 0,
        'sync_duration_seconds{account="retail"}': 2.5,
        'history_complete{account="retail"}': 1,
        'runs_unknown_status{account="retail"}': 0,
        'details_left_runs{account="retail"}': 0,
        'intents_oldest_seconds{account="retail"}': 0,
    }


def test_of_an_account_in_trouble(client):
    SyncState.objects.create(
        account=make_account("retail"), failures=4, error="No answer.", not_before=ago(seconds=-90), paused=True,
        bad_rows=[["7", "no id"]], last_good_at=ago(hours=2),
    )  # fmt: skip
    found = samples(client)
    assert found['sync_failures{account="retail"}'] == 4
    assert found['sync_error{account="retail"}'] == found['sync_paused{account="retail"}'] == 1
    assert 80 < found['sync_held_back_seconds{account="retail"}'] <= 90
    assert found['sync_bad_rows{account="retail"}'] == 1
    assert 7200 <= found['sync_age_seconds{account="retail"}'] < 7300
    assert found["sync_due_accounts"] == 0


def test_of_accounts_that_wait_that_were_never_synced_and_that_are_disabled(client):
    SyncState.objects.create(account=make_account("waits"), due_at=ago(seconds=70))
    make_account("new")
    make_account("off", enabled=False)
    Account.objects.filter(name="new").update(created_at=ago(seconds=30))
    found = samples(client)
    assert found["sync_due_accounts"] == 2
    assert 70 <= found["sync_due_seconds"] < 90
    assert 30 <= found['sync_age_seconds{account="new"}'] < 50
    assert found['account_enabled{account="off"}'] == 0
    assert not [name for name in found if name.startswith("sync_") and "off" in name]


def test_of_runs(client):
    load_test = make_test(make_account("retail"))
    statuses = [RunStatus.RUNNING, RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.UNKNOWN, *[RunStatus.FINISHED] * 3]
    for number, status in enumerate(statuses):
        make_run(load_test, number, status=status, result=RunResult.NONE)
    make_run(load_test, 8, status=RunStatus.RUNNING, gone_at=ago(hours=1))
    make_run(load_test, 9, details_at=ago(hours=1))
    found = samples(client)
    assert {name: value for name, value in found.items() if name.startswith("runs_live")} == {
        'runs_live{account="retail",status="running"}': 2,
        'runs_live{account="retail",status="queued"}': 1,
    }
    assert found['runs_unknown_status{account="retail"}'] == 1
    assert found['details_left_runs{account="retail"}'] == 3


def test_of_starts_and_stops_that_are_not_settled(client):
    load_test = make_test(make_account("retail"))
    intent(load_test, IntentOutcome.SENT, seconds=50)
    intent(load_test, IntentOutcome.SENT, seconds=200)
    intent(load_test, IntentOutcome.CREATED, days=9)
    intent(load_test, IntentOutcome.DONE, days=9)
    found = samples(client)
    assert {name: value for name, value in found.items() if name.startswith("intents_unsettled")} == {
        'intents_unsettled{account="retail",outcome="sent"}': 2,
        'intents_unsettled{account="retail",outcome="created"}': 1,
    }
    assert 200 <= found['intents_oldest_seconds{account="retail"}'] < 220


def test_of_calls_to_providers(client):
    account = make_account("retail")
    counts = dict(zip(COLUMNS, (1, 3, 6, 8, 8), strict=True))
    ProviderCalls.objects.create(account=account, kind="read", outcome="ok", calls=9, seconds=31.5, **counts)
    found = samples(client)
    name, labels = "provider_call_duration_seconds", 'account="retail",kind="read",outcome="ok"'
    assert found[f"{name}_count{{{labels}}}"] == 9
    assert found[f"{name}_sum{{{labels}}}"] == 31.5
    bucket = name + '_bucket{account="retail",kind="read",le="%s",outcome="ok"}'
    buckets = [found[bucket % bound] for bound in (*BOUNDS, "+Inf")]
    assert buckets == [1, 3, 6, 8, 8, 9]


def test_of_requests_by_view_method_and_class_of_status_and_never_by_address(client):
    name = "http_request_duration_seconds_count"
    keys = [
        f'{name}{{method="GET",status="2xx",view="sign_in"}}',
        f'{name}{{method="GET",status="4xx",view="none"}}',
        f'{name}{{method="OTHER",status="3xx",view="run_raw"}}',
    ]
    before = samples(client)
    client.get("/sign-in/?next=/runs/")
    client.get("/nowhere/k6secret/")
    client.generic("BREW", "/runs/987650123/raw/")
    after = samples(client)
    assert [after[key] - before.get(key, 0) for key in keys] == [1, 1, 1]
    assert not re.search("k6secret|987650123|BREW", read(client))


# -- how it is read ----------------------------------------------------------------------------------------------------


def test_it_takes_as_many_queries_for_three_accounts_as_for_one(client, django_assert_num_queries):
    for number in (1, 2, 3):
        account = make_account(f"account {number}")
        SyncState.objects.create(account=account)
        load_test = make_test(account)
        intent(load_test, IntentOutcome.SENT, seconds=5)
        make_run(load_test, status=RunStatus.UNKNOWN)
        make_run(load_test, 2, status=RunStatus.RUNNING)
        ProviderCalls.objects.create(account=account, kind="read", outcome="ok", calls=1)
        with django_assert_num_queries(6):
            read(client)


def test_while_the_database_is_away_it_says_so_and_still_tells_of_requests(client, monkeypatch):
    def gone(self):
        raise OperationalError("no route to db7.internal")

    make_account("retail")
    monkeypatch.setattr(QuerySet, "_fetch_all", gone)
    client.get("/livez")
    found = samples(client)
    assert found["database_up"] == 0
    assert 'http_request_duration_seconds_count{method="GET",status="2xx",view="livez"}' in found
    assert not [name for name in found if "retail" in name or "workers" in name]


# -- the manual --------------------------------------------------------------------------------------------------------


def test_the_manual_has_every_metric_with_its_labels_and_what_to_do(client):
    text = Path("docs/operations.md").read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(plimsoll_\w+)` \|([^|]*)\|([^|]+)\|[^|]*\|$", text, re.MULTILINE)
    in_manual = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels, _ in rows}

    load_test = make_test(make_account("retail"))
    make_run(load_test, status=RunStatus.RUNNING)
    intent(load_test, IntentOutcome.SENT, seconds=5)
    ProviderCalls.objects.create(account=load_test.account, kind="read", outcome="ok", calls=1)
    client.get("/sign-in/")
    shown = {}
    for family in text_string_to_metric_families(read(client)):
        assert family.documentation
        shown[family.name] = family.samples[0].labels.keys() - {"le"}
    assert shown == in_manual
    assert Run.objects.count() == 1
