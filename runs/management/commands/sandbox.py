"""`manage.py sandbox`: the stand-in servers of the providers."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from runs.sandbox import cli


class Command(BaseCommand):
    help = "Serve stand-ins for the providers' APIs on loopback, with a history of load tests."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        cli.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        status = cli.run(options)
        if status:
            sys.exit(status)
