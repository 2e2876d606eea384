"""The pages of the guard rails, and what the start dialog says of them before and after the press."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.models import Preference
from runs.choices import IntentOutcome, RunResult, RunStatus
from runs.models import ControlIntent, FreezeWindow, SyncState, Target
from runs.services import SERVICES
from runs.services.base import Refused
from tests.pages import HTMX_DIALOG, TwoStepService, browser, entered, text_of
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def twostep(monkeypatch):
    service = TwoStepService()
    monkeypatch.setitem(SERVICES, service.provider, service)
    service.account = make_account("perf-weu", provider=service.provider, base_url="https://fake.example")
    service.account.seal_credentials({"token": "t"})
    service.account.save()
    return service


@pytest.fixture
def target():
    return Target.objects.create(name="Checkout API")


@pytest.fixture
def load_test(twostep, target):
    return make_test(
        twostep.account, "Basket", external_id="t1", target=target,
        start_values={"name": "Basket", "test_drop_id": "b4f0", "host_process_platform": "x64"},
    )  # fmt: skip


@pytest.fixture
def operator(db):
    return browser(make_user("operator", "maya"))


@pytest.fixture
def admin(db):
    return browser(make_user("admin", "ada"))


@pytest.fixture
def viewer(db):
    return browser(make_user("viewer", "vera"))


def url(test):
    return f"/tests/{test.pk}/start/"


def freeze(name="Black Friday", **fields):
    now = timezone.now()
    times = {"starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=2)}
    return FreezeWindow.objects.create(**{"name": name, **times, **fields})


def running(load_test, number=215, **fields):
    now = timezone.now()
    fields = {"status": RunStatus.RUNNING, "result": RunResult.NONE, "synced_at": now, "created_at": now, **fields}
    return make_run(load_test, number, **fields)


def offers_start(response) -> bool:
    return b'type="submit" class="btn btn-primary"' in response.content


# -- The start dialog --------------------------------------------------------------------------------------------------


def test_the_dialog_says_the_target_and_that_nothing_stands_against_it(operator, load_test):
    freeze("Later", starts_at=timezone.now() + timedelta(days=2), ends_at=timezone.now() + timedelta(days=3))
    page = operator.get(url(load_test))
    said = text_of(page)
    assert "Target Checkout API" in said
    assert "Checkout API allows 1 run at a time, none is under way." in said
    assert "No freeze window now. Next: Later, " in said
    assert offers_start(page)


def test_a_full_target_is_said_before_the_press_with_a_link_and_no_start_is_offered(operator, load_test, twostep):
    run = running(make_test(make_account("other"), "smoke", target=load_test.target))
    page = operator.get(url(load_test), headers=HTMX_DIALOG)
    assert "Checkout API allows 1 run at a time. Grafana Cloud k6 (legacy" in text_of(page)
    assert f'<a href="/runs/{run.pk}/">Open #215</a>' in page.content.decode()
    assert not offers_start(page)
    assert "It cannot be started now: see the checks." in text_of(page)
    assert twostep.calls == []


def test_looking_again_starts_nothing_keeps_what_is_typed_and_offers_the_start_once_it_is_free(
    operator, load_test, twostep
):
    run = running(load_test)
    typed = {**entered(operator.get(url(load_test))), "description": "typed", "reason": "typed too"}
    again = operator.post(url(load_test), {**typed, "look": "again"})
    assert not offers_start(again)
    assert (entered(again)["description"], entered(again)["reason"]) == ("typed", "typed too")
    run.delete()
    again = operator.post(url(load_test), {**typed, "look": "again"})
    assert offers_start(again)
    assert (entered(again)["description"], entered(again)["reason"]) == ("typed", "typed too")
    assert twostep.calls == []
    assert not ControlIntent.objects.exists()


def test_what_became_full_meanwhile_is_refused_at_the_press_and_keeps_what_was_typed(operator, load_test, twostep):
    typed = {**entered(operator.get(url(load_test))), "description": "typed", "reason": "typed too"}
    running(load_test)
    refused = operator.post(url(load_test), typed)
    assert "Not started. Checkout API allows 1 run at a time; Two Step Provider “Basket” #215" in text_of(refused)
    assert (entered(refused)["description"], entered(refused)["reason"]) == ("typed", "typed too")
    assert not offers_start(refused)
    assert twostep.calls == []


def test_the_dialog_says_how_old_what_it_knows_is(operator, load_test):
    SyncState.objects.create(account=load_test.account, last_good_at=timezone.now() - timedelta(minutes=12))
    assert "none is under way. As known 12 min ago ." in text_of(operator.get(url(load_test)))


def test_a_freeze_window_leaves_an_operator_no_button_and_says_who_may(operator, load_test):
    freeze()
    page = operator.get(url(load_test))
    assert "Freeze window “Black Friday” holds until" in text_of(page)
    assert "An admin may start all the same, with a reason." in text_of(page)
    assert "override_reason" not in entered(page)
    assert not offers_start(page)


def test_the_end_of_a_window_is_in_the_readers_zone(operator, load_test):
    Preference.objects.create(user_id=operator.session["_auth_user_id"], time_zone="Asia/Tokyo")
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    freeze(ends_at=ends)
    assert f"{(ends + timedelta(hours=9)):%H:%M} JST" in text_of(operator.get(url(load_test)))


def test_an_admin_starts_all_the_same_with_a_reason_that_everybody_reads(admin, viewer, load_test):
    freeze()
    page = admin.get(url(load_test))
    assert "Start all the same, because…" in text_of(page)
    values = entered(page)
    without = admin.post(url(load_test), {**values, "override_reason": " "})
    assert without.status_code == 422
    assert b'href="#start_override_reason"' in without.content
    assert not ControlIntent.objects.exists()
    admin.post(url(load_test), {**values, "override_reason": "hotfix 7"})
    intent = ControlIntent.objects.get()
    assert intent.override_reason == "hotfix 7"
    assert "Started in a freeze window because hotfix 7" in text_of(viewer.get(f"/intents/{intent.token}/"))
    assert "In a freeze window, because hotfix 7" in text_of(viewer.get(f"/runs/{intent.run_id}/activity/"))


def test_an_operator_who_sends_a_reason_all_the_same_is_refused(operator, load_test, twostep):
    values = entered(operator.get(url(load_test)))
    freeze()
    refused = operator.post(url(load_test), {**values, "override_reason": "let me"})
    assert "Not started. Freeze window “Black Friday”" in text_of(refused)
    assert twostep.calls == []


def test_a_reason_is_never_filled_in_beforehand(admin, load_test, twostep):
    freeze()
    twostep.fail("create", Refused("Two Step Provider refused it."))
    values = {**entered(admin.get(url(load_test))), "override_reason": "hotfix 7"}
    admin.post(url(load_test), values)
    assert entered(admin.get(f"{url(load_test)}?after={values['token']}"))["override_reason"] == ""


def test_a_protected_target_asks_for_its_name_and_keeps_what_was_typed(operator, load_test, target, twostep):
    target.protected = True
    target.save()
    page = operator.get(url(load_test))
    assert "Target Checkout API protected" in text_of(page)
    assert "Type Checkout API to confirm" in text_of(page)
    values = {**entered(page), "description": "typed", "target_name": "Checkout"}
    refused = operator.post(url(load_test), values)
    assert refused.status_code == 422
    assert "Checkout API is protected: type its name to start a run on it." in text_of(refused)
    assert (entered(refused)["description"], entered(refused)["target_name"]) == ("typed", "Checkout")
    assert twostep.calls == []
    operator.post(url(load_test), {**values, "target_name": "checkout api"})
    assert ControlIntent.objects.get().outcome == IntentOutcome.DONE


def test_what_came_up_after_the_dialog_was_opened_is_asked_for_at_the_press(admin, load_test, target, twostep):
    values = entered(admin.get(url(load_test)))
    freeze()
    target.protected = True
    target.save()
    asked = admin.post(url(load_test), {**values, "description": "typed"})
    assert {"override_reason", "target_name"} <= set(entered(asked))
    assert entered(asked)["description"] == "typed"
    assert twostep.calls == []


def test_a_new_load_test_named_like_one_of_a_protected_target_asks_for_the_name(operator, load_test, target, twostep):
    target.protected = True
    target.save()
    page = operator.get("/accounts/perf-weu/start/")
    assert "target_name" not in entered(page)
    values = {**entered(page), "name": "basket", "test_drop_id": "b4f0"}
    asked = operator.post("/accounts/perf-weu/start/", values)
    assert "target_name" in entered(asked)
    assert entered(asked)["name"] == "basket"
    assert twostep.calls == []


# -- Queueing what was created -----------------------------------------------------------------------------------------


@pytest.fixture
def created(operator, load_test, twostep):
    twostep.fail("queue", Refused("Two Step Provider refused it."))
    operator.post(url(load_test), entered(operator.get(url(load_test))))
    intent = ControlIntent.objects.get()
    assert intent.outcome == IntentOutcome.CREATED
    return intent


def test_a_created_run_is_queued_while_nothing_stands_against_it(operator, created):
    assert b"Queue the run" in operator.get(f"/intents/{created.token}/").content
    operator.post(f"/intents/{created.token}/queue/")
    created.refresh_from_db()
    assert created.outcome == IntentOutcome.DONE


def test_a_created_run_cannot_be_queued_while_another_one_runs(operator, created, load_test, twostep):
    running(load_test)
    calls = list(twostep.calls)
    page = operator.get(f"/intents/{created.token}/")
    assert b"Queue the run" not in page.content
    assert "Checkout API allows 1 run at a time" in text_of(page)
    refused = operator.post(f"/intents/{created.token}/queue/")
    assert refused.status_code == 422
    assert "Nothing was sent. Checkout API allows 1 run at a time" in text_of(refused)
    assert twostep.calls == calls


def test_queueing_asks_an_admin_for_the_reason_and_everybody_for_the_name(admin, created, target, twostep):
    freeze()
    target.protected = True
    target.save()
    calls = list(twostep.calls)
    page = admin.get(f"/intents/{created.token}/")
    assert page.content.count(b'form="queue-form"') == 2
    refused = admin.post(f"/intents/{created.token}/queue/", {"override_reason": "hotfix 7", "target_name": "x"})
    assert refused.status_code == 422
    assert b'value="hotfix 7"' in refused.content
    assert twostep.calls == calls
    admin.post(f"/intents/{created.token}/queue/", {"override_reason": "hotfix 7", "target_name": "Checkout API"})
    created.refresh_from_db()
    assert (created.outcome, created.override_reason) == (IntentOutcome.DONE, "hotfix 7")


# -- Targets -----------------------------------------------------------------------------------------------------------


def test_everybody_reads_what_holds_and_only_admins_are_offered_changes(viewer, admin, load_test):
    freeze(target=load_test.target)
    load_test.account.max_running = 3
    load_test.account.save()
    running(load_test)
    said = text_of(viewer.get("/guards/"))
    for words in ("Black Friday", "Now, until", "target Checkout API", "1 of 1", "perf-weu", "1 of 3"):
        assert words in said
    assert b"Delete" not in viewer.get("/guards/").content
    assert b"Delete" in admin.get("/guards/").content
    url = f"/guards/targets/{load_test.target_id}/"
    theirs, ours = viewer.get(url), admin.get(url)
    assert "Basket" in text_of(theirs)
    assert (b'name="max_running"' in theirs.content, b'name="max_running"' in ours.content) == (False, True)


def test_the_list_asks_as_many_queries_for_many_as_for_one(admin, twostep):
    def fill(count, start):
        for n in range(start, start + count):
            target = Target.objects.create(name=f"target {n}")
            running(make_test(twostep.account, f"test {n}", target=target), n)
            freeze(f"window {n}", target=target)

    fill(1, 0)
    admin.get("/guards/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        admin.get("/guards/")
    fill(5, 1)
    with CaptureQueriesContext(connection) as many:
        admin.get("/guards/")
    assert len(many) == len(few)


def test_a_target_is_added_changed_and_deleted(admin, load_test):
    response = admin.post("/guards/targets/new/", {"name": " Search ", "max_running": "2", "protected": "on"})
    target = Target.objects.get(name="Search")
    assert response.headers["Location"] == f"/guards/targets/{target.pk}/"
    assert (target.max_running, target.protected) == (2, True)
    admin.post(f"/guards/targets/{target.pk}/", {"form": "target", "name": "Search", "max_running": ""})
    target.refresh_from_db()
    assert (target.max_running, target.protected) == (None, False)
    target.load_tests.add(load_test)
    freeze(target=target)
    page = text_of(admin.get(f"/guards/targets/{target.pk}/delete/"))
    assert "1 load test belongs to it. It stays, and starts without its limit." in page
    assert "1 freeze window of its own is deleted with it." in page
    admin.post(f"/guards/targets/{target.pk}/delete/")
    load_test.refresh_from_db()
    assert load_test.target is None
    assert not FreezeWindow.objects.exists()


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"name": "checkout api"}, "There is a target “checkout api” already."),
        ({"name": "Search", "max_running": "0"}, "At least 1. To let nothing start, add a freeze window."),
        ({"name": ""}, "This field is required."),
    ],
)
def test_a_target_that_cannot_be_says_why(admin, target, entry, sentence):
    assert sentence in text_of(admin.post("/guards/targets/new/", entry))
    assert Target.objects.count() == 1


def test_several_load_tests_of_any_provider_are_added_at_once_and_taken_out(admin, target, twostep):
    other = Target.objects.create(name="Search")
    tests = [make_test(twostep.account, "peak a"), make_test(make_account(), "peak b", target=other)]
    make_test(twostep.account, "else")
    page = admin.get(f"/guards/targets/{target.pk}/?name=peak")
    assert re.findall(r'name="test" value="(\d+)"', page.content.decode()) == [str(test.pk) for test in tests]
    assert "now of Search" in text_of(page)
    admin.post(f"/guards/targets/{target.pk}/", {"form": "add", "test": [test.pk for test in tests]})
    assert [test.name for test in target.load_tests.all()] == ["peak a", "peak b"]
    admin.post(f"/guards/targets/{target.pk}/", {"form": "remove", "test": [tests[0].pk]})
    assert [test.name for test in target.load_tests.all()] == ["peak b"]
    assert "Tick at least one load test." in text_of(admin.post(f"/guards/targets/{target.pk}/", {"form": "add"}))


def test_a_load_tests_target_is_chosen_on_its_page_and_shown_to_everybody(admin, viewer, load_test, target):
    search = Target.objects.create(name="Search")
    assert b"Target\xe2\x80\xa6" not in viewer.get(f"/tests/{load_test.pk}/").content
    response = admin.post(f"/tests/{load_test.pk}/target/", {"target": search.pk})
    assert response.headers["Location"] == f"/tests/{load_test.pk}/"
    run = make_run(load_test)
    for page in (f"/tests/{load_test.pk}/", f"/runs/{run.pk}/"):
        assert f'href="/guards/targets/{search.pk}/"' in viewer.get(page).content.decode()
    admin.post(f"/tests/{load_test.pk}/target/", {"target": ""})
    load_test.refresh_from_db()
    assert load_test.target is None
    assert admin.post(f"/tests/{load_test.pk}/target/", {"target": "999"}).status_code == 422


# -- Freeze windows ----------------------------------------------------------------------------------------------------

ONE_OFF = {
    "name": "Black Friday", "holds_for": "all", "kind": "once", "time_zone": "Europe/Berlin",
    "begins": "2026-11-27T00:00", "ends": "2026-11-30T06:00",
}  # fmt: skip
NIGHTS = {
    "name": "Backups", "holds_for": "all", "kind": "weekly", "time_zone": "Europe/Berlin",
    "weekdays": ["4", "5"], "from_time": "22:00", "to_time": "06:00",
}  # fmt: skip


def test_a_window_is_entered_in_its_own_zone(admin, target, twostep):
    admin.post("/guards/freezes/new/", {**ONE_OFF, "holds_for": f"target-{target.pk}"})
    window = FreezeWindow.objects.get()
    assert window.starts_at == datetime(2026, 11, 26, 23, tzinfo=UTC)
    assert window.ends_at == datetime(2026, 11, 30, 5, tzinfo=UTC)
    assert (window.target, window.account, window.created_by, window.enabled) == (target, None, "ada", True)
    page = admin.get(f"/guards/freezes/{window.pk}/").content.decode()
    assert 'value="2026-11-27T00:00"' in page
    changed = {**ONE_OFF, "enabled": "on", "holds_for": f"account-{twostep.account.pk}", "ends": "2026-11-30T07:00"}
    admin.post(f"/guards/freezes/{window.pk}/", changed)
    window.refresh_from_db()
    assert (window.target, window.account, window.ends_at.hour) == (None, twostep.account, 6)


def test_a_window_of_a_night_whose_clocks_change_covers_all_of_it(admin):
    admin.post("/guards/freezes/new/", {**ONE_OFF, "begins": "2026-10-25T02:30", "ends": "2026-10-25T02:45"})
    window = FreezeWindow.objects.get()
    assert window.starts_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert window.ends_at == datetime(2026, 10, 25, 1, 45, tzinfo=UTC)


def test_a_weekly_window_is_entered_and_read_back(admin):
    admin.post("/guards/freezes/new/", NIGHTS)
    window = FreezeWindow.objects.get()
    assert (window.weekly, window.weekdays, window.from_time.hour, window.starts_at) == (True, [4, 5], 22, None)
    assert "Every Fri, Sat 22:00 to 06:00 the next day Europe/Berlin" in text_of(admin.get("/guards/"))
    page = admin.get(f"/guards/freezes/{window.pk}/").content.decode()
    assert len(re.findall(r'name="weekdays" value="[45]"[^>]*checked', page)) == 2


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({**ONE_OFF, "ends": "2026-11-27T00:00"}, "It has to end after it begins."),
        ({**ONE_OFF, "begins": ""}, "Enter a time."),
        ({**ONE_OFF, "begins": "tomorrow"}, "Enter it as 2026-11-30 06:00."),
        ({**NIGHTS, "weekdays": []}, "Choose at least one day."),
        ({**NIGHTS, "to_time": ""}, "Enter a time."),
        ({**NIGHTS, "time_zone": "Mars/Base"}, "Mars/Base is not one of the available choices."),
        ({**NIGHTS, "holds_for": "target-999"}, "target-999 is not one of the available choices."),
        ({**NIGHTS, "kind": ""}, "This field is required."),
    ],
)
def test_a_window_that_cannot_be_says_why_and_keeps_what_was_typed(admin, entry, sentence):
    page = admin.post("/guards/freezes/new/", entry)
    assert sentence in text_of(page)
    assert f'value="{entry["name"]}"' in page.content.decode()
    assert not FreezeWindow.objects.exists()


def test_the_list_says_what_holds_now_what_comes_what_is_off_and_what_is_past(viewer):
    now = timezone.now()
    freeze("Ended", starts_at=now - timedelta(days=3), ends_at=now - timedelta(days=2))
    freeze("Off", enabled=False)
    freeze("Coming", starts_at=now + timedelta(days=2), ends_at=now + timedelta(days=3))
    freeze("Holding")
    said = text_of(viewer.get("/guards/"))
    order = [said.index(word) for word in ("Holding", "Now, until", "Coming", "Next:", "Off", "Ended", "Past, ended")]
    assert order == sorted(order)


def test_a_window_is_switched_off_and_on_and_deleted(admin, operator, load_test):
    window = freeze()
    admin.post(f"/guards/freezes/{window.pk}/switch/")
    assert offers_start(operator.get(url(load_test)))
    admin.post(f"/guards/freezes/{window.pk}/switch/", {"enabled": "yes"})
    assert not offers_start(operator.get(url(load_test)))
    assert "Starts that it refuses are let through at once." in text_of(
        admin.get(f"/guards/freezes/{window.pk}/delete/")
    )
    admin.post(f"/guards/freezes/{window.pk}/delete/")
    assert offers_start(operator.get(url(load_test)))


# -- Accounts ----------------------------------------------------------------------------------------------------------


def test_an_accounts_limit_is_set_shown_and_lifted_by_its_form_only(admin, twostep):
    account = twostep.account
    form = {"form": "account", "name": account.name, "base_url": account.base_url, "enabled": "on"}
    for entry, limit in (({"max_running": "2"}, 2), ({}, 2), ({"max_running": ""}, None)):
        admin.post("/accounts/perf-weu/", {**form, **entry})
        account.refresh_from_db()
        assert account.max_running == limit
    account.max_running = 3
    account.save()
    assert "3 runs at once" in text_of(admin.get("/accounts/"))
