"""How old the data of all accounts are, for every page: at the top what is wrong with them, at the foot their age."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runs.health import Health
from runs.models import Account


@dataclass(frozen=True, slots=True)
class AccountAge:
    """An account that is not switched off, with how its sync does. Its `sync` must be selected together with it."""

    account: Account
    health: Health

    @property
    def synced_at(self) -> datetime | None:
        state = getattr(self.account, "sync", None)
        return state.last_good_at if state else None

    @property
    def is_stale(self) -> bool:
        """Whether what is shown of it may be wrong by now; an account that is only new is not."""
        state = getattr(self.account, "sync", None)
        return self.health.is_bad and state is not None and bool(state.last_good_at or state.error)

    @property
    def known_so_far(self) -> int | None:
        """How many runs of the past were read while its history is not whole; None once it is."""
        state = getattr(self.account, "sync", None)
        if state is None or state.history_at or not state.last_good_at:
            return None
        return int(state.history.get("runs", 0))


@dataclass(frozen=True, slots=True)
class DataAge:
    """`now` is when the page was made."""

    lines: Sequence[AccountAge]
    now: datetime

    @property
    def stale(self) -> list[AccountAge]:
        return [line for line in self.lines if line.is_stale]

    @property
    def incomplete(self) -> list[AccountAge]:
        return [line for line in self.lines if line.known_so_far is not None]

    @property
    def never(self) -> list[AccountAge]:
        return [line for line in self.lines if line.synced_at is None]

    @property
    def oldest(self) -> AccountAge | None:
        """The account that was in sync longest ago; None while none ever was."""
        return min((line for line in self.lines if line.synced_at), key=lambda line: line.synced_at, default=None)
