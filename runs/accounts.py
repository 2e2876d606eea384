"""What an account must be like, and how it is made and changed: for the page and for `manage.py add_account` alike."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify

from runs.choices import IntentOutcome, SyncInterval
from runs.models import Account, Person, SyncState
from runs.models.accounts import free_slug
from runs.services import SERVICES, service_class
from runs.services.addresses import Gate
from runs.services.base import Refused

LONGEST_ADDRESS = 300
PLACEHOLDER = re.compile(r"your-[a-z]+")  # what a service's default address leaves to be filled in
TAKEN_BY_PAGES = ("new", "import")  # /accounts/new/ is a page of its own


class AccountProblem(ValueError):
    """A sentence for whoever fills in the form; `field` is name, provider, base_url, or a credential's key."""

    def __init__(self, field: str, sentence: str):
        super().__init__(sentence)
        self.field = field


def checked_base_url(provider: str, text: str) -> str:
    """The address in one spelling, without a slash at its end; AccountProblem when we may not call it.

    https at one of the provider's own hosts, or a host (or host:port) of PROVIDER_HOSTS, where http is allowed too. A
    host alone, as some providers show it, is called over https.
    """
    url = text.strip().rstrip("/")
    url = url if not url or ":" in url or url.startswith("/") else f"https://{url}"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise AccountProblem("base_url", "This is not an address. Enter it as https://host.") from None
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise AccountProblem("base_url", "Leave out everything from “?” or “#” on.")
    if len(url) > LONGEST_ADDRESS:
        raise AccountProblem("base_url", f"Longer than {LONGEST_ADDRESS} characters.")
    service = service_class(provider)
    try:
        Gate(service.label, service.hosts, settings.PROVIDER_HOSTS).check(url)
    except Refused as refused:
        raise AccountProblem("base_url", str(refused)) from None
    for placeholder in PLACEHOLDER.findall(service.default_base_url):
        if placeholder in url:
            raise AccountProblem("base_url", f"Replace “{placeholder}” with the name of yours.")
    return url


def checked_credentials(provider: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """Exactly the provider's credentials, stripped; AccountProblem names what is missing, unknown or unreadable."""
    fields = {field.key: field for field in service_class(provider).credential_fields}
    for key in credentials:
        if key not in fields:
            raise AccountProblem(
                key, f"{service_class(provider).label} has no credential “{key}”, only: {', '.join(fields)}."
            )
    found = {key: credentials.get(key, "").strip() for key in fields}
    for key, field in fields.items():
        if field.required and not found[key]:
            raise AccountProblem(key, f"{field.label} is missing.")
        if len(found[key]) > field.max_length:
            raise AccountProblem(key, f"{field.label} is longer than {field.max_length} characters.")
        # It goes into a header: anything else there would end up in a traceback instead of at the provider.
        if not (found[key].isascii() and (found[key].isprintable())):
            raise AccountProblem(key, f"{field.label} holds characters that no credential has. Copy it again.")
    return {key: value for key, value in found.items() if value}


def create_account(
    *, provider: str, name: str, base_url: str, credentials: Mapping[str, str], by: str, read_only: bool = False,
    sync_interval_s: int = SyncInterval.MINUTE, max_running: int | None = None,
) -> Account:  # fmt: skip
    """A new account, due for its first sync. AccountProblem when something is wrong or the name is taken."""
    if provider not in SERVICES:
        raise AccountProblem("provider", f"There is no provider “{provider}”. There are: {', '.join(SERVICES)}.")
    account = Account(
        provider=provider, name=_checked_name(name), base_url=checked_base_url(provider, base_url),
        read_only=read_only, sync_interval_s=sync_interval_s, max_running=max_running,
    )  # fmt: skip
    _seal(account, checked_credentials(provider, credentials), by)
    with transaction.atomic():
        _insert(account)
        SyncState.objects.create(account=account, due_at=timezone.now())
    return account


def create_archive(*, provider: str, name: str, base_url: str = "") -> Account:
    """An account whose runs come from a file: without credentials, never synced. `base_url` is kept and never called.

    AccountProblem when the name is none or is taken.
    """
    account = Account(provider=provider, name=_checked_name(name), base_url=base_url[:LONGEST_ADDRESS], archive=True)
    _insert(account)
    return account


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise AccountProblem("name", "Give it a name of at most 100 characters.")
    return name


def _insert(account: Account) -> None:
    if slugify(account.name) in TAKEN_BY_PAGES:
        account.slug = free_slug(f"{account.name} account", Account.objects.all())
    taken = AccountProblem("name", f"There is an account “{account.name}” already.")
    try:
        with transaction.atomic():
            if Account.objects.filter(name__iexact=account.name).exists():
                raise taken
            account.save()
    except IntegrityError:
        raise taken from None


def set_credentials(account: Account, credentials: Mapping[str, str], by: str) -> None:
    """Seal new credentials for the account's present address; the caller saves."""
    _seal(account, checked_credentials(account.provider, credentials), by)


def _seal(account: Account, credentials: Mapping[str, str], by: str) -> None:
    account.seal_credentials(credentials)
    account.credentials_set_at = timezone.now()
    account.credentials_set_by = by


def resume_sync(account: Account, *, moved: bool = False) -> None:
    """After an admin's edit: try again at once, whatever stopped it before; `moved`: to an address not yet read."""
    SyncState.objects.get_or_create(account=account)
    if moved:
        _give_up_intents(account)
    unread = {"cursor": None, "resume": {}, "history": {}, "history_at": None, "facts": [], "facts_at": None}
    afresh = unread if moved else {}
    SyncState.objects.filter(account=account).update(
        due_at=timezone.now(), not_before=None, paused=False, failures=0,
        # A pass under way still has the old address and credentials: what it finds must not be written any more.
        epoch=F("epoch") + 1, lease_until=None, owner="", phase="", **afresh,
    )  # fmt: skip
    account.runs.exclude(details_error="").update(details_at=None, details_error="")


def _give_up_intents(account: Account) -> None:
    """What was sent to the old address cannot be looked for at the new one, nor a run queued that was made there."""
    sent = account.intents.exclude(sent_at=None)
    why = "The account was pointed to another address before it was settled: look at the old one."
    sent.filter(outcome=IntentOutcome.CREATED).update(
        outcome=IntentOutcome.LEFT, message=f"The run was created and not queued. {why}", settled_at=timezone.now()
    )
    sent.unsettled().update(outcome=IntentOutcome.CANNOT_TELL, message=f"Cannot tell. {why}", settled_at=timezone.now())


def name_requester(person: Person, given_name: str) -> None:
    """Give a requester whom the provider knows only by a number a name; empty takes it back."""
    person.given_name = given_name.strip()
    person.display = person.display_name()
    person.save(update_fields=["given_name", "display"])
