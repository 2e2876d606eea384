"""The error tree of a run: type -> subtype -> detail, from rows to what a page shows. Pure; nothing is ever lost.

Every node says how often it occurred, its share of all errors of the run, and how many children it has. Siblings under
1 % of their parent are folded into one node "other", which opens like any other.
"""

import json
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, Protocol

Level = Literal["type", "subtype", "detail", "other"]

FOLD_BELOW = 0.01
# Where every sibling is rare, the largest stay visible: a branch holding nothing but "other" would say nothing.
KEEP_AT_LEAST = 10


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A type, a subtype, a detail, or the "other" that holds the rare siblings of one of these."""

    level: Level
    fingerprint: str
    name: str
    occurrences: int
    share: float  # 0..1, of all errors of the run
    children: tuple["Node", ...] = ()
    child_count: int = 0  # direct children, the folded ones included
    folded_level: str = ""  # of what is inside an "other": type, subtype or detail
    row: Any = None  # the ErrorRow of a detail
    last_at: datetime | None = None
    is_new: bool = False  # a detail not in the run before; a branch when all below it are

    @property
    def child_words(self) -> str:
        """What is inside, in words: "3 subtypes", "12 details under 1 %"; empty for a detail."""
        inside = {"type": "subtype", "subtype": "detail", "other": self.folded_level}.get(self.level, "")
        if not inside:
            return ""
        words = f"{self.child_count:,} {inside}{'' if self.child_count == 1 else 's'}"
        return f"{words} under 1\u00a0%" if self.level == "other" else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    occurrences: int
    types: int
    subtypes: int
    details: int
    new: int  # of the details


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    nodes: tuple[Node, ...]
    totals: Totals
    all_occurrences: int  # of the run, whatever was filtered away

    def walk(self) -> Iterator[Node]:
        """Every node, parents before their children."""
        waiting = list(reversed(self.nodes))
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def path_to(self, fingerprint: str) -> tuple[Node, ...]:
        """The nodes from a top node down to the one named; empty when it is not in this tree."""

        def search(nodes: Sequence[Node]) -> tuple[Node, ...]:
            for node in nodes:
                if node.fingerprint == fingerprint:
                    return (node,)
                if found := search(node.children):
                    return (node, *found)
            return ()

        return search(self.nodes)

    def first_split(self) -> frozenset[str]:
        """Fingerprints of the nodes to open so that the first level with more than one child shows."""
        opened, nodes = set(), self.nodes
        while len(nodes) == 1 and nodes[0].children:
            opened.add(nodes[0].fingerprint)
            nodes = nodes[0].children
        return frozenset(opened)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which errors are asked for: any of these types, any of these subtypes, with this text, new ones only.

    `known` are the fingerprints of the run that this one is held against; None where there is no such run, and then
    nothing is new.
    """

    types: Container[str] = ()
    subtypes: Container[str] = ()
    text: str = ""
    new: bool = False
    known: Container[str] | None = None

    def __contains__(self, row: ErrorRow) -> bool:
        """Text is looked for in any case in message, request, test case and scenario."""
        wanted = self.text.strip().casefold()
        return (
            (not self.types or row.type in self.types)
            and (not self.subtypes or row.subtype in self.subtypes)
            and (not self.new or is_new(row, self.known))
            and any(wanted in part.casefold() for part in (row.message, row.request, row.test_case, row.scenario))
        )


def is_new(row: ErrorRow, known: Container[str] | None) -> bool:
    return known is not None and row.fingerprint not in known


def build(rows: Iterable[ErrorRow], all_occurrences: int | None = None, known: Container[str] | None = None) -> Tree:
    """The tree of these rows, the most frequent first, then by name.

    `all_occurrences` is what shares are shares of: give the run's total when `rows` were filtered. `known` are the
    fingerprints of the run that this one is held against, None for no such run.
    """
    by_type: dict[str, dict[str, list[ErrorRow]]] = {}
    for row in rows:
        by_type.setdefault(row.type, {}).setdefault(row.subtype, []).append(row)
    shown = sum(row.occurrences for subtypes in by_type.values() for found in subtypes.values() for row in found)
    whole = shown if all_occurrences is None else all_occurrences
    types = [_type_node(name, subtypes, whole, known) for name, subtypes in by_type.items()]
    totals = Totals(
        occurrences=shown,
        types=len(by_type),
        subtypes=sum(len(subtypes) for subtypes in by_type.values()),
        details=sum(len(found) for subtypes in by_type.values() for found in subtypes.values()),
        new=sum(is_new(row, known) for subtypes in by_type.values() for found in subtypes.values() for row in found),
    )
    return Tree(nodes=_folded(types, "", whole), totals=totals, all_occurrences=whole)


def split_request(request: str) -> tuple[str, str]:
    """Method ("" where unknown) and address of a request, written "POST https://…" or "https://…----{POST}"."""
    text = request.strip()
    if found := re.fullmatch(r"(.*)----\{([A-Za-z]+)\}", text, re.DOTALL):
        return found[2].upper(), found[1]
    if found := re.match(r"([A-Z]{3,10}) +(\S.*)", text, re.DOTALL):
        return found[1], found[2]
    return "", text


def short_address(address: str) -> str:
    """Path and query of an address, without scheme and host; the text itself when it is no address."""
    found = re.match(r"[a-z][a-z0-9+.-]*://[^/?#]*(.*)", address, re.DOTALL | re.IGNORECASE)
    return (found[1] or "/") if found else address


def _type_node(name: str, subtypes: dict[str, list[ErrorRow]], whole: int, known: Container[str] | None) -> Node:
    key = type_fingerprint(name)
    children = [_subtype_node(name, subtype, found, whole, known) for subtype, found in subtypes.items()]
    return _branch("type", key, name, children, whole)


def _subtype_node(type: str, name: str, rows: list[ErrorRow], whole: int, known: Container[str] | None) -> Node:
    details = [
        Node(
            level="detail",
            fingerprint=row.fingerprint,
            name=row.message or row.request or row.test_case or name,
            occurrences=row.occurrences,
            share=_share(row.occurrences, whole),
            row=row,
            last_at=row.last_at,
            is_new=is_new(row, known),
        )
        for row in rows
    ]
    return _branch("subtype", subtype_fingerprint(type, name), name, details, whole)


def _branch(level: Level, key: str, name: str, children: list[Node], whole: int) -> Node:
    occurrences = sum(child.occurrences for child in children)
    return Node(
        level=level,
        fingerprint=key,
        name=name,
        occurrences=occurrences,
        share=_share(occurrences, whole),
        children=_folded(children, key, whole),
        child_count=len(children),
        last_at=_latest(children),
        is_new=all(child.is_new for child in children),
    )


def _folded(siblings: list[Node], parent: str, whole: int) -> tuple[Node, ...]:
    """The siblings sorted, with two or more that are under 1 % of them all folded into "other", which comes last."""
    ordered = sorted(siblings, key=lambda node: (-node.occurrences, node.name.casefold(), node.fingerprint))
    limit = FOLD_BELOW * sum(node.occurrences for node in ordered)
    kept = [node for node in ordered if node.occurrences >= limit] or ordered[:KEEP_AT_LEAST]
    rare = ordered[len(kept) :]
    if len(rare) < 2:
        return tuple(ordered)
    occurrences = sum(node.occurrences for node in rare)
    other = Node(
        level="other",
        fingerprint=other_fingerprint(parent),
        name="other",
        occurrences=occurrences,
        share=_share(occurrences, whole),
        children=tuple(rare),
        child_count=len(rare),
        folded_level=rare[0].level,
        last_at=_latest(rare),
        is_new=all(node.is_new for node in rare),
    )
    return (*kept, other)


def _share(occurrences: int, whole: int) -> float:
    return occurrences / whole if whole else 0.0


def _latest(nodes: Sequence[Node]) -> datetime | None:
    return max((node.last_at for node in nodes if node.last_at), default=None)
