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

from runs.fields import CredentialsUnusable
from runs.models import Account, Run, SyncState
from runs.services import service_for
from runs.services.base import BadRow, RunService, ServiceError, Unauthorized, Unavailable

from .details import read_details
from .lease import Lease, LeaseLost, claim
from .mirror import save_runs, save_tests
from .settle import settle_intents

log = logging.getLogger(__name__)

IDLE = timedelta(seconds=60)
BUSY = timedelta(seconds=5)  # while runs are live or an intent is open
LIVE_DETAILS = 20  # live runs whose numbers are read on each pass …
LIVE_DETAILS_EVERY = timedelta(seconds=15)  # … and how often at most for each of them
DETAILS_BUDGET = 200  # ended runs whose details are read on a pass of the worker
DETAILS_IN_VAIN = 3  # failed reads in a row that end a pass
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
        self.account, self.lease, self.budget, self.report, self.should_stop = (
            account,
            lease,
            budget,
            report,
            should_stop,
        )
        self.state = SyncState.objects.get(account=account)
        self.so_far = PassReport()

    def run(self, service: RunService, full: bool) -> None:
        began = timezone.now()
        self._step("tests")
        for tests in service.iter_tests():
            save_tests(self.account, tests)
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
            since = None if full or self.state.cursor is None else self.state.cursor - _overlap(service)
            resume = {"began": began.isoformat(), "since": since and since.isoformat(), "full": full, "service": {}}
        since = resume["since"] and datetime.fromisoformat(resume["since"])
        self.so_far.pages, self.so_far.runs = resume.get("pages", 0), resume.get("runs", 0)
        newest = {} if since is None else self._newest_known()
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

    def _newest_known(self) -> dict[str, str]:
        """Test -> newest run we hold, by external id."""
        newest = Run.objects.filter(load_test=OuterRef("pk")).order_by("-created_at", "-id").values("external_id")[:1]
        tests = self.account.load_tests.annotate(newest=Subquery(newest)).values_list("external_id", "newest")
        return {test: run for test, run in tests if run is not None}

    def _ask_for_live_runs(self, service: RunService, pass_began: datetime) -> None:
        """Runs we hold as live that no page has shown since the pass began."""
        unseen: dict[str, list[Run]] = {}
        live = self.account.runs.live().filter(synced_at__lt=pass_began, gone_at=None).select_related("load_test")
        for run in live:
            unseen.setdefault(run.load_test.external_id, []).append(run)
        for test, runs in unseen.items():
            remotes = service.get_runs([run.external_id for run in runs], test)
            now = timezone.now()
            lost = {run.external_id for run in runs} - {remote.external_id for remote in remotes}
            with transaction.atomic():
                save_runs(self.account, remotes, now)
                self.account.runs.filter(external_id__in=lost).update(gone_at=now)
                self.lease.write(phase="live")
            self._step("live")

    def _read_details(self, service: RunService) -> None:
        """Live runs first (people watch them), then ended ones newest first within the budget."""
        stale = Q(details_at=None) | Q(details_at__lt=timezone.now() - LIVE_DETAILS_EVERY)
        for run in self.account.runs.live().filter(stale, gone_at=None).order_by("-created_at")[:LIVE_DETAILS]:
            self._read_one(service, run)
        waiting = self.account.runs.without_details()
        self.so_far.details_left = waiting.count()
        ended = waiting if self.budget is None else waiting[: self.budget]
        in_vain = 0
        for pk in list(ended.values_list("pk", flat=True)):
            try:
                self._read_one(service, Run.objects.select_related("account", "load_test").get(pk=pk))
            except Unavailable as problem:
                # One run that the provider cannot give must not keep the others waiting; a provider that is down must.
                in_vain += 1
                if problem.retry_after is not None or in_vain == DETAILS_IN_VAIN:
                    raise
                Run.objects.filter(pk=pk).update(details_error=str(problem))
                continue
            in_vain = 0
            self.so_far.details += 1
            self.so_far.details_left -= 1

    def _read_one(self, service: RunService, run: Run) -> None:
        def fence() -> None:
            self.lease.write(phase="details", progress=self._words())

        read_details(service, run, timezone.now(), fence)
        self._step("details")

    def _step(self, phase: str) -> None:
        self.report(phase, self.so_far)
        if self.should_stop():
            raise Stopping

    def _words(self) -> str:
        words = f"page {self.so_far.pages}, {self.so_far.runs:,} runs"
        return f"{words}, details of {self.so_far.details:,}" if self.so_far.details else words

    def _interval(self) -> timedelta:
        if self.so_far.details_left:
            return timedelta(0)
        busy = self.account.runs.live().filter(gone_at=None).exists() or self.account.intents.unsettled().exists()
        return BUSY if busy else IDLE

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


def _overlap(service: RunService) -> timedelta:
    return timedelta(seconds=service.overlap_s)
