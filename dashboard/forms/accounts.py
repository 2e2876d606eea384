"""An account's form: its fields come from the provider's service, its secrets go in and never come out."""

from collections.abc import Mapping

from django import forms
from django.db import transaction
from django.db.models import QuerySet

from dashboard.forms.looks import Looks, runs_at_once
from runs.accounts import (
    AccountProblem,
    checked_base_url,
    checked_credentials,
    create_account,
    name_requester,
    resume_sync,
    set_credentials,
)
from runs.models import Account, Person
from runs.services import service_class

NAMES_SHOWN = 50


def _field_name(key: str) -> str:
    return f"credential_{key}"


class AccountForm(Looks, forms.ModelForm):
    """For one provider; `instance` with a pk is an account to change. Credentials left empty stay as they are."""

    class Meta:
        model = Account
        fields = ("name", "base_url", "sync_interval_s", "max_running", "read_only", "enabled")

    max_running = runs_at_once("Started here or elsewhere. Left empty: as many as the provider allows.")
    base_url = forms.CharField(label="Address", max_length=300, widget=forms.TextInput(attrs={"inputmode": "url"}))

    def __init__(self, data: Mapping[str, str] | None = None, *, provider: str, instance: Account | None = None):
        self.service = service_class(provider)
        self.provider = provider
        initial = {} if instance else {"base_url": self.service.default_base_url}
        super().__init__(data, instance=instance, initial=initial, label_suffix="")
        self.fields["base_url"].widget.attrs["class"] = "form-control mono"
        self.fields["sync_interval_s"].label = "Look for new runs"
        self.fields["sync_interval_s"].required = False  # left out, it stays as it is
        self.fields["sync_interval_s"].help_text = "While a run is under way it is every few seconds."
        self.fields["read_only"].label = "Read only"
        self.fields["read_only"].help_text = "Nobody can start or stop runs on this account, whatever their role."
        self.fields["enabled"].help_text = "Without it nothing is synced, started or stopped. Its runs stay."
        if instance is None:
            del self.fields["enabled"]
        for credential in self.service.credential_fields:
            secret = {"autocomplete": "off", "spellcheck": "false", "class": "form-control"}
            if instance:
                secret["placeholder"] = "Paste a new one to replace it"
            self.fields[_field_name(credential.key)] = forms.CharField(
                label=credential.label,
                required=False,
                max_length=credential.max_length,
                help_text=credential.help,
                widget=forms.PasswordInput(render_value=False, attrs=secret),
            )

    @property
    def credential_fields(self) -> list[forms.BoundField]:
        return [self[_field_name(credential.key)] for credential in self.service.credential_fields]

    def typed(self) -> dict[str, str]:
        """The credentials entered into this form; {} when all were left empty."""
        keys = (credential.key for credential in self.service.credential_fields)
        return {key: text for key in keys if (text := self.cleaned_data.get(_field_name(key), ""))}

    def clean_name(self) -> str:
        return free_name(self.cleaned_data["name"], self.instance)

    def clean_sync_interval_s(self) -> int:
        return self.cleaned_data["sync_interval_s"] or self.instance.sync_interval_s

    def clean_max_running(self) -> int | None:
        """A form that does not ask for it lifts no limit."""
        asked = self.add_prefix("max_running") in self.data
        return self.cleaned_data["max_running"] if asked else self.instance.max_running

    def clean_base_url(self) -> str:
        try:
            return checked_base_url(self.provider, self.cleaned_data["base_url"])
        except AccountProblem as problem:
            raise forms.ValidationError(str(problem)) from problem

    def clean(self) -> dict[str, object]:
        cleaned = super().clean()
        if "base_url" not in cleaned:
            return cleaned
        needed = self.instance.pk is None or self.instance.needs_credentials_for(cleaned["base_url"])
        if needed or self.typed():
            try:
                checked_credentials(self.provider, self.typed())
            except AccountProblem as problem:
                moved = bool(self.instance.pk and needed and not self.typed())
                sentence = "The address leads elsewhere now, so enter it again." if moved else str(problem)
                self.add_error(_field_name(problem.field), sentence)
        return cleaned

    def _post_clean(self) -> None:
        # A ModelForm would write the new address into the account before the old one was compared with it.
        pass

    def credentials_to_test(self) -> dict[str, str]:
        """Those entered, or the stored ones (never for another origin than theirs); only after `is_valid()`."""
        return self.typed() or self.instance.open_credentials()

    @transaction.atomic
    def save(self, by: str) -> Account:
        """Store it, and let the sync try again. AccountProblem when somebody took the name meanwhile."""
        cleaned = self.cleaned_data
        account = self.instance
        if account.pk is None:
            return create_account(
                provider=self.provider, name=cleaned["name"], base_url=cleaned["base_url"],
                credentials=self.typed(), by=by, read_only=cleaned["read_only"],
                sync_interval_s=cleaned["sync_interval_s"], max_running=cleaned["max_running"],
            )  # fmt: skip
        moved = account.base_url != cleaned["base_url"]
        for key in self.Meta.fields:
            setattr(account, key, cleaned[key])
        if self.typed():
            set_credentials(account, self.typed(), by)
        account.save()
        resume_sync(account, moved=moved)
        return account


class ArchiveForm(Looks, forms.ModelForm):
    """What can be changed of an account whose runs came from a file: its name."""

    class Meta:
        model = Account
        fields = ("name",)

    def __init__(self, data: Mapping[str, str] | None = None, *, instance: Account):
        super().__init__(data, instance=instance, label_suffix="")

    def clean_name(self) -> str:
        return free_name(self.cleaned_data["name"], self.instance)

    def save(self, by: str) -> Account:
        self.instance.save(update_fields=["name"])
        return self.instance


def free_name(text: str, account: Account) -> str:
    """The name without blanks around it; ValidationError where another account has it."""
    name = text.strip()
    if Account.objects.exclude(pk=account.pk).filter(name__iexact=name).exists():
        raise forms.ValidationError(f"There is an account “{name}” already.")
    return name


class RequesterNamesForm(Looks, forms.Form):
    """Names for requesters whom the provider knows only by a number; at most NAMES_SHOWN at once."""

    def __init__(self, data: Mapping[str, str] | None, *, account: Account):
        self.people = list(nameless(account)[:NAMES_SHOWN])
        self.base_fields = {
            f"person_{person.pk}": forms.CharField(
                label=f"user {person.key}", required=False, max_length=100, initial=person.given_name
            )
            for person in self.people
        }
        super().__init__(data, label_suffix="")

    @transaction.atomic
    def save(self) -> int:
        """How many names changed."""
        changed = [person for person in self.people if f"person_{person.pk}" in self.changed_data]
        for person in changed:
            name_requester(person, self.cleaned_data[f"person_{person.pk}"])
        return len(changed)


def nameless(account: Account) -> QuerySet[Person]:
    return account.people.filter(name="").order_by("given_name", "key")
