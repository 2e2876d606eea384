"""The error tree of a run, as a tree or a list, its filters, the pane that shows one node of it, and the file of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard import seen, words
from dashboard.error_pane import Pane, pane_of
from dashboard.error_rows import FIRST_SEEN_UP_TO, PER_BRANCH, PRINTED, branch_rows, list_rows, opened, tree_rows
from dashboard.permissions import viewers
from dashboard.views.run_head import find_run, head_of
from runs import run_details
from runs.comparison import previous_comparable
from runs.error_export import exported
from runs.error_tree import Tree, Wanted, build
from runs.export import FORMATS
from runs.first_seen import known_before
from runs.models import Run, RunError


class Names(forms.Field):
    """Names of types or subtypes, any of them; what is too long to be one is none."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Sequence[str] | None) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in value or () if name and len(name) <= 300))


class Toggled(Names):
    """What was pressed an odd number of times: the second press takes the first back."""

    def to_python(self, value: Sequence[str] | None) -> tuple[str, ...]:
        pressed = list(value or ())
        return tuple(name for name in super().to_python(pressed) if pressed.count(name) % 2)


class ErrorFilter(forms.Form):
    """What the address asks for. What cannot be a filter is none."""

    text = forms.CharField(required=False, max_length=200)
    type = Names(required=False)
    subtype = Names(required=False)
    new = forms.BooleanField(required=False)
    layout = forms.CharField(required=False)
    open = forms.CharField(required=False, max_length=8000)
    toggle = Toggled(required=False)

    def values(self) -> dict[str, object]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


@dataclass
class ErrorsOf:
    """The errors of a run under an address, and the addresses inside it. Read once per request."""

    run: Run
    asked: Mapping[str, object]
    branch: str = ""

    @cached_property
    def rows(self) -> list[RunError]:
        return run_details.error_rows(self.run)

    @cached_property
    def previous(self) -> Run | None:
        return previous_comparable(self.run)

    @cached_property
    def known(self) -> frozenset[str] | None:
        return known_before(self.previous)

    @cached_property
    def _numbers(self) -> Mapping[str, float]:
        return run_details.run_numbers(self.run)

    @property
    def requests(self) -> float | None:
        return self._numbers.get("count")

    @property
    def rate(self) -> float | None:
        """The share of requests that failed, as the summary says it: checks and scripts are errors, but no requests."""
        return self._numbers.get("error_rate", self.run.error_rate)

    def wanted(self, without: str = "") -> Wanted:
        """The filters, all but one."""
        chosen = {name: value for name, value in self.asked.items() if name != without}
        return Wanted(
            types=chosen.get("type", ()),
            subtypes=chosen.get("subtype", ()),
            text=chosen.get("text", ""),
            new=chosen.get("new", False),
            known=self.known,
        )

    @cached_property
    def tree(self) -> Tree:
        wanted = self.wanted()
        total = sum(row.occurrences for row in self.rows)
        return build((row for row in self.rows if row in wanted), total, self.known)

    @cached_property
    def has_times(self) -> bool:
        """A column that nobody can fill is not shown."""
        return any(node.last_at for node in self.tree.nodes)

    @property
    def too_large_for_first_seen(self) -> bool:
        """Whether branches do not say since when they are known."""
        return self.tree.totals.details > FIRST_SEEN_UP_TO

    @property
    def is_list(self) -> bool:
        return self.asked.get("layout") == "list"

    @property
    def nothing_failed(self) -> str:
        """What is said where there are no errors, with what is known of the run."""
        of = f" in {words.number(self.requests)} requests" if self.requests else ""
        return f"No request, check or script failed{of}."

    @property
    def url(self) -> str:
        return reverse("run_errors", args=[self.run.pk])

    @property
    def filters(self) -> list[tuple[str, object]]:
        """The filters as pairs of a query."""
        pairs = []
        for name in ("text", "type", "subtype", "new"):
            value = self.asked.get(name, ())
            pairs += [(name, each) for each in value] if isinstance(value, tuple) else [(name, value)]
        return [(name, 1 if value is True else value) for name, value in pairs if value]

    @property
    def filter_count(self) -> int:
        return len({name for name, _ in self.filters})

    @property
    def layout(self) -> list[tuple[str, object]]:
        return [("layout", "list")] if self.is_list else []

    @property
    def query(self) -> str:
        """Filters and layout as the beginning of a query: "?type=…&", or "?"."""
        return _query(self.filters + self.layout)

    @property
    def filter_query(self) -> str:
        return _query(self.filters)

    @property
    def state(self) -> list[tuple[str, object]]:
        """Everything but what is chosen, for the form that opens and closes branches without JavaScript."""
        held = [("branch", self.branch)] if self.branch else []
        is_open = [("open", self.asked["open"])] if "open" in self.asked else []
        return self.filters + held + is_open + [("toggle", name) for name in self.asked.get("toggle", ())]

    def opened(self, pane: Pane | None) -> frozenset[str]:
        path = (*pane.path, pane.node) if pane else ()
        return opened(self.tree, self.asked.get("open", ""), self.asked.get("toggle", ()), path)

    def facets(self) -> list[dict[str, object]]:
        """Types and subtypes with how often each occurred under the other filters, and the chosen ones in any case."""
        found = []
        for name, label in (("type", "Type"), ("subtype", "Subtype")):
            wanted, chosen = self.wanted(without=name), self.asked.get(name, ())
            counts = dict.fromkeys(chosen, 0)
            for row in self.rows:
                if row in wanted and (value := getattr(row, name)):
                    counts[value] = counts.get(value, 0) + row.occurrences
            options = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            found.append({"name": name, "label": label, "options": options, "chosen": chosen})
        return found

    def new_count(self) -> int:
        """How many details *New only* would show."""
        if self.known is None:
            return 0
        wanted = self.wanted(without="new")
        return sum(row.fingerprint not in self.known and row in wanted for row in self.rows)


@require_safe
@viewers
def run_errors(request: HttpRequest, pk: int) -> HttpResponse:
    """The tree or (`?layout=list`) the list, one branch (`?branch=`), or one node in the pane (`?node=`).

    HTMX gets only the part it asks for.
    """
    errors = ErrorsOf(find_run(pk), ErrorFilter(request.GET).values(), request.GET.get("branch", ""))
    seen.opened(request, errors.run)
    pane = pane_of(errors.run, errors.tree, request.GET.get("node", ""), errors.requests)
    if request.htmx and request.htmx.target == "error-pane":
        return render(request, "runs/errors_pane.html", {"view": errors, "run": errors.run, **_pane(request, pane)})
    if errors.branch:
        return _branch(request, errors, pane)
    if errors.is_list:
        return _list(request, errors, pane)
    return _page(request, errors, pane, rows=tree_rows(errors.run, errors.tree, errors.opened(pane)))


@require_safe
@viewers
def run_errors_export(request: HttpRequest, pk: int) -> HttpResponse:
    """The errors under the tab's filters as a file: `format=csv` or `json`, streamed."""
    file_format = request.GET.get("format", "csv")
    if file_format not in FORMATS:
        return HttpResponseBadRequest(f"Errors are exported as {' or '.join(FORMATS)}.", content_type="text/plain")
    errors = ErrorsOf(find_run(pk), ErrorFilter(request.GET).values())
    name = f"plimsoll-errors-of-run-{pk}-{timezone.localtime():%Y%m%d-%H%M}.{file_format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    text = exported(errors.run, errors.wanted(), file_format)
    return StreamingHttpResponse(text, FORMATS[file_format], headers=headers)


def _list(request: HttpRequest, errors: ErrorsOf, pane: Pane | None) -> HttpResponse:
    """The details without their tree, page by page."""
    details = sorted(
        (node for node in errors.tree.walk() if node.level == "detail"),
        key=lambda node: (-node.occurrences, node.name.casefold(), node.fingerprint),
    )
    page = Paginator(details, PER_BRANCH).get_page(request.GET.get("page"))
    return _page(request, errors, pane, rows=list_rows(errors.run, errors.tree, page.object_list), page=page)


def _branch(request: HttpRequest, errors: ErrorsOf, pane: Pane | None) -> HttpResponse:
    """The children of one node, page by page: rows for an opened branch, or a page of their own without JavaScript."""
    path = errors.tree.path_to(errors.branch)
    if not path:
        raise Http404("No such branch in this tree.")
    page: Page = Paginator(path[-1].children, PER_BRANCH).get_page(request.GET.get("page"))
    is_open = errors.opened(pane) - {node.fingerprint for node in path} if not request.htmx else frozenset()
    rows = branch_rows(errors.run, errors.tree, path, page.number, is_open)
    if request.htmx:
        return render(request, "runs/errors_rows.html", {"view": errors, "rows": rows})
    return _page(request, errors, pane, rows=rows, branch=path[-1], path=path, page=page)


def _page(request: HttpRequest, errors: ErrorsOf, pane: Pane | None, **context: object) -> HttpResponse:
    head = head_of(errors.run, request, "errors")
    shared = {"head": head, "run": errors.run, "view": errors, "printed": PRINTED, **_pane(request, pane)}
    return render(request, "runs/errors.html", {**shared, **context})


def _pane(request: HttpRequest, pane: Pane | None) -> dict[str, object]:
    link = f"{request.path}?node={pane.node.fingerprint}" if pane else ""
    return {"pane": pane, "link": request.build_absolute_uri(link)}


def _query(pairs: Sequence[tuple[str, object]]) -> str:
    return f"?{urlencode(pairs)}&" if pairs else "?"
