"""The menus of the run list's filter bar: what each filter offers, what is chosen, and how many runs each value has."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from zlib import crc32

from django.db.models import Count, QuerySet

from dashboard.forms.run_filters import RunFilterForm
from dashboard.run_address import FACETS, Address, pill_of
from dashboard.words import number
from runs.listing import COUNT_CAP, DEFAULT_SORT, Order, RunFilters, Wanted, capped_count, runs_matching
from runs.models import Person, Run

MENU_PEOPLE = 100
SORTS = (
    (DEFAULT_SORT, "Newest first"),
    ("started", "Oldest first"),
    ("test", "By test"),
    ("-duration", "Longest first"),
    ("-p95", "Highest p95 first"),
    ("-errors", "Most errors first"),
)
_COLUMNS = {
    "requested_by": ("requested_by__display", "provider_requested_by__display"),
    "status": ("status",),
    "result": ("result",),
    "account": ("account__slug",),
    "provider": ("account__provider",),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One line of a filter's menu: chosen or not, and the addresses of *only* and *exclude*."""

    key: str
    value: str
    label: str
    chosen: bool
    only: str
    excluding: str
    pill: tuple[str, str] = ("", "")
    provider: str = ""
    count: str = ""  # "" while nobody has counted

    @property
    def count_id(self) -> str:
        """Where its number stands on the page: the same whatever else the menu lists."""
        return f"n-{self.key}-{crc32(self.value.encode()):x}"


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
    return [facet(form, address, key) for key in FACETS]


def facet(
    form: RunFilterForm, address: Address, key: str, counts: Mapping[str, int] | None = None, find: str = ""
) -> Facet:
    """One menu, with a number beside each value where `counts` are given; `find` is a part of a person's name."""
    texts = [text.strip() for text in address.values.get(key, ())]
    chosen = [text for text in texts if not text.startswith("!")]
    excluded = tuple(text for text in texts if text.startswith("!"))
    known = _people(find) if key == "requested_by" else list(form.fields[key].known or ())
    providers = {account.slug: account.provider for account in form.accounts} if key == "account" else {}
    listed = dict(known[:MENU_PEOPLE])
    listed = {**{text: text for text in chosen if find and text not in listed}, **listed}
    listed |= {text: text for text in chosen if text not in listed}
    options = [
        Option(
            key,
            value,
            label,
            value in chosen,
            address.having(key, value).url,
            address.having(key, *(text for text in (*texts, f"!{value}") if text != value)).url,
            pill_of(key, value),
            providers.get(value, value if key == "provider" else ""),
            "" if counts is None else _capped(counts.get(value.lower(), 0)),
        )
        for value, label in listed.items()
    ]
    return Facet(key, str(form.fields[key].label), len(texts), options, excluded, len(known) > MENU_PEOPLE)


def counts_of(filters: RunFilters, key: str) -> Counter[str]:
    """How many runs each value (in lower case) of a filter has under all other filters: one query."""
    counts: Counter[str] = Counter()
    columns = _COLUMNS[key]
    rows = _without(filters, key).order_by().values(*columns).annotate(runs=Count("pk"))
    for *values, runs in rows.values_list(*columns, "runs"):
        # A run started here has two requesters, and is found under either name.
        for value in {value.lower() for value in values if value}:
            counts[value] += runs
    return counts


def foot_of(filters: RunFilters, key: str) -> tuple[str, str]:
    """("14", "62"): how many runs these filters show, and how many they would show without the one named."""
    return _capped(capped_count(runs_matching(filters))), _capped(capped_count(_without(filters, key)))


def _without(filters: RunFilters, key: str) -> QuerySet[Run]:
    return runs_matching(replace(filters, **{key: Wanted()}))


def _capped(count: int) -> str:
    return f"{number(COUNT_CAP)}+" if count > COUNT_CAP else number(count)


def sorts(order: Order, words: str) -> list[tuple[str, str]]:
    """The orders offered where there are no column heads. The one in force is among them, in `words` if need be."""
    offered = dict(SORTS)
    return list((offered if str(order) in offered else {**offered, str(order): words[:1].upper() + words[1:]}).items())


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


def _people(find: str = "") -> list[tuple[str, str]]:
    people = Person.objects.filter(display__icontains=find) if find else Person.objects.all()
    names: Iterable[str] = people.order_by("display").values_list("display", flat=True).distinct()
    return [(name, name) for name in names[: MENU_PEOPLE + 1]]
