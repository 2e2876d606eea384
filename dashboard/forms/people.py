"""Forms about people: signing in, one's own settings, and what an admin may change."""

import zoneinfo

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.db import transaction
from django.db.models import QuerySet

from dashboard.forms.looks import Looks
from dashboard.forms.preferences import PreferencePart
from dashboard.models import Preference, Theme
from dashboard.run_views import ALL, BUILT_IN, readable_by
from runs.choices import Role

PASSWORD = forms.PasswordInput(attrs={"autocomplete": "new-password"})


class SignInForm(Looks, AuthenticationForm):
    error_messages = {
        "invalid_login": "No one can sign in with this name and password. Check both; capitals matter.",
        "inactive": "This person's account is switched off. An admin can switch it on again.",
    }

    def __init__(self, *args: object, **kwargs: object):
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Name"
        self.label_suffix = ""


class OwnPasswordForm(Looks, PasswordChangeForm):
    def __init__(self, *args: object, **kwargs: object):
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["old_password"].label = "Present password"
        self.fields["old_password"].widget.attrs.pop("autofocus", None)
        self.fields["new_password1"].help_text = " ".join(password_validators_help_texts())
        self.fields["new_password2"].label = "New password once more"
        self.fields["new_password2"].help_text = ""


class PreferenceForm(Looks, PreferencePart):
    time_zone = forms.ChoiceField(label="Time zone", help_text="Times are shown in it; files always hold UTC.")
    default_view = forms.ChoiceField(label="Runs open with", required=False)

    class Meta:
        model = Preference
        fields = ("theme", "time_zone", "default_view", "shortcuts")
        labels = {"shortcuts": "Single-key shortcuts"}

    def __init__(self, *args: object, **kwargs: object):
        super().__init__(*args, label_suffix="", **kwargs)
        names = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
        self.fields["time_zone"].choices = [(name, name.replace("_", " ")) for name in names]
        built_in = [("" if key == ALL else key, label) for key, label in BUILT_IN.items()]
        saved = [(str(view.pk), view.name) for view in readable_by(self.instance.user)]
        self.fields["default_view"].choices = [*built_in, *([("Saved views", saved)] if saved else [])]


class ThemeForm(PreferencePart):
    """Only the theme, from the top bar."""

    theme = forms.ChoiceField(choices=Theme)

    class Meta:
        model = Preference
        fields = ("theme",)


class PersonForm(Looks, forms.ModelForm):
    """A person as an admin sees them. The last active admin stays one, and nobody locks themselves out."""

    role = forms.ChoiceField(
        label="Role",
        choices=Role.choices,
        help_text="Viewers look, operators start and stop runs, admins also manage accounts and people.",
    )
    password = forms.CharField(label="New password", required=False, strip=False, widget=PASSWORD)

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active")

    def __init__(self, *args: object, acting: User, **kwargs: object):
        super().__init__(*args, label_suffix="", **kwargs)
        self.acting = acting
        self.fields["username"].label = "Name to sign in with"
        self.fields["username"].help_text = ""
        self.fields["is_active"].label = "May sign in"
        self.fields["is_active"].help_text = "Without it every session of this person ends at once."
        self.fields["password"].help_text = " ".join(password_validators_help_texts())
        if self.instance.pk:
            self.fields["role"].initial = role_of(self.instance)
            self.fields["password"].label += " (left empty, it stays)"
        else:
            del self.fields["is_active"]
            self.fields["role"].initial = Role.VIEWER
            self.fields["password"].required = True

    def clean_password(self) -> str:
        password = self.cleaned_data["password"]
        if password:
            validate_password(password, self.instance)
        return password

    def clean(self) -> dict[str, object]:
        cleaned = super().clean()
        if not self.instance.pk or "role" not in cleaned:
            return cleaned
        stays_admin = cleaned["role"] == Role.ADMIN and cleaned.get("is_active", True)
        if stays_admin or role_of(self.instance) != Role.ADMIN:
            return cleaned
        key = "role" if cleaned["role"] != Role.ADMIN else "is_active"
        if self.instance == self.acting:
            self.add_error(key, "You cannot take this from yourself. Another admin can.")
        elif not admins().exclude(pk=self.instance.pk).exists():
            self.add_error(key, "This is the last admin. Make another one first.")
        return cleaned

    @transaction.atomic
    def save(self, commit: bool = True) -> User:
        person = super().save(commit=False)
        if self.cleaned_data["password"]:
            person.set_password(self.cleaned_data["password"])
        person.save()
        person.groups.set([Group.objects.get(name=self.cleaned_data["role"])])
        return person


def admins() -> QuerySet[User]:
    """People who can still manage others."""
    return User.objects.filter(is_active=True, groups__name=Role.ADMIN).distinct()


def role_of(person: User) -> str:
    """The highest role a person's groups give; "" for none."""
    names = {group.name for group in person.groups.all()}
    return next((role for role in reversed(Role.values) if role in names), "")
