"""A database that is full in the middle of a sync. With a disk and processes: tests/trust/test_full_disk.py."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.db.models import F

from runs.models import DayResult, Run, SyncState
from runs.sync import sync_account
from tests.fake_service import remote

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="Only SQLite can be told how large it may become."),
]


@pytest.fixture
def room(fake_account):
    """Sets how many pages the file may have more than it has now; None: as many as it likes."""
    cursor = connection.cursor()

    def leave(pages):
        [[now]] = cursor.execute("PRAGMA page_count").fetchall()
        cursor.execute(f"PRAGMA max_page_count = {2**30 if pages is None else now + pages}").fetchall()

    yield leave
    leave(None)


def whole_pages(page_size):
    """The number of runs here, each with all that was stored with it."""
    runs = Run.objects.count()
    assert runs % page_size == 0
    assert Run.objects.filter(payload=None).count() == 0
    assert sum(DayResult.objects.values_list("runs", flat=True)) == runs
    [[verdict]] = connection.cursor().execute("PRAGMA integrity_check").fetchall()
    assert verdict == "ok"
    return runs


def test_a_full_database_holds_whole_pages_and_the_sync_goes_on_behind_them(fake, fake_account, room):
    fake.page_size = 10
    fake.has(*(remote(str(n), note="x" * 2000) for n in range(1, 201)))
    room(60)
    with pytest.raises(OperationalError, match="full"):
        sync_account(fake_account, details_budget=0)
    before = whole_pages(10)
    assert 0 < before < 200
    room(None)
    SyncState.objects.update(lease_until=F("lease_until") - timedelta(minutes=2))
    fake.calls.clear()
    sync_account(fake_account, details_budget=0)
    assert whole_pages(10) == 200
    assert fake.asked("page")[0] == ("page", str(before))
