"""One's own page: theme, time zone, shortcuts, password."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.models import Preference
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera(client) -> User:
    person = make_user("viewer", "vera")
    client.force_login(person)
    return person


@pytest.mark.parametrize(
    ("theme", "attribute"), [("dark", ' data-bs-theme="dark"'), ("light", ' data-bs-theme="light"'), ("system", "")]
)
def test_the_theme_is_on_the_page_before_any_script(client, vera, theme, attribute):
    client.post("/me/", {"form": "settings", "theme": theme, "time_zone": "UTC"})
    assert f'<html lang="en"{attribute}>' in client.get("/runs/").content.decode()


def test_the_top_bar_changes_the_theme_and_stays_on_the_page(client, vera):
    answer = client.post("/me/", {"form": "theme", "theme": "dark", "next": "/runs/?status=running"})
    assert answer["Location"] == "/runs/?status=running"
    assert Preference.of(vera).theme == "dark"
    assert client.post("/me/", {"form": "theme", "theme": "pink", "next": "https://evil.example"})["Location"] == "/me/"
    assert Preference.of(vera).theme == "dark"


def test_times_are_shown_in_ones_own_zone_with_utc_beside(client, vera):
    make_run(make_test(make_account()), created_at=datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
    client.post("/me/", {"form": "settings", "theme": "system", "time_zone": "Europe/Berlin"})
    assert "1 Jul 2026, 14:00:00 CEST · 12:00:00 UTC" in client.get("/runs/").content.decode()


def test_a_zone_that_does_not_exist_is_refused(client, vera):
    answer = client.post("/me/", {"form": "settings", "theme": "system", "time_zone": "Mars/Olympus"})
    assert "Select a valid choice" in answer.content.decode()
    assert Preference.of(vera).time_zone == "UTC"


def test_a_zone_that_this_machine_does_not_know_shows_utc(client, vera):
    Preference.objects.create(user=vera, time_zone="../etc/passwd")
    assert client.get("/runs/").status_code == 200
    assert str(Preference.of(vera).zone) == "UTC"


def test_single_keys_are_on_until_one_switches_them_off(client, vera):
    settings = {"form": "settings", "theme": "system", "time_zone": "UTC"}
    assert "<body data-shortcuts>" in client.get("/runs/").content.decode()
    client.post("/me/", settings)
    assert "<body>" in client.get("/runs/").content.decode()
    assert not Preference.of(vera).shortcuts
    assert "Single keys are switched off" in client.get("/shortcuts/").content.decode()
    client.post("/me/", {**settings, "shortcuts": "on"})
    assert "<body data-shortcuts>" in client.get("/runs/").content.decode()


def test_changing_the_theme_in_the_top_bar_leaves_the_shortcuts_as_they_are(client, vera):
    Preference.objects.create(user=vera, shortcuts=False)
    client.post("/me/", {"form": "theme", "theme": "dark"})
    assert not Preference.of(vera).shortcuts


@pytest.mark.parametrize(
    ("role", "offered"), [("viewer", (False, False)), ("operator", (True, False)), ("admin", (True, True))]
)
def test_the_list_of_keys_names_those_that_ones_role_can_use(client, role, offered):
    client.force_login(make_user(role))
    html = client.get("/shortcuts/").content.decode()
    assert ("Confirm the stop" in html, "Go to the accounts" in html) == offered
    assert "Go to the search field of the page" in html


def test_the_list_of_keys_is_a_page_and_the_inside_of_a_dialog(client, vera):
    page = client.get("/shortcuts/").content.decode()
    inside = client.get("/shortcuts/", headers={"HX-Request": "true", "HX-Target": "dialog"}).content.decode()
    assert '<h1 id="dialog-title">Keyboard shortcuts</h1>' in page
    assert '<h2 id="dialog-title">Keyboard shortcuts</h2>' in inside
    assert ("<html" in page, "<html" in inside) == (True, False)


def test_a_new_password_ends_the_other_sessions_only(client, vera):
    other = Client()
    other.force_login(vera)
    new = {"old_password": "plimsoll", "new_password1": "a fresh long one 7", "new_password2": "a fresh long one 7"}
    assert client.post("/me/", {"form": "password", **new}).status_code == 302
    assert client.get("/runs/").status_code == 200
    assert other.get("/runs/").status_code == 302
    vera.refresh_from_db()
    assert vera.check_password("a fresh long one 7")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("wrong", "a fresh long one 7", "Your old password was entered incorrectly"),
        ("plimsoll", "short", "This password is too short"),
        ("plimsoll", "password1234", "This password is too common"),
    ],
)
def test_a_password_that_cannot_be_is_refused_and_never_shown(client, vera, old, new, sentence):
    answer = client.post("/me/", {"form": "password", "old_password": old, "new_password1": new, "new_password2": new})
    html = answer.content.decode()
    assert sentence in html
    assert f'value="{new}"' not in html
    assert 'aria-invalid="true"' in html
