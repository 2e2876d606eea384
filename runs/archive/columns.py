"""A row of a table as a JSON object, and back. A column somebody adds to a table is kept without a change here."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import models

from runs.export import iso
from runs.models import (
    ControlIntent,
    LoadTest,
    Person,
    Run,
    RunError,
    RunFile,
    RunMessage,
    RunMetric,
    RunSeries,
    RunThreshold,
    Schedule,
    StatusEvent,
)
from runs.services.answers import clean_text, parse_time, whole_of

LONGEST_TEXT = 1_000_000


class Unreadable(ValueError):
    """A JSON object that is no row; the text names the member."""


def columns_of(model: type[models.Model], *left_out: str) -> tuple[models.Field, ...]:
    """The columns that are kept: all but keys of rows, which mean something in one database only, and `left_out`."""
    fields = model._meta.concrete_fields
    return tuple(f for f in fields if not f.primary_key and not f.is_relation and f.name not in left_out)


# Which row another one belongs to is told by its provider's id, or by where it stands in the file.
RUN = columns_of(Run)
LOAD_TEST = columns_of(LoadTest, "created_at")  # when this instance first heard of it
PERSON = columns_of(Person, "display")  # made of the others
SCHEDULE = columns_of(Schedule)
# A press's token has done its work, and must stay unique here; the other is about rows of this database.
INTENT = columns_of(ControlIntent, "token", "known_up_to")
# What hangs below a run, by its name in the file, in the order in which it was stored.
BELOW: dict[str, type[models.Model]] = {
    "errors": RunError,
    "messages": RunMessage,
    "thresholds": RunThreshold,
    "metrics": RunMetric,
    "series": RunSeries,
    "files": RunFile,
    "events": StatusEvent,
}
COLUMNS_BELOW = {name: columns_of(model) for name, model in BELOW.items()}


def dumped(row: models.Model, columns: Sequence[models.Field]) -> dict[str, Any]:
    values = ((column.name, getattr(row, column.attname)) for column in columns)
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in values}


def loaded(data: object, columns: Sequence[models.Field]) -> dict[str, Any]:
    """Values for these columns, fit to be stored; one that is not there gets its default. Unreadable if one is odd."""
    if not isinstance(data, Mapping):
        raise Unreadable("not an object")
    return {column.name: _value(data, column) for column in columns if column.name in data or _is_needed(column)}


def _is_needed(column: models.Field) -> bool:
    return not (column.null or column.blank or column.has_default())


def _value(data: Mapping[str, Any], column: models.Field) -> Any:
    if column.name not in data:
        raise Unreadable(f"{column.name}: missing")
    given = data[column.name]
    if given is None and column.null:
        return None
    value = _READ[column.get_internal_type()](given, column)
    odd = column.choices and value and value not in dict(column.flatchoices)
    empty = value == "" and not column.blank and (column.choices or column.name in ("external_id", "key"))
    if value is None or odd or empty:
        raise Unreadable(f"{column.name}: {'empty' if empty else 'unreadable'}")
    return value


def _text(given: object, column: models.Field) -> str | None:
    return clean_text(given, column.max_length or LONGEST_TEXT) if isinstance(given, str) else None


def _whole(given: object, column: models.Field) -> int | None:
    number = whole_of(given)
    kind = column.get_internal_type()
    most = 2**63 - 1 if "Big" in kind else 2**31 - 1
    least = 0 if "Positive" in kind else -most
    return number if number is not None and least <= number <= most else None


def _float(given: object, _: models.Field) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return float(given) if abs(given) < 1e300 and math.isfinite(given) else None


def _bool(given: object, _: models.Field) -> bool | None:
    return given if isinstance(given, bool) else None


def _time(given: object, _: models.Field) -> datetime | None:
    return parse_time(given) if isinstance(given, str) else None


def _json(given: object, column: models.Field) -> Any:
    wanted = type(column.get_default()) if column.has_default() else dict
    return given if isinstance(given, wanted) else None


_READ = {
    "CharField": _text,
    "TextField": _text,
    "IntegerField": _whole,
    "BigIntegerField": _whole,
    "PositiveSmallIntegerField": _whole,
    "PositiveIntegerField": _whole,
    "PositiveBigIntegerField": _whole,
    "FloatField": _float,
    "BooleanField": _bool,
    "DateTimeField": _time,
    "JSONField": _json,
}
