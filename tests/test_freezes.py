"""Freeze windows: the moments at which each holds, through midnight and the nights when clocks change."""

from datetime import UTC, datetime, time

import pytest

from runs.freezes import span_next, span_now, windows_of
from runs.models import FreezeWindow, Target
from tests.rows import make_account

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)


def at(text: str) -> datetime:
    """ "2026-11-27 22:00" in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def weekly(days: list[int], start: str, end: str, zone: str = "Europe/Berlin", **more: object) -> FreezeWindow:
    times = {"from_time": time.fromisoformat(start), "to_time": time.fromisoformat(end)}
    return FreezeWindow(name="w", weekly=True, weekdays=days, time_zone=zone, **times, **more)


def once(start: str, end: str) -> FreezeWindow:
    return FreezeWindow(name="o", starts_at=at(start), ends_at=at(end))


BLACK_FRIDAY = once("2026-11-26 23:00", "2026-11-30 05:00")
OFFICE = weekly([MON, TUE, WED, THU, FRI], "09:00", "17:30")  # CET is UTC+1, CEST UTC+2
NIGHT = weekly([FRI], "22:00", "06:00")
WEEKEND = weekly([SAT, SUN], "00:00", "00:00")
NEW_YORK = weekly([MON], "20:00", "23:00", "America/New_York")
KATHMANDU = weekly([WED], "00:00", "01:00", "Asia/Kathmandu")  # UTC+5:45
# 29 March 2026, a Sunday: Berlin's clocks go from 02:00 to 03:00 at 01:00 UTC.
GAP_START, GAP_END = weekly([SUN], "02:30", "05:00"), weekly([SUN], "01:00", "02:30")
INSIDE_GAP = weekly([SUN], "02:10", "02:50")
# 25 October 2026, a Sunday: they show 02:00 to 03:00 twice, from 00:00 UTC and again from 01:00 UTC.
FOLD_START, FOLD_END = weekly([SUN], "02:30", "05:00"), weekly([SUN], "01:00", "02:30")
LATE_SATURDAY = weekly([SAT], "22:00", "04:00")

MOMENTS = [
    (BLACK_FRIDAY, "2026-11-26 22:59:59", False),
    (BLACK_FRIDAY, "2026-11-26 23:00", True),
    (BLACK_FRIDAY, "2026-11-30 04:59:59", True),
    (BLACK_FRIDAY, "2026-11-30 05:00", False),
    (OFFICE, "2026-11-20 07:59", False),  # Friday, 08:59 in Berlin
    (OFFICE, "2026-11-20 08:00", True),
    (OFFICE, "2026-11-20 16:29", True),
    (OFFICE, "2026-11-20 16:30", False),
    (OFFICE, "2026-11-21 10:00", False),  # Saturday
    (OFFICE, "2026-07-17 07:00", True),  # in summer an hour earlier
    (OFFICE, "2026-07-17 06:59", False),
    (NIGHT, "2026-11-20 20:59", False),
    (NIGHT, "2026-11-20 21:00", True),
    (NIGHT, "2026-11-20 23:30", True),  # it is Saturday in Berlin
    (NIGHT, "2026-11-21 04:59", True),
    (NIGHT, "2026-11-21 05:00", False),
    (NIGHT, "2026-11-21 22:00", False),  # Saturday's own night is free
    (WEEKEND, "2026-11-20 22:59", False),
    (WEEKEND, "2026-11-20 23:00", True),
    (WEEKEND, "2026-11-21 23:00", True),  # from Saturday into Sunday without a break
    (WEEKEND, "2026-11-22 22:59", True),
    (WEEKEND, "2026-11-22 23:00", False),
    (NEW_YORK, "2026-11-24 01:00", True),  # Monday 20:00 there, Tuesday in UTC
    (NEW_YORK, "2026-11-24 03:59", True),
    (NEW_YORK, "2026-11-24 04:00", False),
    (NEW_YORK, "2026-11-23 20:00", False),
    (KATHMANDU, "2026-11-24 18:14", False),
    (KATHMANDU, "2026-11-24 18:15", True),
    (KATHMANDU, "2026-11-24 19:15", False),
    (GAP_START, "2026-03-29 00:59", False),
    (GAP_START, "2026-03-29 01:00", True),  # 02:30 is skipped: it begins as the clocks jump to 03:00
    (GAP_START, "2026-03-29 02:59", True),
    (GAP_START, "2026-03-29 03:00", False),
    (GAP_END, "2026-03-29 00:00", True),
    (GAP_END, "2026-03-29 00:59", True),
    (GAP_END, "2026-03-29 01:00", False),  # it ends as they jump
    (INSIDE_GAP, "2026-03-29 00:59", False),
    (INSIDE_GAP, "2026-03-29 01:00", False),  # that night it never comes
    (INSIDE_GAP, "2026-04-05 00:10", True),
    (FOLD_START, "2026-10-25 00:29", False),
    (FOLD_START, "2026-10-25 00:30", True),  # the first 02:30
    (FOLD_START, "2026-10-25 01:10", True),  # 02:10 again, but it has begun
    (FOLD_START, "2026-10-25 04:00", False),
    (FOLD_END, "2026-10-24 23:00", True),
    (FOLD_END, "2026-10-25 00:45", True),  # between the two
    (FOLD_END, "2026-10-25 01:29", True),
    (FOLD_END, "2026-10-25 01:30", False),  # the last 02:30
    (LATE_SATURDAY, "2026-10-24 20:00", True),
    (LATE_SATURDAY, "2026-10-25 02:59", True),  # an hour longer that night
    (LATE_SATURDAY, "2026-10-25 03:00", False),
]


@pytest.mark.parametrize(("window", "moment", "holds"), MOMENTS)
def test_when_a_window_holds(window, moment, holds):
    assert (span_now(window, at(moment)) is not None) is holds


def test_it_says_until_when_and_from_when_on():
    assert span_now(NIGHT, at("2026-11-21 03:00")).ends == at("2026-11-21 05:00")
    assert span_next(NIGHT, at("2026-11-21 03:00")).begins == at("2026-11-27 21:00")
    assert span_next(BLACK_FRIDAY, at("2026-11-20 12:00")).begins == at("2026-11-26 23:00")
    assert span_next(BLACK_FRIDAY, at("2026-11-27 12:00")) is None
    assert span_next(weekly([FRI], "09:00", "10:00"), at("2026-11-20 08:00")).begins == at("2026-11-27 08:00")


def test_of_two_days_that_overlap_the_later_end_counts():
    every_day = weekly([FRI, SAT], "08:00", "08:00")
    assert span_now(every_day, at("2026-11-21 07:00")).ends == at("2026-11-22 07:00")


def test_a_window_that_is_switched_off_never_holds():
    for window in (weekly([FRI], "00:00", "00:00", enabled=False), once("2026-11-01 00:00", "2026-12-01 00:00")):
        window.enabled = False
        assert span_now(window, at("2026-11-20 12:00")) is None
        assert span_next(window, at("2026-10-01 12:00")) is None


def test_without_a_weekday_it_never_holds():
    assert span_now(weekly([], "00:00", "00:00"), at("2026-11-20 12:00")) is None


@pytest.mark.django_db
def test_a_window_holds_for_one_account_for_one_target_or_for_all():
    one, other = make_account("one"), make_account("other")
    shop, search = Target.objects.create(name="Shop"), Target.objects.create(name="Search")
    span = {"starts_at": at("2026-11-01 00:00"), "ends_at": at("2026-12-01 00:00")}
    for name, scope in {"all": {}, "on one": {"account": one}, "on shop": {"target": shop}}.items():
        FreezeWindow.objects.create(name=name, **span, **scope)
    FreezeWindow.objects.create(name="off", enabled=False, **span)
    meant = {
        (account.name, target and target.name): {str(window) for window in windows_of(account, target)}
        for account in (one, other)
        for target in (None, shop, search)
    }
    assert meant == {
        ("one", None): {"all", "on one"},
        ("one", "Shop"): {"all", "on one", "on shop"},
        ("one", "Search"): {"all", "on one"},
        ("other", None): {"all"},
        ("other", "Shop"): {"all", "on shop"},
        ("other", "Search"): {"all"},
    }
