"""The history page: every number with its n and the runs behind it, worst first, constant in queries, printable."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.choices import RunResult, RunStatus
from runs.history import TESTS_PER_PAGE
from runs.models import Run
from runs.sync.mirror import refresh_days
from tests.pages import browser, text_of
from tests.rows import NOW, make_account, make_day, make_run, make_test, make_user

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def today():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def viewer(db):
    user = make_user("viewer")
    user.first_name, user.last_name = "Maya", "Lindqvist"
    user.save()
    return browser(user)


@pytest.fixture
def account(db):
    return make_account()


def links(page, label):
    """The addresses of the links whose aria-label or text holds `label`."""
    html = page.content.decode()
    found = re.findall(r"<a ([^>]*)>(.*?</a>)", html, re.S)
    return [
        unescape(re.search(r'href="([^"]*)"', tag).group(1))
        for tag, inside in found
        if label in re.sub(r'title="[^"]*"', "", tag) or label in " ".join(inside.split())
    ]


def runs_shown(client, address):
    """How many runs the run list at this address shows."""
    return len(re.findall(r'id="run-\d+-name"', client.get(address).content.decode()))


def test_a_day_shows_its_worst_verdict_and_opens_its_runs(viewer, account):
    make_day(make_test(account), TODAY, passed=2, failed=1)
    page = viewer.get("/history/")
    assert 'aria-label="20 Nov, failed, 3 runs" title="20 Nov: 2 passed, 1 failed"' in page.content.decode()
    [address] = links(page, "20 Nov, failed, 3 runs")
    assert "from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z" in address


def test_the_pass_rate_has_its_n_and_interval_and_errors_stand_beside_it(viewer, account):
    make_day(make_test(account), TODAY, passed=6, failed=2, error=1, none=2)
    page = viewer.get("/history/")
    said = text_of(page)
    assert "75 % 95 % interval 41 to 93 %" in said
    assert "75 % of 8" in said
    assert "Judged runs 8 6 passed , 2 failed" in said
    assert "Not judged 3 1 error , 2 without a verdict" in said


def test_no_judged_run_is_no_criteria_not_0_percent(viewer, account):
    make_day(make_test(account), TODAY, none=3)
    said = text_of(viewer.get("/history/"))
    assert "No criteria" in said
    assert "0 %" not in said


def test_tests_stand_worst_first(viewer, account):
    for name, counts in (("always", {"passed": 9}), ("never", {"failed": 9}), ("unjudged", {"none": 9})):
        make_day(make_test(account, name), TODAY, **counts)
    html = viewer.get("/history/").content.decode()
    body = html[html.index("<tbody>") :]
    assert body.index(">never</a>") < body.index(">always</a>") < body.index(">unjudged</a>")


def test_the_change_is_told_in_words_against_the_days_before(viewer, account):
    test = make_test(account)
    make_day(test, TODAY, passed=1, failed=1)
    make_day(test, TODAY - timedelta(days=7), passed=4, failed=1)
    said = text_of(viewer.get("/history/?days=7"))
    assert "30 points worse than the 7 days before" in said
    assert "\u221230 pts worse" in said


@pytest.mark.parametrize("days", [7, 28, 90])
def test_days_choose_the_range(viewer, account, days):
    test = make_test(account)
    make_day(test, TODAY - timedelta(days=days - 1), passed=1)
    make_day(test, TODAY - timedelta(days=days), failed=1)
    page = viewer.get(f"/history/?days={days}")
    assert page.content.decode().count('scope="col" class="') - 7 == days
    assert "100 % of 1" in text_of(page)


def test_filters_by_name_account_and_provider_stay_in_the_links(viewer, account):
    make_day(make_test(account, "Checkout API"), TODAY, passed=1)
    make_day(make_test(account, "Login ramp"), TODAY, passed=1)
    make_day(make_test(make_account("batch", provider="vsts"), "Checkout export"), TODAY, failed=1)

    def names(query):
        html = viewer.get(f"/history/?{query}").content.decode()
        return {name for name in ("Checkout API", "Login ramp", "Checkout export") if f">{name}</a>" in html}

    assert names("name=checkout") == {"Checkout API", "Checkout export"}
    assert names("account=batch") == {"Checkout export"}
    assert names("provider=k6-legacy&name=login") == {"Login ramp"}
    page = viewer.get("/history/?name=checkout&provider=k6-legacy")
    assert "?name=checkout&provider=k6-legacy&days=90" in links(page, "90 days")
    assert "All 1 test" in text_of(page)
    assert all("name=checkout&provider=k6-legacy" in address for address in links(page, "1 passed</a>"))


def test_what_the_address_says_wrongly_is_named(viewer, account):
    make_day(make_test(account), TODAY, passed=1)
    said = text_of(viewer.get("/history/?days=30"))
    assert "30 is not one of the available choices" in said
    assert "100 % of 1" in said


def test_tests_without_a_run_in_the_range_are_counted_not_dropped_in_silence(viewer, account):
    make_day(make_test(account), TODAY, passed=1)
    make_test(account, "quiet")
    assert "1 test without a run in these days not shown" in text_of(viewer.get("/history/"))


def test_pages_hold_fifty_tests_and_totals_hold_all(viewer, account):
    for n in range(TESTS_PER_PAGE + 2):
        make_day(make_test(account, f"test {n:03}"), TODAY, passed=1)
    first, second = viewer.get("/history/"), viewer.get("/history/?page=2")
    assert "Tests 1–50 of 52" in text_of(first)
    assert (first.content.count(b'scope="row"'), second.content.count(b'scope="row"')) == (51, 3)
    for page in (first, second):
        assert "All 52 tests" in text_of(page)
        assert "100 % of 52" in text_of(page)


def test_each_number_opens_as_many_runs_as_it_counts(viewer, account):
    test, other = make_test(account, "Checkout"), make_test(account, "Checkout API")
    number = 0
    for load_test in (test, other):
        for result, status, times in (
            (RunResult.PASSED, RunStatus.FINISHED, 4),
            (RunResult.FAILED, RunStatus.FINISHED, 3),
            (RunResult.ERROR, RunStatus.ERROR, 2),
            (RunResult.NONE, RunStatus.ABORTED, 1),
            (RunResult.NONE, RunStatus.RUNNING, 1),
        ):
            for _ in range(times):
                number += 1
                moment = datetime(2026, 11, 20, 0, number, tzinfo=UTC)
                make_run(load_test, number, result=result, status=status, created_at=moment)
    make_run(test, 900, created_at=datetime(2026, 11, 19, 23, 59, tzinfo=UTC))
    make_run(test, 901, created_at=datetime(2026, 10, 23, 23, 59, tzinfo=UTC))
    refresh_days(Run.objects.all())
    page = viewer.get("/history/")
    labels = {"9 passed": 9, "6 failed": 6, "4 errors": 4, "2 without": 2}
    assert {label: runs_shown(viewer, links(page, label)[0]) for label in labels} == labels
    assert sorted(runs_shown(viewer, address) for address in links(page, "20 Nov, failed, 11 runs")) == [11, 11]
    assert {runs_shown(viewer, address) for address in links(page, "of 8</span>")} == {8}
    assert {runs_shown(viewer, address) for address in links(page, "of 7</span>")} == {7}


@pytest.mark.parametrize("days", [7, 28])
def test_the_page_takes_as_many_queries_for_30_tests_as_for_1(viewer, account, days):
    counts = []
    for wanted in (1, 30):
        for n in range(account.load_tests.count(), wanted):
            test = make_test(account, f"test {n}")
            make_day(test, TODAY, passed=1)
            make_run(test, n)
        with CaptureQueriesContext(connection) as queries:
            viewer.get(f"/history/?days={days}")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_runs_of_the_range_are_not_read(viewer, account):
    make_day(make_test(account), TODAY, passed=1)
    with CaptureQueriesContext(connection) as queries:
        viewer.get("/history/")
    reads = [query["sql"] for query in queries if 'FROM "runs_run"' in query["sql"]]
    assert len([sql for sql in reads if '"load_test_id"' in sql.split("FROM")[0]]) == 1


def test_the_print_has_a_head_with_range_person_time_and_address(viewer, account):
    make_day(make_test(account), TODAY, passed=1)
    html = viewer.get("/history/?days=7").content.decode()
    head = re.search(r'<p class="print-only print-head">.*?</p>', html, re.S).group()
    said = " ".join(re.sub(r"<[^>]+>", " ", head).split())
    assert "All load tests, 14 Nov – 20 Nov 2026." in said
    assert "20 Nov 2026, 13:32:00 UTC by Maya Lindqvist." in said
    assert "http://testserver/history/?days=7" in said


def test_the_prints_head_names_the_tests_that_the_filters_left(viewer, account):
    make_day(make_test(account, "Checkout"), TODAY, passed=1)
    html = viewer.get(f"/history/?name=check&account={account.slug}&provider=k6-legacy").content.decode()
    assert f"Load tests named “check” of {account.name} at Grafana Cloud k6 (legacy API), 24 Oct" in html


def test_a_range_without_a_run_offers_a_longer_one(viewer, account):
    make_day(make_test(account), TODAY - timedelta(days=40), passed=1)
    page = viewer.get("/history/")
    assert "No run in these 28 days" in text_of(page)
    assert links(page, "Look at 90 days") == ["?days=90"]


def test_without_an_account_it_says_so(viewer):
    assert "No account yet" in text_of(viewer.get("/history/"))


def test_it_is_for_people_who_signed_in(client, account):
    assert client.get("/history/").headers["Location"].startswith("/sign-in/")


def test_the_run_list_of_a_test_names_it_and_leaves_others_out(viewer, account):
    one, other = make_test(account, "Checkout"), make_test(account, "Checkout API")
    for test in (one, other):
        make_run(test, test.pk)
    page = viewer.get(f"/runs/?test={one.pk}")
    assert "Load test is Checkout" in text_of(page)
    assert runs_shown(viewer, f"/runs/?test={one.pk}") == 1
    assert runs_shown(viewer, f"/runs/?test={one.pk}&test={other.pk}") == 2
    assert runs_shown(viewer, f"/runs/?test=!{one.pk}") == 1
    assert "Load test: There is no “999999”." in text_of(viewer.get("/runs/?test=999999"))
