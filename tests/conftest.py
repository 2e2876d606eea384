"""Fixtures that several test modules use."""

import threading
from collections.abc import Iterator

import pytest
from django.test import Client

from runs.models import Account, LoadTest
from runs.services import SERVICES
from tests.fake_service import FakeService
from tests.rows import make_account, make_test, make_user


@pytest.fixture(autouse=True)
def every_call_ends() -> Iterator[None]:
    """No test leaves a call to a provider open: its socket would fail another test, whenever the garbage goes."""
    before = threading.enumerate()
    yield
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    left = [timer for timer in timers if timer not in before and not timer.finished.is_set()]
    assert not left, "A call was not ended: its timer still guards it. Was a download not read to its end, or closed?"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeService:
    """A provider in memory, in the registry as "fake"."""
    service = FakeService()
    monkeypatch.setitem(SERVICES, "fake", service)
    return service


@pytest.fixture
def fake_account(fake: FakeService, db: None) -> Account:
    """An account at the provider in memory, not synced yet."""
    account = make_account("fake", provider="fake", base_url="https://fake.example")
    account.seal_credentials({"token": "t"})
    account.save()
    return account


@pytest.fixture
def viewer(client: Client, db: None) -> Client:
    """A client in which a viewer is signed in."""
    client.force_login(make_user("viewer"))
    return client


@pytest.fixture
def operator(client: Client, db: None) -> Client:
    """A client in which an operator is signed in."""
    client.force_login(make_user("operator"))
    return client


@pytest.fixture
def a_test(db: None) -> LoadTest:
    return make_test(make_account())
