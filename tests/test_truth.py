"""A full sync, exported, equals what the sandbox made: run for run and field for field."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
import requests
from django.core.management import call_command

from runs.models import Account, Run
from runs.sandbox.server import Sandbox
from runs.sync import sync_account
from tests.rows import make_account
from tests.truth import expected_export

FROZEN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
# Few enough rows a page that the providers' caps are crossed by the small history too.
SMALL_PAGES = {"k6-legacy": 3, "vsts": 4, "azure": 3}


def add_accounts(sandbox: Sandbox) -> dict[str, Account]:
    """An account per provider that is compared here and has a history there, with the credentials it names."""
    credentials = requests.get(f"{sandbox.url}/__sandbox__/credentials", timeout=10).json()
    return {provider: add_account(provider, credentials) for provider in SMALL_PAGES.keys() & credentials.keys()}


def add_account(provider: str, credentials: dict[str, dict]) -> Account:
    given = credentials[provider]
    account = make_account(f"{provider} sandbox", provider=provider, base_url=given["base_url"])
    account.seal_credentials(given["credentials"])
    account.save()
    return account


def truth(sandbox: Sandbox, provider: str) -> list[dict]:
    return requests.get(f"{sandbox.url}/__sandbox__/truth?provider={provider}", timeout=60).json()["runs"]


def exported(account: Account) -> dict[str, dict]:
    out = StringIO()
    call_command("export_runs", format="json", filter=f"account={account.slug}", stdout=out)
    return {record["external_id"]: record for record in json.loads(out.getvalue())}


def assert_export_is_the_truth(sandbox: Sandbox, account: Account) -> int:
    """Every run of the truth is exported as it was made, and nothing else; returns how many."""
    expected = {run["external_id"]: expected_export(run, account.slug) for run in truth(sandbox, account.provider)}
    found = exported(account)
    assert found.keys() == expected.keys()
    differing = {
        key: {name: (found[key][name], value) for name, value in record.items() if not same(found[key][name], value)}
        for key, record in expected.items()
        if any(not same(found[key][name], value) for name, value in record.items())
    }
    assert differing == {}, "exported against made"
    assert all(list(found[key]) == list(expected[key]) for key in expected)
    return len(found)


def same(exported: object, made: object) -> bool:
    """Equal, with times compared as moments and seconds to the microsecond."""
    if isinstance(made, float) and isinstance(exported, (int, float)):
        return abs(exported - made) < 1e-6
    if isinstance(made, str) and isinstance(exported, str) and exported != made:
        try:
            return datetime.fromisoformat(exported) == datetime.fromisoformat(made)
        except ValueError:
            return False
    return exported == made


@pytest.fixture
def make_sandbox(settings):
    """A function that makes a sandbox, in which Azure's accounts sign in too; all are stopped in the end."""
    with ExitStack() as stack:

        def make(**options):
            sandbox = stack.enter_context(Sandbox(speed=60, clock=FROZEN.timestamp, **options))
            settings.AZURE_LOGIN_URL = sandbox.url
            return sandbox

        yield make


@pytest.mark.django_db
@pytest.mark.parametrize("provider", SMALL_PAGES)
def test_a_full_sync_equals_the_truth(make_sandbox, provider):
    sandbox = make_sandbox(seed=1, tests=1, runs=20, providers=(provider,))
    account = add_accounts(sandbox)[provider]
    report = sync_account(account, full=True, details_budget=None, page_size=SMALL_PAGES[provider])
    assert (report.error, report.bad) == ("", [])
    assert assert_export_is_the_truth(sandbox, account) == 20


@pytest.mark.django_db
@pytest.mark.parametrize("provider", SMALL_PAGES)
def test_a_run_inserted_between_pages_is_not_missed_and_hides_no_other(make_sandbox, provider):
    sandbox = make_sandbox(seed=1, tests=1, runs=20, providers=(provider,))
    account = add_accounts(sandbox)[provider]
    hook = {"provider": provider, "after_pages": 2}
    requests.post(f"{sandbox.url}/__sandbox__/insert_between_pages", json=hook, timeout=10).raise_for_status()
    sync_account(account, full=True, details_budget=None, page_size=SMALL_PAGES[provider])
    sync_account(account, details_budget=None, page_size=SMALL_PAGES[provider])
    assert assert_export_is_the_truth(sandbox, account) == 21


@pytest.mark.django_db
@pytest.mark.parametrize("provider", SMALL_PAGES)
def test_an_incremental_sync_after_time_has_passed_equals_the_truth(make_sandbox, provider):
    sandbox = make_sandbox(seed=2, tests=1, runs=20, providers=(provider,))
    account = add_accounts(sandbox)[provider]
    sync_account(account, full=True, details_budget=None)
    live = account.runs.live().count()
    assert live > 0
    sandbox.advance(4 * 3600)
    sync_account(account, details_budget=None)
    assert account.runs.live().count() < live
    assert_export_is_the_truth(sandbox, account)


@pytest.mark.django_db
def test_a_full_sync_through_the_second_api_of_a_provider_equals_its_truth(make_sandbox):
    """k6 shows the same runs through two APIs; a run is started between two pages."""
    sandbox = make_sandbox(seed=1, tests=2, runs=30, providers=("k6-legacy",))
    account = add_account("k6", requests.get(f"{sandbox.url}/__sandbox__/credentials", timeout=10).json())
    hook = {"provider": "k6", "after_pages": 5}
    requests.post(f"{sandbox.url}/__sandbox__/insert_between_pages", json=hook, timeout=10).raise_for_status()
    before = len(truth(sandbox, "k6"))
    report = sync_account(account, full=True, details_budget=None, page_size=3)
    assert (report.error, report.bad) == ("", [])
    assert assert_export_is_the_truth(sandbox, account) == before + 1


# What each of two APIs says of one run in words of its own.
OWN_WORDS = {"account", "provider", "provider_status", "requested_by"}
UNTOLD = {"planned_duration_s", "virtual_users"}


@pytest.mark.django_db
def test_a_run_is_exported_the_same_whichever_api_of_its_provider_showed_it(make_sandbox):
    sandbox = make_sandbox(seed=4, tests=1, runs=20, providers=("k6-legacy",))
    credentials = requests.get(f"{sandbox.url}/__sandbox__/credentials", timeout=10).json()
    older, newer = (add_account(provider, credentials) for provider in ("k6-legacy", "k6"))
    for seconds in (0, 4 * 3600):
        sandbox.advance(seconds)
        for account in (older, newer):
            assert sync_account(account, details_budget=None).error == ""
        assert assert_export_is_the_truth(sandbox, newer) >= 19
        assert differing(exported(newer), exported(older)) == {}


def differing(newer: dict[str, dict], older: dict[str, dict]) -> dict[str, dict]:
    """Run -> field -> both values. The newer API tells whole seconds of load, and no plan of a run that it refused."""

    def agree(name: str, mine: Any, theirs: Any) -> bool:
        if name == "duration_s" and mine is not None and theirs is not None:
            return abs(mine - theirs) < 1
        return name in OWN_WORDS or same(mine, theirs) or (name in UNTOLD and mine is None)

    rows = {key: {name: (value, older[key][name]) for name, value in record.items()} for key, record in newer.items()}
    wrong = {key: {name: pair for name, pair in row.items() if not agree(name, *pair)} for key, row in rows.items()}
    return {key: row for key, row in wrong.items() if row}


@pytest.mark.django_db
def test_the_accounts_live_side_by_side(make_sandbox):
    sandbox = make_sandbox(seed=1, tests=3, runs=15, providers=tuple(SMALL_PAGES))
    for account in add_accounts(sandbox).values():
        sync_account(account, full=True, details_budget=None)
    assert Run.objects.count() == 15
