"""The short lists beside a run's chart: its most frequent errors and its slowest requests, against the run before."""

from dataclasses import dataclass

from dashboard.changes import TIMES, Change, less_is_better
from dashboard.words import DASH, number
from runs import run_details
from runs.comparison import Reference
from runs.criteria import three_digits
from runs.error_tree import short_address, split_request
from runs.models import Run, RunError

MOST_ERRORS = 10  # on paper; five of them on the screen
MOST_REQUESTS = 5


@dataclass(frozen=True, slots=True)
class ShownError:
    """`is_new`: the previous comparable run did not have it. `then`: "4 times #213" where it had it far less often."""

    row: RunError
    is_new: bool = False
    then: str = ""


@dataclass(frozen=True, slots=True)
class SlowRequest:
    method: str
    place: str  # address without its host, and the outcome where there are several
    name: str  # as the provider says it
    value: str
    change: Change | None


@dataclass(frozen=True, slots=True)
class Slowest:
    what: str  # "p95" or "mean"
    rows: list[SlowRequest]


def shown_errors(run: Run, before: Reference | None) -> list[ShownError]:
    rows = run_details.top_errors(run, MOST_ERRORS)
    if before is None:
        return [ShownError(row) for row in rows]
    then = before.occurrences(rows)
    return [ShownError(row, row.fingerprint not in then, _more_often(run, row, then, before)) for row in rows]


def slowest(run: Run, before: Reference | None) -> Slowest | None:
    """Of the first kind that has any: requests, transactions, pages. None when the provider timed none."""
    for kind in ("request", "transaction", "page"):
        rows = list(run_details.metrics_of(run, kind)[:MOST_REQUESTS])
        what = next((key for key in ("p95_ms", "avg_ms") if rows and rows[0].numbers.get(key) is not None), "")
        if not what:
            continue
        # A part of a run is not held against a whole one.
        then = before.metric_of(kind, what, [row.name for row in rows]) if before and run.is_ended else {}
        shown = [_slow(row.name, row.numbers.get(what), then.get(row.name)) for row in rows]
        return Slowest("p95" if what == "p95_ms" else "mean", shown)
    return None


def _more_often(run: Run, row: RunError, then: dict[str, int], before: Reference) -> str:
    """Only of an ended run: counts of a part say nothing against counts of the whole."""
    old = then.get(row.fingerprint)
    if not run.is_ended or not old or row.occurrences < TIMES * old:
        return ""
    return f"{number(row.occurrences / old)} times #{before.run.shown_number}"


def _slow(name: str, value: float | None, old: float | None) -> SlowRequest:
    method, address = split_request(name)
    change = None if value is None or old is None else less_is_better(value, old)
    text = DASH if value is None else three_digits(value, "ms")
    return SlowRequest(method, short_address(address), name, text, change)
