"""Which requests go wrong on purpose, and how a SPEC says so. The kinds and examples: README.md beside this file."""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .clock import SECOND
from .dice import dice
from .models import SPOKEN

# Answers in place of the right one: nothing is carried out, unless `done` says so.
INSTEAD = ("html", "redirect", "huge", "bomb", "deep", "dead")
# Carried out, then spoiled, cut, held back or lost.
SPOILED = ("empty", "truncated", "types", "odd_rows", "words", "drip_headers", "drip_body", "slow", "reset", "lost")
# Lists that cannot be relied on.
LISTS = ("endless", "repeat", "flicker")
# These strike beside another fault, not in place of it.
BESIDE = ("shift", "skew")
KINDS = (*INSTEAD, *SPOILED, *LISTS, *BESIDE)

_STATUS = re.compile(r"[345]\d\d")
_ANY = ("kind", "provider", "path", "method", "p", "nth", "after", "every", "times", "seconds")
_FOR: dict[str, tuple[str, ...]] = {
    "retry_after": (),  # of a status
    "done": INSTEAD,  # and of a status
    "status": ("redirect", "html"),
    "delay": ("drip_headers", "drip_body", "slow"),
    "mb": ("huge", "bomb"),
    "hours": ("skew",),
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class BadFault(ValueError):
    """A SPEC that says nothing the sandbox can do; the message is a sentence."""


@dataclass
class Fault:
    """One rule. `after` matching requests go well first; of the others each `every`-th is struck, with chance `p`."""

    spec: str
    kind: str
    provider: str = ""
    path: str = ""
    method: str = ""
    p: float = 1
    after: int = 0
    every: int = 1
    times: int | None = None
    seconds: float | None = None
    status: int = 0
    retry_after: str | None = None
    done: bool = False
    delay: float = 0
    mb: int = 200
    hours: float = 0
    struck: int = 0
    matched: int = 0
    began: float = field(default_factory=time.monotonic)
    chance: Random = field(default_factory=Random)

    @property
    def over(self) -> bool:
        spent = self.times is not None and self.struck >= self.times
        return spent or (self.seconds is not None and time.monotonic() - self.began >= self.seconds)

    def takes(self, provider: str, method: str, target: str, of_runs: bool) -> bool:
        """Whether this request is struck; counts it. `of_runs`: it asks for a list of runs."""
        if self.over or self.provider not in ("", provider) or self.method not in ("", method):
            return False
        if self.path.lower() not in target.lower() or (self.kind in (*LISTS, "shift") and not of_runs):
            return False
        self.matched += 1
        due = self.matched > self.after and (self.matched - self.after) % self.every == 0
        if not due or (self.p < 1 and self.chance.random() >= self.p):
            return False
        self.struck += 1
        return True

    def shown(self) -> dict[str, Any]:
        return {"spec": self.spec, "kind": self.kind, "struck": self.struck, "over": self.over}


class Faults:
    """All rules, in the order they were given: the first that takes a request has it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._all: list[Fault] = []
        self._made = 0
        self._lock = threading.Lock()

    def add(self, spec: str | Mapping[str, Any]) -> Fault:
        """A fault from its SPEC, or from an object with the same names; BadFault says what is wrong with it."""
        with self._lock:
            fault = parse(spec)
            self._made += 1
            fault.chance = dice(self._seed, "fault", self._made)
            self._all.append(fault)
            return fault

    def clear(self) -> None:
        with self._lock:
            self._all.clear()

    def rows(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.shown() for fault in self._all]

    def strike(self, provider: str, method: str, target: str, of_runs: bool) -> list[Fault]:
        """The faults of this request: at most one that spoils its answer, and any beside it."""
        struck: list[Fault] = []
        spoiled = False
        with self._lock:
            for fault in self._all:
                beside = fault.kind in BESIDE
                if (beside or not spoiled) and fault.takes(provider, method, target, of_runs):
                    struck.append(fault)
                    spoiled = spoiled or not beside
        return struck

    def skew(self, provider: str) -> int:
        """How far the provider's clock is off just now, in microseconds."""
        with self._lock:
            standing = [fault for fault in self._all if fault.kind == "skew" and not fault.over]
            hours = sum(fault.hours for fault in standing if fault.provider in ("", provider))
            return int(hours * 3600 * SECOND)


def parse(spec: str | Mapping[str, Any]) -> Fault:
    """`kind=429,retry_after=30,path=/runs,p=0.1`, or the same as an object; BadFault with a sentence."""
    given = _members(spec) if isinstance(spec, str) else {key: _text(value) for key, value in spec.items()}
    text = spec if isinstance(spec, str) else ",".join(f"{key}={value}" for key, value in given.items())
    kind = given.get("kind", "")
    is_status = bool(_STATUS.fullmatch(kind))
    if not is_status and kind not in KINDS:
        raise BadFault(f'The fault "{text}" needs kind=…: a status from 300 to 599, or {", ".join(KINDS)}.')
    for name in given:
        if name not in _ANY and name not in _FOR:
            raise BadFault(f'The fault "{text}" has no {name}; it may have {", ".join((*_ANY, *_FOR))}.')
        fits = name in _ANY or kind in _FOR[name] or (is_status and name in ("retry_after", "done"))
        if not fits or (kind == "skew" and name in ("path", "method", "p", "nth", "after", "every", "times")):
            raise BadFault(f'The fault "{text}": {name} means nothing for kind={kind}.')
    return _fault(text, kind, is_status, given)


def _fault(text: str, kind: str, is_status: bool, given: dict[str, str]) -> Fault:
    provider, method = given.get("provider", ""), given.get("method", "").upper()
    if provider and provider not in SPOKEN:
        raise BadFault(f'The fault "{text}": provider is one of {", ".join(SPOKEN)}.')
    if method and method not in _METHODS:
        raise BadFault(f'The fault "{text}": method is one of {", ".join(_METHODS)}.')
    number = _Numbers(text, given)
    nth = number.whole("nth", 0, least=1)
    times = number.whole("times", 1 if nth else None, least=1)
    return Fault(
        spec=text, kind="status" if is_status else kind, provider=provider, path=given.get("path", ""), method=method,
        p=number.real("p", 1, 0, 1), after=nth - 1 if nth else number.whole("after", 0), times=times,
        every=number.whole("every", 1, least=1), seconds=number.real("seconds", None, 0),
        status=int(kind) if is_status else number.whole("status", 200 if kind == "html" else 302),
        retry_after=given.get("retry_after"),
        done=given.get("done", "no").lower() in ("yes", "true", "1"), mb=number.whole("mb", 200, least=1),
        delay=number.real("delay", 30 if kind == "slow" else 0.5, 0), hours=number.real("hours", 0),
    )  # fmt: skip


def _members(text: str) -> dict[str, str]:
    members: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, mark, value = part.partition("=")
        if not mark:
            raise BadFault(f'The fault "{text}" holds "{part}". Write it as name=value, with commas between.')
        members[name.strip().lower()] = value.strip()
    return members


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


class _Numbers:
    """The numbers of one SPEC, checked."""

    def __init__(self, text: str, given: dict[str, str]) -> None:
        self._text, self._given = text, given

    def whole(self, name: str, default: Any, least: int = 0) -> Any:
        text = self._given.get(name)
        if text is None:
            return default
        if not text.isdecimal() or int(text) < least:
            raise BadFault(f'The fault "{self._text}": {name} is a whole number from {least} on, not "{text}".')
        return int(text)

    def real(self, name: str, default: Any, least: float = -1e6, most: float = 1e6) -> Any:
        text = self._given.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise BadFault(f'The fault "{self._text}": {name} is a number from {least:g} to {most:g}, not "{text}".')
        return value
