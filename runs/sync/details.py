"""What hangs below a run: read once when it has ended, and again and again while it is live."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction

from runs import own_thresholds
from runs.choices import ENDED
from runs.error_tree import fingerprint
from runs.models import Run, RunError, RunFile, RunMessage, RunMetric, RunSeries, RunThreshold
from runs.services.base import (
    Capability,
    Forbidden,
    NotFound,
    Refused,
    RemoteDetails,
    RemoteError,
    RemoteSeries,
    RunService,
    Unauthorized,
    UnexpectedAnswer,
)

from .forgotten import end_forgotten, threshold_row
from .mirror import fitted, refresh_days, save_runs

# So long after a run's end details that are not final are read again, and this often; then they are taken as they are.
LATE_RESULTS = timedelta(minutes=5)
LATE_RESULTS_EVERY = timedelta(seconds=15)


def read_details(service: RunService, run: Run, now: datetime, fence: Callable[[], None] = lambda: None) -> Run:
    """Ask for one run and everything below it, and store both; `fence` is called in the transaction that stores.

    `now` is before the first question. What is true of the whole provider (Unavailable, credentials not accepted) is
    the caller's to handle.
    """
    try:
        remote = service.get_run(run.external_id)
        if remote.external_id.casefold() != run.external_id.casefold():  # else it would be asked for again and again
            raise UnexpectedAnswer(f"{service.label} was asked for run {run.external_id} and answered with another.")
        details = service.get_details(remote)
    except NotFound:
        if service.keeps_history:
            return _noted(run, fence, gone_at=now)
        with transaction.atomic():
            end_forgotten(service, run, now)
            fence()
        return run
    except (Refused, UnexpectedAnswer) as problem:
        if isinstance(problem, Unauthorized) and not isinstance(problem, Forbidden):
            raise
        # One run that cannot be read must not be asked for again on every pass, nor stop the others.
        return _noted(run, fence, details_at=now, details_error=str(problem), details_again_at=None)
    with transaction.atomic():
        [run] = save_runs(run.account, [remote], now, asked_at=now)
        # Else it has gone on since: what was read below it is out of date. (Why it ended, we may know better.)
        if run.status == remote.status or (run.status in ENDED and remote.status in ENDED):
            save_details(run, _judged(service, run, details), now, _again_at(service, run, details, now))
        fence()
    return run


def _again_at(service: RunService, run: Run, details: RemoteDetails, now: datetime) -> datetime | None:
    """When to read them again; None where they are final, or the run ended too long ago by the provider's clock."""
    if details.final or run.status not in ENDED or run.ended_at is None:
        return None
    waited = abs(now - run.ended_at - service.clock_behind())
    return now + LATE_RESULTS_EVERY if waited < LATE_RESULTS else None


def _judged(service: RunService, run: Run, details: RemoteDetails) -> RemoteDetails:
    """The details with our own thresholds, where the provider has none."""
    if Capability.OWN_THRESHOLDS not in service.capabilities:
        return details
    numbers = next((metric.numbers for metric in details.metrics if metric.kind == "run"), {})
    thresholds = own_thresholds.judge(run.load_test.own_thresholds, numbers, ended=run.status in ENDED)
    result = own_thresholds.verdict(run.status, thresholds, incomplete=run.results_incomplete)
    return replace(details, thresholds=thresholds, result=result)


def _noted(run: Run, fence: Callable[[], None], **columns: object) -> Run:
    """The run, with why there are no details written to it; nothing is written once the lease is lost."""
    with transaction.atomic():
        Run.objects.filter(pk=run.pk).update(**columns)
        fence()
    return run


def save_details(run: Run, details: RemoteDetails, now: datetime, again_at: datetime | None = None) -> None:
    """Replace what hangs below the run; the verdict is taken over only from a run that has ended.

    With `again_at` they count as not read yet, until then.
    """
    series = _series_rows(run, details.series)
    for model in (RunError, RunMessage, RunThreshold, RunMetric, RunSeries, RunFile):
        model.objects.filter(run=run).delete()
    errors = _merged(run, details.errors)
    RunError.objects.bulk_create(errors, batch_size=500)
    messages = {message.external_id: message for message in details.messages}
    RunMessage.objects.bulk_create(
        [
            fitted(
                RunMessage(
                    run=run, external_id=m.external_id, level=m.level, text=m.text, source=m.source, agent=m.agent,
                    logged_at=m.logged_at,
                )
            )
            for m in messages.values()
        ]
    )  # fmt: skip
    RunThreshold.objects.bulk_create([fitted(threshold_row(run, threshold)) for threshold in details.thresholds])
    RunMetric.objects.bulk_create(
        [
            fitted(RunMetric(run=run, kind=m.kind, name=m.name, unit=m.unit, numbers=dict(m.numbers)))
            for m in details.metrics
        ]
    )
    RunSeries.objects.bulk_create(series)
    files = {file.name: file for file in details.files}
    RunFile.objects.bulk_create([fitted(RunFile(run=run, name=f.name, label=f.label)) for f in files.values()])
    _take_over(run, details, sum(error.occurrences for error in errors), now, again_at)


def _series_rows(run: Run, told: Iterable[RemoteSeries]) -> list[RunSeries]:
    """One row per name. Points that are `added` join those we hold, each second once."""
    told = {series.name: series for series in told}.values()
    held = dict(run.series.values_list("name", "points")) if any(series.added for series in told) else {}
    rows = []
    for series in told:
        points = list(series.points)
        if series.added:
            points = sorted({float(at): value for at, value in (*held.get(series.name, ()), *points)}.items())
        if points or not series.added:
            row = RunSeries(run=run, name=series.name, label=series.label, unit=series.unit)
            row.points = [list(point) for point in points]
            rows.append(fitted(row))
    return rows


def _take_over(run: Run, details: RemoteDetails, error_count: int, now: datetime, again_at: datetime | None) -> None:
    """The columns of the run that come from its details: key numbers, and once it has ended the verdict."""
    judged_anew = False
    whole = next((metric.numbers for metric in details.metrics if metric.kind == "run"), {})
    run.p95_ms = whole.get("p95_ms")
    run.error_rate = whole.get("error_rate")
    if run.error_rate is None and whole.get("count") and whole.get("failed") is not None:
        run.error_rate = whole["failed"] / whole["count"]
    run.error_count = error_count
    run.has_archive = details.has_archive
    run.details_at, run.details_error, run.details_again_at = None if again_at else now, "", again_at
    columns = ["p95_ms", "error_rate", "error_count", "has_archive", "details_at", "details_error", "details_again_at"]
    if run.status in ENDED and details.result is not None:
        judged_anew = run.result != details.result
        run.judged_result = run.result = details.result
        columns += ["judged_result", "result"]
    run.save(update_fields=columns)
    if judged_anew:
        refresh_days([run])


def _merged(run: Run, errors: Iterable[RemoteError]) -> list[RunError]:
    """One row per distinct detail; the provider may list the same one twice."""
    rows: dict[str, RunError] = {}
    for error in errors:
        mark = fingerprint(
            error.type, error.subtype, error.message, error.request, error.test_case, error.scenario, error.stack_trace
        )
        if mark in rows:
            rows[mark].occurrences += error.occurrences
            continue
        rows[mark] = fitted(
            RunError(
                run=run, fingerprint=mark, type=error.type, subtype=error.subtype, occurrences=error.occurrences,
                message=error.message, request=error.request, test_case=error.test_case, scenario=error.scenario,
                stack_trace=error.stack_trace, last_at=error.last_at,
            )
        )  # fmt: skip
    return list(rows.values())
