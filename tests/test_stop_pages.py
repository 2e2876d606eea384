"""Stop: a confirm that names the run and what it costs, one act, and honest words about what came of it."""

from datetime import timedelta

import pytest
import time_machine

from runs.choices import IntentOutcome, RunResult, RunStatus
from runs.models import ControlIntent, RunThreshold
from runs.services.base import Refused, Unavailable
from tests.fake_service import remote
from tests.pages import HTMX_DIALOG, browser, entered, text_of
from tests.rows import NOW, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(fake_account):
    return fake_account


@pytest.fixture
def run(account):
    return make_run(
        make_test(account), 215, status=RunStatus.RUNNING, result=RunResult.NONE, planned_duration_s=1800,
        virtual_users=400, created_at=NOW - timedelta(minutes=5), load_started_at=NOW - timedelta(seconds=252),
    )  # fmt: skip


@pytest.fixture
def operator(db):
    return browser(make_user("operator", "maya"))


def url(run):
    return f"/runs/{run.pk}/stop/"


def test_the_dialog_names_the_run_how_long_it_ran_and_what_becomes_of_its_result(operator, run):
    with time_machine.travel(NOW, tick=False):
        said = text_of(operator.get(url(run)))
    assert "Stop Checkout API - peak hour #215?" in said
    assert "4:12 of 30:00" in said
    assert "400 VUs" in said
    assert "Aborted with no verdict" in said


def test_a_run_without_load_is_not_measured_against_its_plan(operator, run):
    run.status, run.load_started_at = RunStatus.QUEUED, None
    run.save(update_fields=["status", "load_started_at"])
    with time_machine.travel(NOW, tick=False):
        said = text_of(operator.get(url(run)))
    assert "no load yet, 5:00 after it was requested" in said
    assert "of 30:00" not in said


def test_a_run_that_fails_already_may_end_as_failed(operator, run):
    RunThreshold.objects.create(run=run, metric="http_req_duration", condition="p(95)<500", broken=True)
    said = text_of(operator.get(url(run)))
    assert "may report it as Failed" in said
    assert "Failing" in said


def test_it_is_an_alert_dialog_with_the_focus_on_keep_running(operator, run):
    for headers in ({}, HTMX_DIALOG):
        html = operator.get(url(run), headers=headers).content.decode()
        assert 'role="alertdialog"' in html
        assert html.count("autofocus") == 1
        assert "autofocus>Keep running<" in html
        assert 'id="stop_reason"' in html


def test_it_tells_the_keys_that_keep_it_running_and_stop_it(operator, run):
    assert "Esc keeps · Ctrl Enter stops" in text_of(operator.get(url(run), headers=HTMX_DIALOG))
    assert "Esc keeps" not in text_of(operator.get(url(run)))


def test_looking_at_the_dialog_stops_nothing(operator, run, fake):
    operator.get(url(run))
    assert fake.calls == []


def test_stop_asks_the_provider_and_says_what_is_waited_for(operator, run, fake):
    response = operator.post(url(run), {**entered(operator.get(url(run))), "reason": "wrong target"})
    assert response.headers["Location"] == f"/runs/{run.pk}/"
    assert fake.asked("stop") == [("stop", run.external_id)]
    intent = ControlIntent.objects.get()
    assert (intent.outcome, intent.reason, intent.run) == (IntentOutcome.ACCEPTED, "wrong target", run)
    assert "Stop asked for Checkout API - peak hour #215. Waiting for Fake Provider" in said_next(operator)


def said_next(operator):
    return text_of(operator.get("/tests/"))


def test_stop_by_htmx_sends_the_browser_to_the_run(operator, run):
    page = operator.get(url(run), headers=HTMX_DIALOG)
    assert operator.post(url(run), entered(page), headers=HTMX_DIALOG).headers["HX-Redirect"] == f"/runs/{run.pk}/"


def test_pressing_twice_asks_once(operator, run, fake):
    values = entered(operator.get(url(run)))
    for _ in range(2):
        operator.post(url(run), values)
    assert len(fake.asked("stop")) == 1
    assert ControlIntent.objects.count() == 1


def test_a_refusal_is_said_with_the_providers_reason(operator, run, fake):
    fake.has(remote(run.external_id, status=RunStatus.RUNNING, result=RunResult.NONE))
    fake.fail("stop", Refused("Fake Provider refused it: not your run."))
    operator.post(url(run), entered(operator.get(url(run))))
    assert "Not stopped. Fake Provider refused it: not your run." in said_next(operator)


def test_a_lost_answer_is_said_and_not_sent_again(operator, run, fake):
    fake.fail("stop", Unavailable("Fake Provider did not answer in time.", maybe_done=True))
    operator.post(url(run), entered(operator.get(url(run))))
    assert "It may or may not stop" in said_next(operator)
    assert len(fake.asked("stop")) == 1


def test_a_stop_asked_for_before_is_said_and_can_be_asked_again(operator, run):
    run.stop_requested_by, run.stop_requested_at = "Jonas", NOW - timedelta(seconds=90)
    run.save(update_fields=["stop_requested_by", "stop_requested_at"])
    page = operator.get(url(run))
    assert "Jonas asked to stop it" in text_of(page)
    assert b"Stop run" in page.content


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"status": RunStatus.FINISHED, "ended_at": NOW}, "there is nothing left to stop"),
        ({"status": RunStatus.PROCESSING}, "Its load is over"),
        ({"status": RunStatus.STOPPING}, "It is stopping already"),
        ({"status": RunStatus.UNKNOWN, "provider_status": "ARCHIVED"}, 'says "ARCHIVED"'),
        ({"status": RunStatus.RUNNING, "gone_at": NOW}, "no longer knows this run"),
    ],
)
def test_a_run_that_cannot_be_stopped_explains_why_instead_of_a_button(operator, account, fake, fields, sentence):
    run = make_run(make_test(account), 7, result=RunResult.NONE, **fields)
    page = operator.get(url(run))
    assert page.status_code == 200
    assert sentence in text_of(page)
    assert b"btn-danger" not in page.content
    assert fake.calls == []


def test_a_run_that_ended_while_the_dialog_was_open_is_explained(operator, run, fake):
    values = entered(operator.get(url(run)))
    run.status = RunStatus.FINISHED
    run.save(update_fields=["status"])
    response = operator.post(url(run), values)
    assert response.headers["Location"] == f"/runs/{run.pk}/"
    assert "had already ended: finished. Nothing was sent." in said_next(operator)
    assert fake.calls == []


def test_without_a_token_nothing_is_sent(operator, run, fake):
    assert operator.post(url(run), {"reason": "x"}).status_code == 422
    assert fake.calls == []


def test_a_viewer_sees_why_there_is_no_button_and_cannot_post(run, fake):
    viewer = browser(make_user("viewer"))
    page = viewer.get(url(run))
    assert "takes the operator role" in text_of(page)
    assert b"btn-danger" not in page.content
    assert viewer.post(url(run), {}).status_code == 403
    assert fake.calls == []


def test_a_read_only_account_explains_instead_of_a_button(operator, run, account, fake):
    values = entered(operator.get(url(run)))
    account.read_only = True
    account.save()
    page = operator.get(url(run))
    assert "is read-only" in text_of(page)
    assert b"btn-danger" not in page.content
    operator.post(url(run), values)
    assert "is read-only" in said_next(operator)
    assert fake.calls == []


def test_a_form_of_another_site_is_refused(run, fake):
    strict = browser(make_user("operator"), enforce_csrf_checks=True)
    values = entered(strict.get(url(run)))
    del values["csrfmiddlewaretoken"]
    assert strict.post(url(run), values).status_code == 403
    assert fake.calls == []
