"""When a freeze window holds: its spans as moments, whatever the clocks of its zone do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.utils import timezone

from runs.models import Account, FreezeWindow, Target

A_DAY, A_MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From `begins` up to but without `ends`; both in UTC."""

    window: FreezeWindow
    begins: datetime
    ends: datetime

    def holds(self, moment: datetime) -> bool:
        return self.begins <= moment < self.ends

    @property
    def words(self) -> str:
        """ "Fri 27 Nov 00:00 to Mon 30 Nov 06:00 CET", in the active zone."""
        zones = [timezone.localtime(moment).tzname() for moment in (self.begins, self.ends)]
        begins = local(self.begins)
        return f"{begins.removesuffix(' ' + zones[0]) if zones[0] == zones[1] else begins} to {local(self.ends)}"


def local(moment: datetime) -> str:
    """ "Mon 30 Nov 06:00 CET" in the active zone, the reader's; with the year where it is not this one."""
    here = timezone.localtime(moment)
    year = f" {here.year}" if here.year != timezone.localtime().year else ""
    return f"{here:%a} {here.day} {here:%b}{year} {here:%H:%M %Z}"


def span_now(window: FreezeWindow, now: datetime) -> Span | None:
    """The span that holds at `now`; of two the one that lasts longer. Switched off, none does."""
    found = [span for span in _spans(window, now, days_ahead=0) if span.holds(now)] if window.enabled else []
    return max(found, key=lambda span: span.ends, default=None)


def span_next(window: FreezeWindow, now: datetime) -> Span | None:
    """The first span that begins after `now`."""
    found = [span for span in _spans(window, now, days_ahead=8) if span.begins > now] if window.enabled else []
    return min(found, key=lambda span: span.begins, default=None)


def windows_of(account: Account, target: Target | None) -> QuerySet[FreezeWindow]:
    """The windows that are switched on and hold for starts on this account against this target."""
    meant = Q(account=None, target=None) | Q(account=account)
    if target is not None:
        meant |= Q(target=target)
    return FreezeWindow.objects.filter(meant, enabled=True).select_related("account", "target")


def _spans(window: FreezeWindow, now: datetime, days_ahead: int) -> Iterator[Span]:
    """The one span of a window that is not weekly; else those that begin from yesterday on, by the window's days."""
    if not window.weekly:
        yield Span(window, window.starts_at.astimezone(UTC), window.ends_at.astimezone(UTC))
        return
    yesterday = now.astimezone(window.zone).date() - A_DAY
    for ahead in range(days_ahead + 2):
        day = yesterday + ahead * A_DAY
        if day.weekday() in window.weekdays:
            yield _span_on(window, day)


def _span_on(window: FreezeWindow, day: date) -> Span:
    """The weekly span that begins on this day; one that does not end later the same day ends the next."""
    last_day = day if window.from_time < window.to_time else day + A_DAY
    begins = moment_of(day, window.from_time, window.zone)
    return Span(window, begins, moment_of(last_day, window.to_time, window.zone, last=True))


def moment_of(day: date, clock: time, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """When the zone's clocks first (`last`: for the last time) show this time on this day, in UTC.

    Where they skip it, because they are put forward, it is the moment they skip it.
    """
    wall = datetime.combine(day, clock)
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if before <= after:
        return after if last else before
    moment = after  # skipped: `after` is too early by the length of the gap
    while moment.astimezone(zone).replace(tzinfo=None) < wall:
        moment += A_MINUTE
    return moment
