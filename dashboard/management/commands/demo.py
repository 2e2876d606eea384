import os
from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dashboard import demo
from dashboard.processes import LOOPBACK, manage
from dashboard.supervisor import ChildEnded, NotReady, PortTaken, Stopped, Supervisor


class Command(BaseCommand):
    help = "Start the dashboard over stand-in providers, with demo people and data of its own. Ctrl-C ends all of it."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT, help="default: PORT, else 8000")

    def handle(self, *args: object, port: int, **options: object) -> None:
        if not demo.in_demo_environment():
            command = manage("demo", "--port", str(port))
            os.execve(command[0], command, demo.environment(settings.DATA_DIR / "demo"))  # noqa: S606 (our own words)
        try:
            with demo.only_one(settings.DATA_DIR), Supervisor(self.stdout) as supervisor:
                self.stdout.write("Starting the demo …")
                demo.start(supervisor, port)
                self.stdout.write(self.style.SUCCESS(f"\nPlimsoll is at http://{LOOPBACK}:{port}/"))
                self.stdout.write(f"Sign in as {', '.join(demo.ROLES)}; the password is {demo.PASSWORD} for each.")
                self.stdout.write("Ctrl-C ends the demo; its data stay for the next time.\n")
                self.stdout.flush()  # a pipe would hold it back
                supervisor.run()
        except Stopped:
            self.stdout.write("The demo has ended.")
        except PortTaken as error:
            raise CommandError(f"{error} Choose another one: PORT={port + 1} make demo") from error
        except (ChildEnded, NotReady, demo.DemoRuns) as error:
            raise CommandError(str(error)) from error
