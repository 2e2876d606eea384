"""The run list: which runs match, in which order, one keyset page of them, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db.models import Exists, F, FloatField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from runs.choices import LIVE
from runs.history import STRIP_RUNS, Strip
from runs.history_rows import strips, with_strip_start
from runs.models import Account, LoadTest, Person, Run, RunThreshold

PAGE_SIZE = 50
# Beyond this many, counting (and sorting by what has no index) costs more than the number is worth.
COUNT_CAP = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Values of one filter: any of these, and none of those."""

    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.any_of or self.none_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilters:
    """Which runs are wanted. `start` is inclusive, `end` exclusive, both about when the run was requested.

    `latest`: of each load test only its newest run, whether or not older ones fit the other filters better. `seen`:
    rows with a `run`; the runs they name are left out.
    """

    name: Wanted = field(default_factory=Wanted)
    test: Wanted = field(default_factory=Wanted)  # ids of load tests
    requested_by: Wanted = field(default_factory=Wanted)
    status: Wanted = field(default_factory=Wanted)
    result: Wanted = field(default_factory=Wanted)
    provider: Wanted = field(default_factory=Wanted)
    account: Wanted = field(default_factory=Wanted)
    start: datetime | None = None
    end: datetime | None = None
    latest: bool = False
    starred: bool = False
    seen: QuerySet | None = None


def runs_matching(filters: RunFilters) -> QuerySet[Run]:
    """The runs wanted, in no order. Names, people and accounts are looked up first, so the runs are found by key."""
    runs = Run.objects.created_between(filters.start, filters.end)
    if filters.name.any_of:
        runs = runs.filter(_named_like(filters.name.any_of))
    if filters.name.none_of:
        runs = runs.exclude(_named_like(filters.name.none_of))
    if filters.test.any_of:
        runs = runs.filter(load_test__in=filters.test.any_of)
    if filters.test.none_of:
        runs = runs.exclude(load_test__in=filters.test.none_of)
    if filters.requested_by.any_of:
        runs = runs.filter(_requested_by(filters.requested_by.any_of))
    if filters.requested_by.none_of:
        runs = runs.exclude(_requested_by(filters.requested_by.none_of))
    for key in ("status", "result"):
        wanted: Wanted = getattr(filters, key)
        if wanted.any_of:
            runs = runs.filter(**{f"{key}__in": wanted.any_of})
        if wanted.none_of:
            runs = runs.exclude(**{f"{key}__in": wanted.none_of})
    if filters.provider or filters.account:
        runs = runs.filter(account__in=_account_ids(filters))
    if filters.latest:
        runs = runs.filter(pk__in=_latest_ids())
    if filters.starred:
        runs = runs.filter(starred=True)
    if filters.seen is not None:
        runs = runs.filter(~Exists(filters.seen.filter(run=OuterRef("pk"))))
    return runs


def _latest_ids() -> QuerySet:
    """The newest run of each load test: a step into the tests' index for each, however many runs they have."""
    newest = Run.objects.filter(load_test=OuterRef("pk")).order_by("-created_at", "-id").values("pk")[:1]
    return LoadTest.objects.order_by().values_list(Subquery(newest))


def _named_like(texts: Sequence[str]) -> Q:
    """Runs of tests whose name contains one of the texts, or whose run number or id is one of them."""
    tests = Q(pk__in=())
    for text in texts:
        tests |= Q(name__icontains=text)
    named = Q(load_test__in=list(LoadTest.objects.filter(tests).values_list("pk", flat=True)))
    direct = list(runs_called(texts).values_list("pk", flat=True)[:COUNT_CAP])
    return named | Q(pk__in=direct) if direct else named


def runs_called(texts: Sequence[str]) -> QuerySet[Run]:
    """Runs whose number ("215", "#215") or id is one of the texts, in no order; found by index. One query ahead."""
    runs = Q(pk__in=())
    accounts = list(Account.objects.values_list("pk", flat=True))
    for text in texts:
        bare = text.lstrip("#").strip()
        # With the account the unique index finds the id; without it every run would be read.
        runs |= Q(account__in=accounts, external_id=bare)
        if bare.isascii() and bare.isdecimal() and len(bare) < 18:
            runs |= Q(number=int(bare))
    return Run.objects.filter(runs)


def _requested_by(names: Sequence[str]) -> Q:
    """Runs requested by one of these people, in our words or the provider's."""
    people = list(Person.objects.named(list(names)).values_list("pk", flat=True))
    ours = Q(requested_by__in=people)
    # Only runs started here have a second requester. Asking first keeps the plain case on its index.
    if Run.objects.filter(provider_requested_by__in=people).exists():
        return ours | Q(provider_requested_by__in=people, provider_requested_by__isnull=False)
    return ours


def _account_ids(filters: RunFilters) -> list[int]:
    accounts = Account.objects.order_by()
    for column, wanted in (("provider", filters.provider), ("slug", filters.account)):
        if wanted.any_of:
            accounts = accounts.filter(**{f"{column}__in": wanted.any_of})
        if wanted.none_of:
            accounts = accounts.exclude(**{f"{column}__in": wanted.none_of})
    return list(accounts.values_list("pk", flat=True))


def capped_count(runs: QuerySet[Run]) -> int:
    """How many there are, counted up to COUNT_CAP + 1."""
    return runs.order_by()[: COUNT_CAP + 1].count()


# --- Order and pages -------------------------------------------------------------------------------------------------

_LAST = -1.0  # runs without a number sort below those with 0
SORTS: dict[str, object] = {
    "started": F("created_at"),
    "test": F("load_test__name"),
    "status": F("status"),
    "result": F("result"),
    "account": F("account__name"),
    "requested_by": Coalesce(F("requested_by__display"), Value("")),
    "duration": Coalesce(F("duration_s"), Value(_LAST)),
    "vus": Coalesce(F("virtual_users"), Value(_LAST), output_field=FloatField()),
    "p95": Coalesce(F("p95_ms"), Value(_LAST)),
    "errors": Coalesce(F("error_rate"), Value(_LAST)),
}
_NUMBERS = ("duration", "vus", "p95", "errors")
DEFAULT_SORT = "-started"


class BadCursor(ValueError):
    """A place in the list that cannot be read."""


@dataclass(frozen=True, slots=True)
class Order:
    """A sort key of SORTS, ascending or not. Ties are broken by id, so that pages neither repeat nor skip a run."""

    key: str = "started"
    descending: bool = True

    @classmethod
    def parse(cls, text: str) -> "Order":
        """From "-started"; KeyError for an unknown key."""
        key = text.removeprefix("-")
        if key not in SORTS:
            raise KeyError(key)
        return cls(key, text.startswith("-"))

    def __str__(self) -> str:
        return f"-{self.key}" if self.descending else self.key

    @property
    def is_indexed(self) -> bool:
        return self.key == "started"

    def cursor(self, run: Run) -> str:
        """Where `run` stands in this order, as text for an address."""
        value = run.created_at.astimezone(UTC).isoformat() if self.is_indexed else run.sort_key
        return f"{value}~{run.pk}"

    def read(self, cursor: str) -> tuple[object, int]:
        """The value and id that `cursor` wrote; BadCursor otherwise."""
        value, mark, pk = cursor.rpartition("~")
        try:
            number = int(pk)
            if not mark or not 0 <= number < 2**63:
                raise BadCursor(cursor)
            if self.is_indexed:
                moment = datetime.fromisoformat(value)
                if moment.tzinfo is None:
                    raise BadCursor(cursor)
                return moment.astimezone(UTC), number  # OverflowError at the ends of the calendar
            return (float(value) if self.key in _NUMBERS else value), number
        except (ValueError, OverflowError) as wrong:
            raise BadCursor(cursor) from wrong


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs in order; `before` and `after` are cursors for the neighbouring pages, "" where there is none."""

    runs: list[Run]
    before: str = ""
    after: str = ""


def run_page(runs: QuerySet[Run], order: Order, *, after: str = "", before: str = "", size: int = PAGE_SIZE) -> RunPage:
    """The page after or before a cursor, or the first one."""
    name = "created_at" if order.is_indexed else "sort_key"
    rows = runs.for_list() if order.is_indexed else runs.for_list().annotate(sort_key=SORTS[order.key])
    backwards = bool(before)
    descending = order.descending != backwards
    if after or before:
        value, pk = order.read(before or after)
        side = "lt" if descending else "gt"
        # Written so that a database walks one index range instead of two.
        rows = rows.filter(
            Q(**{f"{name}__{side}e": value}) & (Q(**{f"{name}__{side}": value}) | Q(**{f"pk__{side}": pk}))
        )
    sign = "-" if descending else ""
    found = list(rows.order_by(f"{sign}{name}", f"{sign}id")[: size + 1])
    more = len(found) > size
    found = found[:size]
    if backwards:
        found.reverse()
    if not found:
        return RunPage([])
    return RunPage(
        found,
        before=order.cursor(found[0]) if (more if backwards else bool(after)) else "",
        after=order.cursor(found[-1]) if (True if backwards else more) else "",
    )


# --- What a row shows besides the run --------------------------------------------------------------------------------


def mark_failing(runs: Sequence[Run]) -> None:
    """Set `failing` on each: not ended, and a criterion is broken already. At most one query."""
    live = [run.pk for run in runs if run.status in LIVE]
    broken = (
        set(RunThreshold.objects.filter(run__in=live, broken=True).values_list("run_id", flat=True)) if live else ()
    )
    for run in runs:
        run.failing = run.pk in broken


def strips_of(runs: Sequence[Run]) -> dict[int, Strip]:
    """The strip of each run's load test, by the test's id: two queries, however many runs."""
    ids = {run.load_test_id for run in runs}
    return strips(with_strip_start(LoadTest.objects.filter(pk__in=ids).order_by(), STRIP_RUNS)) if ids else {}
