"""Criteria in words: what is measured, allowed, and was. Pure; never rounds so that a broken limit looks kept."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from runs.error_tree import short_address

NBSP = "\u00a0"
STATS = {"avg": "mean", "med": "median", "min": "lowest", "max": "highest"}
CONDITION = re.compile(r"\s*([a-z]+)?\s*(?:\(\s*([\d.]+)\s*\))?\s*(<=|>=|===?|!=|<|>)")
METRIC = re.compile(r"\s*([^{]*?)\s*(?:\{(.*)\})?\s*", re.DOTALL)
TAG = re.compile(r"([\w.]+):((?:[^,]|,(?!\s*[\w.]+:))*)")
MOST_DECIMALS = 12
ON_SERIES = {"p95_ms": "p95", "avg_ms": STATS["avg"]}
VSTS_RESPONSE_TIME = "LoadTest:Request / Avg. Response Time / _Total"
TOTAL = " / _Total"  # how a counter over all instances ends; that goes without saying


class Criterion(Protocol):
    """What a threshold must offer: a `RunThreshold`, or a record with the same names."""

    metric: str
    condition: str
    broken: bool | None
    value: float | None
    limit: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Words:
    """A criterion as people say it. `value` and `limit` carry their unit; "" where the provider gave none."""

    what: str  # "p95 of POST /checkout", "errors"
    scope: str  # "POST /checkout", "all requests", "errors"
    allowed: str  # "p95 < 500 ms"
    value: str
    limit: str
    verb: str  # "is" or "are"
    past: str  # "was" or "were"
    upper: bool  # the limit must not be passed from below
    relation: str  # "limit 500 ms", "should be over 97 %"
    is_told: bool  # the provider gave a sentence instead of a condition: `what` is that


def words(criterion: Criterion) -> Words:
    stat, operator = _condition(criterion.condition)
    name, scope = _metric(criterion.metric)
    name = name.removesuffix(TOTAL)
    percent = criterion.unit in ("", "%") and stat == "rate" and _is_share(criterion)
    unit = "%" if percent else criterion.unit
    value, limit = numbers(criterion.value, criterion.limit, unit, percent=percent)
    what, short, plural = _subject(name, scope, stat)
    sign = {"<=": "≤", ">=": "≥", "==": "=", "===": "=", "!=": "≠"}.get(operator, operator)
    return Words(
        what=what or criterion.condition,
        scope=short or criterion.metric,
        allowed=f"{stat} {sign} {limit}".lstrip() if sign and limit else criterion.condition,
        value=value,
        limit=limit,
        verb="are" if plural else "is",
        past="were" if plural else "was",
        upper=operator in ("<", "<=", ""),
        relation=_relation(operator, limit, criterion),
        is_told=not operator and not value,
    )


def statistic(criterion: Criterion) -> str:
    """What of the metric is judged: p95, mean, rate …; "" when the condition does not say."""
    return _condition(criterion.condition)[0]


def is_of_all(criterion: Criterion, metric: str) -> bool:
    """Whether it judges `metric` over all requests, not a part of them."""
    name, scope = _metric(criterion.metric)
    return name == metric and not scope


def limit_on(series: str, criterion: Criterion) -> float | None:
    """The limit in the unit of a chart's series of all requests; None where the criterion is about something else.

    Response times are drawn in ms. VSTS judges its counter of them in seconds, and names the unit nowhere.
    """
    if criterion.limit is None:
        return None
    if is_of_all(criterion, "http_req_duration") and statistic(criterion) == ON_SERIES.get(series):
        return criterion.limit
    if series == "avg_ms" and criterion.metric.endswith(VSTS_RESPONSE_TIME):
        return criterion.limit * 1000
    return None


def numbers(value: float | None, limit: float | None, unit: str, *, percent: bool = False) -> tuple[str, str]:
    """Both with their unit, the value with as many digits as it takes to stand on its own side of the limit.

    >>> numbers(499.6, 500, "ms")
    ('499.6\\xa0ms', '500\\xa0ms')
    """
    bound = None if limit is None else _exact(limit, percent)
    if value is None:
        return "", "" if bound is None else number(bound, unit)
    exact = _exact(value, percent)
    places = _places(exact, unit)
    while bound is not None and places < MOST_DECIMALS and _side(round(exact, places), bound) != _side(exact, bound):
        places += 1
    return number(round(exact, places), unit), "" if bound is None else number(bound, unit)


def number(value: Decimal | float, unit: str = "") -> str:
    """With thousands separated, no needless zeros, a real minus, and the unit after a no-break space."""
    exact = value if isinstance(value, Decimal) else _exact(value)
    text = f"{exact:,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    shown = text.replace("-", "\u2212")
    return f"{shown}{NBSP}{unit.removeprefix('1')}" if unit else shown


def three_digits(value: float, unit: str = "") -> str:
    """A measured number where no limit is near: three digits, more for what is larger than 1,000."""
    exact = _exact(value)
    return number(round(exact, _places(exact, unit)), unit)


def part_of_limit(criterion: Criterion) -> float | None:
    """How much of its limit a kept criterion used, 0..1: value by limit, or limit by value where more is better."""
    if criterion.broken is not False or not criterion.limit or not criterion.value:
        return None
    if criterion.limit < 0 or criterion.value < 0:
        return None
    operator = _condition(criterion.condition)[1]
    if operator in ("<", "<="):
        return criterion.value / criterion.limit
    return criterion.limit / criterion.value if operator in (">", ">=") else None


def _condition(condition: str) -> tuple[str, str]:
    found = CONDITION.match(condition)
    if not found:
        return "", ""
    stat = f"p{found[2]}" if found[1] == "p" and found[2] else STATS.get(found[1], found[1] or "")
    return stat, found[3]


def _metric(metric: str) -> tuple[str, str]:
    """The metric's name, and the part of the requests it is about ("" for all)."""
    found = METRIC.fullmatch(metric)
    name, inside = (found[1], found[2] or "") if found else (metric, "")
    tags = {key: value.strip() for key, value in TAG.findall(inside)}
    place = tags.pop("name", "") or tags.pop("url", "")
    if place:
        tags.pop("url", None)
        method = tags.pop("method", "")
        place = short_address(place) if "://" in place else place
        place = place if not method or place.startswith(f"{method} ") else f"{method} {place}"
    rest = [f"{key}:{value}" for key, value in tags.items()]
    return name, ", ".join([place, *rest] if place else rest)


def _subject(name: str, scope: str, stat: str) -> tuple[str, str, bool]:
    """(subject of a sentence, name in a list, whether it is plural)"""
    of_scope = f" of {scope}" if scope else ""
    if name == "http_req_failed":
        return f"errors{of_scope}", f"errors{of_scope}", True
    if name == "checks":
        return f"checks{of_scope}", f"checks{of_scope}", True
    if name == "http_reqs":
        label = {"rate": "request rate", "count": "number of requests"}.get(stat, f"{stat} of requests")
        return f"{label}{of_scope}", f"requests{of_scope}", False
    short = (scope or "all requests") if name == "http_req_duration" else f"{name}{of_scope}"
    if not short:
        return "", "", False
    return (f"{stat} of {short}" if stat else short), short, False


def _relation(operator: str, limit: str, criterion: Criterion) -> str:
    if not limit:
        return ""
    if operator in (">", ">=", "==", "===", "!="):
        return {
            ">": f"should be over {limit}",
            ">=": f"should be at least {limit}",
            "!=": f"should not be {limit}",
        }.get(operator, f"should be {limit}")
    # "was 500 ms, limit 500 ms" would read as kept.
    on_the_limit = operator == "<" and criterion.value == criterion.limit and criterion.broken
    return f"should be under {limit}" if on_the_limit else f"limit {limit}"


def _is_share(criterion: Criterion) -> bool:
    """Whether a rate is a part of all (0..1), not a number of events per second."""
    known = [value for value in (criterion.value, criterion.limit) if value is not None]
    return _metric(criterion.metric)[0] != "http_reqs" and bool(known) and all(0 <= value <= 1 for value in known)


def _exact(value: float | Decimal, percent: bool = False) -> Decimal:
    exact = Decimal(repr(float(value)))
    if not exact.is_finite():
        exact = Decimal(0)
    return exact * 100 if percent else exact


def _places(value: Decimal, unit: str) -> int:
    """Enough for three digits; for per cent two decimals at most, as in lists, unless nothing would be left."""
    places = max(0, 2 - value.adjusted()) if value else 0
    return min(places, 2) if unit == "%" and round(value, 2) else places


def _side(value: Decimal, limit: Decimal) -> int:
    return (value > limit) - (value < limit)
