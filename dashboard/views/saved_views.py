"""Saved views: keep filters under a name, share them, begin with them; and say which runs one has seen."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.context import preference_of
from dashboard.forms.run_filters import RunFilterForm, known_accounts, known_tests
from dashboard.forms.saved_views import DefaultViewForm, NewViewForm, SavedViewForm, SeenForm, ViewFiltersForm
from dashboard.models import Preference, SavedView
from dashboard.permissions import viewers
from dashboard.run_address import Address, tokens
from dashboard.run_rows import order_sentence
from dashboard.run_views import View, choose, find, readable_by
from dashboard.seen import mark_seen, seen_by
from dashboard.views.control import dialog, dialog_methods, go
from dashboard.words import number
from runs.actions import shown_name
from runs.listing import runs_matching

MOST_AT_ONCE = 2_000


def may_change(user: User, saved: SavedView) -> bool:
    """Its owner; of shared ones an admin too, who may end the sharing or delete it, but not change what it is."""
    return saved.owner_id == user.pk or (saved.shared and user.has_perm("auth.change_user"))


def _changeable(request: HttpRequest, pk: int) -> SavedView:
    saved = get_object_or_404(readable_by(request.user), pk=pk)
    if not may_change(request.user, saved):
        raise PermissionDenied
    return saved


@require_safe
@viewers
def view_list(request: HttpRequest) -> HttpResponse:
    """One's own views, then those of others."""
    user = request.user
    views = sorted(readable_by(user), key=lambda view: view.owner_id != user.pk)
    queries = [QueryDict(saved.query) for saved in views]
    tests = known_tests([text for query in queries for text in query.getlist("test")])
    known = {"seen": seen_by(user), "accounts": known_accounts(), "tests": tests}
    rows = [
        {
            "view": View.of(saved),
            **_held(RunFilterForm(query, **known)),
            "is_own": saved.owner_id == user.pk,
            "owner": shown_name(saved.owner),
            "may_change": may_change(user, saved),
        }
        for saved, query in zip(views, queries, strict=True)
    ]
    opens_with = preference_of(request).default_view
    gone = bool(opens_with) and find(opens_with, user) is None
    return render(request, "views/list.html", {"rows": rows, "opens_with": opens_with, "gone": gone})


@dialog_methods
@viewers
def view_new(request: HttpRequest) -> HttpResponse:
    """Keep the filters of an address (`?name=…`, as in the run list) under a name."""
    if request.method != "POST":
        query = Address.of(request.GET).full_query
        return _new_dialog(request, NewViewForm(acting=request.user, initial={"filters": query}), query)
    form = NewViewForm(request.POST, acting=request.user)
    if not form.saves():
        return _new_dialog(request, form, request.POST.get("filters", ""))
    messages.success(request, f"“{form.instance.name}” is saved.")
    return go(request, View.of(form.instance).url)


def _new_dialog(request: HttpRequest, form: NewViewForm, query: str) -> HttpResponse:
    context = {"form": form, **_held(RunFilterForm(QueryDict(query), seen=seen_by(request.user)))}
    return dialog(request, "views/new.html", context, status=422 if form.errors else 200)


def _held(filters: RunFilterForm) -> dict[str, object]:
    """What a view holds, for its reader: `tokens`, and `order` as words ("" when the filters cannot be read)."""
    if not filters.is_valid():
        return {"tokens": [], "order": ""}
    return {
        "tokens": tokens(filters, Address.of(filters.data)),
        "order": order_sentence(filters.cleaned_data["sort"]),
    }


@dialog_methods
@viewers
def view_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename a view, share it, or end that."""
    saved = _changeable(request, pk)
    name = saved.name
    form = SavedViewForm(request.POST if request.method == "POST" else None, instance=saved, acting=request.user)
    if request.method == "POST" and form.saves():
        messages.success(request, f"“{saved.name}” is saved.")
        readable = saved.shared or saved.owner == request.user
        return go(request, View.of(saved).url if readable else reverse("view_list"))
    context = {"form": form, "saved": saved, "name": name, **_ownership(request, saved)}
    return dialog(request, "views/edit.html", context, status=422 if form.errors else 200)


def _ownership(request: HttpRequest, saved: SavedView) -> dict[str, object]:
    return {"is_own": saved.owner_id == request.user.pk, "owner": shown_name(saved.owner)}


@require_POST
@viewers
def view_save(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a view hold other filters."""
    saved = get_object_or_404(readable_by(request.user), pk=pk)
    if saved.owner != request.user:
        raise PermissionDenied
    form = ViewFiltersForm(request.POST, acting=request.user)
    if not form.is_valid():
        messages.error(request, " ".join(["Not saved.", *form.errors["filters"]]))
        values = Address.of(QueryDict(request.POST.get("filters", ""))).values
        return redirect(Address(values, str(saved.pk)).url)
    saved.query = form.cleaned_data["filters"]
    saved.save(update_fields=["query"])
    messages.success(request, f"“{saved.name}” is saved.")
    return redirect(View.of(saved).url)


@dialog_methods
@viewers
def view_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then forget a view. Who began with it begins with all runs again."""
    saved = _changeable(request, pk)
    if request.method != "POST":
        others = Preference.objects.filter(default_view=str(pk)).exclude(user=request.user).count()
        context = {"saved": saved, "others": others, **_ownership(request, saved)}
        return dialog(request, "views/delete.html", context)
    Preference.objects.filter(user=request.user, default_view=str(pk)).update(default_view="")
    saved.delete()
    messages.success(request, f"“{saved.name}” is deleted.")
    return go(request, reverse("view_list"))


@require_POST
@viewers
def view_default(request: HttpRequest) -> HttpResponse:
    """Open the run list with this view from now on; with nothing, with all runs."""
    form = DefaultViewForm(request.POST, acting=request.user)
    if not form.is_valid():
        messages.error(request, " ".join(form.errors["view"]))
        return redirect("view_list")
    key = form.cleaned_data["view"]
    Preference.objects.update_or_create(user=request.user, defaults={"default_view": key})
    view = find(key or "all", request.user)
    messages.success(request, f"Runs open with “{view.label}” now.")
    return redirect(view.url)


@require_POST
@viewers
def runs_seen(request: HttpRequest) -> HttpResponse:
    """Mark the runs of the list's address as seen, the newest first and at most MOST_AT_ONCE.

    Runs that came or changed after the page was made are left: nobody has seen them so. Both is told by what we did
    and when, as the clocks of providers differ from ours.
    """
    chosen = choose(request.GET, request.user)
    filters = RunFilterForm(chosen.data, seen=seen_by(request.user))
    form = SeenForm(request.POST)
    all_of_no_view = chosen.problem and not chosen.address.values  # not what the button said
    if all_of_no_view or not filters.is_valid() or not form.is_valid():
        messages.error(request, "Nothing is marked as seen: these filters cannot be read.")
        return redirect(chosen.address.url)
    runs = runs_matching(filters.filters())
    if until := form.cleaned_data["until"]:
        runs = runs.exclude(statusevents__seen_at__gt=until)
    if newest := form.cleaned_data["newest"]:
        runs = runs.filter(pk__lte=newest)
    found = list(runs.order_by("-created_at", "-id").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    mark_seen(request.user, found[:MOST_AT_ONCE])
    if len(found) > MOST_AT_ONCE:
        text = f"The newest {number(MOST_AT_ONCE)} are marked as seen, as many as go at once. Press again for the rest."
        messages.warning(request, text)
    else:
        many = "1 run is" if len(found) == 1 else f"{number(len(found))} runs are"
        messages.success(request, f"{many} marked as seen.")
    return redirect(chosen.address.url)
