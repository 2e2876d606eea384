"""Export and import on the pages: one file for the download, an honest report for the upload."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from runs.models import Account, Run, SyncState
from tests.archive_rows import exported, lines, make_full_account, resealed, wipe
from tests.pages import browser, text_of
from tests.rows import make_account, make_run, make_test, make_user
from tests.services.test_vsts import payload as saved

pytestmark = pytest.mark.django_db
IMPORT = "/accounts/import/"


@pytest.fixture
def admin():
    return browser(make_user("admin", "ada"))


@pytest.fixture
def account() -> Account:
    return make_full_account()


def export_of(account: Account) -> str:
    return reverse("account_archive", args=[account.slug])


def upload(admin, *files: tuple[str, bytes], into: str = "new", name: str = ""):
    sent = [SimpleUploadedFile(file, content) for file, content in files]
    return admin.post(IMPORT, {"files": sent, "into": into, "name": name})


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def test_the_button_sends_the_file_that_the_command_writes(admin, account):
    answer = admin.post(export_of(account), {"filter": ""})

    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"].startswith('attachment; filename="plimsoll-retail-prod-')
    assert answer.getvalue() == exported(account)


def test_some_runs_by_the_run_lists_own_filters(admin, account):
    page = text_of(admin.get(f"{export_of(account)}?result=failed&name=name"))
    assert "Only these runs" in page
    answer = admin.post(export_of(account), {"filter": "?result=failed"})
    assert [run["external_id"] for run in lines(answer.getvalue())] == ["r1", "r2"]

    refused = admin.post(export_of(account), {"filter": "result=broken&sort=name"})
    assert refused.status_code == 422
    assert "sort does not choose runs." in text_of(refused)


def test_the_page_says_beforehand_what_is_not_there_yet(admin):
    account = make_account()
    run = make_run(make_test(account))
    SyncState.objects.create(account=account)
    page = text_of(admin.get(export_of(account)))
    assert "1 run; the sync reads on" in page
    assert "not read to its end yet" in page

    Run.objects.filter(pk=run.pk).update(details_at=run.synced_at)
    SyncState.objects.update(history_at=run.synced_at)
    page = text_of(admin.get(export_of(account)))
    assert "Details not read yet none" in page
    assert "History" not in page.partition("One file")[2]


def test_an_upload_becomes_an_archive_with_a_report(admin, account):
    data = exported(account)
    odd = b'\n{"external_id": "odd"}'
    data = resealed(data, runs=b"\n".join(map(as_json, lines(data))) + odd)
    wipe(account)

    answer = upload(admin, ("retail.zip", data))

    page = text_of(answer)
    assert answer.status_code == 200
    assert "Imported into retail-prod" in page
    assert "is a new archive" in page
    assert "Added 4 Brought up to date 0 Completed 0 Here already 0 Starts and stops 2 Not readable 1" in page
    assert "2 complete, 2 not" in page
    assert "its end; details; payload" in page
    assert "odd test: missing" in page
    assert "/runs/?account=retail-prod" in answer.content.decode()
    assert Account.objects.get().archive


def test_saved_json_comes_in_as_several_files(admin):
    run = saved("runs")[0]["id"]
    files = [("runs.json", as_json(saved("runs"))), (f"{run}-errors.json", as_json(saved("errors")))]

    page = text_of(upload(admin, *files, name="Old VSTS"))

    assert "Imported into Old VSTS" in page
    assert "Not among the imported files: messages, results, counters." in page
    assert Run.objects.get(external_id=run).runerrors.exists()


def test_runs_are_added_to_the_account_that_is_chosen(admin, account):
    page = text_of(upload(admin, ("retail.zip", exported(account)), into="retail-prod", name="ignored"))

    assert "Here already 4" in page
    assert Account.objects.count() == 1


@pytest.mark.parametrize(
    ("files", "options", "sentence"),
    [
        ([], {}, "Choose a file."),
        ([("empty.json", b"")], {}, "This file is empty. Choose another."),
        ([("a.json", b"[]"), ("a.json", b"[]")], {"name": "x"}, "Two of the files have the same name."),
        ([("a.json", b"[]")], {}, "Give the archive a name"),
        ([("a.json", b"{}")], {"name": "x"}, "No run was found in it."),
        ([("a.zip", b"PK nothing")], {"name": "x"}, "The zip file is broken"),
        ([("a.json", b"[]")], {"into": "nowhere"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_imported_is_answered_with_a_sentence(admin, files, options, sentence):
    answer = upload(admin, *files, **options)

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not Account.objects.exists()


def test_nothing_of_a_file_is_run_by_the_page(admin, account):
    data = exported(account)
    bad = "<script>alert(1)</script>"
    rows = [{**lines(data)[0], "external_id": bad, "number": None}, {"external_id": f"odd{bad}"}]
    wipe(account)

    content = upload(admin, (f"{bad}.zip", resealed(data, runs=b"\n".join(map(as_json, rows))))).content

    assert b"<script>alert" not in content
    assert b"&lt;script&gt;alert" in content


def test_the_accounts_pages_lead_there(admin, account):
    assert IMPORT in admin.get("/accounts/").content.decode()
    assert export_of(account) in admin.get(f"/accounts/{account.slug}/").content.decode()


def test_no_account_takes_the_address_of_the_import(admin, account):
    data = resealed(exported(account), manifest=as_json({"account": {"name": "Import", "base_url": ""}}))

    upload(admin, ("retail.zip", data))

    assert Account.objects.get(archive=True).slug == "import-account"
