"""The series behind v5's metrics: which labels each metric of a run has, and what a method makes of them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .k6_numbers import Load, checks, load_of, shape, urls
from .k6_query import BadQuery, Labels, Query
from .models import Run

TYPES = {
    "http_reqs": "counter",
    "http_req_duration": "trend",
    "http_req_failed": "rate",
    "checks": "rate",
    "vus": "gauge",
    "vus_max": "gauge",
    "iterations": "counter",
    "iteration_duration": "trend",
    "data_received": "counter",
    "data_sent": "counter",
    "http_req_waiting": "trend",
    "http_req_blocked": "trend",
    "http_req_connecting": "trend",
    "http_req_sending": "trend",
    "http_req_receiving": "trend",
    "http_req_tls_handshaking": "trend",
    "load_generator_cpu_percent": "gauge",
    "load_generator_memory_percent": "gauge",
}
# What part of a request's time, or how many bytes of it, a metric stands for.
_SHARE = {"http_req_waiting": 0.9, "http_req_blocked": 0.02, "http_req_connecting": 0.01, "http_req_sending": 0.01}
_SHARE |= {"http_req_receiving": 0.05, "http_req_tls_handshaking": 0.01, "iteration_duration": 4.0}
_PER_REQUEST = {"http_reqs": 1.0, "iterations": 0.25, "data_received": 2400.0, "data_sent": 310.0}


@dataclass(frozen=True)
class Series:
    """One set of labels with its figures over the whole load: `total` of things, `nonzero` of them; `mean` in ms."""

    labels: Labels
    total: float
    nonzero: float = 0.0
    mean: float = 0.0


def series(run: Run, metric: str, now: int) -> list[Series]:
    """Empty for an unknown metric and for a run without load."""
    if metric not in TYPES or load_of(run, now) is None:
        return []
    own = {"__name__": metric, "test_run_id": run.id, "load_zone": "amazon:de:frankfurt"}
    if TYPES[metric] == "gauge":
        level = run.made["vus"] if metric.startswith("vus") else 40.0
        share = 2 if metric.startswith("vus") else 1
        return [Series(own | {"instance_id": str(n)}, level / share) for n in range(2)]
    own |= {"scenario": "default", "group": ""}
    if metric == "checks":
        return [Series(own | {"check": row["name"]}, row["total"], row["success"]) for row in checks(run, now)]
    found = []
    for row in urls(run, now):
        labels = own | {
            "name": row.url,
            "url": row.url,
            "method": row.method,
            "status": str(row.status),
            "proto": "HTTP/2.0",
            "expected_response": str(row.ok).lower(),
        }
        if row.error_code:
            labels["error_code"] = str(row.error_code)
        nonzero = 0 if row.ok else row.count
        found.append(
            Series(labels, row.count * _PER_REQUEST.get(metric, 1.0), nonzero, row.mean * _SHARE.get(metric, 1.0))
        )
    return found


Figure = Callable[[list[Series], float, float], float]


def _total(rows: list[Series]) -> float:
    return sum(row.total for row in rows)


def _nonzero(rows: list[Series]) -> float:
    return sum(row.nonzero for row in rows)


def _zero(rows: list[Series]) -> float:
    return _total(rows) - _nonzero(rows)


def _mean(rows: list[Series]) -> float:
    return sum(row.mean * row.total for row in rows) / max(1.0, _total(rows))


def _ratio(rows: list[Series]) -> float:
    return _nonzero(rows) / max(1.0, _total(rows))


def _counted(count: Callable[[list[Series]], float]) -> dict[str, Figure]:
    """`increase`, `rate` and `value` of something that is counted. Arguments: rows, seconds, share of the load."""
    return {
        "increase": lambda rows, seconds, part: count(rows) * part,
        "rate": lambda rows, seconds, part: count(rows) * part / max(seconds, 0.001),
        "value": lambda rows, seconds, part: count(rows) * part,
    }


def _times(factor: float) -> Figure:
    return lambda rows, seconds, part: _mean(rows) * factor


_PERCENTILES = {"p90": 1.8, "p95": 2.2, "p99": 3.7}

# What each type's methods make of the rows of a group.
METHODS: dict[str, dict[str, Figure]] = {
    "counter": {
        **_counted(_total),
        "cumrate": _counted(_total)["rate"],
        "count": _counted(_total)["increase"],
        "max_rate": lambda rows, seconds, part: _counted(_total)["rate"](rows, seconds, part) * 1.31,
    },
    "gauge": {name: lambda rows, seconds, part: _total(rows) / len(rows) for name in ("last", "min", "max", "avg")},
    "rate": {
        **{f"{name}_total": figure for name, figure in _counted(_total).items()},
        **{f"{name}_nz": figure for name, figure in _counted(_nonzero).items()},
        **{f"{name}_z": figure for name, figure in _counted(_zero).items()},
        "ratio": lambda rows, seconds, part: _ratio(rows),
        "count": _counted(_total)["increase"],
        "passes": _counted(_nonzero)["increase"],
        "rate": lambda rows, seconds, part: _ratio(rows),
    },
    "trend": {
        "histogram_max": _times(6.4),
        "histogram_min": _times(0.31),
        "histogram_avg": _times(1.0),
        "histogram_stddev": _times(0.58),
        "histogram_count_increase": _counted(_total)["increase"],
        "histogram_count_value": _counted(_total)["value"],
        "avg": _times(1.0),
        "min": _times(0.31),
        "max": _times(6.4),
        **{name: _times(factor) for name, factor in _PERCENTILES.items()},
    },
}


def figure_of(asked: Query, metric_type: str) -> Figure:
    """Raises BadQuery where the type has no such method."""
    if metric_type == "trend" and asked.method == "histogram_quantile":
        if asked.number is None or not 0 < asked.number < 1:
            raise BadQuery(asked.method)
        return _times(_quantile(asked.number))
    found = METHODS[metric_type].get(asked.method)
    if found is None:
        raise BadQuery(asked.method)
    return found


def _quantile(q: float) -> float:
    """The factor on the mean: through 0.83 at the median, 2.2 at 0.95 and 3.7 at 0.99."""
    points = ((0.0, 0.31), (0.5, 0.83), (0.9, 1.8), (0.95, 2.2), (0.99, 3.7), (1.0, 6.4))
    for (low, at_low), (high, at_high) in pairwise(points):
        if q <= high:
            return at_low + (at_high - at_low) * (q - low) / (high - low)
    return points[-1][1]


def grouped(rows: list[Series], by: tuple[str, ...]) -> dict[tuple[str, ...], list[Series]]:
    groups: dict[tuple[str, ...], list[Series]] = {}
    for row in rows:
        groups.setdefault(tuple(row.labels.get(name, "") for name in by), []).append(row)
    return groups


def evaluate(
    rows: list[Series], asked: Query, figure: Figure, seconds: float, part: float
) -> list[tuple[Labels, float]]:
    """The answer of a query over one stretch: one value per group, or, aggregated, per outer group."""
    inner = [
        (dict(zip(asked.by, key, strict=True)), figure(group, seconds, part))
        for key, group in grouped(rows, asked.by).items()
    ]
    if not asked.agg:
        return inner
    outer: dict[tuple[str, ...], list[float]] = {}
    for labels, value in inner:
        outer.setdefault(tuple(labels.get(name, "") for name in asked.outer), []).append(value)
    combine: dict[str, Any] = {"min": min, "max": max, "sum": sum, "avg": lambda values: sum(values) / len(values)}
    return [(dict(zip(asked.outer, key, strict=True)), combine[asked.agg](values)) for key, values in outer.items()]


def level(load: Load, when: int, metric_type: str) -> float:
    """What a moment makes of a figure over the whole load: times and ratios ripple, counts and gauges follow it."""
    part = shape(load, when)
    return part if metric_type in ("counter", "gauge") else 0.85 + 0.15 * part
