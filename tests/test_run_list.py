"""The run list: what a row shows, one address for everything, parts for HTMX, and live rows."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs.choices import RunResult, RunStatus, StopReason
from runs.models import Person, RunThreshold, SyncState
from tests.rows import NOW, make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    account = make_account()
    SyncState.objects.create(account=account, last_good_at=timezone.now())
    return account


@pytest.fixture
def load_test(account):
    return make_test(account, "Checkout API")


def page(client, query: str = "", **headers: str) -> str:
    response = client.get(f"/runs/{query}", headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def words(html: str) -> str:
    """The text a person reads."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def row(html: str, run) -> str:
    return words(re.search(rf'<tr id="run-{run.pk}".*?</tr>', html, re.DOTALL).group())


@pytest.mark.parametrize(
    ("status", "result", "reason", "shown"),
    [
        (RunStatus.CREATED, RunResult.NONE, "", "Created Not yet"),
        (RunStatus.RUNNING, RunResult.NONE, "", "Running Not yet"),
        (RunStatus.PROCESSING, RunResult.NONE, "", "Processing Not yet"),
        (RunStatus.FINISHED, RunResult.PASSED, "", "Finished Passed"),
        (RunStatus.FINISHED, RunResult.FAILED, "", "Finished Failed"),
        (RunStatus.FINISHED, RunResult.NONE, "", "Finished No criteria"),
        (RunStatus.ABORTED, RunResult.NONE, StopReason.USER, "Aborted by user No verdict"),
        (RunStatus.ABORTED, RunResult.FAILED, StopReason.THRESHOLD, "Aborted threshold Failed"),
        (RunStatus.TIMED_OUT, RunResult.ERROR, StopReason.LIMIT, "Timed out Error"),
        (RunStatus.ERROR, RunResult.ERROR, "", "Error Error"),
        (RunStatus.UNKNOWN, RunResult.NONE, "", "ARCHIVED No verdict"),
    ],
)
def test_status_and_result_are_two_pills(client, load_test, status, result, reason, shown):
    words = {"status": status, "result": result, "stop_reason": reason, "provider_status": "ARCHIVED"}
    run = make_run(load_test, details_at=NOW, **words)
    client.force_login(make_user("viewer"))
    assert row(page(client), run).startswith(shown)


@pytest.mark.parametrize(
    ("so_far", "shown"),
    [
        ({"details_at": None}, "Finished Not yet"),
        ({"results_incomplete": True}, "Finished No verdict"),
        ({"details_error": "Not the documented shape."}, "Finished No verdict"),
    ],
)
def test_only_what_was_read_in_full_can_have_no_criteria(client, load_test, so_far, shown):
    run = make_run(load_test, result=RunResult.NONE, **{"details_at": NOW, **so_far})
    client.force_login(make_user("viewer"))
    assert row(page(client), run).startswith(shown)


def test_a_live_run_with_a_broken_criterion_is_failing(client, load_test):
    run = make_run(load_test, status=RunStatus.RUNNING, result=RunResult.NONE)
    RunThreshold.objects.create(run=run, metric="http_req_duration", condition="p(95)<500", broken=True)
    client.force_login(make_user("viewer"))
    assert row(page(client), run).startswith("Running Failing")


def test_a_row_shows_the_numbers_with_their_units(client, load_test):
    maya = Person.objects.create(key="7", display="Maya Lindqvist")
    run = make_run(
        load_test, requested_by=maya, duration_s=391, virtual_users=1200, p95_ms=499.6, error_rate=0.0184
    )  # fmt: skip
    client.force_login(make_user("viewer"))
    shown = row(page(client), run)
    for part in ("Checkout API #214", "k6 retail-prod", "Maya Lindqvist", "6:31", "1,200", "499.6 ms", "1.84 %"):
        assert part in shown


def test_a_missing_number_is_a_dash_and_never_zero(client, load_test):
    run = make_run(load_test)
    client.force_login(make_user("viewer"))
    html = re.search(rf'<tr id="run-{run.pk}".*?</tr>', page(client), re.DOTALL).group()
    for column in ("c-duration", "c-vus", "c-p95", "c-errors"):
        assert "–" in words(re.search(rf"<td[^>]*{column}.*?</td>", html, re.DOTALL).group())


def test_a_running_row_shows_time_against_the_plan(client, load_test):
    begun = timezone.now() - timedelta(seconds=900)
    run = make_run(
        load_test, status=RunStatus.RUNNING, result=RunResult.NONE, load_started_at=begun, planned_duration_s=1800
    )  # fmt: skip
    client.force_login(make_user("viewer"))
    html = page(client)
    assert re.search(r"15:0\d / 30:00", row(html, run))
    assert 'width="50.' in html


@pytest.mark.parametrize(
    ("role", "status", "read_only", "offered"),
    [
        ("operator", RunStatus.RUNNING, False, "stop"),
        ("operator", RunStatus.QUEUED, False, "stop"),
        ("operator", RunStatus.PROCESSING, False, ""),
        ("operator", RunStatus.FINISHED, False, "again"),
        ("operator", RunStatus.RUNNING, True, ""),
        ("operator", RunStatus.FINISHED, True, ""),
        ("viewer", RunStatus.RUNNING, False, ""),
        ("viewer", RunStatus.FINISHED, False, ""),
        ("admin", RunStatus.RUNNING, False, "stop"),
    ],
)
def test_actions_are_offered_where_they_are_allowed(client, load_test, role, status, read_only, offered):
    load_test.account.read_only = read_only
    load_test.account.save()
    run = make_run(load_test, status=status, result=RunResult.NONE)
    client.force_login(make_user(role))
    html = page(client)
    assert (f'href="{reverse("run_stop", args=[run.pk])}"' in html) == (offered == "stop")
    assert (f'href="{reverse("run_start_again", args=[run.pk])}"' in html) == (offered == "again")


def test_a_stop_that_was_asked_for_is_said_and_not_offered_again(client, load_test):
    asked = timezone.now() - timedelta(seconds=12)
    run = make_run(load_test, status=RunStatus.RUNNING, result=RunResult.NONE, stop_requested_at=asked)
    client.force_login(make_user("operator"))
    html = page(client)
    assert re.search(r"Running stop asked 0:1\d ago", row(html, run))
    assert reverse("run_stop", args=[run.pk]) not in html


def test_the_strip_says_the_last_runs_of_the_test(client, load_test):
    for number in range(1, 13):
        ago = timedelta(days=number)
        make_run(load_test, number, result=RunResult.FAILED if number == 3 else RunResult.PASSED,
                 created_at=timezone.now() - ago)  # fmt: skip
    client.force_login(make_user("viewer"))
    assert "Last 10 runs, oldest first: 9 passed, 1 failed" in page(client)


def test_the_count_says_what_is_hidden_and_by_what(client, load_test):
    make_run(load_test, 1)
    make_run(load_test, 2, result=RunResult.FAILED)
    make_run(load_test, 3, result=RunResult.FAILED)
    client.force_login(make_user("viewer"))
    assert "3 runs" in words(page(client))
    assert "2 of 3 runs · 1 hidden by 1 filter" in words(page(client, "?result=failed"))


def test_past_the_cap_the_count_says_so(client, load_test, monkeypatch):
    monkeypatch.setattr("runs.listing.COUNT_CAP", 2)
    monkeypatch.setattr("dashboard.run_rows.COUNT_CAP", 2)
    for number in range(4):
        make_run(load_test, number)
    client.force_login(make_user("viewer"))
    assert "2+ runs" in words(page(client))
    html = words(page(client, "?status=finished&sort=duration"))
    assert "2+ of 2+ runs · some hidden by 1 filter" in html
    assert "that many can only be shown by time" in html


def test_pages_lead_on_and_back(client, load_test):
    for number in range(60):
        make_run(load_test, number, created_at=timezone.now() - timedelta(hours=number))
    client.force_login(make_user("viewer"))
    first = page(client, "?status=finished")
    older = re.search(r'href="([^"]+)" rel="next"', first).group(1).replace("&amp;", "&")
    assert "status=finished" in older
    second = client.get(older).content.decode()
    assert second.count("<tr id=") == 10
    assert 'rel="next"' not in second
    newer = re.search(r'href="([^"]+)" rel="prev"', second).group(1).replace("&amp;", "&")
    again = client.get(newer).content.decode()
    assert re.findall(r'<tr id="(run-\d+)"', again) == re.findall(r'<tr id="(run-\d+)"', first)


def test_the_same_number_of_queries_for_1_row_and_50(client, load_test):
    client.force_login(make_user("operator"))
    maya = Person.objects.create(key="7", display="Maya")
    make_run(load_test, 1, status=RunStatus.RUNNING, result=RunResult.NONE, requested_by=maya)
    page(client)
    with CaptureQueriesContext(connection) as one:
        page(client)
    for number in range(2, 60):
        test = make_test(load_test.account, f"Test {number}")
        make_run(test, number, status=RunStatus.RUNNING, result=RunResult.NONE, requested_by=maya)
    with CaptureQueriesContext(connection) as fifty:
        assert page(client).count("<tr id=") == 50
    assert len(fifty) == len(one)


def test_htmx_gets_the_table_and_the_menus_under_the_same_address(client, load_test):
    make_run(load_test)
    client.force_login(make_user("viewer"))
    response = client.get("/runs/?name=check&status=&after=", headers={"HX-Request": "true", "HX-Target": "runs"})
    html = response.content.decode()
    assert "<html" not in html
    assert "<table" in html
    assert '<div id="facets"' in html
    assert not re.search(r"<tr[^>]*hx-swap-oob", html)  # rows belong to the table, not beside it
    assert response["HX-Push-Url"] == "/runs/?name=check"
    for header in ("HX-Request", "HX-Target"):
        assert header in response["Vary"]
    assert "<html" in page(client, "?name=check", **{"HX-Request": "true", "HX-Target": "something-else"})


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?from=2026-10-25&to=2026-11-21", [("from", "date", "2026-10-25"), ("to", "date", "2026-11-21")]),
        (
            "?from=2026-10-25T00:00:00Z&to=2026-11-22T00:00:00Z",
            [("from", "text", "2026-10-25T00:00:00Z"), ("to", "text", "2026-11-22T00:00:00Z")],
        ),
        ("", [("from", "date", ""), ("to", "date", "")]),
    ],
)
def test_the_form_sends_the_dates_of_the_address_again_as_they_are(client, load_test, query, fields):
    client.force_login(make_user("viewer"))
    found = re.findall(r'type="(\w+)" id="(from|to)" name="\2" value="([^"]*)"', page(client, query))
    assert [(key, kind, value) for kind, key, value in found] == fields


def test_a_wrong_filter_is_said_and_shows_no_rows(client, load_test):
    make_run(load_test)
    client.force_login(make_user("viewer"))
    html = page(client, "?status=foo&tag=x")
    assert "There is no “foo”" in html
    assert "There is no filter “tag”" in html
    assert "<tr id=" not in html


def test_what_a_person_searched_for_is_escaped(client, load_test):
    client.force_login(make_user("viewer"))
    assert "<script>alert" not in page(client, "?name=<script>alert(1)</script>&requested_by=<script>alert(1)</script>")


# --- Live rows ---


def test_only_rows_that_have_not_ended_are_asked_for(client, load_test):
    live = make_run(load_test, 1, status=RunStatus.RUNNING, result=RunResult.NONE)
    make_run(load_test, 2)
    client.force_login(make_user("viewer"))
    html = page(client, "?name=check")
    poll = re.search(r'id="live-rows"[^>]*hx-get="([^"]+)"', html).group(1).replace("&amp;", "&")
    assert poll.startswith(f"/runs/rows/?name=check&id={live.pk}&since=")
    assert "data-live" in html


def test_without_live_rows_only_the_first_page_asks_and_only_for_new_runs(client, load_test):
    for number in range(51):
        make_run(load_test, number, created_at=timezone.now() - timedelta(hours=number))
    client.force_login(make_user("viewer"))
    first = page(client)
    asks = re.search(r'<div id="live-rows".*?>', first).group()
    assert "since=" in asks
    assert "data-live" not in asks
    older = re.search(r'href="/runs/([^"]+)" rel="next"', first).group(1).replace("&amp;", "&")
    for query in (older, "?sort=started", "?sort=-p95"):
        assert "hx-get" not in re.search(r'<div id="live-rows".*?>', page(client, query)).group()


def test_live_rows_come_one_by_one_and_stop_when_all_have_ended(client, load_test):
    ended = make_run(load_test, 1)
    live = make_run(load_test, 2, status=RunStatus.RUNNING, result=RunResult.NONE)
    client.force_login(make_user("viewer"))
    url = reverse("run_rows")
    html = client.get(url, {"id": [ended.pk, live.pk]}).content.decode()
    assert html.count('hx-swap-oob="true"') == 4  # two rows, who has ended, and who asks next
    assert f"id={live.pk}" in html
    assert f"?id={ended.pk}" not in html
    html = client.get(url, {"id": [ended.pk]}).content.decode()
    assert "hx-trigger" not in html


@pytest.mark.parametrize("text", ["x", "1e3", "-1", "²", "9" * 30])
def test_rows_that_are_no_numbers_are_refused(client, text):
    client.force_login(make_user("viewer"))
    assert client.get(reverse("run_rows"), {"id": text}).status_code == 400


# --- Nothing to show ---


def test_without_an_account_an_admin_is_led_to_add_one(client):
    client.force_login(make_user("admin"))
    html = page(client)
    assert "Connect your first account" in html
    assert reverse("account_new") in html


def test_without_an_account_others_are_told_who_adds_them(client):
    client.force_login(make_user("viewer"))
    html = page(client)
    assert "added by an admin" in html
    assert reverse("account_new") not in html


def test_when_filters_hide_everything_the_narrowest_is_named(client, load_test):
    for number in range(3):
        make_run(load_test, number)
    client.force_login(make_user("viewer"))
    html = words(page(client, "?name=checkout&status=queued"))
    assert "No run matches these 2 filters" in html
    assert "The narrowest filter is Status is Queued; without it 3 runs match." in html


def test_an_account_without_runs_says_so(client, account):
    client.force_login(make_user("operator"))
    assert "No runs yet" in page(client)


def test_a_failing_account_says_why_and_as_of_when(client, account, load_test):
    run = make_run(load_test)
    account.sync.error = "Grafana Cloud k6 refused the token (401). Enter a new one."
    account.sync.last_good_at = timezone.now() - timedelta(hours=14)
    account.sync.save()
    client.force_login(make_user("viewer"))
    html = page(client)
    assert "Grafana Cloud k6 refused the token (401). Enter a new one. What you see of it is from" in words(html)
    assert f'id="run-{run.pk}"' in html


def test_an_account_asked_for_that_has_no_runs_at_all_says_so(client, account, load_test):
    make_run(load_test)
    make_test(make_account("fabrikam", "vsts", base_url="https://fabrikam.vsclt.visualstudio.com"), "Login")
    client.force_login(make_user("operator"))
    html = words(page(client, "?account=fabrikam"))
    assert "fabrikam has no runs yet" in html
    assert "1 load test found, and no run of it" in html
    assert "has no runs yet" not in page(client, "?account=retail-prod&status=queued")


@pytest.mark.parametrize(
    ("role", "paused", "offered"), [("admin", False, 1), ("admin", True, 0), ("operator", False, 0)]
)
def test_who_may_can_let_a_failing_account_be_tried_now(client, account, role, paused, offered):
    SyncState.objects.update(error="Grafana Cloud k6 does not answer.", paused=paused)
    client.force_login(make_user(role))
    html = page(client)
    assert "Grafana Cloud k6 does not answer." in html
    assert html.count("Try now") == offered


def test_status_and_result_in_a_row_add_a_filter(client, load_test):
    make_run(load_test, result=RunResult.FAILED)
    client.force_login(make_user("viewer"))
    html = page(client, "?name=check")
    assert 'href="/runs/?name=check&amp;status=finished" title="Only Finished"' in html
    assert 'href="/runs/?name=check&amp;result=failed" title="Only Failed"' in html
