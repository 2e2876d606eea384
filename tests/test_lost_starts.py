"""A start whose answer was lost: found, not started, or "cannot tell: these", and no guess in between."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from runs import actions
from runs.accounts import resume_sync
from runs.choices import IntentKind, IntentOutcome, RunResult, RunStatus
from runs.models import ControlIntent, Run, SyncState
from runs.services.base import Refused, Unavailable
from runs.sync import settle_unsent, sync_account
from runs.sync.lost_starts import LIST_LAG
from tests.fake_service import FakeService, remote
from tests.rows import make_test, make_user

pytestmark = pytest.mark.django_db
LOST = Unavailable("Fake Provider did not answer in time.", maybe_done=True)
AFTER = LIST_LAG.total_seconds() + 10
HOUR = 3600


@pytest.fixture
def account(fake_account):
    sync_account(fake_account)
    return fake_account


@pytest.fixture
def operator(account):
    return make_user("operator", "maya")


@pytest.fixture
def lost(operator, account, fake):
    """A start that was sent, and whose answer never came."""
    return lose(operator, account, fake)


def press(user, account, **wish):
    wish = {"load_test": account.load_tests.first(), "values": {}, "reason": "", "token": uuid4(), **wish}
    return actions.start_run(user=user, account=account, **wish)


def lose(user, account, fake):
    fake.fail("start", LOST)
    return press(user, account)


def appears(fake, external_id, seconds=1.0, **fields):
    """A run of the test by our credentials, made so many seconds from now by the provider's clock."""
    created = timezone.now() + timedelta(seconds=seconds)
    fields = {"status": RunStatus.RUNNING, "result": RunResult.NONE, "created_at": created, **fields}
    fake.has(remote(external_id, **fields))


def later(account, seconds=AFTER, **options):
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False):
        return sync_account(account, **options)


def said(intent):
    intent.refresh_from_db()
    return intent.outcome, intent.run.external_id if intent.run else intent.candidates


def test_a_run_that_shows_up_at_once_is_named_but_not_yet_taken_for_ours(lost, account, fake):
    """Somebody who starts the same test at the provider in the same minute may be in the list before us."""
    appears(fake, "901")
    later(account, 5)
    assert said(lost) == (IntentOutcome.SENT, ["901"])
    appears(fake, "902", 3)
    later(account)
    assert said(lost) == (IntentOutcome.CANNOT_TELL, ["901", "902"])


def test_the_only_run_after_the_lists_lag_is_ours(lost, account, fake):
    appears(fake, "901")
    later(account)
    assert said(lost) == (IntentOutcome.DONE, "901")
    assert "the only one of this test by our credentials" in lost.message


@pytest.mark.parametrize("hours", [-5, -1, 1, 5])
def test_a_clock_that_is_hours_off_makes_a_run_doubtful_and_never_nothing(lost, account, fake, hours):
    appears(fake, "901", hours * HOUR)
    later(account, full=True)
    assert said(lost) == (IntentOutcome.CANNOT_TELL, ["901"])
    assert "its clock may be wrong" in lost.message


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_known_to_be_hours_off_is_reckoned_with(operator, account, fake, hours):
    press(operator, account)
    Run.objects.filter(external_id="900").update(created_at=timezone.now() + timedelta(hours=hours))
    fake.runs.clear()
    lost = lose(operator, account, fake)
    appears(fake, "901", hours * HOUR)
    later(account, full=True)
    assert said(lost) == (IntentOutcome.DONE, "901")


@pytest.mark.parametrize("hours", [-5, 5])
def test_what_was_known_before_is_not_ours_whatever_its_time_says(operator, account, fake, hours):
    appears(fake, "901", hours * HOUR, status=RunStatus.FINISHED)
    sync_account(account, full=True)
    lost = lose(operator, account, fake)
    later(account, full=True)
    assert said(lost)[0] == IntentOutcome.NOT_STARTED


def test_the_history_read_for_the_first_time_is_no_candidate(lost, account, fake):
    fake.has(*(remote(str(n), created_at=timezone.now() - timedelta(days=2 + n)) for n in range(5)))
    later(account, full=True)
    assert said(lost)[0] == IntentOutcome.NOT_STARTED


def test_an_older_run_that_is_seen_late_does_not_hide_ours(lost, account, fake):
    appears(fake, "901", -20 * 60)
    appears(fake, "902")
    later(account, full=True)
    assert said(lost) == (IntentOutcome.DONE, "902")


def test_without_a_word_on_whose_run_it_is_nobody_can_tell(lost, account, fake):
    fake.me = None
    appears(fake, "901")
    later(account)
    assert said(lost) == (IntentOutcome.CANNOT_TELL, ["901"])
    assert "does not say who asked for it" in lost.message


def test_a_run_without_a_requester_is_doubtful(lost, account, fake):
    appears(fake, "901", requested_by_id="")
    later(account)
    assert said(lost) == (IntentOutcome.CANNOT_TELL, ["901"])


def test_a_provider_that_cannot_say_who_we_are_is_asked_again_but_not_for_ever(lost, account, fake, monkeypatch):
    def unwell():
        raise Unavailable("Fake Provider had a fault of its own.")

    monkeypatch.setattr(fake, "whoami", unwell)
    appears(fake, "901")
    assert later(account).error == ""
    assert said(lost)[0] == IntentOutcome.SENT
    later(account, 100)
    assert said(lost) == (IntentOutcome.CANNOT_TELL, ["901"])


def test_where_the_token_comes_back_no_other_run_is_taken_for_ours(lost, account, fake, monkeypatch):
    monkeypatch.setattr(fake, "hands_token_back", True, raising=False)
    appears(fake, "901")
    later(account)
    assert said(lost) == (IntentOutcome.NOT_STARTED, [])


def test_where_the_token_comes_back_its_run_is_ours_at_once_and_among_many(lost, account, fake, monkeypatch):
    monkeypatch.setattr(fake, "hands_token_back", True, raising=False)
    appears(fake, "901")
    appears(fake, "902", start_token=str(lost.token))
    later(account, 2)
    assert said(lost) == (IntentOutcome.DONE, "902")


def test_not_started_is_true_at_its_time_and_is_taken_back_when_the_run_turns_up(lost, account, fake):
    later(account)
    assert said(lost)[0] == IntentOutcome.NOT_STARTED
    assert "shows no such run 55 s after it was sent" in lost.message
    appears(fake, "901")
    later(account, 10 * 60)
    assert said(lost) == (IntentOutcome.DONE, "901")
    assert lost.message.startswith("It was started after all")


def test_a_run_with_our_token_that_turns_up_late_is_explained_too(lost, account, fake, monkeypatch):
    monkeypatch.setattr(fake, "hands_token_back", True, raising=False)
    later(account)
    assert said(lost)[0] == IntentOutcome.NOT_STARTED
    appears(fake, "901", start_token=str(lost.token))
    later(account, 10 * 60)
    assert said(lost) == (IntentOutcome.DONE, "901")
    assert "after all" in lost.message


def test_two_that_turn_up_late_cannot_be_told_apart_and_both_are_named(lost, account, fake):
    later(account)
    appears(fake, "901")
    appears(fake, "902", 2)
    later(account, 10 * 60)
    assert said(lost) == (IntentOutcome.CANNOT_TELL, ["901", "902"])


def test_one_more_that_turns_up_after_cannot_tell_is_named_as_well(operator, account, fake):
    intents = [lose(operator, account, fake), lose(operator, account, fake)]
    appears(fake, "901")
    later(account)
    assert [said(intent) for intent in intents] == [(IntentOutcome.CANNOT_TELL, ["901"])] * 2
    appears(fake, "902", 2)
    later(account, 10 * 60)
    assert [said(intent) for intent in intents] == [(IntentOutcome.CANNOT_TELL, ["901", "902"])] * 2


def test_the_start_after_not_started_explains_its_own_run(lost, operator, account, fake):
    later(account)
    again = press(operator, account)
    later(account, 10 * 60, full=True)
    assert said(lost)[0] == IntentOutcome.NOT_STARTED
    assert said(again) == (IntentOutcome.DONE, "900")


def test_somebodys_start_at_the_provider_an_hour_later_does_not_change_what_was_said(lost, account, fake):
    later(account)
    appears(fake, "901", HOUR)
    later(account, HOUR + 60)
    assert said(lost)[0] == IntentOutcome.NOT_STARTED


def test_what_a_pass_found_out_is_not_written_over_by_the_late_end_of_the_call(operator, account, fake, monkeypatch):
    def finds_it_meanwhile(step, wish, external_id):
        appears(fake, "901", start_token=wish.token)
        later(account, 2)
        raise LOST

    monkeypatch.setattr(fake, "start_step", finds_it_meanwhile)
    intent = press(operator, account)
    assert (intent.outcome, intent.message) == (IntentOutcome.DONE, "Started.")


def test_a_process_that_dies_while_it_sends_leaves_the_account_due(operator, account, fake, monkeypatch):
    def dies(*_):
        raise SystemExit

    SyncState.objects.update(due_at=timezone.now() + timedelta(days=1))
    monkeypatch.setattr(fake, "start_step", dies)
    with pytest.raises(SystemExit):
        press(operator, account)
    assert SyncState.objects.get().due_at <= timezone.now()
    appears(fake, "901")
    later(account)
    assert said(ControlIntent.objects.get()) == (IntentOutcome.DONE, "901")


def test_what_was_never_sent_is_closed_without_the_provider(operator, account, fake):
    wish = {"kind": IntentKind.START, "account": account, "user": operator, "user_name": "maya"}
    intent = ControlIntent.objects.create(**wish)
    now = timezone.now()
    assert settle_unsent(now) == 0
    assert settle_unsent(now + LIST_LAG * 2) == 1
    intent.refresh_from_db()
    assert (intent.outcome, intent.message) == (
        IntentOutcome.NOT_STARTED, "It was never sent: Plimsoll was interrupted before."
    )  # fmt: skip


def test_the_same_form_with_other_settings_starts_nothing_and_says_so(operator, account, fake):
    token = uuid4()
    press(operator, account, token=token)
    with pytest.raises(actions.NotAllowed, match="already used for something else"):
        press(operator, account, token=token, values={"vus": "900"})
    assert len(fake.asked("start")) == 1


def test_a_stop_confirmed_while_its_answer_was_under_way_stays_confirmed(operator, account, fake, monkeypatch):
    appears(fake, "901", -60)
    sync_account(account, full=True)

    def slow(external_id):
        fake.has(replace(fake.runs["901"], status=RunStatus.ABORTED, stop_reason="user"))
        later(account, 5)

    monkeypatch.setattr(fake, "stop", slow)
    intent = actions.stop_run(user=operator, run=Run.objects.get(), reason="", token=uuid4())
    assert intent.outcome == IntentOutcome.DONE


def test_a_refused_start_stays_refused(operator, account, fake):
    fake.fail("start", Refused("Fake Provider refused this."))
    intent = press(operator, account)
    appears(fake, "901")
    later(account)
    assert said(intent)[0] == IntentOutcome.REFUSED


@pytest.mark.parametrize("kind", ["start", "stop"])
def test_what_was_held_up_before_it_left_is_not_sent_any_more(operator, account, fake, monkeypatch, kind):
    """A machine that sleeps must not start on waking what was said not to have started, and was pressed again."""
    run = press(operator, account).run
    fake.calls.clear()
    begins = timezone.now()
    mark = actions._mark_sent

    with time_machine.travel(begins, tick=False) as clock:

        def sleep(intent, step):
            marked = mark(intent, step)
            clock.shift(60)
            sync_account(account)
            return marked

        monkeypatch.setattr(actions, "_mark_sent", sleep)
        if kind == "start":
            intent = press(operator, account)
        else:
            intent = actions.stop_run(user=operator, run=run, reason="", token=uuid4())
    assert fake.asked(kind) == []
    assert said(intent)[0] == IntentOutcome.REFUSED
    assert "held up for 60 s before it could send it, so nothing was sent" in intent.message


def test_what_was_sent_to_an_address_is_not_looked_for_at_another(lost, operator, account, fake):
    """It may well have started there: "not started" would be a guess that costs a second run."""
    resume_sync(account, moved=True)
    later(account)
    assert said(lost)[0] == IntentOutcome.CANNOT_TELL
    assert "pointed to another address before it was settled" in lost.message


def test_a_run_created_at_another_address_cannot_be_queued_here(operator, account, fake, monkeypatch):
    monkeypatch.setattr(FakeService, "start_steps", ("create", "queue"))
    fake.fail("queue", Refused("Not now."))
    made = press(operator, account)
    resume_sync(account, moved=True)
    assert actions.queue_created(user=operator, intent=made).outcome == IntentOutcome.LEFT
    assert len(fake.asked("queue")) == 1


def test_the_same_form_sent_for_another_test_starts_nothing_and_says_so(operator, account, fake):
    token = uuid4()
    press(operator, account, token=token)
    other = make_test(account, "Basket")
    with pytest.raises(actions.NotAllowed, match="already used"):
        press(operator, account, token=token, load_test=other)
    assert len(fake.asked("start")) == 1
