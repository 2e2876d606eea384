"""A start whose run has an id that we chose: without an answer, that very run is asked for, and nothing is guessed."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from runs import actions
from runs.choices import IntentOutcome, RunResult, RunStatus
from runs.models import ControlIntent, Run
from runs.services.base import Refused, Unavailable
from runs.sync import settle_unsent, sync_account
from runs.sync.lost_starts import LIST_LAG
from tests.fake_service import remote
from tests.rows import make_user

pytestmark = pytest.mark.django_db
LOST = Unavailable("Fake Provider did not answer in time.", maybe_done=True)
AFTER = LIST_LAG.total_seconds() + 10


@pytest.fixture
def fake(fake):
    fake.run_id_of = lambda token: f"run-{token}"
    fake.hands_token_back = True
    return fake


@pytest.fixture
def account(fake_account):
    sync_account(fake_account)
    return fake_account


@pytest.fixture
def press(account):
    user = make_user("operator", "maya")

    def press(token):
        wish = {"load_test": account.load_tests.first(), "values": {}, "reason": "", "token": token}
        return actions.start_run(user=user, account=account, **wish)

    return press


@pytest.fixture
def lost(press, fake):
    """A start that was sent, and whose answer never came."""
    fake.fail("start", LOST)
    return press(uuid4())


def later(account, seconds=AFTER, **options):
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False):
        return sync_account(account, **options)


def made(fake, intent, **fields):
    """The run of the press is at the provider; no list shows it."""
    name = f"run-{intent.token}"
    fields = {"status": RunStatus.RUNNING, "result": RunResult.NONE, "start_token": str(intent.token), **fields}
    run = remote(name, **fields)
    fake.has(run)
    fake.iter_runs = lambda since, resume=None, known_newest=None: iter(())
    return name


def test_the_id_is_noted_before_the_start_is_sent(press, fake, account):
    token, noted = uuid4(), []

    def start_step(step, wish, external_id):
        noted.append((external_id, ControlIntent.objects.get(token=token).external_id))
        run = remote(fake.run_id_of(wish.token), status=RunStatus.QUEUED, result=RunResult.NONE)
        fake.has(run)
        return run

    fake.start_step = start_step
    intent = press(token)

    assert noted == [("", f"run-{token}")]  # no earlier step has made anything
    assert (intent.outcome, intent.run.external_id) == (IntentOutcome.DONE, f"run-{token}")


def test_a_lost_start_whose_run_is_there_is_done_at_once_whoever_asked_for_it_and_whatever_the_clock_says(
    lost, account, fake
):
    name = made(fake, lost, created_at=timezone.now() - timedelta(days=300), requested_by="somebody")
    assert (lost.outcome, lost.external_id) == (IntentOutcome.SENT, name)
    later(account, 2)

    lost.refresh_from_db()
    assert (lost.outcome, lost.run.external_id) == (IntentOutcome.DONE, name)
    assert lost.run.requested_by.name == "maya"


def test_a_lost_start_whose_run_is_not_there_was_not_started_but_only_after_a_while(lost, account, fake):
    later(account, 2)
    lost.refresh_from_db()
    assert lost.outcome == IntentOutcome.SENT

    later(account)
    lost.refresh_from_db()
    assert (lost.outcome, lost.external_id) == (IntentOutcome.NOT_STARTED, "")
    assert "Fake Provider does not know its run" in lost.message


def test_runs_that_others_start_meanwhile_are_never_taken_for_it(lost, account, fake):
    fake.has(remote("901", status=RunStatus.RUNNING, result=RunResult.NONE, created_at=timezone.now()))
    later(account)

    lost.refresh_from_db()
    assert (lost.outcome, lost.run, lost.candidates) == (IntentOutcome.NOT_STARTED, None, [])


def test_a_run_that_turns_up_after_all_is_told_of(lost, account, fake):
    later(account)
    run = remote(f"run-{lost.token}", status=RunStatus.RUNNING, start_token=str(lost.token), created_at=timezone.now())
    fake.has(replace(run, result=RunResult.NONE))
    later(account, AFTER * 2)

    lost.refresh_from_db()
    assert (lost.outcome, lost.run.external_id) == (IntentOutcome.DONE, f"run-{lost.token}")
    assert "after all" in lost.message


@pytest.mark.parametrize("problem", [Unavailable("Fake Provider is down."), Refused("Fake Provider says no.")])
def test_a_run_that_cannot_be_asked_for_leaves_it_open(lost, account, fake, problem):
    made(fake, lost)
    fake.fail("get", problem)
    report = later(account)

    lost.refresh_from_db()
    assert (report.error, lost.outcome) == ("", IntentOutcome.SENT)


def test_a_refused_start_has_no_run(press, fake):
    fake.fail("start", Refused("Fake Provider says no."))
    intent = press(uuid4())

    assert (intent.outcome, intent.external_id) == (IntentOutcome.REFUSED, "")


def test_a_start_that_was_never_sent_has_no_run(press, account, lost):
    ControlIntent.objects.filter(pk=lost.pk).update(
        outcome=IntentOutcome.OPEN, sent_at=None, created_at=timezone.now() - timedelta(hours=1)
    )
    settle_unsent(timezone.now())

    lost.refresh_from_db()
    assert (lost.outcome, lost.external_id) == (IntentOutcome.NOT_STARTED, "")
    assert not Run.objects.filter(external_id__startswith="run-").exists()
