"""Processes that live and die together, tried with real ones."""

import io
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from dashboard.supervisor import ChildEnded, NotReady, PortTaken, Stopped, Supervisor, check_port, free_port

ROOT = Path(__file__).resolve().parent.parent
SLEEPER = "import time; print('up'); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
LEAVES_A_SLEEPER = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print('grandchild', child.pid, flush=True)\n"
)
PARENT_OF_A_SLEEPER = LEAVES_A_SLEEPER + "child.wait()"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie, which only waits to be collected, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(*pids: int, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_children_are_ended_when_the_context_ends():
    out = io.StringIO()
    with Supervisor(out) as supervisor:
        pids = [supervisor.start("one", python(SLEEPER)), supervisor.start("two", python(SLEEPER))]
        supervisor.wait_until(lambda: out.getvalue().count("up") == 2, seconds=10, what="both")
        assert all(alive(pid) for pid in pids)
    assert gone(*pids, seconds=0)


def test_what_children_print_is_passed_on_under_their_names():
    out = io.StringIO()
    with Supervisor(out) as supervisor:
        supervisor.start("web", python("import time; print('first\\nsecond'); time.sleep(60)"))
        supervisor.start("worker", python("import sys, time; print('to stderr', file=sys.stderr); time.sleep(60)"))
        supervisor.wait_until(lambda: out.getvalue().count("\n") == 3, seconds=10, what="three lines")
    assert sorted(out.getvalue().splitlines()) == ["web | first", "web | second", "worker | to stderr"]


def test_a_quiet_child_is_heard_only_when_it_dies():
    out = io.StringIO()
    with pytest.raises(ChildEnded, match="so it went"), Supervisor(out) as supervisor:
        supervisor.start("load", python("print('so it went')"), quiet=True)
        supervisor.run()
    assert out.getvalue() == ""


def test_a_child_that_dies_ends_the_others_and_its_last_lines_are_told():
    with pytest.raises(ChildEnded) as told, Supervisor(io.StringIO()) as supervisor:
        sleeper = supervisor.start("web", python(SLEEPER))
        supervisor.start("sandbox", python("print('cannot open the store'); raise SystemExit(3)"))
        supervisor.run()
    assert str(told.value) == (
        "The sandbox process ended with exit status 3, so everything was stopped.\n"
        "Its last lines:\n"
        "    cannot open the store"
    )
    assert gone(sleeper, seconds=0)


def test_a_child_ended_by_a_signal_is_told_by_its_name():
    with pytest.raises(ChildEnded, match="The web process ended by SIGKILL"), Supervisor(io.StringIO()) as supervisor:
        os.kill(supervisor.start("web", python(SLEEPER)), signal.SIGKILL)
        supervisor.run()


def test_only_the_last_lines_of_a_dead_child_are_told():
    with pytest.raises(ChildEnded) as told, Supervisor(io.StringIO()) as supervisor:
        supervisor.start("web", python("[print('line', number) for number in range(1000)]"))
        supervisor.run()
    assert str(told.value).splitlines()[2:] == [f"    line {number}" for number in range(985, 1000)]


def test_a_child_that_ignores_the_friendly_signal_is_killed():
    out = io.StringIO()
    with Supervisor(out, grace_seconds=0.3) as supervisor:
        pid = supervisor.start("stubborn", python(STUBBORN))
        supervisor.wait_until(lambda: "up" in out.getvalue(), seconds=10, what="the child")
    assert gone(pid, seconds=0)


def test_what_was_started_last_ends_first_so_that_nobody_misses_what_it_uses():
    says_bye = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit('bye')); print('up'); time.sleep(60)"
    out = io.StringIO()
    with Supervisor(out) as supervisor:
        for name in ("sandbox", "web", "worker"):
            supervisor.start(name, python(says_bye))
        supervisor.wait_until(lambda: out.getvalue().count("up") == 3, seconds=10, what="all three")
    assert out.getvalue().splitlines()[3:] == ["worker | bye", "web | bye", "sandbox | bye"]


def test_what_a_child_has_started_ends_with_it():
    out = io.StringIO()
    with Supervisor(out) as supervisor:
        supervisor.start("web", python(PARENT_OF_A_SLEEPER))
        supervisor.wait_until(lambda: "grandchild" in out.getvalue(), seconds=10, what="the grandchild")
        grandchild = int(out.getvalue().split()[-1])
        assert alive(grandchild)
    assert gone(grandchild)


def test_what_a_dead_child_has_left_behind_is_ended_too():
    out = io.StringIO()
    with pytest.raises(ChildEnded), Supervisor(out) as supervisor:
        supervisor.start("web", python(LEAVES_A_SLEEPER))
        supervisor.run()
    assert gone(int(out.getvalue().split()[-1]))


def test_waiting_in_vain_says_for_what():
    with (
        pytest.raises(NotReady, match="Waited 0 seconds for the first page, in vain"),
        Supervisor(io.StringIO()) as supervisor,
    ):
        supervisor.start("web", python(SLEEPER))
        supervisor.wait_until(lambda: False, seconds=0.2, what="the first page")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_supervisor_ends_everything(number):
    before = signal.getsignal(number)
    out = io.StringIO()
    with pytest.raises(Stopped, match=number.name), Supervisor(out) as supervisor:
        pid = supervisor.start("web", python(SLEEPER))
        supervisor.wait_until(lambda: "up" in out.getvalue(), seconds=10, what="the child")
        os.kill(os.getpid(), number)
        supervisor.run()
    assert gone(pid, seconds=0)
    assert signal.getsignal(number) == before


def test_not_even_killing_the_supervisor_leaves_a_child():
    code = f"""
        import sys
        from dashboard.supervisor import Supervisor
        with Supervisor() as supervisor:
            print(supervisor.start("one", [sys.executable, "-c", {SLEEPER!r}]), flush=True)
            print(supervisor.start("two", [sys.executable, "-c", {SLEEPER!r}]), flush=True)
            supervisor.run()
    """
    with subprocess.Popen(python(textwrap.dedent(code)), cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(parent.stdout.readline()) for _ in range(2)]
        assert parent.stdout.readline().endswith("| up\n")
        parent.kill()
    assert gone(*pids)


def test_a_taken_port_is_told_apart_from_a_free_one():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} on 127.0.0.1 is not free"):
            check_port("127.0.0.1", port)
        assert free_port("127.0.0.1", port) != port
    check_port("127.0.0.1", port)
    assert free_port("127.0.0.1", port) == port
