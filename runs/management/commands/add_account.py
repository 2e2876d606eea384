import sys
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from runs.accounts import AccountProblem, create_account
from runs.services import SERVICES


class Command(BaseCommand):
    help = "Add an account. Its credentials are encrypted at once and never shown again."
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--provider", required=True, choices=sorted(SERVICES))
        parser.add_argument("--name", required=True, help="how people will know it, like retail-prod")
        parser.add_argument("--base-url", required=True, help="https://host, as the provider's documents give it")
        parser.add_argument(
            "--credential", action="append", default=[], metavar="KEY=VALUE",
            help="seen by anybody who lists this machine's processes; prefer --credential-stdin",
        )  # fmt: skip
        parser.add_argument("--credential-stdin", metavar="KEY", help="read this credential from standard input")
        parser.add_argument("--read-only", action="store_true", help="nobody may start or stop runs on it")

    def handle(
        self, *args: object, credential: list[str], credential_stdin: str | None, read_only: bool, **options: str
    ) -> None:
        credentials: dict[str, str] = {}
        for pair in credential:
            key, mark, value = pair.partition("=")
            if not mark:
                raise CommandError("Write a credential as KEY=VALUE, like token=….")
            credentials[key] = value
        if credential_stdin:
            credentials[credential_stdin] = sys.stdin.readline().rstrip("\r\n")
        try:
            account = create_account(
                provider=options["provider"], name=options["name"], base_url=options["base_url"],
                credentials=credentials, by="add_account", read_only=read_only,
            )  # fmt: skip
        except AccountProblem as problem:
            raise CommandError(f"Nothing was added. {problem}") from problem
        self.stdout.write(f"{account.name} is added as “{account.slug}”; the worker syncs it now.")
