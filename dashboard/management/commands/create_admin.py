import getpass
import os
import sys
from argparse import ArgumentParser

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

PASSWORD_VARIABLE = "PLIMSOLL_ADMIN_PASSWORD"  # noqa: S105 (a name, not a password)


class Command(BaseCommand):
    help = f"Make a person who may do everything. Asks for name and password, or takes {PASSWORD_VARIABLE}."
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", help="the name to sign in with (asked for when left out)")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def handle(self, *args: object, username: str | None, password_stdin: bool, **options: object) -> None:
        username = username or self.ask("Name to sign in with: ")
        person = User(username=username)
        try:
            person.clean_fields(exclude=["password"])
            person.validate_unique()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        password = self.password(from_stdin=password_stdin)
        try:
            validate_password(password, person)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        person.set_password(password)
        try:
            with transaction.atomic():
                person.save()
                person.groups.add(Group.objects.get(name="admin"))
        except IntegrityError as error:
            raise CommandError(f"{username} was made by somebody else just now.") from error
        except Group.DoesNotExist as error:
            raise CommandError("The database has no roles yet. Run: python manage.py migrate") from error
        self.stdout.write(f"{username} can sign in now, as an admin.")

    def password(self, from_stdin: bool) -> str:
        if from_stdin:
            return sys.stdin.readline().rstrip("\r\n")
        if password := os.environ.get(PASSWORD_VARIABLE):
            return password
        password = self.ask("Password: ", hidden=True)
        if self.ask("Once more: ", hidden=True) != password:
            raise CommandError("The two passwords differ. Nobody was added.")
        return password

    def ask(self, question: str, hidden: bool = False) -> str:
        if not sys.stdin.isatty():
            raise CommandError(
                f"There is no terminal to ask in. Give --username, and {PASSWORD_VARIABLE} or --password-stdin."
            )
        try:
            return getpass.getpass(question) if hidden else input(question).strip()
        except (EOFError, KeyboardInterrupt) as error:
            raise CommandError("Nobody was added.") from error
