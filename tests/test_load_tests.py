"""Load tests: the list of what can be started, and the page of one."""

from datetime import UTC, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.trend import trend_of
from runs.choices import RunResult, RunStatus
from runs.history import TESTS_PER_PAGE
from tests.pages import browser, text_of
from tests.rows import make_account, make_day, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(db):
    return browser(make_user("operator", "maya"))


@pytest.fixture
def account(db):
    return make_account()


def today():
    return timezone.now().astimezone(UTC).date()


def test_a_row_shows_the_last_run_the_strip_and_the_pass_rate_with_n(operator, account):
    test = make_test(account, project="shop")
    make_day(test, today(), passed=6, failed=2, error=1)
    make_run(test, 213)
    make_run(test, 214, result=RunResult.FAILED, created_at=timezone.now())
    page = operator.get("/tests/")
    said = text_of(page)
    assert "Checkout API - peak hour shop k6 retail-prod" in said
    assert "Finished Failed just now" in said
    assert "75 % of 8" in said
    assert "Last 2 runs, oldest first: 1 passed, 1 failed" in page.content.decode()


def test_a_test_that_never_ran_says_so(operator, account):
    make_test(account)
    assert "no run yet" in text_of(operator.get("/tests/"))


def test_runs_without_a_verdict_are_no_criteria_and_not_0_percent(operator, account):
    make_day(make_test(account), today(), none=3)
    said = text_of(operator.get("/tests/"))
    assert "no criteria" in said
    assert "0 %" not in said


def test_filters_by_name_account_and_provider(operator, account):
    make_test(account, "Checkout API")
    make_test(account, "Login ramp")
    make_test(make_account("batch", provider="vsts"), "Checkout export")

    def names(query):
        html = operator.get(f"/tests/?{query}").content.decode()
        return [name for name in ("Checkout API", "Login ramp", "Checkout export") if f">{name}</a>" in html]

    assert names("") == ["Checkout API", "Login ramp", "Checkout export"]
    assert names("name=CHECKOUT") == ["Checkout API", "Checkout export"]
    assert names("account=batch") == ["Checkout export"]
    assert names("account=batch&account=retail-prod&name=login") == ["Login ramp"]
    assert names("provider=k6-legacy") == ["Checkout API", "Login ramp"]


def test_a_filter_that_cannot_be_read_is_named(operator, account):
    make_test(account)
    said = text_of(operator.get("/tests/?account=nobody"))
    assert "nobody is not one of the available choices" in said
    assert "Checkout API - peak hour" in said


def test_filters_that_hide_everything_offer_a_way_back(operator, account):
    make_test(account)
    page = operator.get("/tests/?name=zzz")
    assert "No load test fits these filters" in text_of(page)
    assert 'href="/tests/"' in page.content.decode()


def test_without_an_account_an_admin_is_sent_to_add_one(db):
    assert b"/accounts/new/" in browser(make_user("admin")).get("/tests/").content
    page = browser(make_user("viewer")).get("/tests/")
    assert "An admin can add one." in text_of(page)
    assert b"/accounts/new/" not in page.content


def test_pages_hold_fifty_and_lose_none(operator, account):
    for n in range(TESTS_PER_PAGE + 3):
        make_test(account, f"test {n:03}")
    first, second = operator.get("/tests/"), operator.get("/tests/?page=2")
    assert "1–50 of 53 load tests" in text_of(first)
    assert b'href="?page=2"' in first.content
    shown = [f"test {n:03}" for n in range(53) if f">test {n:03}</a>" in (first.content + second.content).decode()]
    assert len(shown) == 53
    assert b">test 049</a>" in first.content
    assert b">test 050</a>" in second.content


def test_sorted_by_last_run_the_newest_is_first_and_never_run_is_last(operator, account):
    for name, days in (("old", 9), ("new", 1), ("never", None)):
        make_test(account, name, last_run_at=timezone.now() - timedelta(days=days) if days else None)
    html = operator.get("/tests/?sort=-last_run").content.decode()
    assert html.index(">new</a>") < html.index(">old</a>") < html.index(">never</a>")


def test_operators_have_a_start_button_and_viewers_do_not(operator, account):
    test = make_test(account)
    assert f'href="/tests/{test.pk}/start/"' in operator.get("/tests/").content.decode()
    viewer = browser(make_user("viewer"))
    for address in ("/tests/", f"/tests/{test.pk}/"):
        assert b"/start/" not in viewer.get(address).content


def test_a_read_only_account_has_a_word_instead_of_a_button(operator):
    test = make_test(make_account(read_only=True))
    page = operator.get("/tests/")
    assert f"/tests/{test.pk}/start/" not in page.content.decode()
    assert "Read-only" in text_of(page)
    assert "is read-only: nobody can start or stop runs on it" in text_of(operator.get(f"/tests/{test.pk}/"))


def test_a_new_load_test_is_offered_where_the_name_of_a_run_is_the_test(operator, account):
    assert b"New load test" not in operator.get("/tests/").content
    make_account("perf-weu", provider="vsts")
    assert b'href="/accounts/perf-weu/start/"' in operator.get("/tests/").content
    assert b"New load test" not in browser(make_user("viewer")).get("/tests/").content


def test_the_list_takes_as_many_queries_for_30_tests_as_for_1(operator, account):
    counts = []
    for wanted in (1, 30):
        for n in range(account.load_tests.count(), wanted):
            test = make_test(account, f"test {n}")
            make_day(test, today(), passed=1)
            make_run(test, n, status=RunStatus.RUNNING, result=RunResult.NONE)
        with CaptureQueriesContext(connection) as queries:
            operator.get("/tests/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_page_of_a_test_shows_recent_runs_settings_and_trend(operator):
    account = make_account("perf-weu", provider="vsts")
    test = make_test(account, "Basket", start_values={"name": "Basket", "test_drop_id": "b4f0"})
    for number, p95 in ((1, 180.0), (2, 499.6)):
        make_run(test, number, p95_ms=p95, created_at=timezone.now() - timedelta(hours=9 - number))
    page = operator.get(f"/tests/{test.pk}/")
    said = text_of(page)
    assert said.index("#2 Finished Passed") < said.index("#1 Finished Passed")
    assert "Test drop id b4f0" in said
    assert "p95 of the last 2 runs that have one: 499.6 ms in the newest, 180 to 499.6 ms in all" in said


def test_a_provider_without_settings_says_that_none_are_sent(operator, account):
    said = text_of(operator.get(f"/tests/{make_test(account).pk}/"))
    assert "Plimsoll sends no settings of its own." in said


def test_an_unknown_test_is_not_found(operator):
    assert operator.get("/tests/987654/").status_code == 404


def test_trend_goes_from_the_oldest_to_the_newest_run_that_has_a_p95(account):
    test = make_test(account)
    newest_first = [
        make_run(test, 3, p95_ms=400.0, result=RunResult.FAILED),
        make_run(test, 2),
        make_run(test, 1, p95_ms=200.0),
    ]
    trend = trend_of(newest_first)
    assert [(point.run.number, point.mark) for point in trend.points] == [(1, "passed"), (3, "failed")]
    left, right = trend.points
    assert left.x < right.x
    assert left.y > right.y  # smaller is lower, and y grows downwards


def test_one_run_is_no_trend(account):
    assert trend_of([make_run(make_test(account), p95_ms=200.0)]) is None
