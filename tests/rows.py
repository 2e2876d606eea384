"""Rows for page tests: an account, its load tests and runs, and people in each role."""

from datetime import UTC, date, datetime, timedelta

from django.contrib.auth.models import Group, User

from runs.choices import RunResult, RunStatus
from runs.models import Account, DayResult, LoadTest, Run

NOW = datetime(2026, 11, 20, 13, 32, tzinfo=UTC)


def make_user(role: str, name: str = "") -> User:
    """A person in one of the roles viewer, operator, admin."""
    user = User.objects.create_user(name or role, password="plimsoll")
    user.groups.add(Group.objects.get(name=role))
    return user


def make_account(name: str = "retail-prod", provider: str = "k6-legacy", **fields: object) -> Account:
    return Account.objects.create(
        name=name, provider=provider, base_url=fields.pop("base_url", "https://api.k6.io"), **fields
    )


def make_test(account: Account, name: str = "Checkout API - peak hour", **fields: object) -> LoadTest:
    fields.setdefault("external_id", f"id of {name}")
    return LoadTest.objects.create(account=account, name=name, **fields)


def make_run(load_test: LoadTest, number: int = 214, **fields: object) -> Run:
    """An ended, passed run of an hour before NOW unless told otherwise."""
    fields = {
        "status": RunStatus.FINISHED,
        "result": RunResult.PASSED,
        "created_at": NOW - timedelta(hours=1),
        "synced_at": NOW,
        "external_id": f"{load_test.pk}-{number}",
        **fields,
    }
    return Run.objects.create(account=load_test.account, load_test=load_test, number=number, **fields)


def make_day(load_test: LoadTest, day: date, **counts: int) -> DayResult:
    return DayResult.objects.create(load_test=load_test, day=day, runs=sum(counts.values()), **counts)
