"""How old what is shown is: at the foot of every page, and at its top where an account's data are stale."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from dashboard.data_age import AccountAge, DataAge
from runs.choices import RunStatus
from runs.health import LATE_AFTER, health_of
from runs.models import SyncState, Worker
from tests.pages import text_of
from tests.rows import make_account, make_run, make_test

NOW_AND_THEN = timedelta(minutes=3)
LONG_AGO = timedelta(days=3)
OUTAGE = "Grafana Cloud k6 did not answer within 20 s. Try again later."


@pytest.fixture
def run(a_test):
    """An ended run of an account in sync."""
    run = make_run(a_test, 1, details_at=timezone.now())
    synced(a_test.account)
    return run


def synced(account, ago=timedelta(seconds=20), **columns):
    now = timezone.now()
    given = {"last_good_at": now - ago, "history_at": now - ago, **columns}
    return SyncState.objects.update_or_create(account=account, defaults=given)[0]


def down(account):
    """Its provider is dead for days, and was asked again and again."""
    return synced(account, LONG_AGO, error=OUTAGE, error_at=timezone.now(), failures=40)


def pages_of(run):
    return [
        reverse("run_list"), reverse("run_page", args=[run.pk]), reverse("run_errors", args=[run.pk]),
        reverse("run_thresholds", args=[run.pk]), reverse("run_metrics", args=[run.pk]),
        reverse("run_messages", args=[run.pk]), reverse("run_config", args=[run.pk]),
        reverse("run_activity", args=[run.pk]), reverse("run_raw", args=[run.pk]), reverse("test_list"),
        reverse("test_page", args=[run.load_test_id]), reverse("history"), reverse("view_list"),
    ]  # fmt: skip


def test_every_page_says_how_old_its_data_are(viewer, run):
    other = make_account("Second")
    synced(other, NOW_AND_THEN)
    for url in pages_of(run):
        shown = text_of(viewer.get(url))
        assert "Oldest data: Second, synced 3 min ago" in shown, url


def test_a_page_without_accounts_says_nothing_of_data(viewer):
    assert "Age of the data" not in viewer.get("/runs/").content.decode()


def test_a_stale_account_is_told_on_every_page_with_its_last_good_sync_and_the_error(viewer, run):
    down(run.account)
    for url in pages_of(run):
        shown = text_of(viewer.get(url))
        assert OUTAGE in shown, url
        assert "3 days ago" in shown, url


def test_all_that_was_stored_stays_readable_while_the_provider_is_dead(viewer, run, monkeypatch):
    down(run.account)
    monkeypatch.setattr("runs.services.http.Http.__init__", lambda *_, **__: pytest.fail("a page asked a provider"))
    exports = [reverse("run_export") + "?format=csv", reverse("run_errors_export", args=[run.pk]) + "?format=json"]
    assert [viewer.get(url).status_code for url in pages_of(run) + exports] == [200] * (len(pages_of(run)) + 2)


def test_the_trouble_of_another_account_is_not_told_on_the_page_of_a_test_or_a_run(viewer, run):
    down(make_account("Second"))
    for url in (reverse("run_page", args=[run.pk]), reverse("test_page", args=[run.load_test_id])):
        assert OUTAGE not in text_of(viewer.get(url))


LATE = "It is to be synced every minute, and was not."


def test_an_account_that_is_late_without_an_error_says_so(viewer, run):
    synced(run.account, LATE_AFTER * 2)
    Worker.objects.create(name="one:1", kind="embedded", started_at=timezone.now(), seen_at=timezone.now())
    shown = text_of(viewer.get("/runs/"))
    assert f"{LATE} What you see of it is from 20 min ago" in shown


def test_without_a_worker_that_is_said_once_and_not_of_each_account(viewer, run):
    synced(run.account, LATE_AFTER * 2)
    gone = timezone.now() - LATE_AFTER
    Worker.objects.create(name="one:1", kind="embedded", started_at=gone, seen_at=gone)
    shown = text_of(viewer.get("/runs/"))
    assert "Nothing is synced now" in shown
    assert LATE not in shown


def test_a_new_account_is_not_called_stale(viewer, run):
    SyncState.objects.create(account=make_account("New"))
    shown = text_of(viewer.get("/runs/"))
    assert "New has not been synced yet." in shown
    assert "None of its runs are known yet" not in shown


def test_counts_are_called_counts_so_far_while_the_history_is_being_read(viewer, run):
    synced(run.account, history_at=None, history={"runs": 1240})
    for url in ("/runs/", "/history/", "/tests/"):
        shown = text_of(viewer.get(url))
        assert "still being read, 1,240 runs so far: counts and rates may grow." in shown, url


def test_an_account_that_is_switched_off_ages_nobody_s_data(viewer, run):
    off = make_account("Off", enabled=False)
    down(off)
    shown = text_of(viewer.get("/runs/"))
    assert OUTAGE not in shown
    assert "Oldest data: Off" not in shown


def test_a_live_run_of_a_dead_provider_is_not_shown_as_news(viewer, run):
    down(run.account)
    live = make_run(run.load_test, 2, status=RunStatus.RUNNING, synced_at=timezone.now() - LONG_AGO)
    shown = text_of(viewer.get(reverse("run_page", args=[live.pk])))
    assert "What you see is as of" in shown


def test_many_accounts_in_trouble_share_one_banner(viewer, run):
    for n in range(4):
        down(make_account(f"Down {n}"))
    shown = text_of(viewer.get("/runs/"))
    assert "4 accounts are not in sync : Down 0, Down 1, Down 2 and 1 more. What you see of them may be" in shown
    assert shown.count(OUTAGE) == 4  # told apart when it is opened


@pytest.mark.django_db
def test_the_oldest_account_is_the_one_named():
    now = timezone.now()
    lines = []
    for name, minutes in (("a", 3), ("b", 9), ("c", None)):
        account = make_account(name)
        if minutes:
            synced(account, timedelta(minutes=minutes))
        lines.append(AccountAge(account, health_of(account, now)))
    data = DataAge(lines, now)
    assert data.oldest.account.name == "b"
    assert [line.account.name for line in data.never] == ["c"]


def test_the_age_of_all_accounts_is_one_query_however_many(viewer, run, django_assert_max_num_queries):
    viewer.get("/views/")
    with django_assert_max_num_queries(12) as asked:
        viewer.get("/views/")
    for n in range(5):
        down(make_test(make_account(f"Down {n}")).account)
    with django_assert_max_num_queries(len(asked)):
        viewer.get("/views/")
