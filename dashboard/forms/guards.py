"""Forms of the guard rails: targets, which load tests belong to them, and freeze windows."""

import zoneinfo
from collections.abc import Mapping
from datetime import date, datetime, time

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.fields import BaseTemporalField

from dashboard.forms.looks import Looks, runs_at_once
from runs.freezes import moment_of
from runs.models import Account, FreezeWindow, LoadTest, Target

ONCE, WEEKLY = "once", "weekly"
DAYS = [(str(day), name) for day, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))]
EVERY_START = "all"


class TargetForm(Looks, forms.ModelForm):
    """A target's name, its limit, and whether its name has to be typed."""

    max_running = runs_at_once("Of all its load tests together, at any provider. Left empty: any number.")

    class Meta:
        model = Target
        fields = ("name", "max_running", "protected")

    def __init__(self, *args: object, **kwargs: object):
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["name"].help_text = "The system under test, as people call it: Checkout API, shop.example."
        self.fields["protected"].help_text = "Whoever starts a run on it has to type its name."

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if Target.objects.exclude(pk=self.instance.pk).filter(name__iexact=name).exists():
            raise ValidationError(f"There is a target “{name}” already.")
        return name


class TestsForm(forms.Form):
    """Load tests ticked on a target's page."""

    __test__ = False  # no test of pytest's
    test = forms.ModelMultipleChoiceField(
        LoadTest.objects.all(),
        error_messages={
            "required": "Tick at least one load test.",
            "invalid_choice": "One of these load tests is gone. Look again.",
            "invalid_pk_value": "One of these is no load test. Look again.",
        },
    )


class TestTargetForm(Looks, forms.Form):
    """The target of one load test; empty for none."""

    __test__ = False
    target = forms.ModelChoiceField(Target.objects.all(), required=False, empty_label="None", label="Target")

    def __init__(self, data: Mapping[str, str] | None, *, load_test: LoadTest):
        super().__init__(data, initial={"target": load_test.target_id}, label_suffix="")


class WallTimeField(BaseTemporalField):
    """A day and a time as a clock somewhere shows them, without a zone."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    input_formats = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")
    default_error_messages = {"invalid": "Enter it as 2026-11-30 06:00."}

    def to_python(self, value: str | None) -> datetime | None:
        return super().to_python(value) if value else None

    def strptime(self, value: str, format: str) -> datetime:
        return datetime.strptime(value, format)  # noqa: DTZ007 (the zone is a field of its own)


def clock_field(label: str) -> forms.TimeField:
    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    return forms.TimeField(label=label, required=False, widget=widget, error_messages={"invalid": "Enter it as 06:00."})


class FreezeForm(Looks, forms.ModelForm):
    """A freeze window. All its times are those of clocks in its own zone."""

    holds_for = forms.ChoiceField(label="Holds for")
    kind = forms.ChoiceField(label="When", choices=[(ONCE, "Once"), (WEEKLY, "Every week")], widget=forms.RadioSelect)
    begins = WallTimeField(label="From", required=False)
    ends = WallTimeField(label="Until", required=False)
    weekdays = forms.MultipleChoiceField(
        label="On",
        choices=DAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )
    from_time = clock_field("From")
    to_time = clock_field("Until")
    time_zone = forms.ChoiceField(label="Time zone", help_text="Of the times below, summer time included.")

    class Meta:
        model = FreezeWindow
        fields = ("name", "enabled", "time_zone", "weekdays", "from_time", "to_time")

    def __init__(self, data: Mapping[str, str] | None = None, *, instance: FreezeWindow | None = None, zone: str = ""):
        super().__init__(data, instance=instance, initial=_initial(instance, zone), label_suffix="")
        self.fields["name"].help_text = "Why nothing may be started. Everybody who is refused reads it."
        self.fields["enabled"].label = "Switched on"
        self.fields["to_time"].help_text = "At or before “from”: on the next day."
        self.fields["holds_for"].choices = _scopes()
        names = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
        self.fields["time_zone"].choices = [(name, name.replace("_", " ")) for name in names]
        if instance is None:
            del self.fields["enabled"]

    def clean_weekdays(self) -> list[int]:
        return sorted(int(day) for day in self.cleaned_data["weekdays"])

    def clean(self) -> dict[str, object]:
        cleaned = super().clean()
        if cleaned.get("kind") == WEEKLY:
            self._need("from_time", "to_time")
            if not cleaned.get("weekdays") and "weekdays" not in self.errors:
                self.add_error("weekdays", "Choose at least one day.")
        elif cleaned.get("kind") == ONCE:
            self._need("begins", "ends")
            if cleaned.get("begins") and cleaned.get("ends") and cleaned["ends"] <= cleaned["begins"]:
                self.add_error("ends", "It has to end after it begins.")
        return cleaned

    def _need(self, *names: str) -> None:
        for name in names:
            if self.cleaned_data.get(name) is None and name not in self.errors:
                self.add_error(name, "Enter a time.")

    def _post_clean(self) -> None:
        # The model's own check knows only whole rows; `save` makes one.
        pass

    def save(self, by: str = "") -> FreezeWindow:
        """Store it; `by` is who made a new one."""
        cleaned, window = self.cleaned_data, self.instance
        zone, weekly = zoneinfo.ZoneInfo(cleaned["time_zone"]), cleaned["kind"] == WEEKLY
        window.name, window.time_zone, window.weekly = cleaned["name"].strip(), cleaned["time_zone"], weekly
        kind, _, key = cleaned["holds_for"].partition("-")
        window.account_id = int(key) if kind == "account" else None
        window.target_id = int(key) if kind == "target" else None
        window.weekdays = cleaned["weekdays"] if weekly else []
        window.from_time = cleaned["from_time"] if weekly else None
        window.to_time = cleaned["to_time"] if weekly else None
        window.starts_at = None if weekly else _moment(cleaned["begins"], zone)
        window.ends_at = None if weekly else _moment(cleaned["ends"], zone, last=True)
        if "enabled" in self.fields:
            window.enabled = cleaned["enabled"]
        if window.pk is None:
            window.created_by = by
        window.save()
        return window


def _moment(wall: datetime, zone: zoneinfo.ZoneInfo, last: bool = False) -> datetime:
    return moment_of(date(wall.year, wall.month, wall.day), time(wall.hour, wall.minute), zone, last=last)


def _initial(window: FreezeWindow | None, zone: str) -> dict[str, object]:
    if window is None:
        return {"kind": ONCE, "holds_for": EVERY_START, "time_zone": zone or "UTC"}
    scope = EVERY_START
    if window.account_id:
        scope = f"account-{window.account_id}"
    elif window.target_id:
        scope = f"target-{window.target_id}"
    times = {
        name: moment.astimezone(window.zone).replace(tzinfo=None)
        for name, moment in (("begins", window.starts_at), ("ends", window.ends_at))
        if moment
    }
    return {"kind": WEEKLY if window.weekly else ONCE, "holds_for": scope, **times}


def _scopes() -> list[tuple]:
    targets = [(f"target-{target.pk}", target.name) for target in Target.objects.all()]
    accounts = [(f"account-{account.pk}", account.name) for account in Account.objects.filter(archive=False)]
    groups = [("Load tests of one target", targets), ("Load tests of one account", accounts)]
    return [(EVERY_START, "Every start"), *((name, choices) for name, choices in groups if choices)]


def tests_to_add(target: Target, name: str) -> QuerySet[LoadTest]:
    """Load tests that do not belong to the target yet, with this in their name."""
    return LoadTest.objects.exclude(target=target).matching(name).select_related("account", "target")
