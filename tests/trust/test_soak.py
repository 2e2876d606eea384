"""An hour of use (SOAK_MINUTES). SOAK_LOG names a file that tells how it goes while it goes.

SOAK_DATABASE=postgresql: over a PostgreSQL server instead of SQLite.
"""

import os

import pytest

from tests.servers import needed, postgres
from tests.trust.soak import soak_trial

pytestmark = pytest.mark.trust


def test_an_hour_of_use_with_providers_that_are_well_flaky_and_dead(tmp_path):
    minutes = float(os.environ.get("SOAK_MINUTES") or 60)
    if os.environ.get("SOAK_DATABASE") == "postgresql":
        with needed(postgres) as server:
            soak_trial(tmp_path, minutes, DATABASE_URL=server.url)
    else:
        soak_trial(tmp_path, minutes)
