"""The views of the run list: built-in ones, saved ones, which of them an address means, and the tabs made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import QueryDict

from dashboard.forms.run_filters import FILTER_KEYS
from dashboard.models import SavedView
from dashboard.run_address import KEPT, Address
from dashboard.seen import seen_by
from runs.actions import shown_name
from runs.choices import LIVE
from runs.listing import RunFilters, Wanted, runs_matching

ALL = "all"
BUILT_IN = {
    ALL: "All runs",
    "mine": "My runs",
    "running": "Running now",
    "failed": "Failed, unseen",
    "latest": "Latest per test",
}
MOST_COUNTED = 100
MOST_TABS = 12

Values = Mapping[str, tuple[str, ...]]


def readable_by(user: User) -> QuerySet[SavedView]:
    """One's own views and those that others share."""
    return SavedView.objects.filter(Q(owner=user) | Q(shared=True)).select_related("owner")


def values_of(key: str, user: User) -> Values:
    """What a built-in view holds for this person."""
    return {
        ALL: {},
        "mine": {"requested_by": (shown_name(user),)},
        "running": {"status": tuple(str(status) for status in LIVE)},
        "failed": {"result": ("failed", "error"), "unseen": ("1",)},
        "latest": {"latest": ("1",)},
    }[key]


@dataclass(frozen=True)
class View:
    """A view somebody may choose; `saved` is its row where it is no built-in one."""

    key: str
    label: str
    values: Values
    saved: SavedView | None = None

    @classmethod
    def of(cls, saved: SavedView) -> "View":
        return cls(str(saved.pk), saved.name, Address.of(QueryDict(saved.query)).values, saved)

    @property
    def url(self) -> str:
        return Address({}, self.key, {}).url if self.key == ALL else Address(self.values, self.key, self.values).url

    def is_of(self, user: User) -> bool:
        return bool(self.saved) and self.saved.owner_id == user.pk


def find(key: str, user: User) -> View | None:
    """The view of this key or number, if there is one that this person may read."""
    if key in BUILT_IN:
        return View(key, BUILT_IN[key], values_of(key, user))
    if not (key.isascii() and key.isdecimal() and len(key) < 18):
        return None
    saved = readable_by(user).filter(pk=int(key)).first()
    return View.of(saved) if saved else None


@dataclass(frozen=True)
class Chosen:
    """What an address of the run list means: `data` for the form of filters, and the view behind it.

    `problem` is a sentence about a view that was asked for and cannot be had; then all filters of the address hold.
    """

    data: QueryDict
    address: Address
    view: View | None = None
    problem: str = ""


def choose(query: QueryDict, user: User, default: str = "") -> Chosen:
    """Filters in the address beat the view it names, and that beats `default`, the view a person begins with.

    An address that names a filter, even a blank one, is the whole truth. Otherwise the filters are those of the view;
    an order in the address still outranks the view's.
    """
    told = any(key in query for key in FILTER_KEYS)
    named = query.get("view", "").strip()
    key = named or ("" if told else default)
    view = find(key, user) if key else None
    # Where nothing said means somebody's own view, "all runs" has to be said.
    address = replace(Address.of(query), view=ALL if default else "", base={})
    if view is None:
        return Chosen(_without_view(query), address, None, _missing(bool(named), told) if key else "")
    values = address.values if told else dict(view.values)
    if not told:  # then what the address holds is an order or columns
        values = {key: values[key] for key in values if key not in query} | dict(address.values)
    if view.key != ALL or default:
        address = Address(values, view.key, view.values)
    data = _without_view(query)
    for name in KEPT:
        if name in values and name not in query:
            data.setlist(name, list(values[name]))
    return Chosen(data, address, view)


def _without_view(query: QueryDict) -> QueryDict:
    data = query.copy()
    data.pop("view", None)
    return data


def _missing(named: bool, told: bool) -> str:
    if not named:
        return "The view you open the runs with is gone, or its owner keeps it private now. All runs are shown."
    held = "The filters of the address still hold." if told else "All runs are shown."
    return f"There is no such view, or its owner keeps it private. {held}"


@dataclass(frozen=True, slots=True)
class Tab:
    """A view as a link. `tone` colours its count, `icon` and `said` tell who can use it."""

    label: str
    url: str
    current: bool
    count: str = ""
    tone: str = ""
    icon: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Tabs:
    """The row of views; `own_and_shared` after a line. `more` says that there are views beyond them."""

    built_in: list[Tab]
    own_and_shared: list[Tab]
    more: bool


def tabs(chosen: Chosen, user: User, live: int) -> Tabs:
    """Three counts and the saved views: four or five queries, however many runs and views there are."""
    current = _current(chosen, user)
    own_name = shown_name(user)
    counts = {
        "mine": (_count(RunFilters(requested_by=Wanted((own_name,)))), ""),
        "running": (live, "is-blue"),
        "failed": (_count(RunFilters(result=Wanted(("failed", "error")), seen=seen_by(user))), "is-red"),
    }
    built_in = []
    for key, label in BUILT_IN.items():
        url = chosen.address.cleared.url if key == ALL else View(key, label, values_of(key, user)).url
        count, tone = counts.get(key, (0, ""))
        built_in.append(Tab(label, url, key == current, _capped(count), tone))
    saved = sorted(readable_by(user), key=lambda view: view.owner_id != user.pk)
    shown = [view for number, view in enumerate(saved) if number < MOST_TABS or str(view.pk) == current]
    return Tabs(built_in, [_saved_tab(view, current, user) for view in shown], len(shown) < len(saved))


def _current(chosen: Chosen, user: User) -> str:
    """The chosen view; where none is, the built-in one that holds the same."""
    if chosen.view:
        return chosen.view.key
    filters = chosen.address.without("sort", "cols").values
    return next((key for key in BUILT_IN if values_of(key, user) == filters), ALL)


def _saved_tab(saved: SavedView, current: str, user: User) -> Tab:
    view = View.of(saved)
    icon = "users" if saved.shared else "lock"
    said = "private" if not saved.shared else "shared" if view.is_of(user) else f"shared by {shown_name(saved.owner)}"
    return Tab(view.label, view.url, view.key == current, icon=icon, said=said)


def _count(filters: RunFilters) -> int:
    return runs_matching(filters).order_by()[:MOST_COUNTED].count()


def _capped(count: int) -> str:
    return "99+" if count >= MOST_COUNTED else str(count or "")
