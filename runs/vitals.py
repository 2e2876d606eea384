"""How the engine does as a whole, told from our own tables: whether any worker lives, and what waits for one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from runs.models import Account, SyncState, Worker

# A worker touches its row every few seconds; after this long without a sign of it, it is not counted any more.
SILENT_AFTER = timedelta(minutes=2)
# A sign of life from further ahead than this was given by a wrong clock.
CLOCK_WRONG = timedelta(minutes=10)
# An account that could have been synced this long ago waits for a worker that does not come.
WAITING_TOO_LONG = timedelta(minutes=10)


def last_worker_seen() -> datetime | None:
    """When any worker last gave a sign of life; None when none is there. One of the future is none."""
    known = Worker.objects.filter(seen_at__lte=timezone.now() + CLOCK_WRONG)
    return known.order_by("-seen_at").values_list("seen_at", flat=True).first()


def silent_since(accounts: Sequence[Account]) -> datetime | None:
    """Since when nothing is synced because no worker lives; None while one does, or while there is nothing to sync.

    `accounts`: all that are to be synced, each with its `sync` selected together with it. One query.
    """
    since = last_worker_seen()
    if since is None and accounts:  # one that ended in order leaves no row: what it brought in is its last sign
        states = [account.sync for account in accounts if hasattr(account, "sync")]
        signs = [time for state in states for time in (state.last_good_at, state.error_at) if time]
        since = max([min(account.created_at for account in accounts), *signs])
    return since if since and timezone.now() - since > SILENT_AFTER else None


def waiting_since(account: Account, now: datetime) -> datetime | None:
    """Since when the account waits to be synced; None when it is not due, is being synced, or cannot be synced now.

    `account.sync` is read, so select it together with the account.
    """
    state: SyncState | None = getattr(account, "sync", None)
    if not account.enabled or account.archive:
        return None
    if state is None:
        return account.created_at
    if state.paused or (state.not_before and state.not_before > now) or (state.lease_until and state.lease_until > now):
        return None
    # Without a date it was claimed and never given back: it is due since its lease ended.
    due = state.due_at or state.lease_until or account.created_at
    since = max(due, state.not_before) if state.not_before else due
    return since if since <= now else None


def longest_waiting(now: datetime) -> datetime | None:
    """Since when the account that waits longest does; None when none is due. One query."""
    accounts = Account.objects.syncable().select_related("sync")
    return min(filter(None, (waiting_since(account, now) for account in accounts)), default=None)
