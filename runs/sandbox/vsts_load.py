"""How the load of a VSTS run went, interval by interval of 15 s. All its numbers begin here: counters, totals, errors.

Only intervals that have ended count, as in the service itself; of a load shorter than one interval, that one does.
`fit` chooses the figures for a profile of errors.
"""

from functools import lru_cache
from math import ceil, exp
from random import Random
from typing import Any, NamedTuple

from .clock import SECOND
from .dice import dice
from .models import Run

SECONDS = 15  # of an interval
_REQUESTS = 0.8  # of one virtual user in a second
_NOISES = 1009
_NOISE = tuple(dice("vsts noise").random() for _ in range(_NOISES))


class Interval(NamedTuple):
    """users: on average; requests and errors: per second; time: of a request, in seconds; trouble: from 0 to 1."""

    users: int
    requests: float
    errors: float
    time: float
    trouble: float


class Past(NamedTuple):
    """What a run has had so far: its intervals, and the whole numbers of requests and of those that failed."""

    intervals: list[Interval]
    requests: int
    failed: int

    @property
    def seconds(self) -> int:
        return len(self.intervals) * SECONDS

    @property
    def mean_time(self) -> float:
        """Of a request, in seconds, rounded as the service shows it."""
        whole = sum(row.requests for row in self.intervals)
        return round(sum(row.time * row.requests for row in self.intervals) / whole, 4) if whole else 0.0


def interval_length(run: Run) -> int:
    """On the clock, in microseconds."""
    return int(SECONDS * SECOND / run.made["scale"])


def past(run: Run, now: int) -> Past:
    start = run.date("load_started", now)
    if start is None:
        return Past([], 0, 0)
    over = run.date("load_ended", now)
    count = (min(now, over or now) - start) // interval_length(run)
    return _past(run.made["duration"], run.made["virtual_users"], max(count, int(over is not None)), *_figures(run))


def _figures(run: Run) -> tuple[Any, ...]:
    return tuple(run.made["figures"][name] for name in ("seed", "at", "time", "slow", "failing"))


@lru_cache(maxsize=256)
def _past(
    duration: int, users: int, count: int, seed: int, at: int | None, time: float, slow: float, failing: float
) -> Past:
    rows = []
    for rise, ripple, pace, trouble, share in _course(duration, count, seed, at):
        requests = round(users * rise * ripple * _REQUESTS, 4)
        errors = round(requests * min(1.0, failing * share), 4)
        spent = round(time * pace * (1 + slow * trouble), 4)
        rows.append(Interval(round(users * rise), requests, errors, spent, trouble))
    requests, failed = (int(sum(row[member] for row in rows) * SECONDS) for member in (1, 2))
    return Past(rows, requests, failed)


def _course(duration: int, count: int, seed: int, at: int | None) -> list[tuple[float, float, float, float, float]]:
    """Per interval: the share of the planned users, ripples of load and pace, trouble or not, how many requests fail.

    The users come within the first tenth of the plan and stay. at: the interval from which there is trouble, a burst
    of failures that ebbs but does not end. None: only stray failures.
    """
    ramp = max(1.0, ceil(duration / SECONDS) * 0.1)
    found = []
    for n in range(count):
        first, second, third = (
            _NOISE[(seed + n) % _NOISES],
            _NOISE[(seed + n + 337) % _NOISES],
            _NOISE[(seed + n + 673) % _NOISES],
        )
        trouble, failing = 0.0, third**6
        if at is not None:
            trouble = float(n >= at)
            failing = (0.8 + 0.8 * exp((at - n) / 4)) * (0.85 + 0.3 * third) * trouble
        found.append((min(1.0, (n + 1) / ramp), 0.95 + 0.1 * first, 0.94 + 0.12 * second, trouble, failing))
    return found


def fit(rng: Random, errors: str, duration: int, lived: float) -> dict[str, Any]:
    """The figures of a run with this profile of errors (see vsts_errors.py) once it has lived this share of its plan.

    limit: what its requests may take, in seconds; the critical ones take longer than that from some interval on.
    """
    seed, time = rng.randrange(_NOISES), rng.uniform(0.06, 0.9)
    limit = ceil(time * 13.5) / 10
    count = max(1, int(duration * lived / SECONDS))
    at, slow = None, 0.0
    if errors == "critical":
        at, slow = int(count * rng.uniform(0.3, 0.65)), limit / time * rng.uniform(1.2, 1.6) - 1
    failed = {
        "none": 0.0,
        "some": rng.uniform(0.001, 0.0045),
        "many": rng.uniform(0.003, 0.0045),
        "critical": rng.uniform(0.012, 0.11),
    }[errors]
    failing = failed / _failing(duration, count, seed, at) if failed else 0.0
    return {"seed": seed, "at": at, "time": time, "slow": slow, "limit": limit, "failing": failing}


def _failing(duration: int, count: int, seed: int, at: int | None) -> float:
    """The share of the requests that fail in this course where `failing` is 1."""
    course = _course(duration, count, seed, at)
    requests = sum(rise * ripple for rise, ripple, *_ in course)
    return sum(rise * ripple * failing for rise, ripple, _, _, failing in course) / requests
