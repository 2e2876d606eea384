"""A run's page while the run has not ended: what is polled, what comes with it, what is announced, how it ends."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from dashboard.models import Preference
from runs.choices import RunResult, RunStatus
from runs.models import Run, RunThreshold
from tests.rows import NOW, make_run, make_user
from tests.run_page_rows import SCRIPT, add_threshold, ask_to_stop, live_run, page, text

pytestmark = pytest.mark.django_db


def test_a_live_run_polls_its_head_and_an_ended_one_does_not(viewer, a_test):
    run = live_run(timezone.now(), a_test)
    url = f"{reverse('run_live', args=[run.pk])}?tab=errors"
    assert f'hx-get="{url}" hx-trigger="every 2s"' in page(viewer, run, "errors")
    assert "every 2s" not in page(viewer, make_run(a_test, 1))


def test_the_polled_part_is_the_head_the_counts_and_on_the_summary_the_progress(viewer, a_test):
    run = live_run(timezone.now(), a_test)
    summary, errors = page(viewer, run, "live", tab="summary"), page(viewer, run, "live", tab="errors")
    for html in (summary, errors):
        assert html.count('id="run-poll"') == html.count('id="run-verdict"') == 1
        assert '<nav id="run-tabs" class="tabs" aria-label="Parts of this run" hx-swap-oob="true">' in html
        assert "<html" not in html
        assert "every 2s" in html
    assert '<div id="run-progress" hx-swap-oob="true">' in summary
    assert "run-progress" not in errors
    for part in ("run-state", "run-actions", "run-meta", "run-verdict"):
        assert re.search(rf'id="{part}"[^>]* hx-swap-oob="true"', errors)
    assert "run-menu" not in summary  # what is opened by hand is never swapped
    assert "Failing: p95 of all requests is 334 ms, limit 300 ms." in text(summary)


def test_polling_stops_with_the_run_and_leads_to_its_final_page(viewer, a_test):
    run = make_run(a_test, details_at=NOW)
    response = viewer.get(reverse("run_live", args=[run.pk]), {"tab": "metrics"})
    assert response.status_code == 286
    html = response.content.decode()
    assert "every 2s" not in html
    assert f'This run has ended. <a href="{reverse("run_metrics", args=[run.pk])}">' in html


def test_chart_and_lists_come_with_every_fourth_answer_and_the_last(viewer, a_test):
    run = live_run(timezone.now(), a_test)
    with_panels = [turn for turn in range(1, 9) if "run-figure" in page(viewer, run, "live", tab="summary", turn=turn)]
    assert with_panels == [4, 8]
    assert "turn=6" in page(viewer, run, "live", tab="summary", turn=5)
    assert "turn=1" in page(viewer, run, "live", tab="summary", turn="9" * 40)
    assert "run-figure" not in page(viewer, run, "live", tab="errors")
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FINISHED, details_at=NOW)
    last = page(viewer, run, "live", tab="summary", turn=5)
    assert "run-figure" in last
    assert 'id="run-ended" class="banner is-info" hidden' in last


def test_a_run_that_has_just_ended_is_polled_until_its_details_were_read(viewer, a_test):
    run = make_run(a_test, 1, result=RunResult.NONE, ended_at=timezone.now() - timedelta(seconds=3))
    assert "every 2s" in page(viewer, run)
    Run.objects.filter(pk=run.pk).update(details_at=timezone.now())
    assert "every 2s" not in page(viewer, run)
    long_ago = timezone.now() - timedelta(minutes=11)
    assert "every 2s" not in page(viewer, make_run(a_test, 2, result=RunResult.NONE, ended_at=long_ago))


def test_who_paused_live_updates_gets_none_and_a_way_to_refresh(viewer, a_test):
    Preference.objects.create(user=User.objects.get(username="viewer"), live_seconds=0)
    html = page(viewer, live_run(timezone.now(), a_test), "errors")
    assert "every 2s" not in html
    assert "Paused ·" in text(html)
    assert "Refresh now" in text(html)


def test_the_menu_says_how_fresh_a_live_run_is_and_leads_back_to_its_tab(viewer, a_test):
    run = live_run(timezone.now(), a_test)
    html = page(viewer, run, "errors")
    assert "Live · updated just now" in text(html)
    assert "Every 2 s Every 15 s Every 60 s Pause" in text(html)
    assert f'name="next" value="{reverse("run_errors", args=[run.pk])}"' in html
    Run.objects.filter(pk=run.pk).update(synced_at=timezone.now() - timedelta(minutes=20))
    assert f"{run.account.name} synced 20 min ago" in text(page(viewer, run, "live", tab="errors"))


def test_a_run_that_cannot_change_has_no_such_menu_and_loses_it_with_its_end(viewer, a_test):
    run = make_run(a_test, details_at=NOW)
    assert 'id="freshness"' not in page(viewer, run)
    assert '<details id="freshness" hx-swap-oob="delete">' in page(viewer, run, "live")


def test_a_longer_interval_brings_chart_and_lists_each_time(viewer, a_test):
    Preference.objects.create(user=User.objects.get(username="viewer"), live_seconds=15)
    run = live_run(timezone.now(), a_test)
    html = page(viewer, run, "live", tab="summary", turn=1)
    assert "every 15s" in html
    assert "run-figure" in html


def test_what_is_announced_changes_when_a_criterion_breaks_or_the_run_ends(viewer, a_test):
    def told() -> tuple[str, str]:
        return re.search(r'data-told="([^"]*)" data-say="([^"]*)"', page(viewer, run, "live", tab="errors")).groups()

    run = live_run(timezone.now(), a_test)
    first = told()
    assert first == told()
    RunThreshold.objects.filter(run=run).update(broken=True)
    second = told()
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FINISHED, result=RunResult.PASSED)
    third = told()
    assert len({first[0], second[0], third[0]}) == 3
    assert (second[1].split(":")[0], third[1].split(":")[0]) == ("Failing", "Passed")


def test_an_unknown_tab_is_polled_as_the_summary(viewer, a_test):
    html = page(viewer, live_run(timezone.now(), a_test), "live", tab=SCRIPT)
    assert "run-progress" in html
    assert SCRIPT not in html


def test_a_stop_without_effect_is_said_urgently_after_90_seconds_and_can_be_asked_again(operator, a_test):
    run = live_run(timezone.now(), a_test)
    ask_to_stop(run, "Tomás", timezone.now() - timedelta(seconds=80))
    early = page(operator, run, "live", tab="errors")
    assert "still runs" not in text(early)
    assert "data-urgent" not in early
    ask_to_stop(run, "Tomás", timezone.now() - timedelta(seconds=102))
    late = page(operator, run, "live", tab="errors")
    assert f"#{run.number} still runs, 1:42 after the stop." in text(late)
    assert f'data-say="#{run.number} still runs, 1:42 after the stop." data-urgent' in late
    assert f'id="run-ask-again" class="btn btn-sm no-print" href="{reverse("run_stop", args=[run.pk])}"' in late
    assert told(late) != told(early)
    operator.force_login(make_user("viewer", "vera"))
    watched = page(operator, run, "live", tab="errors")
    assert "still runs" in text(watched)
    assert "run-ask-again" not in watched
    Run.objects.filter(pk=run.pk).update(status=RunStatus.ABORTED, ended_at=timezone.now())
    assert "still runs" not in text(page(operator, run))


def told(html: str) -> str:
    return re.search(r'data-told="([^"]*)"', html).group(1)


def test_a_stop_that_was_asked_is_said_while_the_status_stays_the_providers(operator, a_test):
    run = live_run(timezone.now(), a_test)
    RunThreshold.objects.filter(run=run).delete()
    ask_to_stop(run, "Tomás", timezone.now() - timedelta(seconds=12))
    html = page(operator, run)
    assert re.search(
        r"Stopping: Tomás asked 1[2-4] s ago, Grafana Cloud k6 \(legacy API\) has not confirmed\.", text(html)
    )
    assert 'class="status is-running"' in html
    assert "Aborted" not in html


@pytest.mark.parametrize("tab", ["page", "thresholds"])
def test_a_criterion_that_holds_so_far_does_not_look_like_one_that_held(viewer, a_test, tab):
    run = live_run(timezone.now(), a_test)
    add_threshold(run, "checks", "rate>0.95", False, 1.0, 0.95)
    html = page(viewer, run, tab)
    assert "Holds so far" in html
    assert "circle-check-filled" not in html.split("<main")[1]
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FINISHED, ended_at=timezone.now())
    html = page(viewer, run, tab)
    assert "Holds so far" not in html
    assert "Held" in html
