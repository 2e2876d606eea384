"""The menus of the run list's filter bar: numbers under all other filters, finding people, what the form would show."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.choices import RunResult, RunStatus
from runs.models import Person
from tests.rows import make_account, make_run, make_test

pytestmark = pytest.mark.django_db


@pytest.fixture
def load_test():
    return make_test(make_account("retail-prod"), "Checkout API")


@pytest.fixture
def maya(load_test):
    return Person.objects.create(account=load_test.account, key="maya", display="Maya Lindqvist")


@pytest.fixture
def runs(load_test, maya):
    """Three passed, two failed, one live; Maya's are one passed and one failed."""
    fabrikam = make_account("fabrikam", "vsts", base_url="https://fabrikam.vsclt.visualstudio.com")
    make_run(load_test, 1, requested_by=maya)
    make_run(load_test, 2)
    make_run(make_test(fabrikam, "Login"), 3)
    make_run(load_test, 4, result=RunResult.FAILED, requested_by=maya)
    make_run(load_test, 5, result=RunResult.FAILED)
    make_run(load_test, 6, status=RunStatus.RUNNING, result=RunResult.NONE)


def asked(client, key: str, query: str = "", **headers: str) -> str:
    response = client.get(reverse("run_facet", args=[key]) + query, headers={"HX-Request": "true", **headers})
    assert response.status_code == 200
    return response.content.decode()


def numbers(client, key: str, query: str = "") -> dict[str, str]:
    """Value -> number, matched as the browser does: by the ids on the page."""
    page = client.get(f"/runs/{query}").content.decode()
    menu = page[page.index(f'id="options-{key}"') : page.index(f'id="foot-{key}"')]
    places = re.findall(r'value="([^"]*)" aria-describedby="([^"]+)"', menu)
    came = dict(re.findall(r'hx-swap-oob="innerHTML:#([^"]+)">([^<]*)<', asked(client, key, query)))
    return {value: came[place] for value, place in places}


def foot(html: str, key: str) -> str:
    return re.search(rf'innerHTML:#foot-{key}">(?:<span[^>]*>)?([^<]*)<', html).group(1)


def test_each_value_says_how_many_runs_it_has_under_all_other_filters(viewer, runs):
    assert numbers(viewer, "result") == {"passed": "3", "failed": "2", "error": "0", "none": "1"}
    assert numbers(viewer, "result", "?account=retail-prod&result=failed&result=!none") == {
        "passed": "2", "failed": "2", "error": "0", "none": "1",
    }  # fmt: skip
    assert numbers(viewer, "account", "?result=passed") == {"retail-prod": "2", "fabrikam": "1"}
    assert numbers(viewer, "provider", "?status=!running")["vsts"] == "1"
    assert numbers(viewer, "status", "?name=checkout")["running"] == "1"
    assert numbers(viewer, "requested_by", "?result=failed") == {"Maya Lindqvist": "1"}


def test_a_number_is_what_choosing_only_this_value_shows(viewer, runs):
    for value, number in numbers(viewer, "result", "?account=retail-prod").items():
        page = viewer.get(f"/runs/?account=retail-prod&result={value}").content.decode()
        assert page.count('<tr id="run-') == int(number)


def test_a_run_with_two_requesters_counts_for_both_and_once_for_one_name(viewer, load_test, maya):
    tomas = Person.objects.create(key="tomas", display="Tomás")
    here = Person.objects.create(key="maya", display="Maya Lindqvist")
    make_run(load_test, 1, requested_by=tomas, provider_requested_by=maya)
    make_run(load_test, 2, requested_by=here, provider_requested_by=maya)
    assert numbers(viewer, "requested_by") == {"Maya Lindqvist": "2", "Tomás": "1"}


def test_the_foot_says_what_applying_would_show(viewer, runs):
    assert foot(asked(viewer, "result", "?result=failed&result=none&account=retail-prod"), "result") == "3 of 5 runs"
    assert foot(asked(viewer, "status", "?status=queued&result=none"), "status") == "0 of 1 run"
    assert "Show 3 runs" in asked(viewer, "result", "?result=failed&result=none")


def test_what_cannot_be_read_is_said_in_the_foot(viewer, runs):
    html = asked(viewer, "status", "?status=finished&from=nonsense")
    assert foot(html, "status").startswith("From: Write it as a date")


def test_past_the_cap_numbers_say_so(viewer, runs, monkeypatch):
    for module in ("runs.listing", "dashboard.facets"):
        monkeypatch.setattr(f"{module}.COUNT_CAP", 2)
    assert numbers(viewer, "result") == {"passed": "2+", "failed": "2", "error": "0", "none": "1"}
    assert foot(asked(viewer, "result"), "result") == "2+ of 2+ runs"


def test_people_are_found_by_part_of_their_name_and_the_chosen_stay(viewer, runs, monkeypatch):
    monkeypatch.setattr("dashboard.facets.MENU_PEOPLE", 2)
    for name in ("Aiko Tanaka", "Jonas Weber", "Priya Raman"):
        Person.objects.create(key=name, display=name)
    page = viewer.get("/runs/").content.decode()
    assert 'name="find"' in page
    assert "Priya Raman" not in page
    html = asked(viewer, "requested_by", "?find=ram&requested_by=Jonas+Weber", **{"HX-Target": "options-requested_by"})
    assert re.findall(r'value="([^"]*)"[^>]*?( checked)?>', html) == [("Jonas Weber", " checked"), ("Priya Raman", "")]
    nobody = asked(viewer, "requested_by", "?find=xyz%00", **{"HX-Target": "options-requested_by"})
    assert "Nobody goes by that name" in nobody


def test_the_same_number_of_queries_however_many_values_there_are(viewer, load_test, maya):
    make_run(load_test, 1, requested_by=maya)
    asked(viewer, "requested_by")
    with CaptureQueriesContext(connection) as one:
        asked(viewer, "requested_by")
    for number in range(2, 30):
        make_run(load_test, number, requested_by=Person.objects.create(key=str(number), display=f"Person {number}"))
    with CaptureQueriesContext(connection) as many:
        asked(viewer, "requested_by")
    assert len(many) == len(one)


@pytest.mark.parametrize("key", ["name", "started", "colour"])
def test_only_menus_can_be_asked_for(viewer, key):
    assert viewer.get(reverse("run_facet", args=[key])).status_code == 404


def test_the_order_can_be_chosen_where_there_are_no_heads(viewer, runs):
    page = viewer.get("/runs/?sort=-p95").content.decode()
    assert '<option value="-p95" selected>Highest p95 first</option>' in page
    page = viewer.get("/runs/?sort=-status").content.decode()
    assert '<option value="-status" selected>Sorted by status, Z to A</option>' in page
