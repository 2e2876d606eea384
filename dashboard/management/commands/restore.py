from argparse import ArgumentParser
from pathlib import Path

from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandError
from django.db.models import F

from dashboard.backups import BackupProblem, restore_backup
from runs.choices import IntentOutcome
from runs.models import ControlIntent


class Command(BaseCommand):
    help = "Fill an empty database from a file that `backup` wrote. Overwrites nothing."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.tar.gz")

    def handle(self, *args: object, file: Path, **options: object) -> None:
        try:
            manifest, about_keys = restore_backup(file)
        except BackupProblem as problem:
            raise CommandError(f"Nothing was restored. {problem}") from problem
        # Who signed out since the backup must stay so, and a form from before it must not be sent once more.
        Session.objects.all().delete()
        # The old machine may have sent these after the backup: they are looked for, as those without an answer are.
        ControlIntent.objects.filter(outcome=IntentOutcome.OPEN).update(
            outcome=IntentOutcome.SENT, sent_at=F("created_at")
        )
        tables = manifest["tables"]
        self.stdout.write(
            f"Restored {sum(tables.values())} rows of {len(tables)} tables, {tables['runs_run']} runs among them, "
            f"as of {manifest['made_at']}."
        )
        for sentence in about_keys:
            self.stdout.write(sentence)
        self.stdout.write(
            "Everybody signs in anew. Next: manage.py migrate, manage.py rotate_keys --check (do all credentials "
            "open?), then start Plimsoll here, and nowhere else."
        )
