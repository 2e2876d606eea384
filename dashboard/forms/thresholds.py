"""The form of the thresholds that we keep for a load test whose provider knows none."""

from collections.abc import Mapping

from django import forms

from dashboard.forms.looks import Looks

NO_NUMBER = {"invalid": "Enter a number."}


class ThresholdsForm(Looks, forms.Form):
    """One limit each, left empty for none. Errors are entered in per cent and kept as a share."""

    p95_ms = forms.FloatField(
        required=False, min_value=0.001, max_value=3_600_000, label="p95 of all requests, at most (ms)",
        error_messages={**NO_NUMBER, "min_value": "More than 0 ms.", "max_value": "At most an hour, in ms."},
    )  # fmt: skip
    error_percent = forms.FloatField(
        required=False, min_value=0, max_value=100, label="Requests that fail, at most (%)",
        error_messages={**NO_NUMBER, "min_value": "From 0 to 100.", "max_value": "From 0 to 100."},
    )  # fmt: skip
    rate_per_s = forms.FloatField(
        required=False, min_value=0.001, max_value=1e9, label="Requests per second, at least",
        help_text="On average over the whole run. Judged when it has ended.",
        error_messages={**NO_NUMBER, "min_value": "More than 0 a second.", "max_value": "No load test makes so many."},
    )  # fmt: skip

    def __init__(self, data: Mapping[str, str] | None, *, kept: Mapping[str, float]):
        initial = {**kept, "error_percent": _rounded(kept["error_rate"] * 100) if "error_rate" in kept else None}
        initial = {name: f"{value:g}" if isinstance(value, float) and value == int(value) else value
                   for name, value in initial.items()}  # fmt: skip
        super().__init__(data, initial=initial, label_suffix="")
        for field in self.fields.values():
            field.widget = forms.TextInput(
                attrs={"class": "form-control", "inputmode": "decimal", "autocomplete": "off"}
            )

    def thresholds(self) -> dict[str, float]:
        """For `LoadTest.own_thresholds`; only after `is_valid()`."""
        values = {"p95_ms": self.cleaned_data["p95_ms"], "rate_per_s": self.cleaned_data["rate_per_s"]}
        percent = self.cleaned_data["error_percent"]
        values["error_rate"] = None if percent is None else _rounded(percent / 100)
        return {key: value for key, value in values.items() if value is not None}


def _rounded(value: float) -> float:
    """Without the dust that a factor of 100 leaves."""
    return float(f"{value:.12g}")
