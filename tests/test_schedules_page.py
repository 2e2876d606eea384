"""Schedules: what starts next comes first, on a page of their own and with their load test; operators switch them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.models import Account, Schedule
from runs.services.base import Capability, Refused
from tests.pages import browser, text_of
from tests.rows import make_test, make_user

pytestmark = pytest.mark.django_db
LIST = "/schedules/"


@pytest.fixture
def operator(db):
    return browser(make_user("operator", "maya"))


@pytest.fixture
def viewer(db):
    return browser(make_user("viewer"))


def schedule(account, name="Checkout", hours=3.0, **fields):
    now = timezone.now()
    fields = {"active": True, "rule": "every day at 03:00", "synced_at": now, **fields}
    fields.setdefault("next_run_at", now + timedelta(hours=hours))
    return Schedule.objects.create(load_test=make_test(account, name), external_id=f"of {name}", **fields)


def test_what_starts_next_comes_first_and_what_is_off_last(viewer, fake_account):
    schedule(fake_account, "Later", 30)
    schedule(fake_account, "Switched off", 1, active=False)
    schedule(fake_account, "Soon", 1)
    schedule(fake_account, "Nobody knows", next_run_at=None)
    said = text_of(viewer.get(LIST))
    places = [said.index(name) for name in ("Soon", "Later", "Nobody knows", "Switched off")]
    assert places == sorted(places)
    assert "Soon FP fake " in said
    assert said.count("every day at 03:00") == 4


def test_a_next_run_in_the_past_is_no_promise(viewer, fake_account):
    schedule(fake_account, hours=-2)
    assert "was due 2 h ago" in text_of(viewer.get(LIST))


def test_viewers_see_and_operators_switch(viewer, operator, fake, fake_account):
    one = schedule(fake_account)
    assert "Switch off" not in text_of(viewer.get(LIST))
    assert "Switch off" in text_of(operator.get(LIST))
    assert viewer.post(f"{LIST}{one.pk}/switch/").status_code == 403
    said = text_of(operator.post(f"{LIST}{one.pk}/switch/", follow=True))
    assert "The schedule of Checkout is switched off." in said
    assert "Switch on" in said
    operator.post(f"{LIST}{one.pk}/switch/", {"active": "yes"})
    one.refresh_from_db()
    assert one.active
    assert fake.calls == [("schedule", "of Checkout", "False"), ("schedule", "of Checkout", "True")]


def test_the_page_of_a_load_test_shows_and_switches_its_own(operator, fake_account):
    one, other = schedule(fake_account), schedule(fake_account, "Search", rule="hourly")
    address = f"/tests/{one.load_test_id}/"
    said = text_of(operator.get(address))
    assert "every day at 03:00" in said
    assert "hourly" not in said
    response = operator.post(f"{LIST}{one.pk}/switch/", {"next": address})
    assert response.headers["Location"] == address
    assert other.load_test_id != one.load_test_id


def test_a_test_without_a_schedule_says_so_where_there_could_be_one(operator, fake, fake_account, monkeypatch):
    address = f"/tests/{make_test(fake_account).pk}/"
    assert "None: Fake Provider starts it only when somebody asks." in text_of(operator.get(address))
    monkeypatch.setattr(fake, "capabilities", fake.capabilities - {Capability.SCHEDULES})
    assert "All schedules" not in text_of(operator.get(address))


def test_a_refusal_is_said_and_changes_nothing(operator, fake, fake_account):
    one = schedule(fake_account)
    fake.fail("schedule", Refused("Fake Provider says that it has run out."))
    said = text_of(operator.post(f"{LIST}{one.pk}/switch/", follow=True))
    assert "Checkout: Not switched off. Fake Provider says that it has run out." in said
    assert "On" in said


@pytest.mark.parametrize("change", [{"read_only": True}, {"archive": True}, {"enabled": False}])
def test_nothing_is_switched_on_an_account_that_takes_no_change(operator, fake, fake_account, change):
    one = schedule(fake_account)
    Account.objects.update(**change)
    assert "Switch off" not in text_of(operator.get(LIST))
    assert "Not switched off. fake is" in text_of(operator.post(f"{LIST}{one.pk}/switch/", follow=True))
    assert fake.calls == []


def test_an_empty_page_leads_on_and_says_whether_there_can_be_any(viewer, fake, fake_account, monkeypatch):
    assert "No schedules" in text_of(viewer.get(LIST))
    assert 'href="/schedules/"' in viewer.get("/tests/").content.decode()
    monkeypatch.setattr(fake, "capabilities", frozenset())
    assert "No account with schedules" in text_of(viewer.get(LIST))
    assert 'href="/schedules/"' not in viewer.get("/tests/").content.decode()


def test_the_number_of_queries_does_not_grow_with_the_schedules(operator, fake_account):
    schedule(fake_account, "a")
    operator.get(LIST)
    with CaptureQueriesContext(
        connection,
    ) as few:
        operator.get(LIST)
    for name in "bcde":
        schedule(fake_account, name)
    with CaptureQueriesContext(connection) as many:
        operator.get(LIST)
    assert len(many) == len(few)
