"""Everything below a run of Grafana Cloud k6 (legacy API): thresholds, checks, requests, summary, charts, error tree.

Some of these addresses are undocumented or may be closed to a token: a part that is refused or missing is left empty.
"""

from collections.abc import Callable, Iterator, Sequence

from runs.choices import ENDED, RunResult

from . import k6_metrics
from .base import RemoteDetails, RemoteError, RemoteMetric, RemoteRun, RemoteThreshold
from .k6_legacy_api import K6LegacyApi, path_id
from .k6_payloads import Check, HttpSummary, Overview, Threshold, ThresholdMetric, Url, parse_all
from .k6_rows import (
    CONDITION,
    Parts,
    check_errors,
    check_rows,
    failures_of,
    group_id,
    http_errors,
    request_rows,
    run_errors,
)

ROOT_GROUP = group_id("")
UNITS = {"time": "ms", "bytes": "B"}  # a "percent" is a share of 1, and is written without a unit


def read_details(api: K6LegacyApi, run: RemoteRun, clean: Callable[[str], str]) -> RemoteDetails:
    """`clean` takes secrets out of a text. At most a dozen calls; three for a run that never came to send a request."""
    parts = Parts()
    run_id = path_id(run.external_id)
    found = parts.read(lambda: api.thresholds(run_id))
    thresholds, watched = found or ([], {})
    judged = [read_threshold(item, watched, clean) for item in thresholds]
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
            *run_errors(run),
            *threshold_errors(thresholds, judged),
            *check_errors(checks, groups, clean),
            *http_errors(urls, lost, clean),
        ],
        thresholds=judged,
        metrics=[*([summary] if summary else []), *request_rows(urls, clean), *check_rows(checks, groups, clean)],
        series=series,
        has_archive=run.status in ENDED and run.load_started_at is not None and not run.results_incomplete,
    )


# -- the parts ---------------------------------------------------------------------------------------------------------


def _checks(parts: Parts, api: K6LegacyApi, run_id: str) -> list[Check]:
    rows = parts.read(lambda: api.checks(run_id))
    if rows is not None:
        return rows
    found = parts.read(lambda: k6_metrics.checks(api.http, run_id)) or []
    shaped = [
        {"name": name, "group_id": group_id(group), "success_count": passed, "total_count": total}
        for name, group, total, passed in found
    ]
    return parse_all(Check, shaped)[0]


def _groups(parts: Parts, api: K6LegacyApi, run_id: str, checks: Sequence[Check]) -> dict[str, str]:
    """Group id -> "login::cart". The names are only asked for when a failed check stands in a group."""
    if not any(failures_of(check) and check.group_id not in ("", ROOT_GROUP) for check in checks):
        return {}
    paths = parts.read(lambda: k6_metrics.label_values(api.http, run_id, "group")) or []
    return {group_id(path): path.removeprefix("::") for path in paths}


def _urls(parts: Parts, api: K6LegacyApi, run_id: str) -> list[Url]:
    rows = parts.read(lambda: api.urls(run_id))
    if rows is not None:
        return rows
    return parse_all(Url, parts.read(lambda: k6_metrics.requests(api.http, run_id)) or [])[0]


def _summary(parts: Parts, api: K6LegacyApi, run: RemoteRun) -> RemoteMetric | None:
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


def read_threshold(
    item: Threshold, watched: dict[str, ThresholdMetric], clean: Callable[[str], str]
) -> RemoteThreshold:
    metric = watched.get(item.metric_id)
    name, condition = _split(item.name)
    if not condition:
        limit = "" if item.value is None else f" (limit {item.value:g})"
        is_condition = CONDITION.match(item.name)
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
    return (metric.strip(), condition) if colon and metric and CONDITION.match(condition) else (name, "")


def threshold_errors(items: Sequence[Threshold], judged: Sequence[RemoteThreshold]) -> Iterator[RemoteError]:
    for item, threshold in zip(items, judged, strict=True):
        if threshold.broken:
            yield RemoteError(
                type="Threshold",
                subtype=threshold.metric,
                occurrences=1,
                message=threshold.condition,
                last_at=item.tainted_at,
            )
