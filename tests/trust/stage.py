"""A stage: real processes over real files and servers, that play together and of which none is left behind.

`Stage` starts and ends them: sandboxes, workers, a web server, people who press Start. `Hand` is a process with
Plimsoll's settings that does and looks up what the test asks for, so that the test needs no Django of its own.
"""

import ctypes
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from dashboard import keys
from tests.processes import ROOT, an_unused_port

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
# Whose histories the examiner compares. The sandbox shows the runs of the first through another API as well.
PROVIDERS = ("k6-legacy", "vsts")
_OURS = ("ENV_FILE", "DATA_DIR", "DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE", "PYTEST_CURRENT_TEST")


def dice_of(name: str) -> random.Random:
    """The dice of a trial: of the seed TRUST_SEED, or a new one. Printed, so that they can be thrown again."""
    seed = int(os.environ.get("TRUST_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"{name}: TRUST_SEED={seed}")
    return random.Random(seed)  # noqa: S311 (moments of a trial)


def wait_for(what: str, ready: Callable[[], Any], seconds: float, act: Callable[[], None] = lambda: None) -> Any:
    """The first truth of `ready`, asked again and again for at most so long; `act` is done meanwhile."""
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline, f"Waited {seconds:.0f} s for {what}, in vain."
        act()
        time.sleep(0.05)
    return found


class Player:
    """One process on the stage; what it says goes to a file."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], log: Path, **pipes: Any) -> None:
        self.name, self.log = name, log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
                **({"stdin": subprocess.DEVNULL} | pipes),
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """To the process and all it has started, as when a machine goes."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(timeout=20)

    def end(self, seconds: float = 15) -> int:
        """Ask it to end; kill it if it does not. How it ended."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=seconds)
        self.kill()
        return self.process.returncode

    def has(self, pid: int) -> bool:
        """Whether this is its process id, or that of a process it started."""
        with suppress(ProcessLookupError):
            return os.getpgid(pid) == self.pid
        return False

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def rss(self) -> float:
        """Megabytes in memory, of it and of all it has started."""
        found = 0
        for directory in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ValueError, IndexError):
                if os.getpgid(int(directory.name)) == self.pid:
                    found += int((directory / "statm").read_text().split()[1])
        return found * os.sysconf("SC_PAGE_SIZE") / 1e6


class Hand(Player):
    """`python -m tests.trust.hand`: one JSON line asks, one answers."""

    def ask(self, do: str, seconds: float = 120, **given: Any) -> Any:
        """What the function `do` of tests/trust/hand.py answers; AssertionError with its words if it failed."""
        self.process.stdin.write(json.dumps({"do": do, **given}).encode() + b"\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + seconds
        while not (self._rest.count(b"\n")):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
            assert chunk, f"The hand did not answer {do!r} within {seconds:.0f} s:\n{self.said()[-3000:]}"
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        answer = json.loads(line)
        if "failed" in answer:
            raise HandFailed(answer["failed"])
        return answer["answer"]

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self.name, self.log, self._rest = "hand", log, b""
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True, preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
            )  # fmt: skip

    def kill(self) -> None:
        super().kill()
        self.process.stdin.close()
        self.process.stdout.close()


class HandFailed(AssertionError):
    """The hand could not do it; its own words say why."""


class Sandbox:
    """A sandbox in a process of its own, and what its control pages tell."""

    def __init__(self, player: Player, runs: int) -> None:
        self.player, self.made = player, runs
        self.url = wait_for("the sandbox", lambda: _address(player), 60)
        self._since = 0
        self.writes: list[dict[str, Any]] = []
        self.seen = 0

    def get(self, page: str) -> Any:
        answer = requests.get(f"{self.url}/__sandbox__/{page}", timeout=120)
        answer.raise_for_status()
        return answer.json()

    def post(self, page: str, body: Any) -> None:
        requests.post(f"{self.url}/__sandbox__/{page}", json=body, timeout=60).raise_for_status()

    def delete(self, page: str) -> None:
        requests.delete(f"{self.url}/__sandbox__/{page}", timeout=60).raise_for_status()

    def truth(self) -> list[dict[str, Any]]:
        return self.get("truth")["runs"]

    def credentials(self) -> dict[str, Any]:
        return self.get("credentials")

    def read_ledger(self) -> int:
        """Keep what was written since the last reading (the ledger forgets); how many requests there were since."""
        rows = self.get(f"ledger?since={self._since}")["requests"]
        self._since = max([row["n"] for row in rows], default=self._since)
        # Counter samples are read by POST.
        self.writes += [r for r in rows if r["method"] != "GET" and not r["path"].lower().endswith("/countersamples")]
        self.seen += len(rows)
        return len(rows)


def _address(player: Player) -> str:
    assert player.alive, player.said()
    return next((line.split()[3] for line in player.said().splitlines() if line.startswith("Sandbox listening")), "")


class Stage:
    """Starts players in `home`; leaving the `with` of `stage()` ends them all."""

    def __init__(self, home: Path, *, data_dir: Path | None = None, **env: str) -> None:
        """`env` is what differs: DATABASE_URL (else SQLite in DATA_DIR), CELERY_BROKER_URL …"""
        self.home = home
        self.data_dir = data_dir or home / "data"
        self.data_dir.mkdir(exist_ok=True, mode=0o700)
        self.players: list[Player] = []
        self.workers: list[Player] = []
        self.fallen_workers: list[Player] = []
        self.accounts: dict[str, Sandbox] = {}
        given = {name: value for name, value in os.environ.items() if name not in _OURS}
        self.env = given | {
            "DJANGO_SETTINGS_MODULE": "dashboard.settings", "ENV_FILE": os.devnull, "DATA_DIR": str(self.data_dir),
            "DATABASE_URL": f"sqlite:///{self.data_dir}/plimsoll.sqlite3", "SECRET_KEY": keys.secret_key(),
            "CREDENTIAL_KEYS": keys.credential_key(), "PROVIDER_HOSTS": "127.0.0.1", "HTTPS": "off", "DEBUG": "off",
            "TRUST_PROXY": "off", "ALLOWED_HOSTS": "127.0.0.1", "LOG_LEVEL": "WARNING", "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(ROOT),
        } | env  # fmt: skip
        self._count = 0
        self.hand = Hand([sys.executable, "-m", "tests.trust.hand"], self.env, home / "hand.log")
        self.players.append(self.hand)

    def start(self, name: str, *command: str) -> Player:
        self._count += 1
        player = Player(name, [sys.executable, *command], self.env, self.home / f"{self._count:03}-{name}.log")
        self.players.append(player)
        return player

    def sandbox(self, *, runs: int, tests: int, speed: float = 60, name: str = "sandbox") -> Sandbox:
        command = ("-m", "runs.sandbox", "--port", "0", "--tests", str(tests), "--runs", str(runs))
        command += ("--providers", ",".join(PROVIDERS))
        store = self.home / f"{name}.sqlite3"
        return Sandbox(self.start(name, *command, "--speed", str(speed), "--db", str(store)), runs)

    def worker(self) -> Player:
        """One more `manage.py worker`."""
        self.workers.append(self.start("worker", "manage.py", "worker"))
        return self.workers[-1]

    def celery_worker(self) -> Player:
        self._count += 1
        name = f"worker{self._count}@%h"
        command = ("-m", "celery", "-A", "dashboard.celery", "worker", "-n", name, "-c", "2", "-l", "WARNING")
        self.workers.append(self.start("celery", *command))
        return self.workers[-1]

    def beat(self) -> Player:
        return self.start("beat", "-m", "celery", "-A", "dashboard.celery", "beat", "-s", str(self.home / "beat"))

    def web(self) -> tuple[Player, str]:
        """A web server, answering; and its address."""
        port = an_unused_port()
        command = ("-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port))
        player = self.start(
            "web", *command, "--blocking-threads", "4", "--log-level", "error", "--no-ws", "dashboard.wsgi:application"
        )
        wait_for("the web server", lambda: player.alive and _answers(f"http://127.0.0.1:{port}/sign-in/"), 60)
        return player, f"http://127.0.0.1:{port}"

    def add_accounts(self, sandbox: Sandbox, number: int, name: str = "a") -> list[str]:
        """So many accounts at each of PROVIDERS, all with the same credentials; their slugs."""
        given = sandbox.credentials()
        wanted = [
            {"name": f"{name} {provider} {n}", "provider": provider, **given[provider]}
            for n in range(number)
            for provider in PROVIDERS
        ]
        slugs = self.hand.ask("add_accounts", accounts=wanted)
        self.accounts |= dict.fromkeys(slugs, sandbox)
        return slugs

    def fell(self, worker: Player) -> None:
        self.workers.remove(worker)
        self.players.remove(worker)
        self.fallen_workers.append(worker)

    def workers_said(self, words: str) -> int:
        """How many lines of the workers', dead or alive, hold these words."""
        return sum(player.said().count(words) for player in self.workers + self.fallen_workers)

    def end(self) -> None:
        for player in reversed(self.players):
            with suppress(subprocess.TimeoutExpired):
                player.kill()


def _answers(url: str) -> bool:
    with suppress(requests.RequestException):
        return requests.get(url, timeout=5).status_code < 500
    return False


@contextmanager
def stage(home: Path, **options: Any) -> Iterator[Stage]:
    """A stage with an empty database of the present form."""
    built = Stage(home, **options)
    try:
        built.hand.ask("prepare")
        yield built
    finally:
        built.end()
