"""Fixtures that several test modules use."""

import pytest

from runs.models import Account
from runs.services import SERVICES
from tests.fake_service import FakeService
from tests.rows import make_account


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
