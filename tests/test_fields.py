"""Credentials at rest: unreadable without the key, unusable for another account or origin."""

import json
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection

from runs.fields import CredentialsUnusable, origin_of
from runs.models import Account
from tests.rows import make_account

SECRET = "tok_f00dfacecafe"


@pytest.fixture
def account(db):
    account = make_account()
    account.seal_credentials({"token": SECRET})
    account.save()
    return Account.objects.get(pk=account.pk)


def test_credentials_come_back_for_their_account_and_origin(account):
    assert account.open_credentials() == {"token": SECRET}


def test_the_database_holds_no_clear_text(account):
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM runs_account")
        assert SECRET not in cursor.fetchone()[0]


def test_printing_and_dumping_an_account_shows_nothing(account):
    out = StringIO()
    call_command("dumpdata", "runs.account", stdout=out)
    sealed = json.loads(out.getvalue())[0]["fields"].get("credentials", "")
    assert sealed == ""
    assert account.credentials.token not in repr(account.credentials) + str(account.credentials)


def test_another_origin_cannot_use_them(account):
    account.base_url = "https://evil.example"
    with pytest.raises(CredentialsUnusable, match="another address"):
        account.open_credentials()


def test_a_path_on_the_same_origin_can_use_them(account):
    account.base_url = "https://API.k6.io:443/elsewhere"
    assert account.open_credentials() == {"token": SECRET}


def test_a_row_copied_to_another_account_cannot_be_used(account):
    other = make_account("other")
    Account.objects.filter(pk=other.pk).update(credentials=account.credentials)
    other.refresh_from_db()
    with pytest.raises(CredentialsUnusable, match="another account"):
        other.open_credentials()


def test_without_the_key_nothing_is_handed_out(account, settings):
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CredentialsUnusable, match="none of CREDENTIAL_KEYS fits"):
        account.open_credentials()


def test_an_older_key_still_opens_after_a_new_one_was_put_first(account, settings):
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *settings.CREDENTIAL_KEYS]
    assert account.open_credentials() == {"token": SECRET}


def test_an_account_without_credentials_says_so(db):
    with pytest.raises(CredentialsUnusable, match="No credentials"):
        make_account("empty").open_credentials()


def test_plain_text_is_refused_by_the_column(db):
    account = make_account("plain")
    account.credentials = "a clear token"
    with pytest.raises(TypeError, match="never plain text"):
        account.save()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.k6.io", "https://api.k6.io:443"),
        ("https://API.k6.io:443/x", "https://api.k6.io:443"),
        ("http://127.0.0.1:8089/", "http://127.0.0.1:8089"),
    ],
)
def test_one_spelling_per_origin(url, origin):
    assert origin_of(url) == origin
