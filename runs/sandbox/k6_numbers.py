"""The numbers of a k6 run: requests by URL and status, checks, times. They follow from its load and the time."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from .dice import dice
from .k6_load import CHECKS, SPREAD, Sums, course, full_rate, load_of, share_at, sums
from .k6_view import tainted
from .models import Run

_PATHS = ("/", "/session", "/items?page=2", "/cart", "/cart/confirm", "/static/app.js")
_METHODS = ("GET", "POST", "GET", "POST", "POST", "GET")
_FAILURES = ((503, 1503), (500, 1500), (404, 1404), (0, 1050))


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
    named = {name: round(mean * SPREAD[name], 3) for name in ("min", "max", "p95", "p99", "stdev")}
    return {"count": count, "mean": round(mean, 3), **named}


def urls(run: Run, now: int) -> list[UrlNumbers]:
    load = load_of(run, now)
    return [] if load is None else _urls(run.id, sums(run, load.end))


@lru_cache(maxsize=256)
def _urls(run_id: str, total: Sums) -> list[UrlNumbers]:
    good, bad = _places(run_id)
    return _rows(run_id, good, int(total.ok), total.ok_mean) + _rows(run_id, bad, int(total.failed), total.failed_mean)


@dataclass(frozen=True)
class _Place:
    """A URL that answers in one way. weight: its part of such answers; pace: its time against the others'."""

    path: str
    method: str
    status: int
    code: int
    weight: float
    pace: float


@lru_cache(maxsize=256)
def _places(run_id: str) -> tuple[list[_Place], list[_Place]]:
    """Where requests are answered well, and where they fail: a few places, or, in some runs, more than thirty."""
    rng = dice("urls", run_id)
    pages = list(zip(_PATHS, _METHODS, strict=True))
    good = [_Place(*page, 200, 0, rng.uniform(0.4, 1.6), 0.5 + n * 0.2) for n, page in enumerate(pages)]
    if int(run_id) % 13 == 0:
        failing = [(f"/product/{n}", "GET", *_FAILURES[n % 3]) for n in range(34)]
    else:
        every = [(*page, *failure) for page in pages[1:5] for failure in _FAILURES]
        failing = rng.sample(every, rng.randint(2, 5))
    steep = rng.uniform(0.6, 1.3)
    bad = [_Place(*place, (n + 1) ** -steep, rng.uniform(0.4, 2)) for n, place in enumerate(failing)]
    return good, bad


def _rows(run_id: str, places: list[_Place], total: int, mean: float) -> list[UrlNumbers]:
    """The places' shares of this many answers: whole numbers that add up to it, and means that come to this mean."""
    whole = sum(place.weight for place in places)
    upto = [round(total * past / whole) for past in accumulate((place.weight for place in places), initial=0.0)]
    counts = [after - before for before, after in pairwise(upto)]
    pace = sum(count * place.pace for count, place in zip(counts, places, strict=True)) / total if total else 1.0
    rows = []
    for count, place in zip(counts, places, strict=True):
        url = f"https://shop.example{place.path}"
        key = hex_id(run_id, "url", url, place.method, place.status)
        time = round(mean * place.pace / pace, 3)
        rows.append(UrlNumbers(key, url, place.method, place.status, place.code, count, time))
    return [row for row in rows if row.count]


def checks(run: Run, now: int) -> list[dict[str, Any]]:
    """Each check with its successes and total."""
    rows = urls(run, now)
    total, bad = sum(row.count for row in rows), sum(row.count for row in rows if not row.ok)
    found = []
    for name, every, fails in CHECKS if total else ():
        hits, failed = total // every, bad // every if fails else 0
        found.append({"id": hex_id(run.id, "check", name), "name": name, "success": hits - failed, "total": hits})
    return found


def errors(run: Run, now: int) -> dict[str, int]:
    """Occurrences: failed requests, failed checks, crossed thresholds. Kinds without any are left out."""
    found = {
        "HTTP": sum(row.count for row in urls(run, now) if not row.ok),
        "Check": sum(row["total"] - row["success"] for row in checks(run, now)),
        "Threshold": sum(tainted(row, now) for row in run.made["thresholds"]),
    }
    return {kind: count for kind, count in found.items() if count}


def overall_trend(rows: list[UrlNumbers]) -> dict[str, float]:
    """The figures of all requests together; the quickest and the slowest are those of the rows."""
    count = sum(row.count for row in rows)
    if not count:
        return trend(0, 0.0)
    figures = trend(count, sum(row.mean * row.count for row in rows) / count)
    return figures | {"min": min(row.trend["min"] for row in rows), "max": max(row.trend["max"] for row in rows)}


def failed_share(rows: list[UrlNumbers]) -> float:
    return sum(row.count for row in rows if not row.ok) / max(1, sum(row.count for row in rows))


def calculated(run: Run, threshold: dict[str, Any], now: int) -> float:
    """The threshold's value so far, out of the very figures the other answers show; 0 without load."""
    rows, metric = urls(run, now), threshold["name"].partition(":")[0]
    if metric == "http_req_duration":
        return overall_trend(rows)["p95"]
    if metric == "http_req_failed":
        return round(failed_share(rows), 6)
    if metric == "checks":
        held = checks(run, now)
        return round(sum(row["success"] for row in held) / max(1, sum(row["total"] for row in held)), 6)
    return sum(row.count for row in rows)


def summary(run: Run, now: int) -> dict[str, Any] | None:
    """The metrics_summary of v5; None before there was load."""
    load, rows = load_of(run, now), urls(run, now)
    if load is None or not rows:
        return None
    total = sum(row.count for row in rows)
    held, duration = checks(run, now), overall_trend(rows)
    return {
        "http_metric_summary": {
            "requests_count": total,
            "failures_count": sum(row.count for row in rows if not row.ok),
            "rps_mean": round(total / load.seconds, 3),
            "rps_max": round(course(run).peak(share_at(run, load.end)) * full_rate(run), 3),
            "duration": duration,
            "duration_median": round(duration["mean"] * SPREAD["median"], 3),
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
