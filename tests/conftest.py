"""Fixtures that several test modules use."""

import pytest
from django.test import Client

from runs.models import Account, LoadTest
from runs.services import SERVICES
from tests.fake_service import FakeService
from tests.rows import make_account, make_test, make_user


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
