"""Filters of the load tests and of their history: everything is in the address, nothing is applied silently."""

from datetime import date
from typing import Any

from django import forms
from django.db.models import F, QuerySet

from runs.history import RANGES, Span
from runs.history_rows import load_tests_like
from runs.models import Account, LoadTest
from runs.services import PROVIDER_CHOICES

DEFAULT_DAYS = 28
SORTS = {"name": ("name", "id"), "-last_run": (F("last_run_at").desc(nulls_last=True), "name", "id")}


class LoadTestFilterForm(forms.Form):
    """`name` contains; `account` (slugs) and `provider` may be repeated for "any of"."""

    name = forms.CharField(required=False, max_length=300, label="Name")
    account = forms.MultipleChoiceField(required=False, label="Account", widget=forms.CheckboxSelectMultiple)
    provider = forms.MultipleChoiceField(required=False, label="Provider", widget=forms.CheckboxSelectMultiple)
    sort = forms.ChoiceField(required=False, choices=[(key, key) for key in SORTS])

    def __init__(self, data: Any):
        super().__init__(data)
        self.fields["account"].choices = list(Account.objects.values_list("slug", "name"))
        self.fields["provider"].choices = PROVIDER_CHOICES
        # What cannot be read is named on the page and left out; the rest of the address still holds.
        self.is_valid()

    def wanted(self, key: str) -> Any:
        return self.cleaned_data.get(key)

    def load_tests(self) -> QuerySet[LoadTest]:
        """The load tests that fit, in the order asked for."""
        tests = load_tests_like(
            name=self.wanted("name") or "",
            accounts=self.wanted("account") or (),
            providers=self.wanted("provider") or (),
        )
        return tests.order_by(*SORTS[self.sorted_by])

    @property
    def is_filtering(self) -> bool:
        return any(self.wanted(key) for key in ("name", "account", "provider"))

    @property
    def described(self) -> str:
        """Which load tests these are, in words: "All load tests", "Load tests named “checkout” of retail-prod"."""
        names = dict(self.fields["account"].choices) | dict(PROVIDER_CHOICES)
        of = " or ".join(names[key] for key in self.wanted("account") or ())
        at = " or ".join(names[key] for key in self.wanted("provider") or ())
        named = self.wanted("name")
        parts = [f"named “{named}”" if named else "", f"of {of}" if of else "", f"at {at}" if at else ""]
        return " ".join(["Load tests", *filter(None, parts)]) if self.is_filtering else "All load tests"

    @property
    def facets(self) -> list[forms.BoundField]:
        """The filters with boxes to tick."""
        return [self["account"], self["provider"]]

    @property
    def sorted_by(self) -> str:
        return self.wanted("sort") or "name"

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What the filters' form must carry along."""
        return [("sort", self.sorted_by)] if self.sorted_by != "name" else []

    @property
    def sentences(self) -> list[str]:
        """What in the address could not be read."""
        return [f"{self[key].label}: {error}" for key, errors in self.errors.items() for error in errors]

    @property
    def filter_query(self) -> list[tuple[str, str]]:
        """The filters as keys and values of the run list, whose names are the same."""
        pairs = [("name", self.wanted("name"))] if self.wanted("name") else []
        return pairs + [(key, value) for key in ("account", "provider") for value in self.wanted(key) or ()]


class HistoryForm(LoadTestFilterForm):
    """The same filters over `days` of history: 7, 28 or 90."""

    days = forms.TypedChoiceField(
        required=False, coerce=int, choices=[(days, str(days)) for days in RANGES], label="Days"
    )

    @property
    def day_count(self) -> int:
        return self.wanted("days") or DEFAULT_DAYS

    @property
    def kept(self) -> list[tuple[str, str]]:
        return [("days", str(self.day_count))] if self.day_count != DEFAULT_DAYS else []

    @property
    def clear_url(self) -> str:
        return f"?days={self.day_count}"

    def span(self, today: date) -> Span:
        return Span(self.day_count, today)
