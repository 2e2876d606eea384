"""The worker: which accounts it takes up, and what it does when one goes wrong."""

from datetime import timedelta
from threading import Event

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from runs import tasks
from runs.models import Run, SyncState
from runs.sync import request_sync
from runs.tasks import FAULT, due_accounts, run_account, work
from tests.fake_service import remote
from tests.rows import make_account

SOON, AGO = timedelta(minutes=1), timedelta(minutes=-1)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(tasks, "TICK", timedelta(milliseconds=5))


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
    noted = tasks._note_fault
    monkeypatch.setattr(tasks, "_note_fault", lambda pk, fault: (noted(pk, fault), fault and stop.set()))
    work(stop)
    assert SyncState.objects.filter(error=FAULT, failures=1).count() == 1
    assert "ZeroDivisionError: odd" in caplog.text


def test_a_pass_ends_its_connection_to_the_database(fake_account, fake, monkeypatch):
    def broken():
        raise DatabaseError("disk full")

    closed = []
    monkeypatch.setattr(fake, "iter_tests", broken)
    monkeypatch.setattr(connection, "close", lambda: closed.append("here"))  # one in memory would not close
    run_account(fake_account.pk, lambda: False)
    assert closed == ["here"]
