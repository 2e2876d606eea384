"""Several runs at once: what is said before a stop, what is sent, what came of each; and a file of the selection."""

import re
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest
import time_machine

from runs.actions import stop_run
from runs.choices import IntentOutcome, RunResult, RunStatus
from runs.models import ControlIntent, Run
from runs.services.base import Refused, Unavailable
from runs.stop_several import stop_several, token_for
from tests.fake_service import remote
from tests.pages import HTMX_DIALOG, browser, entered, text_of
from tests.rows import NOW, make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db

URL = "/runs/stop/"


@pytest.fixture
def account(fake_account):
    return fake_account


@pytest.fixture
def load_test(account):
    return make_test(account, "Checkout API")


@pytest.fixture
def person(db):
    return make_user("operator", "maya")


@pytest.fixture
def operator(person):
    return browser(person)


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


def live(load_test, number: int, status: str = RunStatus.RUNNING, **fields) -> Run:
    begun = {"load_started_at": NOW - timedelta(seconds=252)} if status == RunStatus.RUNNING else {}
    fields = {**begun, "planned_duration_s": 1800, "result": RunResult.NONE, **fields}
    return make_run(load_test, number, status=status, created_at=NOW - timedelta(minutes=number), **fields)


def ids(*runs: Run) -> dict[str, str]:
    return {"id": ",".join(str(run.pk) for run in runs)}


def lines(response) -> list[str]:
    rows = re.findall(r'<tr role="row".*?</tr>', response.content.decode(), re.DOTALL)[1:]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


def press(client, *runs: Run, **more: str):
    """Open the dialog for these runs and press its button; the page after it."""
    values = entered(client.post(URL, ids(*runs))) | more
    return client.get(client.post(URL, values)["Location"])


@pytest.mark.parametrize(
    ("fields", "fate"),
    [
        ({}, "will stop at 4:12 of 30:00"),
        ({"planned_duration_s": None}, "will stop at 4:12"),
        ({"status": RunStatus.STARTING}, "will be cancelled before load"),
        ({"status": RunStatus.CREATED}, "not queued yet; the provider may refuse"),
        ({"status": RunStatus.QUEUED}, "will leave the queue"),
        ({"status": RunStatus.PROCESSING}, "skipped, load has ended"),
        ({"status": RunStatus.FINISHED}, "skipped, already ended"),
        ({"status": RunStatus.STOPPING}, "skipped, stopping already"),
        ({"status": RunStatus.UNKNOWN}, "skipped, its status is not known"),
        ({"gone_at": NOW}, "skipped, Fake Provider no longer knows it"),
        ({"stop_requested_at": NOW - timedelta(seconds=12), "stop_requested_by": "Tomás"},
         "skipped, Tomás asked 12\u00a0s ago"),
        ({"stop_requested_at": NOW - timedelta(seconds=130), "stop_requested_by": "Tomás"},
         "will stop at 4:12 of 30:00; asked 2:10 ago without effect"),
    ],
)  # fmt: skip
def test_each_run_says_what_will_happen_to_it(operator, load_test, fields, fate):
    run = live(load_test, 215, **fields)
    [line] = lines(operator.get(URL, ids(run)))
    assert line.startswith("Checkout API #215")
    assert line.endswith(" ".join(fate.split()))


@pytest.mark.parametrize(
    ("account_is", "fate"), [({"read_only": True}, "read only"), ({"enabled": False}, "the account is switched off")]
)
def test_runs_of_an_account_that_forbids_it_are_skipped(operator, load_test, account, account_is, fate):
    for name, value in account_is.items():
        setattr(account, name, value)
    account.save()
    [line] = lines(operator.get(URL, ids(live(load_test, 1))))
    assert line.endswith(f"skipped, {fate}")


def test_the_dialog_counts_says_when_and_puts_the_focus_on_keep_running(operator, load_test, fake):
    chosen = [live(load_test, 1), live(load_test, 2, RunStatus.QUEUED), make_run(load_test, 3)]
    for headers in ({}, HTMX_DIALOG):
        response = operator.post(URL, ids(*chosen), headers=headers)
        said = text_of(response)
        assert "Stop 2 of 3 selected runs?" in said
        assert "Those you selected, as they were at 13:32:00 UTC." in said
        assert "Stop 2 runs" in said
        html = response.content.decode()
        assert 'role="alertdialog"' in html
        assert html.count("autofocus") == 1
        assert "autofocus>Keep running<" in html
    assert fake.calls == []


def test_all_that_the_filters_find_is_meant_beyond_the_page(operator, load_test):
    for number in range(60):
        live(load_test, number, RunStatus.QUEUED)
    live(load_test, 99)
    without = Run.objects.get(number=7)
    said = text_of(operator.post(URL, {"all": "1", "filters": "status=queued", "without": "x"}))
    assert "Those are no runs of the list" in said
    said = text_of(operator.post(URL, {"all": "1", "filters": "status=queued", "without": without.pk}))
    assert "Stop 59 runs?" in said
    assert "Those that match Status is Queued, but 1 you took out, at 13:32:00 UTC. Runs that start later are" in said


def test_a_selection_under_a_view_or_what_is_unseen_is_that_and_no_more(operator, load_test):
    live(load_test, 1)
    failed = make_run(load_test, 2, result=RunResult.FAILED)
    html = operator.get("/runs/?view=failed").content.decode()
    filters = unescape(re.search(r'name="filters" value="([^"]*)"', html).group(1))
    back = unescape(re.search(r'name="back" value="([^"]*)"', html).group(1))
    page = operator.post(URL, {"all": "1", "filters": filters, "back": back})
    assert [line.partition("#")[2].split()[0] for line in lines(page)] == [failed.shown_number]
    assert f'href="/runs/?{back}"' in page.content.decode()


def test_more_than_one_press_takes_is_said(operator, load_test, monkeypatch, fake):
    monkeypatch.setattr("runs.stop_several.MOST", 3)
    chosen = [live(load_test, number) for number in range(5)] + [make_run(load_test, 9)]
    response = operator.post(URL, ids(*chosen))
    said = text_of(response)
    assert "Stop 3 of 6 selected runs?" in said
    assert "2 more that have not ended keep running: stop again for those." in said
    assert "And 1 more that is skipped" in said
    operator.post(URL, entered(response))
    assert len(fake.asked("stop")) == 3


def test_each_is_asked_once_with_the_same_reason_and_the_page_says_what_came_of_it(operator, load_test, fake):
    chosen = [live(load_test, 1), live(load_test, 2, RunStatus.QUEUED), make_run(load_test, 3)]
    page = press(operator, *chosen, reason="Incident 4471")
    assert sorted(fake.asked("stop")) == sorted(("stop", run.external_id) for run in chosen[:2])
    assert [intent.reason for intent in ControlIntent.objects.all()] == ["Incident 4471"] * 2
    assert "Stop asked for 2 runs" in text_of(page)
    first, second, third = lines(page)
    assert first.endswith("Stop asked for. Waiting for Fake Provider to confirm it.")
    assert second.endswith("Stop asked for. Waiting for Fake Provider to confirm it.")
    assert third.endswith("Skipped. Already ended.")


def test_the_same_press_twice_sends_nothing_twice(operator, load_test, fake):
    values = entered(operator.post(URL, ids(live(load_test, 1), live(load_test, 2))))
    places = {operator.post(URL, values)["Location"] for _ in range(2)}
    assert len(places) == 1
    assert len(fake.asked("stop")) == 2


def test_refusals_and_lost_answers_stand_beside_their_run(operator, load_test, fake):
    refused, lost = live(load_test, 1), live(load_test, 2)
    fake.has(remote(refused.external_id, status=RunStatus.RUNNING, result=RunResult.NONE))
    fake.fail("stop", Refused("Fake Provider refused it: not your run."))
    fake.fail("stop", Unavailable("Fake Provider did not answer in time.", maybe_done=True))
    first, second = lines(press(operator, refused, lost))
    assert "Not stopped. Fake Provider refused it: not your run." in first
    assert "It may or may not stop" in second
    assert len(fake.asked("stop")) == 2


def test_only_what_the_dialog_said_is_stopped(operator, load_test, fake):
    """A run that was skipped then is not stopped because it could be by now; one that ended meanwhile is let be."""
    asked = live(load_test, 1, stop_requested_at=NOW - timedelta(seconds=12), stop_requested_by="Tomás")
    ended = live(load_test, 2)
    values = entered(operator.post(URL, ids(asked, ended)))
    Run.objects.filter(pk=asked.pk).update(stop_requested_at=None)
    Run.objects.filter(pk=ended.pk).update(status=RunStatus.FINISHED)
    page = operator.get(operator.post(URL, values)["Location"])
    assert fake.calls == []
    assert "No run was asked to stop" in text_of(page)
    assert [line.rpartition("Skipped")[1] for line in lines(page)] == ["Skipped"] * 2


def test_after_the_deadline_the_rest_is_not_asked_and_a_slow_provider_does_not_use_up_the_others_time(
    load_test, person, fake
):
    slow = [live(load_test, number) for number in (1, 2, 3)]
    other = make_account("perf-lab", "fake")
    other.seal_credentials({})
    other.save()
    quick = live(make_test(other, "Basket"), 4)
    clock = iter(range(0, 1000, 20))  # each look at the clock is 20 s later
    press = uuid4()
    stop_several(
        user=person, run_ids=[run.pk for run in (*slow, quick)], reason="", press=press, deadline_s=100,
        seconds=lambda: next(clock),
    )  # fmt: skip
    assert fake.asked("stop") == [("stop", slow[0].external_id), ("stop", quick.external_id)]
    chosen = ",".join(str(run.pk) for run in (*slow, quick))
    page = browser(person).get(f"/runs/stop/{press}/", {"id": chosen, "stop": chosen})
    assert "2 runs were not asked. The others took too long. Nothing was sent for them." in text_of(page)
    assert sum("Not asked. There was no time left for it. Nothing was sent." in line for line in lines(page)) == 2
    assert "Stop 2 runs…" in text_of(page)


def test_the_outcomes_are_asked_for_until_they_are_settled(operator, load_test, fake):
    run = live(load_test, 1)
    page = press(operator, run)
    poll = re.search(r'hx-get="([^"]+)"', page.content.decode()[page.content.decode().index('id="stopped"') :]).group(1)
    poll = poll.replace("&amp;", "&")
    headers = {"HX-Request": "true", "HX-Target": "stopped"}
    assert operator.get(poll, headers=headers).status_code == 204
    Run.objects.filter(pk=run.pk).update(status=RunStatus.ABORTED)
    ControlIntent.objects.update(outcome=IntentOutcome.DONE, message="Stopped. Confirmed 26 s after it was asked for.")
    after = operator.get(poll, headers=headers)
    assert "Confirmed 26 s after" in text_of(after)
    assert "every 3s" not in after.content.decode()


def test_a_token_of_somebody_else_s_press_stops_nothing(operator, load_test, fake):
    run, press_token = live(load_test, 1), uuid4()
    stop_run(user=make_user("admin"), run=run, reason="", token=token_for(press_token, run.pk))
    operator.post(URL, {"token": press_token, "id": run.pk, "stop": run.pk})
    assert len(fake.asked("stop")) == 1


def test_nothing_selected_and_nonsense_are_said(operator, load_test):
    assert "No run is selected. Tick some in the list first." in text_of(operator.get(URL))
    assert operator.post(URL).status_code == 422
    for wrong in ("x", "1e3", "-1", "²"):
        assert "Those are no runs of the list" in text_of(operator.post(URL, {"id": wrong}))
    assert "There is no “foo”" in text_of(operator.post(URL, {"all": "1", "filters": "status=foo"}))
    many = ",".join(str(number) for number in range(1001))
    assert "1001 runs are more than can be ticked; 1000 is the most." in text_of(operator.post(URL, {"id": many}))


def test_what_was_typed_is_kept_when_the_form_is_wrong(operator, load_test, fake):
    values = entered(operator.post(URL, ids(live(load_test, 1)))) | {"reason": "x" * 501}
    response = operator.post(URL, values)
    assert response.status_code == 422
    assert "x" * 501 in response.content.decode()
    assert "Nothing was stopped yet." in text_of(response)
    assert fake.calls == []


def test_a_viewer_reads_why_there_is_no_button_and_sends_nothing(load_test, fake):
    run = live(load_test, 1)
    viewer = browser(make_user("viewer"))
    page = viewer.get(URL, ids(run))
    assert "takes the operator role" in text_of(page)
    assert b"btn-danger" not in page.content
    assert viewer.post(URL, {"token": uuid4(), "stop": run.pk}).status_code == 403
    assert b"Stop selected" not in viewer.get("/runs/").content
    assert fake.calls == []


def test_the_plan_takes_the_same_number_of_queries_for_1_run_and_30(operator, load_test, django_assert_max_num_queries):
    chosen = [live(load_test, number) for number in range(20)] + [make_run(load_test, 100 + n) for n in range(10)]
    operator.post(URL, ids(chosen[0]))
    with django_assert_max_num_queries(12):
        operator.post(URL, ids(*chosen))


# --- Export ---


def exported(client, **values: object) -> str:
    response = client.post("/runs/export/selected/", values)
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith('attachment; filename="plimsoll-runs-')
    return b"".join(response.streaming_content).decode()


def test_the_selected_runs_are_a_file(load_test):
    first, second, other = (make_run(load_test, number) for number in (1, 2, 3))
    viewer = browser(make_user("viewer"))
    for kind in ("csv", "json"):
        text = exported(viewer, format=kind, id=[first.pk, second.pk])
        assert first.external_id in text
        assert second.external_id in text
        assert other.external_id not in text


def test_all_that_the_filters_find_is_a_file_less_what_was_taken_out(load_test):
    for number in range(1, 4):
        make_run(load_test, number)
    failed, out = make_run(load_test, 8, result=RunResult.FAILED), Run.objects.get(number=2)
    text = exported(browser(make_user("viewer")), all="1", filters="result=passed", without=out.pk, format="csv")
    assert len(text.splitlines()) == 3
    assert failed.external_id not in text


def test_an_export_of_nothing_says_what_to_do(operator):
    response = operator.post("/runs/export/selected/", {"format": "csv"})
    assert response.status_code == 400
    assert "Tick some in the list first" in response.content.decode()


# --- Everything of an account or a test ---


@pytest.fixture(params=["account", "test"])
def everything(request, account, load_test):
    """The page that shows what a stop of everything would reach."""
    return f"/accounts/{account.slug}/stop/" if request.param == "account" else f"/tests/{load_test.pk}/stop/"


def test_everything_is_shown_first_and_nothing_is_sent(operator, load_test, account, fake, everything):
    chosen = [live(load_test, 1), live(load_test, 2, RunStatus.QUEUED)]
    make_run(load_test, 3)
    live(make_test(make_account("perf-lab", "fake"), "Basket"), 4)
    for headers in ({}, HTMX_DIALOG):
        page = operator.get(everything, headers=headers)
        name = account.name if "accounts" in everything else load_test.name
        assert f"Stop everything of {name}: 2 runs?" in text_of(page)
        assert len(lines(page)) == 2
        assert "Runs that start later are not stopped by this." in text_of(page)
    assert entered(page)["stop"].strip(",").split(",") == [str(run.pk) for run in chosen]
    assert fake.calls == []


def test_one_confirmation_stops_what_was_shown_and_tells_what_has_started_since(operator, load_test, fake, everything):
    shown = [live(load_test, 1), live(load_test, 2)]
    values = entered(operator.get(everything)) | {"reason": "Incident 4471"}
    since = [live(load_test, 10 + n) for n in range(2)]
    page = operator.get(operator.post(URL, values)["Location"])
    assert sorted(fake.asked("stop")) == sorted(("stop", run.external_id) for run in shown)
    assert {intent.reason for intent in ControlIntent.objects.all()} == {"Incident 4471"}
    assert "2 more have started since. They were not in the list you confirmed" in text_of(page)
    assert f'href="{everything}"' in page.content.decode()
    assert all(run.stop_requested_at is None for run in Run.objects.filter(pk__in=[run.pk for run in since]))


def test_one_that_starts_while_the_result_is_looked_at_is_told_by_the_next_poll(operator, load_test, fake, everything):
    live(load_test, 1)
    page = operator.get(operator.post(URL, entered(operator.get(everything)))["Location"])
    assert "started since" not in text_of(page)
    poll = re.search(r'hx-get="([^"]+)" hx-trigger="every 3s" hx-target="#stopped"', page.content.decode()).group(1)
    headers = {"HX-Request": "true", "HX-Target": "stopped"}
    assert operator.get(unescape(poll), headers=headers).status_code == 204
    live(load_test, 2)
    assert "1 more has started since" in text_of(operator.get(unescape(poll), headers=headers))


def test_beyond_what_one_press_takes_it_offers_to_go_on(operator, load_test, fake, everything, monkeypatch):
    monkeypatch.setattr("runs.stop_several.MOST", 3)
    monkeypatch.setattr("dashboard.views.bulk.MOST", 3)
    for number in range(5):
        live(load_test, number)
    page = operator.get(everything)
    assert "2 more that have not ended keep running" in text_of(page)
    after = operator.get(operator.post(URL, entered(page))["Location"])
    assert len(fake.asked("stop")) == 3
    assert "2 runs of" in text_of(after)
    assert "Stop the rest…" in text_of(after)


def test_a_start_without_an_answer_may_still_make_a_run_and_that_is_said(operator, load_test, account, everything):
    live(load_test, 1)
    wish = {"kind": "start", "account": account, "load_test": load_test, "user_name": "maya", "outcome": "sent"}
    ControlIntent.objects.create(**wish)
    assert "1 start of it without an answer yet. A run may still come of it" in text_of(operator.get(everything))


def test_where_nothing_is_under_way_there_is_no_button(operator, load_test, everything):
    make_run(load_test, 3)
    page = operator.get(everything)
    assert "is under way" in text_of(page)
    assert b"btn-danger" not in page.content


def test_a_viewer_may_look_at_everything_and_stop_nothing(load_test, everything):
    live(load_test, 1)
    page = browser(make_user("viewer")).get(everything)
    assert "takes the operator role" in text_of(page)
    assert b"btn-danger" not in page.content


def test_the_test_page_and_the_account_page_lead_there_while_something_runs(operator, load_test, account):
    test_page, account_page = f"/tests/{load_test.pk}/", f"/accounts/{account.slug}/"
    admin = browser(make_user("admin"))
    assert b"Stop everything" not in operator.get(test_page).content + admin.get(account_page).content
    live(load_test, 1)
    assert f'href="/tests/{load_test.pk}/stop/"' in operator.get(test_page).content.decode()
    assert f'href="/accounts/{account.slug}/stop/"' in admin.get(account_page).content.decode()
    assert b"Stop everything" not in browser(make_user("viewer")).get(test_page).content


@pytest.mark.parametrize("scope", ["", "account:nobody", "test:x", "test:99999999", "run:1"])
def test_a_scope_that_is_none_changes_nothing(operator, load_test, fake, scope):
    run = live(load_test, 1)
    place = operator.post(URL, entered(operator.post(URL, ids(run))) | {"scope": scope, "newest": "0"})["Location"]
    assert "started since" not in text_of(operator.get(place))


# --- A stop without effect ---


def test_ninety_seconds_later_each_says_that_it_still_runs_and_can_be_asked_again(operator, load_test, fake):
    run = live(load_test, 1)
    place = operator.post(URL, entered(operator.post(URL, ids(run))))["Location"]
    intent = ControlIntent.objects.get()
    with time_machine.travel(NOW + timedelta(seconds=89), tick=False):
        assert "Still running" not in text_of(operator.get(place)) + text_of(operator.get(f"/intents/{intent.token}/"))
        assert "Ask again" not in text_of(operator.get("/runs/"))
    with time_machine.travel(NOW + timedelta(seconds=91), tick=False):
        [line] = lines(page := operator.get(place))
        assert "Still running 90 s after the stop. Fake Provider has not confirmed the stop" in line
        assert "Ask 1 run again…" in text_of(page)
        page = operator.get(f"/intents/{intent.token}/")
        assert "Still running 90 s after the stop" in text_of(page)
        assert f'href="/runs/{run.pk}/stop/"' in page.content.decode()
        assert "Ask again" in text_of(operator.get("/runs/"))
        polled = operator.get(
            f"/intents/{intent.token}/?seen=accepted", headers={"HX-Request": "true", "HX-Target": "intent"}
        )
        assert polled.status_code == 200
        operator.post(URL, entered(operator.post(URL, ids(run))))
    assert len(fake.asked("stop")) == 2


def test_a_stop_that_had_no_effect_is_no_longer_looked_after_and_can_be_asked_again(operator, load_test, fake):
    run = live(load_test, 1)
    place = operator.post(URL, entered(operator.post(URL, ids(run))))["Location"]
    message = "It was still going on 11 min after it was asked to stop. Ask again, or look at Fake Provider."
    ControlIntent.objects.update(outcome=IntentOutcome.NO_EFFECT, message=message, settled_at=NOW)
    intent = ControlIntent.objects.get()
    with time_machine.travel(NOW + timedelta(minutes=12), tick=False):
        page = operator.get(place)
        assert f"The stop had no effect. {message}" in lines(page)[0]
        assert "Ask 1 run again…" in text_of(page)
        assert b"every 3s" not in page.content
        page = operator.get(f"/intents/{intent.token}/")
        assert "The stop had no effect" in text_of(page)
        assert f'href="/runs/{run.pk}/stop/"' in page.content.decode()
        assert b"every 3s" not in page.content
        assert message in text_of(operator.get("/intents/?state=no_effect"))
        assert message in text_of(operator.get(f"/runs/{run.pk}/activity/"))
    Run.objects.update(status=RunStatus.ABORTED)
    assert "Ask again…" not in text_of(operator.get(f"/intents/{intent.token}/"))
