"""What machines ask whether Plimsoll lives and can do its work, and what people see when it cannot."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO

import pytest
import requests
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import OperationalError
from django.test import Client
from django.utils import timezone

from dashboard.processes import answers, web
from dashboard.supervisor import Supervisor
from dashboard.views import probes
from runs.models import Account, SyncState, Worker
from runs.vitals import waiting_since
from tests.pages import text_of
from tests.processes import an_unused_port
from tests.rows import make_account, make_user

SAYS_SO = "Nothing is synced now: no worker has been seen since"


def a_worker(**ago: float) -> Worker:
    """A worker that was seen so long ago."""
    moment = timezone.now() - timedelta(**ago)
    return Worker.objects.create(name="one:1", kind="embedded", started_at=moment, seen_at=moment)


def due(account: Account, **columns: object) -> SyncState:
    return SyncState.objects.create(account=account, **columns)


def ago(**how_long: float) -> datetime:
    return timezone.now() - timedelta(**how_long)


# -- alive -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_livez_asks_the_database_nothing_even_for_somebody_signed_in(viewer, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = viewer.get("/livez")
    assert (answer.status_code, answer.content) == (200, b"alive\n")
    assert "sessionid" not in answer.cookies


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.django_db
def test_they_are_asked_over_plain_http_by_whatever_name_and_never_kept(path, client: Client, settings):
    settings.SECURE_SSL_REDIRECT = True
    answer = client.get(path, headers={"host": "10.1.2.3:8000"})
    assert answer.status_code in (200, 503)
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert client.get("/sign-in/").status_code == 301


@pytest.fixture
def server_without_database(tmp_path) -> Iterator[str]:
    """The address of a real web server whose database cannot be opened."""
    port = an_unused_port()
    gone = {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "DATABASE_URL": f"sqlite:///{tmp_path}/gone/db.sqlite3"}
    with Supervisor(out=StringIO()) as supervisor:
        supervisor.start("web", web("127.0.0.1", port), gone | {"DATA_DIR": str(tmp_path)})
        supervisor.wait_until(lambda: answers("127.0.0.1", port, "/livez"), 60, "an answer")
        yield f"http://127.0.0.1:{port}"


def test_a_server_whose_database_is_gone_is_alive_and_says_that_it_is_not_ready(server_without_database):
    alive = requests.get(f"{server_without_database}/livez", timeout=5)
    assert (alive.status_code, alive.text) == (200, "alive\n")
    ready = requests.get(f"{server_without_database}/readyz", timeout=5)
    assert ready.status_code == 503
    checks = ready.json()["checks"]
    assert checks["database"]["says"].startswith("The database does not answer. Look at it and at DATABASE_URL")
    assert {one["ok"] for one in checks.values()} == {False}
    assert "gone" not in ready.text


# -- ready -------------------------------------------------------------------------------------------------------------


def readiness(client: Client) -> tuple[int, dict[str, dict]]:
    answer = client.get("/readyz")
    assert answer.json()["ready"] is (answer.status_code == 200)
    return answer.status_code, answer.json()["checks"]


@pytest.mark.django_db
def test_with_a_worker_and_nothing_late_it_is_ready(client):
    a_worker(seconds=8)
    due(make_account(), due_at=ago(minutes=9))
    status, checks = readiness(client)
    assert status == 200
    assert {name: re.sub(r"\d+", "…", one["says"]) for name, one in checks.items()} == {
        "database": "The database answers.",
        "migrations": "All migrations are applied.",
        "engine": "A worker was seen … s ago.",
        "sync": "The account that waits longest has been due for … s.",
    }


@pytest.mark.django_db
def test_whether_it_is_ready_takes_as_many_queries_for_three_accounts_as_for_one(client, django_assert_num_queries):
    a_worker(seconds=8)
    for name in ("one", "two", "three"):
        due(make_account(name))
        with django_assert_num_queries(5):
            client.get("/readyz")


@pytest.mark.django_db
def test_a_worker_not_seen_for_two_minutes_makes_it_not_ready(client):
    worker = a_worker(seconds=125)
    status, checks = readiness(client)
    assert status == 503
    assert checks["engine"]["says"].startswith("No worker has been seen for 12")
    assert "Start one: manage.py worker" in checks["engine"]["says"]
    assert [name for name, one in checks.items() if not one["ok"]] == ["engine"]
    Worker.objects.filter(pk=worker.pk).update(seen_at=ago(seconds=110))
    assert readiness(client)[0] == 200


@pytest.mark.django_db
def test_without_any_worker_it_is_not_ready(client):
    status, checks = readiness(client)
    assert status == 503
    assert checks["engine"]["says"].startswith("No worker is there. Start one")


@pytest.mark.django_db
def test_an_account_due_for_more_than_ten_minutes_makes_it_not_ready(client):
    a_worker(seconds=1)
    due(make_account(), due_at=ago(seconds=615))
    status, checks = readiness(client)
    assert status == 503
    assert checks["sync"]["says"].startswith("The account that waits longest has been due for 61")
    assert "More than 600 s is too long" in checks["sync"]["says"]


@pytest.mark.django_db
def test_missing_migrations_are_counted_and_nothing_else_is_looked_at(client):
    MigrationRecorder.Migration.objects.filter(app="runs", name__startswith="0004").delete()
    a_worker(seconds=1)
    status, checks = readiness(client)
    assert status == 503
    assert checks["migrations"]["says"] == "1 migration is not applied. Run manage.py migrate."
    assert checks["engine"]["says"] == checks["sync"]["says"]
    assert checks["engine"]["says"].startswith("Not looked at")


@pytest.mark.django_db
def test_a_database_that_fails_is_said_without_its_own_words(client, monkeypatch, caplog):
    def fails() -> None:
        raise OperationalError('could not connect to "db7.internal", user "plimsoll"')

    monkeypatch.setitem(probes.CHECKS, "database", fails)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "db7.internal" not in answer.content.decode()
    assert "db7.internal" in caplog.text


NOW = timezone.now()
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("columns", "since"),
    [
        ({"due_at": NOW - MINUTE}, NOW - MINUTE),
        ({"due_at": NOW + MINUTE}, None),
        ({"due_at": NOW - MINUTE, "paused": True}, None),
        ({"due_at": NOW - 5 * MINUTE, "not_before": NOW + MINUTE}, None),
        ({"due_at": NOW - 5 * MINUTE, "not_before": NOW - MINUTE}, NOW - MINUTE),
        # Under way, and asked for once more meanwhile; then left behind by a worker that died.
        ({"due_at": NOW - MINUTE, "lease_until": NOW + MINUTE}, None),
        ({"due_at": None, "lease_until": NOW - MINUTE}, NOW - MINUTE),
    ],
)
def test_an_account_waits_only_when_it_could_be_synced(columns, since):
    account = Account(name="a", created_at=NOW - timedelta(days=1))
    SyncState(account=account, **columns)
    assert waiting_since(account, NOW) == since
    account.enabled = False
    assert waiting_since(account, NOW) is None


def test_an_account_that_was_never_looked_at_waits_since_it_was_added():
    account = Account(name="a", created_at=NOW - MINUTE)
    assert waiting_since(account, NOW) == NOW - MINUTE


# -- what people see ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/runs/", "/tests/", "/history/", "/me/"])
def test_every_page_says_that_no_worker_lives(path, viewer):
    make_account()
    a_worker(minutes=3)
    assert SAYS_SO in text_of(viewer.get(path))
    assert "Tell an admin" in text_of(viewer.get(path))


def test_an_admin_reads_what_to_start(client, db):
    client.force_login(make_user("admin"))
    make_account()
    a_worker(minutes=3)
    assert "Start a worker: manage.py worker" in text_of(client.get("/accounts/"))


def test_a_living_worker_is_not_mentioned(viewer):
    make_account()
    a_worker(minutes=3)
    Worker.objects.create(name="two:2", kind="celery", started_at=ago(minutes=3), seen_at=ago(seconds=50))
    assert SAYS_SO not in text_of(viewer.get("/runs/"))


def test_without_any_account_nothing_waits_for_a_worker(viewer):
    assert SAYS_SO not in text_of(viewer.get("/runs/"))


def test_an_account_that_no_worker_has_ever_looked_at_is_said_after_two_minutes(viewer):
    account = make_account()
    assert SAYS_SO not in text_of(viewer.get("/runs/"))
    Account.objects.filter(pk=account.pk).update(created_at=ago(minutes=3))
    assert SAYS_SO in text_of(viewer.get("/runs/"))


def test_after_the_last_worker_ended_in_order_the_last_sync_is_its_last_sign(viewer):
    account = make_account()
    Account.objects.filter(pk=account.pk).update(created_at=ago(days=9))
    state = due(account, last_good_at=ago(seconds=90))
    assert SAYS_SO not in text_of(viewer.get("/runs/"))
    SyncState.objects.filter(pk=state.pk).update(last_good_at=ago(minutes=5), error_at=ago(minutes=4))
    since = SyncState.objects.get().error_at
    assert f'datetime="{since.isoformat()}"' in viewer.get("/runs/").content.decode()


def test_somebody_who_is_not_signed_in_reads_nothing_about_it(client, db):
    make_account()
    a_worker(minutes=3)
    assert SAYS_SO not in text_of(client.get("/sign-in/"))
