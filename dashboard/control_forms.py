"""Forms of the start and stop dialogs. Each opened dialog carries its own token: pressed twice, it acts once."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms

from runs.guards import Guards
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


class GuardFields(forms.Form):
    """What the guard rails ask for: the name of a protected target, and why an admin starts in a freeze window.

    Whether it is the right name, and whether a reason is needed, is decided when the button is pressed.
    """

    def ask(self, guards: Guards, may_override: bool, typed: Mapping[str, str] | None = None) -> None:
        """Add the fields; where something that cannot be lifted stands against the start there is no point in them."""
        held = {"class": "form-control", "autocomplete": "off", "required": True}
        if guards.needs_name():
            self.fields["target_name"] = forms.CharField(
                required=False, max_length=200, label=f"Type {guards.target} to confirm",
                help_text="Capitals do not matter.", widget=forms.TextInput(attrs=dict(held)),
            )  # fmt: skip
        if guards.frozen and may_override:
            self.fields["override_reason"] = forms.CharField(
                required=False, max_length=500, label="Start all the same, because…",
                help_text="Kept with the run, and shown to everybody.", widget=forms.TextInput(attrs=dict(held)),
            )  # fmt: skip
        for name in ("target_name", "override_reason"):
            if name in self.fields:
                self.fields[name].initial = (typed or {}).get(name, "")

    @property
    def guard_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("override_reason", "target_name") if name in self.fields]

    def guard_values(self) -> dict[str, str]:
        """For `actions.start_run` and `queue_created`; only after `is_valid()`."""
        return {bound.name: self.cleaned_data[bound.name] for bound in self.guard_fields}

    def refuse(self, sentence: str, field: str) -> bool:
        """Say it at the field that helps; False when this form has none such."""
        if field not in self.fields:
            return False
        self.add_error(field, sentence)
        attrs = self.fields[field].widget.attrs
        attrs |= {"aria-invalid": "true", "aria-describedby": f"{self[field].auto_id}_error"}
        return True


class QueueForm(GuardFields):
    """What queueing a created run takes: nothing, unless a guard rail asks for something."""

    def __init__(self, data: Mapping[str, Any] | None = None, *, guards: Guards, may_override: bool):
        super().__init__(data, auto_id="queue_%s", label_suffix="")
        self.ask(guards, may_override)
        for bound in self.guard_fields:
            bound.field.widget.attrs["form"] = "queue-form"  # its button stands below them


class StartForm(GuardFields, TokenForm):
    """The settings with which a run is started: one input for each of the service's `start_fields`.

    `test_name`: the load test that is started. Where the run's name is the test, that input is then fixed to it.
    `start_values`: what the inputs hold at first. What the guard rails ask for is added by `ask`.
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
