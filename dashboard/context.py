"""What every template may use besides what its view gives it."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from dashboard.data_age import AccountAge, DataAge
from dashboard.models import Preference
from runs.health import health_of
from runs.models import Account, Run
from runs.vitals import silent_since

# Past this the top bar says "99+"; counting further would only cost time.
MOST_SHOWN = 100


@dataclass
class Navigation:
    """The top bar's counts, each asked for only when a template shows it."""

    path: str

    @property
    def section(self) -> str:
        """The first part of the path: "runs", "tests" …"""
        return self.path.strip("/").partition("/")[0]

    @cached_property
    def live(self) -> int:
        return Run.objects.live().order_by()[:MOST_SHOWN].count()

    @cached_property
    def data(self) -> DataAge:
        """How old the data of every account are; one query."""
        now = timezone.now()
        accounts = Account.objects.syncable().select_related("sync")
        return DataAge([AccountAge(account, health_of(account, now)) for account in accounts], now)

    @property
    def stale(self) -> list[AccountAge]:
        """The accounts to warn of; without a worker all are late, which is then said once and not of each."""
        return [line for line in self.data.stale if line.health.kind == "failing" or not self.no_worker_since]

    @cached_property
    def no_worker_since(self) -> datetime | None:
        """Since when nothing is synced, for want of a worker."""
        return silent_since([line.account for line in self.data.lines])

    @property
    def accounts(self) -> int:
        return len(self.data.lines)

    @property
    def accounts_well(self) -> int:
        return sum(not line.health.is_bad for line in self.data.lines)

    @property
    def accounts_failing(self) -> int:
        return sum(line.health.kind == "failing" for line in self.data.lines)


def viewer(request: HttpRequest) -> dict[str, object]:
    """`me`: the viewer's Preference. `nav`: the top bar's counts. Both lazy, so that partials pay nothing."""
    return {
        "me": SimpleLazyObject(lambda: preference_of(request)),
        "nav": Navigation(request.path),
    }


def preference_of(request: HttpRequest) -> Preference:
    """The viewer's preference, read once per request."""
    if not hasattr(request, "_preference"):
        request._preference = Preference.of(request.user)
    return request._preference
