"""Real `manage.py` processes for tests that start, watch and end them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def manage_py(*arguments: str, **env: str) -> subprocess.Popen[str]:
    """Start `manage.py` with production settings and these values; output and errors are one stream of text."""
    # DATABASE_URL of the tests' own environment would be everybody's; DATA_DIR decides.
    given = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**given, "DJANGO_SETTINGS_MODULE": "dashboard.settings", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def an_unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What `process` has said up to and with the first line that holds `words`."""
    seen = ""
    for line in process.stdout:
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"It ended without saying {words!r}:\n{seen}")


def using(text: str) -> dict[int, str]:
    """The running processes whose environment mentions `text`: process id to command line."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (directory / "environ").read_bytes():
                command = (directory / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
                found[int(directory.name)] = command.decode()
        except OSError:
            continue
    return found
