"""/test-runs/{id}/metric-…: namespaces, definitions, values of dimensions, and the series themselves."""

from itertools import product
from typing import Any

from .azure_app import bad, error, routes, run_or_refuse
from .azure_load import KINDS, TIMES, counts, mean_time, seconds, users
from .clock import SECOND, iso_seven, parse_instant
from .models import Run
from .store import Store
from .wire import Reply, Request

_RUN = "/test-runs/(?P<run_id>[^/:]+)"
_LOAD, _ENGINES = "LoadTestRunMetrics", "EngineHealthMetrics"
_INTERVALS = {"PT5S": 5, "PT10S": 10, "PT1M": 60, "PT5M": 300, "PT1H": 3600}
_REQUESTS, _REGIONS, _ERRORS = "RequestName", "EngineRegion", "Errors"
_TIMES = {"Average": 1.0, "Percentile90": TIMES["p90"], "Percentile95": TIMES["p95"], "Percentile99": TIMES["p99"]}
# By namespace: name → (unit, aggregations, the primary one, dimensions).
_METRICS = {
    _LOAD: {
        "VirtualUsers": ("Count", ("Total",), "Total", (_REGIONS,)),
        "ResponseTime": ("Milliseconds", tuple(_TIMES), "Percentile90", (_REQUESTS, _REGIONS)),
        "TotalRequests": ("Count", ("Total",), "Total", (_REQUESTS, _REGIONS)),
        "Errors": ("Count", ("Total",), "Total", (_REQUESTS, _REGIONS, _ERRORS)),
    },
    _ENGINES: {
        "CPU": ("Percent", ("Average",), "Average", ()),
        "Memory": ("Percent", ("Average",), "Average", ()),
    },
}


@routes.route("GET", _RUN + "/metric-namespaces")
def list_namespaces(store: Store, request: Request, run_id: str) -> Reply:
    run_or_refuse(store, run_id)
    texts = {_LOAD: "Metrics of the load", _ENGINES: "Health of the engines"}
    return Reply(200, {"value": [{"name": name, "description": text} for name, text in texts.items()]})


@routes.route("GET", _RUN + "/metric-definitions")
def list_definitions(store: Store, request: Request, run_id: str) -> Reply:
    run_or_refuse(store, run_id)
    rows = []
    for name, (unit, kinds, primary, dimensions) in _METRICS[_namespace(request)].items():
        rows.append(
            {
                "name": name,
                "namespace": _namespace(request),
                "description": name,
                "unit": unit,
                "primaryAggregationType": primary,
                "supportedAggregationTypes": list(kinds),
                "dimensions": [{"name": key, "description": key} for key in dimensions],
                "metricAvailabilities": [{"timeGrain": grain} for grain in _INTERVALS],
            }
        )
    return Reply(200, {"value": rows})


@routes.route("GET", _RUN + "/metric-dimensions/(?P<dimension>[^/]+)/values")
def list_values(store: Store, request: Request, run_id: str, dimension: str) -> Reply:
    run = run_or_refuse(store, run_id)
    _span(request)
    if dimension not in _metric(request)[3]:
        raise bad(f"The metric has no dimension {dimension}.")
    at = seconds(run, store.clock.now())
    return Reply(200, {"value": _values(run, dimension, at) if at else []})


def _values(run: Run, dimension: str, at: float) -> list[str]:
    """What a dimension can be; of the errors only those there were."""
    if dimension == _REQUESTS:
        return list(run.made["names"])
    if dimension == _REGIONS:
        return [region for region, _ in run.made["regions"]]
    rows = counts(run, at)
    return [kind for n, kind in enumerate(KINDS) if any(bad[n] for regions in rows for _, bad in regions)]


@routes.route("POST", _RUN + "/metrics")
def read_metrics(store: Store, request: Request, run_id: str) -> Reply:
    """One series for each set of values that was asked for; one for all where nothing was."""
    run = run_or_refuse(store, run_id)
    name, (_, kinds, primary, dimensions) = request.arg("metricname") or "", _metric(request)
    first, last = _span(request)
    step = _interval(request, run, store.clock.now())
    aggregation = request.arg("aggregation") or primary
    if aggregation not in kinds:
        raise bad(f"The aggregation of {name} is one of {', '.join(kinds)}.")
    now = store.clock.now()
    edges = _edges(run, now, max(first, 0), min(last, now), step)
    if not edges:
        return Reply(200, {"value": [{"data": []}]})
    chosen = _filters(request, dimensions)
    rows = []
    for values in product(*chosen.values()):
        picked = dict(zip(chosen, values, strict=True))
        rows.append(
            {
                "data": _data(run, name, aggregation, picked, edges),
                "dimensionValues": [{"name": key, "value": value} for key, value in picked.items()],
            }
        )
    return Reply(200, {"value": rows})


def _namespace(request: Request) -> str:
    name = request.arg("metricNamespace") or ""
    if name not in _METRICS:
        raise bad(f"metricNamespace is one of {', '.join(_METRICS)}.")
    return name


def _metric(request: Request) -> tuple[str, tuple[str, ...], str, tuple[str, ...]]:
    known = _METRICS[_namespace(request)]
    name = request.arg("metricname") or ""
    if name not in known:
        raise error(400, "MetricNotFound", f"metricname is one of {', '.join(known)}.")
    return known[name]


def _span(request: Request) -> tuple[int, int]:
    first, _, last = (request.arg("timespan") or "").partition("/")
    begin, end = parse_instant(first), parse_instant(last)
    if begin is None or end is None or begin > end:
        raise bad("timespan is two dates with a slash between.")
    return begin, end


def _interval(request: Request, run: Run, now: int) -> int:
    """In microseconds. Ten seconds are for runs of less than ten minutes."""
    text = request.arg("interval") or "PT1M"
    if text not in _INTERVALS:
        raise bad(f"interval is one of {', '.join(_INTERVALS)}.")
    if text == "PT10S" and seconds(run, now) >= 600:
        raise bad("The interval PT10S is for test runs shorter than 10 minutes.")
    return _INTERVALS[text] * SECOND


def _filters(request: Request, dimensions: tuple[str, ...]) -> dict[str, list[str]]:
    """By dimension the values asked for."""
    chosen = {}
    for row in request.json().get("filters") or []:
        name, values = (row.get("name"), row.get("values")) if isinstance(row, dict) else (None, None)
        if name not in dimensions or not isinstance(values, list) or not 0 < len(values) <= 20:
            raise bad(f"A filter has the name of a dimension ({', '.join(dimensions)}) and 1 to 20 values.")
        chosen[name] = [str(value) for value in values]
    return chosen


def _edges(run: Run, now: int, first: int, last: int, step: int) -> list[tuple[int, float, float]]:
    """(beginning, from, to) of the intervals: on the clock, and in seconds of the load.

    Only those that are over; the last one may be cut short by the end of the load.
    """
    start = run.date("load_started", now)
    if start is None:
        return []
    over = run.date("load_ended", now)
    end = now if over is None else over
    found = []
    begin = start - start % step
    while begin < end and (over is not None or begin + step <= now):
        if first < begin + step and begin <= last:
            found.append((begin, max(0, begin - start) / SECOND, (min(end, begin + step) - start) / SECOND))
        begin += step
    return found


def _data(
    run: Run, name: str, aggregation: str, picked: dict[str, str], edges: list[tuple[int, float, float]]
) -> list[dict[str, Any]]:
    rows = []
    for begin, since, until in edges:
        value = _value(run, name, aggregation, picked, since, until)
        if value is not None:
            rows.append({"timestamp": iso_seven(begin), "value": value})
    return rows


def _value(run: Run, name: str, aggregation: str, picked: dict[str, str], since: float, until: float) -> float | None:
    names, regions = run.made["names"], [region for region, _ in run.made["regions"]]
    here = [n for n, row in enumerate(names) if picked.get(_REQUESTS, row) == row]
    there = [n for n, row in enumerate(regions) if picked.get(_REGIONS, row) == row]
    if not here or not there:
        return None
    if name == "VirtualUsers":
        return float(round(users(run, until) * sum(run.made["regions"][n][1] for n in there)))
    if name in ("CPU", "Memory"):
        return round(20 + users(run, until) / 10 % 60, 2)
    before, after = counts(run, since), counts(run, until)
    sent = {row: sum(after[row][n][0] - before[row][n][0] for n in there) for row in here}
    if name == "TotalRequests":
        return float(sum(sent.values()))
    if name == "Errors":
        kinds = [n for n, kind in enumerate(KINDS) if picked.get(_ERRORS, kind) == kind]
        return float(sum(after[r][n][1][k] - before[r][n][1][k] for r in here for n in there for k in kinds))
    whole = sum(sent.values())
    if not whole:
        return None
    time = sum(mean_time(run, since, until, row) * count for row, count in sent.items()) / whole
    return round(time * _TIMES[aggregation], 2)
