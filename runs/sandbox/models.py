"""What the store holds. All providers share these shapes; what only one of them knows lives in `made`."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

K6 = "k6-legacy"
VSTS = "vsts"
AZURE = "azure"
PROVIDERS = (K6, VSTS, AZURE)  # each with a history of its own
V6 = "k6"  # the tests and runs of K6, seen through /cloud/v6
SPOKEN = (*PROVIDERS, V6)


def home(provider: str) -> str:
    """The provider whose history this one shows."""
    return K6 if provider == V6 else provider


@dataclass(slots=True)
class Test:
    """What can be started: a test, or, in VSTS, a run name (id is the name)."""

    provider: str
    id: str
    name: str
    made: dict[str, Any]


@dataclass(slots=True)
class Run:
    """One run with its whole life laid out. Nothing ticks: what it shows is computed from `steps`, `dates` and now.

    steps: [when, first word, second word], oldest first. k6: run_status, processing_status; VSTS: state, subState;
    Azure: status, nothing.
    dates: the provider's named moments (k6: started, ended; VSTS: queued, started, warm_up, load_started, ...).
    """

    provider: str
    id: str
    test: str
    number: int
    created: int
    steps: list[list[Any]]
    dates: dict[str, int]
    made: dict[str, Any] = field(default_factory=dict)

    def step_at(self, now: int) -> list[Any]:
        last = self.steps[-1]
        if last[0] <= now or len(self.steps) == 1:
            return last
        return self.steps[max(0, bisect_right(self.steps, now, key=lambda step: step[0]) - 1)]

    def date(self, name: str, now: int) -> int | None:
        """The named moment, once it has come."""
        when = self.dates.get(name)
        return when if when is not None and when <= now else None

    def ended_at(self, now: int) -> bool:
        return self.dates.get("ended", now + 1) <= now

    def data(self) -> dict[str, Any]:
        """Its members, not copied: to be written out at once."""
        return {name: getattr(self, name) for name in self.__slots__}
