"""One lease per account: claimed by a conditional UPDATE, and every later write fenced by its epoch."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from runs.models import Account, SyncState

LEASE = timedelta(seconds=60)


class LeaseLost(Exception):
    """Another worker took the account over; nothing more may be written for it."""


@dataclass(slots=True)
class Lease:
    """The right to write for one account until it expires or another worker claims it."""

    account_id: int
    epoch: int

    def write(self, **columns: Any) -> None:
        """Write to the account's SyncState and extend the lease; LeaseLost if it is no longer ours.

        Call it inside the transaction that stores a page, so that a lost lease takes the page back too.
        """
        columns.setdefault("lease_until", timezone.now() + LEASE)
        changed = SyncState.objects.filter(account_id=self.account_id, epoch=self.epoch).update(**columns)
        if changed != 1:
            raise LeaseLost(f"account {self.account_id} was claimed by another worker")

    def release(self, *, due_at: datetime, **columns: Any) -> None:
        """Give the account back, writing the last columns; does nothing if it was lost meanwhile.

        A sync asked for while we held it stays due at once: the wish may be newer than what we read.
        """
        SyncState.objects.filter(account_id=self.account_id, epoch=self.epoch).update(
            lease_until=None, owner="", phase="", due_at=Coalesce(F("due_at"), Value(due_at)), **columns
        )


def claim(account: Account, owner: str, now: datetime) -> Lease | None:
    """Take the account's lease if it is free or expired; None when another worker holds it."""
    SyncState.objects.get_or_create(account=account)
    free = SyncState.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), account=account)
    if free.update(owner=owner[:100], lease_until=now + LEASE, due_at=None, epoch=F("epoch") + 1) != 1:
        return None
    # Between the claim and this read only another claim could change the epoch, and ours has not expired.
    return Lease(account.pk, SyncState.objects.values_list("epoch", flat=True).get(account=account, owner=owner[:100]))
