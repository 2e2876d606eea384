"""What every template may use besides what its view gives it."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from dashboard.models import Preference
from runs.health import Health, health_of
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
    def _health(self) -> list[Health]:
        now = timezone.now()
        return [health_of(account, now) for account in Account.objects.syncable().select_related("sync")]

    @cached_property
    def no_worker_since(self) -> datetime | None:
        """Since when nothing is synced, for want of a worker."""
        return silent_since()

    @property
    def accounts(self) -> int:
        return len(self._health)

    @property
    def accounts_well(self) -> int:
        return sum(not health.is_bad for health in self._health)

    @property
    def accounts_failing(self) -> int:
        return sum(health.kind == "failing" for health in self._health)


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
