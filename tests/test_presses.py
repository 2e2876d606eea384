"""Many presses of one Start are one run; lost answers are settled rightly. At length: tests/trust/test_presses.py."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from runs import actions
from runs.choices import IntentOutcome
from runs.models import ControlIntent, LoadTest
from runs.sandbox.server import Sandbox
from runs.sync import sync_account
from runs.sync.lost_starts import LIST_LAG
from tests.pages import entered
from tests.test_truth import add_accounts

pytestmark = pytest.mark.django_db(transaction=True)
PRESSES = 20


@pytest.fixture
def sandbox():
    with Sandbox(tests=6, runs=12, speed=1) as sandbox:
        yield sandbox


@pytest.fixture
def accounts(sandbox):
    found = add_accounts(sandbox)
    for account in found.values():
        assert sync_account(account, details_budget=0).error == ""
    return found


@pytest.fixture
def person():
    return User.objects.create_superuser("ada")


def started_at(sandbox):
    """The runs the sandbox was asked to make, and those there are, by test."""
    posts = [row for row in sandbox.store.ledger.rows() if row["method"] == "POST"]
    sent = [row for row in posts if row["path"].endswith(("/start-testrun", "/testruns"))]
    return len(sent), {key: list(runs) for key, runs in sandbox.store.by_test.items()}


def test_20_presses_at_once_are_one_run(sandbox, accounts, person):
    load_test = accounts["k6-legacy"].load_tests.first()
    client, path = Client(), f"/tests/{load_test.pk}/start/"
    client.force_login(person)
    values = entered(client.get(path))
    sent, before = started_at(sandbox)
    ready = threading.Barrier(PRESSES)

    def press(_: int) -> tuple[int, str]:
        own = Client()
        own.cookies = client.cookies
        ready.wait(30)
        try:
            answer = own.post(path, values)
            return answer.status_code, answer.headers.get("Location")
        finally:
            connection.close()

    with ThreadPoolExecutor(PRESSES) as pool:
        answers = set(pool.map(press, range(PRESSES)))
    [intent] = ControlIntent.objects.all()
    after = started_at(sandbox)
    new = after[1][("k6-legacy", load_test.external_id)]
    assert after[0] == sent + 1
    assert len(new) == len(before.get(("k6-legacy", load_test.external_id), [])) + 1
    assert intent.outcome == IntentOutcome.DONE
    assert intent.external_id == new[-1].id
    assert answers <= {(302, f"/intents/{intent.token}/"), (302, f"/runs/{intent.run_id}/")}


def test_6_starts_of_which_each_loses_its_answer_in_another_way(sandbox, accounts, person):
    k6, vsts = accounts["k6-legacy"], accounts["vsts"]
    tests = list(k6.load_tests.all()[:3])
    model = LoadTest.objects.filter(account=vsts).exclude(start_values={}).first()
    ways = [
        ("k6-legacy", None, IntentOutcome.DONE),
        ("k6-legacy", "kind=lost,method=POST,times=1", IntentOutcome.DONE),
        ("k6-legacy", "kind=dead,method=POST,times=1", IntentOutcome.NOT_STARTED),
        ("vsts", "kind=lost,method=POST,times=1", IntentOutcome.CREATED),
        ("vsts", "kind=dead,method=POST,times=1", IntentOutcome.NOT_STARTED),
        ("vsts", "kind=lost,method=PATCH,times=1", IntentOutcome.DONE),
    ]
    intents = []
    for number, (provider, fault, _) in enumerate(ways):
        if fault:
            sandbox.store.faults.add(fault)
        name = f"press-{number}.loadtest"
        wish = (
            {"account": k6, "load_test": tests[number], "values": {}}
            if provider == "k6-legacy"
            else {"account": vsts, "load_test": None, "values": {**model.start_values, "name": name}}
        )
        intents.append(actions.start_run(user=person, reason="", token=uuid4(), **wish))
    with time_machine.travel(timezone.now() + LIST_LAG + timedelta(seconds=5), tick=True):
        for account in (k6, vsts):
            assert sync_account(account, details_budget=0).error == ""
    for intent, (_, _, outcome) in zip(intents, ways, strict=True):
        intent.refresh_from_db()
        assert intent.outcome == outcome, intent.message
        key = (intent.account.provider, intent.load_test.external_id if intent.load_test else intent.test_name)
        made = [run.id for run in started_at(sandbox)[1].get(key, []) if run.id == intent.external_id]
        assert made == ([intent.external_id] if intent.external_id else [])
    assert started_at(sandbox)[0] <= len(ways)
