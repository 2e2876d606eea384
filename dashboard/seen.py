"""Which runs a person has seen: those whose page they opened, and those they said they have seen."""

import logging
from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import OperationalError
from django.db.models import QuerySet
from django.http import HttpRequest

from dashboard.models import SeenRun
from runs.models import Run

log = logging.getLogger(__name__)


def seen_by(user: User) -> QuerySet[SeenRun]:
    """As `RunFilters.seen` wants it."""
    return SeenRun.objects.filter(user=user)


def mark_seen(user: User, run_ids: Iterable[int]) -> None:
    """Once for each; what is marked already, even at this moment by another tab, stays as it is."""
    SeenRun.objects.bulk_create([SeenRun(user=user, run_id=pk) for pk in run_ids], ignore_conflicts=True)


def opened(request: HttpRequest, run: Run) -> None:
    """Somebody opened a page of this run. Parts of a page and what the page asks for by itself are no look at it.

    Asking first keeps a page that is opened again from waiting for whoever writes. A database that takes no mark now
    does not keep anybody from the page.
    """
    if request.method != "GET" or request.htmx or seen_by(request.user).filter(run=run).exists():
        return
    try:
        mark_seen(request.user, [run.pk])
    except OperationalError as busy:
        log.warning("Run %s was opened, but not marked as seen: %s", run.pk, busy)
