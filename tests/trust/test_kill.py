"""200 random `kill -9` of workers during a sync of 20,000 runs, while people press Start and are cut off too.

Smaller by TRUST_RUNS and TRUST_KILLS; the same again by TRUST_SEED.
"""

import os

import pytest

from tests.servers import needed, postgres, rabbitmq
from tests.trust.kill import Size, kill_trial

pytestmark = pytest.mark.trust


def size(**given: int) -> Size:
    runs = int(os.environ.get("TRUST_RUNS") or 20_000)
    kills = int(os.environ.get("TRUST_KILLS") or 200)
    return Size(**{"runs": runs, "kills": kills, "press_s": 420 * runs / 20_000, **given})


def test_workers_on_sqlite(tmp_path):
    kill_trial("4 workers killed, SQLite", tmp_path, size())


def test_workers_on_postgresql(tmp_path):
    with needed(postgres) as server:
        kill_trial("4 workers killed, PostgreSQL", tmp_path, size(), DATABASE_URL=server.url)


def test_celery_workers_on_rabbitmq(tmp_path):
    with needed(rabbitmq) as broker, needed(postgres) as server:
        env = {"DATABASE_URL": server.url, "CELERY_BROKER_URL": broker.url}
        kill_trial("2 Celery workers killed, RabbitMQ and PostgreSQL", tmp_path, size(workers=2), **env)


def test_a_database_that_crashes_in_the_middle(tmp_path):
    with needed(postgres) as server:
        small = size(kills=4, blows=4)
        title = "PostgreSQL crashes 4 times, 4 workers"
        kill_trial(title, tmp_path, small, lambda: server.restart("immediate"), DATABASE_URL=server.url)
