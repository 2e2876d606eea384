"""How a start or a stop ended: three honest ends, and what can still be done."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from dashboard.intent_ends import START_ENDS, STOP_ENDS, end_of
from runs.choices import UNSETTLED, IntentKind, IntentOutcome, RunResult, RunStatus
from runs.models import ControlIntent
from runs.services import SERVICES
from runs.services.base import Unavailable
from tests.pages import TwoStepService, browser, text_of
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db
POLL = {"HX-Request": "true", "HX-Target": "intent"}


@pytest.fixture
def service(monkeypatch):
    service = TwoStepService()
    monkeypatch.setitem(SERVICES, service.provider, service)
    return service


@pytest.fixture
def account(service):
    account = make_account("perf-weu", provider=service.provider, base_url="https://fake.example")
    account.seal_credentials({"token": "t"})
    account.save()
    return account


@pytest.fixture
def load_test(account):
    return make_test(account, "Basket", external_id="t1")


@pytest.fixture
def maya(db):
    return make_user("operator", "maya")


@pytest.fixture
def operator(maya):
    return browser(maya)


@pytest.fixture
def intent(load_test, maya):
    return make_intent(load_test, maya, outcome=IntentOutcome.SENT)


def make_intent(load_test, user, **fields):
    known = {"kind": IntentKind.START, "step": "create", "sent_at": timezone.now(), "values": {"name": "Basket"}}
    about = {"account": load_test.account, "load_test": load_test, "test_name": "Basket"}
    return ControlIntent.objects.create(user=user, user_name="maya", **about, **(known | fields))


def url(intent, what=""):
    return f"/intents/{intent.token}/{what}"


def test_no_answer_says_so_and_looks_again_every_three_seconds(operator, intent):
    page = operator.get(url(intent))
    said = text_of(page)
    assert "It may or may not have started No answer came; Plimsoll is checking with Two Step Provider" in said
    assert b'hx-trigger="every 3s"' in page.content


def test_a_poll_that_finds_nothing_new_changes_nothing(operator, intent):
    assert operator.get(f"{url(intent)}?seen=sent", headers=POLL).status_code == 204


def test_a_poll_that_finds_the_end_shows_it_and_is_the_last(operator, intent, load_test):
    ControlIntent.objects.filter(pk=intent.pk).update(
        outcome=IntentOutcome.DONE, message="It was started: the run was found afterwards.", run=make_run(load_test)
    )
    part = operator.get(f"{url(intent)}?seen=sent", headers=POLL)
    assert b"<html" not in part.content
    assert "It was started: the run was found afterwards." in text_of(part)
    assert b"hx-trigger" not in part.content


def test_done_links_to_the_run(operator, load_test, maya):
    run = make_run(load_test)
    page = operator.get(url(make_intent(load_test, maya, outcome=IntentOutcome.DONE, run=run)))
    assert f'href="/runs/{run.pk}/"' in page.content.decode()
    assert "Open the run" in text_of(page)


def test_refused_shows_the_providers_reason_and_the_way_to_try_again(operator, load_test, maya):
    intent = make_intent(load_test, maya, outcome=IntentOutcome.REFUSED, message="Not started. No such drop.")
    page = operator.get(url(intent))
    assert "Not started No such drop." in text_of(page)  # the headline and, once, the reason
    assert f'href="/tests/{load_test.pk}/start/?after={intent.token}"' in page.content.decode()
    assert b"hx-trigger" not in page.content


def test_cannot_tell_links_to_the_runs_it_may_be(operator, load_test, maya):
    runs = [make_run(load_test, number) for number in (7, 8)]
    other = make_run(load_test, 9)
    intent = make_intent(
        load_test, maya, outcome=IntentOutcome.CANNOT_TELL, candidates=[run.external_id for run in runs]
    )
    html = operator.get(url(intent)).content.decode()
    assert [f'href="/runs/{run.pk}/"' in html for run in (*runs, other)] == [True, True, False]


def test_created_but_not_queued_can_be_queued_once(operator, load_test, maya, service):
    intent = make_intent(load_test, maya, outcome=IntentOutcome.CREATED, external_id="900")
    page = operator.get(url(intent))
    assert "Queue the run" in text_of(page)
    assert b"hx-trigger" not in page.content
    for _ in range(2):
        operator.post(url(intent, "queue/"))
    assert service.asked("queue") == [("queue", "Basket", "900")]
    assert service.asked("create") == []
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.DONE


def test_queueing_without_an_answer_comes_back_to_the_same_page(operator, load_test, maya, service):
    intent = make_intent(load_test, maya, outcome=IntentOutcome.CREATED, external_id="900")
    service.fail("queue", Unavailable("No answer in time.", maybe_done=True))
    response = operator.post(url(intent, "queue/"), follow=True)
    assert response.redirect_chain == [(url(intent), 302)]
    assert "It may or may not have started No answer came;" in text_of(response)


def test_created_but_not_queued_can_be_left(operator, load_test, maya, service):
    intent = make_intent(load_test, maya, outcome=IntentOutcome.CREATED, external_id="900")
    response = operator.post(url(intent, "leave/"), follow=True)
    assert "Left as created by maya; it was not queued." in text_of(response)
    assert service.calls == []


def test_a_viewer_sees_the_end_but_no_buttons_and_cannot_act(load_test, maya, service):
    viewer = browser(make_user("viewer"))
    intent = make_intent(load_test, maya, outcome=IntentOutcome.CREATED, external_id="900")
    page = viewer.get(url(intent))
    assert "Created, but not queued" in text_of(page)
    assert b"Queue the run" not in page.content
    assert [viewer.post(url(intent, act)).status_code for act in ("queue/", "leave/")] == [403, 403]
    assert service.calls == []


def test_a_read_only_account_has_no_queue_button_and_refuses(operator, load_test, maya, account, service):
    intent = make_intent(load_test, maya, outcome=IntentOutcome.CREATED, external_id="900")
    account.read_only = True
    account.save()
    assert b"Queue the run" not in operator.get(url(intent)).content
    assert "is read-only" in text_of(operator.post(url(intent, "queue/"), follow=True))
    assert service.calls == []


def test_queue_and_leave_are_never_reached_by_a_link(operator, intent):
    assert [operator.get(url(intent, act)).status_code for act in ("queue/", "leave/")] == [405, 405]


def test_an_unknown_intent_is_not_found(operator):
    assert operator.get(f"/intents/{uuid4()}/").status_code == 404


def test_a_stop_has_its_own_words(operator, load_test, maya):
    run = make_run(load_test, 215, status=RunStatus.RUNNING, result=RunResult.NONE)
    asked = {"kind": IntentKind.STOP, "run": run, "sent_at": timezone.now() - timedelta(seconds=9)}
    page = operator.get(url(make_intent(load_test, maya, outcome=IntentOutcome.ACCEPTED, **asked)))
    assert "Stop of Basket #215" in text_of(page)
    assert "Waiting for Two Step Provider to confirm it." in text_of(page)
    assert b"hx-trigger" in page.content


def test_every_start_has_an_end_and_only_what_can_change_is_polled(intent):
    for kind, ends in ((IntentKind.START, START_ENDS), (IntentKind.STOP, STOP_ENDS)):
        for outcome in ends:
            intent.kind, intent.outcome, intent.message = kind, outcome, ""
            end = end_of(intent, "Two Step Provider")
            assert "{" not in end.text
            assert end.polls == (outcome in UNSETTLED and outcome != IntentOutcome.CREATED)
    assert set(START_ENDS) == set(IntentOutcome) - {IntentOutcome.NO_EFFECT}
    assert set(STOP_ENDS) == set(IntentOutcome) - {IntentOutcome.CREATED, IntentOutcome.LEFT}


def test_what_may_be_it_is_named_while_plimsoll_still_looks(operator, load_test, maya):
    intent = make_intent(load_test, maya, outcome=IntentOutcome.SENT)
    run = make_run(load_test)
    ControlIntent.objects.filter(pk=intent.pk).update(candidates=[run.external_id])
    part = operator.get(f"{url(intent)}?seen=sent", headers=POLL)
    assert "The run that fits" in text_of(part)
    assert f'href="/runs/{run.pk}/"' in part.content.decode()
    assert operator.get(f"{url(intent)}?seen=sent-1", headers=POLL).status_code == 204


def test_cannot_tell_offers_another_start_to_whoever_has_looked(operator, load_test, maya):
    intent = make_intent(
        load_test, maya, outcome=IntentOutcome.CANNOT_TELL, candidates=[make_run(load_test).external_id]
    )
    page = operator.get(url(intent))
    assert "Start it again only if this run is not the one." in text_of(page)
    assert f'href="/tests/{load_test.pk}/start/?after={intent.token}"' in page.content.decode()
