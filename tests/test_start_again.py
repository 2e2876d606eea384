"""A start whose answer was lost is sent again only where the provider takes the same key for the same start."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from runs.choices import IntentOutcome, RunResult, RunStatus
from runs.models import ControlIntent, FreezeWindow, Run
from runs.services.base import Refused, Unavailable
from runs.sync import sync_account
from runs.sync.lease import LeaseLost
from runs.sync.lost_starts import LIST_LAG
from runs.sync.start_again import send_again
from tests.fake_service import remote
from tests.rows import make_user
from tests.test_lost_starts import AFTER, LOST, lose, press

pytestmark = pytest.mark.django_db
WINDOW = 540


@pytest.fixture
def keys(fake):
    """The provider in memory, minding keys as it says; the keys it was sent, in order."""
    sent, start_step = [], fake.start_step

    def keyed(step, wish, external_id):
        sent.append(wish.token)
        return start_step(step, wish, external_id)

    fake.start_step, fake.start_again_s = keyed, WINDOW
    return sent


@pytest.fixture
def account(fake_account):
    sync_account(fake_account)
    return fake_account


@pytest.fixture
def lost(account, fake, keys):
    return lose(make_user("operator", "maya"), account, fake)


def later(account, seconds):
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False):
        return sync_account(account)


def outcome(intent):
    intent.refresh_from_db()
    return intent.outcome


def test_it_is_sent_again_with_the_key_of_the_press_and_has_its_run(account, fake, lost, keys):
    later(account, 5)
    assert outcome(lost) == IntentOutcome.DONE
    assert lost.run.external_id == "900"
    assert lost.run.requested_by.display == "maya"
    assert keys == [str(lost.token)] * 2
    assert "with the same key" in lost.message
    later(account, 60)
    assert len(keys) == 2


def test_a_provider_without_such_keys_is_never_sent_a_start_again(account, fake, lost, keys):
    fake.start_again_s = 0
    for seconds in (5, AFTER, WINDOW, 3600):
        later(account, seconds)
    assert len(keys) == 1
    assert outcome(lost) == IntentOutcome.NOT_STARTED


@pytest.mark.parametrize("problem", [LOST, Unavailable("Fake Provider is away. Try later.")])
def test_while_no_answer_comes_nobody_says_that_it_was_not_started(account, fake, lost, keys, problem):
    for seconds in (5, AFTER, WINDOW - 10):
        fake.fail("start", problem)
        later(account, seconds)
        assert outcome(lost) == IntentOutcome.SENT
    assert len(keys) == 4
    assert "Fake Provider" in lost.message
    later(account, WINDOW + 1)
    assert (len(keys), outcome(lost)) == (4, IntentOutcome.SENT)
    later(account, WINDOW + LIST_LAG.total_seconds() + 5)
    assert (len(keys), outcome(lost)) == (4, IntentOutcome.NOT_STARTED)


def test_a_run_that_is_found_meanwhile_is_it_all_the_same(account, fake, lost, keys):
    fake.has(remote("901", status=RunStatus.RUNNING, result=RunResult.NONE, created_at=timezone.now()))
    fake.fail("start", LOST)
    later(account, AFTER)
    assert outcome(lost) == IntentOutcome.DONE
    assert lost.run.external_id == "901"


def test_a_refusal_to_take_it_again_settles_nothing(account, fake, lost, keys):
    fake.fail("start", Refused("Fake Provider refused this. Change something."))
    later(account, AFTER)
    assert outcome(lost) == IntentOutcome.SENT
    later(account, AFTER + 5)
    assert outcome(lost) == IntentOutcome.DONE


def test_as_long_as_its_sender_may_wait_for_the_answer_it_is_left_to_it(account, fake, lost, keys):
    ControlIntent.objects.update(message="")  # nobody has said that no answer came: the process may have died
    later(account, LIST_LAG.total_seconds() - 5)
    assert len(keys) == 1
    later(account, LIST_LAG.total_seconds() + 5)
    assert len(keys) == 2
    assert outcome(lost) == IntentOutcome.DONE


def test_what_nobody_may_start_any_more_is_not_sent_again(account, fake, lost, keys):
    now = timezone.now()
    FreezeWindow.objects.create(name="Sale", starts_at=now, ends_at=now + timedelta(hours=1))
    later(account, 5)
    account.read_only = True
    account.save(update_fields=["read_only"])
    FreezeWindow.objects.all().delete()
    later(account, 10)
    assert len(keys) == 1
    account.read_only = False
    account.save(update_fields=["read_only"])
    later(account, 15)
    assert len(keys) == 2


def test_what_an_admin_started_in_a_freeze_window_is_sent_again_in_it(account, fake, lost, keys):
    now = timezone.now()
    FreezeWindow.objects.create(name="Sale", starts_at=now, ends_at=now + timedelta(hours=1))
    ControlIntent.objects.update(override_reason="the sale needs it")
    later(account, 5)
    assert len(keys) == 2


def test_a_start_noted_by_a_clock_that_was_wrong_is_not_sent_again(account, fake, lost, keys):
    ahead = timezone.now() + timedelta(hours=1)
    ControlIntent.objects.update(created_at=ahead, sent_at=ahead)
    for seconds in (5, AFTER, AFTER + 60):
        later(account, seconds)
    assert len(keys) == 1


def test_a_worker_that_lost_the_account_writes_nothing_and_the_next_one_gets_the_same_run(account, fake, lost, keys):
    fences = iter([None, LeaseLost("gone")])

    def fence():
        if (problem := next(fences)) is not None:
            raise problem

    with pytest.raises(LeaseLost):
        send_again(account, fake, timezone.now() + timedelta(seconds=5), fence)
    assert (outcome(lost), Run.objects.count()) == (IntentOutcome.SENT, 0)
    assert send_again(account, fake, timezone.now() + timedelta(seconds=5)) == 1
    assert lost.account.runs.get().external_id == "900"
    assert outcome(lost) == IntentOutcome.DONE


def test_the_first_answer_outranks_when_it_comes_while_it_is_asked_again(account, fake, lost, keys):
    sent = fake.start_step

    def meanwhile(step, wish, external_id):
        ControlIntent.objects.filter(pk=lost.pk).update(outcome=IntentOutcome.DONE, message="Started.")
        return sent(step, wish, external_id)

    fake.start_step = meanwhile
    send_again(account, fake, timezone.now() + timedelta(seconds=5))
    assert outcome(lost) == IntentOutcome.DONE
    assert lost.message == "Started."
    assert [run.external_id for run in account.runs.all()] == ["900"]


def test_several_of_them_are_each_sent_under_their_own_key(account, fake, lost, keys):
    fake.fail("start", LOST)
    second = press(lost.user, account)
    later(account, 5)
    assert keys == [str(lost.token), str(second.token), str(lost.token), str(second.token)]
