"""Who may open what: every address there is, for everybody. A new address that is not listed here fails."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from dashboard.models import SavedView
from runs.choices import IntentKind, IntentOutcome
from runs.models import ControlIntent, FreezeWindow, Schedule, Target
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db

SIGN_IN, FORBIDDEN = 302, 403
PEOPLE = ("anonymous", "viewer", "operator", "admin")
ALL = (SIGN_IN, 200, 200, 200)
INCOMPLETE = (SIGN_IN, FORBIDDEN, 422, 422)
ADMINS = (SIGN_IN, FORBIDDEN, FORBIDDEN, 200)
POST_ONLY = (SIGN_IN, 405, 405, 405)
NO_POST = (405, 405, 405, 405)
DONE = (SIGN_IN, 302, 302, 302)

FOR_MACHINES = ("livez", "readyz", "metrics")  # whoever asks, signed in or not

# The answer to a GET, by name of the address: for nobody signed in, a viewer, an operator, an admin.
GET = {
    "home": (SIGN_IN, 302, 302, 302),
    "livez": (200, 200, 200, 200),
    "readyz": (503, 503, 503, 503),  # no worker lives here
    "metrics": (FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN),  # it takes a token, whoever asks
    "sign_in": (200, 302, 302, 302),
    "sign_out": POST_ONLY,
    "me": ALL,
    "jump": ALL,
    "shortcuts": ALL,
    "run_list": ALL,
    "run_rows": ALL,
    "run_export": ALL,
    "run_columns": POST_ONLY,
    "runs_stop": ALL,
    "runs_stopped": ALL,
    "selection_export": POST_ONLY,
    "run_facet": ALL,
    "list_live": POST_ONLY,
    "run_page": ALL,
    "run_live": (SIGN_IN, 286, 286, 286),  # the run has ended: stop asking
    "run_errors": ALL,
    "run_errors_export": ALL,
    "run_thresholds": ALL,
    "run_metrics": ALL,
    "run_messages": ALL,
    "run_config": ALL,
    "run_activity": ALL,
    "run_raw": ALL,
    "run_archive": POST_ONLY,
    "run_file": POST_ONLY,
    "run_script": POST_ONLY,
    "run_note": ALL,
    "run_star": POST_ONLY,
    "run_stop": ALL,
    "run_start_again": ALL,
    "runs_seen": POST_ONLY,
    "view_list": ALL,
    "view_new": ALL,
    "view_default": POST_ONLY,
    "view_page": ADMINS,  # somebody else's, shared
    "view_save": POST_ONLY,
    "view_delete": ADMINS,
    "test_list": ALL,
    "test_page": ALL,
    "test_start": ALL,
    "account_start": ALL,
    "test_stop": ALL,
    "test_script": POST_ONLY,
    "test_thresholds": (SIGN_IN, FORBIDDEN, 404, 404),  # this one's provider knows its own
    "schedule_list": ALL,
    "schedule_switch": POST_ONLY,
    "intent_list": ALL,
    "intent_page": ALL,
    "intent_queue": POST_ONLY,
    "intent_leave": POST_ONLY,
    "history": ALL,
    "account_list": ADMINS,
    "account_new": ADMINS,
    "account_page": ADMINS,
    "account_stop": ALL,
    "account_archive": ADMINS,
    "account_import": ADMINS,
    "account_test": (SIGN_IN, 405, 405, 405),
    "account_sync": (SIGN_IN, 405, 405, 405),
    "guard_list": ALL,
    "target_new": ADMINS,
    "target_page": ALL,
    "target_delete": ADMINS,
    "test_target": ADMINS,
    "freeze_new": ADMINS,
    "freeze_page": ADMINS,
    "freeze_delete": ADMINS,
    "freeze_switch": (SIGN_IN, 405, 405, 405),
    "styleguide": ADMINS,
    "user_list": ADMINS,
    "user_new": ADMINS,
    "user_page": ADMINS,
}

# POST with nothing in it: refused by the form (200, 422), done (302), or not allowed. Only addresses that take one.
POST = {
    "livez": NO_POST,
    "readyz": NO_POST,
    "metrics": NO_POST,
    "sign_in": (200, 302, 302, 302),
    "sign_out": (SIGN_IN, 302, 302, 302),
    "me": ALL,
    "run_columns": (SIGN_IN, 302, 302, 302),
    "runs_stop": INCOMPLETE,
    "selection_export": (SIGN_IN, 400, 400, 400),
    "run_archive": (SIGN_IN, None, None, None),
    "run_file": (SIGN_IN, 302, 302, 302),
    "run_script": (SIGN_IN, 302, 302, 302),
    "test_script": (SIGN_IN, 302, 302, 302),
    "run_note": INCOMPLETE,  # this provider takes none
    "run_star": (SIGN_IN, FORBIDDEN, 302, 302),
    "schedule_switch": (SIGN_IN, FORBIDDEN, 302, 302),
    "list_live": (SIGN_IN, 302, 302, 302),
    "run_stop": INCOMPLETE,
    "run_start_again": INCOMPLETE,
    "runs_seen": DONE,
    "view_new": (SIGN_IN, 422, 422, 422),
    "view_default": DONE,
    "view_page": (SIGN_IN, FORBIDDEN, FORBIDDEN, 302),
    "view_save": (SIGN_IN, FORBIDDEN, FORBIDDEN, FORBIDDEN),
    "test_start": INCOMPLETE,
    "account_start": INCOMPLETE,
    "intent_queue": (SIGN_IN, FORBIDDEN, None, None),
    "intent_leave": (SIGN_IN, FORBIDDEN, None, None),
    "view_delete": (SIGN_IN, FORBIDDEN, FORBIDDEN, 302),
    "account_new": ADMINS,
    "account_page": ADMINS,
    "account_archive": ADMINS,
    "account_import": (SIGN_IN, FORBIDDEN, FORBIDDEN, 422),
    "account_test": ADMINS,
    "account_sync": (SIGN_IN, FORBIDDEN, FORBIDDEN, 302),
    "target_new": ADMINS,
    "target_page": ADMINS,
    "target_delete": (SIGN_IN, FORBIDDEN, FORBIDDEN, 302),
    "test_target": (SIGN_IN, FORBIDDEN, FORBIDDEN, 302),
    "test_thresholds": (SIGN_IN, FORBIDDEN, 404, 404),
    "freeze_new": ADMINS,
    "freeze_page": ADMINS,
    "freeze_delete": (SIGN_IN, FORBIDDEN, FORBIDDEN, 302),
    "freeze_switch": (SIGN_IN, FORBIDDEN, FORBIDDEN, 302),
    "user_new": ADMINS,
    "user_page": ADMINS,
}


@pytest.fixture
def arguments() -> dict[str, dict[str, object]]:
    """What each address needs: a run, a test, an account, an intent, a person."""
    account = make_account("fabrikam", "vsts", base_url="https://fabrikam.vsclt.visualstudio.com")
    load_test = make_test(account)
    run = make_run(load_test)
    intent = ControlIntent.objects.create(
        token=uuid4(), kind=IntentKind.START, account=account, load_test=load_test, user_name="maya",
        outcome=IntentOutcome.DONE, settled_at=timezone.now() - timedelta(minutes=1), run=run,
    )  # fmt: skip
    person = make_user("viewer", "somebody")
    lists = ("run_list", "run_rows", "run_export", "run_columns", "run_facet")
    of_run = {name: {"pk": run.pk} for name in GET if name.startswith("run_") and name not in lists}
    of_test = {name: {"pk": load_test.pk} for name in GET if name.startswith("test_") and name != "test_list"}
    of_account = {name: {"slug": account.slug} for name in GET if name.startswith("account_")}
    of_intent = {name: {"token": intent.token} for name in GET if name.startswith("intent_") and name != "intent_list"}
    view = SavedView.objects.create(owner=person, name="Nightlies", shared=True)
    of_view = {name: {"pk": view.pk} for name in ("view_page", "view_save", "view_delete")}
    target = Target.objects.create(name="Checkout API")
    of_target = {name: {"pk": target.pk} for name in ("target_page", "target_delete")}
    window = FreezeWindow.objects.create(name="Peak", target=target, starts_at=timezone.now(), ends_at=timezone.now())
    of_freeze = {name: {"pk": window.pk} for name in ("freeze_page", "freeze_delete", "freeze_switch")}
    schedule = Schedule.objects.create(load_test=load_test, external_id="1", active=True, synced_at=timezone.now())
    bare = {
        "schedule_switch": {"pk": schedule.pk},
        "account_list": {},
        "account_new": {},
        "account_import": {},
        "run_facet": {"key": "status"},
    }
    others = {"user_page": {"pk": person.pk}, "runs_stopped": {"token": uuid4()}}
    of_guards = of_target | of_freeze
    return of_run | of_test | of_account | of_intent | of_view | of_guards | bare | others


def answers(method: str, name: str, arguments: dict) -> tuple[int, ...]:
    """The status for each of PEOPLE."""
    url = reverse(name, kwargs=arguments.get(name, {}))
    found = []
    for who in PEOPLE:
        client = Client()
        if who != "anonymous":
            client.force_login(make_user(who))
        found.append(getattr(client, method)(url).status_code)
    return tuple(found)


def names() -> set[str]:
    return {pattern.name for pattern in get_resolver().url_patterns}


def test_every_address_is_listed():
    assert names() == set(GET)


@pytest.mark.parametrize("name", GET)
def test_get(name, arguments):
    assert answers("get", name, arguments) == GET[name]


@pytest.mark.parametrize("name", POST)
def test_post(name, arguments):
    wanted = POST[name]
    found = answers("post", name, arguments)
    assert tuple(want if want is None else got for got, want in zip(found, wanted, strict=True)) == wanted
    assert all(got != FORBIDDEN for got, want in zip(found, wanted, strict=True) if want is None)


@pytest.mark.parametrize("name", [name for name in GET if name not in POST and name != "home"])
def test_an_address_that_only_shows_takes_no_post(name, arguments):
    assert answers("post", name, arguments) == POST_ONLY


@pytest.mark.parametrize("name", [name for name in GET if name not in ("sign_in", "home", "sign_out", *FOR_MACHINES)])
def test_somebody_without_a_role_sees_nothing_of_the_runs(name, arguments):
    client = Client()
    client.force_login(User.objects.create_user("nobody-yet"))
    wanted = 200 if name in ("me", "shortcuts") else FORBIDDEN
    found = client.get(reverse(name, kwargs=arguments.get(name, {}))).status_code
    assert found in (wanted, 405)
