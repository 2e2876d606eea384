from argparse import ArgumentParser

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from dashboard.processes import LOOPBACK, prepare, start_dashboard
from dashboard.supervisor import ChildEnded, NotReady, PortTaken, Stopped, Supervisor, check_port


class Command(BaseCommand):
    help = "Start the dashboard for real accounts: web server and worker. Ctrl-C ends both."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="default: PORT, else 8000")

    def handle(self, *args: object, host: str, port: int, **options: object) -> None:
        try:
            with Supervisor(self.stdout) as supervisor:
                check_port(host, port)
                prepare()
                has_people = User.objects.exists()
                start_dashboard(supervisor, host, port)
                self.welcome(host, port, has_people)
                self.stdout.flush()  # a pipe would hold it back
                supervisor.run()
        except Stopped:
            self.stdout.write("Plimsoll has ended.")
        except PortTaken as error:
            raise CommandError(f"{error} Choose another one: PORT={port + 1} make run") from error
        except (ChildEnded, NotReady) as error:
            raise CommandError(str(error)) from error

    def welcome(self, host: str, port: int, has_people: bool) -> None:
        self.stdout.write(self.style.SUCCESS(f"Plimsoll listens at http://{host}:{port}/"))
        if settings.HTTPS:
            self.stdout.write(
                "HTTPS is on: pages open through an https proxy in front of it (then set TRUST_PROXY=on and "
                "ALLOWED_HOSTS). To try it on this machine only: HTTPS=off make run"
            )
        if settings.CELERY_BROKER_URL:
            self.stdout.write("CELERY_BROKER_URL is set: start Celery's workers and its beat, or nothing is synced.")
        if not has_people:
            self.stdout.write("Nobody can sign in yet. Make the first admin: .venv/bin/python manage.py create_admin")
