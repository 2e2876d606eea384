"""Real PostgreSQL and RabbitMQ servers for tests and trials, from Debian's packages.

    with servers.postgres() as server:        # server.url: postgres://…
        server.restart("immediate")
    with servers.rabbitmq() as broker:        # broker.url: amqp://…
        broker.stop()

    python -m tests.servers postgres -- make test       # the addresses are in the command's environment

Each has a temporary directory and free ports of its own, runs for root and for anybody else, and leaves nothing behind.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal, Self

import pytest

from dashboard.supervisor import end_with
from tests.processes import an_unused_port

_START_SECONDS = 60
_STOP_SECONDS = 30


class NotInstalled(Exception):
    """A server's programs are not on this machine. The text says how to get them."""


class _Server(ABC):
    """A server process that can be stopped and started again at the same address with what it had stored."""

    url: str

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = Path()

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="plimsoll-server-"))
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._end(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        """Return once it answers. Raises RuntimeError with the end of its log when it does not within a minute."""
        self._spawn()
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                raise RuntimeError(f"{type(self).__name__} did not start:\n{self.log()[-2000:]}")
            time.sleep(0.02)

    def log(self) -> str:
        """What it has written so far, all its starts together."""
        return (self.directory / "log").read_text(errors="replace")

    def _run(self, command: list[str], **env: str) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.directory,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A test run that is killed takes its servers along. The kernel means the thread that starts them.
                preexec_fn=lambda: end_with(parent),
            )

    def _end(self, how: signal.Signals) -> None:
        """End the process and everything it has started; `how` is what its first process is told first."""
        if not self._process:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    @abstractmethod
    def _prepare(self) -> None: ...

    @abstractmethod
    def _spawn(self) -> None: ...

    @abstractmethod
    def _answers(self) -> bool: ...


class Postgres(_Server):
    """A PostgreSQL cluster with one superuser and one empty database, both `plimsoll`.

    It sorts by the rules of a language, not by bytes, as most real ones do. `durable` turns on what keeps the data
    when the power fails; a killed server loses nothing either way.
    """

    def __init__(self, durable: bool = False) -> None:
        super().__init__()
        self._bin = _postgres_bin()
        self._durable = durable
        self._port = an_unused_port()
        self._password = secrets.token_hex(8)
        self.url = f"postgres://plimsoll:{self._password}@127.0.0.1:{self._port}/plimsoll"

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """`fast` ends every session and writes everything out; `immediate` is a crash."""
        self._end(signal.SIGQUIT if mode == "immediate" else signal.SIGINT)

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        self.stop(mode)
        self.start()

    def _prepare(self) -> None:
        password = self.directory / "password"
        password.write_text(self._password)
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            shutil.chown(self.directory, "postgres", "postgres")
            shutil.chown(password, "postgres", "postgres")
        self._as_postgres(
            *[f"{self._bin}/initdb", "--pgdata", "data", "--username", "plimsoll", "--pwfile", "password"],
            *["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
            *["--locale-provider", "icu", "--icu-locale", "en-US"],
        )

    def _spawn(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            **({} if self._durable else {"fsync": "off", "full_page_writes": "off"}),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        self._process = self._run([*_postgres_user(), f"{self._bin}/postgres", "-D", "data", *options])

    def _answers(self) -> bool:
        """Whether it takes sessions and has its database, which a new cluster does not have yet."""
        ready = [f"{self._bin}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port), "-d", "postgres"]
        if subprocess.run(ready, check=False).returncode:
            return False
        if not (self.directory / "made").exists():
            address = self.url.rpartition("/")[0] + "/postgres"
            subprocess.run([f"{self._bin}/psql", "-q", address, "-c", "CREATE DATABASE plimsoll"], check=True)
            (self.directory / "made").touch()
        return True

    def _as_postgres(self, *command: str) -> None:
        done = subprocess.run(
            [*_postgres_user(), *command], cwd=self.directory, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{Path(command[0]).name} failed:\n{done.stderr}")


class RabbitMQ(_Server):
    """A RabbitMQ node with a cookie, a name and an epmd of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._script = _rabbitmq_server()
        self._port, self._epmd_port, self._dist_port = an_unused_port(), an_unused_port(), an_unused_port()
        self._epmd: subprocess.Popen[bytes] | None = None
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self._epmd:
            self._epmd.kill()
            self._epmd.wait()

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """`fast` lets it write everything out; `immediate` is a crash."""
        if self._process and mode == "fast":
            os.killpg(self._process.pid, signal.SIGTERM)
        self._end(signal.SIGTERM if mode == "fast" else signal.SIGKILL)

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        self.stop(mode)
        self.start()

    def _prepare(self) -> None:
        (self.directory / "rabbitmq.conf").write_text(
            "log.console = true\nlog.console.level = warning\ndisk_free_limit.absolute = 1MB\n"
        )
        (self.directory / "plugins").write_text("[].\n")
        cookie = self.directory / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        # In the foreground, so that it ends with us: the node would start one that stays.
        self._epmd = self._run(["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"])

    def _spawn(self) -> None:
        own = self.directory
        self._process = self._run(
            [self._script],
            HOME=str(own),
            ERL_EPMD_PORT=str(self._epmd_port),
            RABBITMQ_CONF_ENV_FILE=os.devnull,
            RABBITMQ_CONFIG_FILE=str(own / "rabbitmq.conf"),
            RABBITMQ_ADVANCED_CONFIG_FILE=str(own / "none.config"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(own / "plugins"),
            RABBITMQ_DIST_PORT=str(self._dist_port),
            RABBITMQ_LOG_BASE=str(own),
            RABBITMQ_MNESIA_BASE=str(own / "mnesia"),
            RABBITMQ_NODENAME=f"plimsoll{self._port}@localhost",
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
            RABBITMQ_NODE_PORT=str(self._port),
            RABBITMQ_PID_FILE=str(own / "pid"),
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as client:
                client.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(client.recv(8))
        except OSError:
            return False


postgres = Postgres
rabbitmq = RabbitMQ


def _postgres_bin() -> Path:
    """The newest PostgreSQL's programs. Debian keeps those of a server off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    initdb = found[-1] if found else shutil.which("initdb")
    if not initdb:
        raise NotInstalled("This needs a PostgreSQL server. On Debian and Ubuntu: apt-get install postgresql")
    return Path(initdb).parent


def _postgres_user() -> list[str]:
    if os.geteuid():
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=TERM"]


def _rabbitmq_server() -> str:
    """RabbitMQ's own script: the one on Debian's PATH insists on the user `rabbitmq` and its directories."""
    script = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin")
    if not script or not shutil.which("epmd"):
        raise NotInstalled("This needs a RabbitMQ server. On Debian and Ubuntu: apt-get install rabbitmq-server")
    return script


def needed(server: Callable[[], Postgres | RabbitMQ]) -> Postgres | RabbitMQ:
    """For tests: `with needed(postgres) as server`. Without its programs they are skipped, or fail where CI is set."""
    try:
        return server()
    except NotInstalled as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


_BY_NAME = {
    "postgres": (Postgres, ("TEST_DATABASE_URL", "DATABASE_URL")),
    "rabbitmq": (RabbitMQ, ("TEST_BROKER_URL", "CELERY_BROKER_URL")),
}


def main(arguments: list[str]) -> int:
    """`postgres rabbitmq -- command …`: the command's exit status, with the servers' addresses in its environment."""
    at = arguments.index("--")
    names, command = arguments[:at], arguments[at + 1 :]
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with ExitStack() as stack:
        env = dict(os.environ)
        for name in names:
            server, variables = _BY_NAME[name]
            env |= dict.fromkeys(variables, stack.enter_context(server()).url)
        return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    if "--" not in sys.argv[2:] or not set(sys.argv[1 : sys.argv.index("--")]) <= set(_BY_NAME):
        sys.exit("Usage: python -m tests.servers [postgres] [rabbitmq] -- command …")
    try:
        sys.exit(main(sys.argv[1:]))
    except NotInstalled as missing:
        sys.exit(str(missing))
