import signal
from threading import Event

from django.core.management.base import BaseCommand

from runs.tasks import work


class Command(BaseCommand):
    help = "Keep every account in sync. Ends cleanly on Ctrl-C or SIGTERM, after the page it is storing."

    def handle(self, **options: object) -> None:
        stop = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("The worker is running.")
        self.stdout.flush()
        work(stop)
