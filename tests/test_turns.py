"""A worker's turns over an account: fresh runs first, the past in slices between, and what trouble costs."""

from contextlib import suppress
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from runs.choices import RunResult, RunStatus
from runs.models import Run, SyncState
from runs.services.base import Refused, Unavailable
from runs.services.failures import Passing
from runs.sync import sync_account
from runs.sync.passes import SWEEP_EVERY
from runs.sync.schedule import LONGEST_WAIT_S, after_failure
from runs.tasks import due_accounts
from tests.fake_service import remote

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(fake_account, fake):
    """Five runs of long ago, and one of an hour ago."""
    fake.has(*(remote(str(n), created_at=timezone.now() - timedelta(days=20 - n)) for n in range(1, 6)))
    fake.has(remote("9", created_at=timezone.now() - timedelta(hours=1)))
    return fake_account


def turn(account):
    """The shortest turn of a worker: a page of history, no details."""
    return sync_account(account, only_if_due=True, turn_s=0)


def state_of(account):
    return SyncState.objects.get(account=account)


def held():
    return sorted(Run.objects.values_list("external_id", flat=True))


def test_what_is_new_is_there_before_the_history_is_read(account, fake):
    turn(account)
    state = state_of(account)
    assert held() == ["5", "9"]  # the new one, and the first page of the past
    assert state.cursor is not None
    assert state.last_good_at is not None
    assert (state.history_at, state.backlog) == (None, True)
    assert due_accounts() == [account]


def test_the_history_is_read_in_turns_without_asking_for_fresh_runs_again(account, fake):
    turn(account)
    fake.calls.clear()
    while state_of(account).history_at is None:
        turn(account)
    assert held() == ["1", "2", "3", "4", "5", "9"]
    assert fake.asked("tests") == []
    assert fake.asked("page") == [("page", "2"), ("page", "4")]


def test_fresh_runs_do_not_wait_for_the_history(account, fake):
    turn(account)
    fake.has(remote("10", created_at=timezone.now()))
    SyncState.objects.update(due_at=timezone.now())
    turn(account)
    assert "10" in held()
    assert state_of(account).history_at is None


def test_a_worker_killed_in_the_middle_of_the_history_is_followed_after_its_last_page(account, fake):
    turn(account)
    SyncState.objects.update(lease_until=timezone.now() - timedelta(seconds=1), owner="gone", epoch=7)
    fake.calls.clear()
    turn(account)
    assert fake.asked("page") == [("page", "2")]


def test_a_whole_pass_that_was_broken_off_goes_on_as_history(account, fake):
    fake.fail("page", Unavailable("no"), after=1)
    sync_account(account)
    SyncState.objects.update(not_before=None, due_at=None)
    fake.calls.clear()
    turn(account)
    assert fake.asked("page") == [("page", "0"), ("page", "2")]  # what is new; then after the page that was stored
    assert state_of(account).resume == {}


def test_the_history_is_read_again_every_day(account, fake):
    sync_account(account)
    first = state_of(account).history_at
    fake.has(remote("0", created_at=timezone.now() - timedelta(days=30)))  # the list had hidden it
    sync_account(account)
    assert "0" not in held()
    with time_machine.travel(timezone.now() + SWEEP_EVERY, tick=False):
        while state_of(account).history_at == first:
            sync_account(account, turn_s=0)
    assert "0" in held()


def test_details_that_fail_do_not_keep_fresh_runs_waiting(account, fake):
    sync_account(account, details_budget=0)
    for _ in range(6):
        fake.fail("details", Unavailable("Fake Provider failed."))
    report = sync_account(account)
    state = state_of(account)
    assert report.error == state.error == "Fake Provider failed."
    assert (state.not_before, state.failures, state.backlog) == (None, 0, False)
    assert state.due_at > timezone.now()


def test_a_wait_asked_for_among_details_is_kept_to(account, fake):
    sync_account(account, details_budget=0)
    fake.fail("details", Unavailable("Fake Provider asks us to send less.", retry_after=120))
    sync_account(account)
    assert state_of(account).not_before > timezone.now() + timedelta(seconds=110)


def test_a_provider_that_is_down_is_asked_later_and_later_but_found_again_within_minutes():
    waits = [after_failure(n).total_seconds() for n in range(1, 12)]
    assert 5 <= waits[0] <= 10
    assert waits[3] > 30
    assert max(waits) <= LONGEST_WAIT_S


def test_a_provider_that_failed_is_asked_once_before_it_is_asked_again_and_again(account, fake, monkeypatch):
    given = []
    monkeypatch.setattr(type(fake), "__call__", lambda self, *args, **options: given.append(options) or self)
    fake.fail("tests", Unavailable("down"))
    sync_account(account)
    sync_account(account)
    sync_account(account)
    assert [options.get("probe") for options in given] == [None, True, None]


def test_a_success_forgets_the_failures(account, fake):
    fake.fail("tests", Unavailable("down"))
    sync_account(account)
    assert (state_of(account).failures, state_of(account).error) == (1, "down")
    sync_account(account)
    assert (state_of(account).failures, state_of(account).error, state_of(account).not_before) == (0, "", None)


def test_live_runs_are_asked_for_between_slices_of_the_history(account, fake):
    live = remote("9", created_at=timezone.now() - timedelta(hours=1), status=RunStatus.RUNNING, result=RunResult.NONE)
    fake.has(live)
    turn(account)
    wait = state_of(account).due_at - timezone.now()
    assert wait < timedelta(seconds=6)


def test_the_runs_of_a_provider_whose_clock_is_behind_ours_are_looked_for_further_back(account, fake, monkeypatch):
    sync_account(account)
    fake.has(remote("10", created_at=timezone.now() - timedelta(hours=3)))  # made just now, by its clock
    sync_account(account)
    assert "10" not in held()
    monkeypatch.setattr(fake, "clock_behind", lambda: timedelta(hours=3), raising=False)
    sync_account(account)
    assert "10" in held()


def test_after_a_clock_that_was_a_month_ahead_new_runs_are_seen_and_the_past_is_read_again(account, fake):
    with time_machine.travel(timezone.now() + timedelta(days=30), tick=False):
        sync_account(account, turn_s=20)
    fake.has(remote("10", created_at=timezone.now() - timedelta(minutes=1)))
    assert due_accounts() == [account]
    for _ in range(6):
        turn(account)
    assert held() == ["1", "10", "2", "3", "4", "5", "9"]
    assert state_of(account).cursor <= state_of(account).history_at + SWEEP_EVERY <= timezone.now() + SWEEP_EVERY


@pytest.mark.parametrize("column", ["resume", "history"])
@pytest.mark.parametrize(
    "place",
    [
        {"page": 3},
        {"began": "now", "since": None, "service": {}},
        {"began": "2026-11-20T12:00:00", "since": None, "service": {}},
        {"began": "2026-11-20T12:00:00+00:00", "since": 7, "service": {}, "pages": "x"},
        {"began": "2026-11-20T12:00:00+00:00", "since": None, "service": {"skip": "x"}},
    ],
)
def test_a_place_that_cannot_be_gone_on_from_is_given_up(account, fake, column, place):
    """As another version may have kept it, or somebody's hand."""
    sync_account(account)
    state = state_of(account)
    SyncState.objects.update(**{column: place}, due_at=None)
    fake.has(remote("10", created_at=timezone.now()))
    for _ in range(4):
        SyncState.objects.update(due_at=None, not_before=None)
        with suppress(ValueError, TypeError):
            sync_account(account, turn_s=20, only_if_due=True)
    state = state_of(account)
    assert (state.resume, state.history, state.error) == ({}, {}, "")
    assert "10" in held()


def test_a_place_that_the_provider_refuses_is_given_up(account, fake):
    sync_account(account)
    fake.has(*(remote(str(n), created_at=timezone.now()) for n in range(10, 16)))
    fake.fail("page", Unavailable("Fake Provider failed."), after=1)
    sync_account(account)
    assert state_of(account).resume["service"] == {"skip": 2}
    fake.fail("page", Refused("There is no such page."))
    sync_account(account)
    assert state_of(account).resume == {}
    assert sync_account(account).error == ""
    assert {"10", "15"} <= set(held())


def test_an_account_at_rest_is_asked_a_handful_of_things_in_a_minute(account, fake):
    """Once its past is read: a backlog with nothing in it would be a turn each second, and nobody would see it."""
    sync_account(account)
    fake.calls.clear()
    turns, begin = 0, timezone.now()
    with time_machine.travel(begin, tick=False) as clock:
        for _ in range(120):
            clock.shift(1)
            for due in due_accounts():
                turns += 1
                sync_account(due, only_if_due=True, turn_s=20)
    assert 1 <= turns <= 3
    assert len(fake.calls) <= 3 * turns


def test_a_provider_that_gives_a_page_now_and_then_is_asked_for_the_rest_soon(account, fake):
    SyncState.objects.create(account=account, failures=9)
    fake.fail("page", Passing("The connection broke off."), after=1)
    sync_account(account)
    state = state_of(account)
    assert state.failures == 1
    assert state.not_before < timezone.now() + timedelta(seconds=11)


def test_a_provider_that_gives_nothing_is_asked_later_and_later(account, fake):
    SyncState.objects.create(account=account, failures=9)
    fake.fail("tests", Passing("The connection broke off."))
    sync_account(account)
    assert state_of(account).failures == 10
