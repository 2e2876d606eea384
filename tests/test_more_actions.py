"""Notes, stars, schedules, scripts, files and what a start costs: asked once, kept here only when it was taken."""

import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from runs import more_actions
from runs.abilities import can
from runs.actions import NotAllowed
from runs.choices import RunStatus
from runs.guards import guards_for
from runs.health import health_of
from runs.models import Account, RunFile, Schedule, SyncState, Target
from runs.services.base import Capability, Refused, Unavailable, UnexpectedAnswer
from runs.stop_several import fate_of
from tests.rows import make_run, make_test, make_user

pytestmark = pytest.mark.django_db
REFUSED = Refused("Fake Provider does not want that.")


@pytest.fixture
def load_test(fake_account):
    return make_test(fake_account, "Checkout", external_id="t1")


@pytest.fixture
def run(load_test):
    run = make_run(load_test, external_id="77", note="old")
    RunFile.objects.create(run=run, name="results.csv", label="Results")
    return run


@pytest.fixture
def schedule(load_test):
    return Schedule.objects.create(load_test=load_test, external_id="9", active=True, synced_at=timezone.now())


@pytest.fixture
def operator(db):
    return make_user("operator", "maya")


@pytest.fixture
def act(operator, run, schedule):
    """Every write by its name, done by the operator or by `user`."""

    def act(name, user=operator):
        {
            "note": lambda: more_actions.set_note(user=user, run=run, note="new"),
            "star": lambda: more_actions.set_star(user=user, run=run, starred=True),
            "schedule": lambda: more_actions.switch_schedule(user=user, schedule=schedule, active=False),
        }[name]()
        run.refresh_from_db()
        schedule.refresh_from_db()

    return act


def now_is(run, schedule):
    return run.note, run.starred, schedule.active


WRITES = ("note", "star", "schedule")
OLD = ("old", False, True)


@pytest.mark.parametrize(
    ("name", "asked", "then"),
    [
        ("note", ("note", "77", "new"), ("new", False, True)),
        ("star", ("star", "77", "True"), ("old", True, True)),
        ("schedule", ("schedule", "9", "False"), ("old", False, False)),
    ],
)
def test_what_the_provider_took_is_shown_here(act, fake, run, schedule, name, asked, then):
    act(name)
    assert fake.calls == [asked]
    assert now_is(run, schedule) == then


@pytest.mark.parametrize("problem", [REFUSED, Unavailable("No answer.", maybe_done=True)])
@pytest.mark.parametrize("name", WRITES)
def test_what_it_did_not_take_for_certain_is_not(act, fake, run, schedule, name, problem):
    fake.fail(name, problem)
    with pytest.raises(type(problem)):
        act(name)
    assert now_is(run, schedule) == OLD
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"read_only": True}, "fake is read-only: nobody can change anything on it"),
        ({"enabled": False}, "fake is switched off"),
        ({"archive": True}, "fake is an archive: its runs came from a file"),
    ],
)
@pytest.mark.parametrize("name", WRITES)
def test_an_account_that_takes_no_change_is_not_asked(act, fake, run, schedule, name, change, sentence):
    Account.objects.update(**change)
    for thing in (run, schedule):
        thing.refresh_from_db(fields=["account" if thing is run else "load_test"])
    with pytest.raises(NotAllowed, match=sentence):
        act(name)
    assert fake.calls == []


@pytest.mark.parametrize("name", WRITES)
def test_it_takes_the_operator_role_and_a_provider_that_can(act, fake, monkeypatch, name):
    with pytest.raises(NotAllowed, match="takes the operator role"):
        act(name, make_user("viewer"))
    monkeypatch.setattr(fake, "capabilities", frozenset())
    with pytest.raises(NotAllowed, match="Fake Provider offers Plimsoll no way to"):
        act(name)
    assert fake.calls == []


def test_a_run_that_is_gone_keeps_its_note(act, fake, run):
    run.gone_at = timezone.now()
    with pytest.raises(NotAllowed, match="no longer known to Fake Provider"):
        act("note")
    assert fake.calls == []


def test_a_switched_schedule_is_read_again_soon(act, load_test):
    state = SyncState.objects.create(account=load_test.account, due_at=timezone.now() + timedelta(hours=1))
    act("schedule")
    state.refresh_from_db()
    assert state.due_at <= timezone.now()


def test_notes_are_in_no_log(act, caplog):
    with caplog.at_level(logging.INFO):
        act("note")
    assert "The note of run" in caplog.text
    assert "new" not in caplog.text


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (REFUSED, "Not saved. Fake Provider does not want that."),
        (Unavailable("No answer came.", maybe_done=True), "It may or may not be saved: No answer came. Do it again;"),
        (UnexpectedAnswer("It was garbled."), "It may or may not be saved: It was garbled."),
        (NotAllowed("fake is read-only."), "Not saved. fake is read-only."),
    ],
)
def test_how_a_write_failed_is_told_as_far_as_it_is_known(problem, sentence):
    assert more_actions.how_it_failed(problem, "saved").startswith(sentence)


def test_files_and_scripts_are_fetched_afresh_by_whoever_may_look(fake, run, load_test):
    viewer = make_user("viewer")
    assert b"".join(more_actions.fetch_archive(user=viewer, run=run).chunks) == b"zip"
    assert b"".join(more_actions.fetch_file(user=viewer, run=run, name="results.csv").chunks) == b"a,b"
    more_actions.fetch_script(user=viewer, of=run)
    more_actions.fetch_script(user=viewer, of=load_test)
    assert fake.calls == [
        ("archive", "77"), ("file", "77", "results.csv"), ("script", "77", ""), ("script", "", "t1"),
    ]  # fmt: skip


def test_only_listed_files_are_asked_for(fake, run, operator):
    with pytest.raises(NotAllowed, match="listed no such file"):
        more_actions.fetch_file(user=operator, run=run, name="../secrets")
    assert fake.calls == []


@pytest.mark.parametrize("change", ["archive", "capabilities"])
def test_nothing_is_fetched_where_there_is_nobody_to_ask(fake, run, operator, monkeypatch, change):
    if change == "archive":
        run.account.archive = True
    else:
        monkeypatch.setattr(fake, "capabilities", frozenset())
    for fetch in (
        lambda: more_actions.fetch_archive(user=operator, run=run),
        lambda: more_actions.fetch_file(user=operator, run=run, name="results.csv"),
        lambda: more_actions.fetch_script(user=operator, of=run),
    ):
        with pytest.raises(NotAllowed, match="no provider to ask" if change == "archive" else "no way to"):
            fetch()
    assert fake.calls == []


def test_the_cost_of_a_start_is_estimated_with_its_settings_and_nothing_is_started(fake, load_test, operator):
    account = load_test.account
    cost = more_actions.estimate_start(user=operator, account=account, load_test=load_test, values={}, rerun_of="77")
    assert cost == 12.5
    assert fake.calls == [("estimate", "Checkout", "77")]
    assert not account.intents.exists()


# --- Archives --------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(load_test):
    load_test.account.archive = True
    load_test.account.save()
    return load_test.account


def test_an_archive_is_not_synced_and_never_late(archive):
    SyncState.objects.create(account=archive, error="left over")
    assert archive not in Account.objects.syncable()
    assert (health_of(archive, timezone.now()).kind, health_of(archive, timezone.now()).word) == ("off", "Archive")


def test_an_archive_can_do_nothing(archive):
    assert not any(can(archive, capability) for capability in Capability)


def test_a_run_under_way_in_an_archive_is_not_stopped_and_stands_in_nobodys_way(archive, load_test):
    load_test.target = Target.objects.create(name="Shop", max_running=1)
    load_test.save()
    run = make_run(load_test, status=RunStatus.RUNNING)
    assert fate_of(run, timezone.now()).text == "skipped, an archive"
    assert guards_for(archive, load_test, timezone.now()).full == []


def test_a_run_that_its_provider_cannot_stop_is_skipped_with_the_reason(fake, load_test, monkeypatch):
    monkeypatch.setattr(fake, "capabilities", frozenset())
    run = make_run(load_test, status=RunStatus.RUNNING)
    assert fate_of(run, timezone.now()).text == "skipped, Fake Provider offers no way to stop it"
