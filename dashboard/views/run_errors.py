"""The error tree of a run, its filters, and the pane that shows one node of it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from dashboard import seen, words
from dashboard.templatetags.run_page import share_words
from dashboard.views.run_head import Head, find_run, head_of, viewers
from runs import run_details
from runs.error_tree import Node, Tree, build, filtered, short_address, split_request
from runs.models import Run, RunError

PER_BRANCH = 100
# Trees up to these sizes come whole, or even opened; larger ones bring a branch when it is opened.
WHOLE_UP_TO = 200
OPEN_UP_TO = 20


class ErrorFilter(forms.Form):
    text = forms.CharField(required=False, max_length=200, label="Filter errors")
    type = forms.CharField(required=False, max_length=300)
    subtype = forms.CharField(required=False, max_length=300)

    def values(self) -> dict[str, str]:
        """The filters that are set; what cannot be one is none."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


@dataclass(frozen=True, slots=True)
class Row:
    """A node as the page shows it. `rows` is None where its children are brought when it is opened."""

    node: Node
    level: int
    is_open: bool
    rows: Sequence["Row"] | None
    more: int  # children beyond the first page of them
    method: str
    place: str
    text: str
    last: str
    last_title: str

    @property
    def percent(self) -> str:
        return share_words(self.node.share)


@dataclass(frozen=True, slots=True)
class Pane:
    """One node in full. `error` is its row with the stack trace when the node is a detail."""

    node: Node
    path: Sequence[Node]
    error: RunError | None
    method: str
    address: str
    title: str
    percent: str
    first_run: Run | None
    run_count: int


@require_safe
@viewers
def run_errors(request: HttpRequest, pk: int) -> HttpResponse:
    """The tree, one branch of it (`?branch=`) or one node in the pane (`?node=`); for HTMX only the part asked for."""
    run = find_run(pk)
    seen.opened(request, run)
    form = ErrorFilter(request.GET)
    filters = form.values()
    rows = run_details.error_rows(run)
    tree = build(filtered(rows, **filters), sum(row.occurrences for row in rows))
    target = request.htmx.target if request.htmx else ""
    pane = _pane(run, tree, request.GET.get("node", ""))
    view = _View(run, tree, filters)
    if target == "error-pane":
        response = render(request, "runs/errors_pane.html", {"pane": pane, "run": run, "view": view})
    elif branch := request.GET.get("branch"):
        response = _branch(request, view, branch)
    else:
        opened = view.opened(pane)
        context = {"rows": view.rows(tree.nodes, 1, opened), "pane": pane, "facets": _facets(rows, filters)}
        response = _page(request, view, context | {"form": form})
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


@dataclass(frozen=True, slots=True)
class _View:
    """A tree under its filters, and the addresses inside it."""

    run: Run
    tree: Tree
    filters: dict[str, str]

    @property
    def has_times(self) -> bool:
        """A column that nobody can fill is not shown."""
        return any(node.last_at for node in self.tree.nodes)

    @property
    def query(self) -> str:
        """The filters as the beginning of a query: "?type=…&", or "?"."""
        return f"?{urlencode(self.filters)}&" if self.filters else "?"

    @property
    def url(self) -> str:
        return reverse("run_errors", args=[self.run.pk])

    def opened(self, pane: Pane | None) -> set[str]:
        """What is open at first: all of a small tree, else down to the first real split; and the way to the node."""
        opened = set(self.tree.first_split())
        if self.tree.totals.details <= OPEN_UP_TO:
            opened |= {node.fingerprint for node in self.tree.walk() if node.level != "other"}
        return opened | ({node.fingerprint for node in pane.path} if pane else set())

    def rows(self, nodes: Iterable[Node], level: int, opened: Collection[str]) -> list[Row]:
        whole = self.tree.totals.details <= WHOLE_UP_TO
        return [self._row(node, level, opened, whole) for node in nodes]

    def _row(self, node: Node, level: int, opened: Collection[str], whole: bool) -> Row:
        is_open = node.fingerprint in opened
        # A node that is looked at is shown even where it stands beyond the first page of its siblings.
        first = [child for i, child in enumerate(node.children) if i < PER_BRANCH or child.fingerprint in opened]
        method, place, text = _names(node)
        return Row(
            node=node,
            level=level,
            is_open=is_open,
            rows=self.rows(first, level + 1, opened) if whole or is_open else None,
            more=max(0, len(node.children) - PER_BRANCH),
            method=method,
            place=place,
            text=text,
            last=_since(self.run, node.last_at),
            last_title=words.absolute(node.last_at) if node.last_at else "",
        )


def _branch(request: HttpRequest, view: _View, fingerprint: str) -> HttpResponse:
    """The children of one node, page by page: rows for an opened branch, or a page of their own without JavaScript."""
    path = view.tree.path_to(fingerprint)
    if not path:
        raise Http404("No such branch in this tree.")
    page: Page = Paginator(path[-1].children, PER_BRANCH).get_page(request.GET.get("page"))
    context = {
        "rows": view.rows(page.object_list, len(path) + 1 if request.htmx else 1, frozenset()),
        "branch": path[-1],
        "page": page,
        "path": path,
    }
    if request.htmx:
        return render(request, "runs/errors_rows.html", {"view": view, "run": view.run, **context})
    return _page(request, view, context)


def _page(request: HttpRequest, view: _View, context: dict[str, object]) -> HttpResponse:
    head: Head = head_of(view.run, request.user, "errors")
    return render(request, "runs/errors.html", {"head": head, "run": view.run, "view": view, **context})


def _pane(run: Run, tree: Tree, fingerprint: str) -> Pane | None:
    path = tree.path_to(fingerprint) if fingerprint else ()
    if not path:
        return None
    node = path[-1]
    error = run_details.error_detail(run, fingerprint) if node.level == "detail" else None
    method, address = split_request(error.request) if error else ("", "")
    first_run, run_count = run_details.seen_before(run, fingerprint) if error else (None, 0)
    return Pane(
        node=node,
        path=path[:-1],
        error=error,
        method=method,
        address=address,
        title=node.name,
        percent=share_words(node.share),
        first_run=first_run,
        run_count=run_count,
    )


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


def _facets(rows: Sequence[RunError], filters: dict[str, str]) -> dict[str, list[tuple[str, int]]]:
    """Types, and the subtypes of the chosen one, with how often each occurred."""
    types: dict[str, int] = {}
    subtypes: dict[str, int] = {}
    for row in rows:
        types[row.type] = types.get(row.type, 0) + row.occurrences
        if filters.get("type", row.type) == row.type:
            subtypes[row.subtype] = subtypes.get(row.subtype, 0) + row.occurrences
    return {
        "type": sorted(types.items(), key=lambda item: (-item[1], item[0])),
        "subtype": sorted(subtypes.items(), key=lambda item: (-item[1], item[0])),
    }


def _since(run: Run, moment: datetime | None) -> str:
    """Time since the load began, or the time of day where that is not known; "" for no time."""
    if moment is None:
        return ""
    begin = run.load_started_at or run.started_at
    if begin and moment >= begin:
        return words.clock((moment - begin).total_seconds())
    return words.relative(moment)
