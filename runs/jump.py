"""What a few typed letters lead to: runs by number, id or name, and load tests and accounts by name."""

from collections.abc import Sequence

from django.db.models import QuerySet

from runs.listing import RunFilters, Wanted, runs_called, runs_matching
from runs.models import Account, LoadTest, Run

MOST = 6


def exact_runs(text: str) -> list[Run]:
    """The newest runs with this number or id."""
    return _newest(runs_called([text]))


def runs_of(text: str, but: Sequence[Run] = ()) -> list[Run]:
    """The newest runs of load tests named like this, besides those found already."""
    return _newest(runs_matching(RunFilters(name=Wanted(any_of=(text,)))).exclude(pk__in=[run.pk for run in but]))


def _newest(runs: QuerySet[Run]) -> list[Run]:
    return list(runs.for_list().with_failing().order_by("-created_at", "-id")[:MOST])


def load_tests_like(text: str) -> list[LoadTest]:
    """Load tests with this in their name, by name."""
    return list(LoadTest.objects.filter(name__icontains=text).select_related("account")[:MOST])


def accounts_like(text: str) -> list[Account]:
    """Accounts with this in their name, by name."""
    return list(Account.objects.filter(name__icontains=text)[:MOST])
