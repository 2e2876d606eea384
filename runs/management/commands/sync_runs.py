import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from runs.models import Account
from runs.sync import PassReport, owner_name, sync_account
from runs.sync.passes import DETAILS_BUDGET

WAIT_FOR_LEASE_S = 90


class Command(BaseCommand):
    help = "Do one sync pass now: the whole history the first time, then what is new."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", metavar="NAME", help="only this account (its name or slug)")
        parser.add_argument(
            "--full",
            action="store_true",
            help="read the whole history again, and all details not read yet",
        )

    def handle(self, *, account: str | None, full: bool, **options: object) -> None:
        accounts = Account.objects.syncable()
        if account:
            accounts = accounts.filter(name=account) | accounts.filter(slug=account)
        if not accounts:
            known = ", ".join(Account.objects.values_list("slug", flat=True)) or "none yet; add one with add_account"
            raise CommandError(f"No account to sync. Accounts: {known}.")
        failed = [one.slug for one in accounts if not self._sync(one, full)]
        if failed:
            raise CommandError(f"Not in sync: {', '.join(failed)}. The reason stands above and on the account's page.")

    def _sync(self, account: Account, full: bool) -> bool:
        budget = None if full else DETAILS_BUDGET
        waiting_since = time.monotonic()
        while True:
            report = sync_account(
                account, full=full, details_budget=budget, owner=owner_name(),
                report=lambda phase, so_far: self._show(account, phase, so_far),
            )  # fmt: skip
            if not report.busy:
                break
            if time.monotonic() - waiting_since > WAIT_FOR_LEASE_S:
                raise CommandError(f"{account.name} is being synced by another worker. Try again in a minute.")
            time.sleep(1)
        if self.stdout.isatty():
            self.stdout.write("")
        self.stdout.write(
            f"{account.name}: {report.runs:,} runs on {report.pages:,} pages, details of {report.details:,} runs"
            + (f", {report.details_left:,} left for later" if report.details_left else "")
            + (f", {len(report.bad)} rows not readable" if report.bad else "")
            + (f". {report.error}" if report.error else ".")
        )
        return not report.error

    def _show(self, account: Account, phase: str, so_far: PassReport) -> None:
        """One line that is written over on a terminal; nothing in a log file."""
        if not self.stdout.isatty():
            return
        words = f"{account.name}: {phase}, page {so_far.pages}, {so_far.runs:,} runs"
        total = so_far.details + so_far.details_left
        if phase == "details" and total:
            filled = 30 * so_far.details // total
            words += f"  [{'#' * filled}{'.' * (30 - filled)}] {so_far.details:,} of {total:,} details"
        self.stdout.write(f"\r\033[K{words}", ending="")
        self.stdout.flush()
