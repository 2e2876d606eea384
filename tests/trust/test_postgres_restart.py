"""PostgreSQL crashes ten times under a web server in use and a worker."""

import pytest

from tests.trust.restart import restart_trial

pytestmark = pytest.mark.trust


def test_web_server_and_worker_outlive_ten_crashes_of_postgres(tmp_path):
    restart_trial(tmp_path, restarts=10, runs=500)
