"""The trial of the full disk: SQLite has no space left in the middle of a sync, and later has some again."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.trust.examiner import wait_for_the_truth
from tests.trust.kill import Report, start_workers
from tests.trust.stage import HandFailed, Stage, stage, wait_for

LEFT = 3_000_000  # bytes that are free when the sync begins
PAGES = ("/runs/", "/history/", "/accounts/", "/tests/")


@contextmanager
def small_disk(home: Path, megabytes: int = 128) -> Iterator[Path]:
    """A directory on a file system of its own that can become full. Skips the test where one may not be mounted."""
    disk = home / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(disk)]
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("Only root can mount a small disk to fill.")
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"A small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        unmount = ["umount", "--lazy", str(disk)]
        subprocess.run(unmount, check=False)


def free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def full_disk_trial(home: Path, *, runs: int, hold_s: float) -> None:
    """Sync until the disk is full, stay so for `hold_s`, make space, and compare with the truth."""
    report, began = Report(), time.monotonic()
    with small_disk(home) as disk, stage(home, data_dir=disk) as on:
        on.hand.ask("collect")
        sandbox = on.sandbox(runs=runs, tests=12)
        on.add_accounts(sandbox, 1)
        _, address = on.web()
        reader = requests.Session()
        reader.cookies.set(*on.hand.ask("cookie"))
        ballast = disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free(disk) - LEFT)
        start_workers(on, 2)
        wait_for("the disk to be full", lambda: on.workers_said("disk is full"), 120)
        full = time.monotonic()
        while time.monotonic() - full < hold_s:
            time.sleep(0.5)
        seen = on.hand.ask("progress")
        report("runs stored when the disk was full", seen["runs"])
        report("  of them with their details", seen["runs"] - seen["waiting"])
        assert 0 < seen["runs"] - seen["waiting"] < runs, "It was to become full in the middle."
        wrong = on.hand.ask("oddities") + _unreadable(reader, address, hold_s) + _pressed_in_vain(on)
        _ready(reader, address, report)
        ballast.unlink()
        began_again = time.monotonic()
        wait_for("the rest", lambda: not (p := on.hand.ask("progress"))["waiting"] and p["runs"] >= runs, 300)
        sandbox.post("freeze", {"frozen": True})
        wait_for_the_truth(on, 120)
        report("seconds from space to the truth, nothing started anew", time.monotonic() - began_again)
        sandbox.read_ledger()
        wrong += [f"{row['method']} {row['path']} was sent" for row in sandbox.writes]
        wrong += on.hand.ask("oddities") + [f"{w.name} ended by itself" for w in on.workers if not w.alive]
        report("runs in the mirror, equal to the truth", on.hand.ask("progress")["runs"])
    report("seconds in all", time.monotonic() - began)
    report.show("A full disk, SQLite")
    assert not wrong, "\n".join(wrong)


def _unreadable(reader: requests.Session, address: str, hold_s: float) -> list[str]:
    """The pages that cannot be read while nothing can be written, or that do not say after a while that it is so."""
    wrong = []
    listed = reader.get(address + "/runs/", timeout=60).text
    one = next(part.split("/")[0] for part in listed.split('href="/runs/')[1:] if part[0].isdigit())
    for page in (*PAGES, f"/runs/{one}/", f"/runs/{one}/errors/"):
        answer = reader.get(address + page, timeout=60)
        if answer.status_code != 200 or "/sign-in/" in answer.url:
            wrong.append(f"{page} answers {answer.status_code} on a full disk")
        elif hold_s > 125 and "Nothing is synced now" not in answer.text:
            wrong.append(f"{page} does not say that nothing is synced")
    return wrong


def _pressed_in_vain(on: Stage) -> list[str]:
    """A press of Start that cannot be written down must not be sent; the ledger is looked at in the end."""
    try:
        return [f"a press was taken although nothing can be written: {on.hand.ask('press')}"]
    except HandFailed as problem:
        return [] if "full" in str(problem) else [f"a press failed otherwise: {problem}"]


def _ready(reader: requests.Session, address: str, report: Report) -> None:
    answer = reader.get(address + "/readyz", timeout=60)
    report("/readyz meanwhile answers", answer.status_code)
