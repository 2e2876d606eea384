"""A process beside a browser test: it serves the dashboard, and syncs, looks up and changes rows when told to.

The test's own thread must not touch Django's ORM, because Playwright keeps an event loop in it. Here one JSON object a
line comes in (`{"do": name, …}`) and one goes out. It ends, with the web server, when its input does.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import django
from django.utils.module_loading import import_string


def serve(credentials: dict[str, Any], port: int) -> None:
    """Make the database, the demo's people and accounts, read all runs; then serve until the input ends."""
    from dashboard import demo, processes
    from dashboard.supervisor import Supervisor

    with Supervisor(sys.stderr) as supervisor:
        processes.prepare()
        demo.add_people()
        demo.add_accounts(credentials)
        supervisor.start("web", processes.web(processes.LOOPBACK, port))
        sync(details_budget=30)
        supervisor.wait_until(
            lambda: processes.answers(processes.LOOPBACK, port, "/sign-in/"), processes.START_SECONDS, "the first page"
        )
        answer("ready")
        for line in sys.stdin:
            told = json.loads(line)
            answer(TASKS[told.pop("do")](**told))


def sync(provider: str = "", details_budget: int | None = None) -> list[str]:
    """A pass over the enabled accounts (of one provider); what each complained of."""
    from runs.models import Account
    from runs.sync import sync_account

    accounts = [account for account in Account.objects.syncable() if provider in ("", account.provider)]
    return [sync_account(account, details_budget=details_budget).error for account in accounts]


def rows(model: str, values: list[str], **filters: Any) -> list[dict[str, Any]]:
    """Rows of `runs.models.<model>` in its order, newest runs first; `values` are paths of columns."""
    found = import_string(f"runs.models.{model}").objects.filter(**filters)
    if model == "Run":
        found = found.order_by("-created_at")
    return list(found.values(*values).distinct())


def change(model: str, where: dict[str, Any], **values: Any) -> int:
    """Set columns of rows; how many."""
    return import_string(f"runs.models.{model}").objects.filter(**where).update(**values)


def add_errors(run: int, type: str, subtype: str, count: int) -> None:
    """So many distinct details below a run, each ten times."""
    from runs.error_tree import fingerprint
    from runs.models import RunError

    messages = [f"{type} {number:05}" for number in range(count)]
    RunError.objects.bulk_create(
        RunError(
            run_id=run,
            type=type,
            subtype=subtype,
            message=message,
            occurrences=10,
            fingerprint=fingerprint(type, subtype, message),
        )
        for message in messages
    )


def add_schedule(load_test: int, **values: Any) -> None:
    """A schedule that starts this test in an hour."""
    from datetime import timedelta

    from django.utils import timezone

    from runs.models import Schedule

    now = timezone.now()
    Schedule.objects.create(load_test_id=load_test, next_run_at=now + timedelta(hours=1), synced_at=now, **values)


def add_load_account(base_url: str) -> int:
    """The demo's account at a Locust; its load test."""
    from dashboard import demo
    from runs.models import LoadTest

    demo.add_load_account(base_url)
    return LoadTest.objects.get(account__base_url=base_url).pk


def forget_account(base_url: str) -> None:
    """As if it had never been: with its runs, and what was pressed."""
    from runs.models import Account

    account = Account.objects.get(base_url=base_url)
    for rows in (account.intents, account.runs, account.load_tests):
        rows.all().delete()
    account.delete()


def end_session(key: str) -> None:
    """As if it had run out."""
    from django.contrib.sessions.models import Session

    Session.objects.get(session_key=key).delete()


TASKS: dict[str, Callable[..., Any]] = {
    "sync": sync,
    "rows": rows,
    "change": change,
    "add_errors": add_errors,
    "add_schedule": add_schedule,
    "add_load_account": add_load_account,
    "forget_account": forget_account,
    "end_session": end_session,
}

# What anything else prints goes to stderr, so that answers stand alone.
_answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def answer(value: Any) -> None:
    _answers.write(json.dumps(value, default=str) + "\n")
    _answers.flush()


if __name__ == "__main__":
    django.setup()
    serve(json.loads(sys.argv[1]), int(sys.argv[2]))
