"""The other tabs of a run's page, its archive, and what must hold on every tab."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from runs import actions, more_actions
from runs.choices import IntentOutcome, MessageLevel, RunResult, RunStatus
from runs.models import RunMessage, RunMetric, RunPayload, StatusEvent
from runs.services.base import Download, Unavailable
from tests.rows import NOW, make_account, make_run, make_test
from tests.run_page_rows import (
    SCRIPT,
    TABS,
    add_error,
    add_threshold,
    ask_to_stop,
    failed_k6_run,
    failed_vsts_run,
    live_run,
    make_person,
    page,
    text,
)

pytestmark = pytest.mark.django_db


# --- The other tabs --------------------------------------------------------------------------------------------------


def test_metrics_show_the_slowest_requests_first_and_a_page_of_all(viewer):
    run = failed_k6_run()
    html = page(viewer, run, "metrics")
    names = re.findall(r"/cart/(\d+)/shipping", html)
    assert names[:2] == ["29", "28"]
    assert len(names) == 25
    assert '<a href="?kind=request">All 30</a>' in html
    assert "status is 200" in html
    alone = page(viewer, run, "metrics", kind="request")
    assert len(re.findall(r"/cart/\d+/shipping", alone)) == 30
    assert "status is 200" not in alone


def test_counters_show_their_own_units(viewer):
    said = text(page(viewer, failed_vsts_run(), "metrics"))
    assert "Avg. Response Time ms 12.5 2,250 9,000" in said
    assert "User Load vusers 0 240 250" in said


def test_messages_are_newest_first_and_filtered_by_level(viewer):
    run = failed_k6_run()
    html = page(viewer, run, "messages")
    assert html.index("Script line 148 failed") < html.index("Load started")
    only = page(viewer, run, "messages", level=["error", "warning"])
    assert "Script line 148 failed" in only
    assert "Threshold crossed" in only
    assert "Load started" not in only
    assert "Load started" in page(viewer, run, "messages", level="nonsense")
    assert "No message of this level" in page(viewer, run, "messages", level="critical")


def test_messages_are_paged_and_the_filter_is_kept(viewer, a_test):
    run = make_run(a_test, details_at=NOW)
    RunMessage.objects.bulk_create(
        RunMessage(
            run=run,
            external_id=str(n),
            level=MessageLevel.INFO,
            text=f"line {n}.",
            logged_at=NOW + timedelta(seconds=n),
        )
        for n in range(150)
    )
    first = page(viewer, run, "messages", level="info")
    assert first.count("line ") == 100
    assert 'href="?level=info&amp;page=2"' in first
    second = page(viewer, run, "messages", level="info", page=2)
    assert second.count("line ") == 50
    assert "101–150 of 150" in second


def test_config_names_the_settings_as_the_start_form_does(viewer):
    said = text(page(viewer, failed_vsts_run(), "config"))
    assert "Started with Name WebShop.loadtest" in said
    assert "Planned load 10:00" in said
    assert "completed, success" in said


def test_only_web_addresses_become_links(viewer, a_test):
    safe = make_run(a_test, 1, web_url="https://app.k6.io/runs/1")
    unsafe = make_run(a_test, 2, web_url="javascript:alert(1)")
    assert 'href="https://app.k6.io/runs/1"' in page(viewer, safe, "config")
    assert "javascript:" not in page(viewer, unsafe, "config")


def test_activity_tells_who_did_what_why_and_how_it_went(viewer, a_test):
    run = live_run(timezone.now(), a_test)
    intent = ask_to_stop(run, "Tomás", timezone.now())
    html = page(viewer, run, "activity")
    said = text(html)
    assert "Stop asked Tomás wrong target Accepted, not confirmed yet" in said
    assert "Seen as Running sync – Grafana Cloud k6 (legacy API) says 2" in said
    assert html.index("Stop asked") < html.index("Seen as Running") < html.index("Seen as Queued")
    assert reverse("intent_page", args=[intent.token]) in html
    assert intent.outcome == IntentOutcome.ACCEPTED


def test_raw_is_readable_and_says_that_secrets_were_redacted(viewer):
    html = page(viewer, failed_k6_run(), "raw")
    assert escape('\n  "id": 4731902,\n') in html
    assert "Secrets and signed links were redacted before it was stored." in html


# --- Results ---------------------------------------------------------------------------------------------------------


def test_the_archive_is_passed_through_as_an_attachment(viewer, monkeypatch):
    run = failed_vsts_run()
    assert f'action="{reverse("run_archive", args=[run.pk])}"' in page(viewer, run)
    asked = []

    def fetch_archive(*, user, run):
        asked.append((user.username, run.pk))
        return Download("run 1083.zip", "application/zip", iter([b"PK", b"data"]), 6)

    monkeypatch.setattr(more_actions, "fetch_archive", fetch_archive)
    response = viewer.post(reverse("run_archive", args=[run.pk]))
    assert b"".join(response.streaming_content) == b"PKdata"
    assert response["Content-Disposition"] == 'attachment; filename="run 1083.zip"'
    assert (response["Content-Type"], response["Content-Length"]) == ("application/zip", "6")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert asked == [("viewer", run.pk)]


@pytest.mark.parametrize(
    "problem", [Unavailable("VSTS did not answer. Try again."), actions.NotAllowed("Not allowed.")]
)
def test_an_archive_that_cannot_be_fetched_leads_back_with_the_reason(viewer, monkeypatch, problem):
    run = failed_vsts_run()

    def fetch_archive(*, user, run):
        raise problem

    monkeypatch.setattr(more_actions, "fetch_archive", fetch_archive)
    response = viewer.post(reverse("run_archive", args=[run.pk]), follow=True)
    assert response.redirect_chain == [(reverse("run_page", args=[run.pk]), 302)]
    assert str(problem) in response.content.decode()


def test_an_archive_is_never_fetched_by_a_link(viewer):
    assert viewer.get(reverse("run_archive", args=[failed_vsts_run().pk])).status_code == 405


def test_a_run_without_an_archive_offers_none(viewer, a_test):
    run = make_run(a_test, details_at=NOW)
    assert reverse("run_archive", args=[run.pk]) not in page(viewer, run)


# --- What must hold on every tab -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", [*TABS, "live"])
def test_whatever_the_provider_wrote_stays_text(viewer, tab):
    account = make_account()
    run = make_run(
        make_test(account, SCRIPT),
        status=RunStatus.UNKNOWN,
        result=RunResult.NONE,
        details_at=NOW,
        details_error=SCRIPT,
        provider_status=SCRIPT,
        provider_substatus=SCRIPT,
        external_id=SCRIPT,
        note=SCRIPT,
        error_code=SCRIPT,
        error_message=SCRIPT,
        web_url=SCRIPT,
        requested_by=make_person(account, SCRIPT),
        stopped_by=make_person(account, SCRIPT),
        start_values={SCRIPT: SCRIPT},
    )
    add_error(
        run, SCRIPT, SCRIPT, 3, message=SCRIPT, request=SCRIPT, test_case=SCRIPT, scenario=SCRIPT, stack_trace=SCRIPT
    )
    add_threshold(run, SCRIPT, SCRIPT, True, 1, 2, "<b>ms</b>")
    RunMetric.objects.create(run=run, kind="request", name=SCRIPT, numbers={"p95_ms": 1})
    RunMetric.objects.create(run=run, kind="counter", name=SCRIPT, unit="<b>ms</b>", numbers={"value": 1})
    RunMessage.objects.create(
        run=run, external_id="1", level="info", text=SCRIPT, source=SCRIPT, agent=SCRIPT, logged_at=NOW
    )
    RunPayload.objects.create(run=run, payload={SCRIPT: SCRIPT})
    StatusEvent.objects.create(run=run, status="unknown", provider_status=SCRIPT, seen_at=NOW)
    html = page(viewer, run, tab)
    assert escape(SCRIPT) in html
    assert "<b>ms" not in html
    assert "alert(1)" not in html.replace(escape(SCRIPT), "").replace(escape(escape(SCRIPT)), "")


@pytest.mark.parametrize("tab", [*TABS, "live"])
def test_nothing_needs_what_the_content_policy_forbids(viewer, tab):
    html = page(viewer, failed_k6_run(), tab)
    assert not re.search(r"\sstyle=|\son\w+=|hx-on|<script(?![^>]*\ssrc=)", html)


@pytest.mark.parametrize("tab", [*TABS, "live"])
def test_more_rows_do_not_mean_more_queries(viewer, tab, django_assert_max_num_queries):
    run = failed_k6_run()
    url = reverse(f"run_{tab}", args=[run.pk])
    viewer.get(url)  # the first look is kept
    with django_assert_max_num_queries(25) as few:
        viewer.get(url)
    for n in range(30):
        add_error(run, f"T{n % 3}", f"s{n % 7}", n + 1, message=f"m{n}")
        add_threshold(run, f"metric_{n}", "p(95)<1", n % 2 == 0, 2, 1)
        RunMessage.objects.create(run=run, external_id=f"x{n}", level="info", text="t")
        RunMetric.objects.create(run=run, kind="check", name=f"c{n}", numbers={"passed": n})
        StatusEvent.objects.create(run=run, status="running", seen_at=NOW)
        ask_to_stop(run, "Ana", NOW)
    with django_assert_max_num_queries(25) as many:
        viewer.get(url)
    assert len(many) == len(few)
