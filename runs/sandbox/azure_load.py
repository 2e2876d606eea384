"""The load of an Azure run as formulas of the seconds since it began. All its numbers begin here.

Counts are whole and only grow, for each request, region and kind of error; all sums are made of those, so that the
series of a run add up to its statistics.
"""

from math import cos, floor
from random import Random
from typing import Any, NamedTuple

from .clock import SECOND
from .models import Run

_PACE = 0.8  # requests of one virtual user in a second
_SHARES = (0.4, 0.3, 0.2, 0.1)  # of the requests, by name
_FAILS = (1.3, 0.9, 0.7, 0.6)  # how much likelier than the others each name fails
_SLOWER = (1.0, 1.6, 0.7, 2.4)  # mean time by name, as multiples of the figure
_KINDS = (0.6, 0.3, 0.1)  # of the errors
# As multiples of the mean.
TIMES = {
    "min": 0.31, "p50": 0.86, "p75": 1.2, "p90": 1.7, "p95": 2.1, "p96": 2.2, "p97": 2.4, "p98": 2.7, "p99": 3.4,
    "p99.9": 5.1, "p99.99": 6.6, "max": 7.9,
}  # fmt: skip
KINDS = (
    "503/Service Unavailable",
    "Non HTTP response code: java.net.SocketTimeoutException/Non HTTP response message: Read timed out",
    "404/Not Found",
)


Counts = list[list[tuple[int, list[int]]]]


class Totals(NamedTuple):
    """sent and failed: requests; time: of one, in ms on average."""

    sent: int
    failed: int
    time: float


def fit(trouble: str, lasts: float, rng: Random) -> dict[str, Any]:
    """The figures of a run whose load lasts so many seconds.

    From second `at` on its requests are slower by the factor 1 + `slow`, and of them the share `failing` fails.
    """
    failing = {
        "little": rng.uniform(0.0005, 0.004),
        "errors": rng.uniform(0.13, 0.4),
        "slow": rng.uniform(0.001, 0.008),
        "both": rng.uniform(0.13, 0.3),
        "flood": 0.74,
        "silence": 0.0,
    }[trouble]
    calm = trouble in ("little", "silence")
    return {
        "at": 0.0 if calm else lasts * rng.uniform(0.15, 0.35),
        "slow": rng.uniform(1.4, 2.6) if trouble in ("slow", "both") else 0.0,
        "failing": failing,
        "pace": 0.0 if trouble == "silence" else _PACE,
        "wave": rng.uniform(0.1, 0.3),
    }


def seconds(run: Run, now: int) -> float:
    """How long the load has lasted."""
    start = run.date("load_started", now)
    if start is None:
        return 0.0
    over = run.date("load_ended", now)
    return ((now if over is None else over) - start) / SECOND


def users(run: Run, at: float) -> int:
    """Virtual users in second `at` of the load: all after a tenth of the plan."""
    return floor(run.made["virtual_users"] * min(1.0, at / _ramp(run)))


def _ramp(run: Run) -> float:
    return max(0.001, run.made["duration"] * 0.1 / run.made["scale"])


def _all(run: Run, at: float) -> float:
    """Requests of all names and regions in the first `at` seconds: rising users first, then a gentle wave."""
    ramp, figures = _ramp(run), run.made["figures"]
    done = at * at / (2 * ramp) if at <= ramp else at - ramp / 2 + 1.5 * (1 - cos((at - ramp) * figures["wave"]))
    return run.made["virtual_users"] * figures["pace"] * done


def _troubled(run: Run, at: float) -> float:
    begin = run.made["figures"]["at"]
    return _all(run, at) - _all(run, begin) if at > begin else 0.0


def counts(run: Run, at: float) -> Counts:
    """[name][region] of the first `at` seconds: the requests, and how many of them failed, by kind."""
    whole, bad = _all(run, at), _troubled(run, at) * run.made["figures"]["failing"]
    shares = _SHARES[: len(run.made["names"])]
    return [
        [
            (
                floor(whole * share / sum(shares) * part),
                [floor(bad * share / sum(shares) * part * _FAILS[name] * often) for often in _KINDS],
            )
            for _, part in run.made["regions"]
        ]
        for name, share in enumerate(shares)
    ]


def mean_time(run: Run, first: float, last: float, name: int) -> float:
    """Of the requests of this name between two seconds of the load, in ms."""
    figures = run.made["figures"]
    count = _all(run, last) - _all(run, first)
    part = (_troubled(run, last) - _troubled(run, first)) / count if count else 0.0
    return run.made["time"] * _SLOWER[name] * (1 + figures["slow"] * part)


def usual_time(time: float, name: int | None, names: int) -> float:
    """The mean of a name (None: of all) where nothing is wrong."""
    if name is not None:
        return time * _SLOWER[name]
    weights = _SHARES[:names]
    return time * sum(map(float.__mul__, weights, _SLOWER)) / sum(weights)


def totals(run: Run, at: float) -> list[Totals]:
    """Of each name in the first `at` seconds, and last of all of them."""
    rows = []
    for name, regions in enumerate(counts(run, at)):
        whole = sum(sent for sent, _ in regions)
        rows.append(Totals(whole, sum(sum(bad) for _, bad in regions), mean_time(run, 0, at, name) if whole else 0.0))
    whole = sum(row.sent for row in rows)
    time = sum(row.time * row.sent for row in rows) / whole if whole else 0.0
    return [*rows, Totals(whole, sum(row.failed for row in rows), time)]
