"""Jump to: one field that leads to a run, a load test, an account, a saved view or a page."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.permissions import viewers
from dashboard.run_views import ALL, BUILT_IN, View, readable_by, values_of
from runs import jump
from runs.models import Account, LoadTest, Run

RESULTS = "jump-results"
MOST_TYPED = 300


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to go: an icon, or the run, account or provider it is about, and a name."""

    url: str
    name: str
    icon: str = ""
    note: str = ""
    run: Run | None = None
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the dashboard, and the permission it takes."""

    address: str
    name: str
    icon: str
    permission: str = ""


PAGES = (
    Page("run_list", "Runs", "player-play"),
    Page("test_list", "Tests", "target"),
    Page("history", "History", "history"),
    Page("view_list", "Views of the run list", "filter"),
    Page("account_list", "Accounts", "plug-connected", "runs.manage_accounts"),
    Page("account_new", "Add account", "plus", "runs.manage_accounts"),
    Page("guard_list", "Guard rails", "lock"),
    Page("target_new", "Add target", "plus", "runs.manage_accounts"),
    Page("freeze_new", "Add freeze window", "plus", "runs.manage_accounts"),
    Page("user_list", "Users", "users", "auth.change_user"),
    Page("me", "Your settings", "settings"),
    Page("shortcuts", "Keyboard shortcuts", "key"),
)


@require_safe
@viewers
def jump_to(request: HttpRequest) -> HttpResponse:
    """Places for what is typed (`?q=`): a page of links, the inside of the dialog, or its results alone."""
    typed = request.GET.get("q", "")[:MOST_TYPED].replace("\0", "").strip()
    target = request.htmx.target if request.htmx else ""
    in_dialog = target in ("dialog", RESULTS)
    groups = [(name, places) for name, places in groups_for(request.user, typed) if places]
    context = {
        "typed": typed,
        "groups": groups,
        "count": sum(len(places) for _, places in groups),
        "in_dialog": in_dialog,
        "partial": target == RESULTS,
        "layout": f"components/dialog_{'only' if in_dialog else 'full'}.html",
    }
    return render(request, "jump/_results.html" if target == RESULTS else "jump/jump.html", context)


def groups_for(user: User, typed: str) -> list[tuple[str, list[Place]]]:
    """Each kind of place under its heading, the likeliest kind first. Nothing typed: the pages and the views."""
    pages, views = ("Pages", pages_for(user, typed)), ("Views", views_for(user, typed))
    if not typed:
        return [pages, views]
    exact = jump.exact_runs(typed)
    named = jump.runs_of(typed, exact)[: jump.MOST - len(exact)]
    tests = ("Load tests", [place_of_test(load_test) for load_test in jump.load_tests_like(typed)])
    accounts = ("Accounts", [place_of_account(account, user) for account in jump.accounts_like(typed)])
    runs = ("Runs", [place_of_run(run) for run in (*exact, *named)])
    return [runs, tests, views, accounts, pages] if exact else [pages, tests, runs, views, accounts]


def pages_for(user: User, typed: str) -> list[Place]:
    return [
        Place(reverse(page.address), page.name, page.icon)
        for page in PAGES
        if typed.casefold() in page.name.casefold() and (not page.permission or user.has_perm(page.permission))
    ]


def views_for(user: User, typed: str) -> list[Place]:
    """Views of the run list: the built-in ones, one's own and those that others share."""
    built_in = [View(key, label, values_of(key, user)) for key, label in BUILT_IN.items() if key != ALL]
    saved = [View.of(saved) for saved in readable_by(user).filter(name__icontains=typed)[: jump.MOST]]
    found = [view for view in built_in if typed.casefold() in view.label.casefold()] + saved
    return [Place(view.url, view.label, _view_icon(view), note="runs") for view in found[: 2 * jump.MOST]]


def _view_icon(view: View) -> str:
    if not view.saved:
        return "filter"
    return "users" if view.saved.shared else "lock"


def place_of_run(run: Run) -> Place:
    return Place(reverse("run_page", args=[run.pk]), run.title, run=run, account=run.account)


def place_of_test(load_test: LoadTest) -> Place:
    return Place(
        reverse("test_page", args=[load_test.pk]), load_test.name, account=load_test.account,
        note=" · ".join(part for part in (load_test.account.name, load_test.project) if part),
    )  # fmt: skip


def place_of_account(account: Account, user: User) -> Place:
    """An admin changes an account; others look at its runs."""
    if user.has_perm("runs.manage_accounts"):
        return Place(reverse("account_page", args=[account.slug]), account.name, account=account)
    return Place(f"{reverse('run_list')}?account={account.slug}", account.name, account=account, note="its runs")
