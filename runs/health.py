"""How well an account's sync does, in one word and one sentence. A pure function of the stored state."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runs.choices import SyncInterval
from runs.models import Account, SyncState

# This much silence beyond the account's own interval is worth a look.
LATE_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Health:
    """`kind`: ok, live, late, failing, off (the dot's shape); `word`: what people read beside it."""

    kind: str
    word: str
    sentence: str = ""

    @property
    def is_bad(self) -> bool:
        return self.kind in ("failing", "late")


def health_of(account: Account, now: datetime) -> Health:
    """`account.sync` is read, so select it together with the account."""
    if account.archive:
        return Health("off", "Archive")
    if not account.enabled:
        return Health("off", "Disabled")
    state: SyncState | None = getattr(account, "sync", None)
    if state is None:
        return Health("late", "Not synced yet")
    if state.paused or state.error:
        return Health("failing", "Failing", state.error or "Paused until its credentials are entered again.")
    if state.lease_until and state.lease_until > now and state.phase:
        return Health("live", "Syncing", state.progress)
    if state.last_good_at is None:
        return Health("late", "Not synced yet")
    if now - state.last_good_at > LATE_AFTER + timedelta(seconds=account.sync_interval_s):
        often = (
            SyncInterval(account.sync_interval_s).label if account.sync_interval_s in SyncInterval.values else "often"
        )
        return Health("late", "Late", f"It is to be synced {often}, and was not.")
    return Health("ok", "In sync")
