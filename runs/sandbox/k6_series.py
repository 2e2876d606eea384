"""The series behind v5's metrics: which labels each metric of a run has, and what a method makes of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from .k6_load import SLICES, SPREAD, course, load_of, shape, share_at
from .k6_numbers import checks, urls
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
    """One set of labels with its figures over the whole load.

    good and bad: things counted, of requests that were answered well and of those that failed; the _ms their times
    taken together. A gauge has its level in `good`. `bad_is_one`: whether it is the bad ones that a rate counts as 1.
    """

    labels: Labels
    good: float
    bad: float = 0.0
    good_ms: float = 0.0
    bad_ms: float = 0.0
    bad_is_one: bool = True


def series(run: Run, metric: str, now: int) -> list[Series]:
    """Empty for an unknown metric and for a run without load."""
    if metric not in TYPES or load_of(run, now) is None:
        return []
    own = {"__name__": metric, "test_run_id": run.id, "load_zone": "amazon:de:frankfurt"}
    if TYPES[metric] == "gauge":
        halves = (run.made["vus"] // 2, run.made["vus"] - run.made["vus"] // 2)
        levels = halves if metric.startswith("vus") else (40.0, 37.0)
        return [Series(own | {"instance_id": str(n)}, level) for n, level in enumerate(levels)]
    own |= {"scenario": "default", "group": ""}
    if metric == "checks":
        return [
            Series(own | {"check": row["name"]}, row["success"], row["total"] - row["success"], bad_is_one=False)
            for row in checks(run, now)
        ]
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
        count = row.count * _PER_REQUEST.get(metric, 1.0)
        ms = count * row.mean * _SHARE.get(metric, 1.0)
        found.append(Series(labels, count, 0.0, ms) if row.ok else Series(labels, 0.0, count, 0.0, ms))
    return found


class Part(NamedTuple):
    """A stretch of a run's load against the whole of it: how much of the good and the bad, and of their times.

    level: how much of the full load there is at its end. peak: the highest load up to there, against the mean.
    """

    seconds: float
    good: float = 1.0
    bad: float = 1.0
    good_ms: float = 1.0
    bad_ms: float = 1.0
    level: float = 1.0
    peak: float = 1.0


def parts(run: Run, now: int, moments: Sequence[int]) -> Iterator[Part]:
    """What lies between each two moments of the load, which is not empty."""
    went, planned = course(run), run.made["duration"]
    shares = [share_at(run, when) for when in moments]
    whole = went.upto(share_at(run, load_of(run, now).end))
    before = went.upto(shares[0])
    for past, share in pairwise(shares):
        upto, stretch = went.upto(share), (share - past) * planned
        had = [after - already for after, already in zip(upto, before, strict=True)]
        of_whole = [some / every if every else 0.0 for some, every in zip(had, whole, strict=True)]
        count = had[0] + had[1]
        peak = went.peak(share) * (share - past) * SLICES / count if count else 1.0
        yield Part(stretch, *of_whole, shape(share), peak)
        before = upto


class Group:
    """Series taken together."""

    def __init__(self, rows: list[Series]) -> None:
        self.size = len(rows)
        self.good, self.bad = sum(row.good for row in rows), sum(row.bad for row in rows)
        self.good_ms, self.bad_ms = sum(row.good_ms for row in rows), sum(row.bad_ms for row in rows)
        self.bad_is_one = rows[0].bad_is_one
        means = [(row.good_ms + row.bad_ms) / (row.good + row.bad) for row in rows if row.good + row.bad]
        self.quickest, self.slowest = min(means, default=0.0), max(means, default=0.0)


# None: there is nothing to make a figure of.
Figure = Callable[[Group, Part], float | None]


def _total(group: Group, part: Part) -> float:
    return group.good * part.good + group.bad * part.bad


def _ones(group: Group, part: Part) -> float:
    return group.bad * part.bad if group.bad_is_one else group.good * part.good


def _zeros(group: Group, part: Part) -> float:
    return _total(group, part) - _ones(group, part)


def _mean(group: Group, part: Part) -> float | None:
    total = _total(group, part)
    return (group.good_ms * part.good_ms + group.bad_ms * part.bad_ms) / total if total else None


def _ratio(group: Group, part: Part) -> float | None:
    total = _total(group, part)
    return _ones(group, part) / total if total else None


def _level(group: Group, part: Part) -> float:
    return round(group.good / group.size * part.level)


def _counted(count: Callable[[Group, Part], float]) -> dict[str, Figure]:
    """`increase`, `rate` and `value` of something that is counted."""
    return {
        "increase": count,
        "value": count,
        "rate": lambda group, part: count(group, part) / max(part.seconds, 0.001),
    }


def _times(factor: float) -> Figure:
    def figure(group: Group, part: Part) -> float | None:
        mean = _mean(group, part)
        return None if mean is None else mean * factor

    return figure


def _extreme(factor: float, mean_of: Callable[[Group], float]) -> Figure:
    """The quickest or slowest request: among those of the quickest or slowest series, as quick as its stretch was."""

    def figure(group: Group, part: Part) -> float | None:
        mean, whole = _mean(group, part), _mean(group, Part(part.seconds))
        return mean / whole * mean_of(group) * factor if mean is not None and whole else None

    return figure


_SLOWEST = _extreme(SPREAD["max"], lambda group: group.slowest)
_QUICKEST = _extreme(SPREAD["min"], lambda group: group.quickest)

# What each type's methods make of a group.
METHODS: dict[str, dict[str, Figure]] = {
    "counter": {
        **_counted(_total),
        "cumrate": _counted(_total)["rate"],
        "count": _total,
        "max_rate": lambda group, part: _total(group, part) / max(part.seconds, 0.001) * part.peak,
    },
    "gauge": dict.fromkeys(("last", "min", "max", "avg"), _level),
    "rate": {
        **{f"{name}_total": figure for name, figure in _counted(_total).items()},
        **{f"{name}_nz": figure for name, figure in _counted(_ones).items()},
        **{f"{name}_z": figure for name, figure in _counted(_zeros).items()},
        "ratio": _ratio,
        "count": _total,
        "passes": _ones,
        "rate": _ratio,
    },
    "trend": {
        "histogram_max": _SLOWEST,
        "histogram_min": _QUICKEST,
        "histogram_avg": _times(1.0),
        "histogram_stddev": _times(SPREAD["stdev"]),
        "histogram_count_increase": _total,
        "histogram_count_value": _total,
        "avg": _times(1.0),
        "min": _QUICKEST,
        "max": _SLOWEST,
        **{name: _times(SPREAD[name]) for name in ("p90", "p95", "p99")},
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
    """The factor on the mean, on the straight line between the percentiles of the usual spread."""
    marks = (0.0, 0.5, 0.9, 0.95, 0.99, 1.0)
    factors = [SPREAD[name] for name in ("min", "median", "p90", "p95", "p99", "max")]
    for (low, at_low), (high, at_high) in pairwise(zip(marks, factors, strict=True)):
        if q <= high:
            return at_low + (at_high - at_low) * (q - low) / (high - low)
    return factors[-1]


def grouped(rows: list[Series], by: tuple[str, ...]) -> list[tuple[Labels, Group]]:
    found: dict[tuple[str, ...], list[Series]] = {}
    for row in rows:
        found.setdefault(tuple(row.labels.get(name, "") for name in by), []).append(row)
    return [(dict(zip(by, key, strict=True)), Group(members)) for key, members in found.items()]


def evaluate(
    groups: list[tuple[Labels, Group]], asked: Query, figure: Figure, part: Part
) -> list[tuple[Labels, float]]:
    """The answer of a query over one stretch: one value per group that has any, or, aggregated, per outer group."""
    inner = [(labels, value) for labels, group in groups if (value := figure(group, part)) is not None]
    if not asked.agg:
        return inner
    outer: dict[tuple[str, ...], list[float]] = {}
    for labels, value in inner:
        outer.setdefault(tuple(labels.get(name, "") for name in asked.outer), []).append(value)
    combine: dict[str, Any] = {"min": min, "max": max, "sum": sum, "avg": lambda values: sum(values) / len(values)}
    return [(dict(zip(asked.outer, key, strict=True)), combine[asked.agg](values)) for key, values in outer.items()]
