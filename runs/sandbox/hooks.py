"""What a test may ask the sandbox to do to later requests: refuse them, lose answers, change lists between pages."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Rule:
    method: str
    path_contains: str
    times: int
    after: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def takes(self, method: str, target: str) -> bool:
        """Whether this request is the rule's. Counts it off."""
        if self.times <= 0 or self.method not in ("", method) or self.path_contains.lower() not in target.lower():
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


class Hooks:
    """Rules are used up; `clear` forgets them all."""

    def __init__(self) -> None:
        self._fail: list[_Rule] = []
        self._lose: list[_Rule] = []
        self._insert: dict[str, int] = {}
        self._outcomes: dict[str, list[str]] = {}

    def clear(self) -> None:
        self.__init__()

    def add_failure(self, data: dict[str, Any]) -> None:
        self._fail.append(_rule(data))

    def add_loss(self, data: dict[str, Any]) -> None:
        self._lose.append(_rule(data))

    def add_insertion(self, provider: str, after_pages: int) -> None:
        self._insert[provider] = after_pages

    def add_outcome(self, provider: str, outcome: str, times: int) -> None:
        self._outcomes.setdefault(provider, []).extend([outcome] * times)

    def failure(self, method: str, target: str) -> tuple[int, dict[str, str]] | None:
        """The status and headers this request is to be refused with, if any."""
        for rule in self._fail:
            if rule.takes(method, target):
                return rule.status, rule.headers
        return None

    def loses(self, method: str, target: str) -> bool:
        return any(rule.takes(method, target) for rule in self._lose)

    def page_answered(self, provider: str) -> bool:
        """Note an answered list page; True when a run is to be added right after it."""
        if provider not in self._insert:
            return False
        self._insert[provider] -= 1
        if self._insert[provider] > 0:
            return False
        del self._insert[provider]
        return True

    def next_outcome(self, provider: str) -> str | None:
        waiting = self._outcomes.get(provider)
        return waiting.pop(0) if waiting else None


def _rule(data: dict[str, Any]) -> _Rule:
    return _Rule(
        method=str(data.get("method", "")).upper(),
        path_contains=str(data.get("path_contains", "")),
        times=int(data.get("times", 1)),
        after=int(data.get("after", 0)),
        status=int(data.get("status", 503)),
        headers={str(key): str(value) for key, value in dict(data.get("headers", {})).items()},
    )
