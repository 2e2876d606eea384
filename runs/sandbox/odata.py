"""The part of OData that k6's lists understand: $filter, $orderby, $select, $top, $skip, $count.

Rows are dictionaries whose dates are ISO text of one width, so that dates compare as text.
"""

import re
from collections.abc import Callable
from typing import Any

from .clock import iso, parse_instant

Row = dict[str, Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<date>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]\w*)|(?P<mark>[(),]))"
)
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}


class FilterError(ValueError):
    """The text is not an expression of this grammar; the message says where it stopped making sense."""


def filter_of(text: str, fields: set[str]) -> Test:
    """A predicate over rows. Raises FilterError on bad grammar or a field that is not in `fields`."""
    return _Parser(text, fields).whole()


class _Parser:
    def __init__(self, text: str, fields: set[str]) -> None:
        self._fields = fields
        self._tokens: list[tuple[str, str]] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise FilterError(f"Expected an expression, found '{text[at:].strip()[:20]}'")
            self._tokens.append((str(found.lastgroup), str(found[str(found.lastgroup)])))
            at = found.end()

    def whole(self) -> Test:
        test = self._either()
        if self._tokens:
            raise FilterError(f"Expected end of text, found '{self._tokens[0][1]}'")
        return test

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise FilterError("Expected an expression, found end of text")
        return self._tokens.pop(0)

    def _take(self, *words: str) -> bool:
        if self._tokens and self._tokens[0][0] in ("word", "mark") and self._tokens[0][1] in words:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise FilterError(f"Expected '{mark}', found '{self._next()[1]}'")

    def _either(self) -> Test:
        tests = [self._both()]
        while self._take("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._take("and"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _single(self) -> Test:
        if self._take("not"):
            inner = self._single()
            return lambda row: not inner(row)
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        kind, word = self._next()
        if kind != "word":
            raise FilterError(f"Expected a property, found '{word}'")
        if word in _FUNCTIONS:
            return self._call(word)
        return self._comparison(self._field(word))

    def _field(self, word: str) -> str:
        if word not in self._fields:
            raise FilterError(f"Could not find a property named '{word}'")
        return word

    def _call(self, name: str) -> Test:
        self._expect("(")
        field = self._field(self._next()[1])
        self._expect(",")
        kind, literal = self._next()
        if kind != "string":
            raise FilterError(f"Expected a string, found '{literal}'")
        self._expect(")")
        part, function = _unquoted(literal).lower(), _FUNCTIONS[name]
        return lambda row: isinstance(row[field], str) and function(row[field].lower(), part)

    def _comparison(self, field: str) -> Test:
        _, operator = self._next()
        value = self._literal()
        if operator in ("eq", "ne"):
            return lambda row: (_comparable(row[field], value) == value) == (operator == "eq")
        if operator not in _COMPARE:
            raise FilterError(f"Expected an operator, found '{operator}'")
        compare = _COMPARE[operator]

        def test(row: Row) -> bool:
            held = _comparable(row[field], value)
            return held is not None and type(held) is type(value) and compare(held, value)

        return test

    def _literal(self) -> Any:
        kind, text = self._next()
        if kind == "string":
            return _unquoted(text)
        if kind == "number":
            return float(text)
        if kind == "date":
            when = parse_instant(text)
            if when is None:
                raise FilterError(f"Expected a date, found '{text}'")
            return iso(when)
        words = {"null": None, "true": True, "false": False}
        if kind == "word" and text in words:
            return words[text]
        raise FilterError(f"Expected a literal, found '{text}'")


def _unquoted(literal: str) -> str:
    return literal[1:-1].replace("''", "'")


def _comparable(held: Any, value: Any) -> Any:
    return float(held) if isinstance(value, float) and type(held) is int else held


def ordered(rows: list[Row], order: str, fields: set[str]) -> list[Row]:
    """Rows by a comma list of `field [asc|desc]`; nulls come first. Raises FilterError on unknown words."""
    for part in reversed(order.split(",")):
        name, _, direction = part.strip().partition(" ")
        direction = direction.strip().lower() or "asc"
        if name not in fields or direction not in ("asc", "desc"):
            raise FilterError(f"Could not order by '{part.strip()}'")
        rows = sorted(
            rows, key=lambda row, name=name: (row[name] is not None, row[name] or 0), reverse=direction == "desc"
        )
    return rows
