"""No secret of a provider or an account is anywhere but sealed: not in the database, pages, logs, exports, errors.

The sandbox plants secrets in its answers as the real services do, and lists them. A process of its own uses the whole
dashboard (tests/secret_tour.py); then everything it left behind is searched.
"""

import base64
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from dashboard import keys
from dashboard.urls import urlpatterns
from runs.sandbox.server import Sandbox
from tests.processes import ROOT
from tests.secret_search import found_in

TABLES_TO_FILL = (
    "run",
    "runpayload",
    "runerror",
    "runmessage",
    "runthreshold",
    "runmetric",
    "runseries",
    "statusevent",
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=3, tests=4, runs=48, speed=60) as sandbox:
        yield sandbox


def asked(sandbox: Sandbox, what: str) -> object:
    return requests.get(f"{sandbox.url}/__sandbox__/{what}", timeout=30).json()


def planted(sandbox: Sandbox) -> list[str]:
    return [row["secret"] for row in asked(sandbox, "planted")]


def files_in(*directories: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for directory in directories for file in directory.iterdir() if file.is_file()}


def text_of_tables(database: sqlite3.Connection) -> dict[str, bytes]:
    """Every table's rows as text, by table."""
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    # The names come from the database itself.
    rows = {name: database.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}  # noqa: S608
    return {f"table {name}": "\n".join(map(repr, found)).encode() for name, found in rows.items()}


class Outing:
    """The tour in its process, with secrets of its own besides the planted ones."""

    def __init__(self, sandbox: Sandbox, directory: Path):
        given = asked(sandbox, "credentials")
        self.kept, self.data = directory / "kept", directory / "data"
        self.kept.mkdir()
        self.data.mkdir()
        self.own = {
            "password": secrets.token_urlsafe(24),
            "wrong_password": secrets.token_urlsafe(24),
            "wrong_token": secrets.token_hex(24),
            "metrics_token": secrets.token_hex(24),
        }
        self.wishes = {
            "url": sandbox.url,
            "accounts": given,
            **self.own,
        }
        self.keys = {"SECRET_KEY": keys.secret_key(), "CREDENTIAL_KEYS": keys.credential_key()}

    def take(self) -> None:
        env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        env |= {
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "ENV_FILE": os.devnull,
            "DATA_DIR": str(self.data),
            "LOG_LEVEL": "DEBUG",
            "DEBUG": "off",
            "HTTPS": "off",
            "ALLOWED_HOSTS": "testserver",
            "PROVIDER_HOSTS": "127.0.0.1",
            "PLIMSOLL_ADMIN_PASSWORD": self.own["password"],
            **self.keys,
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.secret_tour", str(self.kept)],
            cwd=ROOT,
            env=env,
            input=json.dumps(self.wishes),
            capture_output=True,
            text=True,
            timeout=300,
        )
        (self.kept / "stdout").write_text(done.stdout)
        (self.kept / "stderr").write_text(done.stderr)
        assert done.returncode == 0, done.stderr[-4000:]

    def assert_it_saw_everything(self, database: sqlite3.Connection) -> None:
        """Each page, each end of a start and a stop, each table: what was not there could not be searched."""
        seen = json.loads((self.kept / "seen.json").read_text())
        assert {pattern.name for pattern in urlpatterns} <= seen.keys()
        assert not [name for name, statuses in seen.items() if 500 in statuses]
        assert seen["metrics"] == [403, 401, 200]
        outcomes = set(database.execute("SELECT DISTINCT kind, outcome FROM runs_controlintent"))
        started, stopped = {("start", end) for end in ("done", "refused", "left", "sent")}, {("stop", "refused")}
        assert started | stopped <= outcomes
        assert {("stop", "accepted"), ("stop", "done")} & outcomes
        for table in TABLES_TO_FILL:
            assert database.execute(f"SELECT COUNT(*) FROM runs_{table}").fetchone() > (10,)  # noqa: S608
        refused = database.execute(
            "SELECT COUNT(*) FROM runs_syncstate WHERE error LIKE '%did not accept the credent%'"
        )
        assert refused.fetchone() >= (2,)
        log = (self.kept / "stdout").read_text()
        assert "DEBUG runs.services.http GET" in log
        assert "WARNING runs.sync.passes The sync of" in log


@pytest.mark.slow
def test_nothing_secret_is_in_the_database_the_pages_the_logs_the_exports_or_an_error(sandbox, tmp_path):
    outing = Outing(sandbox, tmp_path)
    file = outing.data / "plimsoll.sqlite3"
    # Held open, so that the write-ahead log is still there afterwards.
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        outing.take()
        outing.assert_it_saw_everything(database)
        secret = {*planted(sandbox), *outing.own.values(), *outing.keys.values()}
        places = files_in(outing.kept, outing.data) | text_of_tables(database)
        assert {"plimsoll.sqlite3", "plimsoll.sqlite3-wal", "unmasked.log", "log.json", "stdout"} <= places.keys()
        assert found_in(places, secret) == []
        assert b"[redacted]" in places["table runs_runpayload"]
        assert b"csrf" not in places["unmasked.log"]

        # And the same search finds one of them as soon as it is somewhere.
        one = planted(sandbox)[-1]
        with database:
            database.execute("UPDATE runs_run SET note = ? WHERE id = 1", (f"see {one}",))
        places = files_in(outing.data) | text_of_tables(database)
        assert [hit.partition(":")[0] for hit in found_in(places, [one])] == ["plimsoll.sqlite3-wal", "table runs_run"]


# -- the search itself -------------------------------------------------------------------------------------------------


def test_the_search_finds_what_the_sandbox_s_own_answers_hold(sandbox):
    """All that is planted in a run of each provider, in the answers about it and in what is sent for them."""
    k6, vsts = (asked(sandbox, "credentials")[name]["credentials"]["token"] for name in ("k6-legacy", "vsts"))
    ended = [row for row in asked(sandbox, "truth")["runs"] if row["load_started"] and row["ended"]]
    runs = {row["provider"]: row["external_id"] for row in ended if not row["test"].endswith(".jmx")}
    answers = {
        "a k6 run": requests.get(
            f"{sandbox.url}/loadtests/v2/runs/{runs['k6-legacy']}", headers={"Authorization": f"Token {k6}"}, timeout=10
        ),
        "results": requests.get(
            f"{sandbox.url}/_apis/clt/testruns/{runs['vsts']}/results", auth=("", vsts), timeout=10
        ),
    }
    places = {name: answer.content for name, answer in answers.items()}
    places["a request"] = answers["results"].request.headers["Authorization"].encode()
    hits = found_in(places, planted(sandbox))
    found = {name: sum(hit.startswith(f"{name}:") for hit in hits) for name in places}
    # The agent's token, the cloud token and two variables; two signatures, URL-encoded; the token in base64.
    assert found == {"a k6 run": 4, "results": 2, "a request": 1}


SIGNATURE = "q/8Vb+3xYzKp0LmN7cRtUw2aHs9Df+EgJ1iOkQxZy5B="


@pytest.mark.parametrize(
    "written",
    [
        SIGNATURE,
        quote(SIGNATURE, safe=""),
        quote(SIGNATURE, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
        quote(quote(SIGNATURE, safe=""), safe=""),
        SIGNATURE.replace("/", "\\/"),
        SIGNATURE.replace("+", "\\u002B"),
        SIGNATURE.replace("+", "&#x2B;"),
        SIGNATURE[:30],
        *(base64.b64encode(b"x" * before + SIGNATURE.encode() + b"yz").decode() for before in range(3)),
        *(base64.urlsafe_b64encode(b"?" * before + SIGNATURE.encode()).decode() for before in range(3)),
    ],
)
def test_the_search_finds_a_secret_however_it_is_written(written):
    page = f"<p>see {written}&amp;</p>".encode()
    assert found_in({"a page": page}, [SIGNATURE]) == ["a page: q/8V… (44 characters)"]


def test_the_search_finds_nothing_in_what_only_looks_alike():
    other = SIGNATURE.swapcase()
    assert found_in({"a page": f"{other} {quote(other)} [redacted]".encode()}, [SIGNATURE]) == []
