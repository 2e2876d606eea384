"""`kill -9` of workers in the middle: nothing is lost, nothing doubled. The long form: tests/trust/test_kill.py."""

import pytest

from tests.trust.kill import Size, kill_trial

pytestmark = pytest.mark.slow

SMALL = Size(runs=80, per_provider=1, workers=2, kills=6, pauses=0, presses=4, press_s=3, deadly=0, limit_s=60, tests=8)


def test_a_sync_whose_workers_are_killed_again_and_again_ends_with_the_truth(tmp_path):
    kill_trial("2 workers killed, SQLite", tmp_path, SMALL)
