"""Time inside the sandbox: whole microseconds since 1970 (UTC), and the ways the providers write them.

The clock is the real one plus whatever `advance` added, so the dates a client sees agree with its own. `speed` does not
bend the clock: it shortens the lives of runs that are started here (see `lives.py`).
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
DAY = 86_400 * SECOND

_INSTANT = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:\.(\d{1,9}))?)?)?"
    r"\s*(Z|z|[+-]\d\d:?\d\d)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """The sandbox's time. `base` gives seconds since 1970.

    In microseconds: `offset` is what was advanced, `skew` how far the clock is wrong just now.
    """

    def __init__(self, base: Callable[[], float] | None = None, offset: int = 0) -> None:
        self._base = base or time.time
        self.offset = offset
        self.skew = 0
        self._frozen: int | None = None

    def now(self) -> int:
        if self._frozen is not None:
            return self._frozen + self.offset + self.skew
        return int(self._base() * SECOND) + self.offset + self.skew

    def advance(self, seconds: float) -> int:
        self.offset += int(seconds * SECOND)
        return self.now()

    def freeze(self, frozen: bool) -> None:
        """Stop the clock where it is, or let it run on from the real time. `advance` works either way."""
        self._frozen = int(self._base() * SECOND) if frozen else None


def iso(us: int) -> str:
    """`2026-05-11T16:00:58.984041Z`: always six digits."""
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def iso_or_none(us: int | None) -> str | None:
    return None if us is None else iso(us)


def iso_seven(us: int) -> str:
    """Microsoft's form: up to seven digits, trailing zeros trimmed. The seventh digit follows from the others."""
    text = iso(us)[:-1]
    if us % SECOND == 0:
        return text[:19] + "Z"
    return (text + str(us // 7 % 10)).rstrip("0") + "Z"


def parse_instant(text: str, *, zone_required: bool = False) -> int | None:
    """Microseconds of an ISO date in any form the providers' clients send, or None where it is not one.

    `2026-01-02`, `2026-01-02T03:04:05.1234567Z`, `20260102T030405Z`, `2026-01-02T03:04:05+02:00`; without a zone: UTC.
    """
    found = _INSTANT.fullmatch(text.strip())
    if not found or (zone_required and not found[8]):
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    us = (moment - _EPOCH) // timedelta(microseconds=1) + int((found[7] or "0").ljust(9, "0")[:6])
    zone = (found[8] or "Z").replace(":", "")
    if zone in "Zz":
        return us
    minutes = int(zone[1:3]) * 60 + int(zone[3:5])
    return us - minutes * 60 * SECOND * (-1 if zone[0] == "-" else 1)
