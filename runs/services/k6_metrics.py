"""Grafana Cloud k6, "Metrics API" (/cloud/v5/test_runs/{id}/…): the numbers, checks, requests and charts of a run.

The legacy and the current API share these calls: everything here works on any `Http` signed in to the same origin.
Arguments stand in parentheses inside the path; an inner quote is doubled; the answer holds [unix seconds, value] pairs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from .answers import amount_of, clean_text, number_of
from .base import RemoteMetric, RemoteSeries
from .http import Http
from .k6_payloads import HttpSummary, object_of, parse, rows_of

POINTS = 240  # of one chart; more is more than a screen can show
NO_ANSWER = "0"  # the status label of a request that got no answer
_REQUEST = ("name", "method", "status")
_BY_REQUEST = f"by ({','.join(_REQUEST)})"

# Our name, label, unit, metric, query. http_req_failed counts failures as its non-zero values.
CHARTS = (
    ("p95_ms", "Response time p95", "ms", "http_req_duration", "histogram_quantile(0.95)"),
    ("rate_per_s", "Requests", "1/s", "http_reqs", "rate"),
    ("errors_per_s", "Failed requests", "1/s", "http_req_failed", "rate_nz"),
    ("vus", "Virtual users", "", "vus", "sum(last by (instance_id))"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled row of a metrics answer."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def last(self) -> float | None:
        return self.points[-1][1] if self.points else None


def query_range(http: Http, run_id: str, metric: str, query: str, step: int) -> list[Line]:
    """Values over the run's time, one for every `step` seconds."""
    return _ask(http, run_id, "query_range_k6", metric, query, f",step={max(step, 1)}")


def query_aggregate(http: Http, run_id: str, metric: str, query: str) -> list[Line]:
    """One value for the whole run, per group of labels."""
    return _ask(http, run_id, "query_aggregate_k6", metric, query, "")


def label_values(http: Http, run_id: str, label: str) -> list[str]:
    """Every value a label has in this run, such as the names of its groups."""
    answer = http.get(f"/cloud/v5/test_runs/{run_id}/label/{quote(label, safe='')}/values")
    return [clean_text(value) for value in rows_of(answer.data, "data", "the values of a label", http.provider)]


def result_summary(http: Http, run_id: str) -> HttpSummary | None:
    """The HTTP numbers of the whole run; None for a run that sent no request."""
    return http_summary(metrics_summary(http, run_id))


def metrics_summary(http: Http, run_id: str) -> Mapping[str, Any]:
    """All the summaries of a run: of requests, checks, thresholds; empty for a run that never began."""
    answer = http.get(
        f"/cloud/v5/test_runs({run_id})/result_summary", [("$select", "metrics_summary,baseline_test_run_details")]
    )
    summary = answer.data.get("metrics_summary") if isinstance(answer.data, dict) else None
    return summary if isinstance(summary, dict) else {}


def metric_types(http: Http, run_id: str) -> dict[str, str]:
    """Metric -> trend, rate, counter or gauge, of every metric of the run."""
    rows = rows_of(http.get(f"/cloud/v5/test_runs/{run_id}/metrics").data, "value", "the metrics", http.provider)
    return {clean_text(row.get("name")): clean_text(row.get("type")) for row in rows if isinstance(row, dict)}


def http_summary(summary: Any) -> HttpSummary | None:
    """`http_metric_summary` out of a summary object, null at any level being None."""
    http = summary.get("http_metric_summary") if isinstance(summary, dict) else None
    item = parse(HttpSummary, http) if http else None
    return item if isinstance(item, HttpSummary) else None


def charts(http: Http, run_id: str, begin: datetime, seconds: float) -> list[RemoteSeries]:
    """The run's charts, in seconds since `begin`; those without a point are left out."""
    step = max(1, math.ceil(seconds / POINTS))
    series = []
    for name, label, unit, metric, query in CHARTS:
        for line in query_range(http, run_id, metric, query, step)[:1]:  # without groups there is one line, or none
            points = tuple((round(moment - begin.timestamp(), 3), value) for moment, value in line.points)
            if points:
                series.append(RemoteSeries(name=name, label=label, unit=unit, points=points))
    return series


def checks(http: Http, run_id: str) -> list[tuple[str, str, int, int]]:
    """(check, group, how often checked, how often passed) of every check of the run."""
    totals = query_aggregate(http, run_id, "checks", "increase_total by (check,group)")
    if not totals:
        return []
    good = query_aggregate(http, run_id, "checks", "increase_nz by (check,group)")
    passed = {_key(line, "check", "group"): _count(line) for line in good}
    found = ((_key(line, "check", "group"), _count(line)) for line in totals)
    return [(*key, total, passed.get(key, 0)) for key, total in found if key[0]]


def _count(line: Line) -> int:
    return amount_of(round(line.last or 0)) or 0


def requests(http: Http, run_id: str, times: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Name, method, status, count and `times` of each kind of request, in the shape of a legacy URL row."""
    counts = query_aggregate(http, run_id, "http_reqs", f"increase {_BY_REQUEST}")
    if not counts:
        return []
    rows = {_key(line, *_REQUEST): {"count": round(line.last or 0)} for line in counts}
    for name, method in (times or {"p95": "histogram_quantile(0.95)"}).items():
        for line in query_aggregate(http, run_id, "http_req_duration", f"{method} {_BY_REQUEST}"):
            if _key(line, *_REQUEST) in rows:
                rows[_key(line, *_REQUEST)][name] = line.last
    return [dict(zip(_REQUEST, key, strict=True)) | row for key, row in rows.items()]


def failed_without_answer(http: Http, run_id: str) -> list[tuple[str, str, str, int]]:
    """(name, method, error code, how often) of the requests that got no answer at all."""
    lines = query_aggregate(http, run_id, f'http_reqs{{status="{NO_ANSWER}"}}', "increase by (name,method,error_code)")
    return [(*_key(line, "name", "method", "error_code"), round(line.last or 0)) for line in lines if line.last]


def run_row(summary: HttpSummary, virtual_users: int | None) -> RemoteMetric:
    """The row of kind "run". k6 gives no error rate: it is failures by requests."""
    numbers = {
        "count": summary.requests_count,
        "failed": summary.failures_count,
        "rate_per_s": summary.rps_mean,
        "peak_rate_per_s": summary.rps_max,
        "min_ms": summary.duration.min,
        "avg_ms": summary.duration.mean,
        "median_ms": summary.duration_median,
        "p95_ms": summary.duration.p95,
        "p99_ms": summary.duration.p99,
        "max_ms": summary.duration.max,
        "max_vus": virtual_users,
    }
    if summary.requests_count and summary.failures_count is not None:
        numbers["error_rate"] = summary.failures_count / summary.requests_count
    return RemoteMetric(kind="run", name="", numbers=known(numbers))


def known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    return {key: value for key, value in numbers.items() if value is not None}


def _ask(http: Http, run_id: str, function: str, metric: str, query: str, more: str) -> list[Line]:
    arguments = f"query='{_literal(query)}',metric='{_literal(metric)}'{more}"
    encoded = quote(arguments, safe="()',=")
    answer = http.get(f"/cloud/v5/test_runs/{run_id}/{function}({encoded})")
    rows = rows_of(object_of(answer.data, "data", "metrics", http.provider), "result", "metrics", http.provider)
    lines = []
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("values"), list):
            labels = row.get("metric") if isinstance(row.get("metric"), dict) else {}
            lines.append(Line({key: clean_text(value) for key, value in labels.items()}, _points(row["values"])))
    return lines


def _points(values: Sequence[Any]) -> list[tuple[float, float]]:
    pairs = ((number_of(pair[0]), number_of(pair[1])) for pair in values if isinstance(pair, list) and len(pair) == 2)
    return [(moment, value) for moment, value in pairs if moment is not None and value is not None]


def _literal(text: str) -> str:
    return text.replace("'", "''")


def _key(line: Line, *labels: str) -> tuple[str, ...]:
    return tuple(line.labels.get(label, "") for label in labels)
