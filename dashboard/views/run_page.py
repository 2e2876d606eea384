"""A run: what happened, its numbers and parts, one address per tab. Everything shown comes from our tables."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe
from django_htmx.http import HttpResponseStopPolling

from dashboard.charts import Chart, chart
from dashboard.permissions import viewers
from dashboard.run_side import shown_errors, slowest
from dashboard.seen import opened
from dashboard.templatetags.run_page import outcome_word
from dashboard.views.run_head import TABS, Head, find_run, head_of
from runs import run_details
from runs.choices import IntentKind, MessageLevel
from runs.criteria import Words, words
from runs.models import ControlIntent, RunMetric, RunThreshold, StatusEvent
from runs.services import SERVICES

PER_PAGE = 100
MOST_DIGITS = 9  # of a turn: more is no turn of ours
FIRST_ROWS = 25  # of each kind of metric, before its own list is opened
METRIC_KEYS = (
    "count", "failed", "passed", "error_rate", "min_ms", "avg_ms", "p95_ms", "p99_ms", "max_ms", "min", "value", "max",
)  # fmt: skip
KIND_NAMES = {
    "request": "Requests",
    "transaction": "Transactions",
    "page": "Pages",
    "check": "Checks",
    "counter": "Counters",
}


class MessageFilter(forms.Form):
    level = forms.MultipleChoiceField(choices=MessageLevel.choices, required=False, widget=forms.CheckboxSelectMultiple)


@dataclass(frozen=True, slots=True)
class ShownThreshold:
    row: RunThreshold
    words: Words


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that was done here, or a status that was seen."""

    at: datetime
    intent: ControlIntent | None = None
    event: StatusEvent | None = None


@dataclass(frozen=True, slots=True)
class MetricSection:
    """Some rows of one kind. Each row's `numbers` has every key a table shows, None where nobody gave it."""

    kind: str
    name: str
    rows: Sequence[RunMetric]
    total: int


@require_safe
@viewers
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Summary: life, key numbers, chart, thresholds, the most frequent errors, the last messages, the results."""
    head = head_of(find_run(pk), request, "summary")
    return _tab(request, head, **_panels(head))


@require_GET
@viewers
def run_live(request: HttpRequest, pk: int) -> HttpResponse:
    """What is polled while a run is not ended. The last answer comes without a trigger, and stops the polling."""
    tab = request.GET.get("tab", "")
    head = head_of(find_run(pk), request, tab if tab in TABS else "summary")
    turn = request.GET.get("turn", "")
    head.turn = int(turn) if turn.isdecimal() and len(turn) < MOST_DIGITS else 0
    panels = _panels(head) if head.has_panels else {}
    context = {"head": head, "run": head.run, "has_ended": not head.poll_url, "panels": bool(panels), **panels}
    response = render(request, "runs/run_page_live.html", context)
    if not head.poll_url:
        response.status_code = HttpResponseStopPolling.status_code
    return response


@require_safe
@viewers
def run_thresholds(request: HttpRequest, pk: int) -> HttpResponse:
    head = head_of(find_run(pk), request, "thresholds")
    return _tab(request, head, page=_page_of(request, _shown(head.thresholds)))


@require_safe
@viewers
def run_metrics(request: HttpRequest, pk: int) -> HttpResponse:
    """All kinds with their first rows, or (`?kind=`) one kind page by page."""
    head = head_of(find_run(pk), request, "metrics")
    counts = run_details.metric_counts(head.run)
    kind = request.GET.get("kind", "")
    if kind in counts:
        page = _page_of(request, run_details.metrics_of(head.run, kind))
        return _tab(request, head, sections=[_section(kind, page.object_list, counts[kind])], page=page, kind=kind)
    sections = [
        _section(name, run_details.metrics_of(head.run, name)[:FIRST_ROWS], rows) for name, rows in counts.items()
    ]
    return _tab(request, head, sections=sections)


@require_safe
@viewers
def run_messages(request: HttpRequest, pk: int) -> HttpResponse:
    """The newest first, by level (`?level=`, repeatable)."""
    head = head_of(find_run(pk), request, "messages")
    form = MessageFilter(request.GET)
    levels = form.cleaned_data["level"] if form.is_valid() else []
    page = _page_of(request, run_details.messages_of(head.run, levels))
    return _tab(request, head, page=page, levels=levels, level_counts=run_details.message_counts(head.run))


@require_safe
@viewers
def run_config(request: HttpRequest, pk: int) -> HttpResponse:
    """With what it was started, and what was planned."""
    head = head_of(find_run(pk), request, "config")
    service = SERVICES.get(head.run.account.provider)
    fields = {field.key: field for field in service.start_fields} if service else {}
    given = head.run.start_values  # not every database keeps the order in which they came
    values = [(field.label, "" if field.secret else given[key]) for key, field in fields.items() if key in given]
    values += [(key, given[key]) for key in sorted(given) if key not in fields]
    return _tab(request, head, values=values)


@require_safe
@viewers
def run_activity(request: HttpRequest, pk: int) -> HttpResponse:
    """What was done here and which statuses were seen, the newest first."""
    head = head_of(find_run(pk), request, "activity")
    entries = [Activity(at=intent.created_at, intent=intent) for intent in run_details.intents_of(head.run)]
    entries += [Activity(at=event.seen_at, event=event) for event in head.run.statusevents.all()]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return _tab(request, head, page=_page_of(request, entries), start_kind=IntentKind.START)


@require_safe
@viewers
def run_raw(request: HttpRequest, pk: int) -> HttpResponse:
    head = head_of(find_run(pk), request, "raw")
    stored = getattr(head.run, "payload", None)
    text = json.dumps(stored.payload, indent=2, ensure_ascii=False, sort_keys=True) if stored else ""
    return _tab(request, head, text=text)


def _tab(request: HttpRequest, head: Head, **context: object) -> HttpResponse:
    opened(request, head.run)
    return render(request, f"runs/run_page_{head.tab}.html", {"head": head, "run": head.run, **context})


def _panels(head: Head) -> dict[str, object]:
    """The chart and the lists beside it."""
    return {
        "chart": _chart_of(head),
        "thresholds": _shown(head.thresholds)[:12],
        "errors": shown_errors(head.run, head.before),
        "slowest": slowest(head.run, head.before),
        "files": run_details.files_of(head.run) if head.offers["files"] else [],
        "last_messages": run_details.messages_of(head.run)[:5],
    }


def _chart_of(head: Head) -> Chart | None:
    run, before = head.run, None
    since = (head.now - run.load_started_at).total_seconds() if run.is_live and run.load_started_at else None
    if head.before:
        before = (f"#{head.before.run.shown_number}, {outcome_word(head.before.run)}", head.before.series)
    mean_rate = run_details.run_numbers(run).get("rate_per_s")
    return chart(
        run.series.all(),
        head.thresholds,
        planned_s=run.planned_duration_s,
        now_s=since,
        before=before,
        mean_rate=mean_rate,
    )


def _section(kind: str, rows: Iterable[RunMetric], total: int) -> MetricSection:
    found = list(rows)
    for row in found:
        row.numbers = dict.fromkeys(METRIC_KEYS) | row.numbers
    return MetricSection(kind, KIND_NAMES.get(kind, kind.capitalize()), found, total)


def _shown(thresholds: list[RunThreshold]) -> list[ShownThreshold]:
    return [ShownThreshold(row, words(row)) for row in thresholds]


def _page_of(request: HttpRequest, rows: object) -> Page:
    return Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
