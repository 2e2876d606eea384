"""Guard rails: what stands against starts, for everybody to read, and for admins to change."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.context import preference_of
from dashboard.forms.guards import DAYS, FreezeForm, TargetForm, TestsForm, TestTargetForm, tests_to_add
from dashboard.permissions import viewers
from dashboard.views.accounts import admins_only
from dashboard.views.control import dialog, dialog_methods, go
from dashboard.words import number
from runs.actions import shown_name
from runs.freezes import local, span_next, span_now
from runs.guards import count_under_way, under_way
from runs.models import Account, FreezeWindow, LoadTest, Target

TESTS_PER_PAGE, MOST_FOUND = 50, 50
form_methods = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True)
class FreezeLine:
    """A freeze window in the list. `kind`: now, next, past or off; `when` says it, in the reader's zone."""

    window: FreezeWindow
    kind: str
    when: str
    order: tuple[int, float]

    @property
    def times(self) -> str:
        """When it holds, as its own clocks show it."""
        window = self.window
        if window.weekly:
            names = [name for day, name in DAYS if int(day) in window.weekdays]
            until = " the next day" if window.to_time <= window.from_time else ""
            return f"Every {', '.join(names)} {window.from_time:%H:%M} to {window.to_time:%H:%M}{until}"
        with timezone.override(window.zone):
            return f"{local(window.starts_at)} to {local(window.ends_at)}"


def freeze_line(window: FreezeWindow, now: datetime) -> FreezeLine:
    holds, coming = span_now(window, now), span_next(window, now)
    if not window.enabled:
        return FreezeLine(window, "off", "Switched off", (2, 0))
    if holds:
        return FreezeLine(window, "now", f"Now, until {local(holds.ends)}", (0, holds.ends.timestamp()))
    if coming:
        return FreezeLine(window, "next", f"Next: {coming.words}", (1, coming.begins.timestamp()))
    past = f"Past, ended {local(window.ends_at)}" if window.ends_at else "Never"
    return FreezeLine(window, "past", past, (3, -window.ends_at.timestamp() if window.ends_at else 0))


@require_safe
@viewers
def guard_list(request: HttpRequest) -> HttpResponse:
    """Targets, freeze windows and the limits of accounts, with how much of them is taken."""
    now = timezone.now()
    by_account, by_target = count_under_way(now)
    windows = FreezeWindow.objects.select_related("account", "target")
    targets = Target.objects.annotate(tests=Count("load_tests")).order_by(Lower("name"))
    accounts = Account.objects.filter(Q(max_running__isnull=False) | Q(read_only=True), archive=False)
    context = {
        "targets": [(target, by_target[target.pk]) for target in targets],
        "freezes": sorted((freeze_line(window, now) for window in windows), key=lambda line: line.order),
        "accounts": [(account, by_account[account.pk]) for account in accounts],
    }
    return render(request, "guards/list.html", context)


@form_methods
@admins_only
def target_new(request: HttpRequest) -> HttpResponse:
    """Add a target; its load tests are chosen on its page."""
    form = TargetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        target = form.save()
        messages.success(request, f"{target} is added. Choose its load tests.")
        return redirect("target_page", target.pk)
    return render(request, "guards/target.html", {"form": form})


@form_methods
@viewers
def target_page(request: HttpRequest, pk: int) -> HttpResponse:
    """What a target allows, what is under way on it, its load tests; for admins the forms that change these."""
    target = get_object_or_404(Target, pk=pk)
    if request.method != "POST":
        return _target_page(request, target)
    if not request.user.has_perm("runs.manage_accounts"):
        raise PermissionDenied
    if request.POST.get("form") in ("add", "remove"):
        return _choose_tests(request, target, adds=request.POST["form"] == "add")
    form = TargetForm(request.POST, instance=target)
    if not form.is_valid():
        return _target_page(request, Target.objects.get(pk=pk), form)
    form.save()
    messages.success(request, f"{target} is saved.")
    return redirect("target_page", pk)


def _target_page(
    request: HttpRequest, target: Target, form: TargetForm | None = None, tests_form: TestsForm | None = None
) -> HttpResponse:
    name = request.GET.get("name", "").replace("\0", "").strip()[:300]
    tests = target.load_tests.select_related("account").order_by("name", "id")
    now = timezone.now()
    context = {
        "target": target,
        "form": form or TargetForm(instance=target),
        "tests_form": tests_form,
        "page": Paginator(tests, TESTS_PER_PAGE).get_page(request.GET.get("page")),
        "under_way": under_way(now, target=target),
        "freezes": [freeze_line(window, now) for window in target.freeze_windows.select_related("account", "target")],
        "name": name,
        "searched": "name" in request.GET,
    }
    if request.user.has_perm("runs.manage_accounts") and context["searched"]:
        found = tests_to_add(target, name)
        context |= {"found": found[:MOST_FOUND], "more": max(0, found.count() - MOST_FOUND)}
    return render(request, "guards/target.html", context)


def _choose_tests(request: HttpRequest, target: Target, adds: bool) -> HttpResponse:
    form = TestsForm(request.POST)
    if not form.is_valid():
        return _target_page(request, target, tests_form=form)
    chosen = LoadTest.objects.filter(pk__in=[test.pk for test in form.cleaned_data["test"]])
    count = (chosen if adds else chosen.filter(target=target)).update(target=target if adds else None)
    which = f"{number(count)} load test{'' if count == 1 else 's'}"
    belong = "belongs" if count == 1 else "belong"
    messages.success(request, f"{which} {belong} to {target} {'now' if adds else 'no more'}.")
    return redirect("target_page", target.pk)


@dialog_methods
@admins_only
def target_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a target, after saying what that means."""
    target = get_object_or_404(Target, pk=pk)
    if request.method == "POST":
        target.delete()
        messages.success(request, f"Target {target} is deleted.")
        return go(request, reverse("guard_list"))
    counts = {
        "tests": target.load_tests.count(),
        "windows": target.freeze_windows.count(),
        "under_way": len(under_way(timezone.now(), target=target)),
    }
    return dialog(request, "guards/target_delete.html", {"target": target, **counts})


@dialog_methods
@admins_only
def test_target(request: HttpRequest, pk: int) -> HttpResponse:
    """Say which target a load test puts under load."""
    test = get_object_or_404(LoadTest.objects.select_related("account", "target"), pk=pk)
    form = TestTargetForm(request.POST if request.method == "POST" else None, load_test=test)
    if request.method == "POST" and form.is_valid():
        test.target = form.cleaned_data["target"]
        test.save(update_fields=["target"])
        messages.success(request, f"{test} puts {test.target or 'no target'} under load.")
        return go(request, reverse("test_page", args=[pk]))
    context = {"test": test, "form": form, "any_target": Target.objects.exists()}
    return dialog(request, "guards/test_target.html", context, status=422 if form.errors else 200)


@form_methods
@admins_only
def freeze_new(request: HttpRequest) -> HttpResponse:
    """Add a freeze window."""
    return _freeze_form(request, None)


@form_methods
@admins_only
def freeze_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a freeze window."""
    return _freeze_form(request, get_object_or_404(FreezeWindow, pk=pk))


def _freeze_form(request: HttpRequest, window: FreezeWindow | None) -> HttpResponse:
    form = FreezeForm(request.POST or None, instance=window, zone=preference_of(request).time_zone)
    if request.method == "POST" and form.is_valid():
        saved = form.save(by=shown_name(request.user))
        messages.success(request, f"Freeze window {saved}: {freeze_line(saved, timezone.now()).when}.")
        return redirect("guard_list")
    return render(request, "guards/freeze.html", {"form": form, "window": window})


@require_POST
@admins_only
def freeze_switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch a freeze window off or (`enabled=yes`) on."""
    window = get_object_or_404(FreezeWindow, pk=pk)
    window.enabled = request.POST.get("enabled") == "yes"
    window.save(update_fields=["enabled"])
    messages.success(request, f"Freeze window {window}: {freeze_line(window, timezone.now()).when}.")
    return redirect("guard_list")


@dialog_methods
@admins_only
def freeze_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a freeze window, after saying what that means."""
    window = get_object_or_404(FreezeWindow, pk=pk)
    if request.method == "POST":
        window.delete()
        messages.success(request, f"Freeze window {window} is deleted.")
        return go(request, reverse("guard_list"))
    return dialog(request, "guards/freeze_delete.html", {"window": window, "line": freeze_line(window, timezone.now())})
