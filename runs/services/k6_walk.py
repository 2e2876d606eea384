"""Walking k6's lists to their very end, though rows come and go between two pages.

A walk ends only where the provider's own count says so; a list that cannot be read to its end raises UnexpectedAnswer.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from .answers import parse_time
from .base import UnexpectedAnswer
from .k6_legacy_api import Listing
from .k6_payloads import LABEL

REPEATS = 3  # the same page this often in a row: the list does not move on
# This many pages without a new row: the list goes in circles. Stepping back over deleted rows takes some, too.
BARREN = 100
MOST_PAGES = 10_000  # of one list in one walk
STEPS_BACK = 20  # each twice as far as the one before
RESTARTS = 5


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk is: how many rows to skip, and the last row seen, which has to be the first of the next page."""

    skip: int = 0
    last: str = ""
    last_created: datetime | None = None
    ended: bool = False


def walk_newest_first(
    read: Callable[[int, int], Listing], size: int, place: Place | None = None
) -> Iterator[tuple[list[Any], Place]]:
    """Pages of a list ordered by creation, newest first: the rows not seen before, and the place after them.

    `read(skip, top)` asks for rows. Each page begins with the last row of the page before. Rows created meanwhile push
    the others down, so that a page repeats some; rows deleted pull them up, so that the overlap is missing and the walk
    steps back until it is found again.
    """
    place = place or Place()
    top = max(size, 2)
    seen = {place.last} if place.last else set()
    before: list[str] = []
    repeats = steps = barren = 0
    for _ in range(MOST_PAGES):
        rows, total = read(place.skip, top)
        keys = [_key(row) for row in rows]
        if not rows and total is not None and total > place.skip:
            raise _broken(f"counts {total} runs but shows nothing after the first {place.skip}")
        if place.skip and not _joins(rows, keys, seen, place):
            steps += 1
            if steps > STEPS_BACK:
                raise _broken("kept changing while it was read")
            place = replace(place, skip=max(0, place.skip - (top - 1) * 2 ** (steps - 1)))
            continue
        repeats = repeats + 1 if keys and keys == before else 0
        if repeats >= REPEATS:
            raise _broken("shows the same page again and again")
        steps, before = 0, keys
        end = place.skip + len(rows)
        # A full page always asks on: one call more, and a wrong count cannot end the walk early.
        ended = len(rows) <= 1 if total is None else len(rows) < top and end >= total
        if rows:
            place = Place(max(end - 1, 1), keys[-1], _created(rows[-1]) or place.last_created)
        place = replace(place, ended=ended)
        fresh = [row for row, key in zip(rows, keys, strict=True) if key not in seen]
        seen.update(keys)
        barren = 0 if fresh else barren + 1
        if barren > BARREN:
            raise _broken("goes round in circles")
        yield fresh, place
        if ended:
            return
    raise _broken("has no end")


def walk_pages(read: Callable[[int], Listing]) -> Iterator[tuple[list[Any], bool]]:
    """Numbered pages of a list, from 1, until as many rows were seen as it counts: the new rows, and if that is all.

    When the count falls, rows were deleted and others may have slipped into a page already read: it begins again.
    """
    seen: set[str] = set()
    highest: int | None = None
    page, restarts = 1, 0
    for _ in range(MOST_PAGES):
        rows, total = read(page)
        keys = [_key(row) for row in rows]
        fresh = [row for row, key in zip(rows, keys, strict=True) if key not in seen]
        seen.update(keys)
        fell = total is not None and highest is not None and total < highest
        ended = not fresh if total is None else len(seen) >= total and not fell
        if total is not None and not fresh and not ended and not fell:
            raise _broken(f"counts {total} rows but shows only {len(seen)}")
        yield fresh, ended
        if ended:
            return
        highest, page = total, page + 1
        if fell:
            restarts += 1
            if restarts > RESTARTS:
                raise _broken("kept changing while it was read")
            seen, page = set(), 1
    raise _broken("has no end")


def _key(row: Any) -> str:
    """What tells a row from the others: its id, or all of it when it has none."""
    identity = row.get("id") if isinstance(row, dict) else None
    return json.dumps(row, sort_keys=True) if identity is None else str(identity)


def _created(row: Any) -> datetime | None:
    return parse_time(row.get("created")) if isinstance(row, dict) else None


def _joins(rows: list[Any], keys: list[str], seen: set[str], place: Place) -> bool:
    """Whether the page begins at or before the last row we have seen, so that nothing lies between."""
    if not rows:
        return False
    created = _created(rows[0])
    return keys[0] in seen or bool(created and place.last_created and created > place.last_created)


def _broken(how: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"A list of {LABEL} {how}. It is read again next time; if this lasts, report it to Plimsoll's maintainers."
    )
