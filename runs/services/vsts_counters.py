"""VSTS Cloud Load Test: counters, their samples and the result summary, read into metrics and series.

Shapes: "Counter instances" and "Counter samples" of the VSTS REST API reference; the summary's, from its published
model. The service tells times in seconds; ours are milliseconds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from .answers import clean_text, whole_of
from .base import RemoteMetric, RemoteSeries
from .rows import Name, Number, Row, Time, Whole, mapping_of, mappings_of
from .vsts_payloads import rows_of, unexpected

Url = Annotated[str, BeforeValidator(lambda value: clean_text(value, 1000))]

GROUPS = ("Performance", "Throughput", "Application")
SAMPLING_S = 15  # the usual interval, used when samples carry no times
MOST_ROUNDS = 60  # 48 h, the longest run, at 15 s are 11,520 intervals of four counters: 24 batches of 2,000


@dataclass(frozen=True, slots=True)
class Chart:
    name: str
    label: str
    unit: str
    factor: float = 1


# The counters with a chart, by name; of each, the instance for all requests ("_Total").
CHARTS = {
    "user load": Chart("vus", "User load", ""),
    "avg. response time": Chart("avg_ms", "Avg. response time", "ms", 1000),
    "requests/sec": Chart("rate_per_s", "Requests per second", "1/s"),
    "errors/sec": Chart("errors_per_s", "Errors per second", "1/s"),
}


class Summary(Row):
    min: Number = None
    max: Number = None
    average: Number = None


class Instance(Row):
    counterInstanceId: Name = ""
    machineName: Name = ""
    categoryName: Name = ""
    counterName: Name = ""
    counterUnits: Name = ""
    instanceName: Name = ""
    summaryData: Annotated[Summary, BeforeValidator(mapping_of)] = Summary()


class Sample(Row):
    intervalNumber: Whole = None
    intervalEndDate: Time = None
    computedValue: Number = None


def read_instances(data: Any) -> list[Instance]:
    """The counters of a run, each once; those without an id are of no use and left out."""
    rows = [Instance.model_validate(item) for item in rows_of(data, "counters") if isinstance(item, Mapping)]
    return list({row.counterInstanceId: row for row in rows if row.counterInstanceId}.values())


def counter_metrics(instances: Sequence[Instance]) -> list[RemoteMetric]:
    """One "counter" row per counter with a summary."""
    return [
        RemoteMetric(kind="counter", name=_title(row), unit=_unit(row), numbers=numbers)
        for row in instances
        if (numbers := _numbers(row))
    ]


def _title(row: Instance) -> str:
    instance = "" if row.instanceName == "_Total" else row.instanceName
    return " / ".join(part for part in (row.machineName, row.categoryName, row.counterName, instance) if part)


def _unit(row: Instance) -> str:
    if row.counterUnits == "sec":
        return "ms"
    return "" if row.counterUnits == "-" else row.counterUnits[:20]


def _numbers(row: Instance) -> dict[str, float]:
    low, high, mean = row.summaryData.min, row.summaryData.max, row.summaryData.average
    if row.counterUnits == "sec":
        return _known(min_ms=_ms(low), avg_ms=_ms(mean), max_ms=_ms(high))
    return _known(value=mean, min=low, max=high)


def _known(**numbers: float | None) -> dict[str, float]:
    return {key: round(number, 6) for key, number in numbers.items() if number is not None}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def charted(instances: Sequence[Instance]) -> dict[str, Instance]:
    """Chart's counter name -> the counter that feeds it: the total of all, best of the load test's own categories."""

    def rank(row: Instance) -> tuple[bool, bool]:
        return row.instanceName != "_Total", not row.categoryName.startswith("LoadTest:")

    found: dict[str, Instance] = {}
    for row in sorted(instances, key=rank):
        if row.counterName.lower() in CHARTS:
            found.setdefault(row.counterName.lower(), row)
    return found


def read_samples(ask: Callable[[Mapping[str, int]], Any], ids: Sequence[str]) -> dict[str, list[Sample]]:
    """All samples of some counters, in order. `ask` takes {id: first interval} and may answer with a batch only.

    The service says how large a batch may be, not how to go on after a full one: asking again from the first interval
    not yet seen works whether the limit is for one counter or for all.
    """
    found: dict[str, dict[int, Sample]] = {instance: {} for instance in ids}
    for _ in range(MOST_ROUNDS):
        data = ask({instance: max(samples, default=-1) + 1 for instance, samples in found.items()})
        if not isinstance(data, Mapping):
            raise unexpected("counter samples")
        told = new = 0
        for instance, sample in _samples(data):
            told += 1
            if instance in found and sample.intervalNumber not in found[instance]:
                found[instance][sample.intervalNumber] = sample
                new += 1
        if not new or told < (whole_of(data.get("maxBatchSize")) or told + 1):
            break
    return {instance: [samples[number] for number in sorted(samples)] for instance, samples in found.items()}


def _samples(data: Mapping[str, Any]) -> Iterator[tuple[str, Sample]]:
    """(counter id, sample) of every sample that names its interval. The lists are called `values` here, not `value`."""
    for counter in mappings_of(data.get("values")):
        for item in mappings_of(counter.get("values")):
            sample = Sample.model_validate(item)
            if sample.intervalNumber is not None:
                yield clean_text(counter.get("counterInstanceId"), 300), sample


def read_series(
    instances: Mapping[str, Instance], samples: Mapping[str, Sequence[Sample]], began: datetime | None
) -> list[RemoteSeries]:
    """One series per chart that has points; samples without a value are gaps. `began`: the start of the load."""
    found = []
    for counter, row in instances.items():
        chart = CHARTS[counter]
        points = [
            (_seconds(sample, began), round(sample.computedValue * chart.factor, 6))
            for sample in samples.get(row.counterInstanceId, ())
            if sample.computedValue is not None
        ]
        if points:
            found.append(RemoteSeries(name=chart.name, label=chart.label, unit=chart.unit, points=points))
    return found


def _seconds(sample: Sample, began: datetime | None) -> float:
    if began and sample.intervalEndDate:
        return max((sample.intervalEndDate - began).total_seconds(), 0.0)
    return float(((sample.intervalNumber or 0) + 1) * SAMPLING_S)


class Percentile(Row):
    percentile: Whole = None
    percentileValue: Number = None


class Overall(Row):
    """One row of the result summary: overall, or of one page, request or transaction."""

    scenarioName: Name = ""
    pageUrl: Url = ""
    requestUrl: Url = ""
    transactionName: Url = ""
    totalTests: Whole = None
    failedTests: Whole = None
    totalPages: Whole = None
    averagePageTime: Number = None
    totalRequests: Whole = None
    passedRequests: Whole = None
    failedRequests: Whole = None
    requestsPerSec: Number = None
    averageResponseTime: Number = None
    totalTransactions: Whole = None
    averageTransactionTime: Number = None
    percentileData: Annotated[list[Percentile], BeforeValidator(mappings_of)] = Field(default_factory=list)

    def times(self, average: float | None) -> dict[str, float | None]:
        told = {f"p{row.percentile}_ms": _ms(row.percentileValue) for row in self.percentileData}
        named = {"p50_ms": "median_ms", "p90_ms": "p90_ms", "p95_ms": "p95_ms", "p99_ms": "p99_ms"}
        return {"avg_ms": _ms(average)} | {named[key]: value for key, value in told.items() if key in named}

    def requests(self) -> dict[str, float | None]:
        failed = self.failedRequests or 0
        return {
            "count": self.totalRequests,
            "failed": failed if self.totalRequests else None,
            "error_rate": failed / self.totalRequests if self.totalRequests else None,
            "rate_per_s": self.requestsPerSec,
            **self.times(self.averageResponseTime),
        }


def summary_metrics(data: Any) -> list[RemoteMetric]:
    """The rows "request", "transaction" and "page" of the result summary: its slowest ones are all it tells."""
    if not isinstance(data, Mapping):
        return []
    found = []
    for member, kind, name, numbers in _SUMMARY:
        for item in mappings_of(data.get(member)):
            row = Overall.model_validate(item)
            if getattr(row, name):
                found.append(RemoteMetric(kind=kind, name=getattr(row, name), numbers=_known(**numbers(row))))
    return found


_SUMMARY = (
    ("topSlowRequests", "request", "requestUrl", Overall.requests),
    (
        "topSlowTransactions",
        "transaction",
        "transactionName",
        lambda row: {
            "count": row.totalTransactions,
            **row.times(row.averageTransactionTime or row.averageResponseTime),
        },
    ),
    ("topSlowPages", "page", "pageUrl", lambda row: {"count": row.totalPages, **row.times(row.averagePageTime)}),
)


def run_metric(summary: Any, charts: Mapping[str, Instance]) -> list[RemoteMetric]:
    """The "run" row: totals and percentiles of the summary, the rest from the counters; none when nothing is known."""
    overall = mapping_of(summary.get("overallRequestSummary")) if isinstance(summary, Mapping) else {}
    counted = {name: row.summaryData for name, row in charts.items()}
    numbers: dict[str, float] = {}
    if "requests/sec" in counted:
        rate = counted["requests/sec"]
        numbers |= _known(rate_per_s=rate.average, peak_rate_per_s=rate.max)
    if "avg. response time" in counted:
        times = counted["avg. response time"]
        numbers |= _known(min_ms=_ms(times.min), avg_ms=_ms(times.average), max_ms=_ms(times.max))
    if "user load" in counted:
        numbers |= _known(max_vus=counted["user load"].max)
    numbers |= _known(**Overall.model_validate(overall).requests())
    return [RemoteMetric(kind="run", name="", numbers=numbers)] if numbers else []
