"""Whose work this is: an id for each request and each background turn, for the log and for the provider.

It knows nothing of the rest, so that everything may use it. A new thread begins with nothing.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Work:
    """`id` of the request or turn; `person`: the id of who asked for it; `account`: the slug of whose provider is
    called. Each "" while it is not known."""

    id: str = ""
    person: str = ""
    account: str = ""


_work: ContextVar[Work] = ContextVar("work", default=Work())  # noqa: B039 (it is frozen)


def work() -> Work:
    """What is being worked on here and now."""
    return _work.get()


def new_id() -> str:
    """16 characters that nobody else has."""
    return secrets.token_hex(8)


@contextmanager
def at_work(**known: str) -> Iterator[None]:
    """Inside it `work()` knows this besides what it knew already, and has an id in any case."""
    outer = _work.get()
    token = _work.set(replace(outer, **{"id": outer.id or new_id(), **known}))
    try:
        yield
    finally:
        _work.reset(token)


def note(**known: str) -> None:
    """Learn more about the work under way; forgotten at the end of its `at_work`."""
    _work.set(replace(_work.get(), **known))
