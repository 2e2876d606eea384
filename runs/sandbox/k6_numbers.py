"""The numbers of a k6 run: requests by URL and status, checks, response times. All follow from the run and the time."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .clock import SECOND
from .dice import dice
from .k6_view import tainted
from .models import Run

_PATHS = ("/", "/session", "/items?page=2", "/cart", "/cart/confirm", "/static/app.js")
_METHODS = ("GET", "POST", "GET", "POST", "POST", "GET")
_FAILURES = ((503, 1503), (500, 1500), (404, 1404), (0, 1050))
_CHECKS = ("status is 200", "body holds a cart id", "p95 felt fast <b>", "größe passt")


@dataclass(frozen=True)
class Load:
    """The stretch of load a run has had so far. `seconds` is what it stands for: the clock's times the scale."""

    start: int
    end: int
    seconds: float


@dataclass(frozen=True)
class UrlNumbers:
    """One URL × method × status. Times are milliseconds."""

    id: str
    url: str
    method: str
    status: int
    error_code: int
    count: int
    mean: float

    @property
    def ok(self) -> bool:
        return self.error_code == 0

    @property
    def trend(self) -> dict[str, float]:
        return trend(self.count, self.mean)


def hex_id(*parts: object) -> str:
    return hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def trend(count: int, mean: float) -> dict[str, float]:
    """The usual figures of a response-time distribution around this mean."""
    return {
        "count": count,
        "min": round(mean * 0.31, 3),
        "mean": round(mean, 3),
        "max": round(mean * 6.4, 3),
        "p95": round(mean * 2.2, 3),
        "p99": round(mean * 3.7, 3),
        "stdev": round(mean * 0.58, 3),
    }


def load_of(run: Run, now: int) -> Load | None:
    """None for a run whose load has not begun, and for one that never had any."""
    start = run.date("started", now)
    if start is None:
        return None
    end = max(start, min(now, run.dates["ended"]))
    return Load(start, end, (end - start) / SECOND * run.made["scale"])


def urls(run: Run, now: int) -> list[UrlNumbers]:
    load = load_of(run, now)
    if load is None:
        return []
    return _urls(run.id, int(run.made["vus"] * load.seconds * 0.4), run.made["failure_share"], run.made["level"])


@lru_cache(maxsize=256)
def _urls(run_id: str, requests: int, failure_share: float, level: float) -> list[UrlNumbers]:
    rng = dice("urls", run_id)
    rows = []
    for index, (path, method) in enumerate(zip(_PATHS, _METHODS, strict=True)):
        count = int(requests * (1 - failure_share) / len(_PATHS))
        rows.append(_row(run_id, path, method, 200, 0, count, level * (0.5 + index * 0.2)))
    failed = int(requests * failure_share)
    places = _failing_places(run_id)
    for index, (path, method, status, code) in enumerate(places):
        part = failed // len(places) + (failed % len(places) if index == 0 else 0)
        rows.append(_row(run_id, path, method, status, code, part, level * rng.uniform(1, 3)))
    return [row for row in rows if row.count]


def _failing_places(run_id: str) -> list[tuple[str, str, int, int]]:
    """Where requests fail: a few places, or, in some runs, more than thirty."""
    if int(run_id) % 13 == 0:
        return [(f"/product/{n}", "GET", *_FAILURES[n % 3]) for n in range(34)]
    first = int(run_id) % len(_FAILURES)
    return [(_PATHS[3], "POST", *_FAILURES[first]), (_PATHS[4], "POST", *_FAILURES[(first + 1) % len(_FAILURES)])]


def _row(run_id: str, path: str, method: str, status: int, code: int, count: int, mean: float) -> UrlNumbers:
    url = f"https://shop.example{path}"
    return UrlNumbers(hex_id(run_id, "url", url, method, status), url, method, status, code, count, round(mean, 3))


def checks(run: Run, now: int) -> list[dict[str, Any]]:
    """Each check with its successes and total."""
    total = sum(row.count for row in urls(run, now))
    share = run.made["failure_share"]
    rows = []
    for index, name in enumerate(_CHECKS if total else ()):
        hits = total // (index + 1)
        failed = int(hits * share) if index in (0, 2) else 0
        rows.append({"id": hex_id(run.id, "check", name), "name": name, "success": hits - failed, "total": hits})
    return rows


def errors(run: Run, now: int) -> dict[str, int]:
    """Occurrences: failed requests, failed checks, crossed thresholds. Kinds without any are left out."""
    found = {
        "HTTP": sum(row.count for row in urls(run, now) if not row.ok),
        "Check": sum(row["total"] - row["success"] for row in checks(run, now)),
        "Threshold": sum(tainted(row, now) for row in run.made["thresholds"]),
    }
    return {kind: count for kind, count in found.items() if count}


def overall_trend(rows: list[UrlNumbers]) -> dict[str, float]:
    count = sum(row.count for row in rows)
    return trend(count, sum(row.mean * row.count for row in rows) / count if count else 0.0)


def summary(run: Run, now: int) -> dict[str, Any] | None:
    """The metrics_summary of v5; None before there was load."""
    load, rows = load_of(run, now), urls(run, now)
    if load is None or not rows:
        return None
    total = sum(row.count for row in rows)
    rps = total / load.seconds
    held, duration = checks(run, now), overall_trend(rows)
    return {
        "http_metric_summary": {
            "requests_count": total,
            "failures_count": sum(row.count for row in rows if not row.ok),
            "rps_mean": round(rps, 3),
            "rps_max": round(rps * 1.31, 3),
            "duration": duration,
            "duration_median": round(duration["mean"] * 0.83, 3),
        },
        "ws_metric_summary": None,
        "grpc_metric_summary": None,
        "checks_metric_summary": {
            "total": len(held),
            "successes": sum(row["success"] == row["total"] for row in held),
            "hits_total": sum(row["total"] for row in held),
            "hits_successes": sum(row["success"] for row in held),
        },
        "thresholds_summary": thresholds_summary(run, now),
        "browser_metric_summary": None,
    }


def thresholds_summary(run: Run, now: int) -> dict[str, int]:
    rows = run.made["thresholds"]
    return {"total": len(rows), "successes": sum(not tainted(row, now) for row in rows)}


def shape(load: Load, when: int) -> float:
    """How much of the full load there is at this moment: up within a tenth, level with some ripple, down at the end."""
    span = max(1, load.end - load.start)
    part = min(1.0, max(0.0, (when - load.start) / span))
    ripple = 1 + 0.04 * ((when // SECOND * 2654435761 % 1000) / 500 - 1)
    return max(0.05, min(1.0, part * 10, (1 - part) * 20)) * ripple
