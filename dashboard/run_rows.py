"""The run table: a row's extras (strip, progress, buttons), its column heads, and the sentence that counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import QueryDict

from dashboard.forms.run_filters import RunFilterForm
from dashboard.run_address import Address, Token
from dashboard.run_columns import COLUMNS
from dashboard.words import clock, number
from runs.actions import may_control
from runs.choices import RunStatus
from runs.criteria import is_of_all, statistic
from runs.criteria import words as criterion_words
from runs.history import Strip
from runs.listing import COUNT_CAP, Order, RunPage, capped_count, mark_failing, runs_matching, strips_of
from runs.models import Run, RunThreshold
from runs.services.base import Capability
from runs.stop_several import fate_of


@dataclass(frozen=True, slots=True)
class Row:
    """A run and what its line shows. `progress` is (seconds so far, seconds planned) while load is on."""

    run: Run
    strip: Strip
    may_stop: bool
    may_start: bool
    elapsed_s: float | None
    waiting: str
    status_url: str
    result_url: str
    account_url: str
    person_url: str
    test_url: str
    why_not_stop: str  # for what is done to several: "already ended"; "" for a run that can be stopped
    p95_limit: str = ""  # the limit that this number broke, "" where it broke none
    errors_limit: str = ""

    @property
    def shows_progress(self) -> bool:
        return bool(
            self.run.is_live
            and self.run.duration_s is None
            and self.elapsed_s is not None
            and self.run.planned_duration_s
        )

    @property
    def tone(self) -> str:
        return "error" if self.run.status == RunStatus.STOPPING else ""


def rows_of(runs: Sequence[Run], user: User, address: Address, now: datetime) -> list[Row]:
    """Rows for runs read through `for_list()`, with a number of queries that does not grow with them.

    Their links add a filter to `address`.
    """
    mark_failing(runs)
    strips = strips_of(runs)
    limits = broken_limits(runs)
    accounts = {run.account_id: run.account for run in runs}
    may_stop = {pk: not may_control(user, account, Capability.STOP) for pk, account in accounts.items()}
    may_start = {pk: not may_control(user, account, Capability.START) for pk, account in accounts.items()}
    return [
        Row(
            run,
            strips.get(run.load_test_id, Strip()),
            may_stop=fate_of(run, now).stops and may_stop[run.account_id],
            may_start=not run.is_live and may_start[run.account_id],
            elapsed_s=_elapsed(run, now),
            waiting=_waiting(run, now),
            status_url=address.adding("status", run.status).url,
            result_url=address.adding("result", run.result).url,
            account_url=address.adding("account", run.account.slug).url,
            person_url=address.adding("requested_by", run.requested_by.display).url if run.requested_by else "",
            test_url=address.adding("test", str(run.load_test_id)).url,
            why_not_stop=fate_of(run, now).why,
            p95_limit=limits.get((run.pk, "p95"), ""),
            errors_limit=limits.get((run.pk, "rate"), ""),
        )
        for run in runs
    ]


# The criteria about the two numbers that a row shows: those of all requests.
_JUDGED = {"p95": "http_req_duration", "rate": "http_req_failed"}


def broken_limits(runs: Sequence[Run]) -> dict[tuple[int, str], str]:
    """(run, "p95" or "rate") -> the limit that this very number broke, such as "p95 < 500 ms". One query."""
    metrics = Q(*(Q(metric__startswith=metric) for metric in _JUDGED.values()), _connector=Q.OR)
    broken = RunThreshold.objects.filter(metrics, run__in=[run.pk for run in runs], broken=True) if runs else ()
    found = {}
    for item in broken:
        stat = statistic(item)
        if stat in _JUDGED and is_of_all(item, _JUDGED[stat]):
            found.setdefault((item.run_id, stat), criterion_words(item).allowed)
    return found


def _elapsed(run: Run, now: datetime) -> float | None:
    if run.duration_s is not None:
        return run.duration_s
    begun = run.load_started_at
    if begun and run.status in (RunStatus.RUNNING, RunStatus.STOPPING):
        return max(0.0, (now - begun).total_seconds())
    return None


def _waiting(run: Run, now: datetime) -> str:
    """What a run without load spends its time with: "waiting 8:51", "provisioning 6:40"."""
    verb = {RunStatus.CREATED: "waiting", RunStatus.QUEUED: "waiting", RunStatus.STARTING: "provisioning"}.get(
        run.status
    )
    if not verb:
        return ""
    since = (run.started_at if run.status == RunStatus.STARTING else run.queued_at) or run.created_at
    return f"{verb} {clock((now - since).total_seconds())}"


_FALLING_FIRST = ("started", "duration", "vus", "p95", "errors")


@dataclass(frozen=True, slots=True)
class Head:
    """A column head: `url` sorts by it ("" where it cannot), `sorted` is "ascending", "descending" or ""."""

    key: str
    label: str
    classes: str
    url: str = ""
    sorted: str = ""


def heads(address: Address, order: Order, shown: Sequence[str]) -> list[Head]:
    """The heads of the shown columns. A second press of the same turns the order round."""
    found = []
    for column in COLUMNS:
        if column.key not in shown:
            continue
        if not column.sorts:
            found.append(Head(column.key, column.label, column.classes))
            continue
        current = column.key == order.key
        falls = not order.descending if current else column.key in _FALLING_FIRST
        target = address.having("sort", str(Order(column.key, falls)))
        state = ("descending" if order.descending else "ascending") if current else ""
        found.append(Head(column.key, column.label, column.classes, target.url, state))
    return found


@dataclass(frozen=True, slots=True)
class Counted:
    """How many runs match, of how many."""

    shown: int
    total: int
    filters: int

    @property
    def is_capped(self) -> bool:
        return self.shown > COUNT_CAP

    @property
    def words(self) -> tuple[str, str]:
        """("62", "of 1,284 runs · 1,222 hidden by 3 filters")."""
        if not self.filters:
            return _many(self.total), "run" if self.total == 1 else "runs"
        hidden = "some" if self.total > COUNT_CAP else number(self.total - self.shown)
        by = "1 filter" if self.filters == 1 else f"{self.filters} filters"
        return _many(self.shown), f"of {_many(self.total)} runs · {hidden} hidden by {by}"


def _many(count: int) -> str:
    return f"{number(COUNT_CAP)}+" if count > COUNT_CAP else number(count)


def counted(runs: QuerySet[Run], filters: int) -> Counted:
    total = capped_count(Run.objects.all())
    return Counted(capped_count(runs) if filters else total, total, filters)


def span_of(page: RunPage, count: Counted) -> tuple[int, int] | None:
    """The places of a page's first and last run, where they are known without counting: on the first and last page."""
    size = len(page.runs)
    if not page.before:
        return (1, size) if size else None
    return None if page.after or count.is_capped else (count.shown - size + 1, count.shown)


def narrowest(tokens: Sequence[Token], form: RunFilterForm) -> tuple[Token, int] | None:
    """The filter whose removal brings back the most runs, and how many; None when no single one helps."""
    best: tuple[Token, int] | None = None
    for token in tokens:
        without = RunFilterForm(QueryDict(token.without.export_query), seen=form.seen, now=form.now)
        if not without.is_valid():
            continue
        count = capped_count(runs_matching(without.filters()))
        if count and (best is None or count > best[1]):
            best = (token, count)
    return best


def order_sentence(order: Order) -> str:
    """ "sorted by started, newest first"."""
    label = next(column.label for column in COLUMNS if column.key == order.key)
    label = label if label in ("VUs", "p95") else label.lower()
    if order.key == "started":
        return f"sorted by started, {'newest' if order.descending else 'oldest'} first"
    if order.key in ("duration", "vus", "p95", "errors"):
        return f"sorted by {label}, {'highest' if order.descending else 'lowest'} first"
    return f"sorted by {label}, {'Z to A' if order.descending else 'A to Z'}"
