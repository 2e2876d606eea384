"""compose.yaml's commands and settings as real processes: two webs, two workers, beat, PostgreSQL, RabbitMQ."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import requests

from dashboard import keys
from tests import compose, servers
from tests.machine import PASSWORD, Machine, signs_in
from tests.processes import ROOT, an_unused_port
from tests.trust.stage import Player, Sandbox, wait_for

pytestmark = pytest.mark.trust

RUNS = 600


class Topology:
    """The services of compose.yaml on this machine; `values` fill its variables."""

    def __init__(self, home, database: str, broker: str):
        self.home, self.players = home, []
        at, queue = urlsplit(database), urlsplit(broker)
        values = {
            "POSTGRES_PASSWORD": at.password, "RABBITMQ_PASSWORD": "elsewhere", "SECRET_KEY": keys.secret_key(),
            "CREDENTIAL_KEYS": keys.credential_key(), "ALLOWED_HOSTS": "127.0.0.1", "HTTPS": "off",
            "PROVIDER_HOSTS": "127.0.0.1", "LOG_LEVEL": "WARNING",
        }  # fmt: skip
        elsewhere = {
            "db:5432": f"{at.hostname}:{at.port}",
            "plimsoll:elsewhere@queue:5672": f"guest:guest@{queue.hostname}:{queue.port}",
        }
        ours = compose.environment("web", values)
        for old, new in elsewhere.items():
            ours = {name: text.replace(old, new) for name, text in ours.items()}
        self.machine = Machine(home / "data", **ours)
        self.machine.env |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PGPORT": str(at.port)}
        self.here = {"0.0.0.0": "127.0.0.1", "/tmp/beat": str(home / "beat")}  # noqa: S104, S108 (replaced)

    def start(self, name: str, host: str = "", **replaced: str) -> Player:
        words = compose.command(compose.services()[name]["command"], self.here | replaced)
        env = self.machine.env | {"HOSTNAME": host}
        self.players.append(Player(name, words, env, self.home / f"{name}-{len(self.players)}.log"))
        return self.players[-1]

    def healthy(self, name: str, host: str = "", **replaced: str) -> bool:
        """Whether the health check that compose.yaml has for this service passes."""
        kind, *words = compose.services()[name]["healthcheck"]["test"]
        words = ["sh", "-c", words[0].replace("$$", "$")] if kind == "CMD-SHELL" else words
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # noqa: PTH120 (a PATH is text)
        env = self.machine.env | {"HOSTNAME": host, "PATH": path}
        words = compose.command(words, self.here | replaced)
        return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, check=False).returncode == 0


@contextmanager
def topology(home, database: str, broker: str):
    built = Topology(home, database, broker)
    try:
        yield built
    finally:
        for player in reversed(built.players):
            player.kill()


def ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=10).status_code == 200
    except requests.RequestException:
        return False


def missing(on: Topology, sandbox: Sandbox) -> int:
    truth = sandbox.truth()
    return sum(
        on.machine.missing(provider, [run for run in truth if run["provider"] == provider])
        for provider in ("k6-legacy", "vsts")
    )


def test_compose_yaml_syncs_to_the_truth_and_goes_on_without_one_of_each(tmp_path):
    table = []

    def note(what: str, since: float) -> None:
        table.append((what, time.monotonic() - since))

    began = time.monotonic()
    with servers.needed(servers.postgres) as db, servers.needed(servers.rabbitmq) as queue:
        note("PostgreSQL and RabbitMQ answer", began)
        with topology(tmp_path, db.url, queue.url) as on:
            play(on, note)
    print(f"\nTopology of compose.yaml, {RUNS} runs")
    for what, seconds in table:
        print(f"  {what:<68} {seconds:6.1f} s")


def play(on: Topology, note) -> None:
    began = time.monotonic()
    job = on.start("migrate")
    assert job.process.wait(timeout=300) == 0, job.said()
    note("migrate has ended", began)
    on.machine.done("collectstatic", "--no-input", "-v", "0")  # which the image has done when it was built
    sandbox_words = [sys.executable, "-m", "runs.sandbox", "--port", "0", "--tests", "20", "--runs", str(RUNS)]
    sandbox_words += ["--providers", "k6-legacy,vsts"]
    on.players.append(Player("sandbox", sandbox_words, on.machine.env, on.home / "sandbox.log"))
    sandbox = Sandbox(on.players[-1], RUNS)
    sandbox.post("freeze", {"frozen": True})
    on.machine.step("people")

    began = time.monotonic()
    ports = [str(an_unused_port()) for _ in range(2)]
    webs = [on.start("web", **{"8000": port}) for port in ports]
    workers = [on.start("worker", f"host{n}", **{"%h": f"host{n}"}) for n in (1, 2)]
    on.start("beat")
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    wait_for("both webs to be ready", lambda: all(map(ready, urls)), 120)
    note("both webs are ready (a worker was seen)", began)
    on.machine.step("accounts", sandbox.url)
    began = time.monotonic()
    wait_for("the mirror to equal the truth", lambda: missing(on, sandbox) == 0, 900)
    note(f"{RUNS} of {RUNS} runs equal the truth", began)
    for port in ports:
        assert on.healthy("web", **{"8000": port})
    for host in ("host1", "host2"):
        wait_for(f"the worker on {host} to answer", lambda host=host: on.healthy("worker", host), 60)
    assert on.healthy("beat")
    assert on.healthy("db")
    assert not on.healthy("worker", "host3"), "a check that passes for a worker that is not there"
    assert all(signs_in(url, "admin", PASSWORD) for url in urls)

    began = time.monotonic()
    workers[0].signal(signal.SIGKILL)
    webs[0].signal(signal.SIGKILL)
    sandbox.post("advance", {"seconds": 4 * 3600})
    assert missing(on, sandbox) > 0, "four hours in which nothing happened show nothing"
    wait_for("the rest to go on", lambda: missing(on, sandbox) == 0, 900)
    note("four hours later, one worker and one web killed: equal again", began)
    assert ready(urls[1])
    assert signs_in(urls[1], "viewer", PASSWORD)
    assert not on.healthy("web", **{"8000": ports[0]})
