"""The error tree of a run: type -> subtype -> detail, from rows to what a page shows. Pure; nothing is ever lost.

Every node says how often it occurred, its share of all errors of the run, and how many children it has. Siblings under
1 % of their parent are folded into one node "other", which opens like any other.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Protocol

FOLD_BELOW = 0.01
LEVELS = ("type", "subtype", "detail")


class ErrorRow(Protocol):
    """What a row must offer: a `RunError`, or a record with the same names."""

    fingerprint: str
    type: str
    subtype: str
    occurrences: int
    message: str
    request: str
    test_case: str
    scenario: str
    last_at: datetime | None


def _digest(*parts: str) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()[:16]


def fingerprint(
    type: str,
    subtype: str,
    message: str = "",
    request: str = "",
    test_case: str = "",
    scenario: str = "",
    stack_trace: str = "",
) -> str:
    """16 hex digits that name a detail in every run: details differing only in occurrences or last time share it."""
    return _digest("detail", type, subtype, message, request, test_case, scenario, stack_trace)


def type_fingerprint(type: str) -> str:
    return _digest("type", type)


def subtype_fingerprint(type: str, subtype: str) -> str:
    return _digest("subtype", type, subtype)


def other_fingerprint(parent: str) -> str:
    """Of the node that holds the folded children of the node `parent` ("" for the folded types)."""
    return _digest("other", parent)
