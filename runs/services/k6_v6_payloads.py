"""What Grafana Cloud k6 sends at /cloud/v6: strict about identity, else lenient, like the legacy payloads."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from .answers import clean_text
from .k6_payloads import Amount, Identity, Item, Number, Text, Time, Whole

LABEL = "Grafana Cloud k6"


def _flag(value: object) -> bool:
    return value is True


Flag = Annotated[bool, BeforeValidator(_flag)]


class LoadTest(Item):
    kind = "test"
    id: Identity
    name: Text = ""
    project_id: Text = ""


class Extra(Item):
    """Who or what ended a run, where the provider says so; with a `type` it is a result and why."""

    type: Text = ""
    by_user: Text = ""
    message: Text = ""
    code: Text = ""


class Step(Item):
    """One entry of a run's history: in which status it was since when."""

    type: Text = ""
    entered: Time = None
    extra: Extra = Extra()

    @field_validator("extra", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return value if isinstance(value, dict) else {}


class Run(Item):
    """`history` is oldest first. `options` None: the provider does not know them (yet)."""

    kind = "run"
    id: Identity
    test_id: Text = ""
    project_id: Text = ""
    started_by: Text = ""
    created: Time = None
    ended: Time = None
    note: Text = ""
    status: Text = ""
    history: tuple[Step, ...] = Field((), alias="status_history")
    result: Text = ""
    result_details: Extra = Extra()
    options: dict[str, Any] | None = None
    cost: Number = None
    max_vus: Amount = None
    estimated_duration: Amount = None
    execution_duration: Amount = None
    is_starred: Flag = False
    page: Text = Field("", alias="test_run_details_page_url")

    @field_validator("history", mode="before")
    @classmethod
    def _steps(cls, value: object) -> object:
        return tuple(step for step in value if isinstance(step, dict)) if isinstance(value, list) else ()

    @field_validator("result_details", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return value if isinstance(value, dict) else {}

    @field_validator("options", mode="before")
    @classmethod
    def _object(cls, value: object) -> object:
        return value if isinstance(value, dict) else None

    @field_validator("cost", mode="before")
    @classmethod
    def _total(cls, value: object) -> object:
        return value.get("total_vuh") if isinstance(value, dict) else None


class Rule(Item):
    frequency: Text = ""
    interval: Amount = 1
    byday: tuple[str, ...] = ()
    until: Time = None
    count: Amount = None

    @field_validator("byday", mode="before")
    @classmethod
    def _days(cls, value: object) -> object:
        return tuple(filter(None, map(clean_text, value))) if isinstance(value, list) else ()


class Cron(Item):
    schedule: Text = ""
    time_zone: Text = ""


class Schedule(Item):
    kind = "schedule"
    id: Identity
    load_test_id: Identity
    starts: Time = None
    rule: Rule | None = Field(None, alias="recurrence_rule")
    cron: Cron | None = None
    deactivated: Flag = False
    next_run: Time = None
    created_by: Text = ""

    @field_validator("rule", "cron", mode="before")
    @classmethod
    def _object(cls, value: object) -> object:
        return value if isinstance(value, dict) else None


class Limits(Item):
    kind = "limit"
    project_id: Identity
    vuh_max_per_month: Whole = None
    vu_max_per_test: Whole = None
    vu_browser_max_per_test: Whole = None
    duration_max_per_test: Whole = None


class LoadZone(Item):
    kind = "load zone"
    id: Identity
    name: Text = ""
    k6_load_zone_id: Text = ""
    available: Flag = False
    public: Flag = False
