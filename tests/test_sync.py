"""A pass over an account: what is stored, what is asked for, and what an interruption leaves behind."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from runs.choices import RunResult, RunStatus
from runs.models import DayResult, LoadTest, Person, Run, RunError, RunThreshold, StatusEvent, SyncState
from runs.services.base import (
    BadRow,
    NotFound,
    RemoteDetails,
    RemoteError,
    RemoteThreshold,
    RunPage,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)  # fmt: skip
from runs.sync import request_sync, sync_account
from runs.sync.passes import LIVE_DETAILS_EVERY
from runs.tasks import due_accounts
from tests.fake_service import WHEN, remote
from tests.rows import make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(fake_account):
    return fake_account


def state_of(account):
    return SyncState.objects.get(account=account)


def test_every_page_is_stored(account, fake):
    fake.has(*(remote(str(n)) for n in range(1, 6)))
    report = sync_account(account)
    assert (report.runs, report.pages, report.error) == (5, 3, "")
    assert set(Run.objects.values_list("external_id", flat=True)) == {"1", "2", "3", "4", "5"}
    assert state_of(account).cursor is not None


def test_a_run_belongs_to_its_test_and_requester(account, fake):
    fake.has(remote("1"))
    sync_account(account)
    run = Run.objects.get()
    assert (run.load_test.name, run.requested_by.display) == ("Checkout", "user 703")
    assert run.payload.payload == {"id": "1"}
    assert run.load_test.last_run_at == run.created_at


def test_a_name_an_admin_gave_outlasts_the_next_pass(account, fake):
    fake.has(remote("1"))
    sync_account(account)
    person = Person.objects.get(key="703")
    person.given_name, person.display = "Maya", "Maya"
    person.save()
    fake.has(remote("1", requested_by="Somebody"))
    sync_account(account, full=True)
    assert Run.objects.get().requested_by.display == "Maya"


def test_a_second_pass_asks_only_for_what_is_new(account, fake):
    fake.has(remote("1"))
    sync_account(account)
    fake.calls.clear()
    fake.has(remote("2", created_at=timezone.now()))
    report = sync_account(account)
    assert report.runs == 1
    assert Run.objects.count() == 2


def test_the_same_run_twice_is_one_row(account, fake, monkeypatch):
    twice = RunPage(runs=[remote("1"), remote("1", note="later")])
    monkeypatch.setattr(fake, "iter_runs", lambda *_: iter([twice]))
    sync_account(account)
    assert Run.objects.get().note == "later"


def test_a_broken_page_leaves_the_pages_before_it_and_the_cursor_where_it_was(account, fake):
    fake.has(*(remote(str(n)) for n in range(1, 6)))
    fake.fail("page", Unavailable("Fake Provider does not answer."), after=1)
    report = sync_account(account)
    state = state_of(account)
    assert report.error == state.error == "Fake Provider does not answer."
    assert (Run.objects.count(), state.cursor, state.failures) == (2, None, 1)
    assert state.not_before > timezone.now()


def test_the_next_pass_goes_on_after_the_last_stored_page(account, fake):
    fake.has(*(remote(str(n)) for n in range(1, 6)))
    fake.fail("page", Unavailable("no"), after=1)
    sync_account(account)
    fake.calls.clear()
    sync_account(account)
    assert fake.asked("page") == [("page", "2"), ("page", "4")]
    assert Run.objects.count() == 5
    assert state_of(account).error == ""


def test_a_worker_that_is_told_to_stop_ends_after_its_page(account, fake):
    fake.has(*(remote(str(n)) for n in range(1, 6)))
    sync_account(account, should_stop=lambda: Run.objects.exists())
    assert Run.objects.count() == 2
    assert state_of(account).lease_until is None


def test_a_worker_that_lost_its_lease_stores_nothing_more(account, fake):
    fake.has(*(remote(str(n)) for n in range(1, 6)))
    fake.on_page = lambda at: SyncState.objects.update(epoch=99)
    sync_account(account)
    assert Run.objects.count() == 2
    assert state_of(account).cursor is None


def test_a_busy_account_is_left_alone(account, fake):
    SyncState.objects.create(account=account, lease_until=timezone.now() + timedelta(minutes=1))
    assert sync_account(account).busy
    assert fake.calls == []


def test_refused_credentials_pause_the_account(account, fake):
    fake.fail("tests", Unauthorized("Fake Provider does not accept the token. Paste a new one."))
    sync_account(account)
    assert state_of(account).paused
    SyncState.objects.update(not_before=None, due_at=None)
    assert due_accounts() == []


def test_unusable_credentials_are_a_sentence_not_a_crash(account, fake):
    type(account).objects.filter(pk=account.pk).update(base_url="https://moved.example")
    account.refresh_from_db()
    assert "another address" in sync_account(account).error
    assert fake.calls == []


def test_a_provider_that_asks_us_to_wait_gets_its_wait(account, fake):
    fake.fail("tests", Unavailable("Wait.", retry_after=300))
    sync_account(account)
    wait = (state_of(account).not_before - timezone.now()).total_seconds()
    assert 290 < wait <= 300
    assert due_accounts() == []


def test_an_absurd_wait_is_cut_to_an_hour(account, fake):
    fake.fail("tests", Unavailable("Wait.", retry_after=10**9))
    sync_account(account)
    assert state_of(account).not_before < timezone.now() + timedelta(hours=1, seconds=1)


def test_live_runs_that_the_list_no_longer_shows_are_asked_for(account, fake, monkeypatch):
    fake.has(remote("1", status=RunStatus.RUNNING, result=RunResult.NONE))
    sync_account(account)
    fake.has(remote("1"))
    monkeypatch.setattr(fake, "iter_runs", lambda *_: iter([]))
    sync_account(account)
    assert Run.objects.get().status == RunStatus.FINISHED


def test_a_run_the_provider_lost_keeps_its_row(account, fake):
    fake.has(remote("1", status=RunStatus.RUNNING, result=RunResult.NONE))
    sync_account(account)
    fake.runs.clear()
    sync_account(account)
    run = Run.objects.get()
    assert run.gone_at is not None
    assert run.status == RunStatus.RUNNING


def test_a_change_of_status_is_noted_and_an_old_run_is_not(account, fake):
    fake.has(remote("1"), remote("2", status=RunStatus.RUNNING, result=RunResult.NONE))
    sync_account(account)
    fake.has(remote("2"))
    sync_account(account, full=True)
    events = StatusEvent.objects.values_list("run__external_id", "status")
    assert list(events) == [("2", "running"), ("2", "finished")]


def test_rows_that_cannot_be_read_are_counted_and_named(account, fake, monkeypatch):
    page = RunPage(runs=[remote("1")], bad=[BadRow("?", "has no id")])
    monkeypatch.setattr(fake, "iter_runs", lambda *_: iter([page]))
    sync_account(account)
    assert Run.objects.count() == 1
    assert state_of(account).bad_rows == [["?", "has no id"]]


def test_details_are_read_once_for_an_ended_run(account, fake):
    fake.has(remote("1"))
    fake.details["1"] = RemoteDetails(
        errors=[RemoteError(type="HTTP", subtype="503", occurrences=4, request="GET /")],
        thresholds=[RemoteThreshold(metric="http_req_duration", condition="p(95)<500", broken=True, value=812.0)],
    )
    sync_account(account)
    sync_account(account, full=True)
    assert len(fake.asked("details")) == 1
    assert RunError.objects.get().occurrences == 4
    assert RunThreshold.objects.get().broken
    assert Run.objects.get().error_count == 4


def test_the_verdict_of_the_details_outlasts_the_list(account, fake):
    fake.has(remote("1"))
    fake.details["1"] = RemoteDetails(result=RunResult.NONE)
    sync_account(account)
    sync_account(account, full=True)
    assert Run.objects.get().result == RunResult.NONE


def test_a_run_that_comes_back_to_life_is_judged_again(account, fake):
    fake.has(remote("1"))
    fake.details["1"] = RemoteDetails(result=RunResult.FAILED)
    sync_account(account)
    fake.has(remote("1", status=RunStatus.PROCESSING, provider_status="PROCESSING", result=RunResult.NONE))
    sync_account(account, full=True)
    run = Run.objects.get()
    assert (run.result, run.judged_result) == (RunResult.NONE, "")


def test_details_of_a_live_run_are_read_again_but_not_on_every_pass(account, fake):
    fake.has(remote("1", status=RunStatus.RUNNING, result=RunResult.NONE))
    fake.details["1"] = RemoteDetails(result=RunResult.FAILED)
    sync_account(account)
    sync_account(account)
    assert len(fake.asked("details")) == 1
    with time_machine.travel(timezone.now() + LIVE_DETAILS_EVERY * 2):
        sync_account(account)
    assert len(fake.asked("details")) == 2
    assert Run.objects.get().result == RunResult.NONE


def test_the_details_of_a_run_that_has_just_ended_are_read_once_more(account, fake):
    fake.has(remote("1", status=RunStatus.RUNNING, result=RunResult.NONE))
    sync_account(account)
    fake.has(remote("1"))
    sync_account(account)
    sync_account(account)
    assert len(fake.asked("details")) == 2


def test_details_are_read_newest_first_within_the_budget(account, fake):
    fake.has(*(remote(str(n)) for n in range(1, 6)))
    report = sync_account(account, details_budget=2)
    assert fake.asked("details") == [("details", "5"), ("details", "4")]
    assert (report.details, report.details_left) == (2, 3)


def test_one_run_whose_details_fail_does_not_stop_the_others(account, fake):
    fake.has(remote("1"), remote("2"))
    fake.fail("details", UnexpectedAnswer("Not the documented shape."))
    sync_account(account)
    two, one = Run.objects.order_by("-external_id")
    assert (two.details_error, one.details_error) == ("Not the documented shape.", "")
    assert one.details_at is not None


def test_a_provider_that_is_down_ends_the_reading_of_details(account, fake):
    fake.has(*(remote(str(n)) for n in range(1, 6)))
    for _ in range(3):
        fake.fail("details", Unavailable("Fake Provider does not answer."))
    assert sync_account(account).error == "Fake Provider does not answer."
    assert len(fake.asked("details")) == 3
    assert Run.objects.count() == 5


@pytest.mark.parametrize(
    "problem", [NotFound("No such run."), UnexpectedAnswer("Not the documented shape."), Unavailable("No answer.")]
)
def test_a_worker_that_lost_its_lease_notes_nothing_about_details(fake_account, fake, monkeypatch, problem):
    fake.has(remote("1"))

    def taken_over(external_id):
        SyncState.objects.update(epoch=99)
        raise problem

    monkeypatch.setattr(fake, "get_run", taken_over)
    sync_account(fake_account)
    run = Run.objects.get()
    assert (run.gone_at, run.details_at, run.details_error) == (None, None, "")


def test_a_run_lost_before_its_details_were_read_is_marked_gone(account, fake):
    fake.has(remote("1"))
    fake.fail("get", NotFound("No such run."))
    sync_account(account)
    assert Run.objects.get().gone_at is not None


def test_the_days_of_a_test_are_counted_with_the_runs(account, fake):
    fake.has(
        remote("1"),
        remote("2", result=RunResult.FAILED),
        remote("3", status=RunStatus.RUNNING, result=RunResult.NONE),
        remote("4", created_at=WHEN - timedelta(days=1), result=RunResult.NONE),
    )
    sync_account(account)
    days = DayResult.objects.order_by("day").values_list("runs", "passed", "failed", "none", "live")
    assert list(days) == [(1, 0, 0, 1, 0), (3, 1, 1, 0, 1)]


def test_a_run_that_ends_moves_in_its_day(account, fake):
    fake.has(remote("1", status=RunStatus.RUNNING, result=RunResult.NONE))
    sync_account(account)
    fake.has(remote("1"))
    sync_account(account)
    assert DayResult.objects.values_list("live", "passed").get() == (0, 1)


def test_a_new_test_name_is_taken_over(account, fake):
    fake.has(remote("1"))
    sync_account(account)
    fake.tests = [replace(fake.tests[0], name="Checkout v2")]
    sync_account(account)
    assert LoadTest.objects.get().name == "Checkout v2"


def test_one_account_in_trouble_does_not_hinder_another(account, fake):
    other = make_account("other", provider="fake", base_url="https://fake.example")
    other.seal_credentials({"token": "t"})
    other.save()
    fake.fail("tests", Unavailable("down"))
    sync_account(account)
    assert [one.slug for one in due_accounts()] == ["other"]


def test_a_sync_asked_for_during_a_pass_follows_it_at_once(account, fake):
    fake.has(remote("1"))
    fake.on_page = lambda at: request_sync(account)
    sync_account(account)
    assert due_accounts() == [account]


def test_an_account_asked_for_is_due_at_once(account, fake):
    sync_account(account)
    assert due_accounts() == []
    request_sync(account)
    assert due_accounts() == [account]
