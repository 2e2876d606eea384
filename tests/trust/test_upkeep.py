"""Backup, restore into an empty machine, upgrade from the previous release: on SQLite and on PostgreSQL, timed."""

import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from dashboard.processes import web
from tests import servers
from tests.machine import PASSWORD, Machine, signs_in
from tests.processes import an_unused_port
from tests.trust.stage import Player, Sandbox, wait_for

pytestmark = pytest.mark.trust

RUNS, TESTS = 1000, 20
PROVIDERS = ("k6-legacy", "vsts")


class Trial:
    """Databases of one engine, processes that end with the trial, and a table of how long things took."""

    def __init__(self, home: Path, server: servers.Postgres | None):
        self.home, self.server, self.players = home, server, []
        self.table: list[tuple[str, str, float]] = []
        self._since = time.monotonic()

    def machine(self, name: str) -> Machine:
        """A new machine with an empty database."""
        url = ""
        if self.server:
            url = self.server.url.rpartition("/")[0] + f"/{name}"
            make = ["psql", "-q", self.server.url, "-c", f"CREATE DATABASE {name}"]
            subprocess.run(make, check=True)
        return Machine(self.home / name, url)

    def start(self, machine: Machine, name: str, *words: str) -> Player:
        log = self.home / f"{len(self.players)}-{name}.log"
        self.players.append(Player(name, [sys.executable, *words], machine.env, log))
        return self.players[-1]

    def sandbox(self, machine: Machine) -> Sandbox:
        words = ("-m", "runs.sandbox", "--port", "0", "--tests", str(TESTS), "--runs", str(RUNS))
        sandbox = Sandbox(self.start(machine, "sandbox", *words, "--providers", "k6-legacy,vsts"), RUNS)
        sandbox.post("freeze", {"frozen": True})
        return sandbox

    def begin(self) -> None:
        self._since = time.monotonic()

    def note(self, what: str, rows: object = "") -> None:
        self.table.append((what, str(rows), time.monotonic() - self._since))
        self.begin()


@contextmanager
def trial(home: Path, engine: str, title: str) -> Iterator[Trial]:
    with servers.needed(servers.postgres) if engine == "postgresql" else nullcontext() as server:
        on = Trial(home, server)
        try:
            yield on
        finally:
            for player in reversed(on.players):
                player.kill()
            print(f"\n{title}, {engine}")
            for what, rows, seconds in on.table:
                print(f"  {what:<62} {rows:>7} rows {seconds:7.1f} s")


def missing(machine: Machine, sandbox: Sandbox) -> int:
    truth = sandbox.truth()
    return sum(
        machine.missing(provider, [run for run in truth if run["provider"] == provider]) for provider in PROVIDERS
    )


def wait_for_the_truth(machine: Machine, sandbox: Sandbox) -> None:
    wait_for("the mirror to equal the truth", lambda: missing(machine, sandbox) == 0, 1500)


def rows(digest: dict) -> int:
    return sum(table["rows"] for table in digest.values())


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_backup_made_during_a_sync_goes_on_elsewhere(tmp_path, engine):
    with trial(tmp_path, engine, "Backup and restore") as on:
        old = on.machine("old")
        old.done("migrate", "-v", "0")
        old.step("people")
        sandbox = on.sandbox(old)
        old.step("accounts", sandbox.url)
        worker = on.start(old, "worker", "manage.py", "worker")
        wait_for("a part of the runs", lambda: old.step("count") > RUNS // 10, 600)
        old.step("intents", *PROVIDERS)
        on.begin()
        old.done("backup", str(tmp_path / "during.tar.gz"))
        on.note("backup while a worker syncs", in_backup(tmp_path / "during.tar.gz"))
        wait_for("the sync to go on", lambda: old.step("count") == RUNS, 600)
        assert worker.alive
        worker.kill()
        _restore_still(on, old)
        _go_on_elsewhere(on, sandbox)


def in_backup(file: Path) -> int:
    with tarfile.open(file) as archive:
        return sum(json.load(archive.extractfile("manifest.json"))["tables"].values())


def _restore_still(on: Trial, old: Machine) -> None:
    """Nobody writes: what arrives equals what left, row for row."""
    before = old.step("digest")
    on.begin()
    old.done("backup", str(on.home / "still.tar.gz"))
    on.note("backup while nothing runs", rows(before))
    same = on.machine("same")
    on.begin()
    same.done("restore", str(on.home / "still.tar.gz"))
    after = same.step("digest")
    on.note("restore into an empty machine; every row compared", rows(after))
    # Starts that were written down and not sent are looked for after a restore.
    assert {table for table in before if before[table] != after[table]} <= {"runs_controlintent"}
    assert rows(after) == rows(before)
    status, said = same.manage("restore", str(on.home / "still.tar.gz"))
    assert (status, "is not empty" in said) == (1, True)


def _go_on_elsewhere(on: Trial, sandbox: Sandbox) -> None:
    """The backup from the middle of a sync, with a lease somebody held and starts that are not settled."""
    new = on.machine("new")
    on.begin()
    new.done("restore", str(on.home / "during.tar.gz"))
    on.note("restore of the backup made during the sync", in_backup(on.home / "during.tar.gz"))
    new.done("migrate", "-v", "0")
    assert "0 on an older key, 0 that cannot be opened" in new.done("rotate_keys", "--check")
    port = an_unused_port()
    new.done("collectstatic", "--no-input", "-v", "0")
    on.start(new, "web", *web("127.0.0.1", port)[1:])
    url = f"http://127.0.0.1:{port}"
    wait_for("people to sign in", lambda: _signed_in(url), 120)
    on.note("people sign in")
    sandbox.read_ledger()
    on.start(new, "worker", "manage.py", "worker")
    wait_for_the_truth(new, sandbox)
    on.note("a worker there: all runs equal the truth", RUNS)
    wait_for("the starts to be settled", lambda: new.step("state")["unsettled"] == 0, 300)
    on.note("starts without an answer are settled", len(new.step("state")["intents"]))
    sandbox.read_ledger()
    assert sandbox.writes == [], "nothing is sent again"


def _signed_in(url: str) -> bool:
    try:
        return signs_in(url, "admin", PASSWORD)
    except OSError:
        return False


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_previous_releases_database_is_taken_over(tmp_path, engine):
    with trial(tmp_path, engine, "Upgrade from the previous release") as on:
        machine = on.machine("upgrade")
        sandbox = on.sandbox(machine)
        before = machine.step("previous", sandbox.url, str(RUNS // 2))
        on.begin()
        now = machine.step("upgraded", json.dumps(before))
        on.note("migrate; every row compared", rows(before))
        changed = {table for table, digest in before.items() if now["digest"][table] != digest}
        assert changed == {"runs_syncstate"}
        worker = on.start(machine, "worker", "manage.py", "worker")
        wait_for_the_truth(machine, sandbox)
        on.note("a worker: all runs equal the truth", RUNS)
        wait_for("the starts to be settled", lambda: machine.step("state")["unsettled"] == 0, 300)
        worker.end()
        columns = json.dumps(before)
        settled = machine.step("digest", columns)
        on.begin()
        again = machine.step("back_and_forth", columns)
        on.note("back to the previous release and forward again", rows(settled))
        assert {table for table, digest in settled.items() if again["digest"][table] != digest} <= {"runs_syncstate"}
        sandbox.post("advance", {"seconds": 4 * 3600})
        on.start(machine, "worker", "manage.py", "worker")
        wait_for_the_truth(machine, sandbox)
        on.note("a worker, four hours later: all runs equal the truth", RUNS)
        sandbox.read_ledger()
        assert sandbox.writes == [], "nothing is sent again"
