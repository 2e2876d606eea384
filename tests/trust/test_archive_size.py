"""Twenty thousand runs leave as one file and come back: how long that takes, in a memory that does not grow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.trust
RUNS = int(os.environ.get("TRUST_RUNS", "20000"))
MOST_MB = 300  # of a whole process, with Django in it
# Does one thing in a process of its own, and says how long it took and how much memory the process had at its most.
STEP = """
import json, resource, sys, time
import django
django.setup()
from tests.trust import archive_hand
began = time.monotonic()
told = getattr(archive_hand, sys.argv[1])(*sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"seconds": time.monotonic() - began, "cpu": time.process_time(), "mb": peak, "told": told}))
"""


def step(home: Path, name: str, *args: object) -> dict:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "dashboard.settings", "ENV_FILE": os.devnull, "DATA_DIR": str(home)}
    env.pop("DATABASE_URL", None)  # a SQLite in DATA_DIR
    done = subprocess.run(
        [sys.executable, "-c", STEP, name, *map(str, args)], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_an_account_of_many_runs_leaves_and_comes_back(tmp_path):
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    here, there = tmp_path / "here", tmp_path / "there"
    step(here, "fill", RUNS)
    took = {
        "export": step(here, "leave", first),
        "import": step(there, "come", first),
        "import again": step(there, "come", first),
        "export again": step(there, "leave", second),
    }
    size = first.stat().st_size
    print(f"\n{RUNS:,} runs, {size / 2**20:.0f} MB of archive")
    print(f"{'step':<14}{'seconds':>9}{'of CPU':>9}{'runs/s':>9}{'peak MB':>9}")
    for name, told in took.items():
        print(f"{name:<14}{told['seconds']:>9.1f}{told['cpu']:>9.1f}{RUNS / told['seconds']:>9.0f}{told['mb']:>9}")
    assert took["import"]["told"] == [RUNS, 0]
    assert took["import again"]["told"] == [0, RUNS]
    assert first.read_bytes() == second.read_bytes()
    assert all(told["mb"] < MOST_MB for told in took.values())
