"""The background jobs: which accounts are due, and a pass over each in a thread of its own."""

import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from threading import Event

from django.db import DatabaseError, connection
from django.db.models import F, Q
from django.utils import timezone

from runs.models import Account, SyncState
from runs.sync import sync_account

log = logging.getLogger(__name__)

THREADS = 8
TICK = timedelta(seconds=1)
FAULT = (
    "Plimsoll made a mistake while it synced this account, and tries again soon. If it lasts, report what the worker's "
    "log says to Plimsoll's maintainers."
)


def owner_name() -> str:
    """Who holds a lease, for people: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def due_accounts() -> list[Account]:
    """Enabled accounts whose sync is due and not held back, longest overdue first."""
    now = timezone.now()
    ready = (
        Q(sync=None)
        | Q(sync__paused=False) & (Q(sync__due_at=None) | Q(sync__due_at__lte=now))
        & (Q(sync__not_before=None) | Q(sync__not_before__lte=now))
        & (Q(sync__lease_until=None) | Q(sync__lease_until__lt=now))
    )  # fmt: skip
    return list(Account.objects.syncable().filter(ready).order_by("sync__due_at", "pk"))


def run_account(pk: int, should_stop: Callable[[], bool]) -> None:
    """One pass over one account, in whatever thread or process."""
    try:
        sync_account(Account.objects.get(pk=pk), owner=owner_name(), should_stop=should_stop)
    except DatabaseError:
        log.exception("The database refused a sync of account %s; it is tried again when its lease ends.", pk)
    finally:
        connection.close()


def _note_fault(pk: int, fault: BaseException | None) -> None:
    """A mistake of ours must not stay in a thread that nobody looks into: it goes to the log and to the page."""
    if fault is None:
        return
    log.error("The sync of account %s broke off.", pk, exc_info=fault)
    try:
        SyncState.objects.filter(account_id=pk).update(error=FAULT, error_at=timezone.now(), failures=F("failures") + 1)
    except DatabaseError:
        log.exception("The database does not answer.")
        connection.close()


def work(stop: Event) -> None:
    """Sync what is due until `stop` is set; a pass under way ends after its present page."""
    busy: dict[int, Future] = {}
    with ThreadPoolExecutor(THREADS, thread_name_prefix="sync") as pool:
        while not stop.is_set():
            for pk in [pk for pk, job in busy.items() if job.done()]:
                _note_fault(pk, busy.pop(pk).exception())
            try:
                for account in due_accounts():
                    if account.pk not in busy:
                        busy[account.pk] = pool.submit(run_account, account.pk, stop.is_set)
            except DatabaseError:
                log.exception("The database does not answer; trying again.")
                connection.close()
            stop.wait(TICK.total_seconds())
