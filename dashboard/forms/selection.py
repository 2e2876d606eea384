"""Runs ticked in the list, or all that its filters find: what the bar under the run list sends."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from dashboard.control_forms import TokenForm
from dashboard.forms.run_filters import RunFilterForm
from runs.listing import runs_matching
from runs.models import Run

MOST_IDS = 1000


class IdsField(forms.Field):
    """Numbers of runs: the key repeated, or separated by commas. Cleans to a list of ints without doubles."""

    widget = forms.SelectMultiple

    def clean(self, value: Sequence[str] | None) -> list[int]:
        texts = [text.strip() for one in value or () for text in one.split(",") if text.strip()]
        if not all(text.isascii() and text.isdecimal() and len(text) < 18 for text in texts):
            raise forms.ValidationError("Those are no runs of the list. Go back and select them again.")
        ids = list(dict.fromkeys(int(text) for text in texts))
        if len(ids) > MOST_IDS:
            raise forms.ValidationError(f"{len(ids)} runs are more than can be ticked; {MOST_IDS} is the most.")
        return ids


class SelectionForm(forms.Form):
    """`id`: the runs meant. With `all` it is every run that `filters` (of a list, not its view) find, but `without`.

    `back` is the query of the list's address. `seen`: as for `RunFilterForm`.
    """

    id = IdsField(required=False)
    without = IdsField(required=False)
    all = forms.BooleanField(required=False)
    filters = forms.CharField(required=False, max_length=8000)
    back = forms.CharField(required=False, max_length=8000)

    def __init__(self, data: QueryDict, *, seen: QuerySet | None = None):
        super().__init__(data)
        self.seen = seen

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.list_form = RunFilterForm(QueryDict(cleaned.get("filters", "")), seen=self.seen)
        if cleaned.get("all") and not self.list_form.is_valid():
            for sentence in self.list_form.sentences():
                self.add_error(None, sentence)
        if not self.errors and not cleaned["all"] and not cleaned["id"]:
            self.add_error(None, "No run is selected. Tick some in the list first.")
        return cleaned

    def runs(self) -> QuerySet[Run]:
        """The runs meant; only after `is_valid()`."""
        if not self.cleaned_data["all"]:
            return Run.objects.filter(pk__in=self.cleaned_data["id"])
        return runs_matching(self.list_form.filters()).exclude(pk__in=self.cleaned_data["without"])

    def sentences(self) -> list[str]:
        return [error for errors in self.errors.values() for error in errors]


class StopSeveralForm(TokenForm):
    """What the dialog showed (`id`), what of it is to be stopped (`stop`), the list it came from, and why.

    `scope` and `newest` where it was everything of an account or a test: which, and the last run known when shown.
    """

    id = IdsField(required=False)
    stop = IdsField(required=False)
    back = forms.CharField(required=False, max_length=8000)
    scope = forms.CharField(required=False, max_length=100)
    newest = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)

    def __init__(self, data: Any = None, reason: str = ""):
        super().__init__(data, auto_id="stop_%s", reason=reason)
