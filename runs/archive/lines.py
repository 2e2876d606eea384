"""A JSON value out of an archive -> what may be stored: redacted once more, each value of its column's kind.

All of it raises `Unreadable` for a line that is none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.services.answers import clean_text
from runs.services.redact import redact

from .columns import BELOW, COLUMNS_BELOW, INTENT, LOAD_TEST, PERSON, RUN, SCHEDULE, Unreadable, loaded

ROLES = ("requested_by", "provider_requested_by", "stopped_by")
LONGEST_ID = 300
_NUMBERS = {int, float}


@dataclass(slots=True)
class RunLine:
    """What is to be stored of one run."""

    columns: dict[str, Any]
    test: str
    people: dict[str, str]  # role -> key
    payload: Any
    below: dict[str, list[dict[str, Any]]]

    @property
    def key(self) -> str:
        return self.columns["external_id"]


@dataclass(slots=True)
class TestLine:
    columns: dict[str, Any]
    schedules: list[dict[str, Any]]

    __test__ = False  # a name that pytest would collect


@dataclass(slots=True)
class IntentLine:
    """`run` and `test`: the external ids of those it is about, or ""."""

    columns: dict[str, Any]
    run: str
    test: str


def read_run(data: Any, secrets: Sequence[str] = ()) -> RunLine:
    if not isinstance(data, Mapping):
        raise Unreadable("not an object")
    # Points are numbers, and many: they need no search for secrets.
    series = [_mapping(row, "series") for row in _list(data, "series")]
    bare = [{key: value for key, value in row.items() if key != "points"} for row in series]
    clean = redact({**data, "series": bare}, secrets)
    for row, whole in zip(clean["series"], series, strict=True):
        row["points"] = _points(whole.get("points"))
    payload = clean.get("payload")
    if not isinstance(payload, dict | list | None):
        raise Unreadable("payload: unreadable")
    test = _id(clean, "test")
    if not test:
        raise Unreadable("test: missing")
    people = {role: key for role in ROLES if (key := _id(clean, role))}
    below = {name: [loaded(row, COLUMNS_BELOW[name]) for row in _list(clean, name)] for name in BELOW}
    return RunLine(loaded(clean, RUN), test, people, payload, below)


def read_test(data: Any, secrets: Sequence[str] = ()) -> TestLine:
    clean = _mapping(redact(data, secrets), "load test")
    return TestLine(loaded(clean, LOAD_TEST), [loaded(row, SCHEDULE) for row in _list(clean, "schedules")])


def read_person(data: Any, secrets: Sequence[str] = ()) -> dict[str, Any]:
    return loaded(redact(data, secrets), PERSON)


def read_intent(data: Any, secrets: Sequence[str] = ()) -> IntentLine:
    clean = _mapping(redact(data, secrets), "intent")
    columns = loaded(clean, INTENT)
    if "created_at" not in columns:
        raise Unreadable("created_at: missing")
    return IntentLine(columns, _id(clean, "run"), _id(clean, "test"))


def _id(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str | None):
        raise Unreadable(f"{name}: unreadable")
    return clean_text(value, LONGEST_ID)


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Unreadable(f"{what}: not an object")
    return value


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    rows = data.get(name, [])
    if not isinstance(rows, list):
        raise Unreadable(f"{name}: not a list")
    return rows


def _points(given: Any) -> list[list[float]]:
    if isinstance(given, list) and all(
        isinstance(point, list) and len(point) == 2 and set(map(type, point)) <= _NUMBERS for point in given
    ):
        return given
    raise Unreadable("series: points that are none")
