"""What provider answers are read with: strict about identity, lenient about the rest, whatever was sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from .answers import amount_of, clean_text, number_of, parse_time, whole_of


def mapping_of(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def list_of(value: object) -> list[Any]:
    """A list, also out of a `{count, value}` wrapper; anything else is no items."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return value if isinstance(value, list) else []


def mappings_of(value: object) -> list[Mapping[str, Any]]:
    return [item for item in list_of(value) if isinstance(item, Mapping)]


def text_of(limit: int) -> Any:
    return Annotated[str, BeforeValidator(lambda value: clean_text(value, limit))]


Name = text_of(300)
Text = text_of(10_000)
Time = Annotated[datetime | None, BeforeValidator(parse_time)]
Whole = Annotated[int | None, BeforeValidator(whole_of)]
Amount = Annotated[int | None, BeforeValidator(amount_of)]
Number = Annotated[float | None, BeforeValidator(number_of)]


class Row(BaseModel):
    """An odd member becomes its default."""

    model_config = ConfigDict(extra="ignore")
