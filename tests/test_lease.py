"""One writer per account: claimed once, fenced when lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import SyncState
from runs.sync.lease import LEASE, LeaseLost, claim
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
