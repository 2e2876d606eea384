"""What a provider says of an account besides tests and runs: when it starts tests by itself, limits, load zones.

Read once a day, with a full pass, and when somebody asks for a sync; only of services that declare it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction

from runs.models import Account, Schedule, SyncState
from runs.services.base import (
    Capability,
    Fact,
    Forbidden,
    NotFound,
    Refused,
    RemoteSchedule,
    RunService,
    Unauthorized,
    UnexpectedAnswer,
)

from .lease import CLOCK_WRONG
from .mirror import fitted, hold

Answer = TypeVar("Answer")
EVERY = timedelta(days=1)
NOT_READ = "Could not be read"  # the group of facts that say why others are missing


def is_due(service: RunService, read_at: datetime | None, now: datetime) -> bool:
    if not service.capabilities & {Capability.SCHEDULES, Capability.FACTS}:
        return False
    return read_at is None or not -CLOCK_WRONG < now - read_at < EVERY


def read_catalogue(account: Account, service: RunService, now: datetime, write: Callable[..., None]) -> None:
    """Store schedules as rows and facts in the SyncState, by `write(**columns)` of the lease.

    What is refused stays as it was last read, and is named among the facts. What is true of the whole provider
    (Unavailable, credentials not accepted) is the caller's to handle.
    """
    schedules = facts = None
    problems: list[Fact] = []
    if Capability.SCHEDULES in service.capabilities:
        schedules = _asked("Schedules", problems, lambda: [one for page in service.iter_schedules() for one in page])
    if Capability.FACTS in service.capabilities:
        facts = _asked("Limits and load zones", problems, service.facts)
    with transaction.atomic():
        hold(account)
        if schedules is not None:
            save_schedules(account, schedules, now)
        write(facts=_rows(problems) + (_known(account) if facts is None else _rows(facts)), facts_at=now)


def save_schedules(account: Account, schedules: Sequence[RemoteSchedule], now: datetime) -> None:
    """Make the rows of this account these, which are all there are; one of a test we do not know is left out."""
    tests = dict(account.load_tests.values_list("external_id", "pk"))
    rows = {
        (tests[one.test_external_id], one.external_id): fitted(
            Schedule(
                load_test_id=tests[one.test_external_id], external_id=one.external_id, active=one.active,
                starts_at=one.starts_at, next_run_at=one.next_run_at, rule=one.rule, created_by=one.created_by,
                synced_at=now,
            )
        )
        for one in schedules
        if one.test_external_id in tests
    }  # fmt: skip
    Schedule.objects.bulk_create(
        rows.values(), update_conflicts=True, unique_fields=("load_test", "external_id"),
        update_fields=("active", "starts_at", "next_run_at", "rule", "created_by", "synced_at"),
    )  # fmt: skip
    for schedule in Schedule.objects.filter(load_test__account=account):
        if (schedule.load_test_id, schedule.external_id) not in rows:
            schedule.delete()


def _asked(what: str, problems: list[Fact], ask: Callable[[], Answer]) -> Answer | None:
    try:
        return ask()
    except (NotFound, Refused, UnexpectedAnswer) as problem:
        if isinstance(problem, Unauthorized) and not isinstance(problem, Forbidden):
            raise
        problems.append(Fact(NOT_READ, what, str(problem)))
        return None


def _rows(facts: Sequence[Fact]) -> list[list[str]]:
    return [[fact.group, fact.name, fact.value] for fact in facts]


def _known(account: Account) -> list[Any]:
    """The facts as they were last read."""
    return [row for row in SyncState.objects.get(account=account).facts if row[0] != NOT_READ]
