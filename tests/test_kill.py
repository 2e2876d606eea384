"""`kill -9` of workers in the middle: nothing is lost, nothing doubled. The long form: tests/trust/test_kill.py."""

from dataclasses import replace

import pytest

from tests.servers import needed, postgres, rabbitmq
from tests.trust.kill import Size, kill_trial

pytestmark = pytest.mark.slow

SMALL = Size(
    runs=40, per_provider=1, workers=2, kills=3, pauses=0, presses=4, press_s=3, deadly=0, limit_s=300, tests=8
)


def test_a_sync_whose_workers_are_killed_again_and_again_ends_with_the_truth(tmp_path):
    kill_trial("2 workers killed, SQLite", tmp_path, SMALL)


def test_celery_workers_are_killed_with_no_other_end(tmp_path):
    with needed(rabbitmq) as broker, needed(postgres) as server:
        env = {"DATABASE_URL": server.url, "CELERY_BROKER_URL": broker.url}
        kill_trial("2 Celery workers killed", tmp_path, replace(SMALL, runs=30, kills=1, presses=2), **env)
