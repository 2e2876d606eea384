"""A run's page: what it says in each situation, on each tab, for each role; without JavaScript and while it polls."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from runs.choices import RunResult, RunStatus
from runs.models import Run, RunMetric, SyncState
from tests.rows import NOW, make_account, make_run, make_test
from tests.run_page_rows import (
    TABS,
    add_threshold,
    failed_k6_run,
    failed_vsts_run,
    live_run,
    make_person,
    page,
    passed_before,
    text,
)

pytestmark = pytest.mark.django_db


# --- Above the tabs --------------------------------------------------------------------------------------------------


def test_the_first_thing_after_the_title_is_what_happened(viewer):
    html = page(viewer, failed_k6_run())
    title, verdict = html.index("</h1>"), html.index('class="verdict"')
    assert title < verdict < html.index('id="run-tabs"')
    assert "Failed: p95 of POST /checkout was 812 ms, limit 500 ms." in text(html)
    assert "Errors also failed: 1.84 %, limit 1 %." in text(html)
    assert "failed: <b>1.84\u00a0%</b>, limit" in html


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_has_its_own_address_and_shows_the_same_head(viewer, tab):
    run = failed_vsts_run()
    html = page(viewer, run, tab)
    assert "WebShop.loadtest" in html
    assert "#1083" in html
    assert "Failed: LoadTest:Page / Avg. Page Time was 2.25, limit 1.5." in text(html)
    current = re.findall(r'<a id="tab-(\w+)" href="([^"]*)" aria-current="page"', html)
    assert current == [("summary" if tab == "page" else tab, reverse(f"run_{tab}", args=[run.pk]))]


def test_the_head_says_where_who_when_how_long_and_how_much(viewer):
    said = text(page(viewer, failed_k6_run()))
    for part in ("retail-prod", "Maya Lindqvist", "30:00 of 30:00", "400 VUs", "4731902", "Final, synced"):
        assert part in said


@pytest.mark.parametrize(
    ("external_id", "shown"),
    [
        ("6130cab4-768c-4ebf-9b13-a2f58f371395", "#6130cab4"),
        ("2026-11-22T09:05:11Z", "#2026-11-22T09:05:11Z"),
        ("nightly-of-today", "#nightly-of-today"),
    ],
)
def test_a_run_without_a_number_is_called_by_its_id_and_a_guid_by_its_beginning(viewer, a_test, external_id, shown):
    run = make_run(a_test, None, external_id=external_id)
    head = text(page(viewer, run)).partition("Summary")[0]
    assert f"{a_test.name} {shown}" in head
    assert external_id in head


def test_how_fresh_the_page_is_tells_its_absolute_time_on_focus_too(viewer):
    html = page(viewer, failed_k6_run())
    assert re.search(r'Final, synced <time [^>]* title="20 Nov 2026, 13:12:00 UTC" tabindex="0"', html)


def test_the_page_prints_where_it_came_from(viewer):
    run = failed_k6_run()
    said = text(page(viewer, run))
    assert "printed by viewer on" in said
    assert f"from http://testserver{reverse('run_page', args=[run.pk])}" in said


def test_a_run_asked_for_here_names_our_person_and_the_providers(viewer, a_test):
    token_user = make_person(a_test.account, "ci-token")
    run = make_run(a_test, requested_by=make_person(a_test.account, "Ana"), provider_requested_by=token_user)
    assert "Ana as ci-token" in text(page(viewer, run))


def test_tabs_count_what_is_behind_them(viewer):
    tabs = page(viewer, failed_k6_run()).split('id="run-tabs"')[1].split("</nav>")[0]
    said = "Summary Errors 7,596 Thresholds 2/6 2 of 6 failed Metrics Messages 3 Config"
    assert text(tabs.partition(">")[2]).startswith(said)
    assert 'title="2 of 6 failed"' in tabs


def test_a_run_gone_at_the_provider_stays_and_says_so(viewer, a_test):
    said = text(page(viewer, make_run(a_test, gone_at=NOW, details_at=NOW)))
    assert "Gone at Grafana Cloud k6 (legacy API), kept here" in said


def test_a_failing_sync_is_named_beside_the_age_of_what_is_shown(viewer, a_test):
    SyncState.objects.create(account=a_test.account, error="Grafana Cloud k6 refused the token.")
    said = text(page(viewer, make_run(a_test, details_at=NOW)))
    assert "As of" in said
    assert "Grafana Cloud k6 refused the token. What you see is as of 20 Nov 2026, 13:32:00 UTC ." in said


def test_a_disabled_account_is_said_to_be_off(viewer):
    account = make_account(enabled=False)
    said = text(page(viewer, make_run(make_test(account), details_at=NOW)))
    assert "retail-prod is switched off: nothing is read from Grafana Cloud k6 (legacy API)." in said


def test_details_that_could_not_be_read_are_no_good_news(viewer, a_test):
    run = make_run(
        a_test, result=RunResult.NONE, details_at=NOW, details_error="The errors were not in the documented shape."
    )
    said = text(page(viewer, run))
    assert "Details of this run could not be read: The errors were not in the documented shape." in said
    assert "No errors in this run" not in said
    assert "Errors could not be read" in text(page(viewer, run, "errors"))


@pytest.mark.parametrize("tab", ["page", "errors"])
def test_details_not_read_yet_are_not_no_errors(viewer, a_test, tab):
    run = make_run(a_test, result=RunResult.NONE)
    said = text(page(viewer, run, tab))
    assert "rrors are not read yet" in said
    assert "No errors in this run" not in said


@pytest.mark.parametrize("tab", ["page", "errors"])
def test_a_live_run_without_errors_has_none_so_far(viewer, a_test, tab):
    live = make_run(a_test, status=RunStatus.RUNNING, result=RunResult.NONE, details_at=NOW)
    said = text(page(viewer, live, tab))
    assert "No errors in this run so far" in said
    assert "keeps no archive" not in said


def test_a_run_of_unknown_status_does_not_promise_its_details(viewer, a_test):
    said = text(page(viewer, make_run(a_test, status=RunStatus.UNKNOWN, result=RunResult.NONE), "errors"))
    assert "Errors are not read while the run's status is not known" in unescape(said)


@pytest.mark.parametrize("tab", ["page", "errors"])
def test_no_errors_is_said_once_they_were_read(viewer, a_test, tab):
    assert "No errors in this run" in text(page(viewer, make_run(a_test, details_at=NOW), tab))


@pytest.mark.parametrize(
    ("result", "sentence"),
    [("passed", "No threshold was broken."), ("failed", "names no thresholds."), ("none", "names no thresholds.")],
)
def test_thresholds_that_nobody_names_may_still_have_been_set(viewer, a_test, result, sentence):
    run = make_run(a_test, result=result, details_at=NOW)
    assert sentence in text(page(viewer, run))
    assert "Some name only those that were broken." in text(page(viewer, run, "thresholds"))


def test_an_unknown_word_is_shown_as_the_provider_wrote_it_and_never_as_passed(viewer, a_test):
    run = make_run(a_test, status=RunStatus.UNKNOWN, result=RunResult.NONE, provider_status="ARCHIVED")
    html = page(viewer, run)
    assert escape('Unknown: the provider says "ARCHIVED".') in html
    assert "Passed" not in html


def test_the_runs_before_and_after_are_one_click_away(viewer, a_test):
    first, run, last = (make_run(a_test, n, created_at=NOW - timedelta(days=9 - n)) for n in (1, 2, 3))
    make_run(make_test(a_test.account, "Another test"), 9, created_at=NOW - timedelta(days=7, hours=1))
    html = page(viewer, run)
    assert re.findall(r'href="([^"]+)" rel="(prev|next)"', html) == [
        (reverse("run_page", args=[first.pk]), "prev"),
        (reverse("run_page", args=[last.pk]), "next"),
    ]


@pytest.mark.parametrize("tab", TABS)
def test_neighbours_and_a_menu_are_on_every_tab(viewer, tab):
    run = failed_k6_run()
    before = passed_before(run)
    html = page(viewer, run, tab)
    assert f'href="{reverse("run_page", args=[before.pk])}" rel="prev"' in html
    assert "#213 passed" in text(html)
    menu = html.split('id="run-menu"')[1].split("</details>")[0]
    assert 'href="https://app.k6.io/runs/4731902" rel="noreferrer noopener"' in menu
    assert f'data-copy-text="http://testserver{reverse("run_page", args=[run.pk])}"' in menu


def test_no_such_run_is_a_404_on_every_tab(viewer):
    assert {viewer.get(reverse(f"run_{tab}", args=[99])).status_code for tab in (*TABS, "live")} == {404}


def test_pages_are_for_people_who_signed_in(client, a_test):
    run = make_run(a_test)
    assert {client.get(reverse(f"run_{tab}", args=[run.pk])).status_code for tab in (*TABS, "live")} == {302}


# --- Actions ---------------------------------------------------------------------------------------------------------


def test_an_operator_may_stop_a_live_run_and_start_an_ended_one_again(operator, a_test):
    live, ended = live_run(timezone.now(), a_test), make_run(a_test, 1)
    assert f'href="{reverse("run_stop", args=[live.pk])}"' in page(operator, live)
    assert "run-start-again" not in page(operator, live)
    assert f'href="{reverse("run_start_again", args=[ended.pk])}"' in page(operator, ended)
    assert "run-stop" not in page(operator, ended)


def test_a_viewer_sees_no_buttons_that_would_refuse(viewer, a_test):
    for run in (live_run(timezone.now(), a_test), make_run(a_test, 1)):
        assert reverse("run_stop", args=[run.pk]) not in page(viewer, run)
        assert reverse("run_start_again", args=[run.pk]) not in page(viewer, run)


def test_nobody_acts_on_a_read_only_account(operator):
    run = live_run(timezone.now(), make_test(make_account(read_only=True)))
    assert reverse("run_stop", args=[run.pk]) not in page(operator, run)


def test_a_run_whose_load_is_over_has_no_stop(operator, a_test):
    run = make_run(a_test, status=RunStatus.PROCESSING, result=RunResult.NONE)
    assert reverse("run_stop", args=[run.pk]) not in page(operator, run)


# --- Summary ---------------------------------------------------------------------------------------------------------


def test_the_life_of_the_run_is_an_ordered_list_with_the_time_in_each_phase(viewer):
    life = page(viewer, failed_k6_run()).split('<ol class="life"')[1].split("</ol>")[0]
    said = text(life.partition(">")[2])
    for part in (
        "Created 0:02",
        "Queued 0:41",
        "Starting 1:12",
        "Running 30:00",
        "as planned",
        "Processing 1:26",
        "33:21 in all",
    ):
        assert part in said


def test_the_phases_say_what_is_typical_once_three_runs_tell(viewer):
    run = failed_k6_run()
    for number in (211, 212, 213):
        passed_before(run, number)
    life = text(page(viewer, run).split('<ol class="life"')[1].split("</ol>")[0])
    assert "Queued 0:41 typical 0:38" in life
    assert "Starting 1:12 typical 1:05" in life
    assert "Processing 1:26 typical 1:30" in life


def test_the_verdict_names_the_largest_new_error_and_leads_to_it(viewer):
    run = failed_k6_run()
    passed_before(run)
    html = page(viewer, run)
    assert "Largest new error: HTTP 503 on POST /api/v2/checkout, 4,870 of 7,596 errors." in text(html)
    error = run.runerrors.order_by("-occurrences").first()
    assert f'href="{reverse("run_errors", args=[run.pk])}?node={error.fingerprint}">See the 503s</a>' in html


def test_a_running_phase_is_a_progress_bar(viewer, a_test):
    html = page(viewer, live_run(timezone.now(), a_test))
    assert re.search(r'role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="1[34]\.\d"', html)
    assert re.search(r"Running 4:1\d of 30:00", text(html))


def test_key_numbers_show_what_broke_its_limit(viewer):
    keys = page(viewer, failed_k6_run()).split('<dl class="keys')[1].split("</dl>")[0]
    said = text(keys.partition(">")[2])
    for part in (
        "p95, POST /checkout 812 ms , over its limit",
        "p95, all requests 438 ms",
        "Errors 1.84 % , over its limit",
        "412,806",
        "229 /s",
    ):
        assert part in said
    assert keys.count("over-limit") == 2


def keys_of(html: str) -> str:
    return text(html.split('<dl class="keys')[1].split("</dl>")[0].partition(">")[2])


def test_key_numbers_say_how_they_changed_since_the_previous_comparable_run(viewer):
    run = failed_k6_run()
    before = passed_before(run)
    html = page(viewer, run)
    said = keys_of(html)
    for part in (
        "over its limit 84 % worse, was 441",
        "438 ms 46 % worse, was 301",
        "over its limit 8.8 times, was 0.21 %",
        "412,806 3 % fewer",
        "229 /s was 236",
        "Peak VUs 400 same",
    ):
        assert part in said
    assert html.count('class="change is-worse"') == 4  # and one of the slowest requests
    assert f'Compared with <a href="{reverse("run_page", args=[before.pk])}">#213</a>, passed' in html


def test_the_peak_of_a_run_cut_short_is_what_its_chart_reached_not_what_was_planned(viewer):
    run = failed_k6_run()
    row = run.series.get(name="vus")
    row.points = row.points[:2]
    row.save(update_fields=["points"])
    reached = max(value for _, value in row.points)
    assert reached < 400
    assert "Peak VUs 400" in keys_of(page(viewer, run))
    Run.objects.filter(pk=run.pk).update(status=RunStatus.ABORTED)
    assert f"Peak VUs {reached}" in keys_of(page(viewer, run))


def test_errors_the_previous_run_did_not_have_are_new(viewer):
    run = failed_k6_run()
    assert "tag-new" not in page(viewer, run)
    passed_before(run)
    errors = text(page(viewer, run).split('class="side-list"')[1].split("</ul>")[0])
    assert "HTTP 503 NEW 4,870" in errors
    assert "RequestError request timeout 1,040" in errors
    assert "4 times #213" in errors


def test_the_slowest_requests_stand_beside_the_chart_with_their_change(viewer):
    run = failed_k6_run()
    passed_before(run)
    slow = text(page(viewer, run).split('class="side-slowest"')[1].split("</ul>")[0])
    assert slow.split(" ms ")[0].endswith("GET /api/v2/cart/29/shipping (200) 84 % worse 217")
    assert slow.count(" ms") == 5


def test_a_live_run_shows_where_it_stands_now(viewer, a_test):
    html = page(viewer, live_run(timezone.now(), a_test), "live", tab="summary")
    assert re.fullmatch(r"p95 now 3\d\d ms Errors now 0 /s Rate now 20\d /s VUs now 333", keys_of(html))


def test_a_live_run_is_held_against_the_same_time_since_start(viewer, a_test):
    run = live_run(timezone.now(), a_test)
    passed_before(run)
    html = page(viewer, run, "live", tab="summary")
    assert re.fullmatch(r"p95 now 3\d\d ms same Errors now 0 /s Rate now 20\d /s same VUs now 333 same", keys_of(html))
    assert "Against the same time since start of" in html


def test_planned_users_alone_are_no_key_number(viewer, a_test):
    run = make_run(a_test, status=RunStatus.QUEUED, result=RunResult.NONE, virtual_users=400)
    html = page(viewer, run)
    assert "400 VUs" in html
    assert '<dl class="keys' not in html


def test_a_broken_error_limit_never_looks_kept(viewer, a_test):
    run = make_run(a_test, result=RunResult.FAILED, details_at=NOW)
    add_threshold(run, "http_req_failed", "rate<0.01", True, 0.010004, 0.01)
    RunMetric.objects.create(run=run, kind="run", name="", numbers={"error_rate": 0.010004})
    said = text(page(viewer, run))
    assert "Failed: errors were 1.0004 %, limit 1 %." in said
    assert "Errors 1.0004 %" in said


def test_a_number_nobody_gave_is_no_zero(viewer, a_test):
    html = page(viewer, make_run(a_test, details_at=NOW))
    assert '<dl class="keys' not in html
    RunMetric.objects.create(run=Run.objects.get(), kind="run", name="", numbers={"count": 7})
    keys = page(viewer, Run.objects.get()).split('<dl class="keys')[1].split("</dl>")[0]
    assert text(keys.partition(">")[2]) == "Requests 7"


def test_the_chart_has_a_finding_a_limit_and_a_table_of_the_same_data(viewer):
    html = page(viewer, failed_k6_run())
    assert html.count('role="img" aria-label="Response time p95: highest') == 2
    assert "limit 600\u00a0ms" in html
    assert html.split('class="chart-table"')[1].count("<tr>") == 182


def test_thresholds_stand_failed_first(viewer):
    html = page(viewer, failed_k6_run(), "thresholds")
    outcomes = re.findall(r'class="result is-\w+">.*?</svg>(\w+)', html)
    assert outcomes == ["Failed", "Failed", "Held", "Held", "Held", "Held"]
    assert "http_req_duration{name:POST /checkout}" in html


def test_a_threshold_that_is_not_judged_is_not_held(viewer, a_test):
    html = page(viewer, live_run(timezone.now(), a_test), "thresholds")
    assert re.findall(r'class="result is-[\w-]+">.*?</svg>([\w ]+)', html) == ["Failing", "Not judged"]
