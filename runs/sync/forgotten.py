"""Runs of which their provider knows nothing any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from runs import own_thresholds
from runs.choices import ENDED, RunStatus, StopReason
from runs.models import Run, RunThreshold, StatusEvent
from runs.services.base import Capability, RunService

from .mirror import fitted, refresh_days

FORGOTTEN = (
    "{provider} knows nothing of this run any more: it was restarted, its statistics were reset, or another run was "
    "begun. What is shown is what was last read of it."
)


def let_go(service: RunService, runs: Sequence[Run], now: datetime) -> None:
    """Note that these are gone; where the provider keeps no history, they have ended. Call it in a transaction."""
    if service.keeps_history:
        Run.objects.filter(pk__in=[run.pk for run in runs]).update(gone_at=now)
        return
    for run in runs:
        end_forgotten(service, run, now)


def end_forgotten(service: RunService, run: Run, now: datetime) -> Run:
    """End a run as it was last seen; it is never "passed". Call it in a transaction, with the run's load test known."""
    was_live = run.status not in ENDED
    if was_live:
        run.status = RunStatus.ABORTED
        run.stop_reason = StopReason.USER if run.stop_requested_at else StopReason.SYSTEM
        run.error_message = FORGOTTEN.format(provider=service.label)
        _date_end(run)
    run.results_incomplete, run.details_at, run.details_error = True, now, ""
    if Capability.OWN_THRESHOLDS in service.capabilities:
        row = run.runmetrics.filter(kind="run").first()
        judged = own_thresholds.judge(run.load_test.own_thresholds, row.numbers if row else {}, ended=True)
        run.runthresholds.all().delete()
        RunThreshold.objects.bulk_create([fitted(threshold_row(run, item)) for item in judged])
        run.judged_result = run.result = own_thresholds.verdict(run.status, judged, incomplete=True)
    run.save(
        update_fields=[
            "status", "stop_reason", "error_message", "results_incomplete", "details_at", "details_error",
            "judged_result", "result", "load_ended_at", "ended_at", "duration_s",
        ]
    )  # fmt: skip
    if was_live:
        StatusEvent.objects.create(run=run, status=run.status, provider_status="", seen_at=now)
    refresh_days([run])
    return run


def threshold_row(run: Run, told: object) -> RunThreshold:
    names = ("metric", "condition", "broken", "value", "limit", "unit")
    return RunThreshold(run=run, **{name: getattr(told, name) for name in names})


def _date_end(run: Run) -> None:
    """By its charts, which have the provider's own times; else when it was last seen."""
    ends = [row.points[-1][0] for row in run.series.all() if row.points]
    if run.load_started_at and ends:
        run.duration_s = max(ends)
        run.load_ended_at = run.load_started_at + timedelta(seconds=run.duration_s)
    run.ended_at = run.load_ended_at or run.synced_at
