"""Forms that change what somebody prefers, each only its own part of it."""

from django import forms

from dashboard.freshness import INTERVALS
from dashboard.models import Preference


class PreferencePart(forms.ModelForm):
    """Saves the fields it names and no other: the rest may change in another window at the same moment."""

    def save(self, commit: bool = True) -> Preference:
        kept = {name: getattr(self.instance, name) for name in self._meta.fields}
        Preference.objects.update_or_create(user=self.instance.user, defaults=kept)
        return self.instance


class LiveForm(PreferencePart):
    """How often live rows are asked for."""

    live_seconds = forms.TypedChoiceField(choices=[(seconds, seconds) for seconds in INTERVALS], coerce=int)

    class Meta:
        model = Preference
        fields = ("live_seconds",)
