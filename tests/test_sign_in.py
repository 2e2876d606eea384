"""Signing in and out, and what happens to a page whose session has ended."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from tests.rows import make_user

pytestmark = pytest.mark.django_db


def test_a_person_signs_in_and_comes_to_the_page_they_wanted(client):
    make_user("viewer", "vera")
    wanted = client.get("/runs/?status=running")
    assert wanted["Location"] == "/sign-in/?next=/runs/%3Fstatus%3Drunning"
    answer = client.post(
        wanted["Location"], {"username": "vera", "password": "plimsoll", "next": "/runs/?status=running"}
    )
    assert answer["Location"] == "/runs/?status=running"
    assert client.get("/runs/").status_code == 200


def test_nobody_is_sent_to_another_site(client):
    make_user("viewer", "vera")
    answer = client.post("/sign-in/", {"username": "vera", "password": "plimsoll", "next": "https://evil.example/"})
    assert answer["Location"] == "/runs/"


@pytest.mark.parametrize(
    "entered", [{"username": "vera", "password": "wrong"}, {"username": "nobody", "password": "x"}]
)
def test_a_wrong_name_or_password_says_one_and_the_same_thing(client, entered):
    make_user("viewer", "vera")
    html = client.post("/sign-in/", entered).content.decode()
    assert "No one can sign in with this name and password." in html
    assert f'value="{entered["username"]}"' in html
    assert f'value="{entered["password"]}"' not in html


def test_a_disabled_person_cannot_sign_in(client):
    person = make_user("viewer", "vera")
    person.is_active = False
    person.save()
    answer = client.post("/sign-in/", {"username": "vera", "password": "plimsoll"})
    assert answer.status_code == 200
    assert "No one can sign in" in answer.content.decode()


def test_who_is_signed_in_already_goes_on(client):
    client.force_login(make_user("viewer"))
    assert client.get("/sign-in/")["Location"] == "/runs/"


def test_signing_out_takes_a_post(client):
    client.force_login(make_user("viewer"))
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/runs/").status_code == 302


def test_a_part_of_a_page_sends_the_whole_page_to_the_sign_in(client):
    headers = {"HX-Request": "true", "HX-Target": "runs", "HX-Current-URL": "http://testserver/runs/?status=running"}
    answer = client.get("/runs/rows/?id=1", headers=headers)
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == "/sign-in/?next=%2Fruns%2F%3Fstatus%3Drunning"
    assert answer.content == b""


def test_the_address_to_return_to_stays_on_this_site(client):
    headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example//steal"}
    redirect = client.get("/runs/rows/", headers=headers)["HX-Redirect"]
    make_user("viewer", "vera")
    answer = client.post(redirect, {"username": "vera", "password": "plimsoll", "next": "//steal"})
    assert answer["Location"] == "/runs/"


def test_a_form_without_its_token_is_refused_with_a_page(client):
    client.handler.enforce_csrf_checks = True
    client.force_login(make_user("viewer"))
    answer = client.post(reverse("me"), {"form": "theme", "theme": "dark"})
    assert answer.status_code == 403
    assert "This form can no longer be sent" in answer.content.decode()


def test_an_unknown_address_has_a_page_for_everybody(client):
    assert "There is nothing at this address" in client.get("/nothing/").content.decode()
    client.force_login(make_user("viewer"))
    answer = client.get("/nothing/")
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.content.decode()


def test_a_broken_page_has_a_page_that_needs_nothing(client, monkeypatch):
    def breaks(*args):
        raise RuntimeError("as if the database were gone")

    client.force_login(make_user("viewer"))
    monkeypatch.setattr("dashboard.views.runs.runs_matching", breaks)
    client.raise_request_exception = False
    answer = client.get("/runs/")
    assert answer.status_code == 500
    html = answer.content.decode()
    assert "Something broke in Plimsoll" in html
    assert "as if the database were gone" not in html


def test_pages_of_signed_in_people_are_not_kept_by_caches(client):
    client.force_login(make_user("viewer"))
    answer = client.get("/runs/")
    assert "no-store" in answer["Cache-Control"]
    assert "HX-Target" in answer["Vary"]


def test_no_page_carries_inline_styles_or_scripts(client):
    client.force_login(make_user("admin"))
    User.objects.create_user("somebody")
    for url in ("/runs/", "/me/", "/users/", "/users/new/", "/accounts/", "/accounts/new/?provider=vsts"):
        html = client.get(url).content.decode()
        for forbidden in ("style=", "<style", "hx-on", "onclick", "javascript:"):
            assert forbidden not in html, url
        assert html.count("<script ") == html.count("<script src=")
