"""The matrix of the history: tests x days as rows of ready cells. A cell is a link to the runs behind it.

Cells are written here, not in the template: a page may hold 50 tests x 90 days, and a template's loop is slower.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from dashboard.run_links import day_query, query_of, runs_url
from dashboard.templatetags.plimsoll import icon
from runs.choices import LIVE
from runs.history import Cell, Column, Counts, Rate, Span, Strip, Tally, pass_rate
from runs.models import LoadTest

ICONS = {
    "passed": "circle-check-filled",
    "failed": "square-x-filled",
    "error": "alert-triangle-filled",
    "none": "circle-minus",
    "live": "circle-dashed",
}
WORDS = {"passed": "passed", "failed": "failed", "error": "error", "none": "no verdict", "live": "not ended"}


def short_day(day: date) -> str:
    """ "20 Nov"."""
    return f"{day.day} {day:%b}"


def counted(tally: Tally) -> str:
    """ "2 passed, 1 failed": the parts that are not 0."""
    return ", ".join(f"{getattr(tally, key)} {word}" for key, word in WORDS.items() if getattr(tally, key))


@dataclass(frozen=True, slots=True)
class Head:
    """What all cells of a day share: its class, "20 Nov", and the end of its links (escaped)."""

    css: str
    day: str
    query: str


def heads(columns: Sequence[Column]) -> list[Head]:
    """One for each column; made once a page, as a page has thousands of cells."""
    found = []
    for column in columns:
        kinds = (("weekend", column.is_weekend), ("today", column.is_today), ("monday", column.is_monday))
        css = " ".join(name for name, holds in kinds if holds)
        query = escape(urlencode(day_query(column.day, column.day), safe=":"))
        found.append(Head(css, short_day(column.day), query))
    return found


def _no_run(head: Head) -> str:
    return f'<td class="{head.css}"><span class="no-run" title="{head.day}: no run"></span></td>'


def verdict_cells(heads: Sequence[Head], cells: Sequence[Cell], query: Iterable[tuple[str, str]]) -> SafeString:
    """A test's days: the icon of the worst verdict, linked to that day's runs; a dot where nothing ran."""
    base = escape(runs_url(query))
    drawn = []
    for head, cell in zip(heads, cells, strict=True):
        verdict, tally = cell.verdict, cell.tally
        if not verdict:
            drawn.append(_no_run(head))
            continue
        drawn.append(
            f'<td class="{head.css}"><a class="solid-{verdict}" href="{base}&amp;{head.query}"'
            f' aria-label="{head.day}, {WORDS[verdict]}, {tally.runs} run{"" if tally.runs == 1 else "s"}"'
            f' title="{head.day}: {counted(tally)}">{icon(ICONS[verdict])}</a></td>'
        )
    return mark_safe("".join(drawn))  # noqa: S308 (constants, numbers, dates and escaped addresses)


def total_cells(heads: Sequence[Head], cells: Sequence[Cell], query: Iterable[tuple[str, str]]) -> SafeString:
    """All tests' days: the pass rate in whole percent, linked to that day's runs; a dash where no run was judged."""
    # A list without filters has no "?" to go on after.
    filters = list(query)
    base = escape(runs_url(filters) + ("&" if filters else ""))
    drawn = []
    for head, cell in zip(heads, cells, strict=True):
        if not cell.tally.runs:
            drawn.append(_no_run(head))
            continue
        rate = pass_rate(cell.tally)
        shown, said = (str(rate.percent), f"{rate.percent} % passed") if rate else ("–", "no criteria")
        drawn.append(
            f'<td class="{head.css}"><a href="{base}{head.query}" aria-label="{head.day}, all tests, {said}"'
            f' title="{head.day}: {counted(cell.tally)}">{shown}</a></td>'
        )
    return mark_safe("".join(drawn))  # noqa: S308 (constants, numbers, dates and escaped addresses)


def _on_line(share: float) -> float:
    return round(4 + 60 * share, 1)


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers at the end of a row (or of the page), each with the address of the runs behind it."""

    counts: Counts
    span: Span
    query: Sequence[tuple[str, str]]

    @property
    def rate(self) -> Rate | None:
        return self.counts.rate

    @property
    def tally(self) -> Tally:
        return self.counts.now

    @property
    def change(self) -> int | None:
        return self.counts.change

    @property
    def points(self) -> str:
        """ "+2 pts", "same"; "" when the time before had no judged run."""
        if self.change is None:
            return ""
        return f"{self.change:+d} pts".replace("-", "\u2212") if self.change else "same"

    @property
    def days_without_pass(self) -> int | None:
        return self.counts.days_since_pass(self.span.last)

    def _url(self, *results: str, ended: bool = False) -> str:
        # A live run has no verdict either; it is counted apart.
        live = [("status", f"!{status}") for status in LIVE] if ended else []
        return runs_url([*self.query, *live], first=self.span.first, last=self.span.last, results=results)

    @property
    def url(self) -> str:
        return self._url()

    @property
    def judged_url(self) -> str:
        return self._url("passed", "failed")

    @property
    def passed_url(self) -> str:
        return self._url("passed")

    @property
    def failed_url(self) -> str:
        return self._url("failed")

    @property
    def not_judged_url(self) -> str:
        return self._url("error", "none", ended=True)

    @property
    def error_url(self) -> str:
        return self._url("error")

    @property
    def none_url(self) -> str:
        return self._url("none", ended=True)

    @property
    def live_url(self) -> str:
        return f"{self._url()}&{urlencode([('status', status) for status in LIVE])}"

    @property
    def worse_by(self) -> int:
        return abs(self.change or 0)

    @property
    def dot(self) -> float:
        """Where the rate stands on the interval's line, in its own units."""
        return _on_line(self.rate.share)

    @property
    def whisker(self) -> str:
        """The interval as a path: a line from end to end with a stroke at each."""
        low, high = _on_line(self.rate.low), _on_line(self.rate.high)
        return f"M{low} 3.5v6M{low} 6.5H{high}M{high} 3.5v6"


@dataclass(frozen=True, slots=True)
class MatrixRow:
    test: LoadTest
    cells: SafeString
    strip: Strip
    summary: Summary


def matrix_row(
    test: LoadTest, counts: Counts, heads: Sequence[Head], cells: Sequence[Cell], strip: Strip, span: Span
) -> MatrixRow:
    query = query_of(test)
    return MatrixRow(test, verdict_cells(heads, cells, query), strip, Summary(counts, span, query))
