"""The run list's address taken apart: which links add or drop a filter, and the tokens and menus made of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from dashboard.forms.run_filters import FILTER_KEYS, MOVING_LABELS, RunFilterForm
from dashboard.words import RESULTS, STATUS_ICON
from runs.choices import RunResult, RunStatus
from runs.listing import DEFAULT_SORT, Wanted
from runs.models import Person

KEPT = (*FILTER_KEYS, "sort")
MENU_PEOPLE = 100
FACETS = ("requested_by", "status", "result", "account", "provider")
RESULT_PILLS = {kind: (name, icon) for kind, (name, _, icon) in RESULTS.items()} | {
    RunResult.NONE: ("none", "circle-minus")
}


@dataclass(frozen=True)
class Address:
    """The filters and order of a list, without its place in it: key -> values, blanks and defaults left out."""

    values: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, query: QueryDict) -> "Address":
        kept = {key: tuple(text for text in query.getlist(key) if text.strip()) for key in KEPT}
        if kept["sort"] == (DEFAULT_SORT,):
            kept["sort"] = ()
        return cls({key: tuple(dict.fromkeys(texts)) for key, texts in kept.items() if texts})

    @property
    def query(self) -> str:
        return self._with({})

    @property
    def url(self) -> str:
        return self.at("run_list")

    @property
    def export_query(self) -> str:
        return self.without("sort").query

    def at(self, name: str, **more: str | Sequence[object]) -> str:
        """The address of another view with the same filters, and more parameters."""
        query = self._with(more)
        return reverse(name) + (f"?{query}" if query else "")

    def _with(self, more: Mapping[str, str | Sequence[object]]) -> str:
        kept = {key: self.values[key] for key in KEPT if key in self.values}
        return urlencode(kept | {key: value for key, value in more.items() if value}, doseq=True, safe="!:")

    def having(self, key: str, *texts: str) -> "Address":
        """The same, with exactly these values for `key`."""
        return Address({**{k: v for k, v in self.values.items() if k != key}, **({key: texts} if texts else {})})

    def adding(self, key: str, text: str) -> "Address":
        return self.having(key, *dict.fromkeys((*self.values.get(key, ()), text)))

    def without(self, *keys: str) -> "Address":
        return Address({key: texts for key, texts in self.values.items() if key not in keys})

    def is_only(self, key: str, *texts: str) -> bool:
        return self.without("sort").values == ({key: texts} if key else {})


@dataclass(frozen=True, slots=True)
class Token:
    """A filter in force: "Requested by · is not · Schedule", and the address without it."""

    key: str
    label: str
    operator: str
    value: str
    without: Address
    excludes: bool = False
    pill: tuple[str, str] = ("", "")  # class and icon of the value's state


def tokens(form: RunFilterForm, address: Address) -> list[Token]:
    """The filters in force, in the order of the address; only for a valid form."""
    filters = form.filters()
    found: list[Token] = []
    for key in ("name", "test", *FACETS):
        wanted: Wanted = getattr(filters, key)
        for texts, excludes in ((wanted.any_of, False), (wanted.none_of, True)):
            if texts:
                found.append(_token(form, address, key, texts, excludes))
    if form.cleaned_data["started"]:
        value = MOVING_LABELS[address.values["started"][0]]
        found.append(Token("started", "Started", "", value, address.without("started")))
    for key, operator in (("from", "from"), ("to", "before")):
        if moment := form.cleaned_data[key]:
            found.append(Token(key, "Started", operator, _moment(moment), address.without(key)))
    return found


def _token(form: RunFilterForm, address: Address, key: str, texts: Sequence[str], excludes: bool) -> Token:
    operator = {(False, False): "is", (False, True): "is any of", (True, False): "is not", (True, True): "is none of"}[
        excludes, len(texts) > 1
    ]
    if key == "name":
        operator = "does not contain" if excludes else "contains"
    known = dict(form.fields[key].known or ())
    shown = [known.get(text, text) for text in texts]
    value = ", ".join(shown[:3]) + (f" +{len(shown) - 3}" if len(shown) > 3 else "")
    left = [text for text in address.values.get(key, ()) if text.strip().startswith("!") is not excludes]
    pill = _pill(key, texts[0]) if len(texts) == 1 else ("", "")
    return Token(key, str(form.fields[key].label), operator, value, address.having(key, *left), excludes, pill)


def _pill(key: str, text: str) -> tuple[str, str]:
    if key == "status":
        return text, STATUS_ICON.get(text, "ban")
    return RESULT_PILLS.get(text, ("", "")) if key == "result" else ("", "")


def _moment(moment: datetime) -> str:
    local = timezone.localtime(moment)
    date = f"{local.day} {local:%b %Y}"
    return date if (local.hour, local.minute, local.second) == (0, 0, 0) else f"{date}, {local:%H:%M}"


@dataclass(frozen=True, slots=True)
class Option:
    """One line of a filter's menu: chosen or not, and the addresses of *only* and *exclude*."""

    value: str
    label: str
    chosen: bool
    only: str
    excluding: str
    pill: tuple[str, str] = ("", "")
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Facet:
    """One filter button and its menu. `excluded` values go along as hidden fields."""

    key: str
    label: str
    chosen: int
    options: list[Option] = field(default_factory=list)
    excluded: tuple[str, ...] = ()
    others: bool = False  # there are more values than the menu lists


def facets(form: RunFilterForm, address: Address) -> list[Facet]:
    """The menus of the filter bar. Values that are chosen are listed even if they are none we know."""
    return [_facet(form, address, key) for key in FACETS]


def _facet(form: RunFilterForm, address: Address, key: str) -> Facet:
    texts = [text.strip() for text in address.values.get(key, ())]
    chosen = [text for text in texts if not text.startswith("!")]
    excluded = tuple(text for text in texts if text.startswith("!"))
    known = _people() if key == "requested_by" else list(form.fields[key].known or ())
    providers = {account.slug: account.provider for account in form.accounts} if key == "account" else {}
    listed = [*known[:MENU_PEOPLE], *((text, text) for text in chosen if text not in dict(known[:MENU_PEOPLE]))]
    options = [
        Option(
            value,
            label,
            value in chosen,
            address.having(key, value).url,
            address.having(key, *(text for text in (*texts, f"!{value}") if text != value)).url,
            _pill(key, value),
            providers.get(value, value if key == "provider" else ""),
        )
        for value, label in listed
    ]
    return Facet(key, str(form.fields[key].label), len(texts), options, excluded, len(known) > MENU_PEOPLE)


@dataclass(frozen=True, slots=True)
class DateInput:
    """An end of the time range. `kind` is "date", or "text" for a time of day, which a date input would cut off."""

    key: str
    label: str
    value: str

    @property
    def kind(self) -> str:
        return "date" if not self.value or re.fullmatch(r"\d{4}-\d\d-\d\d", self.value) else "text"


def date_inputs(address: Address) -> list[DateInput]:
    """From and to as they stand in the address, to be sent again unchanged."""
    labels = (("from", "From"), ("to", "To, that day included"))
    found = [DateInput(key, label, next(iter(address.values.get(key, ())), "")) for key, label in labels]
    return [replace(end, label="To, not included") if (end.key, end.kind) == ("to", "text") else end for end in found]


def _people() -> list[tuple[str, str]]:
    names: Iterable[str] = Person.objects.order_by("display").values_list("display", flat=True).distinct()
    return [(name, name) for name in names[: MENU_PEOPLE + 1]]


@dataclass(frozen=True, slots=True)
class Tab:
    """A list somebody often wants, as an ordinary address: its filters appear as tokens like any others."""

    label: str
    url: str
    current: bool
    count: int = 0


def tabs(address: Address, own_name: str, live: int) -> list[Tab]:
    """All runs, the viewer's, those not ended, those that failed."""
    live_words = tuple(str(status) for status in (RunStatus.RUNNING, RunStatus.STARTING, RunStatus.QUEUED))
    wanted = (
        ("All runs", "", (), 0),
        ("My runs", "requested_by", (own_name,), 0),
        ("Running now", "status", (*live_words, "created", "stopping", "processing"), live),
        ("Failed", "result", ("failed", "error"), 0),
    )
    bare = Address({})
    return [
        Tab(label, (bare.having(key, *texts) if key else bare).url, address.is_only(key, *texts), count)
        for label, key, texts, count in wanted
    ]
