"""The PostgreSQL and RabbitMQ servers that tests and trials bring along."""

import subprocess
import sys

import psycopg
import pytest
from kombu import Connection

from tests import servers
from tests.processes import ROOT, using
from tests.trust.stage import wait_for

pytestmark = pytest.mark.slow


def test_postgres_keeps_what_was_committed_before_a_crash_and_leaves_nothing_behind():
    with servers.needed(servers.postgres) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE runs (name text)")
            connection.execute("INSERT INTO runs VALUES ('Checkout'), ('basket')")
        server.restart("immediate")
        with psycopg.connect(server.url) as connection:
            names = connection.execute("SELECT name FROM runs ORDER BY name").fetchall()
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url)
        server.start()
        psycopg.connect(server.url).close()
        directory = server.directory
    assert names == [("basket",), ("Checkout",)]  # by the rules of a language, not by bytes
    assert not directory.exists()
    wait_for("the last of its processes", lambda: using(str(directory)) == {}, 20)


def test_rabbitmq_starts_beside_any_other_and_leaves_nothing_behind():
    with servers.needed(servers.rabbitmq) as broker:
        with Connection(broker.url) as connection:
            queue = connection.SimpleQueue("due")
            queue.put("one")
            assert queue.get(timeout=10).payload == "one"
            queue.close()
        directory = broker.directory
    assert not directory.exists()
    wait_for("the last of its processes", lambda: using(str(directory)) == {}, 20)


def test_a_command_finds_the_address_in_its_environment_and_its_status_is_passed_on():
    script = "import os, sys; print(os.environ['TEST_DATABASE_URL']); sys.exit(3)"
    servers.needed(servers.postgres)
    done = subprocess.run(
        [sys.executable, "-m", "tests.servers", "postgres", "--", sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("postgres://plimsoll:")


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_server_is_skipped_on_a_desk_and_fails_on_a_ci_machine(monkeypatch, ci, outcome):
    def absent():
        raise servers.NotInstalled("apt-get install postgresql")

    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="apt-get install postgresql"):
        servers.needed(absent)
