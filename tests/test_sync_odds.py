"""One odd run, or one that the provider will not give, never keeps the others from being read."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.utils import timezone

from runs.choices import RunResult, RunStatus, SyncInterval
from runs.models import LoadTest, Run, SyncState
from runs.services.base import Forbidden, Refused, RemoteTest, Unavailable, UnexpectedAnswer
from runs.sync import sync_account
from runs.sync.details import read_details
from runs.sync.mirror import save_runs
from runs.sync.passes import DETAILS_IN_VAIN
from runs.tasks import due_accounts
from tests.fake_service import remote
from tests.rows import make_run

IDLE = timedelta(seconds=SyncInterval.MINUTE)
LIVE = {"status": RunStatus.RUNNING, "result": RunResult.NONE}


@pytest.fixture
def account(fake_account):
    return fake_account


def wait_of(account):
    """How long after now the next pass is due."""
    return SyncState.objects.get(account=account).due_at - timezone.now()


def later(account, **options):
    """A pass before the history is read again."""
    with time_machine.travel(timezone.now() + timedelta(hours=12), tick=False):
        return sync_account(account, **options)


def test_a_live_run_that_cannot_be_read_is_named_and_the_pass_goes_on(account, fake):
    fake.has(remote("1", **LIVE), remote("2", **LIVE))
    sync_account(account)
    fake.fail("get", UnexpectedAnswer("Run 1 is odd."))
    fake.fail("get", UnexpectedAnswer("Run 1 is odd."), after=1)  # asked once more, for its numbers
    fake.has(remote("1"), remote("2"))
    report = later(account)
    assert (report.error, [row.external_id for row in report.bad]) == ("", ["1"])
    odd, other = Run.objects.order_by("external_id")
    assert (odd.status, odd.gone_at, other.status) == (RunStatus.RUNNING, None, RunStatus.FINISHED)


def test_a_run_with_a_status_we_do_not_know_is_asked_for_until_it_ends(account, fake):
    now = timezone.now()
    fake.has(remote("1", status=RunStatus.UNKNOWN, result=RunResult.NONE, provider_status="10", created_at=now))
    sync_account(account)
    fake.has(remote("1", created_at=now))
    with time_machine.travel(now + timedelta(hours=2), tick=False):
        sync_account(account)
    assert Run.objects.get().status == RunStatus.FINISHED


@pytest.mark.parametrize("problem", [Refused("Not this run."), Forbidden("Not with these credentials.")])
def test_a_run_whose_details_are_refused_says_so_and_the_others_are_read(account, fake, problem):
    fake.has(remote("1"), remote("2"))
    fake.fail("details", problem)
    report = sync_account(account)
    assert (report.error, report.details_left) == ("", 0)
    assert dict(Run.objects.values_list("external_id", "details_error")) == {"2": str(problem), "1": ""}
    assert not SyncState.objects.get(account=account).paused


def test_a_full_pass_asks_again_for_details_that_were_refused(account, fake):
    fake.has(remote("1"))
    fake.fail("details", Refused("Not now."))
    sync_account(account)
    sync_account(account)
    assert Run.objects.get().details_error == "Not now."
    sync_account(account, full=True)
    assert Run.objects.get().details_error == ""


def test_details_that_were_garbled_once_are_asked_for_again(account, fake):
    fake.has(remote("1"))
    fake.fail("details", UnexpectedAnswer("That was no JSON."))
    sync_account(account)
    assert Run.objects.get().details_error == "That was no JSON."
    later(account)
    run = Run.objects.get()
    assert (run.details_error, run.details_at is None) == ("", False)


def test_details_that_are_always_garbled_are_asked_for_now_and_then_only(account, fake):
    fake.has(remote("1"))
    for _ in range(3):
        fake.fail("details", UnexpectedAnswer("That was no JSON."))
    sync_account(account)
    sync_account(account)
    assert len(fake.asked("details")) == 1
    later(account)
    assert len(fake.asked("details")) == 2


def test_runs_tried_in_vain_come_after_the_others(account, fake):
    fake.has(*(remote(str(n)) for n in range(1, 6)))
    for _ in range(DETAILS_IN_VAIN):
        fake.fail("details", Unavailable("Fake Provider failed."))
    sync_account(account)
    fake.calls.clear()
    later(account)
    assert [about for _, about in fake.asked("details")] == ["3", "2", "1", "5", "4"]


def test_a_run_that_keeps_failing_does_not_make_the_passes_follow_at_once(account, fake):
    fake.has(remote("1"))
    fake.fail("details", Unavailable("Fake Provider failed."))
    assert sync_account(account).details_left == 1
    assert wait_of(account) > IDLE / 2


def test_an_account_at_rest_is_synced_as_often_as_it_was_told(account, fake):
    account.sync_interval_s = SyncInterval.HOUR
    fake.has(remote("1", created_at=timezone.now() - timedelta(hours=2)))
    sync_account(account)
    assert timedelta(minutes=54) <= wait_of(account) <= timedelta(minutes=66)


def test_an_account_without_new_runs_is_looked_at_less_often_but_within_twice_its_interval(account, fake):
    account.sync_interval_s = SyncInterval.HOUR
    fake.has(remote("1", created_at=timezone.now() - timedelta(days=2)))
    sync_account(account)
    assert timedelta(minutes=80) <= wait_of(account) <= timedelta(minutes=100)


def test_accounts_added_together_are_not_asked_together(account, fake):
    waits = set()
    for _ in range(3):
        sync_account(account)
        waits.add(wait_of(account) // timedelta(milliseconds=100))
    assert len(waits) > 1


def test_details_beyond_the_budget_are_read_at_once(account, fake):
    fake.has(remote("1"), remote("2"))
    sync_account(account, details_budget=1)
    assert due_accounts() == [account]


def test_a_live_run_whose_numbers_fail_does_not_keep_ended_ones_waiting(account, fake):
    fake.has(remote("2", **LIVE), remote("1"))
    fake.fail("details", Unavailable("Fake Provider failed."))
    assert sync_account(account).details == 1


def test_a_run_created_and_forgotten_is_looked_at_calmly(account, fake):
    now = timezone.now()
    fake.has(remote("1", status=RunStatus.CREATED, result=RunResult.NONE, created_at=now - timedelta(days=3)))
    sync_account(account)
    assert wait_of(account) > IDLE / 2
    fake.has(remote("2", status=RunStatus.CREATED, result=RunResult.NONE, created_at=now))
    sync_account(account)
    assert wait_of(account) < IDLE / 2


def test_a_run_that_has_been_live_for_days_is_looked_at_every_minute_rather_than_every_few_seconds(account, fake):
    account.sync_interval_s = SyncInterval.HOUR
    fake.has(remote("1", **LIVE | {"created_at": timezone.now() - timedelta(hours=25)}))
    sync_account(account)
    assert timedelta(seconds=50) <= wait_of(account) <= timedelta(seconds=70)


@pytest.mark.parametrize("where", ["page", "live", "details"])
def test_an_answer_that_was_overtaken_brings_no_ended_run_back_to_life(account, fake, monkeypatch, where):
    """A list is asked for, somebody's stop is confirmed and stored, and only then the list arrives."""
    run = remote("1", **LIVE | {"created_at": timezone.now()})
    fake.has(run)
    sync_account(account)

    def late(answer, *about):
        got = list(answer(*about)) if where == "page" else answer(*about)
        fake.has(replace(run, status=RunStatus.ABORTED, provider_status="5"))
        save_runs(account, [fake.runs["1"]], timezone.now())
        return got

    call = {"page": "iter_runs", "live": "get_runs", "details": "get_run"}[where]
    monkeypatch.setattr(fake, call, partial(late, getattr(fake, call)))
    if where == "details":
        [kept] = Run.objects.select_related("account", "load_test")
        read_details(fake, kept, timezone.now())
    else:
        if where == "live":
            monkeypatch.setattr(fake, "iter_runs", lambda *_: iter(()))
        sync_account(account)
    run = Run.objects.get()
    assert run.status == RunStatus.ABORTED
    assert list(run.statusevents.order_by("pk").values_list("status", flat=True)) == [
        RunStatus.RUNNING,
        RunStatus.ABORTED,
    ]
    if where == "details":
        assert run.details_at is None  # those of the live run are not the ended one's


def test_an_answer_about_another_run_is_noted_once_and_not_asked_for_without_end(account, fake, monkeypatch):
    fake.has(remote("1"))
    monkeypatch.setattr(fake, "get_run", lambda external_id: remote("2"))
    sync_account(account)
    assert not SyncState.objects.get().backlog
    assert Run.objects.get().details_error == "Fake Provider was asked for run 1 and answered with another."


def test_a_run_stored_by_a_start_hides_none_that_was_made_before_it(account, fake, monkeypatch):
    """Its list was not read since: a provider that asks "anything newer than what you hold?" must hear of the older."""
    now = timezone.now()
    fake.has(remote("1", created_at=now - timedelta(hours=3)))
    sync_account(account)
    make_run(LoadTest.objects.get(), 3, external_id="3", created_at=now, status=RunStatus.FINISHED)
    asked = []
    pages = fake.iter_runs
    monkeypatch.setattr(fake, "iter_runs", lambda *told: asked.append(told[2]) or pages(*told))
    sync_account(account)
    assert asked == [{"t1": "1"}]


def test_tests_are_not_stored_by_a_worker_that_lost_its_lease(account, fake, monkeypatch):
    def tests():
        SyncState.objects.update(epoch=99)
        yield [RemoteTest(external_id="t9", name="Late")]

    monkeypatch.setattr(fake, "iter_tests", tests)
    sync_account(account)
    assert not LoadTest.objects.exists()
