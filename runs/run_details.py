"""What one run's page asks of the tables, by name: a fixed number of queries however much hangs below the run."""

from collections.abc import Mapping

from django.db.models import Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from runs.choices import IntentKind, MessageLevel
from runs.models import ControlIntent, Run, RunError, RunFile, RunMessage, RunMetric, RunThreshold, StatusEvent
from runs.verdict_words import Facts

METRIC_KINDS = ("request", "transaction", "page", "check", "counter")


def runs_with_counts() -> QuerySet[Run]:
    """Runs with all their page shows beside them: `failing`, `error_total`, `error_details`, `threshold_total`,
    `threshold_broken`, `message_total`, `activity_total`.
    """
    thresholds = RunThreshold.objects.filter(run=OuterRef("pk"))
    return (
        Run.objects.with_failing()
        .select_related("account__sync", "load_test__target", "requested_by", "provider_requested_by", "stopped_by")
        .annotate(
            error_total=_aggregate(RunError.objects.filter(run=OuterRef("pk")), Sum("occurrences")),
            error_details=_aggregate(RunError.objects.filter(run=OuterRef("pk")), Count("*")),
            threshold_total=_aggregate(thresholds, Count("*")),
            threshold_broken=_aggregate(thresholds.filter(broken=True), Count("*")),
            message_total=_aggregate(RunMessage.objects.filter(run=OuterRef("pk")), Count("*")),
            activity_total=_aggregate(StatusEvent.objects.filter(run=OuterRef("pk")), Count("*"))
            + _aggregate(ControlIntent.objects.filter(run=OuterRef("pk")), Count("*")),
        )
    )


def thresholds_of(run: Run) -> list[RunThreshold]:
    """Failed first, then those not judged, then the held ones."""
    order = {True: 0, None: 1, False: 2}
    return sorted(run.runthresholds.all(), key=lambda item: (order[item.broken], item.metric, item.condition))


def top_errors(run: Run, most: int = 5) -> list[RunError]:
    return list(_light_errors(run).order_by("-occurrences", "message", "pk")[:most])


def error_rows(run: Run) -> list[RunError]:
    """Every detail without its stack trace, which only the one looked at needs."""
    return list(_light_errors(run))


def error_detail(run: Run, fingerprint: str) -> RunError | None:
    return run.runerrors.filter(fingerprint=fingerprint).first()


def files_of(run: Run) -> list[RunFile]:
    return list(run.runfiles.all())


def latest_stop(run: Run) -> ControlIntent | None:
    """The last time somebody asked here to stop this run."""
    return run.intents.filter(kind=IntentKind.STOP).order_by("-created_at").first()


def intents_of(run: Run) -> list[ControlIntent]:
    return list(ControlIntent.objects.about(run))


def run_numbers(run: Run) -> Mapping[str, float]:
    """The numbers of the whole run, {} when nobody gave any."""
    row = run.runmetrics.filter(kind="run").first()
    return row.numbers if row else {}


def latest_points(run: Run) -> dict[str, tuple[float, float]]:
    """The last point of each chart, (seconds since load start, value), by its name."""
    return {row.name: (row.points[-1][0], row.points[-1][1]) for row in run.series.all() if row.points}


def metrics_of(run: Run, kind: str) -> QuerySet[RunMetric]:
    """The slowest requests first; else by name."""
    rows = run.runmetrics.filter(kind=kind)
    if kind in ("request", "transaction", "page"):
        slowest = Coalesce("numbers__p95_ms", "numbers__avg_ms")
        return rows.order_by(slowest.desc(nulls_last=True), "name", "pk")
    return rows.order_by("name", "pk")


def metric_counts(run: Run) -> dict[str, int]:
    """How many rows of each kind there are, in the order of `METRIC_KINDS`; kinds without rows are left out."""
    found = dict(run.runmetrics.exclude(kind="run").values_list("kind").annotate(rows=Count("*")).order_by())
    known = {kind: found.pop(kind) for kind in METRIC_KINDS if kind in found}
    return known | found


def messages_of(run: Run, levels: list[str] | None = None) -> QuerySet[RunMessage]:
    """The newest first; all levels unless some are named."""
    rows = run.runmessages.filter(level__in=levels) if levels else run.runmessages.all()
    return rows.order_by(F("logged_at").desc(nulls_last=True), "-pk")


def message_counts(run: Run) -> list[tuple[MessageLevel, int]]:
    found = dict(run.runmessages.values_list("level").annotate(rows=Count("*")).order_by())
    return [(level, found[level]) for level in MessageLevel if level in found]


def neighbours(run: Run) -> tuple[Run | None, Run | None]:
    """The run of the same test before this one, and the one after it."""
    runs = run.load_test.runs.select_related("load_test").only(
        "number", "external_id", "status", "result", "load_test__name", "created_at"
    )
    older = Q(created_at__lt=run.created_at) | Q(created_at=run.created_at, pk__lt=run.pk)
    newer = Q(created_at__gt=run.created_at) | Q(created_at=run.created_at, pk__gt=run.pk)
    return (
        runs.filter(older, created_at__lte=run.created_at).order_by("-created_at", "-pk").first(),
        runs.filter(newer, created_at__gte=run.created_at).order_by("created_at", "pk").first(),
    )


def facts_of(run: Run, provider: str, stop: ControlIntent | None) -> Facts:
    """What a verdict may be made of. `provider` is its label; `stop` the last stop that was asked here."""
    return Facts(
        status=run.status,
        result=run.result,
        provider=provider,
        stop_reason=run.stop_reason,
        provider_status=run.provider_status,
        created_at=run.created_at,
        queued_at=run.queued_at,
        started_at=run.started_at,
        load_started_at=run.load_started_at,
        load_ended_at=run.load_ended_at,
        ended_at=run.ended_at,
        duration_s=run.duration_s,
        planned_duration_s=run.planned_duration_s,
        error_code=run.error_code,
        error_message=run.error_message,
        stopped_by=_who_stopped(run, stop),
        stop_requested_at=run.stop_requested_at,
        stop_requested_by=run.stop_requested_by,
        stop_words=stop.reason if stop else "",
        error_count=run.error_total or run.error_count,
        details_read=run.details_at is not None,
        results_incomplete=run.results_incomplete,
    )


def _who_stopped(run: Run, stop: ControlIntent | None) -> str:
    """Our person where the stop was asked here: the provider only knows the account's token."""
    if run.stop_requested_by:
        return run.stop_requested_by
    if stop:
        return stop.user_name
    return run.stopped_by.display if run.stopped_by else ""


def _light_errors(run: Run) -> QuerySet[RunError]:
    return run.runerrors.defer("stack_trace")


def _aggregate(rows: QuerySet, what: Count | Sum) -> Coalesce:
    """One number about the rows below each run, 0 where there are none."""
    summed = rows.order_by().values("run").annotate(number=what).values("number")
    return Coalesce(Subquery(summed, output_field=IntegerField()), 0)
