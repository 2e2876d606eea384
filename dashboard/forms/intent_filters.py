"""Filters of the starts and stops: everything is in the address, nothing is applied silently."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from runs.choices import UNSETTLED, IntentKind, IntentOutcome
from runs.models import Account, ControlIntent

MOST_PEOPLE = 200  # offered as boxes, newest first; others are found by their tests
OPEN = "open"  # what is not settled, whatever keeps it
STATES = [(OPEN, "Not settled"), *((str(one), one.label) for one in IntentOutcome if one not in UNSETTLED)]


class IntentFilterForm(forms.Form):
    """`name`: of the test, contains. `state`, `kind`, `account` and `person` may be repeated for "any of"."""

    name = forms.CharField(required=False, max_length=300, label="Name")
    state = forms.MultipleChoiceField(required=False, label="How it stands", widget=forms.CheckboxSelectMultiple)
    kind = forms.MultipleChoiceField(required=False, label="Kind", widget=forms.CheckboxSelectMultiple)
    account = forms.MultipleChoiceField(required=False, label="Account", widget=forms.CheckboxSelectMultiple)
    person = forms.MultipleChoiceField(required=False, label="Person", widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: Any):
        super().__init__(data)
        people = ControlIntent.objects.order_by("user_name").values_list("user_name", flat=True).distinct()
        self.fields["state"].choices = STATES
        self.fields["kind"].choices = IntentKind.choices
        self.fields["account"].choices = list(Account.objects.values_list("slug", "name"))
        self.fields["person"].choices = [(name, name) for name in people[:MOST_PEOPLE]]
        # What cannot be read is named on the page and left out; the rest of the address still holds.
        self.is_valid()

    def wanted(self, key: str) -> Any:
        return self.cleaned_data.get(key)

    def intents(self) -> QuerySet[ControlIntent]:
        """The starts and stops that fit, in no order."""
        found = ControlIntent.objects.order_by()
        if name := self.wanted("name"):
            found = found.filter(test_name__icontains=name)
        if states := self.wanted("state"):
            fitting = found.filter(outcome__in=states)
            found = found.unsettled() | fitting if OPEN in states else fitting
        for key, column in (("kind", "kind"), ("account", "account__slug"), ("person", "user_name")):
            if values := self.wanted(key):
                found = found.filter(**{f"{column}__in": values})
        return found

    @property
    def is_filtering(self) -> bool:
        return any(self.wanted(key) for key in self.fields)

    @property
    def facets(self) -> list[forms.BoundField]:
        """The filters with boxes to tick."""
        return [self[key] for key in ("state", "kind", "account", "person")]

    @property
    def sentences(self) -> list[str]:
        """What in the address could not be read."""
        return [f"{self[key].label}: {error}" for key, errors in self.errors.items() for error in errors]
