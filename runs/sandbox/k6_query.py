"""The text of v5's metric calls: arguments in the path, selectors, and the small query language."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .clock import parse_instant

Labels = dict[str, str]

_CALL = re.compile(r"(\w+)\s*=\s*('(?:[^']|'')*'|\[[^\]]*\]|[^,()\[\]']+)\s*(?:,\s*|$)")
_SELECTOR = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\{(.*)\})?\s*", re.DOTALL)
_MATCHER = re.compile(r"\s*(\w+)\s*(=~|!~|!=|=)\s*\"((?:[^\"\\]|\\.)*)\"\s*(?:,|$)")
_QUERY = re.compile(
    r"\s*(?:(?P<agg>min|max|sum|avg)\s*\(\s*)?(?P<method>\w+)\s*(?:\(\s*(?P<number>[\d.]*)\s*\))?"
    r"\s*(?:by\s*\((?P<inner>[^)]*)\))?\s*(?P<close>\))?\s*(?:by\s*\((?P<outer>[^)]*)\))?\s*"
)


class BadCall(ValueError):
    """The arguments do not make a call: an unknown one, a missing one, or a literal that cannot be read."""


class BadType(ValueError):
    """An argument is readable but of the wrong type. `args[0]` is its name."""


class BadSelector(ValueError):
    """Not a vector selector."""


class BadQuery(ValueError):
    """Not an expression of the query language."""


def arguments(text: str, known: dict[str, str]) -> dict[str, Any]:
    """The arguments of a call. `known` maps names to string, int, ints or date. Raises BadCall or BadType."""
    found: dict[str, Any] = {}
    at = 0
    while at < len(text):
        match = _CALL.match(text, at)
        if not match:
            raise BadCall(f"Expected end of text, found '{text[at]}'")
        name, literal = match[1], match[2].strip()
        if name not in known or name in found:
            raise BadCall(f"No overload found for function with argument '{name}'")
        found[name] = _READERS[known[name]](name, literal)
        at = match.end()
    return found


def _string(name: str, literal: str) -> str:
    if not literal.startswith("'"):
        raise BadCall(f"Expected a string, found '{literal}'")
    return literal[1:-1].replace("''", "'")


def _int(name: str, literal: str) -> int:
    if re.fullmatch(r"-?\d+", literal):
        return int(literal)
    raise (
        BadType(name) if re.fullmatch(r"-?\d+\.\d+|'.*'", literal) else BadCall(f"Expected a number, found '{literal}'")
    )


def _ints(name: str, literal: str) -> list[int]:
    if not re.fullmatch(r"\[\s*\d+(\s*,\s*\d+)*\s*\]", literal):
        raise BadCall(f"Expected a collection of numbers, found '{literal}'")
    return [int(part) for part in literal[1:-1].split(",")]


def _date(name: str, literal: str) -> int:
    if literal.startswith("'"):
        raise BadType(name)
    when = parse_instant(literal, zone_required=True)
    if when is None:
        raise BadCall(f"Expected end of text, found '{literal}'")
    return when


_READERS: dict[str, Callable[[str, str], Any]] = {"string": _string, "int": _int, "ints": _ints, "date": _date}


def selector(text: str) -> tuple[str, Callable[[Labels], bool]]:
    """A metric name and a test over labels. Raises BadSelector."""
    found = _SELECTOR.fullmatch(text)
    if not found:
        raise BadSelector(text)
    rest, at, tests = found[2] or "", 0, []
    while at < len(rest.rstrip()):
        match = _MATCHER.match(rest, at)
        if not match:
            raise BadSelector(text)
        tests.append(_matcher(match[1], match[2], match[3].replace('\\"', '"')))
        at = match.end()
    return found[1], lambda labels: all(test(labels) for test in tests)


def _matcher(label: str, operator: str, value: str) -> Callable[[Labels], bool]:
    if operator in ("=", "!="):
        return lambda labels: (labels.get(label, "") == value) == (operator == "=")
    try:
        pattern = re.compile(value)
    except re.error:
        raise BadSelector(value) from None
    return lambda labels: bool(pattern.fullmatch(labels.get(label, ""))) == (operator == "=~")


@dataclass(frozen=True)
class Query:
    """`agg(method(number) by (by)) by (outer)`. Without an aggregation `agg` is empty."""

    method: str
    number: float | None
    by: tuple[str, ...]
    agg: str = ""
    outer: tuple[str, ...] = ()


def query(text: str) -> Query:
    """Raises BadQuery."""
    found = _QUERY.fullmatch(text)
    if not found or bool(found["agg"]) != bool(found["close"]) or (found["outer"] is not None and not found["agg"]):
        raise BadQuery(text)
    try:
        number = float(found["number"]) if found["number"] else None
    except ValueError:
        raise BadQuery(text) from None
    return Query(found["method"], number, _names(found["inner"]), found["agg"] or "", _names(found["outer"]))


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
