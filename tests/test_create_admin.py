"""`manage.py create_admin` makes the first person who may do everything."""

import io

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from dashboard.management.commands import create_admin

GOOD = "correct-horse-battery"

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    """A standard input that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def made(**options) -> str:
    out = io.StringIO()
    call_command("create_admin", stdout=out, **options)
    return out.getvalue()


def test_password_from_the_environment(monkeypatch):
    monkeypatch.setenv("PLIMSOLL_ADMIN_PASSWORD", GOOD)
    assert made(username="ada") == "ada can sign in now, as an admin.\n"
    ada = User.objects.get(username="ada")
    assert ada.check_password(GOOD)
    assert [group.name for group in ada.groups.all()] == ["admin"]
    assert ada.has_perm("runs.manage_accounts")


def test_password_from_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GOOD}\n"))
    made(username="ada", password_stdin=True)
    assert User.objects.get(username="ada").check_password(GOOD)


def test_asks_for_name_and_password_in_a_terminal(monkeypatch):
    monkeypatch.delenv("PLIMSOLL_ADMIN_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", Terminal("ada\n"))
    monkeypatch.setattr(create_admin.getpass, "getpass", lambda question: GOOD)
    made()
    assert User.objects.get(username="ada").check_password(GOOD)


def test_two_different_passwords_add_nobody(monkeypatch):
    answers = iter([GOOD, "something-else-entirely"])
    monkeypatch.delenv("PLIMSOLL_ADMIN_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", Terminal("ada\n"))
    monkeypatch.setattr(create_admin.getpass, "getpass", lambda question: next(answers))
    with pytest.raises(CommandError, match=r"The two passwords differ\. Nobody was added\."):
        made()
    assert not User.objects.exists()


def test_without_a_terminal_it_says_what_to_give(monkeypatch):
    monkeypatch.delenv("PLIMSOLL_ADMIN_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CommandError, match="Give --username, and PLIMSOLL_ADMIN_PASSWORD or --password-stdin"):
        made(username="ada")


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short", "too short"),
        ("password1234", "too common"),
        ("839201749216", "entirely numeric"),
        ("ada-lovelace", "similar"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(monkeypatch, password, sentence):
    monkeypatch.setenv("PLIMSOLL_ADMIN_PASSWORD", password)
    with pytest.raises(CommandError, match=sentence):
        made(username="ada-lovelace")
    assert not User.objects.exists()


@pytest.mark.parametrize(("name", "sentence"), [("ada", "already exists"), ("ada lovelace!", "valid username")])
def test_a_name_that_cannot_be_is_refused_with_the_reason(monkeypatch, name, sentence):
    User.objects.create_user("ada")
    monkeypatch.setenv("PLIMSOLL_ADMIN_PASSWORD", GOOD)
    with pytest.raises(CommandError, match=sentence):
        made(username=name)
    assert User.objects.count() == 1
