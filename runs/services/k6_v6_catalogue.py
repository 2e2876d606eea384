"""What Grafana Cloud k6 says of an account besides its runs: limits, load zones, and when it starts tests by itself."""

from collections.abc import Iterable, Mapping, Sequence

from .base import Fact, RemoteSchedule
from .k6_v6_payloads import Cron, Limits, LoadZone, Rule, Schedule

UNITS = {"HOURLY": "hour", "DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
DAYS = {
    "MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
    "SU": "Sunday",
}  # fmt: skip


def read_schedule(item: Schedule) -> RemoteSchedule:
    """One whose last start lies behind it is as good as switched off."""
    return RemoteSchedule(
        external_id=item.id,
        test_external_id=item.load_test_id,
        active=not item.deactivated and item.next_run is not None,
        starts_at=item.starts,
        next_run_at=item.next_run,
        rule=_words(item.rule, item.cron),
        created_by=item.created_by,
    )


def _words(rule: Rule | None, cron: Cron | None) -> str:
    if cron and cron.schedule:
        return f"cron {cron.schedule}" + (f" ({cron.time_zone})" if cron.time_zone else "")
    if rule is None or not rule.frequency:
        return ""
    unit = UNITS.get(rule.frequency.upper(), rule.frequency.lower())
    words = f"every {unit}" if (rule.interval or 1) == 1 else f"every {rule.interval} {unit}s"
    if rule.byday:
        words += f" on {', '.join(DAYS.get(day.upper(), day) for day in rule.byday)}"
    if rule.until:
        words += f" until {rule.until:%Y-%m-%d %H:%M} UTC"
    return words + (f", {rule.count} times" if rule.count else "")


def limit_facts(limits: Iterable[Limits], projects: Mapping[str, str]) -> list[Fact]:
    """`projects`: names by id."""
    facts = []
    for item in limits:
        group = f"Limits of project {projects.get(item.project_id) or item.project_id}"
        values = (
            ("Virtual-user hours per month", item.vuh_max_per_month, ""),
            ("Virtual users per test", item.vu_max_per_test, ""),
            ("Browser virtual users per test", item.vu_browser_max_per_test, ""),
            ("Duration per test", item.duration_max_per_test, " s"),
        )
        facts += [
            Fact(group, name, "no limit" if value is None else f"{value:,}{unit}") for name, value, unit in values
        ]
    return facts


def zone_facts(zones: Sequence[LoadZone]) -> list[Fact]:
    facts = []
    for zone in zones:
        words = ("public" if zone.public else "private", "available" if zone.available else "not available")
        name = zone.k6_load_zone_id or zone.name
        facts.append(
            Fact("Load zones", name, ", ".join(filter(None, (zone.name if zone.k6_load_zone_id else "", *words))))
        )
    return facts
