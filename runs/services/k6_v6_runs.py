"""A run of Grafana Cloud k6 (/cloud/v6) in our words. The same run seen through the legacy API comes out the same.

| our field | from |
| --- | --- |
| status, result, stop_reason | status, result, the history's by_user, the code, by `verdict` below |
| provider_status, provider_result | status, result |
| requested_by, stopped_by | started_by, by_user: e-mail addresses |
| created_at, queued_at | created, the history's queued |
| started_at, load_started_at | the history's running |
| load_ended_at, ended_at | the history's processing_metrics, else ended, else the history's last entry |
| duration_s, planned_duration_s | execution_duration, estimated_duration |
| virtual_users, note, starred, cost_vuh | max_vus, note, is_starred, cost.total_vuh |
| error_code, error_message | code and message of an aborted entry, else of result_details |
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runs.choices import LIVE, RunResult, RunStatus, StopReason

from .base import BadRow, RemoteRun
from .k6_payloads import parse
from .k6_v6_payloads import Extra, Run
from .redact import redact, redact_text

STATUS: dict[str, RunStatus] = {
    "created": RunStatus.CREATED,
    "queued": RunStatus.QUEUED,
    "initializing": RunStatus.STARTING,
    "running": RunStatus.RUNNING,
    "processing_metrics": RunStatus.PROCESSING,
    "completed": RunStatus.FINISHED,
    "aborted": RunStatus.ABORTED,
}
RESULT: dict[str, RunResult] = {
    "passed": RunResult.PASSED,
    "failed": RunResult.FAILED,
    "error": RunResult.ERROR,
}
# Codes of a run that ended before its plan: its script threw; a load generator gave up; its lifetime ran out.
SCRIPT_CODES = ("8030", "8031", "8035")
SYSTEM_CODES = ("8032", "8033", "8034")
LIFETIME_CODE = "8016"
RUN_PAGE = "https://app.k6.io/runs/"
LONGEST_PAGE = 500


def verdict(run: Run) -> tuple[RunStatus, RunResult, str]:
    """Our status, result and stop reason; what we do not know is `unknown` and never passed."""
    status = STATUS.get(run.status.strip().lower(), RunStatus.UNKNOWN)
    result = RESULT.get(run.result.strip().lower(), RunResult.NONE)
    if status in LIVE or status == RunStatus.UNKNOWN:
        return status, RunResult.NONE, ""
    if status == RunStatus.ABORTED:
        return _aborted(run, result)
    if result == RunResult.PASSED and run.options is not None and not conditions(run.options):
        result = RunResult.NONE  # nothing was asked of it
    if is_incomplete(run):
        result = RunResult.NONE
    return status, result, ""


def _aborted(run: Run, result: RunResult) -> tuple[RunStatus, RunResult, str]:
    failed = result == RunResult.FAILED
    judged = RunResult.NONE if result == RunResult.PASSED else result
    code = end_of(run).code
    if stopped_by(run):
        return RunStatus.ABORTED, RunResult.FAILED if failed else RunResult.NONE, StopReason.USER
    if code == LIFETIME_CODE:
        return RunStatus.TIMED_OUT, judged, StopReason.LIMIT
    if code in SCRIPT_CODES:
        return RunStatus.ABORTED, judged, StopReason.SCRIPT_ERROR
    by_threshold = failed and code not in SYSTEM_CODES
    return RunStatus.ABORTED, judged, StopReason.THRESHOLD if by_threshold else StopReason.SYSTEM


def is_incomplete(run: Run) -> bool:
    """Whether it ran to its end and yet could not be judged: its numbers were not processed to theirs."""
    return run.status.strip().lower() == "completed" and run.result.strip().lower() == "error"


def stopped_by(run: Run) -> str:
    return next((step.extra.by_user for step in reversed(run.history) if step.extra.by_user), "")


def end_of(run: Run) -> Extra:
    """Why it went wrong: code and message of the history's last entry that has any, else of a result that is an error.

    Nothing went wrong where a person stopped it.
    """
    told = [step.extra for step in reversed(run.history) if step.extra.code or step.extra.message]
    if run.result_details.type == "error":
        told.append(run.result_details)
    return next((extra for extra in told if extra.code or not stopped_by(run)), Extra())


def conditions(options: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """(metric, condition) of each threshold in k6 options, which come as texts or as objects, alone or in lists."""
    thresholds = (options or {}).get("thresholds")
    found = []
    for metric, items in thresholds.items() if isinstance(thresholds, Mapping) else ():
        for item in items if isinstance(items, Sequence) and not isinstance(items, str) else [items]:
            text = item.get("threshold") if isinstance(item, Mapping) else item
            if isinstance(text, str) and text.strip():
                found.append((str(metric), text.strip()))
    return found


def read_run(row: Any, token: str, own_host: bool) -> RemoteRun | BadRow:
    """`own_host`: the provider's real address, which has a page for each run."""
    item = parse(Run, row)
    if isinstance(item, BadRow):
        return item
    if not item.test_id or item.created is None:
        return BadRow(item.id, f"A run has no readable {'created' if item.test_id else 'test_id'}.")
    status, result, stop_reason = verdict(item)
    begun, over = _times(item, status)
    end = end_of(item)
    return RemoteRun(
        external_id=item.id,
        test_external_id=item.test_id,
        status=status,
        result=result,
        stop_reason=stop_reason,
        provider_status=item.status,
        provider_result=item.result,
        results_incomplete=is_incomplete(item),
        starred=item.is_starred,
        cost_vuh=item.cost,
        requested_by=item.started_by,
        stopped_by=stopped_by(item),
        created_at=item.created,
        queued_at=_entered(item, "queued"),
        started_at=begun,
        load_started_at=begun,
        load_ended_at=over,
        ended_at=over,
        duration_s=_seconds(item, begun, over),
        planned_duration_s=item.estimated_duration,
        virtual_users=item.max_vus,
        note=redact_text(item.note, (token,)),
        web_url=_page(item, own_host),
        error_code="" if end.code == "0" and not end.message else end.code,
        error_message=redact_text(end.message, (token,)),
        payload=_stored(row, token),
    )


def _entered(run: Run, word: str) -> datetime | None:
    return next((step.entered for step in run.history if step.type == word and step.entered), None)


def _times(run: Run, status: RunStatus) -> tuple[datetime | None, datetime | None]:
    """When the load began and ended. A run before or under load has no end; what comes after is no part of it."""
    begun = _entered(run, "running")
    if status in LIVE and status != RunStatus.PROCESSING:
        return begun, None
    last = run.history[-1].entered if run.history and status not in LIVE else None
    return begun, _entered(run, "processing_metrics") or run.ended or last


def _seconds(run: Run, begun: datetime | None, over: datetime | None) -> float | None:
    if begun is None or over is None:
        return None
    if run.execution_duration:
        return float(run.execution_duration)
    return (over - begun).total_seconds() if over >= begun else None


def _page(run: Run, own_host: bool) -> str:
    if run.page.startswith("https://") and len(run.page) <= LONGEST_PAGE and "?" not in run.page:
        return run.page
    return f"{RUN_PAGE}{run.id}" if own_host else ""


def _stored(row: Mapping[str, Any], token: str) -> Mapping[str, Any]:
    """What may be kept of the answer. k6 puts the caller's own token into the options; it goes as all secrets do.

    A threshold may watch a request that is called after a token or a password: what it asks for is no secret.
    """
    payload = redact(row, (token,))
    options = row.get("options")
    asked = conditions(options) if isinstance(options, Mapping) else []
    if asked:
        kept: dict[str, list[str]] = {}
        for metric, condition in asked:
            kept.setdefault(redact_text(metric, (token,)), []).append(redact_text(condition, (token,)))
        payload["options"]["thresholds"] = kept
    return payload
