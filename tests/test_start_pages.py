"""Start and start again: the dialog, its one act, and who may press it."""

import re

import pytest
from django.utils import timezone

from runs.choices import IntentOutcome, RunStatus
from runs.models import ControlIntent, SyncState, Target
from runs.services import SERVICES
from runs.services.base import Refused, Unavailable
from tests.fake_service import FakeService
from tests.pages import HTMX_DIALOG, TwoStepService, browser, entered, text_of
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db
LOST = Unavailable("Fake Provider did not answer in time.", maybe_done=True)
SETTINGS = {"test_drop_id": "b4f0", "description": "nightly", "setup_command": "", "host_process_platform": "x64"}


def with_provider(monkeypatch, service, name):
    monkeypatch.setitem(SERVICES, service.provider, service)
    account = make_account(name, provider=service.provider, base_url="https://fake.example")
    account.seal_credentials({"token": "t"})
    account.save()
    return account


@pytest.fixture
def fake(monkeypatch):
    service = FakeService()
    service.account = with_provider(monkeypatch, service, "retail-prod")
    return service


@pytest.fixture
def twostep(monkeypatch):
    service = TwoStepService()
    service.account = with_provider(monkeypatch, service, "perf-weu")
    return service


@pytest.fixture
def load_test(fake):
    return make_test(fake.account, external_id="t1")


@pytest.fixture
def drop_test(twostep):
    return make_test(twostep.account, "Basket", external_id="t1", start_values={"name": "Basket", **SETTINGS})


@pytest.fixture
def operator(db):
    return browser(make_user("operator", "maya"))


def url(test):
    return f"/tests/{test.pk}/start/"


def test_the_page_says_what_will_happen_to_which_account_and_the_button_what_it_does(operator, load_test):
    said = text_of(operator.get(url(load_test)))
    assert "Sent to Fake Provider, account retail-prod" in said
    assert "maya will be named as the requester" in said
    assert f"Start {load_test.name}" in said


def test_looking_at_the_dialog_starts_nothing(operator, load_test, fake):
    operator.get(url(load_test))
    operator.get(url(load_test), headers=HTMX_DIALOG)
    assert fake.calls == []
    assert not ControlIntent.objects.exists()


def test_htmx_gets_the_inside_of_the_dialog_only(operator, load_test):
    whole, inside = operator.get(url(load_test)), operator.get(url(load_test), headers=HTMX_DIALOG)
    assert b"<html" in whole.content
    assert b"<html" not in inside.content
    assert b"hx-disabled-elt" in inside.content
    assert "HX-Target" in whole.headers["Vary"]


def test_start_leads_to_the_run_and_says_so(operator, load_test, fake):
    page = operator.get(url(load_test))
    response = operator.post(url(load_test), {**entered(page), "reason": "retry fix"})
    intent = ControlIntent.objects.get()
    assert response.headers["Location"] == f"/runs/{intent.run.pk}/"
    assert (intent.user_name, intent.reason, intent.outcome) == ("maya", "retry fix", IntentOutcome.DONE)
    assert fake.asked("start") == [("start", load_test.name, "")]


def test_start_by_htmx_sends_the_browser_to_the_run(operator, load_test):
    page = operator.get(url(load_test), headers=HTMX_DIALOG)
    response = operator.post(url(load_test), entered(page), headers=HTMX_DIALOG)
    assert response.headers["HX-Redirect"] == f"/runs/{ControlIntent.objects.get().run.pk}/"


def test_pressing_twice_starts_once_and_lands_on_the_same_page(operator, load_test, fake):
    values = entered(operator.get(url(load_test)))
    first, second = operator.post(url(load_test), values), operator.post(url(load_test), values)
    assert first.headers["Location"] == second.headers["Location"]
    assert ControlIntent.objects.count() == 1
    assert len(fake.asked("start")) == 1


def test_each_opened_dialog_has_its_own_token(operator, load_test):
    tokens = {entered(operator.get(url(load_test)))["token"] for _ in range(3)}
    assert len(tokens) == 3


def test_without_a_token_nothing_is_sent(operator, load_test, fake):
    for token in ("", "not-a-token"):
        response = operator.post(url(load_test), {"token": token})
        assert response.status_code == 422
        assert "Open this dialog again." in text_of(response)
    assert fake.calls == []


def test_a_lost_answer_leads_to_the_intents_page(operator, load_test, fake):
    fake.fail("start", LOST)
    response = operator.post(url(load_test), entered(operator.get(url(load_test))))
    assert response.headers["Location"] == f"/intents/{ControlIntent.objects.get().token}/"


def test_a_refusal_leads_to_the_intents_page_and_back_with_everything_typed(operator, drop_test, twostep):
    twostep.fail("create", Refused("Two Step Provider refused it: no such drop."))
    values = {**entered(operator.get(url(drop_test))), "test_drop_id": "typed", "reason": "typed too"}
    response = operator.post(url(drop_test), values, follow=True)
    assert "Two Step Provider refused it: no such drop." in text_of(response)
    again = entered(operator.get(f"{url(drop_test)}?after={values['token']}"))
    assert (again["test_drop_id"], again["reason"]) == ("typed", "typed too")
    assert again["token"] != values["token"]


def test_the_settings_of_the_last_run_are_filled_in(operator, drop_test):
    values = entered(operator.get(url(drop_test)))
    assert {key: values[key] for key in SETTINGS} == SETTINGS
    assert values["cleanup_command"] == ""


def test_what_is_changed_in_the_form_is_what_is_sent(operator, drop_test):
    values = {**entered(operator.get(url(drop_test))), "test_drop_id": "c5a1", "cleanup_command": "clean.cmd"}
    operator.post(url(drop_test), values)
    sent = ControlIntent.objects.get().values
    assert sent == {"name": "Basket", **SETTINGS, "test_drop_id": "c5a1", "cleanup_command": "clean.cmd"}


def test_the_name_of_a_load_test_that_exists_cannot_be_changed(operator, drop_test, twostep):
    values = {**entered(operator.get(url(drop_test))), "name": "Something else"}
    operator.post(url(drop_test), values)
    assert ControlIntent.objects.get().values["name"] == "Basket"
    assert twostep.asked("create") == [("create", "Basket", "")]


def test_a_form_with_an_error_keeps_what_was_typed_and_points_at_the_field(operator, drop_test, twostep):
    values = {**entered(operator.get(url(drop_test))), "test_drop_id": "", "description": "kept", "reason": "kept too"}
    response = operator.post(url(drop_test), values)
    assert response.status_code == 422
    assert b'href="#start_test_drop_id"' in response.content
    assert b'id="start_test_drop_id_error"' in response.content
    again = entered(response)
    assert (again["description"], again["reason"], again["token"]) == ("kept", "kept too", values["token"])
    assert twostep.calls == []


def test_a_choice_that_is_not_offered_is_an_error(operator, drop_test, twostep):
    response = operator.post(url(drop_test), {**entered(operator.get(url(drop_test))), "host_process_platform": "ARM"})
    assert response.status_code == 422
    assert twostep.calls == []


def test_a_stored_choice_that_is_not_in_the_list_is_kept_and_said(operator, drop_test):
    drop_test.start_values |= {"host_process_platform": "ARM"}
    drop_test.save(update_fields=["start_values"])
    page = operator.get(url(drop_test))
    assert entered(page)["host_process_platform"] == "ARM"
    assert "ARM (as before)" in text_of(page)


def test_line_breaks_of_an_earlier_description_are_kept(operator, drop_test):
    drop_test.start_values |= {"description": "nightly\nsecond region"}
    drop_test.save(update_fields=["start_values"])
    page = operator.get(url(drop_test))
    assert re.search(r'<textarea name="description"[^>]*>\s*nightly\nsecond region<', page.content.decode())
    sent = {**entered(page), "description": "nightly\r\nsecond region"}  # as a browser sends it
    operator.post(url(drop_test), sent)
    assert ControlIntent.objects.get().values["description"] == "nightly\nsecond region"


def test_start_again_takes_the_settings_of_that_run(operator, drop_test):
    run = make_run(drop_test, start_values={"name": "Basket", **SETTINGS, "test_drop_id": "older"})
    page = operator.get(f"/runs/{run.pk}/start-again/")
    assert entered(page)["test_drop_id"] == "older"
    assert "The settings of run #214" in text_of(page)
    operator.post(f"/runs/{run.pk}/start-again/", entered(page))
    assert ControlIntent.objects.get().values["test_drop_id"] == "older"


def test_start_again_says_so_where_a_runs_settings_cannot_be_repeated(operator, load_test):
    page = operator.get(f"/runs/{make_run(load_test).pk}/start-again/")
    assert "they may differ from those of #214" in text_of(page)


def test_a_test_that_runs_already_is_said_before_starting(operator, load_test):
    make_run(load_test, 215, status=RunStatus.RUNNING, result="none")
    said = text_of(operator.get(url(load_test)))
    assert "#215 of this test has been running for" in said
    assert "Two runs at once make both results hard to read." in said


def test_a_run_whose_load_is_over_disturbs_nobody(operator, load_test):
    make_run(load_test, 215, status=RunStatus.PROCESSING, result="none")
    assert "#215 of this test" not in text_of(operator.get(url(load_test)))


def test_an_earlier_start_without_an_answer_is_said_and_refuses_nothing(operator, load_test):
    earlier = {"account": load_test.account, "load_test": load_test, "test_name": "Basket", "user_name": "maya"}
    earlier = ControlIntent.objects.create(kind="start", outcome="sent", sent_at=timezone.now(), **earlier)
    page = operator.get(url(load_test))
    said = text_of(page)
    assert "is not settled yet. A run may still come of it." in said
    assert f'href="/intents/{earlier.token}/"' in page.content.decode()
    operator.post(url(load_test), entered(page))
    assert ControlIntent.objects.count() == 2


def test_a_run_on_the_same_target_is_said_once(operator, load_test):
    load_test.target = Target.objects.create(name="Checkout API", max_running=2)
    load_test.save()
    other = make_test(load_test.account, "Search", target=load_test.target)
    make_run(other, 77, status=RunStatus.RUNNING, result="none")
    said = text_of(operator.get(url(load_test)))
    assert "Checkout API allows 2 runs at a time, 1 under way." in said
    assert said.count("#77 has been running for") == 1
    assert "Two runs at once on Checkout API make both results hard to read." in said
    Target.objects.update(max_running=1)
    full = text_of(operator.get(url(load_test)))
    assert full.count("#77 has been running for") == 1
    assert "Two runs at once" not in full


def test_the_button_repeats_the_load_where_the_settings_are_those_of_a_run(operator, drop_test, load_test):
    planned = {"virtual_users": 800, "planned_duration_s": 1200}
    page = operator.get(f"/runs/{make_run(drop_test, start_values=SETTINGS, **planned).pk}/start-again/")
    assert "Load 800 VUs for 20 min as planned for #214" in text_of(page)
    assert "Start 800 VUs for 20 min" in text_of(page)
    make_run(load_test, **planned)
    said = text_of(operator.get(url(load_test)))
    assert "800 VUs for 20 min as planned for #214 ; Fake Provider tells it only of runs" in said
    assert "Start 800 VUs" not in said


def test_start_again_of_an_earlier_run_offers_the_settings_of_the_last_one(operator, drop_test):
    older = make_run(drop_test, 1, start_values={"name": "Basket", **SETTINGS, "test_drop_id": "older"})
    same = make_run(drop_test, 2, start_values=drop_test.start_values)
    link = f'href="{url(drop_test)}"'
    assert link in operator.get(f"/runs/{older.pk}/start-again/").content.decode()
    assert link not in operator.get(f"/runs/{same.pk}/start-again/").content.decode()


def test_the_checks_name_a_failed_last_run_and_a_failing_sync(operator, load_test):
    run = make_run(load_test, 77, result="failed")
    SyncState.objects.create(account=load_test.account, error="The token was refused.")
    page = operator.get(url(load_test))
    assert "The last run that ended failed" in text_of(page)
    assert f'href="/runs/{run.pk}/" aria-label="Open run 77"' in page.content.decode()
    assert "The sync of retail-prod fails. The token was refused." in text_of(page)


def test_the_checks_say_what_is_well(operator, load_test):
    SyncState.objects.create(account=load_test.account, last_good_at=timezone.now())
    said = text_of(operator.get(url(load_test)))
    assert "retail-prod is in sync. Last good just now" in said
    assert "You may start runs, and retail-prod is not read-only." in said


def test_a_new_load_test_is_started_by_name(operator, twostep):
    page = operator.get("/accounts/perf-weu/start/")
    operator.post("/accounts/perf-weu/start/", {**entered(page), "name": "Search", "test_drop_id": "b4f0"})
    intent = ControlIntent.objects.get()
    assert (intent.test_name, intent.values["name"]) == ("Search", "Search")
    assert [call[0] for call in twostep.calls if call[0] in ("create", "queue")] == ["create", "queue"]


def test_an_account_with_tests_of_its_own_sends_to_its_tests(operator, fake):
    assert operator.get("/accounts/retail-prod/start/").headers["Location"] == "/tests/?account=retail-prod"


def test_a_viewer_sees_why_there_is_no_button_and_cannot_post(load_test, fake):
    viewer = browser(make_user("viewer"))
    page = viewer.get(url(load_test))
    assert "takes the operator role" in text_of(page)
    assert b'type="submit" class="btn btn-primary"' not in page.content
    assert viewer.post(url(load_test), {"token": "0b4e2f38-0000-4000-8000-000000000000"}).status_code == 403
    assert fake.calls == []


@pytest.mark.parametrize(
    ("change", "sentence"), [({"read_only": True}, "is read-only"), ({"enabled": False}, "is switched off")]
)
def test_an_account_that_cannot_be_controlled_explains_instead_of_a_button(operator, load_test, fake, change, sentence):
    values = entered(operator.get(url(load_test)))
    for key, value in change.items():
        setattr(fake.account, key, value)
    fake.account.save()
    page = operator.get(url(load_test))
    assert sentence in text_of(page)
    assert b"btn-primary" not in page.content
    refused = operator.post(url(load_test), values)
    assert "Not started." in text_of(refused)
    assert sentence in text_of(refused)
    assert fake.calls == []


def test_a_form_of_another_site_is_refused(load_test, fake):
    strict = browser(make_user("operator"), enforce_csrf_checks=True)
    values = entered(strict.get(url(load_test)))
    token = values.pop("csrfmiddlewaretoken")
    assert strict.post(url(load_test), values).status_code == 403
    assert fake.calls == []
    assert strict.post(url(load_test), {**values, "csrfmiddlewaretoken": token}).status_code == 302


def test_no_setting_hides_the_dialogs_own_inputs():
    for service in SERVICES.values():
        assert not {field.key for field in service.start_fields} & {"token", "reason", "csrfmiddlewaretoken"}
