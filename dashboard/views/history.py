"""History: for each load test its last runs, its days and its pass rate, from the roll-up of results per day."""

from datetime import UTC, date

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.forms.history_filters import HistoryForm
from dashboard.matrix import Head, MatrixRow, Summary, heads, matrix_row, total_cells
from dashboard.permissions import viewers
from runs import actions, history_rows
from runs import history as sums
from runs.history import TESTS_PER_PAGE, Counts, Span, Tally
from runs.models import Account, LoadTest


def matrix_rows(page: list[Counts], day_heads: list[Head], span: Span) -> list[MatrixRow]:
    """The rows of a page of counts, in its order. Three queries."""
    ids = [counts.test_id for counts in page]
    found = history_rows.with_strip_start(LoadTest.objects.filter(pk__in=ids).select_related("account"))
    tests = {test.pk: test for test in found}
    days = history_rows.tallies_per_day(ids, span)
    strips = history_rows.strips(list(tests.values()))
    return [
        matrix_row(
            tests[counts.test_id], counts, day_heads, sums.cells(span.dates, days[counts.test_id]),
            strips[counts.test_id], span,
        )
        for counts in page
    ]  # fmt: skip


def totals_of(counts: list[Counts], span: Span, form: HistoryForm) -> Summary:
    """All tests that fit the filters, whatever page they are on."""
    now, before = sum((one.now for one in counts), Tally()), sum((one.before for one in counts), Tally())
    last_pass = max((one.last_pass for one in counts if one.last_pass), default=None)
    return Summary(Counts(0, "", now, before, last_pass), span, form.filter_query)


def longest_without_pass(counts: list[Counts], today: date) -> tuple[Counts, int | None] | None:
    """The judged test that passed longest ago, and how many days ago (None: not in the days looked at)."""
    judged = [one for one in counts if one.now.judged]
    if not judged:
        return None
    worst = min(judged, key=lambda one: (one.last_pass or date.min, one.name))
    return worst, worst.days_since_pass(today)


@require_safe
@viewers
def history(request: HttpRequest) -> HttpResponse:
    """The matrix of tests and days, worst first, fifty tests a page."""
    today = timezone.now().astimezone(UTC).date()
    form = HistoryForm(request.GET)
    span = form.span(today)
    tests = form.load_tests()
    counts = sums.worst_first(history_rows.counts_per_test(tests, span))
    page: Page = Paginator(counts, TESTS_PER_PAGE).get_page(request.GET.get("page"))
    columns = sums.columns(span.dates, today)
    day_heads = heads(columns)
    totals = history_rows.totals_per_day(tests, span)
    context = {
        "form": form,
        "span": span,
        "ranges": sums.RANGES,
        "weeks": sums.weeks(span.dates),
        "columns": columns,
        "page": page,
        "rows": matrix_rows(list(page), day_heads, span),
        "total": totals_of(counts, span, form),
        "total_cells": total_cells(day_heads, sums.cells(span.dates, totals), form.filter_query),
        "longest": longest_without_pass(counts, today),
        "quiet": tests.count() - len(counts),
        "has_accounts": bool(counts) or Account.objects.exists(),
        "printed_by": actions.shown_name(request.user),
        "now": timezone.now(),
        "address": request.build_absolute_uri(),
    }
    return render(request, "history/history.html", context)
