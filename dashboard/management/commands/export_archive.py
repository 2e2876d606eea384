import os
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from dashboard.forms.run_filters import RunFilterForm
from runs.archive.export import pieces
from runs.listing import runs_matching
from runs.models import Account

WRONG_USE = 2


class Command(BaseCommand):
    help = "Write an account's runs, with all that is known of them, to one file that import_archive reads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", metavar="ACCOUNT", help="its name or slug")
        parser.add_argument("file", type=Path, metavar="FILE.zip", help="where to write it; nothing is overwritten")
        parser.add_argument(
            "--filter", default="", metavar="QUERY", help="only these runs: the run list's query, like 'result=failed'"
        )

    def handle(self, *args: object, account: str, file: Path, **options: str) -> None:
        found = Account.objects.filter(slug=account).first() or Account.objects.filter(name=account).first()
        if found is None:
            known = ", ".join(Account.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no account “{account}”. Accounts: {known}.", returncode=WRONG_USE)
        query = options["filter"].removeprefix("?")
        form = RunFilterForm.of(query)
        if problems := form.problems_of_choice():
            raise CommandError("\n".join(problems), returncode=WRONG_USE)
        self._write(found, file, pieces(found, runs_matching(form.filters()) if query else None))
        self.stdout.write(f"{found.name} is in {file} ({file.stat().st_size:,} bytes).")

    def _write(self, account: Account, file: Path, made: object) -> None:
        if file.exists():
            raise CommandError(f"{file} exists already; nothing is overwritten. Give another name.")
        part = file.with_name(f".{file.name}.part")
        try:
            with part.open("wb") as out:
                out.writelines(made)
                out.flush()
                os.fsync(out.fileno())
            part.replace(file)
        except OSError as problem:
            raise CommandError(f"Cannot write {file}: {problem.strerror}.", returncode=WRONG_USE) from problem
        finally:
            part.unlink(missing_ok=True)
