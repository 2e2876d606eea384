"""Schedules: when the providers start load tests by themselves, as last read, and switching them on and off."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard.permissions import viewers
from dashboard.way_back import way_back
from runs import more_actions
from runs.abilities import can
from runs.actions import NotAllowed, may_control
from runs.models import Account, Schedule
from runs.services.base import Capability, ServiceError

PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A schedule, and whether this person may switch it. `is_due`: its next run lies in the past, as far as we know."""

    schedule: Schedule
    may_switch: bool
    is_due: bool


def lines_of(schedules: Sequence[Schedule], user: User) -> list[Line]:
    """`schedules` come with their load tests and accounts."""
    accounts = {one.load_test.account_id: one.load_test.account for one in schedules}
    may = {pk: not may_control(user, account, Capability.SCHEDULES) for pk, account in accounts.items()}
    now = timezone.now()
    return [
        Line(one, may[one.load_test.account_id], bool(one.active and one.next_run_at and one.next_run_at < now))
        for one in schedules
    ]


def any_keeps_schedules(accounts: Iterable[Account]) -> bool:
    return any(can(account, Capability.SCHEDULES) for account in accounts)


@require_safe
@viewers
def schedule_list(request: HttpRequest) -> HttpResponse:
    """All of them: what starts next comes first, what is switched off last."""
    found = Schedule.objects.select_related("load_test__account")
    soonest = F("next_run_at").asc(nulls_last=True)
    page = Paginator(found.order_by("-active", soonest, "load_test__name", "id"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "page": page,
        "lines": lines_of(list(page), request.user),
        "possible": bool(page.paginator.count) or any_keeps_schedules(Account.objects.all()),
    }
    return render(request, "schedules/list.html", context)


@require_POST
@viewers
def schedule_switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch a schedule off or (`active=yes`) on at its provider; `next` is the page it was asked from."""
    if not request.user.has_perm("runs.control_run"):
        raise PermissionDenied
    schedule = get_object_or_404(Schedule.objects.select_related("load_test__account"), pk=pk)
    active = request.POST.get("active") == "yes"
    done = f"switched {'on' if active else 'off'}"
    try:
        more_actions.switch_schedule(user=request.user, schedule=schedule, active=active)
    except (ServiceError, NotAllowed) as problem:
        messages.error(request, f"{schedule.load_test}: {more_actions.how_it_failed(problem, done)}")
    else:
        messages.success(request, f"The schedule of {schedule.load_test} is {done}.")
    return way_back(request, "schedule_list")
