"""200 random `kill -9` of workers during a sync of 20,000 runs, while people press Start and are cut off too.

Smaller by TRUST_RUNS and TRUST_KILLS; the same again by TRUST_SEED.
"""

import os

import pytest

from tests.trust.kill import Size, kill_trial

pytestmark = pytest.mark.trust


def size(**given: int) -> Size:
    return Size(
        runs=int(os.environ.get("TRUST_RUNS") or 20_000), kills=int(os.environ.get("TRUST_KILLS") or 200), **given
    )


def test_workers_on_sqlite(tmp_path):
    kill_trial("4 workers killed, SQLite", tmp_path, size())
