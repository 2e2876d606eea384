"""How old the run list says it is, how often it asks for news, and what it says has come since."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from dashboard.forms.people import ThemeForm
from dashboard.forms.preferences import LiveForm
from dashboard.models import Preference
from runs.choices import RunResult, RunStatus, StopReason
from runs.models import RunThreshold, SyncState
from tests.pages import text_of
from tests.rows import make_account, make_run, make_test

pytestmark = pytest.mark.django_db
LIVE = {"status": RunStatus.RUNNING, "result": RunResult.NONE}


@pytest.fixture
def load_test():
    return make_test(synced("retail-prod", seconds=30), "Checkout API")


def synced(name: str, seconds: float, **fields: object):
    account = make_account(name, **fields)
    SyncState.objects.create(account=account, last_good_at=timezone.now() - timedelta(seconds=seconds))
    return account


def chip(client, query: str = "") -> str:
    html = client.get(f"/runs/{query}").content.decode()
    inside = re.search(r'<span id="fresh">(.*?)<svg class="icon"[^>]*><use href="[^"]*#chevron', html, re.DOTALL).group(
        1
    )
    return " ".join(re.sub(r"<[^>]+>", " ", inside).split())


def poll_url(client, query: str = "") -> str:
    html = client.get(f"/runs/{query}").content.decode()
    return re.search(r'id="live-rows"[^>]*hx-get="([^"]+)"', html).group(1).replace("&amp;", "&")


def choose(client, seconds: object, **headers: str):
    return client.post(
        reverse("list_live"), {"live_seconds": seconds, "next": "/runs/?status=running"}, headers=headers
    )


def test_with_live_rows_the_chip_says_live_and_when_it_was_synced(viewer, load_test):
    make_run(load_test, **LIVE)
    assert re.fullmatch(r"Live · updated 3\d s ago", chip(viewer))


def test_without_live_rows_it_says_when_it_was_synced(viewer, load_test):
    make_run(load_test)
    assert re.fullmatch(r"Synced 3\d s ago", chip(viewer))


def test_the_account_synced_longest_ago_decides_and_is_named_when_stale(viewer, load_test):
    make_run(load_test, **LIVE)
    synced("fabrikam", seconds=3 * 3600)
    assert chip(viewer) == "fabrikam synced 3 h ago"


def test_a_disabled_account_makes_nothing_stale(viewer, load_test):
    make_run(load_test)
    synced("old", seconds=30 * 86400, enabled=False)
    assert chip(viewer).startswith("Synced 3")


def test_an_account_without_a_sync_is_said(viewer, load_test):
    make_account("new")
    assert chip(viewer) == "new never synced"
    SyncState.objects.all().delete()
    assert chip(viewer) == "Never synced"


@pytest.mark.parametrize("seconds", [5, 15, 60, 0])
def test_the_interval_is_remembered_and_leads_back_to_the_list(viewer, load_test, seconds):
    response = choose(viewer, seconds)
    assert (response.status_code, response["Location"]) == (302, "/runs/?status=running")
    assert Preference.objects.get().live_seconds == seconds
    html = viewer.get("/runs/").content.decode()
    assert f'data-seconds="{seconds}"' in html
    assert f'value="{seconds}" aria-current="true"' in html


def test_paused_says_how_old_it_is(viewer, load_test):
    make_run(load_test, **LIVE)
    html = choose(viewer, 0, **{"HX-Request": "true"}).content.decode()
    assert "<html" not in html
    assert 'data-seconds="0"' in html
    assert "Refresh now" in html
    assert chip(viewer).startswith("Paused · 3")


@pytest.mark.parametrize("seconds", ["", "1", "-5", "soon"])
def test_an_interval_nobody_offers_changes_nothing(viewer, load_test, seconds):
    assert choose(viewer, seconds).status_code == 302
    assert Preference.of(viewer.get("/me/").wsgi_request.user).live_seconds == 5


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example/", "elsewhere", "logout", ""])
def test_it_leads_to_no_page_but_ours(viewer, load_test, back):
    response = viewer.post(reverse("list_live"), {"live_seconds": 5, "next": back})
    assert (response.status_code, response["Location"]) == (302, "/runs/")


def test_what_another_window_prefers_meanwhile_stays(viewer, load_test):
    choose(viewer, 15)
    old = viewer.get("/runs/").wsgi_request._preference  # as a slower request has read it
    Preference.objects.update(theme="dark", columns="status,test", time_zone="Europe/Berlin")
    form = LiveForm({"live_seconds": 60}, instance=old)
    assert form.is_valid()
    form.save()
    kept = Preference.objects.get()
    assert (kept.live_seconds, kept.theme, kept.columns, kept.time_zone) == (60, "dark", "status,test", "Europe/Berlin")


def test_the_first_choices_of_two_windows_both_hold(viewer, load_test):
    first, second = (Preference.of(viewer.get("/runs/").wsgi_request.user) for _ in range(2))
    for form in (LiveForm({"live_seconds": 60}, instance=first), ThemeForm({"theme": "dark"}, instance=second)):
        assert form.is_valid()
        form.save()
    assert Preference.objects.values_list("live_seconds", "theme").get() == (60, "dark")


def test_new_runs_that_match_are_counted_and_offered(viewer, load_test):
    make_run(load_test, 1)
    url = poll_url(viewer, "?result=failed")
    assert "new run" not in text_of(viewer.get(url))
    make_run(load_test, 2)
    assert "new run" not in text_of(viewer.get(url))
    make_run(load_test, 3, result=RunResult.FAILED)
    assert "1 new run · show" in text_of(viewer.get(url))
    make_run(load_test, 4, result=RunResult.FAILED)
    html = viewer.get(url).content.decode()
    assert "2 new runs" in html
    assert 'href="/runs/?result=failed"' in html
    assert "new run" not in text_of(viewer.get(poll_url(viewer, "?result=failed")))


def test_an_old_run_that_a_sync_brings_late_is_not_new_to_a_full_first_page(viewer, load_test):
    for number in range(50):
        make_run(load_test, number, created_at=timezone.now() - timedelta(hours=number))
    url = poll_url(viewer)
    make_run(load_test, 99, created_at=timezone.now() - timedelta(days=300))
    assert "new run" not in text_of(viewer.get(url))
    make_run(load_test, 100, created_at=timezone.now() - timedelta(hours=3))
    assert "1 new run · show" in text_of(viewer.get(url))


@pytest.mark.parametrize("since", ["x", "2026-11-20~1", "~", "2026-11-20T00:00:00+00:00~x"])
def test_a_place_that_cannot_be_read_is_refused(viewer, since):
    assert viewer.get(reverse("run_rows"), {"since": since}).status_code == 400


def test_what_has_ended_is_said_once(viewer, load_test):
    run = make_run(load_test, 215, **LIVE)
    other = make_run(load_test, 216, **LIVE)
    url = poll_url(viewer)
    assert re.search(r'id="news"[^>]*></div>', viewer.get(url).content.decode())
    type(run).objects.filter(pk=run.pk).update(status=RunStatus.FINISHED, result=RunResult.FAILED)
    type(run).objects.filter(pk=other.pk).update(status=RunStatus.ABORTED, stop_reason=StopReason.USER)
    html = viewer.get(url).content.decode()
    assert "<p>#215 Checkout API finished: failed.</p>" in html
    assert "<p>#216 Checkout API was aborted: no verdict.</p>" in html
    following = re.search(r'id="live-rows"[^>]*hx-get="([^"]+)"', html).group(1).replace("&amp;", "&")
    assert "#215" not in viewer.get(following).content.decode()


def test_a_confirmed_stop_is_said(viewer, load_test):
    run = make_run(load_test, 215, **LIVE, stop_requested_at=timezone.now())
    url = poll_url(viewer)
    type(run).objects.filter(pk=run.pk).update(status=RunStatus.ABORTED, stop_reason=StopReason.USER, duration_s=278)
    assert "<p>#215 Checkout API stopped at 4:38: no verdict.</p>" in viewer.get(url).content.decode()


def test_a_criterion_that_breaks_is_said_once(viewer, load_test):
    failing, fine = make_run(load_test, 215, **LIVE), make_run(load_test, 216, **LIVE)
    RunThreshold.objects.create(run=failing, metric="http_req_duration", broken=True)
    url = poll_url(viewer)
    assert "failing: a criterion broke" not in viewer.get(url).content.decode()
    RunThreshold.objects.create(run=fine, metric="http_req_duration", broken=True)
    html = viewer.get(url).content.decode()
    assert "<p>#216 Checkout API is failing: a criterion broke.</p>" in html
    assert "<p>#215" not in html
    following = re.search(r'id="live-rows"[^>]*hx-get="([^"]+)"', html).group(1).replace("&amp;", "&")
    assert "failing: a criterion broke" not in viewer.get(following).content.decode()
