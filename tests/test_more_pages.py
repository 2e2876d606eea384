"""Notes, stars, scripts, files, costs and repetitions on the pages: offered where the provider can, and never lost."""

import re

import pytest
from django.urls import reverse

from runs.choices import IntentOutcome, RunStatus
from runs.models import Account, ControlIntent, Run, RunFile
from runs.services.base import Capability, Download, Refused, Unavailable
from tests.pages import HTMX_DIALOG, browser, entered, text_of
from tests.rows import NOW, make_run, make_test, make_user

pytestmark = pytest.mark.django_db
LOST = Unavailable("Fake Provider did not answer in time.", maybe_done=True)
TYPED = "second region\nwas slow"


@pytest.fixture
def load_test(fake_account):
    return make_test(fake_account, "Checkout", external_id="t1")


@pytest.fixture
def run(load_test):
    return make_run(load_test, external_id="77", details_at=NOW)


@pytest.fixture
def operator(db):
    return browser(make_user("operator", "maya"))


@pytest.fixture
def viewer(db):
    return browser(make_user("viewer"))


def url(name, run):
    return reverse(name, args=[run.pk])


def shown(client, run, name="run_page"):
    return client.get(url(name, run)).content.decode()


# --- What is offered, and to whom ------------------------------------------------------------------------------------

OFFERS = {
    "star": 'id="run-star"',
    "note": "Add a note…",
    "script": "Script it ran",
    "rerun": "Start again as it was…",
    "start": 'id="run-start-again"',
}


@pytest.mark.parametrize("capability", OFFERS)
def test_a_button_is_there_only_where_the_provider_can(operator, fake, run, monkeypatch, capability):
    assert OFFERS[capability] in shown(operator, run)
    monkeypatch.setattr(fake, "capabilities", fake.capabilities - {Capability(capability)})
    assert OFFERS[capability] not in shown(operator, run)


def test_viewers_change_nothing_and_read_scripts(viewer, run):
    html = shown(viewer, run)
    assert [name for name, mark in OFFERS.items() if mark in html] == ["script"]


@pytest.mark.parametrize("change", [{"read_only": True}, {"enabled": False}, {"archive": True}])
def test_an_account_that_takes_no_change_offers_none(operator, run, change):
    Account.objects.update(**change)
    html = shown(operator, run)
    found = {name for name, mark in OFFERS.items() if mark in html}
    assert found == (set() if "archive" in change else {"script"})


def test_a_run_that_cannot_be_stopped_has_no_stop_button_and_its_page_says_why(operator, fake, load_test, monkeypatch):
    live = make_run(load_test, 3, status=RunStatus.RUNNING, result="none")
    row = f'id="run-{live.pk}-stop"'
    assert 'id="run-stop"' in shown(operator, live)
    assert row in operator.get("/runs/").content.decode()
    monkeypatch.setattr(fake, "capabilities", fake.capabilities - {Capability.STOP})
    assert 'id="run-stop"' not in shown(operator, live)
    assert row not in operator.get("/runs/").content.decode()
    assert "Fake Provider offers Plimsoll no way to stop runs." in text_of(operator.get(url("run_stop", live)))
    assert "Stop everything" not in text_of(operator.get(url("test_page", load_test)))


def test_a_test_that_cannot_be_started_says_so_everywhere(operator, fake, load_test, monkeypatch):
    monkeypatch.setattr(fake, "capabilities", fake.capabilities - {Capability.START})
    sentence = "Fake Provider offers Plimsoll no way to start runs."
    assert "Not from here" in text_of(operator.get("/tests/"))
    for name in ("test_page", "test_start"):
        assert sentence in text_of(operator.get(url(name, load_test)))
    assert "It is not started from here." in text_of(operator.get(url("test_page", load_test)))
    assert not re.search(r"<button[^>]*btn-primary", operator.get(url("test_start", load_test)).content.decode())


# --- Notes -----------------------------------------------------------------------------------------------------------


def test_a_note_is_kept_at_the_provider_and_shown_with_the_run(operator, fake, run):
    response = operator.post(url("run_note", run), {"note": TYPED.replace("\n", "\r\n")}, follow=True)
    assert fake.calls == [("note", "77", TYPED)]
    said = text_of(response)
    assert "The note is saved." in said
    assert "second region was slow" in said
    assert "second region" in shown(operator, run, "run_config")


def test_the_form_begins_with_the_note_there_is_and_opens_in_the_dialog(operator, run):
    Run.objects.update(note="as before")
    assert "as before</textarea>" in shown(operator, run, "run_note")
    inside = operator.get(url("run_note", run), headers=HTMX_DIALOG).content.decode()
    assert "<html" not in inside
    assert 'hx-target="#dialog"' in inside


def test_looking_at_the_form_asks_nobody(operator, fake, run):
    shown(operator, run, "run_note")
    assert fake.calls == []


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (Refused("Fake Provider does not want it."), "Not saved. Fake Provider does not want it."),
        (LOST, "It may or may not be saved: Fake Provider did not answer in time. Do it again; twice does no harm."),
    ],
)
def test_a_note_that_was_not_taken_stays_in_the_form(operator, fake, run, problem, sentence):
    fake.fail("note", problem)
    response = operator.post(url("run_note", run), {"note": TYPED}, headers=HTMX_DIALOG)
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert TYPED in response.content.decode()
    run.refresh_from_db()
    assert run.note == ""


def test_a_note_typed_while_the_account_became_read_only_is_not_lost(operator, fake, run):
    Account.objects.update(read_only=True)
    response = operator.post(url("run_note", run), {"note": TYPED})
    assert "fake is read-only: nobody can change anything on it." in text_of(response)
    assert "second region" in response.content.decode()
    assert fake.calls == []


def test_a_note_that_is_too_long_says_so_and_stays(operator, fake, run):
    response = operator.post(url("run_note", run), {"note": "x" * 2001})
    assert response.status_code == 422
    assert "x" * 2001 in response.content.decode()
    assert fake.calls == []


# --- Stars -----------------------------------------------------------------------------------------------------------


def test_a_star_is_set_and_taken_off_again_where_one_stands(operator, fake, run):
    tab = url("run_config", run)
    response = operator.post(url("run_star", run), {"starred": "yes", "next": tab})
    assert response.headers["Location"] == tab
    assert 'aria-pressed="true"' in shown(operator, run)
    operator.post(url("run_star", run), {"starred": ""})
    assert 'aria-pressed="false"' in shown(operator, run)
    assert fake.calls == [("star", "77", "True"), ("star", "77", "False")]


def test_a_star_that_was_refused_is_said_and_not_shown(operator, fake, run):
    fake.fail("star", Refused("Fake Provider has no stars left."))
    response = operator.post(url("run_star", run), {"starred": "yes"}, follow=True)
    assert "Not changed. Fake Provider has no stars left." in text_of(response)
    assert 'aria-pressed="false"' in response.content.decode()


def test_starred_runs_have_a_mark_and_a_filter_of_their_own(viewer, run, load_test):
    make_run(load_test, 2)
    Run.objects.filter(pk=run.pk).update(starred=True)
    assert "Starred" in text_of(viewer.get(url("run_page", run)))
    everything = viewer.get("/runs/").content.decode()
    assert everything.count(">starred<") == 1
    only = text_of(viewer.get("/runs/?starred=1"))
    assert "#214" in only
    assert "#2 " not in only
    assert "Starred only" in only


# --- Costs, scripts and files ----------------------------------------------------------------------------------------


def test_the_cost_is_among_the_facts_and_an_estimate_while_it_runs(viewer, run):
    assert "VU hour" not in text_of(viewer.get(url("run_page", run)))
    Run.objects.update(cost_vuh=12.48)
    assert "12.5\u00a0VU hours" in shown(viewer, run)
    assert "Cost 12.5 VU hours" in text_of(viewer.get(url("run_config", run)))
    Run.objects.update(status=RunStatus.RUNNING)
    assert "about 12.5\u00a0VU hours" in shown(viewer, run)


@pytest.mark.parametrize(
    ("name", "call"), [("run_script", ("script", "77", "")), ("test_script", ("script", "", "t1"))]
)
def test_a_script_is_shown_as_text_and_downloaded_as_a_file(viewer, fake, run, load_test, name, call):
    address = url(name, run if name == "run_script" else load_test)
    response = viewer.post(address)
    assert "export default () =&gt; {}" in response.content.decode()
    assert "attachment" not in response.headers.get("Content-Disposition", "")
    fake.script.chunks = iter([b"export ", b"default"])
    response = viewer.post(address, {"download": "yes"})
    assert response["Content-Disposition"] == 'attachment; filename="script.js"'
    assert b"".join(response.streaming_content) == b"export default"
    assert fake.calls == [call, call]


@pytest.mark.parametrize("pieces", [[b"PK\0\0", b"\xff"], [b"a" * 200_000, b"b" * 100_000, b"c"], [b"\xff\xfe"]])
def test_what_is_no_text_or_a_long_one_comes_as_a_file_and_whole(viewer, fake, run, pieces):
    fake.script = Download("script.tar", "application/x-tar", iter(pieces))
    response = viewer.post(url("run_script", run))
    assert response["Content-Disposition"] == 'attachment; filename="script.tar"'
    assert b"".join(response.streaming_content) == b"".join(pieces)


def test_a_script_that_cannot_be_read_leads_back_with_the_reason(viewer, fake, load_test):
    fake.fail("script", Refused("Fake Provider has no script of it."))
    response = viewer.post(url("test_script", load_test), follow=True)
    assert response.redirect_chain == [(url("test_page", load_test), 302)]
    assert "Fake Provider has no script of it." in text_of(response)


def test_each_file_of_a_run_is_fetched_by_a_button_of_its_own(viewer, fake, run):
    RunFile.objects.create(run=run, name="logs/engine-1.zip", label="Logs of engine 1")
    html = shown(viewer, run)
    assert 'name="name" value="logs/engine-1.zip"' in html
    assert "Logs of engine 1" in html
    response = viewer.post(url("run_file", run), {"name": "logs/engine-1.zip"})
    assert (b"".join(response.streaming_content), response["Content-Length"]) == (b"a,b", "4")
    assert "attachment" in response["Content-Disposition"]
    assert fake.calls == [("file", "77", "logs/engine-1.zip")]


def test_a_file_nobody_listed_is_not_asked_for(viewer, fake, run):
    response = viewer.post(url("run_file", run), {"name": "\0other"}, follow=True)
    assert "listed no such file" in text_of(response)
    assert fake.calls == []


# --- The start dialog ------------------------------------------------------------------------------------------------


def test_a_start_says_what_it_would_cost_when_it_is_asked(operator, fake, load_test):
    page = operator.get(url("test_start", load_test))
    assert "Cost not worked out yet" in text_of(page)
    assert fake.calls == []
    response = operator.post(url("test_start", load_test), {**entered(page), "estimate": "yes", "reason": "kept"})
    assert "Cost about 12.5 VU hours , estimated by Fake Provider just now" in text_of(response)
    assert entered(response)["reason"] == "kept"
    assert not ControlIntent.objects.exists()
    assert fake.calls == [("estimate", "Checkout", "")]


def test_htmx_asks_for_the_cost_once_and_gets_that_line(operator, fake, load_test):
    inside = operator.get(url("test_start", load_test), headers=HTMX_DIALOG).content.decode()
    assert 'hx-trigger="load, click"' in inside
    response = operator.post(
        url("test_start", load_test), {"estimate": "yes"}, headers={"HX-Request": "true", "HX-Target": "start-cost"}
    )
    assert response.content.decode().count("<button") == 1
    assert 'hx-trigger="click"' in response.content.decode()
    assert b"12.5" in response.content


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [(None, "Not known: Fake Provider cannot tell."), (LOST, "Not known: Fake Provider did not answer in time.")],
)
def test_a_cost_that_is_not_known_is_a_quiet_sentence_and_the_start_goes_on(
    operator, fake, load_test, answer, sentence
):
    if answer is None:
        fake.cost = None
    else:
        fake.fail("estimate", answer)
    response = operator.post(
        url("test_start", load_test), {**entered(operator.get(url("test_start", load_test))), "estimate": "yes"}
    )
    assert response.status_code == 200
    assert sentence in text_of(response)
    operator.post(url("test_start", load_test), entered(response))
    assert ControlIntent.objects.get().outcome == IntentOutcome.DONE


def test_costs_are_for_whoever_may_start_and_for_providers_that_know_them(
    viewer, operator, fake, load_test, monkeypatch
):
    assert viewer.post(url("test_start", load_test), {"estimate": "yes"}).status_code == 403
    monkeypatch.setattr(fake, "capabilities", fake.capabilities - {Capability.ESTIMATE})
    assert "Cost" not in text_of(operator.get(url("test_start", load_test)))
    assert fake.calls == []


def test_enter_in_a_field_starts_and_does_not_ask_for_the_cost(operator, load_test):
    html = operator.get(url("test_start", load_test)).content.decode()
    form = html[html.index('id="control-form"') :]
    assert re.findall(r"<button[^>]*>", form)[0] == "<button hidden>"


def test_a_run_is_started_again_as_it_was(operator, fake, run):
    page = operator.get(f"{url('run_start_again', run)}?as_it_was=1")
    said = text_of(page)
    assert "Start Checkout again as #214 was" in said
    assert "Fake Provider repeats it with what it ran then" in said
    operator.post(url("run_start_again", run), entered(page))
    assert ControlIntent.objects.get().rerun_of == "77"
    assert [(wish.rerun_of, wish.values) for wish in fake.wishes] == [("77", {})]


def test_the_dialog_offers_both_ways_to_start_again(operator, fake, run, monkeypatch):
    repeat = f'href="{url("run_start_again", run)}?as_it_was=1"'
    assert repeat in shown(operator, run, "run_start_again")
    other = operator.get(f"{url('run_start_again', run)}?as_it_was=1").content.decode()
    assert f'href="{url("run_start_again", run)}"' in other
    monkeypatch.setattr(fake, "capabilities", fake.capabilities - {Capability.RERUN})
    assert repeat not in shown(operator, run, "run_start_again")
    refused = operator.get(f"{url('run_start_again', run)}?as_it_was=1")
    assert "no way to start a run again as it was" in text_of(refused)


def test_a_refused_repetition_is_tried_again_as_one(operator, fake, run):
    fake.fail("start", Refused("Fake Provider is full."))
    page = operator.get(f"{url('run_start_again', run)}?as_it_was=1")
    response = operator.post(url("run_start_again", run), entered(page), follow=True)
    again = re.search(
        rf'href="({url("run_start_again", run)}\?as_it_was=1&amp;after=[^"]*)"', response.content.decode()
    )
    assert again
    operator.post(url("run_start_again", run), entered(operator.get(again.group(1).replace("&amp;", "&"))))
    assert [wish.rerun_of for wish in fake.wishes] == ["77"]
