"""What machines ask: is it alive, can it do its work. No sign-in, no session, whatever name they call it by."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import cache

from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from runs.vitals import SILENT_AFTER, WAITING_TOO_LONG, last_worker_seen, longest_waiting

log = logging.getLogger(__name__)

START_A_WORKER = "Start one: manage.py worker, or a Celery worker where CELERY_BROKER_URL is set."


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """That this process answers: it asks nothing and nobody else."""
    return HttpResponse("alive\n", content_type="text/plain; charset=utf-8")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether everything is there that it needs: 200 or 503, and a sentence for each check."""
    checks: dict[str, dict[str, object]] = {}
    for name, check in CHECKS.items():
        if all(checks.get(needed, {"ok": True})["ok"] for needed in NEEDED):
            checks[name] = _checked(name, check)
        else:
            checks[name] = {"ok": False, "says": "Not looked at: what comes before has to be in order first."}
    ready = all(one["ok"] for one in checks.values())
    body = {"ready": ready, "checks": checks}
    return JsonResponse(body, status=200 if ready else 503, json_dumps_params={"indent": 2})


def _checked(name: str, check: Callable[[], tuple[bool, str]]) -> dict[str, object]:
    try:
        ok, says = check()
    except Error as problem:
        log.warning("The check of %s could not be made: %s", name, problem)
        ok, says = False, "The database does not answer. Look at it and at DATABASE_URL; the log has the reason."
    return {"ok": ok, "says": says}


def _database() -> tuple[bool, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True, "The database answers."


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    """The migrations this version of the program comes with."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _migrations() -> tuple[bool, str]:
    missing = len(_known_migrations() - MigrationRecorder(connection).applied_migrations().keys())
    if missing:
        which = "1 migration is" if missing == 1 else f"{missing} migrations are"
        return False, f"{which} not applied. Run manage.py migrate."
    return True, "All migrations are applied."


def _engine() -> tuple[bool, str]:
    seen = last_worker_seen()
    if seen is None:
        return False, f"No worker is there. {START_A_WORKER}"
    age = timezone.now() - seen
    if age > SILENT_AFTER:
        return False, f"No worker has been seen for {age.total_seconds():.0f} s. {START_A_WORKER}"
    return True, f"A worker was seen {max(0, age.total_seconds()):.0f} s ago."


def _sync() -> tuple[bool, str]:
    now = timezone.now()
    since: datetime | None = longest_waiting(now)
    if since is None:
        return True, "No account waits for its sync."
    waits = f"The account that waits longest has been due for {(now - since).total_seconds():.0f} s."
    if now - since > WAITING_TOO_LONG:
        limit = WAITING_TOO_LONG.total_seconds()
        return False, f"{waits} More than {limit:.0f} s is too long: look at the workers' log, or start more of them."
    return True, waits


# In this order; without the first two the others cannot be told.
CHECKS = {"database": _database, "migrations": _migrations, "engine": _engine, "sync": _sync}
NEEDED = ("database", "migrations")
