"""The run that another run is held against: every "was 441", "3 % fewer" and NEW of a run's page means this one."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from django.db.models import Q, QuerySet

from runs import run_details
from runs.choices import RunResult, RunStatus
from runs.criteria import Criterion, statistic
from runs.models import Run, RunError, RunSeries

MOST_BEFORE = 10  # runs looked back at


def previous_comparable(run: Run) -> Run | None:
    """The last run of the same load test requested before this one that is fit to compare with, whatever its result.

    Fit: it ran its course (finished, all results processed), its details were read, and where both runs know them it
    had the same virtual users and the same planned duration. A run that failed counts: what it had is not new now.
    """
    runs = _before(run).filter(
        status=RunStatus.FINISHED, results_incomplete=False, details_at__isnull=False, details_error=""
    )
    for name in ("virtual_users", "planned_duration_s"):
        if (planned := getattr(run, name)) is not None:
            runs = runs.filter(Q(**{name: planned}) | Q(**{name: None}))
    return runs.select_related("load_test").first()


def runs_before(run: Run) -> list[Run]:
    """The last `MOST_BEFORE` runs of the same load test that ran their course before, latest first: times only."""
    times = ("status", "created_at", "queued_at", "started_at", "load_started_at", "load_ended_at", "ended_at")
    before = _before(run).filter(status=RunStatus.FINISHED)
    return list(before.only(*times, "duration_s", "planned_duration_s", "virtual_users")[:MOST_BEFORE])


def judged_before(run: Run) -> list[str]:
    """The results of the last `MOST_BEFORE` runs of the same test before it that passed or failed, latest first."""
    judged = _before(run).filter(result__in=(RunResult.PASSED, RunResult.FAILED)).exclude(status=RunStatus.UNKNOWN)
    return list(judged.values_list("result", flat=True)[:MOST_BEFORE])


def largest_new_error(run: Run, previous: Run) -> RunError | None:
    """The most frequent error that the previous run did not have; None when it had them all."""
    known = RunError.objects.filter(run=previous).values("fingerprint")
    fresh = run.runerrors.defer("stack_trace").exclude(fingerprint__in=known)
    return fresh.order_by("-occurrences", "message", "pk").first()


class Reference:
    """What the numbers of a run are held against: those of `run`, each part read when it is first asked for."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def numbers(self) -> Mapping[str, float]:
        columns = {"p95_ms": self.run.p95_ms, "error_rate": self.run.error_rate}
        return {key: value for key, value in columns.items() if value is not None} | dict(
            run_details.run_numbers(self.run)
        )

    @cached_property
    def series(self) -> Mapping[str, RunSeries]:
        return {row.name: row for row in self.run.series.all()}

    @cached_property
    def _measured(self) -> Mapping[tuple[str, str], float | None]:
        return {(row.metric, statistic(row)): row.value for row in self.run.runthresholds.all()}

    def measured(self, criterion: Criterion) -> float | None:
        """What the same criterion measured then, whatever its limit was."""
        return self._measured.get((criterion.metric, statistic(criterion)))

    def at(self, name: str, moment: float) -> float | None:
        """The value of a chart at the same time since its start; None where it has none near that."""
        row = self.series.get(name)
        return value_at(row.points, moment) if row else None

    def occurrences(self, errors: Iterable[RunError]) -> dict[str, int]:
        """How often each of these errors occurred then, by fingerprint; those it did not have are left out."""
        wanted = [error.fingerprint for error in errors]
        rows = self.run.runerrors.filter(fingerprint__in=wanted).values_list("fingerprint", "occurrences")
        return dict(rows) if wanted else {}

    def metric_of(self, kind: str, key: str, names: Sequence[str]) -> dict[str, float]:
        """One number of the same requests, transactions … then, by name."""
        rows = self.run.runmetrics.filter(kind=kind, name__in=names)
        return {row.name: row.numbers[key] for row in rows if row.numbers.get(key) is not None}


def value_at(points: Sequence[Sequence[float]], moment: float) -> float | None:
    """The value nearest to a moment, not further from it than two steps of the chart."""
    known = [(at, value) for at, value in points if value is not None]
    if len(known) < 2:
        return None
    step = abs(known[-1][0] - known[0][0]) / (len(known) - 1)
    at, value = min(known, key=lambda point: abs(point[0] - moment))
    return value if abs(at - moment) <= 2 * step else None


def _before(run: Run) -> QuerySet[Run]:
    """Runs of the same load test that were requested before this one, the latest first."""
    earlier = Q(created_at__lt=run.created_at) | Q(created_at=run.created_at, pk__lt=run.pk)
    runs = Run.objects.filter(earlier, load_test=run.load_test_id, created_at__lte=run.created_at)
    return runs.order_by("-created_at", "-pk")
