"""How fields look: Bootstrap's classes, the ties between a field and its hint and errors, and a field of two forms."""

from django import forms

AT_ONCE = {"min_value": "At least 1. To let nothing start, add a freeze window.", "invalid": "Enter a whole number."}


class Looks:
    """A form mixin: gives each widget its class, and marks what is wrong for screen readers."""

    def __init__(self, *args: object, **kwargs: object):
        super().__init__(*args, **kwargs)
        for form_field in self.fields.values():
            widget = form_field.widget
            if isinstance(widget, (forms.CheckboxInput, forms.RadioSelect)):
                widget.attrs.setdefault("class", "form-check-input")
                if isinstance(form_field, forms.BooleanField):
                    widget.attrs.setdefault("role", "switch")
            elif isinstance(widget, forms.Select):
                widget.attrs.setdefault("class", "form-select")
            elif not widget.is_hidden:
                widget.attrs.setdefault("class", "form-control")

    def full_clean(self) -> None:
        super().full_clean()
        for name in self.errors:
            if name in self.fields:
                attrs = self.fields[name].widget.attrs
                attrs["aria-invalid"] = "true"
                attrs["aria-describedby"] = f"{self[name].auto_id}_error"


def runs_at_once(help_text: str) -> forms.IntegerField:
    """A limit, or empty for none."""
    return forms.IntegerField(
        label="Runs at once", required=False, min_value=1, max_value=1000, help_text=help_text, error_messages=AT_ONCE
    )
