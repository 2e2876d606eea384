"""Azure Load Testing: a run's metrics over time, read into charts.

Shapes: "List Metric Definitions" and "List Metrics" of the data plane's REST API reference. Which metrics there are,
how they may be summed up and in which steps is read from the definitions: it has changed between versions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .answers import clean_text, number_of, parse_time
from .azure_api import AzureApi, time_text, unexpected
from .base import RemoteRun, RemoteSeries
from .rows import mapping_of, mappings_of

# Steps in seconds, finest first. The short ones hold for runs of less than ten minutes.
STEPS = {"PT5S": 5, "PT10S": 10, "PT1M": 60, "PT5M": 300, "PT1H": 3600}
USUAL = "PT1M"
SHORT_RUN = timedelta(minutes=10)
POINTS = 240  # of one chart; more is more than a screen can show


@dataclass(frozen=True, slots=True)
class Chart:
    name: str
    label: str
    unit: str
    aggregation: str = ""  # "" takes the metric's own
    per_second: bool = False  # the service counts in each step


CHARTS = {
    "responsetime": Chart("p95_ms", "Response time p95", "ms", "Percentile95"),
    "totalrequests": Chart("rate_per_s", "Requests", "1/s", per_second=True),
    "errors": Chart("errors_per_s", "Failed requests", "1/s", per_second=True),
    "virtualusers": Chart("vus", "Virtual users", ""),
}
# Where response times cannot be had as p95, they are the service's own choice, which is p90.
P90 = Chart("p90_ms", "Response time p90", "ms")


@dataclass(frozen=True, slots=True)
class Definition:
    name: str
    aggregations: Sequence[str]
    steps: Sequence[str]


def read_definitions(data: Any) -> list[Definition]:
    if not isinstance(data, Mapping) or not isinstance(data.get("value"), list):
        raise unexpected("metric definitions")
    found = []
    for item in mappings_of(data):
        # The name is a text, or an object that holds one beside its translation.
        name = clean_text(mapping_of(item.get("name")).get("value") or item.get("name"), 100)
        told = item.get("supportedAggregationTypes")
        steps = [clean_text(step.get("timeGrain"), 20) for step in mappings_of(item.get("metricAvailabilities"))]
        aggregations = [clean_text(word, 40) for word in told] if isinstance(told, list) else []
        if name:
            found.append(Definition(name, aggregations, steps))
    return found


def read_charts(api: AzureApi, run: RemoteRun, now: datetime) -> list[RemoteSeries]:
    """The run's charts in seconds since its load began; those without a point are left out."""
    begin = run.load_started_at or run.started_at
    if begin is None:
        return []
    end = max(run.load_ended_at or run.ended_at or now, begin + timedelta(seconds=1))
    series = []
    for definition in read_definitions(api.metric_definitions(run.external_id)):
        chart = CHARTS.get(re.sub(r"[^a-z]", "", definition.name.lower()))
        if chart is None:
            continue
        if chart.aggregation and chart.aggregation not in definition.aggregations:
            chart = P90
        step = step_for(end - begin, definition.steps)
        told = api.metrics(
            run.external_id, definition.name, timespan=f"{time_text(begin)}/{time_text(end)}", interval=step,
            aggregation=chart.aggregation,
        )  # fmt: skip
        points = read_points(told, begin, STEPS[step] if chart.per_second else 1)
        if points:
            series.append(RemoteSeries(name=chart.name, label=chart.label, unit=chart.unit, points=points))
    return series


def step_for(span: timedelta, offered: Sequence[str] = ()) -> str:
    """The finest step that the service takes for so long a run, and of which a chart can show every point."""
    known = [step for step in STEPS if step in offered] or list(STEPS)
    fitting = [
        step
        for step in known
        if span.total_seconds() / STEPS[step] <= POINTS and (STEPS[step] >= STEPS[USUAL] or span < SHORT_RUN)
    ]
    return fitting[0] if fitting else known[-1]


def read_points(data: Any, begin: datetime, seconds: float) -> list[tuple[float, float]]:
    """The first line with any point, in order; each value divided by `seconds`."""
    for line in mappings_of(data):
        points = {}
        for item in mappings_of(line.get("data")):
            time, value = parse_time(item.get("timestamp")), number_of(item.get("value"))
            if time is not None and value is not None:
                points[round((time - begin).total_seconds(), 3)] = value / seconds
        if points:
            return sorted(points.items())
    return []
