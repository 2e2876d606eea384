"""Celery's workers: what a queue is asked for, each in a process of its own as Celery runs them."""

import subprocess
import sys

import pytest

from tests.processes import ROOT
from tests.test_settings import environment

TELL = """
import django
django.setup()
from dashboard.celery import app
from dashboard import celery
import runs.tasks
celery.run_account.apply_async = lambda arguments, **options: print("told", arguments, options)
runs.tasks.claim_messages = lambda: [3, 5]
celery.tick()
print(app.conf.task_acks_late, app.conf.task_reject_on_worker_lost, app.conf.beat_schedule["tick"]["task"])
"""


def run(code: str, data_dir, **values: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code]
    env = environment(data_dir, **values)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_a_tick_tells_of_each_account_that_is_due_and_messages_expire(tmp_path):
    pytest.importorskip("celery")
    said = run(TELL, tmp_path, CELERY_BROKER_URL="memory://").stdout.splitlines()
    assert said == [
        "told (3,) {'expires': 10.0}",
        "told (5,) {'expires': 10.0}",
        "True True dashboard.tick",
    ]


def test_without_a_broker_celery_says_which_setting_is_missing(tmp_path):
    done = run("import dashboard.celery", tmp_path)
    assert done.returncode == 1
    assert "Set CELERY_BROKER_URL" in done.stderr
