"""Everything below a run of Grafana Cloud k6 (/cloud/v6), which itself tells no outcome of any threshold or check.

Numbers, checks, requests and charts are asked of the metrics calls (/cloud/v5). What became of each threshold is told
by the older list of thresholds as long as there is one; else the options' conditions are held against the metrics, and
that counts only where the provider's own number of breached ones agrees. A part that is refused is left empty.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from runs.choices import ENDED, RunResult

from . import k6_metrics
from .answers import number_of, whole_of
from .base import RemoteDetails, RemoteError, RemoteMetric, RemoteRun, RemoteThreshold
from .http import Http
from .k6_details import read_threshold, threshold_errors
from .k6_legacy_api import K6LegacyApi
from .k6_payloads import Check, HttpSummary, Url, parse_all
from .k6_rows import CONDITION, Parts, check_errors, check_rows, group_id, http_errors, request_rows, run_errors
from .k6_v6_runs import conditions

MOST_MEASURED = 20  # thresholds whose value is asked for, one call each
TIMES = {"mean": "histogram_avg", "p95": "histogram_quantile(0.95)", "max": "histogram_max"}  # of each request
WHOLE = {"min": "histogram_min", "p99": "histogram_quantile(0.99)", "median": "histogram_quantile(0.5)"} | TIMES
_TIMED = ("http_req_", "iteration_duration", "group_duration")
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
    "==": lambda value, limit: value == limit,
    "===": lambda value, limit: value == limit,
    "!=": lambda value, limit: value != limit,
}


def read_details(http: Http, run: RemoteRun, clean: Callable[[str], str]) -> RemoteDetails:
    """`clean` takes secrets out of a text. A run that never sent a request takes one call."""
    parts, run_id = Parts(), run.external_id
    checks: list[Check] = []
    groups: dict[str, str] = {}
    urls: list[Url] = []
    lost: list[tuple[str, str, str, int]] = []
    whole: RemoteMetric | None = None
    series: Sequence = ()
    summary: Mapping[str, Any] = {}
    if run.load_started_at:
        checks, groups = _checks(parts, http, run_id)
        urls = parse_all(Url, parts.read(lambda: k6_metrics.requests(http, run_id, TIMES)) or [])[0]
        if any(url.status == 0 and url.count for url in urls):
            lost = parts.read(lambda: k6_metrics.failed_without_answer(http, run_id)) or []
        summary = parts.read(lambda: k6_metrics.metrics_summary(http, run_id)) or {}
        whole = _whole(parts, http, run, summary, urls)
        begin, seconds = run.load_started_at, run.duration_s or run.planned_duration_s or 60
        series = parts.read(lambda: k6_metrics.charts(http, run_id, begin, seconds)) or ()
    thresholds, broken = _thresholds(parts, http, run, summary, clean)
    parts.insist()
    return RemoteDetails(
        result=_result(run, thresholds) if run.status in ENDED else None,
        errors=[
            *run_errors(run),
            *broken,
            *check_errors(checks, groups, clean),
            *http_errors(urls, lost, clean),
        ],
        thresholds=thresholds,
        metrics=[*([whole] if whole else []), *request_rows(urls, clean), *check_rows(checks, groups, clean)],
        series=series,
    )


def _result(run: RemoteRun, thresholds: Sequence[RemoteThreshold]) -> RunResult:
    """Without a threshold, "passed" only says that nothing was asked; but only where we know that there is none."""
    options_known = isinstance(run.payload.get("options"), Mapping)
    return RunResult.NONE if run.result == RunResult.PASSED and options_known and not thresholds else run.result


def _checks(parts: Parts, http: Http, run_id: str) -> tuple[list[Check], dict[str, str]]:
    """The checks, and the names of their groups by id."""
    found = parts.read(lambda: k6_metrics.checks(http, run_id)) or []
    shaped = [
        {"name": name, "group_id": group_id(group), "success_count": passed, "total_count": total}
        for name, group, total, passed in found
    ]
    return parse_all(Check, shaped)[0], {group_id(group): group.removeprefix("::") for _, group, _, _ in found}


def _whole(
    parts: Parts, http: Http, run: RemoteRun, summary: Mapping[str, Any], urls: Sequence[Url]
) -> RemoteMetric | None:
    """The run's own numbers: from its summary, or from the metrics where that address is closed."""
    found = k6_metrics.http_summary(summary)
    if found is None and urls:
        found = _measured(parts, http, run, urls)
    return k6_metrics.run_row(found, run.virtual_users) if found else None


def _measured(parts: Parts, http: Http, run: RemoteRun, urls: Sequence[Url]) -> HttpSummary:
    count = sum(url.count or 0 for url in urls)
    lines = {
        name: parts.read(partial(k6_metrics.query_aggregate, http, run.external_id, "http_req_duration", method))
        for name, method in WHOLE.items()
    }
    numbers = {name: found[0].last for name, found in lines.items() if found}
    failed = parts.read(lambda: k6_metrics.query_aggregate(http, run.external_id, "http_req_failed", "increase_nz"))
    return HttpSummary.model_validate(
        {
            "requests_count": count,
            "failures_count": failed[0].last if failed else None,
            "rps_mean": count / run.duration_s if run.duration_s else None,
            "duration_median": numbers.pop("median", None),
            "duration": numbers,
        }
    )


# -- thresholds --------------------------------------------------------------------------------------------------------


def _thresholds(
    parts: Parts, http: Http, run: RemoteRun, summary: Mapping[str, Any], clean: Callable[[str], str]
) -> tuple[list[RemoteThreshold], list[RemoteError]]:
    """Each with what became of it, as far as anybody says, and the breached ones for the error tree."""
    asked = conditions(run.payload.get("options"))
    if asked or run.payload.get("options") is None:
        told, watched = parts.read(lambda: K6LegacyApi(http).thresholds(run.external_id)) or ([], {})
        if told:
            judged = [read_threshold(item, watched, clean) for item in told]
            return judged, list(threshold_errors(told, judged))
    judged = _judged(parts, http, run, asked, summary)
    return judged, [
        RemoteError(type="Threshold", subtype=threshold.metric, occurrences=1, message=threshold.condition)
        for threshold in judged
        if threshold.broken
    ]


def _judged(
    parts: Parts, http: Http, run: RemoteRun, asked: Sequence[tuple[str, str]], summary: Mapping[str, Any]
) -> list[RemoteThreshold]:
    values = _values(parts, http, run, asked)
    broken = [_is_broken(condition, value) for (_, condition), value in zip(asked, values, strict=True)]
    counts = summary.get("thresholds_summary")
    counts = counts if isinstance(counts, Mapping) else {}
    total, kept = whole_of(counts.get("total")), whole_of(counts.get("successes"))
    if run.result == RunResult.PASSED or (total == len(asked) == kept):
        broken = [False] * len(asked)
    elif total != len(asked) or kept is None or None in broken or total - kept != sum(map(bool, broken)):
        # Nobody says which: with a single one it is the one.
        broken = [True] if run.result == RunResult.FAILED and len(asked) == 1 else [None] * len(asked)
    found = []
    for (metric, condition), value, is_broken in zip(asked, values, broken, strict=True):
        match = CONDITION.match(condition)
        unit = "ms" if metric.startswith(_TIMED) and not metric.startswith("http_req_failed") else ""
        limit = number_of(match["limit"]) if match else None
        found.append(
            RemoteThreshold(metric=metric, condition=condition, broken=is_broken, value=value, limit=limit, unit=unit)
        )
    return found


def _values(parts: Parts, http: Http, run: RemoteRun, asked: Sequence[tuple[str, str]]) -> list[float | None]:
    """What each condition is about, over the whole run; None where it cannot be asked for."""
    if not asked or not run.load_started_at:
        return [None] * len(asked)
    types = parts.read(lambda: k6_metrics.metric_types(http, run.external_id)) or {}
    values: list[float | None] = []
    for metric, condition in asked:
        name, _, tags = metric.partition("{")
        method = _method(types.get(name, ""), condition) if len(values) < MOST_MEASURED else ""
        ask = partial(k6_metrics.query_aggregate, http, run.external_id, _selector(name, tags), method)
        lines = method and parts.read(ask)
        values.append(lines[0].last if lines else None)
    return values


def _method(kind: str, condition: str) -> str:
    """The metrics call's word for a condition's statistic, "" where there is none."""
    match = CONDITION.match(condition)
    stat = match["stat"].replace(" ", "") if match else ""
    if kind == "trend" and (quantile := re.fullmatch(r"p\(([\d.]+)\)", stat)):
        return f"histogram_quantile({(number_of(quantile[1]) or 0) / 100:g})"
    return {
        "trend": {"avg": "histogram_avg", "min": "histogram_min", "max": "histogram_max", "med": WHOLE["median"]},
        "counter": {"count": "increase", "rate": "rate"},
        "rate": {"rate": "ratio"},
        "gauge": {"value": "last"},
    }.get(kind, {}).get(stat, "")  # fmt: skip


def _selector(name: str, tags: str) -> str:
    """ "scenario:buy,status:200}" -> http_reqs{scenario="buy",status="200"}"""
    pairs = [tag.partition(":") for tag in tags.removesuffix("}").split(",") if tag.strip()]
    inside = ",".join(
        f'{key.strip()}="{value.strip().replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
        for key, _, value in pairs
    )
    return f"{name}{{{inside}}}" if inside else name


def _is_broken(condition: str, value: float | None) -> bool | None:
    match = CONDITION.match(condition)
    limit = number_of(match["limit"]) if match else None
    return None if value is None or limit is None else not _SIGNS[match["sign"]](value, limit)
