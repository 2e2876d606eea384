from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from runs.archive import ArchiveProblem
from runs.archive.imports import import_archive
from runs.archive.report import KEYS, Parts, Report
from runs.archive.saved import readers
from runs.export import as_text
from runs.models import Account

WRONG_USE = 2


class Command(BaseCommand):
    help = (
        "Bring in runs that export_archive wrote, or a provider's own API printed (JSON files, or a zip of them). "
        "Safe to repeat and to interrupt: what is here already stays."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--account", default="", metavar="NAME", help="add the runs to this account (name or slug)")
        parser.add_argument(
            "--name", default="", help="of the archive that takes them in; the file's own where it has one"
        )
        parser.add_argument("--provider", default="", choices=["", *readers()], help="whose saved answers they are")
        parser.add_argument("--report", type=Path, metavar="FILE.csv", help="what is there of each run, as a table")

    def handle(self, *args: object, files: list[Path], report: Path | None, **options: str) -> None:
        account = None
        if wanted := options["account"]:
            account = Account.objects.filter(slug=wanted).first() or Account.objects.filter(name=wanted).first()
            if account is None:
                raise CommandError(f"There is no account “{wanted}”.", returncode=WRONG_USE)
        try:
            with ExitStack() as stack:
                each = _table(stack, report) if report else lambda parts: None
                found = import_archive(
                    {str(file): file for file in _all(files)}, account=account, name=options["name"],
                    provider=options["provider"], each=each,
                )  # fmt: skip
        except ArchiveProblem as problem:
            raise CommandError(str(problem)) from problem
        except OSError as problem:
            raise CommandError(f"{problem.filename}: {problem.strerror}.", returncode=WRONG_USE) from problem
        self._print(found)

    def _print(self, report: Report) -> None:
        made = "made for them, as an archive" if report.new_account else "which was there"
        self.stdout.write(f"Account {report.account.name}, {made}.")
        for sentence in report.sentences():
            self.stdout.write(sentence)
        for row in report.bad_rows:
            self.stdout.write(f"  left out: {row.external_id}: {row.reason}")
        for parts in report.incomplete_runs:
            self.stdout.write(f"  {parts.title}: not there: {', '.join(parts.missing)}")
        if more := report.bad + report.incomplete - len(report.bad_rows) - len(report.incomplete_runs):
            self.stdout.write(f"  and {more:,} more; --report writes them all")


def _all(files: list[Path]) -> list[Path]:
    """A folder stands for the JSON files in it."""
    return [one for file in files for one in (sorted(file.rglob("*.json")) if file.is_dir() else [file])]


def _table(stack: ExitStack, report: Path) -> Callable[[Parts], None]:
    out = stack.enter_context(report.open("w", encoding="utf-8", newline=""))
    out.writelines(as_text(KEYS, [], "csv"))
    return lambda parts: out.write(list(as_text(KEYS, [parts.row()], "csv"))[1])
