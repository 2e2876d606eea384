import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from dashboard.forms.run_filters import RunFilterForm
from runs.export import FORMATS, exported
from runs.listing import runs_matching

WRONG_USE = 2


class Command(BaseCommand):
    help = "Write runs as JSON or CSV, oldest first; to standard output unless --output says where."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=sorted(FORMATS), required=True)
        parser.add_argument(
            "--filter", default="", metavar="QUERY", help="the run list's query string: 'status=running&name=checkout'"
        )
        parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of standard output")

    def handle(self, *args: object, output: Path | None, **options: str) -> None:
        form = RunFilterForm.of(options["filter"].removeprefix("?"))
        if problems := form.problems_of_choice():
            raise CommandError("\n".join(problems), returncode=WRONG_USE)
        pieces = exported(runs_matching(form.filters()), options["format"])
        if output is None:
            self.print(pieces)
            return
        try:
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
        except OSError as problem:
            raise CommandError(f"Cannot write {output}: {problem.strerror}.", returncode=WRONG_USE) from problem

    def print(self, pieces: Iterator[str]) -> None:
        stream = self.stdout._out
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", newline="")  # a terminal's habits must not change the file
        try:
            stream.writelines(pieces)
            stream.flush()
        except BrokenPipeError:
            # The reader (`| head`) has seen enough; Python would complain once more when it closes standard output.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
