"""How an account looks whose runs came from a file, its provider known here or not; and what one says of an account."""

import pytest
from django.utils import timezone

from runs.choices import RunStatus
from runs.models import Account, SyncState
from tests.pages import HTMX_DIALOG, browser, text_of
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["fake", "long-gone"])
def archive(request, fake, db):
    """Of a provider that is known here, and of one that is not."""
    return make_account("Saved of 2020", request.param, base_url="https://gone.example", archive=True)


@pytest.fixture
def load_test(archive):
    return make_test(archive, "Checkout")


@pytest.fixture
def run(load_test):
    return make_run(load_test, 214)


@pytest.fixture
def admin(db):
    return browser(make_user("admin"))


def test_it_is_an_archive_in_the_list_and_cannot_be_synced(admin, archive, run):
    page = admin.get("/accounts/")
    said = text_of(page)
    assert "imported just now Archive" in said
    assert f'action="/accounts/{archive.slug}/sync/"' not in page.content.decode()
    said = text_of(admin.post(f"/accounts/{archive.slug}/sync/", follow=True))
    assert "Saved of 2020 is an archive, so there is nothing to sync it with." in said
    assert not SyncState.objects.filter(account=archive).exists()


def test_its_page_says_what_it_is_and_offers_only_another_name(admin, archive):
    page = admin.get(f"/accounts/{archive.slug}/")
    assert "An archive: its runs came from a file just now" in text_of(page)
    for name in ("base_url", "sync_interval_s", "read_only", "enabled"):
        assert f'name="{name}"' not in page.content.decode()
    assert "Test connection" not in text_of(page)
    admin.post(f"/accounts/{archive.slug}/", {"form": "account", "name": "Saved of 2019", "base_url": "http://x"})
    archive.refresh_from_db()
    assert (archive.name, archive.base_url, archive.archive) == ("Saved of 2019", "https://gone.example", True)


def test_its_name_stays_its_own(admin, archive):
    make_account("retail-prod")
    response = admin.post(f"/accounts/{archive.slug}/", {"form": "account", "name": "Retail-Prod"})
    assert "There is an account “Retail-Prod” already." in text_of(response)


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true", "HX-Target": "connection-test"}])
def test_there_is_no_connection_to_test(admin, fake, archive, headers):
    response = admin.post(f"/accounts/{archive.slug}/test/", {"name": "x"}, headers=headers)
    assert f"/accounts/{archive.slug}/" in (response.headers.get("Location") or response.headers["HX-Redirect"])
    assert "there is no connection to test" in text_of(admin.get("/accounts/"))


def test_it_is_never_stale(admin, archive, run):
    for address in ("/runs/", "/tests/", f"/runs/{run.pk}/", f"/tests/{run.load_test_id}/"):
        said = text_of(admin.get(address))
        assert "Never synced" not in said, address
        assert "has not been synced" not in said, address
        assert "in sync" not in said, address
    assert "Archive, as of" in text_of(admin.get(f"/runs/{run.pk}/"))


def test_beside_it_the_age_of_the_others_is_told(admin, archive, run):
    other = make_account("retail-prod")
    SyncState.objects.create(account=other, last_good_at=timezone.now())
    said = text_of(admin.get("/runs/"))
    assert "1 of 1 account in sync" in said
    assert "Synced just now" in said


def test_every_page_of_it_opens(admin, archive, load_test, run):
    tabs = (
        "",
        "errors/",
        "thresholds/",
        "metrics/",
        "messages/",
        "config/",
        "activity/",
        "raw/",
        "stop/",
        "start-again/",
    )
    pages = [f"/runs/{run.pk}/{tab}" for tab in (*tabs, "note/")]
    pages += [f"/tests/{load_test.pk}/", f"/tests/{load_test.pk}/start/", f"/tests/{load_test.pk}/stop/", "/history/"]
    pages += [f"/accounts/{archive.slug}/stop/", "/intents/", "/guards/", "/guards/freezes/new/", "/jump/?q=2020"]
    assert {address: admin.get(address).status_code for address in pages} == dict.fromkeys(pages, 200)
    assert admin.get(f"/accounts/{archive.slug}/start/").status_code == 302


def test_nothing_is_started_or_stopped_on_it(admin, fake, load_test, run):
    live = make_run(load_test, 3, status=RunStatus.RUNNING, result="none")
    sentence = "Saved of 2020 is an archive: its runs came from a file, and there is no provider to ask."
    for address in (f"/tests/{load_test.pk}/start/", f"/runs/{run.pk}/start-again/", f"/runs/{live.pk}/stop/"):
        page = admin.get(address, headers=HTMX_DIALOG)
        assert sentence in text_of(page), address
        assert "btn-primary" not in page.content.decode()
        assert "btn-danger" not in page.content.decode()
    assert "Archive" in text_of(admin.get("/tests/"))
    runs = admin.get("/runs/").content.decode()
    assert not [key for key in ("s", "r") if f'data-key="{key}"' in runs]
    assert fake.calls == []


def test_a_run_that_was_under_way_is_not_asked_about_for_ever(admin, load_test):
    live = make_run(load_test, 3, status=RunStatus.RUNNING, result="none")
    assert "data-poll" not in admin.get(f"/runs/{live.pk}/").content.decode()
    assert f"id={live.pk}" not in admin.get("/runs/").content.decode()


def test_its_result_files_are_not_there(admin, run):
    said = text_of(admin.get(f"/runs/{run.pk}/"))
    assert "The result files are not in this archive." in said
    said = text_of(admin.post(f"/runs/{run.pk}/archive/", follow=True))
    assert "there is no provider to ask" in said


# --- What a provider says of an account ------------------------------------------------------------------------------


def test_limits_and_load_zones_are_grouped_and_say_when_they_were_read(admin, fake_account):
    facts = [["Limits", "VUs", "100"], ["Load zones", "Frankfurt", "public"], ["Limits", "Duration", "1 h"]]
    SyncState.objects.create(account=fake_account, facts=facts, facts_at=timezone.now())
    said = text_of(admin.get("/accounts/fake/"))
    assert "What Fake Provider says of it read just now Limits VUs 100 Duration 1 h Load zones Frankfurt public" in said


def test_facts_that_were_not_read_yet_are_not_none(admin, fake, fake_account, monkeypatch):
    assert "Limits and load zones come with one of the next syncs." in text_of(admin.get("/accounts/fake/"))
    SyncState.objects.create(account=fake_account, facts_at=timezone.now())
    assert "Nothing: neither limits nor load zones." in text_of(admin.get("/accounts/fake/"))
    monkeypatch.setattr(fake, "capabilities", frozenset())
    assert "What Fake Provider says" not in text_of(admin.get("/accounts/fake/"))


def test_an_account_is_an_archive_only_by_its_mark(db):
    assert make_account("retail-prod") in Account.objects.syncable()
