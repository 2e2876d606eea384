"""Accounts: who may be called, what is stored, and that secrets only go in."""

import io
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from pytest_httpserver import HTTPServer

from runs.accounts import AccountProblem, checked_base_url
from runs.models import Account, Person, SyncState
from runs.services.base import CheckStep, Unavailable
from runs.sync.lease import LeaseLost, claim
from tests.rows import make_account, make_day, make_test, make_user

pytestmark = pytest.mark.django_db

SECRET = "s3cr3t-t0ken-0f-retail"
K6 = "https://api.k6.io"


@pytest.fixture
def admin(client):
    person = make_user("admin", "maya")
    client.force_login(person)
    return person


@pytest.fixture
def account() -> Account:
    account = make_account("Retail prod", base_url=K6)
    account.seal_credentials({"token": SECRET})
    account.save()
    SyncState.objects.create(account=account, last_good_at=timezone.now())
    return account


def details(account: Account | None = None, **changes: str) -> dict[str, str]:
    known = {"form": "account", "name": account.name if account else "Retail prod", "base_url": K6, "enabled": "on"}
    return {key: value for key, value in {**known, **changes}.items() if value is not None}


def page_of(account: Account) -> str:
    return reverse("account_page", args=[account.slug])


def add(**changes: object) -> str:
    """Run add_account; returns what it printed."""
    given = {
        "provider": "k6-legacy",
        "name": "Retail prod",
        "base_url": K6,
        "credential": [f"token={SECRET}"],
        **changes,
    }
    out = io.StringIO()
    call_command("add_account", stdout=out, **given)
    return out.getvalue()


# --- Which address may be called ---


@pytest.mark.parametrize(
    ("provider", "address"),
    [
        ("k6-legacy", "https://api.k6.io"),
        ("k6-legacy", " https://api.k6.io/ "),
        ("vsts", "https://fabrikam.vsclt.visualstudio.com"),
        ("k6-legacy", "http://127.0.0.1:8089/k6"),
    ],
)
def test_an_address_of_the_provider_or_of_the_settings_is_taken(provider, address):
    assert checked_base_url(provider, address) == address.strip().rstrip("/")


@pytest.mark.parametrize(
    "address",
    [
        "http://api.k6.io",
        "https://api.k6.io:8443",
        "https://api.k6.io.evil.example",
        "https://evil.example/api.k6.io",
        "https://fabrikam.vsclt.visualstudio.com",
        "https://user:pass@api.k6.io",
        "https://api.k6.io@evil.example",
        "https://api.k6.io?x=1",
        "https://api.k6.io/#x",
        "https://api.k6.io/?",
        "http://169.254.169.254/latest",
        "http://localhost:5432",
        "file:///etc/passwd",
        "evil.example",
        "//api.k6.io",
        "https://[::1",
        "",
        "https://api.k6.io/" + "x" * 300,
    ],
)
def test_any_other_address_is_refused_with_a_sentence(address):
    with pytest.raises(AccountProblem) as refused:
        checked_base_url("k6-legacy", address)
    assert refused.value.field == "base_url"
    assert str(refused.value).endswith(".")


def test_a_host_alone_is_called_over_https():
    assert checked_base_url("k6-legacy", " api.k6.io/ ") == "https://api.k6.io"


# --- Adding ---


def test_an_account_is_added_sealed_and_due_at_once(client, admin):
    answer = client.post("/accounts/new/?provider=k6-legacy", details(credential_token=f" {SECRET} "))
    account = Account.objects.get()
    assert answer["Location"] == page_of(account)
    assert account.open_credentials() == {"token": SECRET}
    assert account.credentials_set_by == "maya"
    assert account.sync.due_at <= timezone.now()
    assert SECRET not in client.get(page_of(account)).content.decode()


def test_an_account_is_synced_as_often_as_its_admin_says(client, admin):
    client.post("/accounts/new/?provider=k6-legacy", details(credential_token=SECRET, sync_interval_s="900"))
    account = Account.objects.get()
    assert account.sync_interval_s == 900
    client.post(page_of(account), details(account, sync_interval_s="3600"))
    client.post(page_of(account), details(account, sync_interval_s="7"))
    account.refresh_from_db()
    assert account.sync_interval_s == 3600


def test_another_address_is_read_from_its_beginning_and_ends_a_pass_of_the_old_one(client, admin, account):
    lease = claim(account, "worker", timezone.now())
    lease.write(cursor=timezone.now(), resume={"began": "now"})
    client.post(page_of(account), details(account, name="Retail"))
    state = SyncState.objects.get()
    assert state.cursor is not None
    with pytest.raises(LeaseLost):
        lease.write(error="refused: the old token", paused=True)
    client.post(page_of(account), details(account, base_url=f"{K6}/other"))
    state.refresh_from_db()
    assert (state.cursor, state.resume, state.lease_until) == (None, {}, None)


def test_records_that_could_not_be_read_are_named(client, admin, account):
    SyncState.objects.update(bad_rows=[["4107", "A run has no readable created."]])
    html = client.get(page_of(account)).content.decode()
    assert "1 record left out by the last sync" in html
    assert "A run has no readable created." in html


def test_nothing_typed_is_lost_but_the_secret(client, admin, account):
    html = client.post(
        "/accounts/new/?provider=k6-legacy",
        details(name="retail PROD", base_url="https://api.k6.io/x", credential_token=SECRET),
    ).content.decode()
    assert "There is an account “retail PROD” already." in html
    assert 'value="https://api.k6.io/x"' in html
    assert SECRET not in html
    assert Account.objects.count() == 1


def test_a_new_account_needs_its_credentials(client, admin):
    html = client.post("/accounts/new/?provider=k6-legacy", details()).content.decode()
    assert "API token is missing." in html
    assert not Account.objects.exists()


def test_the_command_and_the_page_agree(db):
    assert "is added as “retail-prod”" in add()
    account = Account.objects.get()
    assert (account.provider, account.base_url, account.open_credentials()) == ("k6-legacy", K6, {"token": SECRET})
    with pytest.raises(CommandError, match="There is an account “Retail prod” already"):
        add()
    assert Account.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"base_url": "https://evil.example"}, "evil.example is not a host of"),
        ({"credential": []}, "API token is missing"),
        ({"credential": ["password=x", "token=y"]}, "has no credential “password”, only: token"),
        ({"credential": ["token"]}, "KEY=VALUE"),
        ({"credential": ["token=töken"]}, "characters that no credential has"),
        ({"credential": ["token=a\r\nX-Evil: 1"]}, "characters that no credential has"),
        ({"name": "  "}, "Give it a name"),
    ],
)
def test_the_command_says_what_is_wrong_and_adds_nothing(changes, sentence):
    with pytest.raises(CommandError, match=sentence):
        add(**changes)
    assert not Account.objects.exists()


def test_the_command_reads_a_credential_from_its_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\n"))
    add(credential=[], credential_stdin="token")
    assert Account.objects.get().open_credentials() == {"token": SECRET}


def test_an_account_named_like_a_page_has_an_address_of_its_own(client, admin):
    add(name="New")
    assert "New account" not in client.get(page_of(Account.objects.get())).content.decode()
    assert Account.objects.get().slug == "new-account"


# --- Changing ---


def test_credentials_left_empty_stay(client, admin, account):
    assert client.post(page_of(account), details(account, name="Retail", read_only="on")).status_code == 302
    account.refresh_from_db()
    assert (account.name, account.read_only, account.slug) == ("Retail", True, "retail-prod")
    assert account.open_credentials() == {"token": SECRET}


@pytest.mark.parametrize("address", ["http://127.0.0.1:8089", "http://127.0.0.1:9999/k6"])
def test_another_origin_needs_the_credentials_again(client, admin, account, address):
    html = client.post(page_of(account), details(account, base_url=address)).content.decode()
    assert "The address leads elsewhere now, so enter it again." in html
    account.refresh_from_db()
    assert account.base_url == K6
    client.post(page_of(account), details(account, base_url=address, credential_token="new one"))
    account.refresh_from_db()
    assert (account.base_url, account.open_credentials()) == (address, {"token": "new one"})


def test_another_path_at_the_same_origin_keeps_them(client, admin, account):
    client.post(page_of(account), details(account, base_url=f"{K6}/v2"))
    account.refresh_from_db()
    assert (account.base_url, account.open_credentials()) == (f"{K6}/v2", {"token": SECRET})


def test_new_credentials_wake_a_paused_sync(client, admin, account):
    SyncState.objects.filter(account=account).update(
        paused=True, failures=9, error="refused", not_before=timezone.now()
    )
    client.post(page_of(account), details(account, credential_token="new one"))
    state = SyncState.objects.get(account=account)
    assert (state.paused, state.failures, state.not_before) == (False, 0, None)
    assert state.due_at <= timezone.now()


def test_an_account_is_disabled_and_enabled_again(client, admin, account):
    client.post(page_of(account), details(account, enabled=None))
    assert not Account.objects.syncable().exists()
    assert "Disabled" in client.get("/accounts/").content.decode()
    client.post(page_of(account), details(account))
    assert Account.objects.syncable().exists()


def test_a_bare_number_gets_a_name_and_can_lose_it(client, admin, account):
    person = Person.objects.create(account=account, key="703", display="user 703")
    Person.objects.create(account=account, key="704", name="Priya Raman", display="Priya Raman")
    html = client.get(page_of(account)).content.decode()
    assert "user 703" in html
    assert "user 704" not in html
    for given, shown in (("Tomás Ferreira", "Tomás Ferreira"), ("", "user 703")):
        client.post(page_of(account), {"form": "names", f"person_{person.pk}": given})
        person.refresh_from_db()
        assert person.display == shown


# --- Testing the connection ---


@pytest.fixture
def tried(monkeypatch) -> list[dict]:
    """What was tried, instead of trying it."""
    calls: list[dict] = []

    def test_connection(**given):
        calls.append(given)
        return [
            CheckStep("Reach", True),
            CheckStep("Sign in", False, "The token was refused."),
            CheckStep("Read", None),
        ]

    monkeypatch.setattr("dashboard.views.accounts.actions.test_connection", test_connection)
    return calls


def test_the_steps_are_shown_in_order(client, admin, account, tried):
    html = client.post(reverse("account_test", args=[account.slug]), details(account)).content.decode()
    assert (
        html.index("Reach")
        < html.index("Sign in")
        < html.index("The token was refused.")
        < html.index("Read: not tried")
    )
    assert tried == [{"provider": "k6-legacy", "base_url": K6, "credentials": {"token": SECRET}}]
    assert SECRET not in html


def test_typed_credentials_are_tried_and_not_stored(client, admin, account, tried):
    url = reverse("account_test", args=[account.slug])
    html = client.post(
        url, details(account, base_url="http://127.0.0.1:8089", credential_token="typed")
    ).content.decode()
    assert tried == [{"provider": "k6-legacy", "base_url": "http://127.0.0.1:8089", "credentials": {"token": "typed"}}]
    assert 'value="typed"' not in html
    account.refresh_from_db()
    assert account.open_credentials() == {"token": SECRET}


def test_stored_credentials_never_go_to_another_origin(client, admin, account, tried):
    headers = {"HX-Request": "true", "HX-Target": "connection-test"}
    url = reverse("account_test", args=[account.slug])
    html = client.post(url, details(account, base_url="http://127.0.0.1:8089"), headers=headers).content.decode()
    assert tried == []
    assert "Not tried" in html
    assert "enter it again" in html
    assert "<html" not in html


def test_a_test_of_a_new_account_adds_nothing(client, admin, tried):
    html = client.post(
        "/accounts/new/?provider=k6-legacy", details(credential_token="typed", test="yes")
    ).content.decode()
    assert "Sign in" in html
    assert tried[0]["credentials"] == {"token": "typed"}
    assert not Account.objects.exists()


def test_trouble_before_the_first_step_is_a_step(client, admin, account, monkeypatch):
    def breaks(**given):
        raise Unavailable("Grafana Cloud k6 did not answer within 20 s. Try again later.")

    monkeypatch.setattr("dashboard.views.accounts.actions.test_connection", breaks)
    html = client.post(reverse("account_test", args=[account.slug]), details(account)).content.decode()
    assert "Grafana Cloud k6 did not answer within 20 s." in html


def test_a_refused_token_is_said_by_the_real_service(client, admin, account, httpserver: HTTPServer):
    httpserver.expect_request("/v3/account/me").respond_with_json({"error": {"message": "no"}}, status=401)
    address = httpserver.url_for("").rstrip("/").replace("localhost", "127.0.0.1")
    url = reverse("account_test", args=[account.slug])
    html = client.post(url, details(account, base_url=address, credential_token="typed")).content.decode()
    assert "is-failed" in html
    assert "is-waiting" in html
    assert "typed" not in html.replace("entered", "")


# --- The list ---


def test_the_list_says_how_each_sync_does(client, admin, account):
    paused = make_account("Perf lab")
    SyncState.objects.create(account=paused, paused=True, error="Grafana Cloud k6 refused the token (401).", failures=3)
    busy = make_account("Big one")
    lease = timezone.now() + timedelta(minutes=1)
    SyncState.objects.create(account=busy, phase="runs", lease_until=lease, progress="page 12, 1,200 runs")
    make_day(make_test(account), timezone.now().date(), passed=1284)
    html = client.get("/accounts/").content.decode()
    for part in ("In sync", "Failing", "Grafana Cloud k6 refused the token (401).", "page 12, 1,200 runs", "1,284"):
        assert part in html
    assert "3 accounts, 1,284 runs known" in html
    assert 'hx-trigger="every 3s"' in html


def test_on_a_phone_the_number_of_runs_says_what_it_counts(client, admin, account):
    assert re.search(r'<td[^>]* data-label="Runs known">0<', client.get("/accounts/").content.decode())


def test_the_list_asks_again_only_while_a_sync_is_under_way(client, admin, account):
    assert "hx-trigger" not in client.get("/accounts/").content.decode()
    part = client.get("/accounts/", headers={"HX-Request": "true", "HX-Target": "accounts"}).content.decode()
    assert "<html" not in part
    assert "<table" in part


def test_sync_now_makes_it_due(client, admin, account):
    assert client.post(reverse("account_sync", args=[account.slug]))["Location"] == "/accounts/"
    assert SyncState.objects.get(account=account).due_at <= timezone.now()


@pytest.mark.parametrize(
    ("columns", "sentence"), [({"paused": True}, "waits for new credentials"), ({}, "is disabled, so it is not synced")]
)
def test_sync_now_says_why_it_cannot(client, admin, account, columns, sentence):
    SyncState.objects.filter(account=account).update(due_at=None, **columns)
    Account.objects.filter(pk=account.pk).update(enabled=bool(columns))
    html = client.post(reverse("account_sync", args=[account.slug]), follow=True).content.decode()
    assert sentence in html
    assert SyncState.objects.get(account=account).due_at is None


@pytest.mark.parametrize("back", ["", "no-such-account", "\0"])
def test_a_sync_asked_for_in_the_list_comes_back_to_the_list(client, admin, account, back):
    assert client.post(f"{page_of(account)}sync/", {"back": back})["Location"] == "/accounts/"


def test_a_sync_asked_for_on_an_accounts_page_comes_back_to_it(client, admin, account):
    other = make_account("Perf lab")
    assert f'name="back" value="{account.slug}"' in client.get(page_of(account)).content.decode()
    assert client.post(f"{page_of(other)}sync/", {"back": account.slug})["Location"] == page_of(account)


def test_times_beside_an_account_can_be_focused_unless_they_are_swapped_soon(client, admin, account):
    SyncState.objects.filter(account=account).update(last_good_at=timezone.now())
    assert 'UTC" tabindex="0">just now</time>' in client.get("/accounts/").content.decode()
    soon = timezone.now() + timedelta(minutes=1)
    SyncState.objects.create(account=make_account("Big one"), phase="runs", lease_until=soon)
    table = client.get("/accounts/").content.decode().partition("</table>")[0]
    assert 'UTC" tabindex="0">' not in table
