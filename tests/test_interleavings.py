"""Presses, lost answers, crashes, passes and settling in any order: nothing is doubled, and all of it ends."""

import random
from dataclasses import replace
from uuid import UUID

import pytest
import time_machine
from django.utils import timezone

from runs import actions
from runs.choices import ENDED, LIVE, IntentKind, IntentOutcome, RunResult, RunStatus
from runs.models import ControlIntent, Run
from runs.services import SERVICES
from runs.services.base import NotFound, Refused, Unavailable
from runs.sync import sync_account
from tests.fake_service import FakeService, remote
from tests.rows import make_account, make_user

pytestmark = pytest.mark.django_db
INTERLEAVINGS, MOVES = 12, 12
PROGRESS = {status: at for at, status in enumerate(LIVE)} | dict.fromkeys(ENDED, len(LIVE))
LOST = Unavailable("Fake Provider did not answer in time.", maybe_done=True)


FATES = ("well", "refused", "lost before", "lost after", "crash before", "crash after")


class Crash(BaseException):
    """The process ends here."""


class Provider(FakeService):
    """Runs live, are queued, end and stop; a write may arrive and its answer be lost, or the asking process die."""

    start_steps = ("create", "queue")

    def __init__(self, dice, token_back):
        super().__init__()
        self.dice, self.hands_token_back, self.made_for, self.stops = dice, token_back, {}, {}

    def _fate(self):
        """What happens around a write: it is refused, or lost on the way there or back, or kills who sends it."""
        return self.dice.choices(FATES, (6, 1, 1, 2, 1, 1))[0]

    def _write(self, act):
        fate = self._fate()
        if fate == "refused":
            raise Refused("Not now.")
        if fate.endswith("before"):
            raise Crash if "crash" in fate else LOST
        done = act()
        if fate.endswith("after"):
            raise Crash if "crash" in fate else LOST
        return done

    def start_step(self, step, wish, external_id):
        if step == "create":
            return self._write(lambda: self._make(wish))
        return self._write(lambda: self._become(external_id, RunStatus.QUEUED, RunStatus.CREATED))

    def _make(self, wish):
        assert wish.token not in self.made_for, "one press, two runs"
        self.made_for[wish.token] = key = str(900 + len(self.made_for))
        now, token = timezone.now(), wish.token if self.hands_token_back else ""
        self.has(remote(key, status=RunStatus.CREATED, result=RunResult.NONE, created_at=now, start_token=token))
        return self.runs[key]

    def stop(self, external_id):
        self._write(lambda: self._become(external_id, RunStatus.ABORTED, *LIVE))

    def _become(self, key, status, *before):
        if key not in self.runs:
            raise NotFound("Fake Provider has no such run.")
        if self.runs[key].status not in before:
            raise Refused("Not in this state.")
        self.has(replace(self.runs[key], status=status))

    def passes(self):
        """A while at the provider: a run that is queued runs, one that runs may end."""
        for key, run in list(self.runs.items()):
            if run.status == RunStatus.QUEUED:
                self._become(key, RunStatus.RUNNING, RunStatus.QUEUED)
            elif run.status == RunStatus.RUNNING and self.dice.random() < 0.3:
                self._become(key, RunStatus.FINISHED, RunStatus.RUNNING)


def move(dice, provider, account, person, tokens):
    """One thing that somebody does, or that just happens."""
    what = dice.choice(("start", "again", "stop", "queue", "leave", "pass", "provider"))
    intents, runs = ControlIntent.objects.order_by("pk"), Run.objects.select_related("account", "load_test")
    try:
        if what in ("start", "again"):
            if what == "start" or not tokens:
                tokens.append(UUID(int=dice.getrandbits(128)))
            wish = {"load_test": account.load_tests.get(), "values": {}, "reason": "", "token": dice.choice(tokens)}
            actions.start_run(user=person, account=account, **wish)
        elif what == "stop" and (run := dice.choice([None, *runs])):
            actions.stop_run(user=person, run=run, reason="", token=UUID(int=dice.getrandbits(128)))
        elif what == "queue" and (intent := dice.choice([None, *intents])):
            actions.queue_created(user=person, intent=intent)
        elif what == "leave" and (intent := dice.choice([None, *intents])):
            actions.leave_created(user=person, intent=intent)
        elif what == "pass":
            assert sync_account(account).error == ""
        elif what == "provider":
            provider.passes()
    except (actions.NotAllowed, Crash):
        pass


def play(seed, provider, account, person):
    """A random story, and then as much quiet as everything needs to be settled."""
    tokens = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(MOVES):
            move(provider.dice, provider, account, person, tokens)
            clock.shift(provider.dice.choice((0, 1, 20, 50)))
        for wait in (60, 700):
            clock.shift(wait)
            assert sync_account(account).error == ""
    check(seed, provider, account)


def check(seed, provider, account):
    for intent in account.intents.all():
        about = f"seed {seed}: {intent}, {intent.message}"
        assert intent.is_settled or intent.outcome == IntentOutcome.CREATED, about
        if intent.kind == IntentKind.START:
            made = provider.made_for.get(str(intent.token))
            said = {IntentOutcome.NOT_STARTED: None, IntentOutcome.REFUSED: None}.get(intent.outcome, made)
            assert said == made, about
            if intent.outcome == IntentOutcome.CANNOT_TELL:
                assert made is None or made in intent.candidates, about
            else:
                assert intent.external_id == (made or ""), about
    mirror = {run.external_id: run for run in account.runs.all()}
    assert {key: run.status for key, run in mirror.items()} == {key: run.status for key, run in provider.runs.items()}
    for key, run in mirror.items():
        steps = [PROGRESS[event.status] for event in run.statusevents.order_by("pk")]
        assert steps == sorted(set(steps)), f"seed {seed}: run {key} went back"


@pytest.mark.parametrize("token_back", [True, False])
def test_whatever_the_order_no_press_is_two_runs_and_every_press_is_settled(monkeypatch, db, token_back):
    person = make_user("operator")
    for seed in range(INTERLEAVINGS):
        provider = Provider(random.Random(seed), token_back)  # noqa: S311
        monkeypatch.setitem(SERVICES, "fake", provider)
        account = make_account(f"fake {seed}", provider="fake", base_url="https://fake.example")
        account.seal_credentials({"token": "t"})
        account.save()
        sync_account(account)
        play(seed, provider, account, person)
    assert len(set(ControlIntent.objects.values_list("outcome", flat=True))) > 4  # the dice met all kinds of ends
