"""The numbers that decide about a run, at most seven, each with its change against the previous comparable run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard import words
from dashboard.changes import Change, as_it_was, less_is_better, more_or_fewer
from runs import run_details
from runs.choices import RunStatus
from runs.comparison import Reference
from runs.criteria import is_of_all, numbers, statistic, three_digits
from runs.criteria import words as criterion_words
from runs.models import Run, RunThreshold

MOST = 7


@dataclass(frozen=True, slots=True)
class KeyNumber:
    """`change` is None where nothing is known to hold it against; `note` is said then."""

    label: str
    value: str
    unit: str = ""
    note: str = ""
    over_limit: bool = False
    change: Change | None = None


def key_numbers(run: Run, thresholds: Sequence[RunThreshold], before: Reference | None) -> list[KeyNumber]:
    """Of the whole run, those that broke their limit first; of a live one, where it stands. No unknown ones."""
    known = run_details.run_numbers(run)
    if run.is_live:
        return _so_far(run, known, thresholds, before)[:MOST]
    return _of_whole(run, known, thresholds, before)[:MOST]


def _of_whole(
    run: Run, known: Mapping[str, float], thresholds: Sequence[RunThreshold], before: Reference | None
) -> list[KeyNumber]:
    was = before.numbers if before else {}
    cells = _broken(thresholds, before)
    cells += _p95(known.get("p95_ms", run.p95_ms), thresholds, "p95, all requests", was.get("p95_ms"))
    if (mean := known.get("avg_ms")) is not None:
        cells.append(_number("Mean response time", three_digits(mean, "ms"), change=_slower(mean, was.get("avg_ms"))))
    cells += _errors(run, known, thresholds, was.get("error_rate"))
    if (count := known.get("count")) is not None:
        # A run cut short has fewer requests by nature; that is no change.
        whole = run.status == RunStatus.FINISHED and "count" in was
        cells.append(
            KeyNumber("Requests", words.number(count), change=more_or_fewer(count, was["count"]) if whole else None)
        )
    if (rate := known.get("rate_per_s")) is not None:
        peak = known.get("peak_rate_per_s")
        note = f"peak {three_digits(peak)}" if peak else ""
        cells.append(_number("Mean rate", three_digits(rate, "1/s"), note, change=_was(rate, was.get("rate_per_s"))))
    users = _peak_users(run) or known.get("max_vus", run.virtual_users)
    # Planned users alone are no number of the run; the line under the title has them.
    if users is not None and (cells or "max_vus" in known):
        label = "Peak VUs" if "max_vus" in known else "VUs"
        cells.append(KeyNumber(label, words.number(users), change=_was(users, was.get("max_vus"))))
    return cells


def _peak_users(run: Run) -> float | None:
    """The most there were in a run that was cut short: what providers give for it may be what was planned."""
    row = None if run.status == RunStatus.FINISHED else run.series.filter(name="vus").first()
    return max((value for _, value in row.points if value is not None), default=None) if row else None


def _so_far(
    run: Run, known: Mapping[str, float], thresholds: Sequence[RunThreshold], before: Reference | None
) -> list[KeyNumber]:
    """The last point of each chart against the same time since start of the run before; totals stand for themselves."""
    latest = run_details.latest_points(run)
    then = {name: before.at(name, point[0]) for name, point in latest.items()} if before else {}
    cells = _broken(thresholds, None)
    for name, label in (("p95_ms", "p95 now"), ("avg_ms", "Mean response time now")):
        if name in latest:
            value = latest[name][1]
            cells.append(_number(label, three_digits(value, "ms"), change=_slower(value, then.get(name))))
    if "p95_ms" not in latest:
        cells += _p95(known.get("p95_ms"), thresholds, "p95 so far", None)
    cells += _errors(run, known, thresholds, None, " so far")
    if "error_rate" not in known and "errors_per_s" in latest:
        cells.append(_number("Errors now", three_digits(latest["errors_per_s"][1], "1/s")))
    if (count := known.get("count")) is not None:
        cells.append(KeyNumber("Requests so far", words.number(count)))
    for name, label, unit in (("rate_per_s", "Rate now", "1/s"), ("vus", "VUs now", "")):
        if name in latest:
            value = latest[name][1]
            cells.append(_number(label, three_digits(value, unit), change=_was(value, then.get(name))))
    return cells


def _broken(thresholds: Sequence[RunThreshold], before: Reference | None) -> list[KeyNumber]:
    """The first criterion that broke and is not among the other numbers anyway."""
    shown = (_criterion(thresholds, "http_req_duration", "p95"), _criterion(thresholds, "http_req_failed", "rate"))
    broken = [item for item in thresholds if item.broken and item.value is not None and item not in shown]
    for item in broken[:1]:
        said, stat = criterion_words(item), statistic(item)
        label = f"{stat}, {said.scope}" if said.what == f"{stat} of {said.scope}" else said.what
        return [_number(label, said.value, said.relation, over=item, change=_broken_change(item, before))]
    return []


def _broken_change(item: RunThreshold, before: Reference | None) -> Change | None:
    old = before.measured(item) if before else None
    if old is None:
        return None
    then = RunThreshold(metric=item.metric, condition=item.condition, value=old, limit=item.limit, unit=item.unit)
    was = criterion_words(then).value.removesuffix(f"{words.NARROW}ms")
    if criterion_words(item).upper:
        return less_is_better(item.value, old, was)
    return as_it_was(criterion_words(item).value, was)


def _p95(value: float | None, thresholds: Sequence[RunThreshold], label: str, old: float | None) -> list[KeyNumber]:
    if value is None:
        return []
    limit = _criterion(thresholds, "http_req_duration", "p95")
    text = numbers(value, limit.limit if limit else None, "ms")[0]
    return [_number(label, text, over=limit, change=_slower(value, old))]


def _errors(
    run: Run, known: Mapping[str, float], thresholds: Sequence[RunThreshold], old: float | None, so_far: str = ""
) -> list[KeyNumber]:
    label = f"Errors{so_far}"
    rate, failed = known.get("error_rate", run.error_rate), known.get("failed", run.error_count)
    if rate is None:
        return [] if failed is None else [KeyNumber(label, words.number(failed))]
    limit = _criterion(thresholds, "http_req_failed", "rate")
    bound = limit.limit * 100 if limit and limit.limit is not None else None
    text = numbers(round(rate * 100, 9), bound, "%")[0]
    note = f"{words.number(failed)} requests" if failed is not None else ""
    change = None if old is None else less_is_better(rate, old, three_digits(round(old * 100, 9), "%"))
    return [_number(label, text, note, over=limit, change=change)]


def _criterion(thresholds: Sequence[RunThreshold], metric: str, stat: str) -> RunThreshold | None:
    return next((item for item in thresholds if is_of_all(item, metric) and statistic(item) == stat), None)


def _slower(now: float, before: float | None) -> Change | None:
    return None if before is None else less_is_better(now, before, three_digits(before))


def _was(now: float, before: float | None) -> Change | None:
    return None if before is None else as_it_was(three_digits(now), three_digits(before))


def _number(
    label: str, text: str, note: str = "", over: RunThreshold | None = None, change: Change | None = None
) -> KeyNumber:
    value, _, unit = text.partition(words.NARROW)
    return KeyNumber(label, value, unit, note, bool(over and over.broken), change)
