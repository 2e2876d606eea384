"""The run list's address taken apart: which links add or drop a filter, and the tokens made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from dashboard.forms.run_filters import FILTER_KEYS, MOVING_LABELS, RunFilterForm
from dashboard.words import RESULTS, STATUS_ICON
from runs.choices import RunResult
from runs.listing import DEFAULT_SORT, Wanted

KEPT = (*FILTER_KEYS, "sort", "cols")
FACETS = ("requested_by", "status", "result", "account", "provider")
RESULT_PILLS = {kind: (name, icon) for kind, (name, _, icon) in RESULTS.items()} | {
    RunResult.NONE: ("none", "circle-minus")
}


@dataclass(frozen=True)
class Address:
    """The filters and order of a list, without its place in it: key -> values, blanks and defaults left out.

    `view` names the view it began with, and `base` is what that view holds, where it is known. An address that says
    the same as its view names only the view; any other is the whole truth, with a blank filter if it has none.
    """

    values: Mapping[str, tuple[str, ...]]
    view: str = ""
    base: Mapping[str, tuple[str, ...]] | None = None

    @classmethod
    def of(cls, query: QueryDict) -> "Address":
        kept = {key: tuple(text for text in query.getlist(key) if text.strip()) for key in KEPT}
        if kept["sort"] == (DEFAULT_SORT,):
            kept["sort"] = ()
        return cls({key: tuple(dict.fromkeys(texts)) for key, texts in kept.items() if texts}, query.get("view", ""))

    @property
    def query(self) -> str:
        return self._with({})

    @property
    def url(self) -> str:
        return self.at("run_list")

    @property
    def full(self) -> "Address":
        """The same, telling its filters even where they are those of its view."""
        return replace(self, base=None)

    @property
    def full_query(self) -> str:
        """The filters and the order alone, as a view keeps them: columns are each person's own."""
        return replace(self.without("cols"), view="").query

    @property
    def export_query(self) -> str:
        """The filters alone: a file has an order of its own, and what it holds stays the same when a view changes."""
        return self.without("sort").full_query

    @property
    def is_edited(self) -> bool:
        """Whether it differs from the view it began with."""
        return bool(self.view) and self.base is not None and not _same(self.without("cols").values, self.base)

    @property
    def cleared(self) -> "Address":
        """All runs, in the same columns. Only who has a view of their own to begin with is in need of saying so."""
        columns = {key: self.values[key] for key in ("cols",) if key in self.values}
        return Address(columns, "all" if self.view else "", {})

    def at(self, name: str, **more: str | Sequence[object]) -> str:
        """The address of another view with the same filters, and more parameters."""
        query = self._with(more)
        return reverse(name) + (f"?{query}" if query else "")

    def _with(self, more: Mapping[str, str | Sequence[object]]) -> str:
        kept = {key: self.values[key] for key in KEPT if key in self.values}
        if self.view:
            kept = {"view": self.view} | self._beside_view(kept)
        return urlencode(kept | {key: value for key, value in more.items() if value}, doseq=True, safe="!:,")

    def _beside_view(self, kept: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        filters = _filters(kept)
        if self.base is None or not _same(filters, _filters(self.base)):
            return kept if filters else {"name": ("",)} | kept
        sort = kept.get("sort", ())
        order = {} if sort == self.base.get("sort", ()) else {"sort": sort or (DEFAULT_SORT,)}
        return order | {key: kept[key] for key in kept if key not in (*filters, "sort")}

    def having(self, key: str, *texts: str) -> "Address":
        """The same, with exactly these values for `key`."""
        rest = {k: v for k, v in self.values.items() if k != key}
        return replace(self, values={**rest, **({key: texts} if texts else {})})

    def adding(self, key: str, text: str) -> "Address":
        return self.having(key, *dict.fromkeys((*self.values.get(key, ()), text)))

    def without(self, *keys: str) -> "Address":
        return replace(self, values={key: texts for key, texts in self.values.items() if key not in keys})


def _filters(values: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    return {key: values[key] for key in values if key in FILTER_KEYS}


def _same(one: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> bool:
    """Whether both hold the same values, in whatever order a form sent them."""
    return {key: set(texts) for key, texts in one.items()} == {key: set(texts) for key, texts in other.items()}


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
    for key, value in (("latest", "per test"), ("starred", "only"), ("unseen", "by you")):
        if form.cleaned_data[key]:
            found.append(Token(key, str(form.fields[key].label), "", value, address.without(key)))
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
    pill = pill_of(key, texts[0]) if len(texts) == 1 else ("", "")
    return Token(key, str(form.fields[key].label), operator, value, address.having(key, *left), excludes, pill)


def pill_of(key: str, text: str) -> tuple[str, str]:
    """Class and icon of the state that `text` is a value of; blanks where the filter is about no state."""
    if key == "status":
        return text, STATUS_ICON.get(text, "ban")
    return RESULT_PILLS.get(text, ("", "")) if key == "result" else ("", "")


def _moment(moment: datetime) -> str:
    local = timezone.localtime(moment)
    date = f"{local.day} {local:%b %Y}"
    return date if (local.hour, local.minute, local.second) == (0, 0, 0) else f"{date}, {local:%H:%M}"
