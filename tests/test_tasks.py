"""The worker: which accounts it takes up, and what it does when one goes wrong."""

from datetime import timedelta
from threading import Event

import pytest
import time_machine
from django.db import OperationalError, connection
from django.utils import timezone

from runs import tasks
from runs.choices import IntentKind, IntentOutcome, RunResult, RunStatus
from runs.models import ControlIntent, Run, SyncState, Worker
from runs.sync import request_sync
from runs.sync.passes import FAULT
from runs.tasks import Alive, claim_messages, due_accounts, run_account, work
from runs.vitals import last_worker_seen
from tests.fake_service import remote
from tests.rows import make_account

SOON, AGO, MONTH = timedelta(minutes=1), timedelta(minutes=-1), timedelta(days=30)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(tasks, "TICK", timedelta(milliseconds=5))


@pytest.fixture
def kept_open(db, monkeypatch):
    """The test's own connection, which a turn would close as a thread of its own does."""
    monkeypatch.setattr(connection, "close", lambda: None)


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({}, True),
        ({"due_at": AGO}, True),
        ({"due_at": SOON}, False),
        ({"due_at": AGO, "not_before": SOON}, False),
        ({"due_at": AGO, "not_before": AGO}, True),
        ({"lease_until": SOON}, False),
        ({"lease_until": AGO}, True),
        ({"due_at": AGO, "paused": True}, False),
        ({"due_at": SOON, "backlog": True}, True),
        ({"due_at": SOON, "backlog": True, "not_before": SOON}, False),
        ({"due_at": SOON, "backlog": True, "paused": True}, False),
        # Left behind by a machine whose clock was a month ahead.
        ({"queued_at": MONTH, "due_at": MONTH, "not_before": MONTH, "lease_until": MONTH}, True),
        ({"queued_at": MONTH, "due_at": MONTH, "paused": True}, False),
    ],
)
def test_an_account_is_due_when_nothing_holds_it_back(db, state, due):
    now = timezone.now()
    columns = {key: now + value if isinstance(value, timedelta) else value for key, value in state.items()}
    SyncState.objects.create(account=make_account(), **columns)
    assert bool(due_accounts()) is due


def test_a_new_account_is_due_and_a_disabled_one_never(db):
    new, off = make_account("new"), make_account("off", enabled=False)
    request_sync(off)
    assert due_accounts() == [new]


@pytest.mark.django_db(transaction=True)
def test_the_worker_syncs_what_is_due_and_ends_when_told(fake_account, fake):
    fake.has(remote("1"))
    stop = Event()
    fake.on_page = lambda at: stop.set()
    work(stop)
    assert Run.objects.count() == 1
    assert SyncState.objects.get().lease_until is None


@pytest.mark.django_db(transaction=True)
def test_a_mistake_of_ours_is_logged_and_shown_and_the_worker_goes_on(fake_account, fake, monkeypatch, caplog):
    stop = Event()
    other = make_account("other", provider="fake", base_url="https://fake.example")
    other.seal_credentials({"token": "t"})
    other.save()
    tests, seen = fake.iter_tests, []

    def broken_once():
        seen.append(1)
        if len(seen) == 1:
            raise ZeroDivisionError("odd")
        return tests()

    monkeypatch.setattr(fake, "iter_tests", broken_once)
    fake.has(remote("1"))
    fake.on_page = lambda at: stop.set()
    work(stop)
    assert Run.objects.count() == 1
    assert "ZeroDivisionError: odd" in caplog.text
    state = SyncState.objects.get(error=FAULT)
    assert (state.failures, state.lease_until) == (1, None)
    assert state.not_before > timezone.now()


def test_a_pass_ends_its_connection_to_the_database(fake_account, fake, monkeypatch):
    def broken():
        raise OperationalError("disk full")

    closed = []
    monkeypatch.setattr(fake, "iter_tests", broken)
    monkeypatch.setattr(connection, "close", lambda: closed.append("here"))  # one in memory would not close
    run_account(fake_account.pk, lambda: False)
    assert closed == ["here"]


def test_fresh_runs_come_before_what_is_left_of_the_past_and_backlogs_take_turns(db):
    now = timezone.now()
    past, waiting, never, overdue, due = (make_account(name) for name in ("past", "waiting", "never", "overdue", "due"))
    SyncState.objects.create(account=past, due_at=now + SOON, backlog=True, queued_at=now)
    SyncState.objects.create(account=waiting, due_at=now + SOON, backlog=True, queued_at=now + AGO)
    SyncState.objects.create(account=overdue, due_at=now + 2 * AGO)
    SyncState.objects.create(account=due, due_at=now + AGO)
    assert due_accounts() == [never, overdue, due, waiting, past]


def test_an_account_that_is_no_longer_due_is_left_alone(kept_open, fake_account, fake):
    """Two workers saw it due; the second comes when the first has given it back."""
    run_account(fake_account.pk)
    fake.calls.clear()
    run_account(fake_account.pk)
    assert fake.calls == []


def test_a_provider_that_asked_us_to_wait_is_not_called_before(kept_open, fake_account, fake):
    SyncState.objects.create(account=fake_account, due_at=timezone.now() + AGO, not_before=timezone.now() + SOON)
    run_account(fake_account.pk)
    assert fake.calls == []


def test_a_deleted_account_is_no_fault(kept_open, caplog):
    run_account(4711)
    assert "Traceback" not in caplog.text


def test_a_queue_is_told_once_of_an_account_that_is_due_and_again_when_the_message_was_lost(db):
    account = make_account()
    assert [claim_messages(), claim_messages()] == [[account.pk], []]
    SyncState.objects.update(queued_at=timezone.now() - tasks.RESEND_AFTER * 2)
    assert claim_messages() == [account.pk]


def test_a_queue_is_told_again_as_soon_as_a_turn_has_ended(kept_open, fake_account, fake):
    fake.has(remote("1", created_at=timezone.now(), status=RunStatus.RUNNING, result=RunResult.NONE))
    claim_messages()
    run_account(fake_account.pk)
    assert claim_messages() == []
    SyncState.objects.update(due_at=timezone.now())
    assert claim_messages() == [fake_account.pk]


def test_a_worker_is_seen_while_it_lives_and_forgotten_a_day_later(db):
    now = timezone.now()
    Worker.objects.create(name="old", kind="embedded", started_at=now, seen_at=now - timedelta(days=2))
    alive = Alive("embedded")
    alive.note()
    first = Worker.objects.get()
    with time_machine.travel(now + tasks.ALIVE_EVERY * 2):
        alive.note()
    worker = Worker.objects.get()
    assert (worker.kind, worker.started_at) == ("embedded", first.started_at)
    assert worker.seen_at > first.seen_at
    alive.end()
    assert not Worker.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_ends_takes_its_name_away(db):
    stop, seen = Event(), []
    real = tasks.due_accounts

    def look():
        seen.append(Worker.objects.count())
        stop.set()
        return real()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "due_accounts", look)
        work(stop)
    assert (seen, Worker.objects.count()) == ([1], 0)


@pytest.mark.django_db
def test_a_worker_closes_what_was_never_sent_even_where_the_provider_is_paused(fake_account):
    SyncState.objects.create(account=fake_account, paused=True)
    intent = ControlIntent.objects.create(kind=IntentKind.START, account=fake_account, user_name="maya")
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False):
        Alive("embedded").note()
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.NOT_STARTED


def test_a_queue_is_told_of_an_account_that_was_told_of_by_a_wrong_clock(db):
    account = make_account()
    with time_machine.travel(timezone.now() + MONTH, tick=False):
        assert claim_messages() == [account.pk]
    assert claim_messages() == [account.pk]
    assert claim_messages() == []


def test_a_worker_of_the_future_is_no_sign_of_life(db):
    with time_machine.travel(timezone.now() + MONTH, tick=False):
        Alive("embedded").note()
    assert last_worker_seen() is None


def test_a_press_on_a_machine_whose_clock_is_ahead_does_not_put_the_sync_off(db):
    state = SyncState.objects.create(account=make_account(), due_at=timezone.now() + SOON)
    with time_machine.travel(timezone.now() + MONTH, tick=False):
        request_sync(state.account)
    due_at = state.due_at
    state.refresh_from_db()
    assert state.due_at == due_at


def test_a_database_that_refuses_is_one_line_when_it_begins_and_one_when_it_is_over(
    kept_open, fake_account, fake, monkeypatch, caplog
):
    def full():
        raise OperationalError("disk full")

    tasks.syncs_refused.over()  # another test may have left it refusing
    caplog.clear()
    with monkeypatch.context() as broken:
        broken.setattr(fake, "iter_tests", full)
        for _ in range(3):
            SyncState.objects.update(lease_until=None, due_at=None)
            run_account(fake_account.pk)
    run_account(fake_account.pk)
    SyncState.objects.update(lease_until=None, due_at=None)
    for _ in range(2):
        run_account(fake_account.pk)
    said = [record.getMessage() for record in caplog.records if record.name == "runs.tasks"]
    assert said == [
        "The database refuses what a sync stores; tried again until it does not: disk full",
        "The database no longer refuses what a sync stores.",
    ]
    assert "Traceback" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_does_not_fill_the_log_each_second(monkeypatch, caplog):
    stop, tries = Event(), []

    def away():
        tries.append(1)
        if len(tries) == 5:
            stop.set()
        if len(tries) < 4:
            raise OperationalError("no route to host")
        return []

    monkeypatch.setattr(tasks, "due_accounts", away)
    work(stop)
    said = [record.getMessage() for record in caplog.records if record.name == "runs.tasks"]
    assert [line.partition(" to say")[0] for line in said] == ["The database refuses", "The database no longer refuses"]
