"""What Grafana Cloud k6 sends, as its manuals of the legacy APIs show it: strict about identity, else lenient.

What reads an answer takes the label of the API that sent it, for its sentences.
Unknown keys are ignored, a number may come as text, a time without a zone is UTC, an unreadable decoration is None.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from .answers import amount_of, clean_text, number_of, parse_time, whole_of
from .base import BadRow, UnexpectedAnswer

LABEL = "Grafana Cloud k6 (legacy API)"


def _identity(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("not an id")
    text = str(value).strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ValueError("not an id")
    return str(int(text))


def _word(value: object) -> int | str | None:
    """A documented number, or whatever stands in its place as text."""
    number = whole_of(value)
    return (clean_text(value, 100) or None) if number is None else number


def _person(value: object) -> str:
    """A user's id as text; 0 and null both say "nobody"."""
    number = whole_of(value)
    return clean_text(value, 100) if number is None else str(number) if number else ""


Identity = Annotated[str, BeforeValidator(_identity)]
Number = Annotated[float | None, BeforeValidator(number_of)]
Whole = Annotated[int | None, BeforeValidator(whole_of)]
Amount = Annotated[int | None, BeforeValidator(amount_of)]
Word = Annotated[int | str | None, BeforeValidator(_word)]
PersonId = Annotated[str, BeforeValidator(_person)]
Text = Annotated[str, BeforeValidator(clean_text)]
Time = Annotated[datetime | None, BeforeValidator(parse_time)]


class Item(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    kind: ClassVar[str] = "record"


class Organization(Item):
    kind = "organization"
    id: Identity
    name: Text = ""


class Project(Item):
    kind = "project"
    id: Identity
    name: Text = ""


class LoadTest(Item):
    """`run_ids`: all its runs, newest last or first; None when the answer does not say."""

    kind = "test"
    id: Identity
    name: Text = ""
    project_id: Whole = None
    last_run_id: Whole = Field(None, alias="last_test_run_id")
    run_ids: tuple[int, ...] | None = Field(None, alias="test_run_ids")

    @field_validator("run_ids", mode="before")
    @classmethod
    def _ids(cls, value: object) -> tuple[int, ...] | None:
        if not isinstance(value, list):
            return None
        return tuple(number for number in map(whole_of, value) if number is not None)


class Run(Item):
    kind = "run"
    id: Identity
    test_id: Whole = None
    test_name: Text = ""
    created: Time = None
    started: Time = None
    ended: Time = None
    duration: Amount = None
    vus: Amount = None
    run_status: Word = None
    processing_status: Word = None
    result_status: Word = None
    user_id: PersonId = ""
    stopped_by_id: PersonId = ""
    error_code: Text = ""
    error_detail: Text = ""
    note: Text = ""


class Account(Item):
    """The `user` of /v3/account/me."""

    kind = "account"
    id: Identity
    email: Text = ""
    first_name: Text = ""
    last_name: Text = ""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email


class Export(Item):
    """What may be downloaded of a run: its CSV export, and the archive it was started from."""

    file: Text = ""
    asked: bool = False
    archive: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, run: Mapping[str, Any]) -> dict[str, Any]:
        export = run.get("export")
        export = export if isinstance(export, dict) else {}
        return {
            "file": export.get("export_file"),
            "asked": export.get("export_status") is not None,
            "archive": run.get("k6_archive"),
        }


class Threshold(Item):
    """`name` is "metric:condition", or a mere label ("threshold_1"); then metric, `stat` and `value` have to do."""

    kind = "threshold"
    name: Text = ""
    metric_id: Text = ""
    stat: Text = ""
    value: Number = None
    calculated_value: Number = None
    tainted: bool | None = None
    tainted_at: Time = None

    @field_validator("tainted", mode="before")
    @classmethod
    def _judged(cls, value: object) -> bool | None:
        return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())


class ThresholdMetric(Item):
    id: Text
    name: Text = ""
    contains: Text = ""


class Check(Item):
    kind = "check"
    name: Text
    group_id: Text = ""
    success_count: Amount = None
    total_count: Amount = None


class Url(Item):
    kind = "request"
    name: Text = ""
    url: Text = ""
    method: Text = ""
    status: Whole = None
    count: Amount = None
    min: Number = None
    max: Number = None
    mean: Number = None
    p95: Number = None
    p99: Number = None


class Trend(Item):
    min: Number = None
    mean: Number = None
    max: Number = None
    p95: Number = None
    p99: Number = None


class HttpSummary(Item):
    requests_count: Number = None
    failures_count: Number = None
    rps_mean: Number = None
    rps_max: Number = None
    duration_median: Number = None
    duration: Trend = Trend()

    @field_validator("duration", mode="before")
    @classmethod
    def _trend(cls, value: object) -> object:
        return value if isinstance(value, dict) else {}


class Overview(Item):
    http_req_duration_avg: Number = None
    http_reqs_avg: Number = None
    urls_hits_total: Number = None
    urls_hits_successes: Number = None


T = TypeVar("T", bound=Item)


def rows_of(data: object, key: str, what: str, label: str = LABEL) -> list[Any]:
    """The list under `key` (or the bare list); UnexpectedAnswer, naming `what`, when there is none."""
    rows = data.get(key) if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise unreadable(what, label)
    return rows


def object_of(data: object, key: str, what: str, label: str = LABEL) -> Mapping[str, Any]:
    """The object under `key`; UnexpectedAnswer, naming `what`, when there is none."""
    value = data.get(key) if isinstance(data, dict) else None
    if not isinstance(value, dict):
        raise unreadable(what, label)
    return value


def total_of(data: object) -> int | None:
    """How many rows the whole list has: `@count` (v5, a number or text) or `meta.count` (v2); None when not said."""
    if not isinstance(data, dict):
        return None
    meta = data.get("meta")
    return whole_of(data.get("@count", meta.get("count") if isinstance(meta, dict) else None))


def parse(model: type[T], row: object) -> T | BadRow:
    """One record, or which one could not be read and why."""
    if not isinstance(row, Mapping):
        return BadRow("", f"A {model.kind} is not an object.")
    try:
        return model.model_validate(row)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, problem["loc"])) or "record" for problem in error.errors()}))
        return BadRow(clean_text(row.get("id"), 100), f"A {model.kind} has no readable {fields}.")


def parse_all(model: type[T], rows: Sequence[object]) -> tuple[list[T], list[BadRow]]:
    """The readable records, and what could not be read."""
    good: list[T] = []
    bad: list[BadRow] = []
    for row in rows:
        item = parse(model, row)
        if isinstance(item, BadRow):
            bad.append(item)
        else:
            good.append(item)
    return good, bad


def unreadable(what: str, label: str = LABEL) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"{label} sent an answer without {what}. Check the account's address; if it is right, report it to Plimsoll's "
        "maintainers."
    )
