"""Jump to: what a few letters lead to, for whom, and as what."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.models import SavedView
from tests.pages import HTMX_DIALOG, browser, text_of
from tests.rows import NOW, make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db

HTMX_RESULTS = {"HX-Request": "true", "HX-Target": "jump-results"}


@pytest.fixture
def viewer():
    return browser(make_user("viewer", "vera"))


@pytest.fixture
def account():
    return make_account("retail-prod")


def places(client, typed: str) -> dict[str, list[str]]:
    """Addresses by the heading of their group, in the page's order."""
    html = client.get("/jump/", {"q": typed}).content.decode()
    groups = re.findall(r'class="jump-title"[^>]*>([^<]+)<(.*?)(?=<div class="jump-group"|</form>)', html, re.DOTALL)
    return {name: re.findall(r'<a href="([^"]+)"', inside) for name, inside in groups}


def test_with_nothing_typed_it_offers_the_pages_and_the_views(viewer):
    shared = SavedView.objects.create(owner=make_user("viewer", "other"), name="Nightlies", shared=True, query="name=x")
    found = places(viewer, "")
    assert list(found) == ["Pages", "Views"]
    assert found["Pages"][:3] == ["/runs/", "/tests/", "/history/"]
    assert found["Views"][0] == "/runs/?view=mine"
    assert found["Views"][-1] == f"/runs/?view={shared.pk}"


@pytest.mark.parametrize("typed", ["215", "#215"])
def test_an_exact_run_number_is_first(viewer, account, typed):
    run = make_run(make_test(account, "Checkout"), 215)
    named = make_test(account, "Peak 215")
    make_run(named, 1)
    found = places(viewer, typed)
    assert next(iter(found)) == "Runs"
    assert found["Runs"][0] == f"/runs/{run.pk}/"


def test_a_run_is_found_by_its_providers_id(viewer, account):
    run = make_run(make_test(account), 7, external_id="0f3c-aa")
    assert places(viewer, "0f3c-aa") == {"Runs": [f"/runs/{run.pk}/"]}


def test_a_load_tests_name_finds_the_test_and_its_newest_runs(viewer, account):
    load_test = make_test(account, "Checkout API")
    make_test(account, "Login")
    runs = [make_run(load_test, n, created_at=NOW + timedelta(minutes=n)) for n in range(1, 9)]
    found = places(viewer, "checkout")
    assert found["Load tests"] == [f"/tests/{load_test.pk}/"]
    assert found["Runs"] == [f"/runs/{run.pk}/" for run in runs[:1:-1]]


def test_an_account_leads_admins_to_its_page_and_others_to_its_runs(viewer, account):
    assert places(viewer, "retail")["Accounts"] == ["/runs/?account=retail-prod"]
    assert places(browser(make_user("admin")), "retail")["Accounts"] == ["/accounts/retail-prod/"]


def test_pages_of_admins_are_offered_to_admins_only(viewer):
    assert places(viewer, "users") == {}
    assert places(viewer, "")["Pages"] == [
        "/runs/",
        "/tests/",
        "/history/",
        "/views/",
        "/guards/",
        "/me/",
        "/shortcuts/",
    ]
    assert places(browser(make_user("admin")), "users") == {"Pages": ["/users/"]}


def test_nobody_sees_the_views_that_others_keep_to_themselves(viewer):
    SavedView.objects.create(owner=make_user("admin"), name="Secret plans", query="name=merger")
    assert "merger" not in viewer.get("/jump/?q=secret").content.decode()


def test_what_is_typed_comes_back_as_text(viewer):
    answer = viewer.get("/jump/", {"q": '<b>"x"\0'})
    assert "<b>" not in answer.content.decode().partition("<main")[2]
    assert 'Nothing is called “<b>"x"”' in text_of(answer)


def test_the_dialog_is_a_combobox_and_its_results_come_alone(viewer, account):
    make_run(make_test(account, "Checkout"), 215)
    inside = viewer.get("/jump/", headers=HTMX_DIALOG).content.decode()
    assert "<html" not in inside
    assert 'role="combobox"' in inside
    assert 'role="listbox"' in inside
    results = viewer.get("/jump/?q=215", headers=HTMX_RESULTS).content.decode()
    assert "<form" not in results
    assert results.count('role="option"') == 1
    assert '<p id="jump-count" hx-swap-oob="innerHTML">1 place</p>' in results
    assert 'role="option"' not in viewer.get("/jump/?q=215").content.decode()


def test_it_takes_as_many_queries_for_many_places_as_for_few(viewer, account):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            viewer.get("/jump/?q=e")
        return len(seen)

    make_run(make_test(account, "e 1"), 1)
    few = queries()
    for n in range(2, 9):
        make_run(make_test(make_account(f"e {n}"), f"e {n}"), n)
    assert queries() == few
