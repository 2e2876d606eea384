"""Walking the lists of /cloud/v6 to their very end, though rows come and go between two pages.

A list is oldest first and its links count rows, so that a row deleted meanwhile pulls a later one out of sight. Runs
are therefore asked for anew after each page, from the creation of its last row on: those already seen come again, and
none is missed. A list that turns out to be in another order is followed by its links, and read again when it shrank.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .answers import parse_time
from .base import UnexpectedAnswer
from .k6_v6_payloads import LABEL

BARREN = 100  # so many pages without a new row: the list goes in circles
MOST_PAGES = 10_000
RESTARTS = 5


@dataclass(frozen=True, slots=True)
class Listing:
    """A page: its rows as they came, the link to the next one ("": there is none), and how many rows the list has."""

    rows: list[Any]
    link: str
    total: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk is: all created before `after` was seen, and of that very moment the rows `seen`."""

    after: datetime | None = None
    seen: tuple[str, ...] = ()


def walk(
    read: Callable[[datetime | None], Listing],
    follow: Callable[[str], Listing],
    place: Place | None = None,
    *,
    counted: bool = True,
) -> Iterator[tuple[list[Any], Place]]:
    """Pages of a list of runs: the rows not seen before, and the place after them. UnexpectedAnswer without an end.

    `read(after)` asks for the rows created then or later (None: all); `follow(link)` for the page a link leads to.
    `counted`: what the list says of its length is about all that `read(None)` asks for.
    """
    place = place or Place()
    rising = place.after is not None
    seen, window = set(place.seen), _Window(counted and not rising)
    page, barren = read(place.after), 0
    for _ in range(MOST_PAGES):
        fresh = [row for row in page.rows if _key(row) not in seen]
        seen.update(map(_key, page.rows))
        moved = _after(page.rows, place.after, rising)
        place = moved or place
        yield fresh, place
        barren = 0 if fresh else barren + 1
        if barren > BARREN:
            raise _broken("goes round in circles")
        if moved and page.link:
            rising, window, page = True, _Window(False), read(place.after)
        elif window.lacks_rows(page):
            page = read(place.after)
        elif page.link:
            page = follow(page.link)
        else:
            return
    raise _broken("has no end")


def rows_to_the_end(read: Callable[[], Listing], follow: Callable[[str], Listing]) -> list[Any]:
    """All rows of a list that is read by its links alone, each once."""
    found: dict[str, Any] = {}
    page, window = read(), _Window(True)
    for _ in range(MOST_PAGES):
        found |= {_key(row): row for row in page.rows}
        if window.lacks_rows(page):
            page = read()
        elif page.link:
            page = follow(page.link)
        else:
            return list(found.values())
    raise _broken("has no end")


class _Window:
    """Pages that are reached from one another by links, and whether they are all there."""

    def __init__(self, counted: bool):
        self._counted, self._restarts = counted, 0
        self._rows, self._highest = 0, 0

    def lacks_rows(self, page: Listing) -> bool:
        """Whether rows slipped away while it was read, so that it has to be begun anew; raises when it always does."""
        if page.total is None or not self._counted:
            return False
        self._rows, self._highest = self._rows + len(page.rows), max(self._highest, page.total)
        if page.total >= self._highest and (page.link or self._rows >= page.total):
            return False
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise _broken(f"counts {page.total} rows but shows only {self._rows}, or kept changing")
        self._rows, self._highest = 0, 0
        return True


def _after(rows: list[Any], after: datetime | None, rising: bool) -> Place | None:
    """The place after these rows, where they show that the list is oldest first; None where they do not."""
    times = [parse_time(row.get("created")) if isinstance(row, dict) else None for row in rows]
    known = [time for time in times if time]
    if not known or known != sorted(known) or times[-1] is None or (after and known[0] < after):
        return None
    last = known[-1]
    if after == last or not (rising or known[0] < last):
        return None
    return Place(last, tuple(_key(row) for row, time in zip(rows, times, strict=True) if time == last))


def _key(row: Any) -> str:
    """What tells a row from the others: its id, or all of it when it has none."""
    identity = row.get("id") if isinstance(row, dict) else None
    return json.dumps(row, sort_keys=True) if identity is None else str(identity)


def _broken(how: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"A list of {LABEL} {how}. It is read again next time; if this lasts, report it to Plimsoll's maintainers."
    )
