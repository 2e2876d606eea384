"""People and roles, for admins."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from dashboard.words import initials
from tests.rows import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client) -> User:
    person = make_user("admin", "maya")
    client.force_login(person)
    return person


def details(person: User, **changes: str) -> dict[str, str]:
    """What the form holds when nothing is changed."""
    role = person.groups.get().name
    known = {
        "username": person.username,
        "first_name": "",
        "last_name": "",
        "email": "",
        "role": role,
        "is_active": "on",
    }
    return {key: value for key, value in {**known, **changes}.items() if value is not None}


def save(client, person: User, **changes: str):
    return client.post(reverse("user_page", args=[person.pk]), details(person, **changes))


def test_a_new_person_can_sign_in_with_their_role(client, admin):
    entered = {"username": "otto", "first_name": "Otto", "role": "operator", "password": "a fresh long one 7"}
    assert client.post(reverse("user_new"), entered)["Location"] == reverse("user_list")
    otto = User.objects.get(username="otto")
    assert otto.has_perm("runs.control_run")
    assert not otto.has_perm("runs.manage_accounts")
    assert Client().login(username="otto", password="a fresh long one 7")


def test_a_new_person_needs_a_password_that_holds(client, admin):
    for password, sentence in (("", "This field is required"), ("otto", "too short")):
        answer = client.post(reverse("user_new"), {"username": "otto", "role": "viewer", "password": password})
        assert sentence in answer.content.decode()
    assert not User.objects.filter(username="otto").exists()


def test_a_role_is_changed_and_counts_at_once(client, admin):
    otto = make_user("viewer", "otto")
    assert save(client, otto, role="operator").status_code == 302
    assert User.objects.get(pk=otto.pk).has_perm("runs.control_run")
    save(client, otto, role="viewer")
    assert not User.objects.get(pk=otto.pk).has_perm("runs.control_run")


def test_switching_a_person_off_ends_their_sessions(client, admin):
    otto = make_user("operator", "otto")
    theirs = Client()
    theirs.force_login(otto)
    assert theirs.get("/runs/").status_code == 200
    save(client, otto, is_active=None)
    assert theirs.get("/runs/").status_code == 302


def test_a_new_password_ends_their_sessions(client, admin):
    otto = make_user("operator", "otto")
    theirs = Client()
    theirs.force_login(otto)
    save(client, otto, password="a fresh long one 7")
    assert theirs.get("/runs/").status_code == 302


def test_a_new_password_of_ones_own_keeps_this_session(client, admin):
    assert save(client, admin, password="a fresh long one 7").status_code == 302
    assert client.get("/users/").status_code == 200


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"is_active": None}])
def test_nobody_takes_the_admin_role_from_themselves(client, admin, change):
    make_user("admin", "jonas")
    answer = save(client, admin, **change)
    assert "You cannot take this from yourself" in answer.content.decode()
    assert User.objects.get(pk=admin.pk).has_perm("auth.change_user")


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"is_active": None}])
def test_the_last_admin_who_may_sign_in_stays_one(client, admin, change):
    jonas = make_user("admin", "jonas")
    admin.groups.clear()  # somebody who may change people without being an admin
    admin.user_permissions.add(Permission.objects.get(codename="change_user"))
    answer = save(client, jonas, **change)
    assert "This is the last admin" in answer.content.decode()
    jonas.refresh_from_db()
    assert jonas.is_active
    assert jonas.has_perm("auth.change_user")


def test_the_list_shows_roles_with_a_fixed_number_of_queries(client, admin, django_assert_max_num_queries):
    for number in range(60):
        make_user("viewer", f"person-{number:02}")
    with django_assert_max_num_queries(12):
        html = client.get("/users/").content.decode()
    assert "1–50 of 61" in html
    assert html.count('class="name"') == 50
    assert "person-59" in client.get("/users/?page=2").content.decode()


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Maya Lindqvist", "ML"), ("maya", "M"), ("user 760", "U"), ("760", "7"), ("O'Brien, Niamh", "ON"), ("=(1)", "?")],
)
def test_a_persons_letters_are_those_of_their_names(name, letters):
    assert initials(name) == letters


def test_on_a_phone_each_value_says_what_it_is(client, admin):
    labels = re.findall(r'<td[^>]* data-label="([^"]+)"', client.get("/users/").content.decode())
    assert labels == ["Signs in as", "Role", "May sign in", "Last signed in"]


def test_names_are_escaped(client, admin):
    make_user("viewer", "otto")
    User.objects.filter(username="otto").update(first_name="<script>alert(1)</script>")
    assert "<script>alert" not in client.get("/users/").content.decode()
