"""Schedules and facts of an account: read once a day and when asked for, kept as they were where they are refused."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from runs.models import Schedule, SyncState
from runs.services.base import Capability, Fact, Forbidden, RemoteSchedule, RemoteTest, Unauthorized, Unavailable
from runs.sync import request_sync, sync_account
from runs.sync.catalogue import read_catalogue
from runs.sync.lease import LeaseLost
from tests.fake_service import WHEN

pytestmark = pytest.mark.django_db
LIMIT = Fact("Limits of project Shop", "Virtual users per test", "500")


@pytest.fixture
def account(fake_account, fake):
    fake.capabilities = frozenset({Capability.SCHEDULES, Capability.FACTS})
    fake.tests = [RemoteTest(external_id="t1", name="Checkout"), RemoteTest(external_id="t2", name="Pay")]
    fake.schedules = [schedule("7"), schedule("8", "t2", active=False, rule="every day", next_run_at=WHEN)]
    fake.said = [LIMIT]
    fake.iter_schedules = lambda: (fake._called("schedules"), iter([fake.schedules]))[1]
    fake.facts = lambda: (fake._called("facts"), fake.said)[1]
    return fake_account


def schedule(external_id, test="t1", **fields):
    return RemoteSchedule(external_id=external_id, test_external_id=test, **{"active": True, **fields})


def later(account, **passed):
    with time_machine.travel(timezone.now() + timedelta(**passed), tick=False):
        return sync_account(account)


def rows(account):
    found = Schedule.objects.filter(load_test__account=account).order_by("external_id")
    return [(row.load_test.external_id, row.external_id, row.active, row.rule) for row in found]


def facts(account):
    return SyncState.objects.get(account=account).facts


def test_schedules_become_rows_and_facts_are_kept_with_the_state_of_the_sync(account):
    sync_account(account)
    assert rows(account) == [("t1", "7", True, ""), ("t2", "8", False, "every day")]
    assert Schedule.objects.get(external_id="8").next_run_at == WHEN
    assert facts(account) == [["Limits of project Shop", "Virtual users per test", "500"]]


def test_they_are_read_once_a_day_and_with_a_full_pass_and_when_somebody_asks_for_a_sync(account, fake):
    sync_account(account)
    later(account, hours=23)
    assert len(fake.asked("schedules")) == 1
    request_sync(account)  # a start or a stop asks for runs
    later(account, hours=23)
    assert len(fake.asked("schedules")) == 1
    request_sync(account, everything=True)
    sync_account(account)
    assert len(fake.asked("facts")) == 2
    sync_account(account, full=True)
    assert len(fake.asked("facts")) == 3
    later(account, hours=25)
    assert len(fake.asked("facts")) == 4


def test_a_schedule_that_changed_is_changed_and_one_that_vanished_is_gone(account, fake):
    sync_account(account)
    fake.schedules = [schedule("8", "t2", rule="every week"), schedule("9", "unknown")]
    later(account, days=2)
    assert rows(account) == [("t2", "8", True, "every week")]


def test_a_service_that_declares_neither_is_not_asked(account, fake):
    fake.capabilities = frozenset({Capability.START})
    sync_account(account)
    assert fake.asked("schedules") == fake.asked("facts") == []


def test_what_is_refused_stays_as_it_was_and_says_why(account, fake):
    sync_account(account)
    for call in ("schedules", "facts"):
        fake.fail(call, Forbidden("Fake Provider does not allow this. Give it more rights."))
    report = later(account, days=2)
    assert report.error == ""
    assert len(rows(account)) == 2
    refusal = "Fake Provider does not allow this. Give it more rights."
    assert facts(account) == [
        ["Could not be read", "Schedules", refusal], ["Could not be read", "Limits and load zones", refusal],
        ["Limits of project Shop", "Virtual users per test", "500"],
    ]  # fmt: skip
    later(account, days=4)
    assert facts(account) == [["Limits of project Shop", "Virtual users per test", "500"]]


@pytest.mark.parametrize(
    "problem", [Unavailable("Fake Provider is away. Try later."), Unauthorized("No such token. Enter it again.")]
)
def test_what_concerns_the_whole_provider_ends_the_turn_with_its_sentence_and_is_read_next_time(account, fake, problem):
    fake.fail("schedules", problem)
    assert sync_account(account).error == str(problem)
    assert SyncState.objects.get().last_good_at is not None  # what is new was read before
    sync_account(account)
    assert len(rows(account)) == 2


def test_a_worker_that_lost_the_account_writes_nothing(account, fake):
    sync_account(account)
    fake.schedules = []

    def lost(**columns):
        raise LeaseLost("gone")

    with pytest.raises(LeaseLost):
        read_catalogue(account, fake, timezone.now(), lost)
    assert len(rows(account)) == 2
