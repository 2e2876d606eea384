"""When a k6 schedule starts its test next: once, by a recurrence rule, or by a cron expression."""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import tzinfo as TimeZone
from typing import Any
from zoneinfo import ZoneInfo

from .clock import DAY, SECOND

Schedule = dict[str, Any]

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PERIODS = {"HOURLY": 3600 * SECOND, "DAILY": DAY, "WEEKLY": 7 * DAY, "MONTHLY": 1, "YEARLY": 12}
LATEST = 7_258_118_400 * SECOND  # the year 2200: nothing is scheduled later

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, ("", *_MONTHS)), (0, 7, _DAYS),
)  # fmt: skip
_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d{1,4}))?", re.ASCII)
_DAYS_AHEAD = 366 * 8 + 1  # the longest wait for a 29 February


class BadCron(ValueError):
    """Not five fields, not an alias, or a time zone nobody knows."""


def next_run(schedule: Schedule, now: int) -> int | None:
    """The first start after now, in microseconds; None once there are no more."""
    starts, rule, cron = schedule["starts"], schedule["recurrence_rule"], schedule["cron"]
    after = max(now, starts - 1)
    if cron:
        when = _next_by_cron(cron, after)
    elif rule:
        when = next((moment for moment in _by_rule(rule, starts, after) if moment > after), None)
        if when is not None and rule["until"] is not None and when > rule["until"]:
            return None
    else:
        when = starts if starts > now else None
    return when if when is not None and when <= LATEST else None


def _by_rule(rule: dict[str, Any], starts: int, after: int) -> Iterator[int]:
    """Starts in order, from some that are not after that moment on, as many as the rule's count lets be."""
    period = PERIODS[rule["frequency"]] * rule["interval"]
    if rule["frequency"] in ("MONTHLY", "YEARLY"):
        found = _by_months(starts, after, period)
    elif rule["byday"]:
        found = _by_days(sorted(WEEKDAYS.index(day) for day in set(rule["byday"])), starts, after, period)
    else:
        first = max(0, (after - starts) // period)
        found = ((first + n, starts + (first + n) * period) for n in range(3))
    for index, moment in found:
        if rule["count"] is None or index < rule["count"]:
            yield moment


def _by_days(days: list[int], starts: int, after: int, period: int) -> Iterator[tuple[int, int]]:
    """On these days of every so many weeks, counted from the week of the first."""
    weekday = _date(starts).weekday()
    monday = starts - weekday * DAY
    skipped = sum(day < weekday for day in days)
    week = max(0, (after - monday) // period)
    for turn in (week, week + 1, week + 2):
        for place, day in enumerate(days):
            index = turn * len(days) + place - skipped
            if index >= 0:
                yield index, monday + turn * period + day * DAY


def _by_months(starts: int, after: int, months: int) -> Iterator[tuple[int, int]]:
    """On the same day of the month, or on the last one of a month that is too short."""
    first, today = _date(starts), _date(min(after, LATEST))
    gone = (today.year - first.year) * 12 + today.month - first.month
    index = max(0, gone // months)
    for turn in (index, index + 1):
        year, month = divmod(first.year * 12 + first.month - 1 + turn * months, 12)
        if year < 9999:
            day = min(first.day, monthrange(year, month + 1)[1])
            yield turn, starts + (date(year, month + 1, day) - first).days * DAY


def _date(us: int) -> date:
    return (_EPOCH + timedelta(microseconds=us)).date()


# --- cron ------------------------------------------------------------------------------------------------------------


def check_cron(cron: dict[str, str]) -> None:
    """Raises BadCron."""
    _fields(cron["schedule"])
    _zone(cron["time_zone"])


def _zone(name: str) -> TimeZone:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadCron(f"Unknown time zone: {name}") from None


def _fields(text: str) -> list[set[int]]:
    """The minutes, hours, days, months and weekdays (0 is Sunday) it means."""
    parts = _ALIASES.get(text.strip().lower(), text).split()
    if len(parts) != len(_FIELDS):
        raise BadCron("A cron expression has exactly 5 entries.")
    found = [_field(part, *bounds) for part, bounds in zip(parts, _FIELDS, strict=True)]
    found[4] = {day % 7 for day in found[4]}
    return found


def _field(text: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if not match:
            raise BadCron(f"Not an entry of a cron expression: {text}")
        first, last, step = match.groups()
        start = low if first is None else _value(first, low, high, names)
        end = _value(last, low, high, names) if last else start if first and not step else high
        if start > end or step == "0":
            raise BadCron(f"Not an entry of a cron expression: {text}")
        found |= set(range(start, end + 1, int(step or 1)))
    return found


def _value(text: str, low: int, high: int, names: tuple[str, ...]) -> int:
    value = int(text) if re.fullmatch("[0-9]{1,4}", text) else -1
    if text.upper() in names and text:
        value = names.index(text.upper())
    if not low <= value <= high:
        raise BadCron(f"Not an entry of a cron expression: {text}")
    return value


def _next_by_cron(cron: dict[str, str], after: int) -> int | None:
    minutes, hours, days, months, weekdays = _fields(cron["schedule"])
    zone = _zone(cron["time_zone"])
    either = len(days) < 31 and len(weekdays) < 7  # with both given, one of them is enough
    today = (_EPOCH + timedelta(microseconds=after)).astimezone(zone).date()
    for ahead in range(_DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        fits = day.day in days, (day.weekday() + 1) % 7 in weekdays
        if day.month not in months or not (any(fits) if either else all(fits)):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                when = (moment - _EPOCH) // timedelta(microseconds=1)
                if when > after:
                    return when
    return None
