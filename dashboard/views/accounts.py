"""Accounts, for admins: how their sync does, and adding, changing, testing and syncing one."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.forms.accounts import NAMES_SHOWN, AccountForm, ArchiveForm, RequesterNamesForm, nameless
from dashboard.views.control import go
from runs import actions
from runs.abilities import can
from runs.accounts import AccountProblem
from runs.fields import CredentialsUnusable
from runs.health import Health, health_of
from runs.models import Account, DayResult
from runs.provider_calls import counted_calls
from runs.services import SERVICES
from runs.services.base import Capability, CheckStep, ServiceError
from runs.sync import request_sync

admins_only = permission_required("runs.manage_accounts", raise_exception=True)
TABLE = "accounts"
# Not the classes themselves: a template calls whatever it can call.
PROVIDERS = [(key, service.label, service.default_base_url) for key, service in SERVICES.items()]


@dataclass(frozen=True, slots=True)
class Line:
    """An account in the table, with the number of its runs that we hold."""

    account: Account
    health: Health
    runs: int


def lines() -> list[Line]:
    """Every account by name. The run counts come from the roll-up per day, so a million runs cost nothing here."""
    now = timezone.now()
    counts = dict(
        DayResult.objects.order_by().values_list("load_test__account").annotate(total=Sum("runs")).values_list(
            "load_test__account", "total"
        )
    )  # fmt: skip
    accounts = Account.objects.select_related("sync")
    return [Line(account, health_of(account, now), counts.get(account.pk, 0)) for account in accounts]


def _table(chosen: Account | None = None) -> dict[str, object]:
    found = lines()
    syncing = any(line.health.kind == "live" for line in found)
    return {
        "lines": found,
        "chosen": chosen,
        "known": sum(line.runs for line in found),
        "syncing": syncing,
        "still": not syncing,  # what is swapped every few seconds holds no focus
        "now": timezone.now(),
    }


@require_safe
@admins_only
def account_list(request: HttpRequest) -> HttpResponse:
    """All accounts. HTMX asking for the table gets the table, while a sync is under way."""
    if request.htmx.target == TABLE:
        chosen = Account.objects.filter(slug=request.GET.get("chosen", "")).first()
        return render(request, "accounts/_table.html", _table(chosen))
    return render(request, "accounts/account_list.html", _table())


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def account_new(request: HttpRequest) -> HttpResponse:
    """Add an account: first the provider, then its form."""
    provider = request.GET.get("provider", "")
    if provider not in SERVICES:
        return render(request, "accounts/choose_provider.html", {"providers": PROVIDERS})
    form = AccountForm(request.POST or None, provider=provider)
    context: dict[str, object] = {"form": form, "provider": provider}
    context["tested"] = "test" in request.POST
    if request.method == "POST" and form.is_valid():
        if context["tested"]:
            context["steps"] = _tested(form)
        elif account := _saved(request, form):
            messages.success(request, f"{account.name} is added. Its first sync begins now.")
            return redirect("account_page", account.slug)
    return render(request, "accounts/account_page.html", context | _table())


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def account_page(request: HttpRequest, slug: str) -> HttpResponse:
    """An account's settings, its requesters' names, and how its sync does."""
    account = get_object_or_404(Account.objects.select_related("sync"), slug=slug)
    sent = request.POST.get("form", "")
    data = request.POST if sent == "account" else None
    if account.archive:
        form = ArchiveForm(data, instance=account)
    else:
        form = AccountForm(data, provider=account.provider, instance=account)
    names = RequesterNamesForm(request.POST if sent == "names" else None, account=account)
    if sent == "account" and form.is_valid() and _saved(request, form):
        messages.success(request, f"{account.name} is saved.")
        return redirect("account_page", account.slug)
    if sent == "names" and names.is_valid():
        names.save()
        messages.success(request, "The names are saved.")
        return redirect("account_page", account.slug)
    return _account_page(request, account, form, names=names)


def _account_page(
    request: HttpRequest, account: Account, form: AccountForm | ArchiveForm, **more: object
) -> HttpResponse:
    context = {
        "account": account,
        "form": form,
        "provider": account.provider,
        "names": RequesterNamesForm(None, account=account),
        "may_stop": not actions.may_control(request.user, account, Capability.STOP) and account.runs.live().exists(),
        "facts": facts_of(account),
        "tells_facts": can(account, Capability.FACTS),
        "more_names": max(0, nameless(account).count() - NAMES_SHOWN),
        **_table(account),
        **more,
    }
    return render(request, "accounts/account_page.html", context)


def facts_of(account: Account) -> list[tuple[str, list[tuple[str, str]]]]:
    """What its provider says of it, by heading, in the provider's order: [(group, [(name, value), …]), …]."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for group, name, value in account.sync.facts if hasattr(account, "sync") else ():
        groups.setdefault(group, []).append((name, value))
    return list(groups.items())


def _saved(request: HttpRequest, form: AccountForm | ArchiveForm) -> Account | None:
    try:
        return form.save(by=actions.shown_name(request.user))
    except AccountProblem as problem:
        form.add_error(problem.field if problem.field in form.fields else None, str(problem))
        return None


@require_POST
@admins_only
def account_test(request: HttpRequest, slug: str) -> HttpResponse:
    """Try the address and credentials as they are in the form, without storing anything."""
    account = get_object_or_404(Account, slug=slug)
    if account.archive:
        messages.warning(request, f"{account.name} is an archive: there is no connection to test.")
        return go(request, reverse("account_page", args=[account.slug]))
    form = AccountForm(request.POST, provider=account.provider, instance=account)
    with counted_calls(account):
        steps = _tested(form) if form.is_valid() else []
    if request.htmx.target == "connection-test":
        return render(request, "accounts/_connection_test.html", {"form": form, "steps": steps, "tested": True})
    return _account_page(request, account, form, steps=steps, tested=True)


def _tested(form: AccountForm) -> list[CheckStep]:
    """The steps of a test; trouble before the first of them is a failed step of its own."""
    try:
        credentials = form.credentials_to_test()
        return actions.test_connection(
            provider=form.provider, base_url=form.cleaned_data["base_url"], credentials=credentials
        )
    except (ServiceError, CredentialsUnusable) as problem:
        return [CheckStep("Connect", False, str(problem))]


@require_POST
@admins_only
def account_sync(request: HttpRequest, slug: str) -> HttpResponse:
    """Let the worker sync this account next, and go back to the account whose page it was asked from (`back`)."""
    account = get_object_or_404(Account.objects.select_related("sync"), slug=slug)
    state = getattr(account, "sync", None)
    if account.archive:
        messages.warning(request, f"{account.name} is an archive, so there is nothing to sync it with.")
    elif not account.enabled:
        messages.warning(request, f"{account.name} is disabled, so it is not synced. Enable it first.")
    elif state and state.paused:
        messages.warning(request, f"{account.name} waits for new credentials, so it is not synced. Enter them first.")
    else:
        request_sync(account, everything=True)
        held = bool(state and state.not_before and state.not_before > timezone.now())
        when = "as soon as the provider's pause is over" if held else "now"
        messages.success(request, f"{account.name} is synced {when}.")
    asked_from = Account.objects.filter(slug=request.POST.get("back", "").replace("\0", "")).first()
    return redirect("account_page", asked_from.slug) if asked_from else redirect("account_list")
