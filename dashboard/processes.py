"""What `manage.py run` and `manage.py demo` start, and how they know that it answers."""

import http.client
import json
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.shortcuts import resolve_url

from dashboard.supervisor import Supervisor

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0
_BLOCKING_THREADS = 16


def manage(*arguments: str) -> list[str]:
    """The command line of `manage.py` with these arguments, under this Python."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


def web(host: str, port: int) -> list[str]:
    """The command line of the web server."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)),
        *("--blocking-threads", str(_BLOCKING_THREADS), "--workers-kill-timeout", "5", "--log-level", "error"),
        *("--no-ws", "--working-dir", str(settings.BASE_DIR), "dashboard.wsgi:application"),
    ]


def prepare() -> None:
    """Bring the database and the static files up to this version. Safe to repeat."""
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def start_dashboard(supervisor: Supervisor, host: str, port: int) -> None:
    """Start web server and worker; returns when the sign-in page answers. Raises as Supervisor.wait_until does.

    No worker where Celery's do its work.
    """
    connections.close_all()  # the children have their own; an idle one here would only hold files open
    supervisor.start("web", web(host, port))
    near = LOOPBACK if host in {"0.0.0.0", ""} else host  # noqa: S104 (compared, not listened on)
    page = resolve_url(settings.LOGIN_URL)
    supervisor.wait_until(lambda: answers(near, port, page), START_SECONDS, "the first page")
    if not settings.CELERY_BROKER_URL:
        supervisor.start("worker", manage("worker"))


def answers(host: str, port: int, path: str) -> bool:
    """Whether `path` is answered there now, with anything but a server error."""
    return (_get(host, port, path) or (500, b""))[0] < 500


def get_json(host: str, port: int, path: str) -> Any:
    """What a GET of `path` answers, None when it does not answer with 200."""
    status, body = _get(host, port, path) or (None, b"")
    return json.loads(body) if status == 200 else None


def _get(host: str, port: int, path: str) -> tuple[int, bytes] | None:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
