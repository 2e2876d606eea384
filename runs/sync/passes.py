"""One turn over an account: fresh runs first, then for a while what is left of the past: history and details.

A fresh pass reads tests, runs page by page, live runs one by one, and settles open intents. What a turn leaves is its
account's backlog; the next turn goes on there, unless fresh runs are due again.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Least
from django.utils import timezone

from runs.choices import LIVE, RunStatus
from runs.fields import CredentialsUnusable
from runs.models import Account, Run, SyncState
from runs.provider_calls import counted_calls
from runs.services import service_for
from runs.services.base import (
    BadRow,
    NotFound,
    Refused,
    RemoteRun,
    RunPage,
    RunService,
    ServiceError,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from runs.services.failures import Garbled, Passing

from .catalogue import is_due, read_catalogue
from .details import read_details
from .forgotten import let_go
from .lease import CLOCK_WRONG, Lease, LeaseLost, claim
from .mirror import save_runs, save_tests
from .schedule import after_failure, interval_of
from .settle import settle_intents
from .start_again import send_again

log = logging.getLogger(__name__)

TURN_S = 20.0  # how long a worker stays with one account before others have their turn
FIRST_LOOK = timedelta(days=1)  # what an account shows before its history was read
SWEEP_EVERY = timedelta(days=1)  # the history is read again: lists may have hidden a run, or changed an old one
LIVE_DETAILS = 20  # live runs whose numbers are read on each pass …
LIVE_DETAILS_EVERY = timedelta(seconds=15)  # … and how often at most for each of them
DETAILS_BUDGET = 200  # ended runs whose details are read in a turn
ODD_AGAIN_AFTER = timedelta(hours=6)  # details that were refused or garbled are asked for again …
ODD_AGAIN = 20  # … so many in a turn
DETAILS_IN_VAIN = 3  # failed reads in a row that end a turn
UNKNOWN_WATCHED = timedelta(days=1)  # a status we do not know may be one of a run under way
BAD_ROWS_KEPT = 50
FAULT = (
    "Plimsoll made a mistake while it synced this account, and tries again soon. If it lasts, report what the worker's "
    "log says to Plimsoll's maintainers."
)


class Stopping(Exception):
    """The worker was asked to end; what is stored stays, the pass goes on next time."""


@dataclass(slots=True)
class PassReport:
    """What a turn did. `busy`: another worker holds the account, or it was not due, and nothing was done."""

    pages: int = 0
    runs: int = 0
    details: int = 0
    details_left: int = 0
    bad: list[BadRow] = field(default_factory=list)
    error: str = ""
    busy: bool = False


def request_sync(account: Account, *, everything: bool = False) -> None:
    """Make the account due now; a running pass is followed by another. `everything`: schedules and facts as well."""
    SyncState.objects.get_or_create(account=account)
    now = timezone.now()  # by a clock that may be ahead of the workers': it must not put the sync off
    SyncState.objects.filter(account=account).update(
        due_at=Coalesce(Least(F("due_at"), now), now), **({"facts_at": None} if everything else {})
    )


def sync_account(
    account: Account,
    *,
    full: bool = False,
    only_if_due: bool = False,
    turn_s: float | None = None,
    details_budget: int | None = DETAILS_BUDGET,
    owner: str = "here",
    report: Callable[[str, PassReport], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> PassReport:
    """One turn: what is new, then the history as far as it was not read (`full`: all of it again), then details.

    `turn_s` None goes on until history and `details_budget` (None: no limit) are through; a worker has TURN_S and comes
    back. `report(phase, so_far)` is called after each page. `options` go to the service. Nothing is ever deleted.
    Provider errors end up in the report and on the account, not as exceptions.
    """
    lease = claim(account, owner, timezone.now(), only_if_due=only_if_due)
    if lease is None:
        return PassReport(busy=True)
    turn = _Turn(account, lease, details_budget, turn_s, report or (lambda phase, so_far: None), should_stop)
    with counted_calls(account):
        try:
            options = {"before_call": turn.before_call, **turn.probing(), **options}
            turn.run(service_for(account.provider, account.base_url, account.open_credentials(), **options), full)
        except LeaseLost:
            log.warning("The sync of %s stopped: another worker took it over.", account.slug)
        except Stopping:
            lease.release(due_at=timezone.now())
        except (ServiceError, CredentialsUnusable) as problem:
            turn.failed(problem)
        except (OperationalError, InterfaceError):
            raise  # the database is away or full: nothing can be noted, and the lease ends by itself
        except Exception:
            turn.broke()
            raise
    return turn.so_far


class _Turn:
    """The state of one turn in this process; what must outlive it is in SyncState."""

    def __init__(
        self, account: Account, lease: Lease, budget: int | None, turn_s: float | None, report: Callable,
        should_stop: Callable[[], bool],
    ):  # fmt: skip
        self.account, self.lease, self.budget, self.turn_s = account, lease, budget, turn_s
        self.report, self.should_stop = report, should_stop
        self.ends = None if turn_s is None else time.monotonic() + turn_s
        self.state = SyncState.objects.get(account=account)
        self.so_far = PassReport()
        self.in_vain = 0
        self.got_somewhere = False
        self.fresh_is_read = False
        self.going_on = ""  # the column whose kept place is to be gone on from, until that has worked

    def before_call(self) -> None:
        """Asked before each call to the provider: many calls may lie between two pages."""
        if self.should_stop():
            raise Stopping
        self.lease.keep()

    def probing(self) -> dict[str, Any]:
        """A provider that failed last time is asked once; only when it answers, each call is tried as usual."""
        return {"probe": True} if self.state.failures else {}

    def _over(self, share: float = 1) -> bool:
        """Whether this share of the turn's time has gone by."""
        return self.ends is not None and time.monotonic() >= self.ends - self.turn_s * (1 - share)

    def run(self, service: RunService, full: bool) -> None:
        began = timezone.now()
        self._mistrust_places(began)
        if full:
            self.account.runs.exclude(details_error="").update(details_at=None, details_error="")
        if self.lease.fresh_due or full:
            self._read_fresh(service, full, began)
            self._read_live_details(service)
            self._read_catalogue(service, full)
        more_history = self._read_history(service)
        more_details = self._read_details(service)
        self.lease.release(
            due_at=timezone.now() + interval_of(self.account), backlog=more_history or more_details,
            progress=self._words(),
        )  # fmt: skip

    def _mistrust_places(self, now: datetime) -> None:
        """Places that cannot be gone on from: of another shape, or kept by a wrong clock, which would hide all runs
        until then. They are given up, and what lies behind them is read again."""
        state = self.state
        given_up: dict[str, Any] = {
            column: {} for column in ("resume", "history") if not _is_sound(getattr(state, column), column, now)
        }
        if any(time and time > now + CLOCK_WRONG for time in (state.cursor, state.history_at)):
            given_up = {"cursor": None, "history_at": None, "resume": {}, "history": {}}
        if given_up:
            log.warning("What was kept of the sync of %s cannot be right; it is read again.", self.account.slug)
            self.lease.write(**given_up)
            state.refresh_from_db()

    def _read_fresh(self, service: RunService, full: bool, began: datetime) -> None:
        """All that is new. Only a whole pass moves the cursor and makes the account's data fresh."""
        self._step("tests")
        for tests in service.iter_tests():
            with transaction.atomic():
                save_tests(self.account, tests)
                self.lease.write(phase="tests")
            self._step("tests")
        resume = self._place_of_fresh(service, full, began)
        since = resume["since"] and datetime.fromisoformat(resume["since"])
        self._read_pages(service, "resume", resume, since)
        pass_began = datetime.fromisoformat(resume["began"])
        self._ask_for_live_runs(service, pass_began)
        now = timezone.now()
        whole = {"history": {}, "history_at": pass_began} if since is None else {}
        self.lease.write(
            cursor=pass_began, resume={}, last_good_at=now, error="", error_at=None, failures=0, not_before=None,
            paused=False, bad_rows=[[row.external_id, row.reason] for row in self.so_far.bad[:BAD_ROWS_KEPT]],
            last_pass_s=(now - began).total_seconds(), **whole,
        )  # fmt: skip
        self.fresh_is_read = True
        self.state.refresh_from_db()
        # An unfinished pass may have read its first pages before an intent was sent.
        send_again(self.account, service, now, lambda: self.lease.write(phase="intents"))
        settle_intents(self.account, service, min(began, pass_began), now)

    def _place_of_fresh(self, service: RunService, full: bool, began: datetime) -> dict[str, Any]:
        """Where an unfinished pass goes on, or where a new one begins."""
        resume, cursor = self.state.resume, self.state.cursor
        if resume and resume["since"] is None and self.turn_s is not None:
            # All of it was asked for and broken off: that is history now, and does not keep fresh runs waiting.
            self.lease.write(history={key: resume[key] for key in resume if key != "since"}, resume={}, history_at=None)
            self.state.refresh_from_db()
            resume = {}
        if resume and not (full and resume["since"] is not None):
            return resume
        if full or (cursor is None and self.turn_s is None and not self.state.history):
            since = None
        elif cursor is None:
            since = began - FIRST_LOOK - service.clock_behind()
        else:
            # The cursor is our time; what the provider dates by a clock behind ours is looked for further back.
            since = cursor - timedelta(seconds=service.overlap_s) - service.clock_behind()
        return {"began": began.isoformat(), "since": since and since.isoformat(), "service": {}}

    def _read_pages(self, service: RunService, column: str, place: dict[str, Any], since: datetime | None) -> bool:
        """Store pages until there are none left (True) or the turn is over (False).

        `column` of SyncState keeps the place after the last page.
        """
        self.so_far.pages, self.so_far.runs = place.get("pages", 0), place.get("runs", 0)
        # Before the history is read we do not hold all runs before `since`, so none of them tells where to stop.
        newest = self._newest_known(since) if since is not None and self.state.history_at else None
        asked_at, self.going_on = timezone.now(), column if place["service"] else ""
        for page in service.iter_runs(since, place["service"] or None, {} if since is None else newest):
            self._store(page, column, place, asked_at)
            asked_at, self.going_on = timezone.now(), ""
            self._step("runs" if column == "resume" else "history")
            if column == "history" and self._over(0.5):
                return False
        return True

    def _store(self, page: RunPage, column: str, place: dict[str, Any], asked_at: datetime) -> None:
        self.so_far.pages += 1
        self.so_far.runs += len(page.runs)
        self.so_far.bad += page.bad
        place |= {"service": dict(page.resume), "pages": self.so_far.pages, "runs": self.so_far.runs}
        phase = "runs" if column == "resume" else "history"
        with transaction.atomic():
            save_runs(self.account, page.runs, timezone.now(), asked_at)
            self.lease.write(phase=phase, progress=self._words(), **{column: place})
        self.got_somewhere = True

    def _read_catalogue(self, service: RunService, full: bool) -> None:
        now = timezone.now()
        if is_due(service, None if full else self.state.facts_at, now):
            read_catalogue(self.account, service, now, lambda **columns: self.lease.write(phase="facts", **columns))
            self._step("facts")

    def _read_history(self, service: RunService) -> bool:
        """Go on reading the past; True when some is left for the next turn."""
        now = timezone.now()
        state = self.state
        if state.history_at and now - state.history_at < SWEEP_EVERY and not state.history:
            return False
        place = state.history or {"began": now.isoformat(), "service": {}}
        if not self._read_pages(service, "history", place, None):
            return True
        self.lease.write(history={}, history_at=datetime.fromisoformat(place["began"]))
        return False

    def _newest_known(self, since: datetime) -> dict[str, str]:
        """Test -> newest run we hold, by external id, of the time before `since`, of which we hold all.

        Later ones say nothing about those before them: a run started here is stored before any list has shown it.
        """
        newest = Run.objects.filter(load_test=OuterRef("pk"), created_at__lt=since)
        newest = newest.order_by("-created_at", "-id").values("external_id")[:1]
        tests = self.account.load_tests.annotate(newest=Subquery(newest)).values_list("external_id", "newest")
        return {test: run for test, run in tests if run is not None}

    def _ask_for_live_runs(self, service: RunService, pass_began: datetime) -> None:
        """Runs we hold as live that no page has shown since the pass began, and those that may be."""
        unseen: dict[str, list[Run]] = {}
        odd = Q(status=RunStatus.UNKNOWN, created_at__gte=pass_began - UNKNOWN_WATCHED)
        unended = self.account.runs.filter(Q(status__in=LIVE) | odd, synced_at__lt=pass_began, gone_at=None)
        for run in unended.select_related("load_test").order_by("external_id"):
            unseen.setdefault(run.load_test.external_id, []).append(run)
        for test, runs in unseen.items():
            asked_at = timezone.now()
            told = service.get_runs([run.external_id for run in runs], test)
            now = timezone.now()
            lost = {run.external_id for run in runs} - {row.external_id for row in told}
            self.so_far.bad += [row for row in told if isinstance(row, BadRow)]
            with transaction.atomic():
                save_runs(self.account, [row for row in told if isinstance(row, RemoteRun)], now, asked_at)
                let_go(service, [run for run in runs if run.external_id in lost], now)
                self.lease.write(phase="live")
            self.got_somewhere = True
            self._step("live")

    def _read_live_details(self, service: RunService) -> None:
        """The numbers of live runs: people watch them."""
        stale = Q(details_at=None) | Q(details_at__lt=timezone.now() - LIVE_DETAILS_EVERY)
        live = self.account.runs.live().filter(stale, gone_at=None).order_by("-created_at")
        for pk in list(live.values_list("pk", flat=True)[:LIVE_DETAILS]):
            self._read_one(service, pk)

    def _read_details(self, service: RunService) -> bool:
        """Details of ended runs, newest first, within the budget and the turn; True when untried ones are left."""
        late = self.account.runs.with_late_results()
        waiting = self.account.runs.without_details()
        self.so_far.details_left = waiting.count()
        # Those tried in vain come last: were they the newest, the others would never have their turn.
        untried = waiting.filter(details_error="", details_again_at=None).values_list("pk", flat=True)
        again = waiting.exclude(details_error="").values_list("pk", flat=True)
        chosen = list(untried[: self.budget])
        chosen += late.filter(details_again_at__lte=timezone.now()).values_list("pk", flat=True)
        # Between fresh passes they would be tried again and again.
        if self.fresh_is_read:
            chosen += again[: None if self.budget is None else max(self.budget - len(chosen), 0)]
            odd = self.account.runs.ended().exclude(details_error="").filter(gone_at=None).order_by("details_at")
            chosen += odd.filter(details_at__lt=timezone.now() - ODD_AGAIN_AFTER).values_list("pk", flat=True)[
                :ODD_AGAIN
            ]
        for pk in chosen:
            if self._over():
                break
            if self._read_one(service, pk):
                self.so_far.details += 1
                self.so_far.details_left = max(0, self.so_far.details_left - 1)
        return untried.exists()

    def _read_one(self, service: RunService, pk: int) -> bool:
        """Whether it went well. One run that the provider cannot give must not keep the others waiting; a provider
        that is down must."""

        def fence() -> None:
            self.lease.write(phase="details", progress=self._words())

        run = Run.objects.select_related("account", "load_test").get(pk=pk)
        try:
            read_details(service, run, timezone.now(), fence)
        except Unavailable as problem:
            self.in_vain += 1
            if problem.retry_after is not None or self.in_vain == DETAILS_IN_VAIN:
                raise
            with transaction.atomic():
                Run.objects.filter(pk=pk).update(details_error=str(problem))
                fence()
            return False
        self.in_vain = 0
        self._step("details")
        return True

    def _step(self, phase: str) -> None:
        self.report(phase, self.so_far)
        if self.should_stop():
            raise Stopping

    def _words(self) -> str:
        words = f"page {self.so_far.pages}, {self.so_far.runs:,} {'run' if self.so_far.runs == 1 else 'runs'}"
        return f"{words}, details of {self.so_far.details:,}" if self.so_far.details else words

    def failed(self, problem: ServiceError | CredentialsUnusable) -> None:
        """Keep the sentence for the account's page, and when to try again: not by itself if credentials are refused."""
        now = timezone.now()
        asked_to_wait = isinstance(problem, Unavailable) and problem.retry_after is not None
        paused = isinstance(problem, (Unauthorized, CredentialsUnusable))
        self.so_far.error = str(problem)
        columns: dict[str, Any] = {"error": str(problem), "error_at": now, "paused": paused, "backlog": False}
        if self.fresh_is_read and not asked_to_wait and not paused:
            # What is new could be read: it goes on being read, and with each pass the rest is tried again.
            self.lease.release(due_at=now + interval_of(self.account), **columns)
        else:
            # Who gives a page now and then is not down: the rest is asked for soon.
            failures = 1 if self.got_somewhere and isinstance(problem, (Passing, Garbled)) else self.state.failures + 1
            again = now + after_failure(failures, problem)
            if self.going_on == "resume" and isinstance(problem, (Refused, NotFound, UnexpectedAnswer)) and not paused:
                columns["resume"] = {}  # it may be the place that is refused: a pass from the cursor on loses nothing
            self.lease.release(due_at=again, not_before=again, failures=failures, **columns)
        log.warning("The sync of %s failed: %s", self.account.slug, problem)

    def broke(self) -> None:
        """A mistake of ours: it is shown, and the account is tried again later and later, like one that is down."""
        now, failures = timezone.now(), self.state.failures + 1
        again = now + after_failure(failures)
        # A place from which not one page can be read would break off every turn from now on.
        given_up: dict[str, Any] = {self.going_on: {}} if self.going_on else {}
        self.lease.release(
            due_at=again, not_before=again, failures=failures, error=FAULT, error_at=now, backlog=False, **given_up
        )


def _is_sound(place: dict[str, Any], column: str, now: datetime) -> bool:
    """Whether reading can go on from a place as `_Turn._read_pages` keeps them, or there is none."""
    if not place:
        return True
    try:
        times = [place["began"], *filter(None, [place["since"]] if column == "resume" else [])]
        ahead = max(datetime.fromisoformat(time) for time in times) - now
        numbers = place.get("pages", 0) + place.get("runs", 0)
    except (KeyError, TypeError, ValueError):
        return False
    return ahead <= CLOCK_WRONG and isinstance(numbers, int) and isinstance(place.get("service"), dict)
