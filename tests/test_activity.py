"""Activity: every start and stop, newest first; which are not settled is seen at once and can be filtered for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs.choices import IntentKind, IntentOutcome, RunResult, RunStatus
from runs.listing import PAGE_SIZE
from runs.models import ControlIntent
from tests.pages import browser, text_of
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db
URL = "/intents/"


@pytest.fixture
def load_test(db):
    return make_test(make_account("retail-prod"), "Checkout")


@pytest.fixture
def viewer(db):
    return browser(make_user("viewer"))


def asked(load_test, minutes=1, **fields):
    known = {
        "kind": IntentKind.START, "outcome": IntentOutcome.DONE, "user_name": "maya", "account": load_test.account,
        "load_test": load_test, "test_name": load_test.name,
    }  # fmt: skip
    intent = ControlIntent.objects.create(**known | fields)
    ControlIntent.objects.filter(pk=intent.pk).update(created_at=timezone.now() - timedelta(minutes=minutes))
    return intent


def listed(client, query=""):
    """The ids of the intents on the page, from the top."""
    return [line.intent.pk for line in client.get(URL + query).context["lines"]]


def test_each_says_what_was_asked_by_whom_why_and_how_it_stands(viewer, load_test):
    run = make_run(load_test, 7)
    intent = asked(load_test, kind=IntentKind.STOP, run=run, reason="wrong target", message="Stopped. Confirmed 8 s …")
    page = viewer.get(URL)
    said = text_of(page)
    assert all(
        part in said for part in ("Stop Checkout", "#7", "wrong target", "The run has ended", "Stopped.", "maya")
    )
    assert f'href="/intents/{intent.token}/"' in page.content.decode()


def test_newest_first_a_page_at_a_time_without_repeats(viewer, load_test, monkeypatch):
    made = [asked(load_test, minutes=n).pk for n in range(PAGE_SIZE + 3)]
    first = viewer.get(URL)
    assert [line.intent.pk for line in first.context["lines"]] == made[:PAGE_SIZE]
    older = listed(viewer, f"?after={first.context['page'].after}".replace("+", "%2B"))
    assert older == made[PAGE_SIZE:]


def test_what_is_not_settled_is_counted_and_one_click_away(viewer, load_test):
    asked(load_test)
    waiting = [asked(load_test, minutes=n, outcome=IntentOutcome.SENT) for n in (2, 3)]
    page = viewer.get(URL)
    assert "2 not settled" in text_of(page)
    assert 'href="/intents/?state=open"' in page.content.decode()
    assert listed(viewer, "?state=open") == [intent.pk for intent in waiting]


def test_nothing_open_is_said(viewer, load_test):
    asked(load_test)
    assert "all settled" in text_of(viewer.get(URL))


def test_filters_leave_the_kind_account_person_and_test(viewer, load_test):
    other = make_test(make_account("perf-lab"), "Basket")
    start = asked(load_test)
    stop = asked(load_test, kind=IntentKind.STOP, run=make_run(load_test), user_name="jonas")
    there = asked(other, minutes=3, outcome=IntentOutcome.CANNOT_TELL)
    assert listed(viewer, "?kind=stop") == [stop.pk]
    assert listed(viewer, "?account=perf-lab") == [there.pk]
    assert listed(viewer, "?person=jonas") == [stop.pk]
    assert listed(viewer, "?name=check&kind=start") == [start.pk]
    assert listed(viewer, "?state=cannot_tell&state=open") == [there.pk]


def test_an_address_that_cannot_be_read_is_said_and_shows_what_can_be(viewer, load_test):
    intent = asked(load_test)
    page = viewer.get(URL + "?state=foo&after=nonsense")
    assert "That part of the address is left out." in text_of(page)
    assert [line.intent.pk for line in page.context["lines"]] == [intent.pk]


def test_without_any_it_says_what_will_be_here(viewer):
    assert "Nothing was started or stopped here yet" in text_of(viewer.get(URL))


def test_operators_find_the_way_to_stop_everything_of_an_account_and_viewers_do_not(viewer, load_test):
    asked(load_test)
    assert b"Stop everything" not in viewer.get(URL).content
    assert b'href="/accounts/retail-prod/stop/"' in browser(make_user("operator")).get(URL).content


def test_a_page_takes_the_same_number_of_queries_for_1_and_30(viewer, load_test, django_assert_max_num_queries):
    for n in range(30):
        asked(load_test, minutes=n, kind=IntentKind.STOP, outcome=IntentOutcome.ACCEPTED, sent_at=timezone.now(),
              run=make_run(load_test, n, status=RunStatus.RUNNING, result=RunResult.NONE))  # fmt: skip
    with django_assert_max_num_queries(14):
        viewer.get(URL)
