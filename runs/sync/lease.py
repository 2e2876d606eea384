"""One lease per account: claimed by a conditional UPDATE, and every later write fenced by its epoch."""

import os
import secrets
import socket
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from runs.models import Account, SyncState

LEASE = timedelta(seconds=60)
KEEP_EVERY = timedelta(seconds=15)  # no single call to a provider lasts longer than what is left then
# Times of ours that are further ahead than this were written while a machine's clock was wrong.
CLOCK_WRONG = timedelta(minutes=10)
_MARK = secrets.token_hex(4)


class LeaseLost(Exception):
    """Another worker took the account over; nothing more may be written for it."""


@dataclass(slots=True)
class Lease:
    """The right to write for one account until it expires or another worker claims it."""

    account_id: int
    epoch: int
    # Whether fresh runs are due, or only what is left of the past.
    fresh_due: bool = True
    _kept_at: datetime = field(default_factory=timezone.now)

    def write(self, **columns: Any) -> None:
        """Write to the account's SyncState and extend the lease; LeaseLost if it is no longer ours.

        Call it inside the transaction that stores a page, so that a lost lease takes the page back too.
        """
        self._kept_at = timezone.now()
        columns.setdefault("lease_until", self._kept_at + LEASE)
        changed = SyncState.objects.filter(account_id=self.account_id, epoch=self.epoch).update(**columns)
        if changed != 1:
            raise LeaseLost(f"account {self.account_id} was claimed by another worker")

    def keep(self) -> None:
        """Extend the lease if that was not done lately: many slow calls may lie between two writes."""
        if timezone.now() - self._kept_at > KEEP_EVERY:
            self.write()

    def release(self, *, due_at: datetime, **columns: Any) -> None:
        """Give the account back, writing the last columns; does nothing if it was lost meanwhile.

        A sync asked for while we held it stays due at once: the wish may be newer than what we read.
        """
        SyncState.objects.filter(account_id=self.account_id, epoch=self.epoch).update(
            lease_until=None, owner="", phase="", due_at=Coalesce(F("due_at"), Value(due_at)), **columns
        )


def is_due(now: datetime, prefix: str = "") -> Q:
    """SyncStates that a worker may take up: fresh runs are due or a backlog is left, and nothing holds them back."""

    def about(**conditions: object) -> Q:
        return Q(**{f"{prefix}{name}": value for name, value in conditions.items()})

    # Taken up in the future: a clock was wrong, and so are all other times. Or else nobody would look for as long.
    return about(paused=False) & (
        about(queued_at__gt=now + CLOCK_WRONG)
        | (about(due_at=None) | about(due_at__lte=now) | about(backlog=True))
        & (about(not_before=None) | about(not_before__lte=now))
        & (about(lease_until=None) | about(lease_until__lt=now))
    )


def claim(account: Account, owner: str, now: datetime, *, only_if_due: bool = False) -> Lease | None:
    """Take the account's lease if it is free or expired; None when another worker holds it, or it is not due.

    Not `only_if_due`: fresh runs are read whenever they are due, and whatever a provider asked us to wait. Nobody holds
    an archive: there is nothing to ask.
    """
    if account.archive:
        return None
    SyncState.objects.get_or_create(account=account)
    wrong = Q(queued_at__gt=now + CLOCK_WRONG)
    free = SyncState.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now) | wrong, account=account)
    later = None
    if only_if_due:
        free = free.filter(is_due(now))
        later = Case(When(wrong, then=None), When(due_at__gt=now, then=F("due_at")), default=None)
    owner = owner[:100]
    if free.update(owner=owner, lease_until=now + LEASE, due_at=later, queued_at=now, epoch=F("epoch") + 1) != 1:
        return None
    # Between the claim and this read only another claim could change the epoch, and ours has not expired.
    epoch, due_at = SyncState.objects.values_list("epoch", "due_at").get(account=account, owner=owner)
    return Lease(account.pk, epoch, fresh_due=due_at is None or due_at <= now)


def owner_name() -> str:
    """Who holds a lease: host, process, and a mark of its own, since a process id may come again."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{_MARK}"


def free_leases_of_the_dead(at_work: Container[int] | None = None) -> int:
    """End the leases of processes of this machine that live no more, without waiting for them to expire.

    `at_work`: the accounts this process is at work on, so that a lease of its own that it could not give back, because
    the database was away, ends too; None where others of its kind know that. A process that lives where we cannot see
    it is only fenced off, and its account read on by another.
    """
    freed = 0
    held = SyncState.objects.filter(owner__startswith=f"{socket.gethostname()[:60]}:", lease_until__gt=timezone.now())
    for pk, account, owner, epoch in list(held.values_list("pk", "account_id", "owner", "epoch")):
        let_go = at_work is not None and owner == owner_name() and account not in at_work
        if let_go or _is_dead(owner):
            freed += SyncState.objects.filter(pk=pk, epoch=epoch).update(
                lease_until=None, owner="", phase="", epoch=epoch + 1
            )
    return freed


def _is_dead(owner: str) -> bool:
    _, pid, mark = owner.rsplit(":", 2) if owner.count(":") > 1 else ("", "", "")
    if not pid.isdecimal():
        return False
    if int(pid) == os.getpid():
        return mark != _MARK
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # alive, and somebody else's
    return False
