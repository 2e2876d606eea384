"""Everything below a run of Grafana Cloud k6 (legacy API): thresholds, checks, requests, summary, charts, error tree.

Some of these addresses are undocumented or may be closed to a token: a part that is refused or missing is left empty.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from runs.choices import ENDED, RunResult

from . import k6_metrics
from .base import (
    NotFound,
    Refused,
    RemoteDetails,
    RemoteError,
    RemoteMetric,
    RemoteRun,
    RemoteThreshold,
    ServiceError,
    Unauthorized,
    UnexpectedAnswer,
)
from .k6_legacy_api import K6LegacyApi, path_id
from .k6_metrics import known
from .k6_payloads import Check, HttpSummary, Overview, Threshold, ThresholdMetric, Url, parse_all

T = TypeVar("T")

ROOT_GROUP = hashlib.md5(b"", usedforsecurity=False).hexdigest()  # k6 names a group by the MD5 of its path
NO_ANSWER = "no answer"
UNITS = {"time": "ms", "bytes": "B"}  # a "percent" is a share of 1, and is written without a unit
# A condition as scripts write it: a statistic, an operator, a number.
_CONDITION = re.compile(r"^\s*[a-z]+\s*(\([\d.]+\))?\s*(<=|>=|===?|!=|<|>)\s*-?[\d.]+\s*$")


class _Parts:
    """Asks for one part after the other. `refusals`: why the missing ones are missing."""

    def __init__(self) -> None:
        self.answered = 0
        self.refusals: list[ServiceError] = []

    def read(self, ask: Callable[[], T]) -> T | None:
        """The part, or None when it is refused, missing or in no known shape; an outage is raised."""
        try:
            value = ask()
        except (NotFound, Refused, UnexpectedAnswer) as error:
            self.refusals.append(error)
            return None
        self.answered += 1
        return value

    def insist(self) -> None:
        """Raise when not one part was answered for want of rights: empty details would look like a run without any."""
        if not self.answered and self.refusals and all(isinstance(error, Unauthorized) for error in self.refusals):
            raise self.refusals[0]


def read_details(api: K6LegacyApi, run: RemoteRun, clean: Callable[[str], str]) -> RemoteDetails:
    """`clean` takes secrets out of a text. At most a dozen calls; three for a run that never came to send a request."""
    parts = _Parts()
    run_id = path_id(run.external_id)
    found = parts.read(lambda: api.thresholds(run_id))
    thresholds, watched = found or ([], {})
    judged = [_threshold(item, watched, clean) for item in thresholds]
    checks: list[Check] = []
    urls: list[Url] = []
    lost: list[tuple[str, str, str, int]] = []
    summary = None
    series: Sequence = ()
    groups: dict[str, str] = {}
    if run.load_started_at:
        checks = _checks(parts, api, run_id)
        groups = _groups(parts, api, run_id, checks)
        urls = _urls(parts, api, run_id)
        if any(url.status == 0 and url.count for url in urls):
            lost = parts.read(lambda: k6_metrics.failed_without_answer(api.http, run_id)) or []
        summary = _summary(parts, api, run)
        begin, seconds = run.load_started_at, run.duration_s or run.planned_duration_s or 60
        series = parts.read(lambda: k6_metrics.charts(api.http, run_id, begin, seconds)) or ()
    parts.insist()
    return RemoteDetails(
        result=_result(run, judged) if found else None,
        errors=[
            *_run_errors(run),
            *_threshold_errors(thresholds, judged),
            *_check_errors(checks, groups, clean),
            *_http_errors(urls, lost, clean),
        ],
        thresholds=judged,
        metrics=[*([summary] if summary else []), *_request_rows(urls, clean), *_check_rows(checks, groups, clean)],
        series=series,
        has_archive=run.status in ENDED and run.load_started_at is not None and not run.results_incomplete,
    )


# -- the parts ---------------------------------------------------------------------------------------------------------


def _checks(parts: _Parts, api: K6LegacyApi, run_id: str) -> list[Check]:
    rows = parts.read(lambda: api.checks(run_id))
    if rows is not None:
        return rows
    found = parts.read(lambda: k6_metrics.checks(api.http, run_id)) or []
    shaped = [
        {"name": name, "group_id": _group_id(group), "success_count": round(total * share), "total_count": total}
        for name, group, total, share in found
    ]
    return parse_all(Check, shaped)[0]


def _groups(parts: _Parts, api: K6LegacyApi, run_id: str, checks: Sequence[Check]) -> dict[str, str]:
    """Group id -> "login::cart". The names are only asked for when a failed check stands in a group."""
    if not any(_failed(check) and check.group_id not in ("", ROOT_GROUP) for check in checks):
        return {}
    paths = parts.read(lambda: k6_metrics.label_values(api.http, run_id, "group")) or []
    return {_group_id(path): path.removeprefix("::") for path in paths}


def _urls(parts: _Parts, api: K6LegacyApi, run_id: str) -> list[Url]:
    rows = parts.read(lambda: api.urls(run_id))
    if rows is not None:
        return rows
    return parse_all(Url, parts.read(lambda: k6_metrics.requests(api.http, run_id)) or [])[0]


def _summary(parts: _Parts, api: K6LegacyApi, run: RemoteRun) -> RemoteMetric | None:
    """The run's own numbers, from the first address that has them."""
    summary: HttpSummary | None = parts.read(lambda: api.summary_v4(run.external_id))
    summary = summary or parts.read(lambda: k6_metrics.result_summary(api.http, run.external_id))
    if summary is None:
        overview = parts.read(lambda: api.overview(run.external_id))
        summary = _from_overview(overview) if overview else None
    return k6_metrics.run_row(summary, run.virtual_users) if summary else None


def _from_overview(overview: Overview) -> HttpSummary:
    total, good = overview.urls_hits_total, overview.urls_hits_successes
    return HttpSummary.model_validate(
        {
            "requests_count": total,
            "failures_count": None if total is None or good is None else total - good,
            "rps_mean": overview.http_reqs_avg,
            "duration": {"mean": overview.http_req_duration_avg},
        }
    )


def _result(run: RemoteRun, thresholds: Sequence[RemoteThreshold]) -> RunResult:
    """The verdict, now that the thresholds are known: without any, "passed" only says that nothing was asked."""
    return RunResult.NONE if run.result == RunResult.PASSED and not thresholds else run.result


def _threshold(item: Threshold, watched: dict[str, ThresholdMetric], clean: Callable[[str], str]) -> RemoteThreshold:
    metric = watched.get(item.metric_id)
    name, condition = _split(item.name)
    if not condition:
        limit = "" if item.value is None else f" (limit {item.value:g})"
        is_condition = _CONDITION.match(item.name)
        name, condition = (metric.name if metric else ""), item.name if is_condition else f"{item.stat}{limit}"
    return RemoteThreshold(
        metric=clean(name),
        condition=clean(condition.strip()),
        broken=item.tainted,
        value=item.calculated_value,
        limit=item.value,
        unit=UNITS.get(metric.contains, "") if metric else "",
    )


def _split(name: str) -> tuple[str, str]:
    """ "http_req_duration{scenario:buy}:p(95)<500" -> metric and condition; the condition is "" when there is none."""
    metric, colon, condition = name.rpartition(":")
    return (metric.strip(), condition) if colon and metric and _CONDITION.match(condition) else (name, "")


def _group_id(path: str) -> str:
    return hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()


def _failed(check: Check) -> int:
    return max((check.total_count or 0) - (check.success_count or 0), 0) if check.success_count is not None else 0


# -- the error tree ----------------------------------------------------------------------------------------------------


def _run_errors(run: RemoteRun) -> Iterator[RemoteError]:
    if run.error_code or run.error_message:
        subtype = run.error_code or run.provider_status
        yield RemoteError(type="Run", subtype=subtype, occurrences=1, message=run.error_message, last_at=run.ended_at)


def _threshold_errors(items: Sequence[Threshold], judged: Sequence[RemoteThreshold]) -> Iterator[RemoteError]:
    for item, threshold in zip(items, judged, strict=True):
        if threshold.broken:
            yield RemoteError(
                type="Threshold",
                subtype=threshold.metric,
                occurrences=1,
                message=threshold.condition,
                last_at=item.tainted_at,
            )


def _check_errors(
    checks: Sequence[Check], groups: dict[str, str], clean: Callable[[str], str]
) -> Iterator[RemoteError]:
    counts: dict[tuple[str, str], int] = {}
    for check in checks:
        key = clean(check.name), clean(groups.get(check.group_id, ""))
        counts[key] = counts.get(key, 0) + _failed(check)
    for (name, group), count in counts.items():
        if count:
            yield RemoteError(type="Check", subtype=name, occurrences=count, message=group)


def _http_errors(
    urls: Sequence[Url], lost: Sequence[tuple[str, str, str, int]], clean: Callable[[str], str]
) -> Iterator[RemoteError]:
    """Per status or, where no answer came, per k6's own error code: METHOD url."""
    counts: dict[tuple[str, str], int] = {}
    coded = {(method, name) for name, method, code, _ in lost if code}
    rows = [(name, method, code, count) for name, method, code, count in lost if code]
    for url in urls:
        if url.status is None or 0 < url.status < 400 or (url.status == 0 and (url.method, _address(url)) in coded):
            continue
        rows.append((_address(url), url.method, str(url.status or NO_ANSWER), url.count or 0))
    for name, method, subtype, count in rows:
        key = subtype, clean(f"{method} {name}".strip())
        counts[key] = counts.get(key, 0) + count
    for (subtype, request), count in counts.items():
        if count:
            yield RemoteError(type="HTTP", subtype=subtype, occurrences=count, message=request, request=request)


# -- rows of numbers ---------------------------------------------------------------------------------------------------


def _address(url: Url) -> str:
    return url.url or url.name


def _request_rows(urls: Sequence[Url], clean: Callable[[str], str]) -> Iterator[RemoteMetric]:
    for url in urls:
        failed = url.status is not None and (url.status == 0 or url.status >= 400)
        status = "" if url.status is None else f" ({url.status or NO_ANSWER})"
        numbers = {
            "count": url.count,
            "failed": url.count if failed else 0,
            "min_ms": url.min,
            "avg_ms": url.mean,
            "p95_ms": url.p95,
            "p99_ms": url.p99,
            "max_ms": url.max,
        }
        name = clean(f"{url.method} {_address(url)}".strip()) + status
        yield RemoteMetric(kind="request", name=name, numbers=known(numbers))


def _check_rows(checks: Sequence[Check], groups: dict[str, str], clean: Callable[[str], str]) -> Iterator[RemoteMetric]:
    for check in checks:
        group = groups.get(check.group_id, "")
        total, failed = check.total_count, _failed(check)
        numbers = {
            "count": total,
            "passed": check.success_count,
            "failed": failed,
            "error_rate": failed / total if total else None,
        }
        name = clean(f"{group}: {check.name}" if group else check.name)
        yield RemoteMetric(kind="check", name=name, numbers=known(numbers))
