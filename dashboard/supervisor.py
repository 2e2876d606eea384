"""Starts processes that live and die together: the web server, the worker and, in the demo, the sandbox.

One loop in one thread: it passes on what the children print (`web | …`), notices at once when one ends, and on Ctrl-C,
SIGTERM or any error ends them all with everything they started. Even a SIGKILL leaves nothing behind on Linux, where
the kernel then tells the children.
"""

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self, TextIO

GRACE_SECONDS = 5.0
LAST_LINES = 15
_TICK_SECONDS = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a forked child may do little more than call it.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildEnded(Exception):
    """A child ended by itself. The text says which, how, and repeats its last lines."""


class NotReady(Exception):
    """What was waited for did not come in time."""


class Stopped(BaseException):
    """Somebody asked for the end: Ctrl-C, SIGTERM, or the terminal closed. Like KeyboardInterrupt, not an error."""


class PortTaken(Exception):
    """Another program listens there already."""


def check_port(host: str, port: int) -> None:
    """Raise PortTaken when nobody could listen on host:port now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(f"Port {port} on {host} is not free ({error.strerror}).") from error


def free_port(host: str, wanted: int) -> int:
    """`wanted` if nobody listens there, else a port the system chooses."""
    try:
        check_port(host, wanted)
    except PortTaken:
        with socket.socket() as probe:
            probe.bind((host, 0))
            return probe.getsockname()[1]
    return wanted


class Supervisor:
    """A context: inside it children run, after it none of them does. The last one started is ended first.

    with Supervisor() as supervisor:
        supervisor.start("web", [sys.executable, "-m", "granian", ...])
        supervisor.wait_until(answers, seconds=30, what="the first page")
        supervisor.run()
    """

    def __init__(self, out: TextIO | None = None, grace_seconds: float = GRACE_SECONDS):
        """`out` gets the children's lines (stdout); `grace_seconds` is each one's time from SIGTERM on."""
        self._out = out or sys.stdout
        self._grace_seconds = grace_seconds
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._rest: dict[str, bytes] = {}
        self._last: dict[str, deque[str]] = {}
        self._quiet: set[str] = set()
        self._selector = selectors.DefaultSelector()
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Self:
        self._handlers = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        for number in _SIGNALS:  # an impatient second Ctrl-C must not leave children behind
            signal.signal(number, signal.SIG_IGN)
        self._end_all()
        self._selector.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None, *, quiet: bool = False
    ) -> int:
        """Start `command` (its environment: ours plus `env`) as the child `name`; returns its process id.

        `quiet`: its lines are told only should it end by itself.
        """
        parent = os.getpid()
        # Its own session: Ctrl-C in the terminal reaches only us, and the whole group can be ended by its id.
        child = subprocess.Popen(
            list(command),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: end_with(parent),
        )
        self._children[name] = child
        self._quiet |= {name} if quiet else set()
        self._rest[name] = b""
        self._last[name] = deque(maxlen=LAST_LINES)
        os.set_blocking(child.stdout.fileno(), False)
        self._selector.register(child.stdout, selectors.EVENT_READ, name)
        return child.pid

    def say(self, line: str) -> None:
        """A line of our own among those of the children."""
        self._out.write(f"{line}\n")
        self._out.flush()

    def run(self) -> None:
        """Keep going until somebody asks for the end (Stopped) or a child ends (ChildEnded)."""
        while True:
            self._tick()

    def wait_until(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Return once `ready()` is true. Raises NotReady after `seconds`, ChildEnded or Stopped at once."""
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise NotReady(f"Waited {seconds:.0f} seconds for {what}, in vain.")
            self._tick()

    def _tick(self) -> None:
        self._pass_on(_TICK_SECONDS)
        for name, child in self._children.items():
            if child.poll() is not None:
                self._pass_on(0)
                raise ChildEnded(_obituary(name, child.returncode, self._last[name]))

    def _pass_on(self, seconds: float) -> None:
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _events in self._selector.select(seconds):
            chunk = key.fileobj.read() or b""
            *lines, self._rest[key.data] = (self._rest[key.data] + chunk).split(b"\n")
            if not chunk:
                self._selector.unregister(key.fileobj)
                lines.append(self._rest.pop(key.data))
            for line in lines:
                self._print(key.data, line.decode(errors="replace").rstrip())

    def _print(self, name: str, line: str) -> None:
        if line:
            self._last[name].append(line)
            if name in self._quiet:
                return
            with suppress(OSError):  # our own terminal or pipe may be gone; the children still have to be ended
                self._out.write(f"{name} | {line}\n")
                self._out.flush()

    def _end_all(self) -> None:
        for child in reversed(self._children.values()):
            deadline = time.monotonic() + self._grace_seconds
            _signal_group(child, signal.SIGTERM)
            while time.monotonic() < deadline and child.poll() is None:
                self._pass_on(_TICK_SECONDS)
        for child in self._children.values():
            _signal_group(child, signal.SIGKILL)  # also what an ended child has left in its group
            child.wait()
            child.stdout.close()

    @staticmethod
    def _on_signal(number: int, frame: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(child.pid, number)


def end_with(parent: int) -> None:
    """In the child, before it becomes `command`: ask the kernel for SIGTERM when the supervisor is gone."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def _obituary(name: str, code: int, last_lines: Sequence[str]) -> str:
    how = f"with exit status {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
    head = f"The {name} process ended {how}, so everything was stopped."
    return "\n".join([head, "Its last lines:", *(f"    {line}" for line in last_lines)]) if last_lines else head
