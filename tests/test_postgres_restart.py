"""The short form of tests/trust/test_postgres_restart.py."""

import pytest

from tests.trust.restart import restart_trial


@pytest.mark.slow
def test_web_server_and_worker_outlive_a_crash_of_postgres(tmp_path):
    restart_trial(tmp_path, restarts=1, runs=20)
