"""Numbers that arrive minutes after a run's end: read again for a while, then taken as they are."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from dashboard.words import result_of
from runs.choices import RunResult, RunStatus
from runs.models import Run, RunMetric
from runs.services.base import RemoteDetails, RemoteMetric, Unavailable
from runs.sync import sync_account
from runs.sync.details import LATE_RESULTS_EVERY
from runs.sync.schedule import interval_of
from tests.fake_service import remote

pytestmark = pytest.mark.django_db
NUMBERS = [RemoteMetric(kind="run", name="", numbers={"p95_ms": 70.0})]
EVERY = LATE_RESULTS_EVERY.total_seconds()


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


@pytest.fixture
def run(fake, fake_account, clock):
    """It ended half a minute ago, and its results are still to come."""
    ended = timezone.now() - timedelta(seconds=30)
    told = {"result": RunResult.NONE, "ended_at": ended, "created_at": ended - timedelta(minutes=5)}
    fake.has(remote("1", results_incomplete=True, **told))
    fake.details["1"] = RemoteDetails(final=False)
    sync_account(fake_account)
    return Run.objects.get()


def asked(fake):
    return len(fake.asked("details"))


def shown(run):
    return result_of(Run.objects.get(pk=run.pk)).word


def test_until_they_are_there_a_run_has_no_verdict_yet(run, fake, fake_account, clock):
    assert shown(run) == "Not yet"
    assert run.details_at is None

    fake.has(remote("1", result=RunResult.PASSED, ended_at=run.ended_at, created_at=run.created_at))
    fake.details["1"] = RemoteDetails(result=RunResult.PASSED, metrics=NUMBERS)
    clock.shift(EVERY)
    sync_account(fake_account)

    run.refresh_from_db()
    assert (run.p95_ms, run.details_at, run.details_again_at) == (70.0, timezone.now(), None)
    assert shown(run) == "Passed"


def test_what_is_there_already_is_shown(run, fake, fake_account, clock):
    fake.details["1"] = RemoteDetails(metrics=NUMBERS, final=False)
    clock.shift(EVERY)
    sync_account(fake_account)

    assert [metric.numbers for metric in RunMetric.objects.all()] == [{"p95_ms": 70.0}]
    assert shown(run) == "Not yet"


def test_they_are_asked_for_every_quarter_of_a_minute_and_no_more_often(run, fake, fake_account, clock):
    for _ in range(3):
        sync_account(fake_account, turn_s=5)
        clock.shift(1)
    assert asked(fake) == 1

    clock.shift(EVERY)
    sync_account(fake_account)
    assert asked(fake) == 2


def test_they_make_no_backlog_and_the_account_is_looked_at_in_time(run, fake_account):
    fake_account.refresh_from_db()
    assert fake_account.sync.backlog is False

    fake_account.sync_interval_s = 86400
    assert interval_of(fake_account) < 1.2 * LATE_RESULTS_EVERY


def test_they_come_on_top_of_a_turn_s_budget(run, fake, fake_account, clock):
    now = timezone.now()
    fake.has(*(remote(str(number), created_at=now + timedelta(seconds=number)) for number in range(2, 6)))
    clock.shift(EVERY)
    sync_account(fake_account, details_budget=1)

    assert fake.asked("details")[1:] == [("details", "5"), ("details", "1")]


def test_after_five_minutes_they_are_taken_as_they_are(run, fake, fake_account, clock):
    for seconds in (90, 210, 290, 330, 390):
        clock.move_to(run.ended_at + timedelta(seconds=seconds))
        sync_account(fake_account)

    assert asked(fake) == 5
    run.refresh_from_db()
    assert run.details_at == run.ended_at + timedelta(seconds=330)
    assert shown(run) == "No verdict"  # the provider never told all of it
    fake_account.sync_interval_s = 86400
    assert interval_of(fake_account) > timedelta(hours=1)


def test_a_run_that_ended_long_ago_is_taken_as_it_is_at_once(fake, fake_account):
    fake.has(remote("2", ended_at=timezone.now() - timedelta(hours=1)))
    fake.details["2"] = RemoteDetails(final=False)
    sync_account(fake_account)

    assert Run.objects.get().details_at is not None


@pytest.mark.parametrize("fields", [{"ended_at": None}, {"status": RunStatus.RUNNING, "result": RunResult.NONE}])
def test_nothing_is_waited_for_where_no_end_is_told(fake, fake_account, fields):
    fake.has(remote("2", **fields))
    fake.details["2"] = RemoteDetails(final=False)
    sync_account(fake_account)

    assert Run.objects.get().details_again_at is None


def test_the_minutes_are_counted_by_the_provider_s_clock(fake, fake_account, clock):
    fake.clock_behind = lambda: timedelta(hours=2)
    fake.has(remote("2", ended_at=timezone.now() - timedelta(hours=2)))
    fake.details["2"] = RemoteDetails(final=False)
    sync_account(fake_account)

    assert Run.objects.get().details_again_at is not None


def test_a_provider_that_is_away_meanwhile_is_asked_with_the_next_pass(run, fake, fake_account, clock):
    clock.shift(EVERY)
    fake.fail("details", Unavailable("Fake Provider is away."))
    sync_account(fake_account)
    run.refresh_from_db()
    assert run.details_error

    fake.details["1"] = RemoteDetails(metrics=NUMBERS)
    sync_account(fake_account)
    run.refresh_from_db()
    assert (run.p95_ms, run.details_error) == (70.0, "")
