"""Runs as a file: the keys, their formats, and that no spreadsheet runs what a provider wrote."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from runs.choices import RunResult, RunStatus
from runs.export import KEYS, safe_cell
from runs.models import Person
from tests.processes import manage_py
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db

KEYS_AS_PROMISED = (
    "account provider external_id test name requested_by status result provider_status created_at started_at ended_at "
    "duration_s planned_duration_s virtual_users note"
)


@pytest.fixture
def runs():
    account = make_account("Retail prod")
    maya = Person.objects.create(account=account, key="7", display="Maya Lindqvist")
    test = make_test(account, "Checkout, “peak”")
    full = make_run(
        test, 214, external_id="9007", requested_by=maya, status=RunStatus.ABORTED, result=RunResult.FAILED,
        provider_status="5", created_at=datetime(2026, 11, 20, 12, 0, 0, 250000, UTC),
        started_at=datetime(2026, 11, 20, 12, 0, 1, tzinfo=UTC), ended_at=datetime(2026, 11, 20, 12, 9, tzinfo=UTC),
        duration_s=391.5, planned_duration_s=1800, virtual_users=400, note="=HYPERLINK(1)\nsecond line",
    )  # fmt: skip
    bare = make_run(test, None, external_id="9006", created_at=datetime(2026, 11, 19, 8, 0, tzinfo=UTC))
    return full, bare


def exported(*arguments: str) -> str:
    out = io.StringIO()
    call_command("export_runs", *arguments, stdout=out)
    return out.getvalue()


def test_json_holds_every_key_in_order_oldest_run_first(runs):
    bare, full = json.loads(exported("--format", "json"))
    assert list(full) == KEYS_AS_PROMISED.split() == list(KEYS)
    assert full == {
        "account": "retail-prod",
        "provider": "k6-legacy",
        "external_id": "9007",
        "test": "Checkout, “peak”",
        "name": "Checkout, “peak” #214",
        "requested_by": "Maya Lindqvist",
        "status": "aborted",
        "result": "failed",
        "provider_status": "5",
        "created_at": "2026-11-20T12:00:00.250000Z",
        "started_at": "2026-11-20T12:00:01Z",
        "ended_at": "2026-11-20T12:09:00Z",
        "duration_s": 391.5,
        "planned_duration_s": 1800,
        "virtual_users": 400,
        "note": "=HYPERLINK(1)\nsecond line",
    }
    assert (bare["external_id"], bare["name"], bare["requested_by"], bare["started_at"]) == ("9006", "", "", None)


def test_csv_reads_back_as_the_same_rows(runs):
    text = exported("--format", "csv")
    assert text.startswith(",".join(KEYS) + "\r\n")
    assert text.count("\r\n") == 3
    bare, full = csv.DictReader(io.StringIO(text, newline=""))
    assert full["test"] == "Checkout, “peak”"
    assert full["note"] == "'=HYPERLINK(1)\nsecond line"
    assert (bare["duration_s"], bare["started_at"]) == ("", "")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\tx", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1", "\n=1",
     "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x", "\ufe621"],
)  # fmt: skip
def test_a_cell_that_could_be_a_formula_is_quoted(text):
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("value", ["", "plain", "1-2", "a=b", "it's", 5, 391.5, None, "  "])
def test_other_cells_stay_as_they_are(value):
    assert safe_cell(value) == value


def test_a_filter_is_the_pages_query_string(runs):
    assert len(json.loads(exported("--format", "json", "--filter", "status=aborted&name=checkout"))) == 1
    assert json.loads(exported("--format", "json", "--filter", "?result=error")) == []
    assert [row["external_id"] for row in json.loads(exported("--format", "json", "--filter", "latest=1"))] == ["9007"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("status=foo", "Status: There is no “foo”"),
        ("colour=red", "There is no filter “colour”"),
        ("sort=test", "sort does not choose runs"),
        ("view=mine", "There is no filter “view”"),
        ("unseen=1", "Unseen: Who has seen which run is known only of people"),
        ("from=soon", "From: Write it as a date"),
    ],
)
def test_what_cannot_be_read_ends_with_a_sentence_and_2(runs, query, sentence):
    with pytest.raises(CommandError, match=sentence) as ended:
        exported("--format", "json", "--filter", query)
    assert ended.value.returncode == 2


def test_a_file_is_written_as_the_pieces_are(runs, tmp_path):
    file = tmp_path / "runs.csv"
    exported("--format", "csv", "--output", str(file))
    assert file.read_bytes().count(b"\r\n") == 3
    with pytest.raises(CommandError, match="Cannot write"):
        exported("--format", "csv", "--output", str(tmp_path / "nowhere" / "runs.csv"))


def test_the_number_of_queries_does_not_grow_with_the_runs(runs, django_assert_num_queries):
    test = runs[0].load_test
    for number in range(20):
        make_run(test, number)
    with django_assert_num_queries(2):  # the accounts that the filter knows, and the runs
        assert len(json.loads(exported("--format", "json"))) == 22


def test_the_page_streams_the_same_file(runs, client):
    client.force_login(make_user("viewer"))
    response = client.get(reverse("run_export"), {"format": "csv", "status": "aborted"})
    assert response.streaming
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="plimsoll-runs-')
    assert response.getvalue().decode() == exported("--format", "csv", "--filter", "status=aborted")


def test_the_page_refuses_what_it_cannot_read(runs, client):
    client.force_login(make_user("viewer"))
    response = client.get(reverse("run_export"), {"format": "csv", "status": "foo"})
    assert response.status_code == 400
    assert "There is no “foo”" in response.content.decode()
    assert client.get(reverse("run_export"), {"format": "xls"}).status_code == 400


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    env = {"DATA_DIR": str(tmp_path)}
    manage_py("migrate", "-v0", **env).communicate(timeout=60)
    export = manage_py("export_runs", "--format", "csv", **env)
    export.stdout.close()
    assert export.wait(60) == 0
