"""Archives: what leaves comes back byte for byte, nothing newer is touched, and what is no archive is refused."""

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs import actions, more_actions
from runs.archive import ArchiveProblem, imports
from runs.archive.columns import BELOW
from runs.health import health_of
from runs.models import Account, ControlIntent, DayResult, LoadTest, Person, Run, RunError, RunPayload, SyncState
from runs.sync.lease import claim
from runs.sync.mirror import refresh_days
from runs.tasks import due_accounts
from runs.vitals import waiting_since
from tests.archive_rows import (
    BEGAN,
    exported,
    imported,
    lines,
    make_full_account,
    make_full_run,
    members,
    resealed,
    wipe,
    zipped,
)
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    account = make_full_account()
    refresh_days(account.runs.all())
    return account


# --- There and back ---


def test_export_wipe_import_export_gives_identical_bytes(account):
    before = exported(account)
    days = list(DayResult.objects.order_by("day", "runs").values_list("day", "runs", "failed", "passed"))
    wipe(account)

    report = imported(before)

    assert exported(report.account) == before
    assert (report.added, report.same, report.bad, report.intents) == (4, 0, 0, 2)
    assert list(DayResult.objects.order_by("day", "runs").values_list("day", "runs", "failed", "passed")) == days


def test_every_column_of_every_table_is_in_the_file(account):
    data = exported(account)
    run = next(run for run in lines(data) if run["external_id"] == "r1")
    for name, model in BELOW.items():
        left_out = {"id", "run"}
        assert set(run[name][0]) == {field.name for field in model._meta.concrete_fields} - left_out
    assert {field.name for field in Run._meta.concrete_fields} - set(run) == {"id", "account", "load_test"}
    assert run["payload"]["list"] == [1, 2.5, None, "x"]
    of_test = {"id", "account", "target", "created_at"}
    test = lines(data, "load_tests.jsonl")[0]
    assert {field.name for field in LoadTest._meta.concrete_fields} - set(test) == of_test
    press = lines(data, "intents.jsonl")[0]
    of_press = {"id", "account", "load_test", "user", "token", "known_up_to"}
    assert {field.name for field in ControlIntent._meta.concrete_fields} - set(press) == of_press


def test_the_bytes_do_not_depend_on_the_order_in_which_runs_became_known():
    def bytes_of(order: list[int]) -> bytes:
        account = make_account()
        test = make_test(account)
        for n in order:
            make_run(test, n, external_id=f"r{n}", created_at=BEGAN + timedelta(minutes=n // 2))
        data = exported(account)
        wipe(account)
        return data

    assert bytes_of([1, 2, 3, 4]) == bytes_of([4, 2, 3, 1])


def test_a_second_import_changes_nothing(account):
    data = exported(account)
    wipe(account)
    first = imported(data)
    rows = list(Run.objects.order_by("pk").values())

    second = imported(data)

    assert second.account == first.account
    assert not second.new_account
    assert (second.added, second.updated, second.filled, second.same, second.intents) == (0, 0, 0, 4, 0)
    assert list(Run.objects.order_by("pk").values()) == rows
    assert exported(second.account) == data


def test_an_interrupted_import_is_repeated_to_its_end(account, monkeypatch):
    data = exported(account)
    wipe(account)
    monkeypatch.setattr(imports, "BATCH", 1)
    save, stored = imports.save_runs, []

    def save_two(*args):
        if len(stored) == 2:
            raise KeyboardInterrupt
        stored.append(args)
        return save(*args)

    monkeypatch.setattr(imports, "save_runs", save_two)
    with pytest.raises(KeyboardInterrupt):
        imported(data)
    assert Run.objects.count() == 2
    monkeypatch.setattr(imports, "save_runs", save)

    report = imported(data)

    assert (report.added, report.same) == (2, 2)
    assert exported(report.account) == data


def test_some_runs_leave_with_what_belongs_to_them_alone(account):
    data = exported(account, runs=Run.objects.filter(external_id="r2"))

    assert [run["external_id"] for run in lines(data)] == ["r2"]
    assert [test["external_id"] for test in lines(data, "load_tests.jsonl")] == ["t2"]
    assert [person["key"] for person in lines(data, "people.jsonl")] == ["703"]
    assert [press["run"] for press in lines(data, "intents.jsonl")] == ["r2"]


def test_who_started_a_run_here_stays_known_by_name_and_is_nobody_of_the_new_instance(account):
    data = exported(account)
    wipe(account)
    local = Person.objects.get(account=None)

    report = imported(data)

    run = report.account.runs.get(external_id="r1")
    assert (run.requested_by.display, run.requested_by.account) == ("maya", report.account)
    assert run.provider_requested_by.display == "given_name 1 – “é”\u2028"
    assert run.requested_by != local


def test_a_press_that_was_not_settled_is_one_of_which_nobody_can_tell(account):
    data = exported(account)
    wipe(account)

    imported(data)

    done, unsettled = ControlIntent.objects.order_by("created_at")
    assert (done.outcome, done.user_name, done.user) == ("done", "user_name 1 – “é”\u2028", None)
    assert done.created_at == BEGAN + timedelta(hours=1)
    assert unsettled.outcome == "cannot_tell"
    assert unsettled.message.endswith("It was not settled when the archive was made.")


def test_the_end_of_a_press_that_a_later_archive_knows_is_taken_over(account):
    first = exported(account)
    account.intents.filter(outcome="sent").update(outcome="done", message="It ran.", settled_at=BEGAN)
    second = exported(account)
    wipe(account)

    imported(first)
    report = imported(second)

    assert report.intents == 1
    assert set(ControlIntent.objects.values_list("outcome", flat=True)) == {"done"}
    assert exported(report.account) == second


# --- Into an account that is there ---


def test_what_is_newer_here_stays_and_what_is_older_is_brought_up(account):
    data = exported(account)
    now = timezone.now()
    account.runs.filter(external_id="r1").update(note="newer", synced_at=now)
    account.runs.filter(external_id="r2").update(note="older", synced_at=BEGAN - timedelta(days=1))

    report = imported(data, account=account)

    assert (report.added, report.updated, report.same) == (0, 1, 3)
    assert account.runs.get(external_id="r1").note == "newer"
    assert account.runs.get(external_id="r2").note == "note 2 – “é”\u2028"
    assert not Account.objects.filter(archive=True).exists()


def test_a_part_that_is_missing_here_is_filled_in(account):
    data = exported(account)
    run = account.runs.get(external_id="r1")
    run.runerrors.all().delete()
    Run.objects.filter(pk=run.pk).update(details_at=None, judged_result="", result="none", synced_at=timezone.now())
    RunPayload.objects.filter(run__external_id="r2").delete()

    report = imported(data, account=account)

    assert (report.filled, report.same) == (2, 2)
    run.refresh_from_db()
    assert (run.result, run.runerrors.count()) == ("failed", 2)
    assert RunPayload.objects.get(run__external_id="r2").payload["id"] == "r2"


def test_details_that_are_newer_here_stay_though_the_run_was_seen_again_elsewhere(account):
    data = exported(account)
    later = timezone.now()
    account.runs.filter(external_id="r1").update(details_at=later, p95_ms=7, synced_at=BEGAN - timedelta(days=1))
    RunError.objects.filter(run__external_id="r1").update(occurrences=99)

    imported(data, account=account)

    run = account.runs.get(external_id="r1")
    assert (run.p95_ms, run.details_at, run.note) == (7, later, "note 1 – “é”\u2028")
    assert set(run.runerrors.values_list("occurrences", flat=True)) == {99}


def test_an_archive_goes_into_a_live_account_only_when_that_is_chosen(account):
    data = exported(account)

    with pytest.raises(ArchiveProblem, match="There is an account “retail-prod” already"):
        imported(data)
    beside = imported(data, name="Retail, as it was")
    assert (beside.new_account, beside.added, beside.account.slug) == (True, 4, "retail-as-it-was")
    assert imported(data, name="Retail, as it was").same == 4
    assert account.runs.count() == 4


def test_what_the_file_names_and_does_not_bring_is_made(account):
    data = resealed(exported(account), load_tests=b"", people=b"")
    wipe(account)

    report = imported(data)

    assert report.added == 4
    assert set(report.account.load_tests.values_list("name", flat=True)) == {"test t1", "test t2"}
    assert report.account.people.get(key="703").display == "user 703"


def test_rows_that_cannot_be_read_are_named_and_the_others_stored(account):
    data = exported(account)
    good = lines(data)
    odd = [
        {**good[2], "external_id": "odd-status", "status": "hibernating"},
        {**good[2], "external_id": "odd-time", "created_at": "soon"},
        {**good[2], "external_id": "odd-points", "series": [{"name": "p", "label": "p", "unit": "", "points": "x"}]},
        {**good[2], "external_id": "odd-number", "virtual_users": -1},
        {**good[2], "external_id": "odd-below", "errors": [{"type": 3}]},
        {key: value for key, value in good[2].items() if key != "external_id"},
        [1, 2],
    ]
    text = b"\n".join([b"{not json", *(json.dumps(row).encode() for row in [*odd, *good])])
    wipe(account)

    report = imported(resealed(data, runs=text))

    assert report.added == 4
    assert report.bad == 8
    assert {(row.external_id, row.reason) for row in report.bad_rows} == {
        ("runs.jsonl, line 1", "not an object"),
        ("odd-status", "status: unreadable"),
        ("odd-time", "created_at: unreadable"),
        ("odd-points", "series: points that are none"),
        ("odd-number", "virtual_users: unreadable"),
        ("odd-below", "fingerprint: missing"),
        ("runs.jsonl, line 7", "external_id: missing"),
        ("runs.jsonl, line 8", "not an object"),
    }


def test_texts_are_fitted_and_cleaned_as_those_of_a_sync(account):
    data = exported(account)
    run = {**lines(data)[2], "external_id": "long", "provider_status": "s" * 100, "note": "a\0b\ud800"}
    wipe(account)

    imported(resealed(data, runs=json.dumps(run).encode()))

    run = Run.objects.get(external_id="long")
    assert (run.provider_status, run.note) == ("s" * 59 + "…", "ab\ufffd")


def test_each_run_is_told_with_what_is_there_of_it(account):
    data = exported(account)
    wipe(account)
    told = []

    report = imported(data, each=told.append)

    table = members(data)["completeness.csv"].decode().split("\r\n")
    assert [parts.external_id for parts in told] == ["LIVE", "bare", "r1", "r2"]
    assert table[1].endswith(',unknown,none,no,"its end, details, payload",no,0,0,0,0,0,0,0')
    assert table[3].endswith(",finished,failed,yes,,yes,2,2,2,2,2,2,3")
    assert [parts.title.split()[-1] for parts in report.incomplete_runs] == ["#LIVE", "#bare"]
    assert (report.complete, report.incomplete, report.payloads, report.files_not_included) == (2, 2, 2, 6)
    assert report.counts["errors"] == 4


# --- An archive is nobody to ask ---


def test_an_archive_is_never_synced_started_or_late(account):
    data = exported(account)
    wipe(account)
    archive = imported(data).account
    now = timezone.now()

    assert archive.archive
    assert archive.credentials == ""
    assert archive not in Account.objects.syncable()
    assert due_accounts() == []
    SyncState.objects.create(account=archive, due_at=now - timedelta(days=1))
    assert due_accounts() == []
    assert claim(archive, "somebody", now) is None
    assert waiting_since(archive, now) is None
    assert (health_of(archive, now).kind, health_of(archive, now).word) == ("off", "Archive")
    assert "is an archive" in actions.may_control(make_user("operator"), archive)
    with pytest.raises(actions.NotAllowed, match="is an archive"):
        more_actions.fetch_archive(user=make_user("viewer"), run=archive.runs.get(external_id="r1"))
    assert not archive.runs.live().exists()
    assert archive.runs.get(external_id="LIVE").status == "unknown"


# --- What is refused ---


def broken_files(data: bytes) -> dict[str, tuple[bytes, str]]:
    no_files = json.dumps(json.loads(members(data)["manifest.json"]) | {"files": []}).encode()
    changed = members(data) | {"runs.jsonl": b"{}\n"}
    without = {name: content for name, content in members(data).items() if name != "people.jsonl"}
    bomb = members(data) | {"completeness.csv": b"0" * 20_000_000}
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("a.json", "[]")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.json", "[]")
    return {
        "newer": (resealed(data, manifest=b'{"version": 2}'), "made by a newer Plimsoll"),
        "older": (resealed(data, manifest=b'{"version": 0}'), "manifest.json is not complete"),
        "no account": (resealed(data, manifest=b'{"account": null}'), "manifest.json is not complete"),
        "unknown provider": (resealed(data, manifest=b'{"provider": "gatling"}'), "no provider “gatling”"),
        "somebody else's": (zipped({"manifest.json": '{"name": "An extension"}'}), "was not exported by Plimsoll"),
        "not JSON": (zipped({"manifest.json": "{"}), "was not exported by Plimsoll"),
        "changed": (zipped(changed), "runs.jsonl in the archive is not what was exported"),
        "more": (zipped(members(data) | {"x.txt": b"x"}), "x.txt in the archive is not what was exported"),
        "less": (zipped(without), "people.jsonl is missing"),
        "cut off": (data[: len(data) // 2], "The zip file is broken"),
        "garbled": (data[:60] + bytes(40) + data[100:], "The zip file is broken|is not what was exported"),
        "only a start": (b"PK\3\4", "The zip file is broken"),
        "a bomb": (zipped(bomb), "would grow 300 times"),
        "two of a name": (twice.getvalue(), "two files of the same name"),
        "a list of hashes": (zipped(members(data) | {"manifest.json": no_files}), "manifest.json is not complete"),
        "neither": (b"\x89PNG", "No run was found in it. archive.zip: not JSON."),
        "nothing": (b"", "No run was found in it"),
    }


def test_what_is_no_archive_is_refused_with_a_sentence_and_changes_nothing(account):
    data = exported(account)
    wipe(account)
    for name, (content, sentence) in broken_files(data).items():
        with pytest.raises(ArchiveProblem, match=sentence):
            imported(content, name="Taken in")
            pytest.fail(f"{name} was taken")
        assert not Account.objects.exists(), name
        assert not Run.objects.exists(), name


def test_runs_of_another_provider_do_not_go_into_an_account(account):
    with pytest.raises(ArchiveProblem, match="k6 shop is no account of VSTS Cloud Load Test"):
        imported(exported(account), account=make_account("k6 shop"))


def test_no_cut_or_flipped_byte_is_taken_for_an_archive(account):
    """Whatever happens to a file on its way: a sentence, or the very rows that were exported."""
    data = exported(account)
    wipe(account)
    for at in range(0, len(data), max(1, len(data) // 40)):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]):
            try:
                report = imported(damaged, name="Taken in")
            except ArchiveProblem:
                assert not Run.objects.exists()
            else:
                assert exported(report.account).count(b"runs.jsonl")
                assert members(exported(report.account))["runs.jsonl"] == members(data)["runs.jsonl"]
                wipe(report.account)


# --- Secrets ---


def test_no_secret_leaves_and_none_comes_in(account):
    account.seal_credentials({"token": "the-account's-own"})
    account.save()
    secret = {"testDrop": {"accessData": {"sasKey": "?sig=h1dden"}}, "resultsUrl": "https://x.example/r?sig=h1dden"}
    RunPayload.objects.filter(run__external_id="r1").update(payload=secret)
    Run.objects.filter(external_id="r1").update(note="see https://x.example/?access_token=h1dden and the-account's-own")
    RunError.objects.filter(run__external_id="r1").update(message="Authorization: Bearer h1dden")

    data = exported(account)
    foreign = {**lines(data)[2], "note": "sig=h1dden", "payload": secret, "external_id": "foreign"}
    wipe(account)
    report = imported(resealed(data, runs=json.dumps(foreign).encode()))

    told = b"".join(members(data).values())
    assert b"h1dden" not in told
    assert b"account's-own" not in told
    assert b"[redacted]" in told
    run = report.account.runs.get()
    assert "h1dden" not in f"{run.note} {run.payload.payload}"
    assert exported(report.account) == exported(report.account)


# --- As many as there are ---


def test_queries_do_not_grow_with_the_runs_of_a_batch():
    def counted(count: int) -> tuple[int, int, int]:
        account = make_account(f"of {count}", "vsts")
        test = make_test(account)
        for n in range(1, count + 1):
            make_full_run(test, n)
        with CaptureQueriesContext(connection) as leaving:
            data = exported(account)
        wipe(account)
        with CaptureQueriesContext(connection) as coming:
            imported(data)
        with CaptureQueriesContext(connection) as again:
            imported(data)
        return len(leaving), len(coming), len(again)

    assert counted(3) == counted(15)


# --- The commands ---


def run_command(name: str, *args: object, **options: object) -> str:
    out = io.StringIO()
    call_command(name, *map(str, args), stdout=out, **options)
    return out.getvalue()


def test_the_commands_write_a_file_and_read_it(account, tmp_path):
    file = tmp_path / "retail.zip"

    said = run_command("export_archive", "retail-prod", file)
    assert said.startswith("retail-prod is in ")
    assert file.read_bytes() == exported(account)
    with pytest.raises(CommandError, match="exists already"):
        run_command("export_archive", "retail-prod", file)
    run_command("export_archive", "retail-prod", tmp_path / "failed.zip", filter="result=failed")
    assert len(lines((tmp_path / "failed.zip").read_bytes())) == 2
    wipe(account)

    said = run_command("import_archive", file, report=tmp_path / "report.csv")

    assert said.splitlines()[:3] == [
        "Account retail-prod, made for them, as an archive.",
        "4 runs in the file: 4 added, 0 updated, 0 completed, 0 here already.",
        "2 complete, 2 not; 6 files that only the provider has are not included.",
    ]
    assert (tmp_path / "report.csv").read_bytes() == members(file.read_bytes())["completeness.csv"]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("export_archive", "nobody", "x.zip"), "There is no account “nobody”. Accounts: retail-prod."),
        (("export_archive", "retail-prod", "x.zip", "--filter", "status=broken"), "Status: "),
        (("export_archive", "retail-prod", "x.zip", "--filter", "sort=started"), "sort does not choose runs."),
        (("export_archive", "retail-prod", "/nowhere/x.zip"), "Cannot write /nowhere/x.zip"),
        (("import_archive", "/nowhere/x.zip"), "/nowhere/x.zip: No such file"),
        (("import_archive", "manage.py", "--account", "nobody"), "There is no account “nobody”."),
        (("import_archive", "manage.py"), "Give the archive a name"),
    ],
)
def test_a_wrong_command_is_answered_with_a_sentence(account, command, sentence):
    with pytest.raises(CommandError) as refused:
        call_command(*command)
    assert sentence in str(refused.value)
