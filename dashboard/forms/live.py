"""How often somebody wants live rows to be asked for."""

from django import forms

from dashboard.freshness import INTERVALS
from dashboard.models import Preference


class LiveForm(forms.ModelForm):
    live_seconds = forms.TypedChoiceField(choices=[(seconds, seconds) for seconds in INTERVALS], coerce=int)

    class Meta:
        model = Preference
        fields = ("live_seconds",)
