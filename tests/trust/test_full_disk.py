"""A full disk in the middle of a sync: whole pages or nothing, pages that can be read, and on it goes by itself."""

import pytest

from tests.trust.full_disk import full_disk_trial

pytestmark = pytest.mark.trust


def test_a_disk_that_becomes_full_in_the_middle_of_a_sync(tmp_path):
    full_disk_trial(tmp_path, runs=600, hold_s=135)
