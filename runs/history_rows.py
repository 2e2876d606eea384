"""What the history reads: the roll-up per test and day, and one query for the last runs; `history.py` does the sums."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from django.db.models import Max, OuterRef, Q, QuerySet, Subquery, Sum

from runs.history import STRIP_RUNS, TALLY_KEYS, Counts, Span, Strip, Tally, strip
from runs.models import DayResult, LoadTest, Run

# What a line about a run shows: its number, its two pills and when.
SHOWN_IN_A_LINE = (
    "load_test_id", "number", "external_id", "status", "result", "stop_reason", "stop_requested_at", "created_at",
    "provider_status", "provider_substatus", "provider_result", "results_incomplete", "details_at", "details_error",
)  # fmt: skip


def load_tests_like(
    *, name: str = "", accounts: Sequence[str] = (), providers: Sequence[str] = ()
) -> QuerySet[LoadTest]:
    """Load tests whose name contains `name`, of any of these accounts (slugs) and any of these providers."""
    tests = LoadTest.objects.matching(name) if name else LoadTest.objects.all()
    if accounts:
        tests = tests.filter(account__slug__in=accounts)
    return tests.filter(account__provider__in=providers) if providers else tests


def counts_per_test(tests: QuerySet[LoadTest] | Sequence[int], span: Span) -> list[Counts]:
    """Sums of each of these tests (or ids of tests) that ran in the span. One query over the roll-up."""
    inside = Q(day__gte=span.first)
    wanted = tests.order_by() if isinstance(tests, QuerySet) else tests
    rows = (
        DayResult.objects.filter(load_test__in=wanted, day__gte=span.before_first, day__lte=span.last)
        .values("load_test_id", "load_test__name")
        .annotate(
            **{f"now_{key}": Sum(key, filter=inside, default=0) for key in TALLY_KEYS},
            before_passed=Sum("passed", filter=~inside, default=0),
            before_failed=Sum("failed", filter=~inside, default=0),
            last_pass=Max("day", filter=Q(passed__gt=0)),
        )
        .order_by()
    )
    return [
        Counts(
            row["load_test_id"],
            row["load_test__name"],
            Tally(*(row[f"now_{key}"] for key in TALLY_KEYS)),
            Tally(passed=row["before_passed"], failed=row["before_failed"]),
            row["last_pass"],
        )
        for row in rows
        if row["now_runs"]
    ]


def tallies_per_day(test_ids: Sequence[int], span: Span) -> dict[int, dict[date, Tally]]:
    """Each test's days with a run. One query."""
    found: dict[int, dict[date, Tally]] = defaultdict(dict)
    rows = DayResult.objects.filter(load_test__in=test_ids, day__range=(span.first, span.last))
    for test_id, day, *numbers in rows.values_list("load_test_id", "day", *TALLY_KEYS):
        found[test_id][day] = Tally(*numbers)
    return found


def totals_per_day(tests: QuerySet[LoadTest], span: Span) -> dict[date, Tally]:
    """All these tests' days taken together. One query."""
    rows = (
        DayResult.objects.filter(load_test__in=tests.order_by(), day__range=(span.first, span.last))
        .values("day")
        .annotate(**{f"sum_{key}": Sum(key) for key in TALLY_KEYS})
        .order_by()
    )
    return {row["day"]: Tally(*(row[f"sum_{key}"] for key in TALLY_KEYS)) for row in rows}


def with_strip_start(tests: QuerySet[LoadTest], length: int = STRIP_RUNS) -> QuerySet[LoadTest]:
    """Adds `strip_from`: when the oldest of the test's last `length` runs was requested; None when it has fewer."""
    runs = Run.objects.filter(load_test=OuterRef("pk")).order_by("-created_at", "-id")
    return tests.annotate(strip_from=Subquery(runs.values("created_at")[length - 1 : length]))


def last_runs(tests: Sequence[LoadTest], length: int = STRIP_RUNS) -> dict[int, list[Run]]:
    """The last runs, newest first, of tests read through `with_strip_start`.

    One query, which goes to its rows by index, however long a test's past is.
    """
    wanted = Q(pk__in=())
    for test in tests:
        recent = Q(load_test=test.pk)
        wanted |= recent & Q(created_at__gte=test.strip_from) if test.strip_from else recent
    found: dict[int, list[Run]] = defaultdict(list)
    runs = Run.objects.filter(wanted).order_by("-created_at", "-id")
    for run in runs.only(*SHOWN_IN_A_LINE):
        if len(found[run.load_test_id]) < length:
            found[run.load_test_id].append(run)
    return found


def strips(tests: Sequence[LoadTest], length: int = STRIP_RUNS) -> dict[int, Strip]:
    """Each test's strip, for tests read through `with_strip_start`."""
    runs = last_runs(tests, length)
    return {test.pk: strip([(run.status, run.result) for run in runs.get(test.pk, ())], length) for test in tests}
