"""The run list's columns: chosen and remembered by a person, or given by an address; and what a number broke."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dashboard.models import Preference
from dashboard.run_columns import KEYS, USUAL
from runs.choices import RunResult, RunStatus
from runs.models import RunThreshold
from tests.pages import browser, text_of
from tests.rows import NOW, make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def load_test():
    return make_test(make_account(), "Checkout API")


@pytest.fixture
def person():
    return make_user("viewer")


@pytest.fixture
def viewer(person):
    return browser(person)


def heads(html: str) -> list[str]:
    return re.findall(r'<th class="c-(\w+) ', html)


def cells(html: str) -> list[str]:
    found = re.findall(r'<td role="cell" class="c-(\w+)', re.search(r"<tr id=.*?</tr>", html, re.DOTALL).group())
    assert (found[0], found[-1]) == ("select", "actions")
    return found[1:-1]


def page(client, query: str = "") -> str:
    return client.get(f"/runs/{query}").content.decode()


def save(client, *columns: str, query: str = "", **more: str):
    values = {"columns": columns, "density": "roomy", "query": query, **more}
    return client.post(reverse("run_columns"), values)


def test_without_a_choice_the_usual_columns_are_shown(viewer, load_test):
    make_run(load_test)
    html = page(viewer)
    assert heads(html) == list(USUAL)
    assert len(cells(html)) == len(USUAL)


def test_a_choice_is_remembered_and_status_and_test_always_stay(viewer, load_test):
    make_run(load_test, provider_status="CHECKED", ended_at=NOW)
    response = save(viewer, "ended", "provider_status", query="result=passed&sort=duration")
    assert response["Location"] == "/runs/?result=passed&sort=duration"
    html = page(viewer)
    assert heads(html) == ["status", "test", "ended", "provider_status"]
    assert cells(html) == ["status", "test", "ended", "provider_status"]
    assert "CHECKED" in html


def test_the_usual_columns_come_back_by_one_button(viewer, person, load_test):
    make_run(load_test)
    save(viewer, "id")
    save(viewer, "id", usual="1")
    assert heads(page(viewer)) == list(USUAL)
    assert Preference.objects.get(user=person).columns == ""


def test_each_person_has_their_own(viewer, load_test):
    make_run(load_test)
    save(viewer, "id")
    assert heads(page(browser(make_user("operator")))) == list(USUAL)


@pytest.mark.parametrize("text", ["cols=id,account", "cols=id&cols=account"])
def test_columns_of_an_address_win_over_the_choice_and_change_nothing(viewer, person, load_test, text):
    make_run(load_test)
    save(viewer, "ended")
    html = page(viewer, f"?{text}")
    assert heads(html) == ["status", "test", "account", "id"]
    assert "ended" in Preference.objects.get(user=person).columns


def test_columns_of_an_address_stay_through_sorting_and_filters(viewer, load_test):
    make_run(load_test)
    html = page(viewer, "?cols=started,id")
    for name in ("sort-started", "sort-test"):
        assert "cols=started,id" in re.search(rf'href="([^"]+)"[^>]*id="{name}"', html).group(1)
    assert '<input type="hidden" name="cols" value="status,test,started,id">' in html


def test_every_column_can_be_shown_and_linked_to(viewer, load_test):
    make_run(load_test)
    save(viewer, *KEYS)
    html = page(viewer)
    assert heads(html) == list(KEYS)
    link = re.search(r'href="([^"]+)">Link that shows these columns', html).group(1)
    assert heads(browser(make_user("operator")).get(link).content.decode()) == list(KEYS)


def test_a_column_that_does_not_exist_is_said(viewer, load_test):
    make_run(load_test)
    assert "Columns: There is no “cost”" in text_of(viewer.get("/runs/?cols=cost"))
    assert "none of the run list" in text_of(viewer.post(reverse("run_columns"), {"columns": "cost"}, follow=True))


def test_live_rows_have_the_columns_of_the_page_that_asks(viewer, load_test):
    make_run(load_test, status=RunStatus.RUNNING, result=RunResult.NONE)
    save(viewer, "id")
    poll = re.search(r'id="live-rows"[^>]*hx-get="([^"]+)"', page(viewer)).group(1).replace("&amp;", "&")
    save(viewer, "ended")
    rows = viewer.get(poll).content.decode()
    assert cells(rows) == ["status", "test", "id"]
    assert poll in rows.replace("&amp;", "&")


def test_rows_can_be_compact(viewer, load_test):
    make_run(load_test)
    assert "is-compact" not in page(viewer)
    save(viewer, *USUAL, density="compact")
    assert "is-compact" in page(viewer)


# --- Numbers over their limit ---


@pytest.mark.parametrize(
    ("metric", "condition", "broken", "red"),
    [
        ("http_req_duration", "p(95)<500", True, ["p95"]),
        ("http_req_failed", "rate<0.01", True, ["errors"]),
        ("http_req_duration", "p(95)<500", False, []),
        ("http_req_duration", "p(99)<500", True, []),
        ("http_req_duration{name:/checkout}", "p(95)<500", True, []),
        ("http_req_failed{scenario:buy}", "rate<0.01", True, []),
    ],
)
def test_a_number_is_red_exactly_when_it_broke_its_own_limit(viewer, load_test, metric, condition, broken, red):
    run = make_run(load_test, p95_ms=812, error_rate=0.0184)
    limit = 0.01 if "rate" in condition else 500
    RunThreshold.objects.create(run=run, metric=metric, condition=condition, broken=broken, value=812, limit=limit)
    response = viewer.get("/runs/")
    assert re.findall(r"c-(\w+) num[^\"]* over-limit", response.content.decode()) == red
    assert ("breaks its limit, " in text_of(response)) == bool(red)


def test_limits_take_one_query_however_many_rows(viewer, load_test):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            page(viewer)
        return len(queries)

    for number in range(3):
        run = make_run(load_test, number, p95_ms=812)
        RunThreshold.objects.create(run=run, metric="http_req_duration", condition="p(95)<500", broken=True)
        if number == 0:
            page(viewer)
            one = asked()
    assert asked() == one


# --- The menu of a row ---


def menu(html: str) -> str:
    return re.search(r'<details class="menu" id="run-.*?</details>', html, re.DOTALL).group()


@pytest.mark.parametrize(
    ("url", "offered"), [("https://app.k6.io/runs/7", True), ("javascript:x()", False), ("", False)]
)
def test_a_row_leads_to_the_provider_where_it_gave_a_web_address(viewer, load_test, url, offered):
    make_run(load_test, web_url=url)
    found = menu(page(viewer))
    assert ("Open at Grafana Cloud k6" in found) == offered
    assert "javascript:" not in found


def test_the_menu_of_a_row_adds_its_test_to_the_filters_and_offers_to_start_it_again(load_test):
    run = make_run(load_test)
    found = menu(page(browser(make_user("operator")), "?result=passed"))
    assert f"?test={load_test.pk}&amp;result=passed" in found
    assert reverse("run_start_again", args=[run.pk]) in found
    assert f'data-copy-text="{run.external_id}"' in found
    assert "Start again" not in menu(page(browser(make_user("viewer"))))


def test_clearing_the_filters_keeps_the_columns_of_the_address(viewer, load_test):
    make_run(load_test)
    html = page(viewer, "?result=passed&cols=status,test,id")
    assert re.findall(r'class="clear" href="([^"]+)"', html) == ["/runs/?cols=status,test,id"]


def test_more_columns_than_usual_stand_in_a_frame_that_scrolls(viewer, load_test):
    make_run(load_test)
    assert "is-many" not in page(viewer)
    assert "runs-wrap is-many" in page(viewer, f"?cols={','.join(KEYS)}")
