"""The run list's address: what each filter means, and that nothing wrong in it is ignored."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.facets import facets
from dashboard.forms.run_filters import RunFilterForm
from dashboard.run_address import Address, tokens
from dashboard.seen import mark_seen, seen_by
from runs.choices import RunResult, RunStatus
from runs.listing import Order, RunFilters, run_page, runs_matching
from runs.models import Person
from tests.rows import NOW, make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs():
    """Six runs, by number, over two tests, two accounts and three people."""
    k6, vsts = (
        make_account("retail-prod"),
        make_account("fabrikam", "vsts", base_url="https://fabrikam.vsclt.visualstudio.com"),
    )
    maya, jonas = (Person.objects.create(account=k6, key=name, name=name, display=name) for name in ("Maya", "Jonas"))
    ours = Person.objects.create(key="tomas", display="Tomás", name="Tomás")
    checkout, login = make_test(k6, "Checkout API"), make_test(vsts, "Login ramp")
    return {
        run.number: run
        for run in (
            make_run(checkout, 1, requested_by=maya, result=RunResult.FAILED, created_at=NOW - timedelta(days=40)),
            make_run(checkout, 2, requested_by=jonas, created_at=NOW - timedelta(days=10)),
            make_run(checkout, 3, requested_by=ours, provider_requested_by=maya, created_at=NOW - timedelta(hours=30)),
            make_run(login, 4, requested_by=jonas, status=RunStatus.RUNNING, result=RunResult.NONE),
            make_run(login, 5, requested_by=None, status=RunStatus.ABORTED, result=RunResult.NONE),
            make_run(login, 6, requested_by=maya, external_id="7C6F-6", status=RunStatus.QUEUED, result=RunResult.NONE),
        )
    }  # fmt: skip


def found(query: str, user: User | None = None) -> set[int]:
    form = RunFilterForm.of(query, seen=seen_by(user) if user else None)
    form.now = NOW
    assert form.is_valid(), form.errors
    return set(runs_matching(form.filters()).values_list("number", flat=True))


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", {1, 2, 3, 4, 5, 6}),
        ("name=CHECK", {1, 2, 3}),
        ("name=4", {4}),
        ("name=%234", {4}),
        ("name=7C6F-6", {6}),
        ("name=check&name=login", {1, 2, 3, 4, 5, 6}),
        ("name=!check", {4, 5, 6}),
        ("requested_by=jonas", {2, 4}),
        ("requested_by=Maya", {1, 3, 6}),
        ("requested_by=Tomás", {3}),
        ("requested_by=!Maya", {2, 4, 5}),
        ("requested_by=Nobody", set()),
        ("requested_by=Maya&requested_by=Jonas&requested_by=!Tomás", {1, 2, 4, 6}),
        ("status=running&status=queued", {4, 6}),
        ("status=!finished", {4, 5, 6}),
        ("result=failed", {1}),
        ("result=!passed&result=!none", {1}),
        ("provider=vsts", {4, 5, 6}),
        ("account=retail-prod", {1, 2, 3}),
        ("account=!retail-prod", {4, 5, 6}),
        ("provider=vsts&account=retail-prod", set()),
        ("started=24h", {4, 5, 6}),
        ("started=7d", {3, 4, 5, 6}),
        ("started=28d", {2, 3, 4, 5, 6}),
        ("from=2026-11-19&to=2026-11-19", {3}),
        ("from=2026-11-20T12:00:00Z", {4, 5, 6}),
        ("to=2026-10-31", {1}),
        ("name=&status=&started=", {1, 2, 3, 4, 5, 6}),
        ("name=login&requested_by=Jonas&status=running&from=2026-11-20", {4}),
        ("latest=1", {3, 6}),
        ("latest=1&status=finished", {3}),  # the newest of each test, not the newest finished one
        ("latest=1&account=fabrikam", {6}),
        ("latest=", {1, 2, 3, 4, 5, 6}),
    ],
)
def test_each_filter_leaves_its_runs(runs, query, numbers):
    assert found(query) == numbers


def test_only_what_one_has_not_seen(runs):
    vera, viktor = make_user("viewer", "vera"), make_user("viewer", "viktor")
    mark_seen(vera, [runs[1].pk, runs[4].pk])
    mark_seen(viktor, [runs[2].pk])
    assert found("unseen=1", vera) == {2, 3, 5, 6}
    assert found("unseen=1&result=failed", viktor) == {1}
    assert found("", vera) == set(runs)


def test_pages_of_what_one_has_not_seen_show_every_run_once(runs):
    vera = make_user("viewer", "vera")
    mark_seen(vera, [runs[4].pk])
    wanted = runs_matching(RunFilters(seen=seen_by(vera)))
    first = run_page(wanted, Order(), size=3)
    second = run_page(wanted, Order(), after=first.after, size=3)
    assert sorted(run.number for run in first.runs + second.runs) == [1, 2, 3, 5, 6]
    assert not second.after


def test_a_filter_and_its_exclusion_part_the_runs(runs):
    for pair in (
        "name=check",
        "requested_by=Maya",
        "status=running",
        "result=none",
        "provider=vsts",
        "account=fabrikam",
    ):
        key, value = pair.split("=")
        assert found(pair) | found(f"{key}=!{value}") == set(runs)
        assert not found(pair) & found(f"{key}=!{value}")


def test_a_name_with_invisible_marks_of_direction_can_be_asked_for(runs):
    omer = Person.objects.create(account=runs[1].account, key="omer", display="עומר לוי\u200f")
    run = make_run(runs[1].load_test, 8, requested_by=omer)
    assert found(f"requested_by={quote(omer.display)}") == {run.number}


def test_days_begin_at_midnight_of_the_viewer(runs):
    moment = datetime(2026, 11, 18, 23, 30, tzinfo=UTC)
    make_run(runs[1].load_test, 7, created_at=moment)
    with timezone.override("Europe/Berlin"):
        assert 7 in found("from=2026-11-19")
    assert 7 not in found("from=2026-11-19")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("status=foo", "Status: There is no “foo”"),
        ("status=!foo", "Status: There is no “foo”"),
        ("result=green", "Result: There is no “green”"),
        ("provider=nimbus", "Provider: There is no “nimbus”"),
        ("account=nowhere", "Account: There is no “nowhere”"),
        ("test=1e9", "Load test: There is no “1e9”."),
        ("started=1y", "Started: There is no “1y”. There are: 24h, 7d, 28d."),
        ("started=7d&started=24h", "Started: Give it once."),
        ("from=yesterday", "From: Write it as a date"),
        ("to=2026-13-40", "To: Write it as a date"),
        ("from=0001-01-01", "From: Write it as a date"),
        ("from=9999-12-31", "From: Write it as a date"),
        ("from=2026-11-20&to=2026-11-01", "To: It ends before it begins"),
        ("started=7d&from=2026-11-01", "Started: Choose either"),
        ("sort=colour", "Sort: Runs cannot be sorted by “colour”."),
        ("after=nonsense", "Page: This place in the list cannot be read."),
        ("after=2026-11-20T00:00:00~1", "Page: This place in the list cannot be read."),
        ("after=0001-01-01T00:00:00%2B14:00~1", "Page: This place in the list cannot be read."),
        ("before=2026-11-20T00:00:00Z~99999999999999999999", "Page: This place in the list cannot be read."),
        ("name=a%00b", "Name: It holds characters that cannot be typed"),
        ("name=" + "x" * 201, "Name: Longer than 200 characters"),
        ("&".join(f"name={n}" for n in range(51)), "Name: 51 values are too many"),
        ("tag=nightly", "There is no filter “tag”"),
        ("view=mine", "There is no filter “view”"),  # read before, or it would be dropped and find all runs
        ("latest=yes", "Latest: It is 1 or left out, not “yes”."),
        ("latest=1&latest=1", "Latest: Give it once."),
        ("unseen=1", "Unseen: Who has seen which run is known only of people on the pages."),
    ],
)
def test_what_cannot_be_read_is_said(query, sentence):
    form = RunFilterForm.of(query)
    assert not form.is_valid()
    assert any(said.startswith(sentence) for said in form.sentences()), form.sentences()


@pytest.mark.parametrize(
    "sort", ["-started", "started", "test", "-duration", "requested_by", "-p95", "errors", "status", "-vus"]
)
def test_pages_show_every_run_once_in_both_directions(runs, sort):
    login = runs[4].load_test
    for number in range(10, 31):  # many ties, and many runs without numbers
        make_run(login, number, duration_s=number % 3 or None, p95_ms=number % 2 * 9.5 or None)
    order = Order.parse(sort)
    everything = [run.pk for run in run_page(runs_matching(RunFilters()), order, size=100).runs]
    seen, cursor = [], ""
    while True:
        page = run_page(runs_matching(RunFilters()), order, after=cursor, size=4)
        seen.append([run.pk for run in page.runs])
        if not page.after:
            break
        cursor = page.after
    assert [pk for part in seen for pk in part] == everything
    assert len(everything) == 27
    back = [seen[-1]]
    cursor = page.before
    while cursor:
        page = run_page(runs_matching(RunFilters()), order, before=cursor, size=4)
        back.append([run.pk for run in page.runs])
        cursor = page.before
    assert back[::-1] == seen


def test_a_run_that_comes_between_two_pages_neither_repeats_nor_hides_another(runs):
    everything = runs_matching(RunFilters())
    first = run_page(everything, Order(), size=2)
    make_run(runs[4].load_test, 99, created_at=NOW)
    second = run_page(everything, Order(), after=first.after, size=10)
    assert {run.number for run in first.runs} | {run.number for run in second.runs} == set(runs)


def test_tokens_name_each_filter_and_the_address_without_it(runs):
    form = RunFilterForm.of("status=running&status=queued&requested_by=!Maya&started=7d&latest=1&sort=test")
    assert form.is_valid()
    address = Address.of(form.data)
    shown = {token.label: (token.operator, token.value, token.without.query) for token in tokens(form, address)}
    assert shown == {
        "Status": ("is any of", "Running, Queued", "requested_by=!Maya&started=7d&latest=1&sort=test"),
        "Requested by": ("is not", "Maya", "status=running&status=queued&started=7d&latest=1&sort=test"),
        "Started": ("", "last 7 days", "requested_by=!Maya&status=running&status=queued&latest=1&sort=test"),
        "Latest": ("", "per test", "requested_by=!Maya&status=running&status=queued&started=7d&sort=test"),
    }


def test_a_clicked_value_is_added_to_the_filters_that_are_there():
    address = Address.of(RunFilterForm.of("status=running&account=a&after=x~1").data)
    assert address.adding("account", "b").query == "status=running&account=a&account=b"
    assert address.adding("account", "a").query == address.query == "status=running&account=a"


def test_a_menu_offers_only_and_not_for_each_value(runs):
    form = RunFilterForm.of("status=running&requested_by=!Jonas")
    menus = {facet.key: facet for facet in facets(form, Address.of(form.data))}
    queued = next(option for option in menus["status"].options if option.value == "queued")
    assert not queued.chosen
    assert queued.only == "/runs/?requested_by=!Jonas&status=queued"
    assert "status=running&status=!queued" in queued.excluding
    assert menus["requested_by"].excluded == ("!Jonas",)
    assert [option.value for option in menus["requested_by"].options] == ["Jonas", "Maya", "Tomás"]
