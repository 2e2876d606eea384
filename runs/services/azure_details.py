"""Azure Load Testing: what is in a run's own answer besides the run: criteria, statistics, errors, files.

Shapes: "PassFailCriteria", "TestRunStatistics" and "ErrorDetails" of the data plane's REST API reference.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from .answers import clean_text
from .azure_payloads import RunRow, files_of
from .base import RemoteError, RemoteFile, RemoteMetric, RemoteRun, RemoteThreshold
from .rows import Amount, Name, Number, Row, mapping_of

TOTAL = "Total"
MOST_REQUESTS = 1000
# Metric of a criterion -> (its name in the words of our thresholds, its unit).
METRICS = {
    "response_time_ms": ("http_req_duration", "ms"),
    "latency": ("latency", "ms"),
    "error": ("http_req_failed", ""),  # in per cent there, a share of 1 here
    "requests": ("http_reqs", ""),
    "requests_per_sec": ("http_reqs", "1/s"),
}
BROKEN = {"passed": False, "failed": True}
# A criterion says when the run fails; a condition of ours says what holds while it does not.
HOLDS = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "greaterthan": "<=", "lessthan": ">="}
AGGREGATES = {"average": "avg", "maximum": "max", "minimum": "min"}
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)$")


def _lower(value: object) -> str:
    return clean_text(value, 60).strip().lower()


Word = Annotated[str, BeforeValidator(_lower)]


class Criterion(Row):
    clientMetric: Word = ""
    aggregate: Word = ""
    condition: Word = ""
    value: Number = None
    requestName: Name = ""
    actualValue: Number = None
    result: Word = ""


class ServerCriterion(Row):
    resourceId: Annotated[str, BeforeValidator(lambda value: clean_text(value, 1000))] = ""
    metricName: Name = ""
    aggregation: Word = ""
    condition: Word = ""
    value: Number = None
    actualValue: Number = None
    result: Word = ""


class Statistics(Row):
    transaction: Name = ""
    sampleCount: Amount = None
    errorCount: Amount = None
    errorPct: Number = None
    meanResTime: Number = None
    medianResTime: Number = None
    minResTime: Number = None
    maxResTime: Number = None
    pct1ResTime: Number = None
    pct2ResTime: Number = None
    pct3ResTime: Number = None
    throughput: Number = None


# -- criteria ----------------------------------------------------------------------------------------------------------


def read_thresholds(row: RunRow) -> list[RemoteThreshold]:
    """The run's criteria, of requests and of servers. One that is not judged has no value: the service writes -1."""
    client = mapping_of(row.passFailCriteria.get("passFailMetrics")).values()
    server = mapping_of(row.passFailCriteria.get("passFailServerMetrics")).values()
    return [
        *(_threshold(Criterion.model_validate(item)) for item in client if isinstance(item, Mapping)),
        *(_server_threshold(ServerCriterion.model_validate(item)) for item in server if isinstance(item, Mapping)),
    ]


def _threshold(item: Criterion) -> RemoteThreshold:
    metric, unit = METRICS.get(item.clientMetric, (item.clientMetric or "criterion", ""))
    scope = f"{{name:{item.requestName}}}" if item.requestName else ""
    # An error rate and a request rate are one, whatever they are made from.
    statistic = "rate" if item.clientMetric in ("error", "requests_per_sec") else item.aggregate
    return _judged(item, metric + scope, statistic, unit, 100 if item.clientMetric == "error" else 1)


def _server_threshold(item: ServerCriterion) -> RemoteThreshold:
    resource = item.resourceId.rstrip("/").rpartition("/")[2]
    metric = " / ".join(part for part in (resource, item.metricName) if part)
    return _judged(item, metric or "server criterion", item.aggregation, "", 1)


def _judged(item: Criterion | ServerCriterion, metric: str, statistic: str, unit: str, parts: float) -> RemoteThreshold:
    statistic = _PERCENTILE.sub(r"p(\1)", AGGREGATES.get(statistic, statistic))
    limit = None if item.value is None else item.value / parts
    broken = BROKEN.get(item.result)
    return RemoteThreshold(
        metric=clean_text(metric, 300),
        condition=f"{statistic}{HOLDS.get(item.condition, f' not {item.condition} ')}{_number(limit)}".strip(),
        broken=broken,
        value=None if broken is None or item.actualValue is None else item.actualValue / parts,
        limit=limit,
        unit=unit,
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"


# -- numbers -----------------------------------------------------------------------------------------------------------


def read_metrics(row: RunRow) -> list[RemoteMetric]:
    """One row for the whole run and one for each request; percentiles 1, 2 and 3 are p90, p95 and p99."""
    whole, requests = [], []
    for name, item in _statistics(row):
        numbers = _numbers(item)
        if name == TOTAL and numbers:
            more = {"max_vus": float(row.virtualUsers)} if row.virtualUsers else {}
            whole.append(RemoteMetric(kind="run", name="", numbers=numbers | more))
        elif numbers:
            requests.append(RemoteMetric(kind="request", name=name, numbers=numbers))
    return whole + requests[:MOST_REQUESTS]


def _statistics(row: RunRow) -> Iterator[tuple[str, Statistics]]:
    for key, value in row.testRunStatistics.items():
        if isinstance(value, Mapping):
            item = Statistics.model_validate(value)
            name = clean_text(key, 300)
            yield name if name == TOTAL else item.transaction or name, item


def _numbers(item: Statistics) -> dict[str, float]:
    numbers = {
        "count": item.sampleCount,
        "failed": item.errorCount,
        "rate_per_s": item.throughput,
        "min_ms": item.minResTime,
        "avg_ms": item.meanResTime,
        "median_ms": item.medianResTime,
        "p90_ms": item.pct1ResTime,
        "p95_ms": item.pct2ResTime,
        "p99_ms": item.pct3ResTime,
        "max_ms": item.maxResTime,
    }
    if item.sampleCount and item.errorCount is not None:
        numbers["error_rate"] = item.errorCount / item.sampleCount
    elif item.errorPct is not None:
        numbers["error_rate"] = item.errorPct / 100
    return {key: float(value) for key, value in numbers.items() if value is not None}


# -- errors and files --------------------------------------------------------------------------------------------------


def read_errors(run: RemoteRun, row: RunRow, thresholds: Sequence[RemoteThreshold]) -> list[RemoteError]:
    """Broken criteria, requests that failed, and what the service says of the run itself."""
    return [
        *(
            RemoteError(type="Threshold", subtype=item.metric, occurrences=1, message=item.condition)
            for item in thresholds
            if item.broken
        ),
        *(
            RemoteError(type="Request", subtype=name, occurrences=item.errorCount, message=name)
            for name, item in _statistics(row)
            if name != TOTAL and item.errorCount
        ),
        *(
            RemoteError(
                type="Run", subtype=error.code or run.provider_status, occurrences=1, message=error.message,
                last_at=run.ended_at,
            )
            for error in row.errors()
            if error.code or error.message
        ),
    ]  # fmt: skip


def read_files(payload: Mapping[str, Any]) -> list[RemoteFile]:
    return [RemoteFile(name, label) for name, (label, _) in files_of(payload).items()]
