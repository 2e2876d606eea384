"""One pass over an account: tests, runs page by page, live runs one by one, open intents, then details."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from runs.choices import LIVE, IntentOutcome, RunStatus
from runs.fields import CredentialsUnusable
from runs.models import Account, Run, SyncState
from runs.services import service_for
from runs.services.base import BadRow, RemoteRun, RunService, ServiceError, Unauthorized, Unavailable

from .details import read_details
from .lease import Lease, LeaseLost, claim
from .mirror import save_runs, save_tests
from .settle import settle_intents

log = logging.getLogger(__name__)

BUSY = timedelta(seconds=5)  # while runs are live or an intent is open
LIVE_DETAILS = 20  # live runs whose numbers are read on each pass …
LIVE_DETAILS_EVERY = timedelta(seconds=15)  # … and how often at most for each of them
DETAILS_BUDGET = 200  # ended runs whose details are read on a pass of the worker
DETAILS_IN_VAIN = 3  # failed reads in a row that end a pass
UNKNOWN_WATCHED = timedelta(days=1)  # a status we do not know may be one of a run under way
FORGOTTEN = timedelta(minutes=10)
BAD_ROWS_KEPT = 50


class Stopping(Exception):
    """The worker was asked to end; what is stored stays, the pass goes on next time."""


@dataclass(slots=True)
class PassReport:
    """What a pass did. `busy`: another worker holds the account and nothing was done."""

    pages: int = 0
    runs: int = 0
    details: int = 0
    details_left: int = 0
    bad: list[BadRow] = field(default_factory=list)
    error: str = ""
    busy: bool = False


def request_sync(account: Account) -> None:
    """Make the account due now; a running pass is followed by another."""
    SyncState.objects.get_or_create(account=account)
    SyncState.objects.filter(account=account).update(due_at=timezone.now())


def sync_account(
    account: Account,
    *,
    full: bool = False,
    details_budget: int | None = DETAILS_BUDGET,
    owner: str = "here",
    report: Callable[[str, PassReport], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> PassReport:
    """One pass: a full history the first time or when `full`, else what is new. Nothing is ever deleted.

    `details_budget` None reads the details of every ended run that lacks them. `report(phase, so_far)` is called after
    each page. `options` go to the service. Provider errors end up in the report and on the account, not as exceptions.
    """
    lease = claim(account, owner, timezone.now())
    if lease is None:
        return PassReport(busy=True)
    sync_pass = _Pass(account, lease, details_budget, report or (lambda phase, so_far: None), should_stop)
    try:
        service = service_for(account.provider, account.base_url, account.open_credentials(), **options)
        sync_pass.run(service, full)
    except LeaseLost:
        log.warning("The sync of %s stopped: another worker took it over.", account.slug)
    except Stopping:
        lease.release(due_at=timezone.now())
    except (ServiceError, CredentialsUnusable) as problem:
        sync_pass.failed(problem)
    return sync_pass.so_far


class _Pass:
    """The state of one pass in this process; what must outlive it is in SyncState."""

    def __init__(
        self, account: Account, lease: Lease, budget: int | None, report: Callable, should_stop: Callable[[], bool]
    ):
        self.account, self.lease, self.budget = account, lease, budget
        self.report, self.should_stop = report, should_stop
        self.state = SyncState.objects.get(account=account)
        self.so_far = PassReport()
        self.in_vain = 0
        self.untried_left = False

    def run(self, service: RunService, full: bool) -> None:
        began = timezone.now()
        if full:
            self.account.runs.exclude(details_error="").update(details_at=None, details_error="")
        self._step("tests")
        for tests in service.iter_tests():
            with transaction.atomic():
                save_tests(self.account, tests)
                self.lease.write(phase="tests")
            self._step("tests")
        pass_began = self._read_runs(service, full, began)
        self._ask_for_live_runs(service, pass_began)
        now = timezone.now()
        self.lease.write(
            cursor=pass_began, resume={}, last_good_at=now, error="", error_at=None, failures=0, not_before=None,
            paused=False, bad_rows=[[row.external_id, row.reason] for row in self.so_far.bad[:BAD_ROWS_KEPT]],
            last_pass_s=(now - began).total_seconds(),
        )  # fmt: skip
        settle_intents(self.account, service, began, now)
        self._read_details(service)
        self.lease.release(due_at=timezone.now() + self._interval(), progress=self._words())

    def _read_runs(self, service: RunService, full: bool, began: datetime) -> datetime:
        """Store every page; returns the moment up to which all is stored once this is through."""
        resume = self.state.resume
        if not resume or (full and not resume.get("full")):
            overlap = timedelta(seconds=service.overlap_s)
            since = None if full or self.state.cursor is None else self.state.cursor - overlap
            resume = {"began": began.isoformat(), "since": since and since.isoformat(), "full": full, "service": {}}
        since = resume["since"] and datetime.fromisoformat(resume["since"])
        self.so_far.pages, self.so_far.runs = resume.get("pages", 0), resume.get("runs", 0)
        newest = {} if since is None else self._newest_known(since)
        for page in service.iter_runs(since, resume["service"] or None, newest):
            self.so_far.pages += 1
            self.so_far.runs += len(page.runs)
            self.so_far.bad += page.bad
            resume |= {"service": dict(page.resume), "pages": self.so_far.pages, "runs": self.so_far.runs}
            with transaction.atomic():
                save_runs(self.account, page.runs, timezone.now())
                self.lease.write(resume=resume, phase="runs", progress=self._words())
            self._step("runs")
        return datetime.fromisoformat(resume["began"])

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
        for run in unended.select_related("load_test"):
            unseen.setdefault(run.load_test.external_id, []).append(run)
        for test, runs in unseen.items():
            told = service.get_runs([run.external_id for run in runs], test)
            now = timezone.now()
            lost = {run.external_id for run in runs} - {row.external_id for row in told}
            self.so_far.bad += [row for row in told if isinstance(row, BadRow)]
            with transaction.atomic():
                save_runs(self.account, [row for row in told if isinstance(row, RemoteRun)], now)
                self.account.runs.filter(external_id__in=lost).update(gone_at=now)
                self.lease.write(phase="live")
            self._step("live")

    def _read_details(self, service: RunService) -> None:
        """Live runs first (people watch them), then ended ones newest first within the budget."""
        stale = Q(details_at=None) | Q(details_at__lt=timezone.now() - LIVE_DETAILS_EVERY)
        live = self.account.runs.live().filter(stale, gone_at=None).order_by("-created_at")
        for pk in list(live.values_list("pk", flat=True)[:LIVE_DETAILS]):
            self._read_one(service, pk)
        waiting = self.account.runs.without_details()
        self.so_far.details_left = waiting.count()
        # Those tried in vain come last: were they the newest, the others would never have their turn.
        untried = waiting.filter(details_error="").values_list("pk", flat=True)
        again = waiting.exclude(details_error="").values_list("pk", flat=True)
        chosen = list(untried[: self.budget])
        chosen += again[: None if self.budget is None else self.budget - len(chosen)]
        for pk in chosen:
            if self._read_one(service, pk):
                self.so_far.details += 1
                self.so_far.details_left -= 1
        self.untried_left = untried.exists()

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

    def _interval(self) -> timedelta:
        if self.untried_left:
            return timedelta(0)
        now = timezone.now()
        # A run that was made and never queued, or a press that waits for a person, may wait for weeks.
        forgotten = Q(status=RunStatus.CREATED, created_at__lt=now - FORGOTTEN)
        live = self.account.runs.live().filter(gone_at=None).exclude(forgotten)
        asked = self.account.intents.unsettled().exclude(outcome=IntentOutcome.CREATED)
        return BUSY if live.exists() or asked.exists() else timedelta(seconds=self.account.sync_interval_s)

    def failed(self, problem: ServiceError | CredentialsUnusable) -> None:
        """Keep the sentence for the account's page, and when to try again: not by itself if credentials are refused."""
        now = timezone.now()
        failures = self.state.failures + 1
        paused = isinstance(problem, (Unauthorized, CredentialsUnusable))
        wait = min(3600.0, 5.0 * 2 ** min(failures, 10)) * random.uniform(0.5, 1)  # noqa: S311 (jitter)
        if isinstance(problem, Unavailable) and problem.retry_after is not None:
            wait = max(1.0, min(3600.0, problem.retry_after))
        again = now + timedelta(seconds=wait)
        self.so_far.error = str(problem)
        self.lease.release(
            error=str(problem), error_at=now, failures=failures, paused=paused, not_before=again, due_at=again,
        )  # fmt: skip
        log.warning("The sync of %s failed: %s", self.account.slug, problem)
