"""`manage.py rotate_keys`: every credential on the first key, none lost on the way."""

import signal
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from runs.fields import NO_KEY_FITS, CredentialsUnusable
from runs.management.commands import rotate_keys
from runs.models import Account, SyncState
from tests.processes import manage_py, read_until
from tests.rows import make_account

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))

pytestmark = pytest.mark.django_db


def sealed_account(name: str, **credentials: str) -> Account:
    account = make_account(name)
    account.seal_credentials(credentials or {"token": f"tok of {name}"})
    account.save()
    return account


def opened(account: Account) -> dict[str, str]:
    return Account.objects.get(pk=account.pk).open_credentials()


def rotate(**options: object) -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def rows(settings) -> list[Account]:
    """Two accounts on the old key, while the new one is in front."""
    settings.CREDENTIAL_KEYS = [OLD]
    rows = [sealed_account("one"), sealed_account("two")]
    make_account("without credentials")
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    return rows


def test_afterwards_the_new_key_alone_opens_everything(rows, settings):
    said = rotate()
    assert "2 accounts with credentials: 2 re-encrypted with the first of CREDENTIAL_KEYS, 0 on it already" in said
    assert "No account needs any key but the first: remove the others" in said
    settings.CREDENTIAL_KEYS = [NEW]
    assert [opened(row) for row in rows] == [{"token": "tok of one"}, {"token": "tok of two"}]


def test_a_second_time_changes_nothing(rows):
    rotate()
    tokens = [Account.objects.get(pk=row.pk).credentials.token for row in rows]
    assert "0 re-encrypted with the first of CREDENTIAL_KEYS, 2 on it already" in rotate()
    assert [Account.objects.get(pk=row.pk).credentials.token for row in rows] == tokens


def test_check_counts_and_changes_nothing(rows, settings):
    with pytest.raises(CommandError, match=r"Run rotate_keys \(without --check\)") as failed:
        rotate(check=True)
    assert failed.value.returncode == 1
    settings.CREDENTIAL_KEYS = [OLD]
    assert "0 re-encrypted with the first of CREDENTIAL_KEYS, 2 on it already" in rotate(check=True)


def test_a_missing_key_harms_its_own_account_only_and_is_named(rows, settings):
    settings.CREDENTIAL_KEYS = [LOST]
    lost = sealed_account("lost")
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    out = StringIO()
    with pytest.raises(CommandError, match=r"lost: .*Put the key back, or enter the credentials again") as failed:
        call_command("rotate_keys", stdout=out)
    assert "remove no key" in str(failed.value)
    assert "3 accounts with credentials: 2 re-encrypted" in out.getvalue()
    assert "1 that cannot be opened" in out.getvalue()
    assert opened(rows[0]) == {"token": "tok of one"}
    with pytest.raises(CredentialsUnusable, match="none of CREDENTIAL_KEYS fits"):
        opened(lost)
    settings.CREDENTIAL_KEYS = [NEW, LOST]
    rotate()
    settings.CREDENTIAL_KEYS = [NEW]
    assert opened(lost) == {"token": "tok of lost"}


def test_a_row_of_another_account_is_not_re_encrypted(rows):
    Account.objects.filter(pk=rows[1].pk).update(credentials=rows[0].credentials)
    with pytest.raises(CommandError, match="two: The stored credentials belong to another account"):
        rotate()
    assert Account.objects.get(pk=rows[1].pk).credentials == rows[0].credentials


def test_an_account_paused_for_want_of_its_key_goes_on_once_the_key_is_back(rows):
    SyncState.objects.create(account=rows[0], paused=True, error=NO_KEY_FITS)
    SyncState.objects.create(account=rows[1], paused=True, error="The token was refused.")
    rotate()
    assert not SyncState.objects.get(account=rows[0]).paused
    assert SyncState.objects.get(account=rows[1]).paused


def test_credentials_entered_meanwhile_are_kept(rows, monkeypatch):
    seal = rotate_keys.seal

    def somebody_is_faster(*about: object) -> object:
        monkeypatch.setattr(rotate_keys, "seal", seal)
        edited = Account.objects.get(uuid=about[0])
        edited.seal_credentials({"token": "entered just now"})
        edited.save()
        return seal(*about)

    monkeypatch.setattr(rotate_keys, "seal", somebody_is_faster)
    rotate()
    assert [opened(row) for row in rows] == [{"token": "entered just now"}, {"token": "tok of two"}]


def test_nothing_said_holds_a_secret(rows):
    assert "tok of" not in rotate()


@pytest.mark.slow
def test_killed_half_way_every_account_opens_and_the_rest_is_done_next_time(tmp_path):
    """In a process of its own, on a database of its own, killed while it waits for its third write."""
    env = {"DATA_DIR": str(tmp_path), "PROVIDER_HOSTS": "127.0.0.1"}

    def said(code: str, keys: str) -> str:
        with manage_py("shell", "-v", "0", "-c", code, CREDENTIAL_KEYS=keys, **env) as process:
            return process.communicate(timeout=60)[0].strip()

    with manage_py("migrate", "-v", "0", CREDENTIAL_KEYS=OLD, **env) as process:
        assert process.communicate(timeout=120)[0] == ""
    make = """
from runs.models import Account
for n in range(20):
    account = Account(name=f"a{n}", provider="k6-legacy", base_url="https://api.k6.io")
    account.seal_credentials({"token": f"tok {n}"})
    account.save()
"""
    assert said(make, OLD) == ""
    stuck = """
from runs.management.commands import rotate_keys
seal, done = rotate_keys.seal, []
def third_waits(*about):
    done.append(about)
    if len(done) == 3:
        print("half way", flush=True)
        import signal; signal.pause()
    return seal(*about)
rotate_keys.seal = third_waits
from django.core.management import call_command
call_command("rotate_keys")
"""
    with manage_py("shell", "-v", "0", "-c", stuck, CREDENTIAL_KEYS=f"{NEW},{OLD}", **env) as process:
        read_until(process, "half way")
        process.send_signal(signal.SIGKILL)
    tell = """
from runs.models import Account
print(*sorted(a.open_credentials()["token"] for a in Account.objects.all()), sep=",")
print(sum(a.credentials.on_first_key() for a in Account.objects.all()))
"""
    everything = ",".join(sorted(f"tok {n}" for n in range(20)))
    assert said(tell, f"{NEW},{OLD}").split("\n") == [everything, "2"]
    with manage_py("rotate_keys", CREDENTIAL_KEYS=f"{NEW},{OLD}", **env) as process:
        assert "18 re-encrypted with the first of CREDENTIAL_KEYS, 2 on it already" in process.communicate()[0]
    assert said(tell, NEW).split("\n") == [everything, "20"]


def test_the_credentials_column_alone_is_written(rows):
    """So that an edit of anything else at the same time is not undone."""
    with connection.execute_wrapper(lambda execute, sql, *rest: execute(_only_credentials(sql), *rest)):
        rotate()


def _only_credentials(sql: str) -> str:
    assert not sql.startswith("UPDATE") or sql.startswith('UPDATE "runs_account" SET "credentials" = ')
    return sql
