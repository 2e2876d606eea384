"""Lists of /cloud/v6: paging with an absolute link to the next page, order, and the reading of query arguments."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from .clock import parse_instant
from .k6_v6_app import invalid
from .odata import FilterError, Row, ordered
from .wire import Reply, Request

T = TypeVar("T")

_PAGE = 1000
_WHOLE = re.compile("[0-9]{1,18}")


def listed(request: Request, rows: Sequence[T], view: Callable[[T], Row]) -> Reply:
    """One page of the rows, which are in order; `view` is asked for those of the page only."""
    top = _number(request, "$top", _PAGE)
    skip = _number(request, "$skip", 0)
    if not 1 <= top <= _PAGE:
        raise invalid(f"Input should be from 1 to {_PAGE}", "$top")
    body: dict[str, Any] = {"value": [view(row) for row in rows[skip : skip + top]]}
    if flag(request, "$count"):
        body["@count"] = len(rows)
    if skip + top < len(rows):
        body["@nextLink"] = next_link(request, skip + top, top)
    return Reply(200, body)


def next_link(request: Request, skip: int, top: int) -> str:
    others = [(name, value) for name, value in request.query if name not in ("$skip", "$top")]
    return f"{request.base_url}{request.path}?{urlencode([*others, ('$skip', skip), ('$top', top)])}"


def in_order(request: Request, rows: list[Row], *fields: str) -> list[Row]:
    """The rows as `$orderby` asks; as they are without it."""
    order = request.arg("$orderby")
    if order is None:
        return rows
    try:
        return ordered(rows, order, set(fields))
    except FilterError as error:
        raise invalid(str(error), "$orderby") from None


def _number(request: Request, name: str, default: int) -> int:
    text = request.arg(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text):
        raise invalid("Input should be a valid integer that is not negative", name)
    return int(text)


def flag(request: Request, name: str) -> bool | None:
    """None where it is absent."""
    text = request.arg(name)
    if text is None:
        return None
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise invalid("Input should be a valid boolean", name)
    return known[text.lower()]


def moment(request: Request, name: str) -> int | None:
    """A date with its zone, in microseconds; None where it is absent. A `+` that was not encoded is no zone."""
    text = request.arg(name)
    if text is None:
        return None
    when = parse_instant(text, zone_required=True)
    if when is None:
        raise invalid("Input should be a valid datetime with a time zone", name)
    return when
