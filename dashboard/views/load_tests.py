"""Load tests: the list of what can be started, and one test with its recent runs and its settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.forms.history_filters import LoadTestFilterForm
from dashboard.permissions import viewers
from dashboard.run_links import query_of, runs_url
from dashboard.trend import trend_of
from dashboard.views.schedules import any_keeps_schedules, lines_of
from dashboard.views.thresholds import in_words
from runs import actions, history_rows
from runs.abilities import can, label_of
from runs.history import TESTS_PER_PAGE, Counts, Span, Strip, Tally, strip
from runs.listing import mark_failing
from runs.models import Account, LoadTest, Run
from runs.services import SERVICES
from runs.services.base import Capability

RATE_DAYS = 28
RECENT_RUNS = 30


@dataclass(frozen=True, slots=True)
class Row:
    """A load test in the list. `refusal`: why this person cannot start it, "" when they can."""

    test: LoadTest
    strip: Strip
    last_run: Run | None
    counts: Counts
    runs_url: str
    refusal: str

    @property
    def all_runs_url(self) -> str:
        return runs_url(query_of(self.test))

    @property
    def history_query(self) -> str:
        return urlencode([("name", self.test.name), ("account", self.test.account.slug)])


def rows_of(tests: Sequence[LoadTest], user: User) -> list[Row]:
    """Rows for tests read through `with_strip_start`, with their accounts. At most three queries."""
    recent = history_rows.last_runs(tests)
    mark_failing([runs[0] for runs in recent.values()])
    span = Span(RATE_DAYS, timezone.now().astimezone(UTC).date())
    counts = {count.test_id: count for count in history_rows.counts_per_test([test.pk for test in tests], span)}
    rows = []
    for test in tests:
        runs = recent.get(test.pk, [])
        rows.append(
            Row(
                test,
                strip([(run.status, run.result) for run in runs]),
                runs[0] if runs else None,
                counts.get(test.pk) or Counts(test.pk, test.name, Tally()),
                runs_url(query_of(test), first=span.first, last=span.last),
                actions.may_control(user, test.account, Capability.START),
            )
        )
    return rows


def accounts_for_new_tests(user: User) -> list[Account]:
    """The accounts on which this person may start a run by a name of their choice."""
    if not user.has_perm("runs.control_run"):
        return []
    providers = [key for key, service in SERVICES.items() if service.starts_new_tests]
    return [
        account
        for account in Account.objects.filter(provider__in=providers)
        if not actions.may_control(user, account, Capability.START)
    ]


@require_safe
@viewers
def test_list(request: HttpRequest) -> HttpResponse:
    """All load tests, by name or by their last run, with how they did lately."""
    form = LoadTestFilterForm(request.GET)
    tests = history_rows.with_strip_start(form.load_tests().select_related("account"))
    page = Paginator(tests, TESTS_PER_PAGE).get_page(request.GET.get("page"))
    accounts = list(Account.objects.all())
    context = {
        "form": form,
        "page": page,
        "rows": rows_of(list(page), request.user),
        "days": RATE_DAYS,
        "new_on": accounts_for_new_tests(request.user),
        "has_accounts": bool(accounts),
        "has_schedules": any_keeps_schedules(accounts),
    }
    return render(request, "tests/list.html", context)


@require_safe
@viewers
def test_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One load test: recent runs, how it did lately, the settings it starts with."""
    tests = history_rows.with_strip_start(LoadTest.objects.select_related("account", "target"))
    test = get_object_or_404(tests, pk=pk)
    [row] = rows_of([test], request.user)
    runs = list(
        Run.objects.for_list().with_failing().filter(load_test=test).order_by("-created_at", "-id")[:RECENT_RUNS]
    )
    service = SERVICES.get(test.account.provider)
    labels = {field.key: field.label for field in service.start_fields} if service else {}
    context = {
        "test": test,
        "account": test.account,
        "row": row,
        "runs": runs,
        "days": RATE_DAYS,
        "settings": [(label, test.start_values.get(key, "")) for key, label in labels.items()],
        "provider": label_of(test.account),
        "can_start": can(test.account, Capability.START),
        "trend": trend_of(runs),
        "may_stop": not actions.may_control(request.user, test.account, Capability.STOP) and test.runs.live().exists(),
        "schedules": lines_of(list(test.schedules.select_related("load_test__account")), request.user),
        "keeps_schedules": can(test.account, Capability.SCHEDULES),
        "keeps_thresholds": can(test.account, Capability.OWN_THRESHOLDS),
        "thresholds": in_words(test),
        "has_script": can(test.account, Capability.SCRIPT),
    }
    return render(request, "tests/page.html", context)
