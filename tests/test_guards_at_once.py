"""Many people press at once, on a database file and in threads of their own: a limit lets as many pass as it allows."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection

from runs import actions
from runs.models import ControlIntent, LoadTest, Target
from runs.services import SERVICES
from tests.fake_service import FakeService
from tests.rows import make_account, make_test

pytestmark = pytest.mark.django_db(transaction=True)
PRESSES = 20


class WaitingService(FakeService):
    """Answers a start only when it is told to, so that the start is under way for all who come later."""

    def __init__(self, provider: str, answers: Event) -> None:
        super().__init__()
        self.provider, self.answers = provider, answers

    def start_step(self, *args):
        assert self.answers.wait(30)
        return super().start_step(*args)


@pytest.fixture
def answers():
    return Event()


@pytest.fixture
def services(monkeypatch, answers):
    """Two providers."""
    made = [WaitingService(provider, answers) for provider in ("fake", "other")]
    for service in made:
        monkeypatch.setitem(SERVICES, service.provider, service)
        service.account = make_account(service.provider, provider=service.provider, base_url="https://fake.example")
        service.account.seal_credentials({"token": "t"})
        service.account.save()
    return made


def press_at_once(tests: list[LoadTest], answers: Event) -> list[str]:
    """Each pressed by somebody at the same moment; "" for those that passed, else why not, in the order they ended."""
    person = User.objects.create_superuser("ada")
    together, ended = Barrier(len(tests)), []

    def press(load_test: LoadTest) -> None:
        try:
            together.wait(60)
            actions.start_run(
                user=person, account=load_test.account, load_test=load_test, values={}, reason="", token=uuid4()
            )
            ended.append("")
        except actions.NotAllowed as sentence:
            ended.append(str(sentence))
        finally:
            connection.close()
            if len(ended) >= len(tests) - 1:
                answers.set()  # all others were told no while this one was under way

    with ThreadPoolExecutor(len(tests)) as threads:
        list(threads.map(press, tests))
    return ended


def test_of_twenty_presses_on_one_target_at_two_providers_one_is_sent(services, answers):
    target = Target.objects.create(name="Checkout API", max_running=1)
    tests = [
        make_test(services[n % 2].account, f"test {n}", external_id=f"t{n}", target=target) for n in range(PRESSES)
    ]
    ended = press_at_once(tests, answers)
    assert sorted(map(bool, ended)) == [False] + [True] * (PRESSES - 1)
    assert all("Checkout API allows 1 run at a time" in sentence for sentence in ended if sentence)
    assert len(services[0].asked("start") + services[1].asked("start")) == ControlIntent.objects.count() == 1


def test_of_twenty_presses_on_one_account_one_is_sent(services, answers):
    account = services[0].account
    account.max_running = 1
    account.save()
    tests = [make_test(account, f"test {n}", external_id=f"t{n}") for n in range(PRESSES)]
    ended = press_at_once(tests, answers)
    assert sorted(map(bool, ended)) == [False] + [True] * (PRESSES - 1)
    assert len(services[0].asked("start")) == ControlIntent.objects.count() == 1
