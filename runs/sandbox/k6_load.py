"""How the load of a k6 run went: requests, those that failed, and how long they took. All its numbers begin here.

The planned time is cut into slices; within one slice everything is even. A moment is given as a share of the plan, so
a live run stands at full load and does not fade before its plan does. `fit` chooses the figures for an outcome.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import exp
from operator import add
from random import Random
from typing import Any, NamedTuple

from .clock import SECOND
from .dice import dice
from .models import Run

SLICES = 120  # of the plan
_REQUESTS = 0.4  # of one virtual user in a second
_SLOWER = 1.6  # how much longer a failed request takes
_MOST_STRAY = 0.04  # of a slice's requests fail without trouble: less than any limit of a script
_NOISES = 1009
_NOISE = tuple(dice("k6 noise").random() for _ in range(_NOISES)) * 2

# Percentiles and the like, as multiples of the mean: the same spread of response times everywhere.
SPREAD = {"min": 0.31, "median": 0.83, "p90": 1.8, "p95": 2.2, "p99": 3.7, "max": 6.4, "stdev": 0.58}

# (name, asked at every n-th request, whether it fails with the request it is asked of)
CHECKS = (
    ("status is 200", 1, True),
    ("body holds a cart id", 2, False),
    ("p95 felt fast <b>", 3, True),
    ("größe passt", 4, False),
)


def shape(share: float) -> float:
    """How much of the full load there is at this share of the plan: up within a tenth, level, down in the last bit."""
    return max(0.05, min(1.0, share * 10, (1 - share) * 20))


# Some seconds past the plan the last users are still at work.
_SHAPE = tuple(shape((n + 0.5) / SLICES) for n in range(SLICES + SLICES // 20))


class Sums(NamedTuple):
    """Requests that were answered well and those that failed, and the milliseconds of each taken together."""

    ok: float = 0.0
    failed: float = 0.0
    ok_ms: float = 0.0
    failed_ms: float = 0.0

    @property
    def ok_mean(self) -> float:
        return self.ok_ms / self.ok if self.ok > 0 else 0.0

    @property
    def failed_mean(self) -> float:
        return self.failed_ms / self.failed if self.failed > 0 else 0.0


def _slices(seed: int, at: float | None) -> list[tuple[float, float, float, float]]:
    """Per slice: requests (1 is a slice at full load), how slow without trouble, how much trouble, how many fail.

    at: the share of the plan from which there is trouble, a burst that ebbs but stays. None: only stray failures.
    """
    found = []
    noise = (_NOISE[seed + step : seed + step + len(_SHAPE)] for step in (0, 337, 673))
    for n, (load, first, second, third) in enumerate(zip(_SHAPE, *noise, strict=True)):
        trouble, failing = 0.0, float(third > 0.85)
        if at is not None:
            since = n + 1 - at * SLICES
            trouble = min(1.0, max(0.0, since / 3))
            failing = (0.8 + 0.8 * exp(-since / 8)) * (0.85 + 0.3 * third) * trouble if since > 0 else 0.0
        found.append((load * (0.96 + 0.08 * first), 0.97 + 0.06 * second, trouble, failing))
    return found


class Course:
    """The sums over time, of a run with these figures (see `fit`)."""

    def __init__(self, figures: dict[str, Any]) -> None:
        requests, failed, ok_ms, failed_ms = [], [], [], []
        for count, pace, trouble, failing in _slices(figures["seed"], figures["at"]):
            mean = figures["level"] * pace * (1 + figures["slow"] * trouble)
            share = figures["failing"] * failing
            requests.append(count * (1 - share))
            failed.append(count * share)
            ok_ms.append(count * (1 - share) * mean)
            failed_ms.append(count * share * mean * _SLOWER)
        self._each = (requests, failed, ok_ms, failed_ms)
        self._past = tuple(list(accumulate(row, initial=0.0)) for row in self._each)
        self._rows = tuple(zip(self._past, self._each, strict=True))
        self._peaks = list(accumulate(map(add, requests, failed), max))

    def upto(self, share: float) -> Sums:
        """In units of a slice at full load."""
        at = min(max(0.0, share), (len(_SHAPE) - 1e-6) / SLICES) * SLICES
        whole = int(at)
        part = at - whole
        return Sums(*[past[whole] + part * each[whole] for past, each in self._rows])

    def peak(self, share: float) -> float:
        """The highest load up to there, as a share of the full one."""
        return self._peaks[min(len(_SHAPE) - 1, max(0, int(share * SLICES)))]

    def crossing(self, *, failed: float = 0.0, ms: float = 0.0, requests: float = 0.0) -> float | None:
        """The share of the plan from which failed × failures + ms × milliseconds reaches requests × requests."""
        before = 0.0
        for n, (ok, bad, ok_ms, bad_ms) in enumerate(zip(*(past[1:] for past in self._past), strict=True)):
            over = failed * bad + ms * (ok_ms + bad_ms) - requests * (ok + bad)
            if over >= 0:
                return (n + (before / (before - over) if before < over else 0.0)) / SLICES
            before = over
        return None


@lru_cache(maxsize=512)
def _course(*figures: tuple[str, Any]) -> Course:
    return Course(dict(figures))


def course(run: Run) -> Course:
    return _course(*run.made["figures"].items())


def fit(
    rng: Random, *, level: float, mean: float, failed: float, lived: float, at: float | None = None
) -> dict[str, Any]:
    """The figures of a run that, having lived this share of its plan, has this mean (ms) and share of failures.

    at: from where on the plan there is trouble; before it requests take `level` ms. None: no trouble, `mean` is unused.
    """
    seed = rng.randrange(_NOISES)
    if at is None and not failed:
        return {"seed": seed, "at": None, "level": level, "slow": 0.0, "failing": 0.0}
    slices = _slices(seed, at)[: max(1, round(lived * SLICES))]
    requests = sum(count for count, *_ in slices)
    failures = sum(count * failing for count, _, _, failing in slices)
    failing = failed * requests / failures if failures else 0.0
    if at is None:
        return {"seed": seed, "at": None, "level": level, "slow": 0.0, "failing": min(failing, _MOST_STRAY)}
    usual = extra = 0.0
    for count, pace, trouble, share in slices:
        weight = count * pace * level * (1 + (_SLOWER - 1) * failing * share)
        usual += weight
        extra += weight * trouble
    return {"seed": seed, "at": at, "level": level, "slow": (mean * requests - usual) / extra, "failing": failing}


@dataclass(frozen=True)
class Load:
    """The stretch of load a run has had so far. `seconds` is what it stands for: the clock's times the scale."""

    start: int
    end: int
    seconds: float


def load_of(run: Run, now: int) -> Load | None:
    """None for a run whose load has not begun, and for one that never had any."""
    start = run.date("started", now)
    if start is None:
        return None
    end = max(start, min(now, run.dates["ended"]))
    return Load(start, end, (end - start) / SECOND * run.made["scale"])


def share_at(run: Run, when: int) -> float:
    """The share of its plan a run with load has behind it at this moment."""
    return (when - run.dates["started"]) / SECOND * run.made["scale"] / run.made["duration"]


def full_rate(run: Run) -> float:
    """Requests per second at full load."""
    return run.made["vus"] * _REQUESTS


def sums(run: Run, when: int) -> Sums:
    """Of a run with load, from its beginning to this moment."""
    found = course(run).upto(share_at(run, when))
    unit = full_rate(run) * run.made["duration"] / SLICES
    return Sums(found.ok * unit, found.failed * unit, found.ok_ms * unit, found.failed_ms * unit)


def mean_at(run: Run, now: int) -> float:
    """The mean time of all requests so far, in ms; 0 without any."""
    load = load_of(run, now)
    found = sums(run, load.end) if load else Sums()
    count = found.ok + found.failed
    return (found.ok_ms + found.failed_ms) / count if count else 0.0
