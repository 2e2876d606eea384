"""One's own page: theme, time zone, password."""

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
