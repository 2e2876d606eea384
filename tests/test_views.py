"""Views of the run list: which filters an address means, the tabs, and keeping, sharing and forgetting views."""

import re

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.forms.saved_views import SavedViewForm
from dashboard.models import Preference, SavedView
from dashboard.run_views import choose
from runs.choices import RunResult, RunStatus
from runs.models import Person, SyncState
from tests.pages import HTMX_DIALOG, browser, text_of
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera():
    return make_user("viewer", "vera")


@pytest.fixture
def load_test():
    account = make_account()
    SyncState.objects.create(account=account, last_good_at=timezone.now())
    return make_test(account, "Checkout API")


def make_view(owner, name="Nightlies", query="status=finished&sort=-duration", **fields) -> SavedView:
    return SavedView.objects.create(owner=owner, name=name, query=query, **fields)


def tokens(html: str) -> list[str]:
    found = re.search(r'<ul class="tokens".*?</ul>', html, re.DOTALL).group()
    return [
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", token)).strip()
        for token in re.findall(r"<li class=\"token.*?</li>", found)
    ]


def current_tab(html: str) -> str:
    tab = re.search(r'<nav class="tabs" aria-label="Views">.*?<a [^>]*aria-current="page">(.*?)</a>', html, re.DOTALL)
    return re.sub(r"<[^>]+>", "", tab.group(1)).split("  ")[0].strip()


# --- Which filters an address means ---

STORED = {"status": ("finished",), "sort": ("-duration",)}


@pytest.mark.parametrize(
    ("query", "default", "values", "url"),
    [
        # Nothing said: all runs, or the view this person begins with.
        ("", "", {}, "/runs/"),
        ("", "{view}", STORED, "/runs/?view={view}"),
        ("", "running", None, "/runs/?view=running"),
        # A view alone is its filters and its order.
        ("view={view}", "", STORED, "/runs/?view={view}"),
        ("view=failed", "{view}", {"result": ("failed", "error"), "unseen": ("1",)}, "/runs/?view=failed"),
        ("view=mine", "", {"requested_by": ("vera",)}, "/runs/?view=mine"),
        ("view={view}&after=2026-11-20T00:00:00Z~1", "", STORED, "/runs/?view={view}"),
        # All runs are always all runs.
        ("view=all", "", {}, "/runs/"),
        ("view=all", "{view}", {}, "/runs/?view=all"),
        # A filter in the address, even a blank one, and the view's filters count no more.
        ("view={view}&result=failed", "", {"result": ("failed",)}, "/runs/?view={view}&result=failed"),
        ("view={view}&name=", "", {}, "/runs/?view={view}&name="),
        ("view={view}&name=&status=finished&sort=-duration", "", STORED, "/runs/?view={view}"),
        ("result=failed", "", {"result": ("failed",)}, "/runs/?result=failed"),
        ("result=failed", "{view}", {"result": ("failed",)}, "/runs/?view=all&result=failed"),
        ("name=", "{view}", {}, "/runs/?view=all"),
        # An order alone changes only the order.
        ("view={view}&sort=test", "", {"status": ("finished",), "sort": ("test",)}, "/runs/?view={view}&sort=test"),
        ("view={view}&sort=-started", "", {"status": ("finished",)}, "/runs/?view={view}&sort=-started"),
        # Columns are no filter and no part of a view, but stay in the address.
        ("view={view}&cols=p95", "", STORED | {"cols": ("p95",)}, "/runs/?view={view}&cols=p95"),
        # A view that is not there takes nothing away from the address.
        ("view=999999", "", {}, "/runs/"),
        ("view=999999&result=failed", "", {"result": ("failed",)}, "/runs/?result=failed"),
        ("view=nonsense", "{view}", {}, "/runs/?view=all"),
        ("view={private}", "", {}, "/runs/"),
        ("", "{private}", {}, "/runs/?view=all"),
    ],
)
def test_the_address_outranks_the_view_and_the_view_what_one_begins_with(vera, query, default, values, url):
    numbers = {"view": make_view(vera).pk, "private": make_view(make_user("viewer", "viktor"), "Mine").pk}
    chosen = choose(QueryDict(query.format(**numbers)), vera, default.format(**numbers))
    if values is not None:
        assert dict(chosen.address.values) == values
    assert chosen.address.url == url.format(**numbers)
    again = choose(QueryDict(chosen.address.url.partition("?")[2]), vera, default.format(**numbers))
    assert again.address.values == chosen.address.values
    assert not again.problem


def test_filters_of_a_view_show_as_tokens_and_every_link_keeps_the_view(load_test, vera):
    view = make_view(vera, query="status=finished&result=failed")
    for number in range(60):
        make_run(load_test, number, result=RunResult.FAILED)
    html = browser(vera).get(f"/runs/?view={view.pk}").content.decode().replace("&amp;", "&")
    assert tokens(html) == ["Status is Finished", "Result is Failed"]
    assert f'href="/runs/?view={view.pk}&result=failed" aria-label="Remove filter Status' in html
    assert f'href="/runs/?view={view.pk}&sort=test"' in html
    assert re.search(rf'href="/runs/\?view={view.pk}&after=[^"]+" rel="next"', html)
    assert f'<input type="hidden" name="view" value="{view.pk}">' in html
    assert "/runs/export/?status=finished&result=failed&format=csv" in html


def test_without_its_last_token_a_view_is_edited_and_not_itself_again(load_test, vera):
    view = make_view(vera, query="status=queued")
    run, page = make_run(load_test), browser(vera)
    html = page.get(f"/runs/?view={view.pk}").content.decode().replace("&amp;", "&")
    without = re.search(r'class="token-remove" href="([^"]+)"', html).group(1)
    html = page.get(without).content.decode()
    assert f'id="run-{run.pk}"' in html
    assert "Edited" in html
    assert current_tab(html) == "Nightlies, private"


def test_the_form_s_answer_names_only_the_view_while_its_filters_are_the_view_s(load_test, vera):
    view = make_view(vera, query="status=finished&status=aborted")
    page = browser(vera)
    headers = {"HX-Request": "true", "HX-Target": "runs"}
    sent = f"/runs/?name=&status=aborted&status=finished&result=&started=&from=&to=&view={view.pk}"
    answer = page.get(sent, headers=headers)
    assert answer["HX-Push-Url"] == f"/runs/?view={view.pk}"
    assert 'id="view-tabs" hx-swap-oob' in answer.content.decode()
    assert "Edited" not in answer.content.decode()
    assert page.get(sent + "&latest=1", headers=headers)["HX-Push-Url"].endswith("status=finished&latest=1")


def test_live_rows_lead_on_from_the_view(load_test, vera):
    make_view(vera)
    run = make_run(load_test, status=RunStatus.RUNNING, result=RunResult.NONE)
    page = browser(vera)
    html = page.get("/runs/?view=running").content.decode().replace("&amp;", "&")
    poll = re.search(r'id="live-rows"[^>]*hx-get="([^"]+)"', html).group(1)
    assert poll.startswith("/runs/rows/?view=running&status=created")
    rows = page.get(poll).content.decode().replace("&amp;", "&")
    assert re.search(r'href="/runs/\?view=running&status=created[^"]*&account=retail-prod"', rows)
    assert f'id="run-{run.pk}"' in rows


def test_a_file_holds_what_a_view_holds_and_never_silently_what_one_begins_with(load_test, vera):
    make_run(load_test, 1, result=RunResult.FAILED)
    make_run(load_test, 2)
    view = make_view(vera, query="result=failed")
    Preference.objects.create(user=vera, default_view=str(view.pk))
    page = browser(vera)
    assert page.get(f"/runs/export/?format=csv&view={view.pk}").getvalue().count(b"\r\n") == 2
    assert page.get("/runs/export/?format=csv").getvalue().count(b"\r\n") == 3
    assert page.get("/runs/export/?format=csv&unseen=1").getvalue().count(b"\r\n") == 3
    assert page.get("/runs/export/?format=csv&view=999").status_code == 400


@pytest.mark.parametrize("shared", [False, True])
def test_a_view_one_may_not_read_is_said_and_takes_nothing_away(load_test, vera, shared):
    run = make_run(load_test)
    view = make_view(make_user("viewer", "viktor"), query="result=failed", shared=shared)
    html = browser(vera).get(f"/runs/?view={view.pk}&status=finished").content.decode()
    assert f'id="run-{run.pk}"' in html
    assert ("There is no such view, or its owner keeps it private. The filters of the address still hold." in html) is (
        not shared
    )


def test_a_view_with_filters_that_can_no_longer_be_read_says_so(load_test, vera):
    view = make_view(vera, query="account=gone-account")
    answer = browser(vera).get(f"/runs/?view={view.pk}")
    assert answer.status_code == 200
    text = text_of(answer)
    assert "The view “Nightlies” holds filters that cannot be read any more, so no runs are shown." in text
    assert "Account: There is no “gone-account”." in text


def test_the_view_one_begins_with_may_be_gone(load_test, vera):
    Preference.objects.create(user=vera, default_view="4711")
    page = browser(vera)
    assert "The view you open the runs with is gone" in text_of(page.get("/runs/"))
    assert "The view you open the runs with is gone" in text_of(page.get("/views/"))
    assert page.get("/me/").status_code == 200


# --- Tabs ---


def test_tabs_show_the_views_there_are_with_counts_that_ask_for_something(load_test, vera):
    viktor = make_user("viewer", "viktor")
    me = Person.objects.create(key="vera", display="vera")
    make_run(load_test, 1, requested_by=me)
    make_run(load_test, 2, status=RunStatus.RUNNING, result=RunResult.NONE)
    make_run(load_test, 3, result=RunResult.FAILED)
    make_view(vera, "Own", shared=True)
    make_view(vera, "Quiet")
    make_view(viktor, "Theirs", shared=True)
    make_view(viktor, "Hidden")
    html = browser(vera).get("/runs/").content.decode()
    nav = re.search(r'<nav class="tabs" aria-label="Views">(.*?)</nav>', html, re.DOTALL).group(1)
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", nav)).strip()
    assert said == (
        "All runs My runs 1 Running now 1 Failed, unseen 1 Latest per test "
        "Own , shared Quiet , private Theirs , shared by viktor"
    )
    assert 'class="count is-blue">1<' in nav
    assert 'class="count is-red">1<' in nav
    assert current_tab(html) == "All runs"


@pytest.mark.parametrize(
    ("query", "tab"),
    [
        ("", "All runs"),
        ("?latest=1", "Latest per test"),
        ("?status=finished", "All runs"),
        ("?view=latest", "Latest per test"),
    ],
)
def test_the_tab_of_what_is_shown_is_current(load_test, vera, query, tab):
    assert current_tab(browser(vera).get(f"/runs/{query}").content.decode()) == tab


def test_counts_end_at_99(load_test, vera, monkeypatch):
    monkeypatch.setattr("dashboard.run_views.MOST_COUNTED", 2)
    for number in range(3):
        make_run(load_test, number, result=RunResult.FAILED)
    assert "Failed, unseen 99+" in text_of(browser(vera).get("/runs/"))


def test_more_views_mean_no_more_queries(load_test, vera):
    page = browser(vera)
    make_view(make_user("viewer", "viktor"), "Theirs", f"test={load_test.pk}", shared=True)
    for url in ("/runs/", "/views/"):
        page.get(url)
        with CaptureQueriesContext(connection) as few:
            page.get(url)
        for number in range(20):
            query = f"test={load_test.pk}&account={load_test.account.slug}&test={number}"
            make_view(make_user("viewer", f"{url} {number}"), "Another", query, shared=True)
        with CaptureQueriesContext(connection) as many:
            html = page.get(url).content.decode()
        assert len(many) == len(few)
    assert html.count("Another") >= 40
    assert "All views" in page.get("/runs/").content.decode()


# --- The list of views ---


def held(html: str, name: str) -> str:
    """What the list says beside the view of this name."""
    row = next(row for row in html.split("<tr")[2:] if f">{name}</a>" in row)
    cell = row.split("</td>")[1].partition("<td")[2].partition(">")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cell)).strip()


def test_the_list_says_what_each_view_holds(load_test, vera):
    make_view(vera, "Slow ones", f"test={load_test.pk}&status=finished&requested_by=!Schedule&sort=-duration")
    make_view(vera, "Plain", "sort=test")
    make_view(vera, "Broken", "account=gone-account")
    html = browser(vera).get("/views/").content.decode()
    assert held(html, "Slow ones") == (
        "Load test is Checkout API Requested by is not Schedule Status is Finished Sorted by duration, highest first"
    )
    assert held(html, "Plain") == "All runs, without a filter Sorted by test, A to Z"
    assert held(html, "Broken") == "Its filters cannot be read any more. Open it to see why."


# --- Keeping, changing and forgetting views ---


def test_filters_are_kept_under_a_name(load_test, vera):
    page = browser(vera)
    dialog = page.get("/views/new/?status=finished&after=x~1&view=3&sort=test", headers=HTMX_DIALOG)
    assert "Status is Finished" in text_of(dialog)
    assert 'name="filters" value="status=finished&amp;sort=test"' in dialog.content.decode()
    answer = page.post(
        "/views/new/", {"name": " Nightlies ", "filters": "sort=test&status=finished&view=9"}, follow=True
    )
    view = SavedView.objects.get()
    assert (view.owner, view.name, view.shared, view.query) == (vera, "Nightlies", False, "status=finished&sort=test")
    assert answer.redirect_chain == [(f"/runs/?view={view.pk}", 302)]
    assert "“Nightlies” is saved." in text_of(answer)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"name": "", "filters": ""}, "This field is required."),
        ({"name": "Nightlies", "filters": ""}, "You have a view of this name already."),
        ({"name": "x" * 61, "filters": ""}, "at most 60 characters"),
        ({"name": "Odd", "filters": "status=broken"}, "Status: There is no “broken”"),
        ({"name": "Long", "filters": "name=" + "x" * 4000}, "These are too many filters for one view."),
    ],
)
def test_what_cannot_be_kept_is_said_and_nothing_typed_is_lost(load_test, vera, sent, sentence):
    make_view(vera)
    make_view(make_user("viewer", "viktor"), "Odd")
    answer = browser(vera).post("/views/new/", {**sent, "shared": "on"}, headers=HTMX_DIALOG)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert f'value="{sent["name"]}"' in html or not sent["name"]
    assert re.search(r'name="shared"[^>]*checked', html)
    assert SavedView.objects.count() == 2


def test_the_owner_saves_other_filters_in_a_view(load_test, vera):
    view = make_view(vera)
    page = browser(vera)
    html = page.get(f"/runs/?view={view.pk}&result=failed").content.decode()
    for word in ("Edited", ">Save<", "Save as…", ">Discard<"):
        assert word in html
    assert f'href="/runs/?view={view.pk}" aria-label="Discard' in html
    answer = page.post(f"/views/{view.pk}/save/", {"filters": "result=failed"})
    assert answer["Location"] == f"/runs/?view={view.pk}"
    view.refresh_from_db()
    assert view.query == "result=failed"
    answer = page.post(f"/views/{view.pk}/save/", {"filters": "result=green"}, follow=True)
    assert "Not saved. Result: There is no “green”" in text_of(answer)
    assert answer.redirect_chain[0][0] == f"/runs/?view={view.pk}&result=green"
    view.refresh_from_db()
    assert view.query == "result=failed"


@pytest.mark.parametrize("name", ["failed", "shared"])
def test_what_is_not_one_s_own_can_be_saved_only_as_another_view(load_test, vera, name):
    view = make_view(make_user("viewer", "viktor"), shared=True)
    key = view.pk if name == "shared" else name
    html = browser(vera).get(f"/runs/?view={key}&result=passed").content.decode()
    assert ("Edited" in html, "Save as…" in html, ">Discard<" in html) == (True, True, True)
    assert ">Save<" not in html
    assert "Rename or share" not in html


@pytest.mark.parametrize("who", ["owner", "viewer", "operator", "admin"])
@pytest.mark.parametrize("shared", [False, True])
def test_only_its_owner_changes_a_view_and_admins_end_sharing(who, shared):
    owner = make_user("viewer", "viktor")
    view = make_view(owner, shared=shared)
    page = browser(owner if who == "owner" else make_user(who))
    may = who == "owner" or (who == "admin" and shared)
    refused = 403 if shared else 404
    assert page.get(f"/views/{view.pk}/").status_code == (200 if may else refused)
    assert page.get(f"/views/{view.pk}/delete/").status_code == (200 if may else refused)
    answer = page.post(f"/views/{view.pk}/save/", {"filters": "result=failed"})
    assert answer.status_code == (302 if who == "owner" else refused)
    answer = page.post(f"/views/{view.pk}/", {"name": "Taken over"})
    assert answer.status_code == (302 if may else refused)
    view.refresh_from_db()
    assert view.name == ("Taken over" if who == "owner" else "Nightlies")
    assert view.shared is (shared and not may)
    assert view.query == ("result=failed" if who == "owner" else "status=finished&sort=-duration")


def test_renaming_a_view_leaves_filters_alone_that_came_in_meanwhile():
    owner = make_user("viewer", "viktor")
    view = make_view(owner)
    form = SavedViewForm({"name": "Evenings"}, instance=SavedView.objects.get(), acting=owner)
    SavedView.objects.update(query="result=failed")
    assert form.saves()
    view.refresh_from_db()
    assert (view.name, view.query) == ("Evenings", "result=failed")


@pytest.mark.parametrize("who", ["owner", "viewer", "admin"])
def test_a_shared_view_is_deleted_by_its_owner_or_an_admin(who):
    owner = make_user("viewer", "viktor")
    view = make_view(owner, shared=True)
    fan = make_user("viewer", "fan")
    Preference.objects.create(user=fan, default_view=str(view.pk))
    page = browser(owner if who == "owner" else make_user(who))
    if who != "viewer":
        assert "1 other person opens the runs with it" in text_of(page.get(f"/views/{view.pk}/delete/"))
    page.post(f"/views/{view.pk}/delete/")
    assert SavedView.objects.exists() is (who == "viewer")


def test_views_are_listed_one_s_own_first(vera):
    viktor = make_user("viewer", "viktor")
    make_view(viktor, "A shared one", shared=True)
    make_view(viktor, "A private one")
    make_view(vera, "Mine")
    text = text_of(browser(vera).get("/views/"))
    assert text.index("Mine") < text.index("A shared one")
    assert "A private one" not in text
    assert text.count("Delete…") == 1


def test_runs_open_with_the_view_one_chose(load_test, vera):
    view = make_view(vera, query="result=failed")
    page = browser(vera)
    assert "Open Runs with this view" in text_of(page.get(f"/runs/?view={view.pk}"))
    page.post("/views/default/", {"view": str(view.pk)})
    html = page.get("/runs/").content.decode()
    assert tokens(html) == ["Result is Failed"]
    assert current_tab(html) == "Nightlies, private"
    assert 'href="/runs/?view=all">Clear all' in html
    assert tokens(page.get("/runs/?view=all").content.decode()) == []
    page.post("/views/default/", {"view": ""})
    assert tokens(page.get("/runs/").content.decode()) == []


def test_one_can_only_begin_with_a_view_one_may_read(vera):
    private = make_view(make_user("viewer", "viktor"))
    page = browser(vera)
    answer = page.post("/views/default/", {"view": str(private.pk)}, follow=True)
    assert "There is no such view" in text_of(answer)
    assert Preference.of(vera).default_view == ""
    settings = {"form": "settings", "theme": "system", "time_zone": "UTC"}
    assert "Select a valid choice" in text_of(page.post("/me/", {**settings, "default_view": str(private.pk)}))
    page.post("/me/", {**settings, "default_view": "failed"})
    assert Preference.of(vera).default_view == "failed"
