"""Forms of the start and stop dialogs. Each opened dialog carries its own token: pressed twice, it acts once."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms

from runs.services.base import Field, RunService

OPEN_AGAIN = {"required": "Open this dialog again.", "invalid": "Open this dialog again."}


class TokenForm(forms.Form):
    """A hidden token, made when the dialog is opened, and why the person does it."""

    token = forms.UUIDField(widget=forms.HiddenInput, error_messages=OPEN_AGAIN)
    reason = forms.CharField(required=False, max_length=500, label="Reason")

    def __init__(self, data: Mapping[str, Any] | None, *, auto_id: str, reason: str = ""):
        super().__init__(data, initial={"token": uuid.uuid4(), "reason": reason}, auto_id=auto_id, label_suffix="")
        self.fields["reason"].widget.attrs |= {"class": "form-control", "autocomplete": "off"}


class StopForm(TokenForm):
    """Only a token and a reason: which run is in the address."""

    def __init__(self, data: Mapping[str, Any] | None = None):
        super().__init__(data, auto_id="stop_%s")


class StartForm(TokenForm):
    """The settings with which a run is started: one input for each of the service's `start_fields`.

    `test_name`: the load test that is started. Where the run's name is the test, that input is then fixed to it.
    `start_values`: what the inputs hold at first.
    """

    def __init__(
        self,
        service: type[RunService],
        data: Mapping[str, Any] | None = None,
        *,
        test_name: str = "",
        start_values: Mapping[str, str] | None = None,
        reason: str = "",
    ):
        super().__init__(data, auto_id="start_%s", reason=reason)
        self.test_name = test_name
        self.keys = [field.key for field in service.start_fields]
        known = dict(start_values or {})
        if test_name:
            known["name"] = test_name
        for field in service.start_fields:
            self.fields[field.key] = form_field(field, str(known.get(field.key) or field.default))
        if test_name and "name" in self.fields:
            self.fields["name"].widget.attrs["readonly"] = True
            self.fields["name"].help_text = "Runs of this name are this load test."

    def clean_name(self) -> str:
        """A fixed name is the load test's, whatever was sent."""
        return self.test_name or self.cleaned_data["name"]

    @property
    def settings(self) -> list[forms.BoundField]:
        """The inputs of the service's settings, in its order."""
        return [self[key] for key in self.keys]

    def values(self) -> dict[str, str]:
        """What was entered, for `actions.start_run`; only after `is_valid()`."""
        return {key: self.cleaned_data[key].replace("\r\n", "\n") for key in self.keys}


def form_field(field: Field, value: str) -> forms.Field:
    """The input for one field of a service, to be filled with `value` at first."""
    common = {"label": field.label, "required": field.required, "help_text": field.help}
    if field.choices:
        choices = list(field.choices)
        if value and value not in dict(choices):
            # A setting of an earlier run that is not in our list must not silently become another one.
            choices.append((value, f"{value} (as before)"))
        if not field.required and not field.default and "" not in dict(choices):
            choices.insert(0, ("", "–"))
        select = forms.Select(attrs={"class": "form-select"})
        return forms.ChoiceField(choices=choices, widget=select, initial=value, **common)
    attrs = {"class": "form-control", "autocomplete": "off"}
    widget: forms.Widget = forms.TextInput(attrs=attrs)
    if field.multiline or "\n" in value:  # a one-line input would drop the line breaks of the earlier run
        widget = forms.Textarea(attrs={**attrs, "rows": 2})
    if field.secret:
        widget = forms.PasswordInput(attrs=attrs)
    return forms.CharField(max_length=field.max_length, widget=widget, initial=value, **common)
