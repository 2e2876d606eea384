"""`make demo`: everything in one command, for people who want to look, and nothing of it in a real database."""

import os
import re
import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User

from dashboard import demo
from dashboard.supervisor import Supervisor
from runs.models import Account, LoadTest, SyncState
from tests.processes import an_unused_port, manage_py, read_until, using

CREDENTIALS = {
    "k6-legacy": {"base_url": "http://127.0.0.1:8089/k6", "credentials": {"token": "one"}},
    "vsts": {"base_url": "http://127.0.0.1:8089/vsts", "credentials": {"token": "two"}},
}


def moved(port: int) -> dict:
    return {
        provider: {**given, "base_url": given["base_url"].replace("8089", str(port))}
        for provider, given in CREDENTIALS.items()
    }


@pytest.mark.django_db
def test_one_person_per_role_with_the_printed_password():
    demo.add_people()
    demo.add_people()
    assert {person.username: [group.name for group in person.groups.all()] for person in User.objects.all()} == {
        "viewer": ["viewer"],
        "operator": ["operator"],
        "admin": ["admin"],
    }
    assert all(person.check_password("plimsoll") for person in User.objects.all())


@pytest.mark.django_db
def test_people_of_an_earlier_start_keep_their_own_password():
    demo.add_people()
    viewer = User.objects.get(username="viewer")
    viewer.set_password("changed-by-hand")
    viewer.save()
    demo.add_people()
    assert User.objects.get(username="viewer").check_password("changed-by-hand")


@pytest.mark.django_db
def test_one_account_per_provider_that_opens_with_the_sandbox_credentials():
    demo.add_accounts(CREDENTIALS)
    seen = {account.provider: (account.name, account.open_credentials()) for account in Account.objects.all()}
    assert seen == {
        "k6-legacy": ("Grafana Cloud k6 (legacy API), sandbox", {"token": "one"}),
        "vsts": ("VSTS Cloud Load Test, sandbox", {"token": "two"}),
    }


@pytest.mark.django_db
def test_a_provider_that_plimsoll_does_not_speak_gets_no_account():
    demo.add_accounts({"toy": {"base_url": "http://127.0.0.1:8089", "credentials": {}}})
    assert not Account.objects.exists()


@pytest.mark.django_db
def test_the_locust_of_the_demo_keeps_what_somebody_changed_of_its_thresholds():
    demo.add_load_account("http://127.0.0.1:8091")
    load_test = LoadTest.objects.get()
    assert (load_test.own_thresholds, load_test.start_values["run_time"]) == (demo.THRESHOLDS, "3m")
    LoadTest.objects.update(own_thresholds={"p95_ms": 900})
    demo.add_load_account("http://127.0.0.1:9999")
    [account] = Account.objects.all()
    assert (account.base_url, account.open_credentials()) == ("http://127.0.0.1:9999", {})
    assert LoadTest.objects.get().own_thresholds == {"p95_ms": 900}


def test_without_locust_the_demo_says_so_in_a_line_and_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    with Supervisor() as supervisor:
        assert demo.start_load(supervisor) is None
    assert capsys.readouterr().out.splitlines() == [demo.NO_LOAD]


@pytest.mark.django_db
def test_a_sandbox_on_another_port_moves_the_accounts_and_makes_them_due():
    demo.add_accounts(CREDENTIALS)
    SyncState.objects.update(paused=True, failures=7)
    before = set(Account.objects.values_list("pk", "slug"))
    demo.add_accounts(moved(9999))
    assert set(Account.objects.values_list("pk", "slug")) == before
    assert {account.base_url for account in Account.objects.all()} == {
        "http://127.0.0.1:9999/k6",
        "http://127.0.0.1:9999/vsts",
    }
    assert all(account.open_credentials() for account in Account.objects.all())
    assert set(SyncState.objects.values_list("paused", "failures")) == {(False, 0)}


def test_the_demo_never_takes_over_a_real_database_or_its_keys(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "sqlite:////srv/real.sqlite3")
    monkeypatch.setenv("CREDENTIAL_KEYS", "real")
    monkeypatch.setenv("SECRET_KEY", "real")
    monkeypatch.setenv("ALLOWED_HOSTS", "plimsoll.example.com")
    given = demo.environment(tmp_path)
    assert given["DATABASE_URL"] == f"sqlite:///{tmp_path}/plimsoll.sqlite3"
    assert (given["CREDENTIAL_KEYS"], given["SECRET_KEY"]) == ("", "")
    assert "127.0.0.1" in given["ALLOWED_HOSTS"].split(",")
    assert given["ENV_FILE"] == os.devnull


def test_settings_other_than_the_demos_are_recognised(settings, monkeypatch):
    assert not demo.in_demo_environment()
    settings.DATA_DIR = Path("/srv/demo")
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", "/srv/real.sqlite3")
    assert not demo.in_demo_environment()
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", "/srv/demo/plimsoll.sqlite3")
    assert demo.in_demo_environment()
    settings.HTTPS = True
    assert not demo.in_demo_environment()


def test_two_demos_cannot_share_their_data(tmp_path):
    with demo.only_one(tmp_path), pytest.raises(demo.DemoRuns, match="The demo runs already"), demo.only_one(tmp_path):
        pytest.fail("entered twice")
    with demo.only_one(tmp_path):
        pass


@pytest.mark.django_db
def test_roles_come_from_a_migration():
    assert {"viewer", "operator", "admin"} <= set(Group.objects.values_list("name", flat=True))


@pytest.fixture(scope="module")
def demo_data(tmp_path_factory):
    """Filled by the first demo, and found by the next one however the one before it ended."""
    return tmp_path_factory.mktemp("data")


@pytest.mark.xdist_group("demo")  # both want the sandbox's own port
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_whole_demo_starts_answers_and_leaves_nothing_behind(demo_data, how):
    port = an_unused_port()
    began = time.monotonic()
    with manage_py("demo", DATA_DIR=str(demo_data), PORT=str(port)) as process:
        try:
            said = read_until(process, "Ctrl-C ends the demo")
            assert time.monotonic() - began < 90
            assert f"http://127.0.0.1:{port}/" in said
            assert re.search("viewer, operator, admin.*plimsoll", said)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
                assert page.url.startswith(f"http://127.0.0.1:{port}/sign-in/")
            assert len(using(str(demo_data))) >= 4
        finally:
            process.send_signal(how)
        rest = process.stdout.read()
        process.wait(timeout=20)
    if how != signal.SIGKILL:
        assert process.returncode == 0
        assert "The demo has ended." in rest
        assert "Traceback" not in rest
    deadline = time.monotonic() + 20
    while (left := using(str(demo_data))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == {}


@pytest.mark.xdist_group("demo")  # both want the sandbox's own port
@pytest.mark.slow
def test_a_taken_port_is_told_in_a_sentence(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with manage_py("demo", DATA_DIR=str(tmp_path), PORT=str(port)) as process:
            said = process.communicate(timeout=30)[0]
    assert process.returncode == 1
    assert f"Port {port} on 127.0.0.1 is not free" in said
    assert f"PORT={port + 1} make demo" in said
    assert "Traceback" not in said
