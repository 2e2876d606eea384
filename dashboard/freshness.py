"""How old what the run list or a live run's page shows is, how often it asks for news, which runs have come since."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from runs.health import LATE_AFTER, health_of
from runs.listing import PAGE_SIZE, Order, RunFilters, RunPage, runs_matching
from runs.models import Account, Run

# Intervals people may choose, in seconds; 0 pauses.
INTERVALS = (5, 15, 60, 0)
SHORTEST_S = 5
MOST_NEW = 99
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Freshness:
    """`kind`: live (rows shown may change), calm, paused, stale or never; `account`: which one is the oldest."""

    kind: str
    seconds: int
    synced_at: datetime | None = None
    account: str = ""

    @property
    def age_s(self) -> int:
        return max(0, int((timezone.now() - self.synced_at).total_seconds())) if self.synced_at else 0


def freshness_of(seconds: int, live: bool) -> Freshness | None:
    """What the chip says; one query. An account that is late or fails decides, or else the one synced longest ago.

    None where there are only archives, of which nothing new comes.
    """
    now = timezone.now()
    accounts = list(Account.objects.syncable().select_related("sync"))
    times = [(account.sync.last_good_at if hasattr(account, "sync") else None, account) for account in accounts]
    never = next((account.name for moment, account in times if moment is None), None)
    if not times and Account.objects.exists() and not Account.objects.filter(archive=False).exists():
        return None
    if not times or never is not None:
        other = any(moment for moment, _ in times)
        return Freshness("never" if seconds else "paused", seconds, account=never if other else "")
    moment, oldest = min(times, key=lambda each: each[0])
    if health_of(oldest, now).is_bad or now - moment > LATE_AFTER + timedelta(seconds=oldest.sync_interval_s):
        return Freshness("stale", seconds, moment, oldest.name)
    return Freshness("paused" if not seconds else "live" if live else "calm", seconds, moment)


def freshness_of_run(run: Run, seconds: int, trouble: bool) -> Freshness:
    """What the chip says on the page of a run that can still change."""
    if trouble or timezone.now() - run.synced_at > LATE_AFTER:
        return Freshness("stale", seconds, run.synced_at, run.account.name)
    return Freshness("live" if seconds else "paused", seconds, run.synced_at)


def newest_known() -> int:
    """The id of the run that came last."""
    return Run.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def since_of(page: RunPage, newest: int) -> str:
    """As text for an address: where a run has to stand to be on this first page, and the last run known to it."""
    lowest = page.runs[-1].created_at if len(page.runs) >= PAGE_SIZE else _EVER
    return f"{lowest.astimezone(UTC).isoformat()}~{newest}"


def new_runs(filters: RunFilters, since: str) -> int:
    """How many such runs have come since; counted up to MOST_NEW + 1. BadCursor when `since` cannot be read."""
    lowest, newest = Order().read(since)
    return runs_matching(filters).filter(pk__gt=newest, created_at__gte=lowest).order_by()[: MOST_NEW + 1].count()
