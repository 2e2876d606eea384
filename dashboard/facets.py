"""The menus of the run list's filter bar: what each filter offers, and what is chosen."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from dashboard.forms.run_filters import RunFilterForm
from dashboard.run_address import FACETS, Address, pill_of
from runs.models import Person

MENU_PEOPLE = 100


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
            pill_of(key, value),
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
