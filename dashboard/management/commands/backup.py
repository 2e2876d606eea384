from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from dashboard.backups import BackupProblem, write_backup


class Command(BaseCommand):
    help = "Write database and keys to one .tar.gz, while Plimsoll runs. `restore` brings them back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.tar.gz")
        parser.add_argument(
            "--without-keys", action="store_true",
            help="leave SECRET_KEY and CREDENTIAL_KEYS out; without the latter nobody can open the credentials",
        )  # fmt: skip

    def handle(self, *args: object, file: Path, without_keys: bool, **options: object) -> None:
        try:
            manifest = write_backup(file.absolute(), with_keys=not without_keys)
        except BackupProblem as problem:
            raise CommandError(f"No backup was made. {problem}") from problem
        tables = manifest["tables"]
        self.stdout.write(
            f"{file} holds {sum(tables.values())} rows of {len(tables)} tables, {tables['runs_run']} runs among them."
        )
        if without_keys:
            self.stdout.write(
                "It holds no keys: without the CREDENTIAL_KEYS of today the accounts' credentials in it are lost."
            )
        else:
            self.stdout.write(
                "It holds the keys too: whoever reads it can use every account. Keep it where only you can (mode 600)."
            )
