"""Plimsoll's own code at a test's bidding: reads one JSON line, does it, answers one. `python -m tests.trust.hand`."""

import json
import sys
import traceback
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import close_old_connections, connection  # noqa: E402
from django.db.models import Count, Q  # noqa: E402
from django.db.models.functions import TruncDate  # noqa: E402
from django.utils import timezone  # noqa: E402

from runs.actions import start_run  # noqa: E402
from runs.choices import LIVE, IntentOutcome, RunResult  # noqa: E402
from runs.models import Account, ControlIntent, DayResult, LoadTest, Run, StatusEvent, SyncState  # noqa: E402
from runs.sync import request_sync  # noqa: E402

PERSON = "ada"


def prepare() -> None:
    """The tables, the static files, and a person who may do everything."""
    call_command("migrate", interactive=False, verbosity=0)
    User.objects.create_superuser(PERSON, password=None)


def collect() -> None:
    call_command("collectstatic", interactive=False, verbosity=0)


def add_accounts(accounts: list[dict[str, Any]]) -> list[str]:
    slugs = []
    for given in accounts:
        account = Account(name=given["name"], provider=given["provider"], base_url=given["base_url"])
        account.seal_credentials(given["credentials"])
        account.save()
        slugs.append(account.slug)
    return slugs


def ask_for_sync() -> None:
    """Every account is due now."""
    for account in Account.objects.all():
        request_sync(account)


def cookie() -> list[str]:
    """Name and value of the cookie of a browser in which the person is signed in."""
    user = User.objects.get(username=PERSON)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return [settings.SESSION_COOKIE_NAME, session.session_key]


def press() -> str:
    """Press Start for the first test that can be started by its id alone; how the intent stands."""
    test = LoadTest.objects.filter(account__provider="k6-legacy").order_by("pk").first()
    user = User.objects.get(username=PERSON)
    return start_run(
        user=user, account=test.account, load_test=test, values={}, reason="a trial", token=uuid4()
    ).outcome


def progress() -> dict[str, int]:
    """How many runs are here, and how many of them wait for their details."""
    return {"runs": Run.objects.count(), "waiting": Run.objects.without_details().count()}


def let_hours_pass() -> int:
    """Make it time to ask again for the details that were refused or garbled; of how many runs."""
    odd = Run.objects.ended().exclude(details_error="").exclude(details_at=None)
    return odd.update(details_at=timezone.now() - timedelta(days=1))


def look() -> dict[str, Any]:
    """Every account's lease and health; times in seconds from now, the past above 0."""
    now = timezone.now()

    def age(moment: datetime | None) -> float | None:
        return moment and (now - moment).total_seconds()

    accounts = {}
    for state in SyncState.objects.select_related("account"):
        accounts[state.account.slug] = {
            "owner": state.owner, "epoch": state.epoch, "lease_over": age(state.lease_until),
            "due": age(state.due_at), "last_good": age(state.last_good_at), "held_back": age(state.not_before),
            "failures": state.failures, "paused": state.paused, "error": state.error, "phase": state.phase,
            "progress": state.progress,
        }  # fmt: skip
    outcomes = Counter(ControlIntent.objects.values_list("outcome", flat=True))
    live = Run.objects.live().filter(gone_at=None)
    open_ones = ControlIntent.objects.unsettled().exclude(outcome=IntentOutcome.CREATED)
    return {
        **progress(), "accounts": accounts, "intents": dict(outcomes),
        "open_intents": [(slug, age(when)) for slug, when in open_ones.values_list("account__slug", "created_at")],
        "live": {
            slug: list(live.filter(account__slug=slug).values_list("external_id", flat=True)) for slug in accounts
        },
    }  # fmt: skip


def intents() -> list[dict[str, Any]]:
    rows = ControlIntent.objects.select_related("account", "load_test").order_by("pk")
    return [
        {
            "token": str(row.token), "kind": row.kind, "account": row.account.slug, "test": row.test_name,
            "test_external_id": row.load_test.external_id if row.load_test else "",
            "outcome": row.outcome, "external_id": row.external_id, "message": row.message,
            "sent": row.sent_at is not None, "user": row.user_name, "candidates": row.candidates,
            "run": row.run_id, "took_s": row.settled_at and (row.settled_at - row.created_at).total_seconds(),
        }
        for row in rows
    ]  # fmt: skip


def tests(provider: str) -> list[dict[str, Any]]:
    """The load tests of its accounts."""
    return list(LoadTest.objects.filter(account__provider=provider).order_by("pk").values("pk", "name", "external_id"))


def a_drop() -> str:
    """A test drop with which a run can be created: that of any run known here."""
    values = (
        LoadTest.objects.filter(account__provider="vsts")
        .exclude(start_values={})
        .values_list("start_values", flat=True)
    )
    return next(given["test_drop_id"] for given in values if given.get("test_drop_id"))


def export(slug: str, path: str) -> None:
    call_command("export_runs", format="json", filter=f"account={slug}", output=Path(path))


def oddities() -> list[str]:
    """What does not agree inside the tables: results per day against the runs, status events told twice."""
    found = []
    counted = (
        Run.objects.annotate(day=TruncDate("created_at", tzinfo=UTC)).values_list("load_test", "day").annotate(
            n=Count("pk"), n_live=Count("pk", filter=Q(status__in=LIVE)),
            **{f"n_{result}": _counted(result) for result in RunResult.values},
        )
    )  # fmt: skip
    expected = {(row[0], row[1]): row[2:] for row in counted}
    kept = DayResult.objects.filter(runs__gt=0).values_list("load_test", "day", "runs", "live", *RunResult.values)
    if expected != {(row[0], row[1]): row[2:] for row in kept}:
        found.append("the results per day are not those of the runs")
    before: tuple[int, str] | None = None
    for event in StatusEvent.objects.order_by("run", "pk").values_list("run", "status"):
        if event == before:
            found.append(f"status {event[1]} of run {event[0]} is told twice")
        before = event
    doubled = Run.objects.values("account", "external_id").annotate(n=Count("pk")).filter(n__gt=1).count()
    if doubled:
        found.append(f"{doubled} runs are here twice")
    if halves := Run.objects.filter(payload=None).count():
        found.append(f"{halves} runs are here without what the provider said of them")
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            [[verdict]] = cursor.execute("PRAGMA integrity_check").fetchall()
        if verdict != "ok":
            found.append(f"the file is broken: {verdict}")
    return found


def _counted(result: str) -> Count:
    return Count("pk", filter=~Q(status__in=LIVE) & Q(result=result))


def main() -> None:
    for line in sys.stdin:
        given = json.loads(line)
        close_old_connections()
        try:
            answer = {"answer": globals()[given.pop("do")](**given)}
        except Exception as problem:
            traceback.print_exc()
            answer = {"failed": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
