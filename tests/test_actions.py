"""Start and stop: stored first, sent once, and settled by looking."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from runs import actions
from runs.choices import IntentOutcome, RunResult, RunStatus
from runs.listing import RunFilters, Wanted, runs_matching
from runs.models import ControlIntent, Run
from runs.services.base import BadRow, Capability, Refused, Unavailable
from runs.sync import sync_account
from runs.sync.lost_starts import LIST_LAG
from tests.fake_service import remote
from tests.rows import make_user

pytestmark = pytest.mark.django_db
LOST = Unavailable("Fake Provider did not answer in time.", maybe_done=True)
AFTER = LIST_LAG.total_seconds() + 10


@pytest.fixture
def account(fake_account):
    sync_account(fake_account)
    return fake_account


@pytest.fixture
def operator(account):
    return make_user("operator", "maya")


def start(user, account, **wish):
    wish = {"load_test": account.load_tests.get(), "values": {}, "reason": "nightly", "token": uuid4(), **wish}
    return actions.start_run(user=user, account=account, **wish)


def sync_later(account, seconds=0):
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False):
        return sync_account(account)


def test_a_start_is_stored_with_who_what_and_why(operator, account, fake):
    intent = start(operator, account)
    assert (intent.outcome, intent.user_name, intent.reason) == (IntentOutcome.DONE, "maya", "nightly")
    assert intent.run.external_id == "900"
    assert fake.asked("start") == [("start", "Checkout", "")]


def test_the_run_was_requested_by_our_person_and_the_providers_word_is_kept(operator, account, fake):
    run = start(operator, account).run
    sync_account(account, full=True)
    run.refresh_from_db()
    assert (run.requested_by.display, run.provider_requested_by.display) == ("maya", "user 703")
    for name in ("maya", "user 703"):
        assert list(runs_matching(RunFilters(requested_by=Wanted((name,))))) == [run]


def test_the_same_press_twice_is_one_start(operator, account, fake):
    token = uuid4()
    first, second = start(operator, account, token=token), start(operator, account, token=token)
    assert first == second
    assert len(fake.asked("start")) == 1


def test_another_persons_token_is_refused(operator, account, fake):
    token = uuid4()
    start(operator, account, token=token)
    with pytest.raises(actions.NotAllowed, match="already used"):
        start(make_user("operator", "jonas"), account, token=token)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"read_only": True}, "read-only"), ({"enabled": False}, "switched off"), ({"archive": True}, "is an archive")],
)
def test_a_start_that_is_not_allowed_reaches_nobody(operator, account, fake, change, sentence):
    type(account).objects.filter(pk=account.pk).update(**change)
    account.refresh_from_db()
    with pytest.raises(actions.NotAllowed, match=sentence):
        start(operator, account)
    assert fake.asked("start") == []
    assert not ControlIntent.objects.exists()


def test_a_viewer_can_neither_start_nor_stop(account, fake):
    fake.has(remote("1", status=RunStatus.RUNNING, result=RunResult.NONE))
    sync_account(account, full=True)
    viewer = make_user("viewer")
    with pytest.raises(actions.NotAllowed, match="operator role"):
        start(viewer, account)
    with pytest.raises(actions.NotAllowed, match="operator role"):
        actions.stop_run(user=viewer, run=Run.objects.get(), reason="", token=uuid4())
    assert fake.asked("start") + fake.asked("stop") == []


def test_a_refused_start_gives_the_providers_reason(operator, account, fake):
    fake.fail("start", Refused("Fake Provider refused: too many VUs."))
    intent = start(operator, account)
    assert intent.outcome == IntentOutcome.REFUSED
    assert "too many VUs" in intent.message


def test_a_lost_answer_is_not_sent_again_and_the_run_is_found(operator, account, fake):
    fake.fail("start", LOST)
    intent = start(operator, account)
    assert intent.outcome == IntentOutcome.SENT
    assert "may or may not have started" in intent.message
    fake.has(remote("901", status=RunStatus.RUNNING, result=RunResult.NONE, created_at=timezone.now()))
    sync_later(account, AFTER)
    intent.refresh_from_db()
    assert (intent.outcome, intent.run.external_id) == (IntentOutcome.DONE, "901")
    assert intent.run.requested_by.display == "maya"
    assert len(fake.asked("start")) == 1


def test_a_start_that_never_arrived_is_said_not_to_have_started(operator, account, fake):
    fake.fail("start", LOST)
    intent = start(operator, account)
    sync_later(account, 5)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.SENT
    sync_later(account, AFTER)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.NOT_STARTED
    assert len(fake.asked("start")) == 1


def test_two_possible_runs_are_both_named(operator, account, fake):
    fake.fail("start", LOST)
    intent = start(operator, account)
    now = timezone.now()
    fake.has(remote("901", created_at=now), remote("902", created_at=now))
    sync_later(account, AFTER)
    intent.refresh_from_db()
    assert (intent.outcome, intent.candidates) == (IntentOutcome.CANNOT_TELL, ["901", "902"])


def test_one_run_after_two_lost_starts_is_credited_to_neither(operator, account, fake):
    for _ in range(2):
        fake.fail("start", LOST)
    intents = [start(operator, account), start(operator, account)]
    fake.has(remote("901", created_at=timezone.now()))
    sync_later(account, 5)
    assert {intent.outcome for intent in ControlIntent.objects.all()} == {IntentOutcome.SENT}
    sync_later(account, AFTER)
    for intent in intents:
        intent.refresh_from_db()
        assert (intent.outcome, intent.candidates) == (IntentOutcome.CANNOT_TELL, ["901"])


def test_of_two_runs_after_two_lost_starts_nobody_can_tell_which_is_whose(operator, account, fake):
    for _ in range(2):
        fake.fail("start", LOST)
    intents = [start(operator, account), start(operator, account)]
    now = timezone.now()
    fake.has(remote("901", created_at=now), remote("902", created_at=now + timedelta(seconds=1)))
    sync_later(account, AFTER)
    for intent in intents:
        intent.refresh_from_db()
        assert (intent.outcome, intent.candidates) == (IntentOutcome.CANNOT_TELL, ["901", "902"])
        assert "2 starts of this test went without an answer" in intent.message


def test_runs_of_other_people_and_other_starts_are_no_candidates(operator, account, fake):
    start(operator, account)
    fake.fail("start", LOST)
    intent = start(operator, account)
    now = timezone.now()
    fake.has(remote("900", created_at=now), remote("901", created_at=now, requested_by_id="5"))
    sync_later(account, AFTER)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.NOT_STARTED


def test_an_intent_that_was_never_sent_is_closed(operator, account, fake):
    intent = ControlIntent.objects.create(kind="start", account=account, user=operator, user_name="maya")
    sync_later(account, AFTER)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.NOT_STARTED
    assert fake.asked("start") == []


@pytest.fixture
def two_steps(fake, monkeypatch):
    monkeypatch.setattr(fake, "start_steps", ("create", "queue"), raising=False)


def test_both_steps_are_sent_in_order(operator, account, fake, two_steps):
    intent = start(operator, account)
    assert intent.outcome == IntentOutcome.DONE
    sent = [call for call in fake.calls if call[0] in ("create", "queue")]
    assert sent == [("create", "Checkout", ""), ("queue", "Checkout", "900")]
    assert Run.objects.get().status == RunStatus.QUEUED


def test_a_started_run_that_cannot_be_read_at_once_was_started_all_the_same(operator, account, fake, two_steps):
    fake.fail("get", Unavailable("Fake Provider does not answer."))
    assert start(operator, account).outcome == IntentOutcome.DONE


def test_a_run_created_but_not_queued_says_so_and_can_be_queued(operator, account, fake, two_steps):
    fake.fail("queue", Refused("Fake Provider refused: no capacity."))
    intent = start(operator, account)
    assert intent.outcome == IntentOutcome.CREATED
    assert "not queued" in intent.message
    actions.queue_created(user=operator, intent=intent)
    again = actions.queue_created(user=operator, intent=ControlIntent.objects.get())
    assert again.outcome == IntentOutcome.DONE
    assert (len(fake.asked("create")), len(fake.asked("queue"))) == (1, 2)


def test_a_run_created_but_not_queued_can_be_left(operator, account, fake, two_steps):
    fake.fail("queue", Refused("no"))
    intent = actions.leave_created(user=operator, intent=start(operator, account))
    assert intent.outcome == IntentOutcome.LEFT
    assert actions.queue_created(user=operator, intent=intent).outcome == IntentOutcome.LEFT
    assert len(fake.asked("queue")) == 1


def test_a_lost_create_is_found_pending_and_offered_to_be_queued(operator, account, fake, two_steps):
    fake.fail("create", LOST)
    intent = start(operator, account)
    fake.has(remote("901", status=RunStatus.CREATED, result=RunResult.NONE, created_at=timezone.now()))
    sync_later(account, AFTER)
    intent.refresh_from_db()
    assert (intent.outcome, intent.external_id) == (IntentOutcome.CREATED, "901")
    assert len(fake.asked("create")) == 1


def test_a_run_that_carries_the_press_is_the_one_among_many(operator, account, fake, two_steps):
    fake.fail("create", LOST)
    intent = start(operator, account)
    now = timezone.now()
    fake.has(
        remote("901", status=RunStatus.CREATED, result=RunResult.NONE, created_at=now, start_token="somebody else's"),
        remote("902", status=RunStatus.CREATED, result=RunResult.NONE, created_at=now, start_token=str(intent.token)),
    )
    sync_later(account, 5)
    intent.refresh_from_db()
    assert (intent.outcome, intent.run.external_id) == (IntentOutcome.CREATED, "902")


def test_a_lost_queue_is_settled_by_the_runs_status(operator, account, fake, two_steps):
    fake.fail("queue", LOST)
    intent = start(operator, account)
    assert intent.outcome == IntentOutcome.SENT
    fake.has(remote("900", status=RunStatus.QUEUED, result=RunResult.NONE))
    sync_later(account, 5)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.DONE
    assert len(fake.asked("queue")) == 1


def test_a_run_queued_by_hand_while_its_start_waits_is_queued_once(operator, account, fake, two_steps, monkeypatch):
    """The answer to "create" is late: a pass finds the run and offers to queue it, somebody does, and then it comes."""
    create = fake.start_step

    def late(step, wish, external_id):
        made = create(step, wish, external_id)
        if step == "create":
            fake.has(replace(made, start_token=wish.token, created_at=timezone.now()))
            sync_later(account, 5)
            offered = ControlIntent.objects.get()
            assert offered.outcome == IntentOutcome.CREATED
            actions.queue_created(user=operator, intent=offered)
        return made

    monkeypatch.setattr(fake, "start_step", late)
    start(operator, account)
    assert ControlIntent.objects.get().outcome == IntentOutcome.DONE
    assert (len(fake.asked("create")), len(fake.asked("queue"))) == (1, 1)


def test_a_pass_does_not_write_over_what_a_button_did_meanwhile(operator, account, fake, monkeypatch):
    """The pass has chosen a lost start to settle when the start's answer comes after all."""
    fake.fail("start", LOST)
    intent = start(operator, account)

    def answered_meanwhile():
        ControlIntent.objects.filter(pk=intent.pk).update(outcome=IntentOutcome.DONE)
        return fake.me

    monkeypatch.setattr(fake, "whoami", answered_meanwhile)
    sync_later(account, AFTER)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.DONE


def test_the_provider_is_never_waited_for_inside_a_transaction(operator, account, fake, monkeypatch):
    """One that is slow would keep SQLite's only writer, and with it every sign-in, start and stop, waiting."""
    fake.fail("start", LOST)
    start(operator, account)
    depths = []
    monkeypatch.setattr(fake, "whoami", lambda: depths.append(len(connection.savepoint_ids)) or fake.me)
    here = len(connection.savepoint_ids)
    sync_later(account, 5)
    assert depths == [here]


def test_a_run_seen_before_the_press_is_not_what_it_started(operator, account, fake):
    fake.has(
        remote("901", status=RunStatus.RUNNING, result=RunResult.NONE, created_at=timezone.now() - timedelta(seconds=9))
    )
    sync_account(account, full=True)
    fake.fail("start", LOST)
    intent = start(operator, account)
    sync_later(account, AFTER)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.NOT_STARTED


def test_a_long_name_of_a_person_fits(operator, account):
    operator.first_name, operator.last_name = "M" * 150, "S" * 150
    assert len(start(operator, account).user_name) == 150


@pytest.fixture
def running(account, fake):
    fake.has(remote("1", status=RunStatus.RUNNING, result=RunResult.NONE))
    sync_account(account, full=True)
    return Run.objects.get(external_id="1")


def stop(user, run, token=None):
    return actions.stop_run(user=user, run=run, reason="wrong target", token=token or uuid4())


def test_a_stop_is_accepted_then_confirmed_by_the_sync(operator, account, fake, running):
    intent = stop(operator, running)
    running.refresh_from_db()
    assert (intent.outcome, running.status) == (IntentOutcome.ACCEPTED, RunStatus.RUNNING)
    assert running.stop_requested_by == "maya"
    fake.has(remote("1", status=RunStatus.ABORTED, provider_status="ABORTED_BY_USER", stop_reason="user"))
    sync_later(account, 7)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.DONE
    assert "Confirmed" in intent.message


def test_the_same_stop_twice_is_sent_once(operator, fake, running):
    token = uuid4()
    assert stop(operator, running, token) == stop(operator, running, token)
    assert len(fake.asked("stop")) == 1


def test_stopping_an_ended_run_is_explained_and_sent_to_nobody(operator, account, fake):
    fake.has(remote("1"))
    sync_account(account, full=True)
    with pytest.raises(actions.NotAllowed, match="already ended"):
        stop(operator, Run.objects.get())
    assert fake.asked("stop") == []


def test_a_run_that_ended_meanwhile_is_shown_as_it_is(operator, fake, running):
    fake.has(remote("1"))
    fake.fail("stop", Refused("Fake Provider refused: not running."))
    intent = stop(operator, running)
    assert (intent.outcome, Run.objects.get().status) == (IntentOutcome.DONE, RunStatus.FINISHED)


def test_a_refused_stop_keeps_the_run_stoppable(operator, fake, running):
    fake.fail("stop", Refused("Fake Provider refused: not now."))
    intent = stop(operator, running)
    assert intent.outcome == IntentOutcome.REFUSED
    assert Run.objects.get().is_stoppable


def test_a_stop_without_an_answer_says_so(operator, fake, running):
    fake.fail("stop", LOST)
    intent = stop(operator, running)
    assert intent.outcome == IntentOutcome.SENT
    assert "may or may not stop" in intent.message


def test_a_stop_of_a_run_the_provider_then_loses_is_not_waited_for_for_ever(operator, account, fake, running):
    intent = stop(operator, running)
    fake.runs.clear()
    sync_later(account, 5)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.CANNOT_TELL


@pytest.mark.parametrize("answered", [True, False])
def test_a_stop_that_nobody_heeds_is_settled_after_ten_minutes(operator, account, fake, running, answered):
    if not answered:
        fake.fail("stop", LOST)
    intent = stop(operator, running)
    sync_later(account, 9 * 60)
    intent.refresh_from_db()
    assert not intent.is_settled
    sync_later(account, 11 * 60)
    intent.refresh_from_db()
    assert (intent.outcome, intent.is_settled) == (IntentOutcome.NO_EFFECT, True)
    assert intent.message.startswith("It was still going on 11 min after it was asked to stop. Ask again")
    assert stop(operator, running).outcome == IntentOutcome.ACCEPTED
    assert len(fake.asked("stop")) == 2


def test_a_run_that_is_stopping_has_a_day_to_end(operator, account, fake, running):
    intent = stop(operator, running)
    fake.has(replace(fake.runs[running.external_id], status=RunStatus.STOPPING))
    sync_later(account, 3600)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.ACCEPTED
    sync_later(account, 25 * 3600)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.NO_EFFECT
    assert "It had still not ended (stopping) 25 h after" in intent.message


def test_a_run_that_cannot_be_read_any_more_does_not_keep_its_stop_open(operator, account, fake, running, monkeypatch):
    intent = stop(operator, running)
    told = [BadRow(running.external_id, "no id")]
    monkeypatch.setattr(fake, "get_runs", lambda *_: told)
    fake.runs.clear()
    sync_later(account, 3600)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.ACCEPTED
    sync_later(account, 25 * 3600)
    intent.refresh_from_db()
    assert intent.outcome == IntentOutcome.CANNOT_TELL


def test_what_a_provider_cannot_do_is_refused_in_words(operator, account, fake, monkeypatch):
    run = account.runs.first() or start(operator, account).run
    fake.calls.clear()
    monkeypatch.setattr(fake, "capabilities", frozenset())
    with pytest.raises(actions.NotAllowed, match="Fake Provider offers Plimsoll no way to start runs"):
        start(operator, account)
    run.status = RunStatus.RUNNING
    with pytest.raises(actions.NotAllowed, match="Fake Provider offers Plimsoll no way to stop runs"):
        actions.stop_run(user=operator, run=run, reason="", token=uuid4())
    assert fake.calls == []


def test_a_run_is_repeated_as_it_was_and_its_intent_remembers_which(operator, account, fake):
    token = uuid4()
    intent = start(operator, account, token=token, rerun_of="77")
    assert (intent.outcome, intent.rerun_of) == (IntentOutcome.DONE, "77")
    assert [wish.rerun_of for wish in fake.wishes] == ["77"]
    with pytest.raises(actions.NotAllowed, match="already used"):
        start(operator, account, token=token)


def test_a_run_is_repeated_only_where_the_provider_can(operator, account, fake, monkeypatch):
    monkeypatch.setattr(fake, "capabilities", frozenset({Capability.START}))
    with pytest.raises(actions.NotAllowed, match="no way to start a run again as it was"):
        start(operator, account, rerun_of="77")
    assert start(operator, account).outcome == IntentOutcome.DONE
