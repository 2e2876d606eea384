"""What tests have done in a process of a machine of their own: `python -m tests.machine_steps NAME [ARGUMENT …]`.

Each step prints what it returns as JSON. Nothing here is imported by a test: `Machine.step` calls it.
"""

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import requests

django.setup()

from django.contrib.auth import authenticate  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

from runs.choices import IntentKind, IntentOutcome  # noqa: E402
from runs.fields import seal  # noqa: E402
from runs.models import Account, ControlIntent, LoadTest, Run, SyncState  # noqa: E402
from tests.machine import PASSWORD  # noqa: E402

PREVIOUS = [("runs", "0003_sync_interval"), ("dashboard", "0003_views_and_lists")]
# Written by Django's own bookkeeping whenever tables change, or emptied on purpose by a restore.
NOT_OURS = {"django_migrations", "django_content_type", "auth_permission", "auth_group_permissions", "django_session"}
LONG_AGO = datetime(2026, 11, 1, 12, tzinfo=UTC)


def digest(columns: str = "") -> dict[str, dict[str, Any]]:
    """Per table of ours: its columns, how many rows it has, and a checksum of them.

    `columns` is a digest in JSON; then only its tables and columns count.
    """
    only = json.loads(columns) if columns else {}
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(set(only or connection.introspection.table_names(cursor)) - NOT_OURS):
            there = sorted(column.name for column in connection.introspection.get_table_description(cursor, table))
            names = only[table]["columns"] if only else there
            quoted = ", ".join(f'"{name}"' for name in names)
            cursor.execute(f'SELECT {quoted} FROM "{table}"')  # noqa: S608 (names from the database itself)
            rows = sorted(repr(row) for row in cursor.fetchall())
            checksum = hashlib.sha256("\n".join(rows).encode()).hexdigest()
            found[table] = {"columns": names, "rows": len(rows), "checksum": checksum}
    return found


def people() -> int:
    """An admin and a viewer with PASSWORD."""
    for name in ("admin", "viewer"):
        User.objects.create_user(name, password=PASSWORD).groups.add(Group.objects.get(name=name))
    return User.objects.count()


def accounts(sandbox: str) -> list[str]:
    """An account per provider of the sandbox at this address; their slugs are the providers' keys."""
    given = _credentials(sandbox)
    for provider, access in given.items():
        account = Account(name=provider, provider=provider, base_url=access["base_url"])
        account.seal_credentials(access["credentials"])
        account.save()
        SyncState.objects.create(account=account)
    return sorted(given)


def _credentials(sandbox: str) -> dict[str, Any]:
    """Of the two providers with which what happens to the machine is tried."""
    given = requests.get(f"{sandbox}/__sandbox__/credentials", timeout=10).json()
    return {provider: given[provider] for provider in ("k6-legacy", "vsts")}


def old_machine() -> dict[str, Any]:
    """A database with one of the things that people would miss, and its digest."""
    call_command("migrate", verbosity=0)
    few_rows()
    return digest()


def few_rows() -> int:
    """Runs, an account with credentials that a worker holds, starts that are not settled, people."""
    people()
    account = Account(name="shop", provider="k6-legacy", base_url="https://api.k6.io")
    account.seal_credentials({"token": "tok_of_shop"})
    account.save()
    held = datetime.now(UTC) + timedelta(seconds=60)
    SyncState.objects.create(account=account, owner="old machine:7:abc", lease_until=held, epoch=5)
    test = LoadTest.objects.create(account=account, external_id="1", name="Checkout – peak ✓")
    for number in range(1, 41):
        Run.objects.create(
            account=account, load_test=test, external_id=str(number), number=number, status="finished",
            result="passed", created_at=LONG_AGO, synced_at=LONG_AGO, start_values={"users": number},
        )  # fmt: skip
    intents("shop")
    return Run.objects.count()


def intents(*slugs: str) -> int:
    """Per account a start whose answer was lost, and one that was written down and not sent yet."""
    for account in Account.objects.filter(slug__in=slugs):
        test = account.load_tests.first()
        common = {"account": account, "load_test": test, "kind": IntentKind.START, "user_name": "admin"}
        ago = datetime.now(UTC) - timedelta(minutes=3)
        ControlIntent.objects.create(outcome=IntentOutcome.SENT, sent_at=ago, step="start", **common)
        ControlIntent.objects.create(outcome=IntentOutcome.OPEN, **common)
        ControlIntent.objects.filter(account=account).update(created_at=ago)
    return ControlIntent.objects.count()


def count() -> int:
    return Run.objects.count()


def state() -> dict[str, Any]:
    """What a person would ask after a restore."""
    opened = {}
    for account in Account.objects.exclude(credentials=""):
        opened[account.slug] = account.open_credentials()
    return {
        "signs in": authenticate(username="admin", password=PASSWORD) is not None,
        "opened": opened,
        "digest": digest(),
        "intents": sorted(ControlIntent.objects.values_list("outcome", flat=True)),
        "unsettled": ControlIntent.objects.unsettled().count(),
        "runs": Run.objects.count(),
        "read whole": SyncState.objects.exclude(history_at=None).count(),
    }


def previous(sandbox: str = "", runs: str = "40") -> dict[str, Any]:
    """Make a database of the previous release and fill it through its own models; its digest.

    It is in the middle of a first sync. With a sandbox: its accounts, and as many `runs` of each, not read in detail.
    """
    for app, name in (("auth", None), ("contenttypes", None), ("sessions", None), *PREVIOUS):
        call_command("migrate", *(part for part in (app, name) if part), verbosity=0)
    people()
    apps = MigrationExecutor(connection).loader.project_state(PREVIOUS).apps
    _fill_accounts(apps, sandbox, int(runs))
    user = User.objects.get(username="admin")
    apps.get_model("dashboard", "Preference").objects.create(user_id=user.pk, theme="dark", columns="test,status")
    apps.get_model("dashboard", "SavedView").objects.create(owner_id=user.pk, name="mine", shared=True)
    return digest()


def upgraded(columns: str) -> dict[str, Any]:
    """Bring the database up to this release; how it is then, and its digest of these columns."""
    call_command("migrate", verbosity=0)
    return {"state": state(), "digest": digest(columns)}


def back_and_forth(columns: str) -> dict[str, Any]:
    """Back to the previous release's tables, and to ours again; then as `upgraded`."""
    for app, name in PREVIOUS:
        call_command("migrate", app, name, verbosity=0)
    return upgraded(columns)


def _fill_accounts(apps: Any, sandbox: str, most: int) -> None:
    given = {"k6-legacy": {"base_url": "https://api.k6.io", "credentials": {"token": "tok_of_shop"}}}
    if sandbox:
        given = _credentials(sandbox)
    for provider, access in given.items():
        row = apps.get_model("runs", "Account")(
            name=provider, slug=provider, provider=provider, base_url=access["base_url"]
        )
        row.credentials = seal(row.uuid, row.base_url, access["credentials"])
        row.save()
        halfway = {"began": LONG_AGO.isoformat(), "pages": 1, "runs": most, "service": {}}
        apps.get_model("runs", "SyncState").objects.create(account=row, resume=halfway, epoch=3, owner="old:1")
        _fill_runs(apps, row, _truth(sandbox, provider, most))
    done = apps.get_model("runs", "Account").objects.create(
        name="done", slug="done", provider="vsts", base_url="https://a.vsclt.visualstudio.com", enabled=False
    )
    apps.get_model("runs", "SyncState").objects.create(account=done, cursor=LONG_AGO, last_good_at=LONG_AGO)


def _truth(sandbox: str, provider: str, most: int) -> list[dict]:
    if not sandbox:
        return [{"external_id": str(n), "number": n, "test": "Checkout", "test_external_id": "1"} for n in range(most)]
    answer = requests.get(f"{sandbox}/__sandbox__/truth?provider={provider}", timeout=60).json()
    return answer["runs"][:most]


def _fill_runs(apps: Any, account: Any, truth: list[dict]) -> None:
    """Runs as the previous release stored them, with tests, requesters, criteria and intents beside them."""
    model = {name: apps.get_model("runs", name) for name in ("LoadTest", "Run", "Person")}
    person = model["Person"].objects.create(account=account, key="9000", name="Ada", display="Ada")
    for made in truth:
        test, _ = model["LoadTest"].objects.get_or_create(
            account=account, external_id=str(made["test_external_id"]), defaults={"name": made["test"]}
        )
        run = model["Run"].objects.create(
            account=account, load_test=test, external_id=made["external_id"], number=made["number"], status="finished",
            result="none", created_at=made.get("created", LONG_AGO), synced_at=LONG_AGO, requested_by=person,
        )  # fmt: skip
    intents = apps.get_model("runs", "ControlIntent")
    for outcome in ("sent", "done", "open"):
        intents.objects.create(
            kind="start", account=account, load_test=test, run=run if outcome == "done" else None, user_name="admin",
            outcome=outcome, sent_at=None if outcome == "open" else LONG_AGO, values={"users": 5}, reason="peak ✓",
        )  # fmt: skip
    intents.objects.update(created_at=LONG_AGO)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
