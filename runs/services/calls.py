"""What our calls say about themselves, and how they end: for the provider's log and for our own count."""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from runs.trace import work

from .addresses import AddressRefused
from .base import Forbidden, NotFound, Refused, Unauthorized, Unavailable, UnexpectedAnswer

VERSION = "0.1.0"
# How a call may end, by what it raises; the first that fits. Anything else is a mistake of ours.
OUTCOMES = (
    (Forbidden, "forbidden"),
    (Unauthorized, "unauthorized"),
    (Refused, "refused"),
    (NotFound, "not_found"),
    (Unavailable, "unavailable"),
    (UnexpectedAnswer, "unexpected"),
)
BOUNDS = (0.1, 0.3, 1.0, 3.0, 10.0)  # seconds; the columns upto_… of ProviderCalls


@dataclass(slots=True)
class Count:
    """Calls of one kind with one outcome: how many, their seconds, and how many took at most each of BOUNDS."""

    calls: int = 0
    seconds: float = 0.0
    upto: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))

    def add(self, seconds: float) -> None:
        self.calls += 1
        self.seconds += seconds
        self.upto = [count + (seconds <= bound) for count, bound in zip(self.upto, BOUNDS, strict=True)]


Tally = dict[tuple[str, str], Count]  # by kind ("read", "write") and outcome
_tally: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def counting() -> Iterator[Tally]:
    """Inside it each call to a provider is counted in the tally it gives."""
    tally: Tally = {}
    token = _tally.set(tally)
    try:
        yield tally
    finally:
        _tally.reset(token)


def counted(call: Callable[..., Any]) -> Callable[..., Any]:
    """Count what this function sends once, a write where it is called with `write=True`."""

    @functools.wraps(call)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        began, outcome = time.monotonic(), "ok"
        try:
            return call(*args, **kwargs)
        except AddressRefused:
            outcome = ""  # nothing was sent
            raise
        except Exception as problem:
            outcome = next((word for kind, word in OUTCOMES if isinstance(problem, kind)), "broken")
            raise
        finally:
            tally = _tally.get()
            if tally is not None and outcome:
                key = ("write" if kwargs.get("write") else "read", outcome)
                tally.setdefault(key, Count()).add(time.monotonic() - began)

    return wrapper


def user_agent() -> str:
    """Who calls, and for which of our requests or turns, so that both sides' logs can be laid beside each other."""
    number = work().id
    return f"Plimsoll/{VERSION} (request {number})" if number else f"Plimsoll/{VERSION}"
