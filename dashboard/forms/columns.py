"""The columns of the run list: in an address, and in the menu where somebody chooses theirs."""

from django import forms

from dashboard.forms.preferences import PreferencePart
from dashboard.models import Preference
from dashboard.run_columns import KEYS, remembered


class ColumnsField(forms.Field):
    """`cols` of an address: keys separated by commas, or the key repeated. Cleans to a tuple; empty when not given."""

    widget = forms.SelectMultiple

    def clean(self, value: list[str] | None) -> tuple[str, ...]:
        keys = tuple(key.strip() for text in value or () for key in text.split(",") if key.strip())
        if unknown := next((key for key in keys if key not in KEYS), ""):
            raise forms.ValidationError(f"There is no “{unknown[:40]}”. There are: {', '.join(KEYS)}.")
        return keys


class ColumnsForm(PreferencePart):
    """The menu's choice; saved for the person. Status and test are always shown, named or not."""

    columns = forms.MultipleChoiceField(choices=[(key, key) for key in KEYS], required=False)
    usual = forms.BooleanField(required=False)  # forget the choice of columns

    class Meta:
        model = Preference
        fields = ("columns", "density")

    def clean(self) -> dict[str, object]:
        cleaned = super().clean()
        cleaned["columns"] = "" if cleaned.get("usual") else remembered(cleaned.get("columns", ()))
        return cleaned
