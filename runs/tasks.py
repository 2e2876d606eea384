"""The background jobs: which accounts are due, and a turn over each, in a thread here or by a queue's worker."""

import logging
from collections.abc import Callable, Container
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event, Lock

from django.db import Error, InterfaceError, OperationalError, connection
from django.db.models import Case, F, Q, When
from django.utils import timezone

from runs.models import Account, SyncState, Worker
from runs.sync import CLOCK_WRONG, TURN_S, free_leases_of_the_dead, is_due, owner_name, settle_unsent, sync_account

log = logging.getLogger(__name__)

THREADS = 8
TICK = timedelta(seconds=1)
ALIVE_EVERY = timedelta(seconds=10)
FORGET_WORKERS_AFTER = timedelta(days=1)
QUEUE = "queue"  # who has an account of which a queue was told and that no worker took yet …
RESEND_AFTER = timedelta(seconds=10)  # … and when it is told again: the message was lost, or every worker is busy


class DatabaseTrouble:
    """Says once that the database refuses something, and once that it does not any more: not every second."""

    def __init__(self, what: str):
        self._what, self._lasts, self._lock = what, False, Lock()

    def began(self, problem: Exception) -> None:
        with self._lock:
            if not self._lasts:
                log.error("The database refuses %s; tried again until it does not: %s", self._what, problem)
            self._lasts = True

    def over(self) -> None:
        with self._lock:
            if self._lasts:
                log.warning("The database no longer refuses %s.", self._what)
            self._lasts = False


syncs_refused = DatabaseTrouble("what a sync stores")
ticks_refused = DatabaseTrouble("to say which accounts are due")


def due_accounts() -> list[Account]:
    """Enabled accounts with work that nothing holds back: fresh runs longest overdue, then backlogs by turns."""
    now = timezone.now()
    fresh_due = Case(When(Q(sync__due_at__gt=now), then=None), default=F("sync__due_at"))
    waits_for_backlog = Case(When(sync__due_at__gt=now, then=1), default=0)
    ready = Account.objects.syncable().filter(Q(sync=None) | is_due(now, "sync__"))
    return list(
        ready.order_by(
            waits_for_backlog, fresh_due.asc(nulls_first=True), F("sync__queued_at").asc(nulls_first=True), "pk"
        )
    )


def run_account(pk: int, should_stop: Callable[[], bool] = lambda: False) -> None:
    """One turn over one account if it is due, in whatever thread or process."""
    try:
        account = Account.objects.get(pk=pk)
        turn = sync_account(account, only_if_due=True, turn_s=TURN_S, owner=owner_name(), should_stop=should_stop)
        if not turn.busy:
            syncs_refused.over()
    except Account.DoesNotExist:
        log.info("Account %s is gone.", pk)
    except (OperationalError, InterfaceError) as problem:
        syncs_refused.began(problem)
    except Exception:
        log.exception("The sync of account %s broke off.", pk)
    finally:
        connection.close()


def claim_messages() -> list[int]:
    """The accounts a queue is to be told of now. While a message is on its way, nobody sends another one."""
    now = timezone.now()
    told = []
    for account in due_accounts():
        SyncState.objects.get_or_create(account=account)
        untold = SyncState.objects.filter(
            ~Q(owner=QUEUE) | Q(queued_at__lt=now - RESEND_AFTER) | Q(queued_at__gt=now + CLOCK_WRONG), account=account
        )
        if untold.filter(is_due(now)).update(owner=QUEUE, queued_at=now):
            told.append(account.pk)
    return told


class Alive:
    """This process among those that sync accounts, for everybody to see: a row that it touches as long as it lives."""

    def __init__(self, kind: str):
        """`kind`: "embedded" or "celery"."""
        self.kind = kind
        self._started_at = timezone.now()
        self._noted_at: datetime | None = None

    def note(self, at_work: Container[int] | None = None) -> None:
        """Touch the row every ALIVE_EVERY, and clean up after processes that live no more.

        `at_work`: the accounts this process is at work on, where it knows them all.
        """
        now = timezone.now()
        if self._noted_at and now - self._noted_at < ALIVE_EVERY:
            return
        Worker.objects.update_or_create(
            name=owner_name(), defaults={"kind": self.kind, "started_at": self._started_at, "seen_at": now}
        )
        self._noted_at = now
        Worker.objects.filter(seen_at__lt=now - FORGET_WORKERS_AFTER).delete()
        settle_unsent(now)  # here, because it needs no provider: that may be down, or the account paused
        if freed := free_leases_of_the_dead(at_work):
            log.warning("Took %s accounts back that nobody on this machine is at work on.", freed)

    def end(self) -> None:
        """This process syncs no more."""
        try:
            Worker.objects.filter(name=owner_name()).delete()
        except Error:
            log.info("The database does not answer; this worker's row is left behind.")


def work(stop: Event) -> None:
    """Sync what is due until `stop` is set; a turn under way ends after its present call."""
    alive = Alive("embedded")
    busy: dict[int, Future] = {}
    with ThreadPoolExecutor(THREADS, thread_name_prefix="sync") as pool:
        while not stop.is_set():
            busy = {pk: job for pk, job in busy.items() if not job.done()}
            try:
                alive.note(busy)
                for account in due_accounts():
                    if len(busy) < THREADS and account.pk not in busy:
                        busy[account.pk] = pool.submit(run_account, account.pk, stop.is_set)
                ticks_refused.over()
            except Error as problem:
                ticks_refused.began(problem)
                connection.close()
            stop.wait(TICK.total_seconds())
    alive.end()
    connection.close()
