"""Bytes of a provider -> values that are safe to keep: JSON, text and times, whatever was sent."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from .base import UnexpectedAnswer

TOLERATED = timedelta(minutes=5)  # between two clocks: less than what two passes overlap
NO_CLOCK = timedelta(days=30)  # whoever is that far behind tells no time

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Only a body with such an escape can hold a NUL or a surrogate after parsing: the others need no second walk.
_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def parse_json(body: bytes, provider: str) -> Any:
    """The JSON value in `body`, without NaN, infinity, NUL or lone surrogates; None for an empty body.

    UnexpectedAnswer for anything that is not JSON, or nested too deep.
    """
    if not body.strip():
        return None
    problem = "could not be read"
    try:
        value = json.loads(body.decode("utf-8-sig", "replace"), parse_constant=lambda _: None, parse_float=_finite)
        return _clean(value) if _SUSPICIOUS.search(body) or b"\0" in body else value
    except RecursionError:
        problem = "was nested too deep"
    except ValueError:
        if body.lstrip()[:1] == b"<":
            problem = "was a web page instead of data"
    raise UnexpectedAnswer(
        f"The answer of {provider} {problem}. Check the account's address; if it is right, try again later and report "
        "it to Plimsoll's maintainers if it lasts."
    )


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _clean_str(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean_str(key): _clean(item) for key, item in value.items()}
    return value


def _clean_str(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\0", ""))


def clean_text(value: object, limit: int = 10_000) -> str:
    """A provider's text as databases take it: no NUL, no lone surrogate, at most `limit` characters (clipped with "…").

    Numbers become text; None and everything else become "".
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = _clean_str(str(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def number_of(value: object) -> float | None:
    """A number, also from its text, with room to be multiplied by a thousand; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e300 else None


def whole_of(value: object) -> int | None:
    """A whole number that fits 64 bits, also from its text; None for anything else."""
    number = value if isinstance(value, int) and not isinstance(value, bool) else number_of(value)
    return int(number) if number is not None and abs(number) < 2**63 and number == int(number) else None


def amount_of(value: object) -> int | None:
    """A whole number from 0 on that fits the tables' columns; None for anything else."""
    number = whole_of(value)
    return number if number is not None and 0 <= number < 2**31 else None


def parse_time(text: str | None) -> datetime | None:
    """An ISO 8601 time as an aware UTC datetime: 0 to 7 fraction digits, "Z", offset or none (none is UTC), or compact.

    None for what is empty or unreadable, and for the years 1 and 9999, by which .NET and Go write "no time".
    """
    if not isinstance(text, str) or len(text) < 8:
        return None
    try:
        time = datetime.fromisoformat(text.strip())
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return time if 1 < time.year < 9999 else None


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """What the server's clock said when it answered; None when it is not told, or a cache gave out an old answer."""
    try:
        time = parsedate_to_datetime(headers["Date"]) if "Age" not in headers else None
        return time and time.replace(tzinfo=time.tzinfo or UTC)
    except (KeyError, ValueError, TypeError):
        return None


def clock_behind(theirs: datetime | None, ours: datetime) -> timedelta:
    """How far a server's clock is behind ours; zero when it is not told, nearly right, ahead or nonsense."""
    behind = ours - theirs if theirs else timedelta(0)
    return behind if TOLERATED < behind < NO_CLOCK else timedelta(0)
