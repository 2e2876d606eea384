"""One writer per account: claimed once, fenced when lost."""

import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from runs.models import SyncState
from runs.sync.lease import KEEP_EVERY, LEASE, LeaseLost, claim, free_leases_of_the_dead, owner_name
from tests.rows import make_account

pytestmark = pytest.mark.django_db


def test_a_held_account_cannot_be_claimed_again():
    account, now = make_account(), timezone.now()
    assert claim(account, "one", now) is not None
    assert claim(account, "two", now) is None


def test_an_expired_lease_is_taken_over_and_its_owner_fenced_off():
    account, now = make_account(), timezone.now()
    first = claim(account, "one", now)
    second = claim(account, "two", now + LEASE + timedelta(seconds=1))
    assert second.epoch == first.epoch + 1
    with pytest.raises(LeaseLost):
        first.write(progress="stale")
    first.release(due_at=now, progress="stale")
    state = SyncState.objects.get(account=account)
    assert (state.owner, state.progress) == ("two", "")


def test_a_released_account_is_free_at_once():
    account, now = make_account(), timezone.now()
    claim(account, "one", now).release(due_at=now, progress="done")
    assert claim(account, "two", now) is not None
    assert SyncState.objects.get(account=account).progress == "done"


def test_writing_extends_the_lease():
    account, now = make_account(), timezone.now()
    lease = claim(account, "one", now - LEASE)
    lease.write(progress="page 1")
    assert SyncState.objects.get(account=account).lease_until > now + LEASE / 2


def test_a_lease_is_kept_between_two_pages_but_not_written_at_every_call():
    account, now = make_account(), timezone.now()
    lease = claim(account, "one", now)
    until = SyncState.objects.get().lease_until
    lease.keep()
    assert SyncState.objects.get().lease_until == until
    with time_machine.travel(now + KEEP_EVERY * 2):
        lease.keep()
    assert SyncState.objects.get().lease_until > until


def test_a_lost_lease_cannot_be_kept():
    account, now = make_account(), timezone.now()
    lease = claim(account, "one", now)
    SyncState.objects.update(epoch=99)
    with time_machine.travel(now + KEEP_EVERY * 2), pytest.raises(LeaseLost):
        lease.keep()


def test_only_fresh_runs_that_are_due_take_the_wish_for_them_away():
    account, now = make_account(), timezone.now()
    later = now + timedelta(minutes=5)
    SyncState.objects.create(account=account, due_at=later, backlog=True)
    lease = claim(account, "one", now, only_if_due=True)
    assert not lease.fresh_due
    assert SyncState.objects.get().due_at == later
    lease.release(due_at=now)
    assert SyncState.objects.get().due_at == later
    assert claim(account, "one", now).fresh_due


def owner(pid: int, host: str = "", mark: str = "0badf00d") -> str:
    return f"{host or socket.gethostname()[:60]}:{pid}:{mark}"


@pytest.fixture
def dead_pid():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_the_leases_of_dead_processes_of_this_machine_end_at_once_and_they_are_fenced_off(dead_pid):
    account, now = make_account(), timezone.now()
    lease = claim(account, owner(dead_pid), now)
    assert free_leases_of_the_dead() == 1
    with pytest.raises(LeaseLost):
        lease.write(progress="from the grave")
    assert claim(account, "two", now) is not None


def test_a_process_that_came_after_one_with_the_same_number_is_not_taken_for_it():
    claim(make_account(), owner(os.getpid()), timezone.now())
    assert free_leases_of_the_dead() == 1


def test_the_leases_of_the_living_and_of_other_machines_are_left_alone(dead_pid):
    names = [owner_name(), owner(os.getppid()), owner(dead_pid, host="elsewhere"), "an older name"]
    for n, name in enumerate(names):
        claim(make_account(f"account {n}"), name, timezone.now())
    assert free_leases_of_the_dead() == 0


def test_a_lease_that_could_not_be_given_back_ends_once_nobody_here_is_at_work_on_it():
    at_work, left = make_account("at work"), make_account("left")
    for account in (at_work, left):
        claim(account, owner_name(), timezone.now())
    assert free_leases_of_the_dead([at_work.pk]) == 1
    assert SyncState.objects.get(lease_until=None).account == left
