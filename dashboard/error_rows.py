"""The error tree of a run as rows of a page: what is open, what each row says, and where what is not shown is found."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from dashboard import words
from dashboard.templatetags.run_page import share_words
from runs.error_tree import Node, Tree, short_address, split_request
from runs.first_seen import first_run_of, first_runs
from runs.models import Run

PER_BRANCH = 100
# Trees up to this size come opened.
OPEN_UP_TO = 20
# So many rows are opened at once at most; what is beyond stays a closed branch, with its count.
ROWS_AT_ONCE = 500
# Larger trees look the first runs up for the details shown only.
FIRST_SEEN_UP_TO = 1000
# Of each branch, a printed page shows so many details.
PRINTED = 5


@dataclass(frozen=True, slots=True)
class Row:
    """A node as the page shows it. `is_open` is None for a detail."""

    node: Node
    level: int
    position: int  # among its siblings, from 1
    siblings: int
    is_open: bool | None
    method: str
    place: str
    text: str
    seen: str
    seen_title: str
    last: str
    last_title: str

    @property
    def percent(self) -> str:
        return share_words(self.node.share)

    @property
    def is_late(self) -> bool:
        """Too far down its branch to be printed."""
        return self.is_open is None and self.position > PRINTED


@dataclass(frozen=True, slots=True)
class More:
    """The row that brings the next children of a branch."""

    branch: Node
    level: int
    position: int
    siblings: int
    page: int

    @property
    def left(self) -> int:
        return self.siblings - self.position + 1


@dataclass(frozen=True, slots=True)
class _Place:
    node: Node
    level: int
    position: int
    siblings: int


def opened(tree: Tree, asked: str, toggled: Collection[str], path: Sequence[Node]) -> frozenset[str]:
    """Fingerprints of what is open.

    `asked` is "all", "none", fingerprints with dots between them, or "" for as it comes: all of a small tree, else
    down to the first real split. What is in `toggled` is the other way round. The way to a node that is looked at is
    open in any case.
    """
    if asked == "all" or (not asked and tree.totals.details <= OPEN_UP_TO):
        wanted = {node.fingerprint for node in tree.walk() if node.children and node.level != "other"}
    elif asked:
        wanted = set(asked.split("."))
    else:
        wanted = set(tree.first_split())
    way = {node.fingerprint for node in path}
    return _affordable(tree.nodes, (wanted ^ set(toggled)) | way, way)


def _affordable(nodes: Sequence[Node], wanted: Collection[str], way: Collection[str]) -> frozenset[str]:
    """Those of the wanted that fit into ROWS_AT_ONCE, upper levels first; the way to a node always does."""
    left, found, waiting = ROWS_AT_ONCE - len(nodes), set(way), deque(nodes)
    while waiting:
        node = waiting.popleft()
        rows = min(len(node.children), PER_BRANCH)
        if node.fingerprint in wanted and (rows <= left or node.fingerprint in way):
            left -= rows
            found.add(node.fingerprint)
            waiting.extend(node.children)
    return frozenset(found)


def tree_rows(run: Run, tree: Tree, is_open: Collection[str]) -> list[Row | More]:
    return _rows(run, tree, _placed(tree.nodes, 1, is_open), is_open)


def branch_rows(run: Run, tree: Tree, path: Sequence[Node], page: int, is_open: Collection[str]) -> list[Row | More]:
    """One page of the children of the last node of `path`, and what is open below them."""
    return _rows(run, tree, _children(path[-1], len(path) + 1, is_open, page), is_open)


def list_rows(run: Run, tree: Tree, nodes: Iterable[Node]) -> list[Row]:
    """Details without their tree."""
    found = list(nodes)
    return _rows(run, tree, [_Place(node, 1, place, len(found)) for place, node in enumerate(found, 1)], ())


def _placed(nodes: Sequence[Node], level: int, is_open: Collection[str]) -> list[_Place | More]:
    found: list[_Place | More] = []
    for position, node in enumerate(nodes, 1):
        found += _with_children(_Place(node, level, position, len(nodes)), is_open)
    return found


def _with_children(place: _Place, is_open: Collection[str]) -> list[_Place | More]:
    node = place.node
    below = _children(node, place.level + 1, is_open) if node.children and node.fingerprint in is_open else []
    return [place, *below]


def _children(parent: Node, level: int, is_open: Collection[str], page: int = 1) -> list[_Place | More]:
    begin, total = (page - 1) * PER_BRANCH, len(parent.children)
    found: list[_Place | More] = []
    for position, node in enumerate(parent.children, 1):
        # A node that is looked at is shown even where it stands beyond the first page of its siblings.
        if begin < position <= begin + PER_BRANCH or (page == 1 and node.fingerprint in is_open):
            found += _with_children(_Place(node, level, position, total), is_open)
    if total > begin + PER_BRANCH:
        found.append(More(parent, level, begin + PER_BRANCH + 1, total, page + 1))
    return found


def _rows(run: Run, tree: Tree, places: Sequence[_Place | More], is_open: Collection[str]) -> list[Row | More]:
    small = tree.totals.details <= FIRST_SEEN_UP_TO
    shown = None if small else [p.node.fingerprint for p in places if isinstance(p, _Place) and not p.node.children]
    first = first_runs(run, shown)
    return [place if isinstance(place, More) else _row(run, place, is_open, first) for place in places]


def _row(run: Run, place: _Place, is_open: Collection[str], first: Mapping[str, Run]) -> Row:
    node = place.node
    method, where, text = _names(node)
    seen = first_run_of(node, first)
    return Row(
        node=node,
        level=place.level,
        position=place.position,
        siblings=place.siblings,
        is_open=node.fingerprint in is_open if node.children else None,
        method=method,
        place=where,
        text=text,
        seen=seen_words(run, seen),
        seen_title=words.absolute(seen.created_at) if seen else "",
        last=_since(run, node.last_at),
        last_title=words.absolute(node.last_at) if node.last_at else "",
    )


def seen_words(run: Run, first: Run | None) -> str:
    """ "this run", "#96, 9 Mar"; with its year where it is not that of the run; "" where it is not known."""
    if first is None:
        return ""
    if first.pk == run.pk:
        return "this run"
    local = timezone.localtime(first.created_at)
    year = "" if local.year == timezone.localtime(run.created_at).year else f" {local.year}"
    return f"#{first.shown_number}, {local.day} {local:%b}{year}"


def _names(node: Node) -> tuple[str, str, str]:
    """Method, place and text of a row: a detail shows its request's path, and its message unless that is the same."""
    if node.level != "detail":
        return "", "", node.name
    method, address = split_request(node.row.request)
    place = short_address(address)
    text = node.row.message if node.row.message != node.row.request else ""
    if not place and not text:
        text = node.row.test_case or node.name
    return method, place, text[:300]


def _since(run: Run, moment: datetime | None) -> str:
    """Time since the load began, or the time of day where that is not known; "" for no time."""
    if moment is None:
        return ""
    begin = run.load_started_at or run.started_at
    if begin and moment >= begin:
        return words.clock((moment - begin).total_seconds())
    return words.relative(moment)
