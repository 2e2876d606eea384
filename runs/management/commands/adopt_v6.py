import time
from argparse import ArgumentParser
from collections import Counter

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from runs.adoption import CannotAdopt, adopt, check, what_would_happen
from runs.models import Account
from runs.sync import owner_name
from runs.sync.lease import Lease, LeaseLost, claim

WAIT_FOR_LEASE_S = 90
COUNTED = (
    "runs moved", "runs joined", "tests moved", "tests joined", "people", "starts and stops", "freeze windows",
)  # fmt: skip


class Command(BaseCommand):
    help = (
        "Let an account of Grafana Cloud k6 v6 take over the history of one of the legacy API, so that each run is "
        "there once. The older account is disabled and kept. Safe to interrupt and to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("legacy", metavar="LEGACY_ACCOUNT", help="its name or slug")
        parser.add_argument("v6", metavar="V6_ACCOUNT", help="its name or slug")
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen")

    def handle(self, *, legacy: str, v6: str, dry_run: bool, **options: object) -> None:
        old, new = _account(legacy), _account(v6)
        try:
            if dry_run:
                self._say("Would be done", what_would_happen(old, new))
                return
            check(old, new)
            self._adopt(old, new)
        except CannotAdopt as problem:
            raise CommandError(str(problem)) from None
        except LeaseLost:
            raise CommandError("A worker took one of the accounts over. Run the same command again.") from None
        self.stdout.write(f"{old.name} is disabled and kept. {new.name} goes on; its next sync reads the runs anew.")

    def _adopt(self, old: Account, new: Account) -> None:
        leases: list[Lease] = []
        try:
            leases.extend(_lease(account) for account in (old, new))
            self._say("Done", adopt(old, new, leases, self._show))
        finally:
            for lease in leases:
                lease.release(due_at=timezone.now())
            self._show("")

    def _say(self, what: str, counts: Counter[str]) -> None:
        self.stdout.write(f"{what}: " + ", ".join(f"{name} {counts[name]:,}" for name in COUNTED) + ".")

    def _show(self, words: str) -> None:
        """One line that is written over on a terminal; nothing in a log file."""
        if self.stdout.isatty():
            self.stdout.write(f"\r\033[K{words}", ending="")
            self.stdout.flush()


def _account(name: str) -> Account:
    found = Account.objects.filter(slug=name).first() or Account.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(Account.objects.values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no account “{name}”. Accounts: {known}.")
    return found


def _lease(account: Account) -> Lease:
    """The right to write for the account; waits for a worker that is at work on it."""
    waiting_since = time.monotonic()
    while (lease := claim(account, owner_name(), timezone.now())) is None:
        if time.monotonic() - waiting_since > WAIT_FOR_LEASE_S:
            raise CommandError(f"{account.name} is being synced by a worker. Try again in a minute.")
        time.sleep(1)
    return lease
