"""Which runs a person has seen: opening a page of a run is enough, and a whole list can be marked at once."""

import contextlib
import re
import sqlite3
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dashboard.models import SeenRun
from dashboard.seen import mark_seen, seen_by
from dashboard.views import saved_views
from runs.choices import RunResult, RunStatus
from runs.models import Run, StatusEvent
from tests.pages import browser, text_of
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db

FAILED = {"result": RunResult.FAILED}


@pytest.fixture
def load_test():
    return make_test(make_account(), "Checkout API")


@pytest.fixture
def vera():
    return make_user("viewer", "vera")


def seen(user) -> set[int]:
    return set(seen_by(user).values_list("run__number", flat=True))


TABS = ("page", "errors", "thresholds", "metrics", "messages", "config", "activity", "raw")


@pytest.mark.parametrize("tab", TABS)
def test_whoever_opens_a_tab_of_a_run_has_seen_it(load_test, vera, tab):
    run, page = make_run(load_test, 1), browser(vera)
    make_run(load_test, 2)
    for _ in range(2):
        assert page.get(reverse(f"run_{tab}", args=[run.pk])).status_code == 200
    assert seen(vera) == {1}
    assert seen(make_user("viewer", "viktor")) == set()
    assert SeenRun.objects.count() == 1


def test_what_a_page_asks_for_by_itself_is_no_look_at_the_run(load_test, vera):
    run, page = make_run(load_test, 1), browser(vera)
    page.get(reverse("run_live", args=[run.pk]), headers={"HX-Request": "true"})
    page.get(reverse("run_errors", args=[run.pk]), headers={"HX-Request": "true", "HX-Target": "error-pane"})
    page.get(reverse("run_rows"), {"id": run.pk})
    page.head(reverse("run_page", args=[run.pk]))
    assert seen(vera) == set()


def test_opening_a_run_again_writes_nothing(load_test, vera):
    run, page = make_run(load_test, 1), browser(vera)
    page.get(f"/runs/{run.pk}/")
    with CaptureQueriesContext(connection) as asked:
        page.get(f"/runs/{run.pk}/")
    assert [query["sql"] for query in asked if not query["sql"].startswith("SELECT")] == []


def test_two_tabs_may_mark_a_run_in_the_same_moment(load_test, vera):
    run = make_run(load_test, 1)
    mark_seen(vera, [run.pk])
    mark_seen(vera, [run.pk])
    assert SeenRun.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="elsewhere rows are locked, not whole databases")
def test_a_database_that_somebody_else_writes_to_keeps_nobody_from_a_run(load_test):
    vera = User.objects.create_superuser("vera")  # other tests that commit leave no roles behind
    run, page = make_run(load_test, 1), browser(vera)
    assert page.get("/runs/").status_code == 200
    with contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
        other.execute("BEGIN IMMEDIATE")
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 0")
            assert page.get(f"/runs/{run.pk}/").status_code == 200
            cursor.execute("PRAGMA busy_timeout = 20000")
    assert seen(vera) == set()
    page.get(f"/runs/{run.pk}/")
    assert seen(vera) == {1}


def test_failed_runs_leave_the_view_of_unseen_ones_when_opened(load_test, vera):
    run, other = make_run(load_test, 1, **FAILED), make_run(load_test, 2, **FAILED)
    make_run(load_test, 3)
    page = browser(vera)
    assert "2 of 3 runs" in text_of(page.get("/runs/?view=failed"))
    page.get(reverse("run_page", args=[run.pk]))
    html = page.get("/runs/?view=failed").content.decode()
    assert f'id="run-{other.pk}"' in html
    assert f'id="run-{run.pk}"' not in html
    page.get(reverse("run_page", args=[other.pk]))
    assert "You have seen every run that failed" in text_of(page.get("/runs/?view=failed"))


def test_the_whole_list_is_marked_as_seen_whatever_page_shows(load_test, vera):
    for number in range(60):
        make_run(load_test, number, **FAILED)
    passed = make_run(load_test, 100)
    page = browser(vera)
    assert "Mark these as seen" in text_of(page.get("/runs/?view=failed"))
    answer = page.post("/runs/seen/?view=failed&result=failed&unseen=1", follow=True)
    assert "60 runs are marked as seen." in text_of(answer)
    assert seen(vera) == set(range(60))
    assert passed.number not in seen(vera)
    assert answer.redirect_chain[0][0] == "/runs/?view=failed&result=failed&unseen=1"


def test_only_a_list_of_unseen_runs_offers_to_mark_them(load_test, vera):
    make_run(load_test, 1, **FAILED)
    page = browser(vera)
    assert "Mark these as seen" not in text_of(page.get("/runs/?result=failed"))
    assert "Mark these as seen" in text_of(page.get("/runs/?unseen=1"))


def pressed(page, answer, query: str = "view=failed") -> None:
    """The button of a list that was made a while ago."""
    hidden = dict(re.findall(r'name="(until|newest)" value="([^"]+)"', answer.content.decode()))
    assert set(hidden) == {"until", "newest"}
    page.post(f"/runs/seen/?{query}", hidden)


def test_what_came_or_changed_after_the_page_was_made_stays_unseen(load_test, vera):
    make_run(load_test, 1, **FAILED)
    running = make_run(load_test, 2, status=RunStatus.RUNNING, result=RunResult.NONE)
    page = browser(vera)
    answer = page.get("/runs/?view=failed")
    Run.objects.filter(pk=running.pk).update(status=RunStatus.FINISHED, **FAILED)
    StatusEvent.objects.create(run=running, status=RunStatus.FINISHED, seen_at=timezone.now())
    make_run(load_test, 3, ended_at=timezone.now() - timedelta(hours=1), **FAILED)
    pressed(page, answer)
    assert seen(vera) == {1}


def test_a_run_on_the_page_is_marked_though_its_provider_s_clock_is_ahead_of_ours(load_test, vera):
    make_run(load_test, 1, ended_at=timezone.now() + timedelta(minutes=5), **FAILED)
    page = browser(vera)
    pressed(page, page.get("/runs/?view=failed"))
    assert seen(vera) == {1}


def test_more_than_go_at_once_are_said(load_test, vera, monkeypatch):
    monkeypatch.setattr(saved_views, "MOST_AT_ONCE", 2)
    for number in range(3):
        make_run(load_test, number, created_at=timezone.now() - timedelta(hours=number), **FAILED)
    page = browser(vera)
    answer = page.post("/runs/seen/?view=failed", follow=True)
    assert "The newest 2 are marked as seen" in text_of(answer)
    assert seen(vera) == {0, 1}
    assert "1 run is marked as seen." in text_of(page.post("/runs/seen/?view=failed", follow=True))


@pytest.mark.parametrize(("query", "until"), [("status=broken", ""), ("unseen=1", "yesterday-ish"), ("view=99", "")])
def test_what_cannot_be_read_marks_nothing(load_test, vera, query, until):
    make_run(load_test, 1)
    answer = browser(vera).post(f"/runs/seen/?{query}", {"until": until}, follow=True)
    assert "Nothing is marked as seen" in text_of(answer)
    assert seen(vera) == set()
