from argparse import ArgumentParser
from collections import Counter

from django.core.management.base import BaseCommand, CommandError

from runs.accounts import resume_sync
from runs.fields import NO_KEY_FITS, CredentialsUnusable, Sealed, seal
from runs.models import Account, SyncState

TRIES = 5  # for an account whose credentials are being edited at this moment


class Command(BaseCommand):
    help = (
        "Encrypt every account's credentials with the first of CREDENTIAL_KEYS, so that the others can be removed. "
        "Safe to repeat, to interrupt, and while Plimsoll runs."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true",
            help="only count; exit status 1 when an account is on another key or cannot be opened",
        )  # fmt: skip

    def handle(self, *args: object, check: bool, **options: object) -> None:
        ends: Counter[str] = Counter()
        closed: list[str] = []
        for pk in Account.objects.exclude(credentials="").values_list("pk", flat=True):
            try:
                ends[_looked_at(pk) if check else _rotated(pk)] += 1
            except CredentialsUnusable as problem:
                closed.append(f"{Account.objects.get(pk=pk).name}: {problem}")
        self.stdout.write(
            f"{ends.total() + len(closed)} accounts with credentials: {ends['rotated']} re-encrypted with the first of "
            f"CREDENTIAL_KEYS, {ends['first']} on it already, {ends['older']} on an older key, "
            f"{len(closed)} that cannot be opened."
        )
        if closed:
            raise CommandError("\n".join([*closed, "Until these are opened or entered again, remove no key."]))
        if ends["older"]:
            raise CommandError("Run rotate_keys (without --check) before you remove a key.")
        self.stdout.write(
            "No account needs any key but the first: remove the others from CREDENTIAL_KEYS, and restart every process."
        )


def _looked_at(pk: int) -> str:
    account = Account.objects.get(pk=pk)
    account.open_credentials()
    return "first" if account.credentials.on_first_key() else "older"


def _rotated(pk: int) -> str:
    """Put one account on the first key; "older" when somebody kept editing it. CredentialsUnusable as `open` says."""
    for _ in range(TRIES):
        account = Account.objects.filter(pk=pk).exclude(credentials="").first()
        if account is None:
            return "gone"
        opened = account.open_credentials()
        # It was paused while its key was missing, and no edit would tell that the key is back.
        if SyncState.objects.filter(account=account, paused=True, error=NO_KEY_FITS).exists():
            resume_sync(account)
        if account.credentials.on_first_key():
            return "first"
        if _replaced(account, account.credentials, seal(account.uuid, account.base_url, opened)):
            return "rotated"
    return "older"


def _replaced(account: Account, old: Sealed, new: Sealed) -> bool:
    """Write `new` where `old` still stands; false when somebody entered other credentials meanwhile."""
    return Account.objects.filter(pk=account.pk, credentials=old).update(credentials=new) == 1
