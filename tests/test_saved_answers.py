"""What VSTS' own API printed, saved as JSON, imports as a sync of the same runs would have stored it."""

import io
import json
from typing import Any

import pytest

from runs.archive import ArchiveProblem
from runs.archive.imports import import_archive
from runs.archive.report import Report
from runs.models import Account, Run, RunError, RunMessage, RunMetric, RunSeries, RunThreshold
from runs.sandbox.server import Sandbox
from runs.services.http import Http
from runs.services.vsts_api import VstsApi
from runs.sync import sync_account
from tests.archive_rows import zipped
from tests.rows import make_account
from tests.services.test_vsts import RUN
from tests.services.test_vsts import payload as saved

pytestmark = pytest.mark.django_db
BELOW = (RunError, RunMessage, RunThreshold, RunMetric, RunSeries)


def imported(files: dict[str, Any], **options: Any) -> Report:
    opened = {name: io.BytesIO(content if isinstance(content, bytes) else json.dumps(content).encode())
              for name, content in files.items()}  # fmt: skip
    return import_archive(opened, **{"name": "Old VSTS", **options})


def stored(account: Account) -> dict[str, Any]:
    """Every run with all that hangs below it, without keys of rows and the times of reading."""
    found = {}
    for run in account.runs.select_related("load_test", "requested_by", "stopped_by").order_by("external_id"):
        row = {name: value for name, value in vars(run).items() if name[0] != "_" and not name.endswith("_id")}
        for time in ("id", "synced_at", "details_at"):
            row[time] = bool(row[time])
        row |= {"external_id": run.external_id, "by": str(run.requested_by), "stopper": str(run.stopped_by)}
        row |= {"test": run.load_test.external_id, "payload": run.payload.payload}
        for model in BELOW:
            rows = model.objects.filter(run=run).order_by("pk").values()
            row[model.__name__] = [{key: r[key] for key in r if key not in ("id", "run_id")} for r in rows]
        found[run.external_id] = row
    return found


class Recorder:
    """Keeps what a sandbox answers, by the names somebody saving it would give."""

    def __init__(self, sandbox: Sandbox):
        given = Http(sandbox.url, provider="Sandbox", hosts=(), extra_hosts=("127.0.0.1",))
        self.given = given.get("/__sandbox__/credentials").data["vsts"]
        self.api = VstsApi(self.given["base_url"], self.given["credentials"]["token"], extra_hosts=("127.0.0.1",))

    def account(self) -> Account:
        account = make_account("vsts sandbox", provider="vsts", base_url=self.given["base_url"])
        account.seal_credentials(self.given["credentials"])
        account.save()
        return account

    def files(self, runs: list[Run]) -> dict[str, Any]:
        found = {"testruns.json": [self.api.run(run.external_id) for run in runs]}
        for run in runs:
            key, folder = run.external_id, f"runs/{run.external_id}"
            found |= {f"{folder}/errors.json": self.api.errors(key), f"{folder}/messages.json": self.api.messages(key)}
            if not run.load_started_at:
                continue
            found[f"{folder}/results.json"] = results = self.api.results(key)
            found[f"{folder}/ResultSummary.json"] = self.api.result_summary(key)
            found[f"{folder}/counterinstances.json"] = told = self.api.counter_instances(
                key, [group["groupName"] for group in results["counterGroups"]]
            )
            ids = [row["counterInstanceId"] for row in told["value"]]
            found[f"{folder}/countersamples.json"] = self.api.counter_samples(key, dict.fromkeys(ids, 0))
        return found


def test_a_zip_of_saved_answers_equals_what_a_sync_of_the_same_runs_stores():
    with Sandbox(seed=3, tests=2, runs=24, speed=1, clock=lambda: 1_780_000_000.0) as sandbox:
        recorder = Recorder(sandbox)
        synced = recorder.account()
        assert sync_account(synced, full=True, details_budget=None).error == ""
        synced.runs.live().delete()
        files = recorder.files(list(synced.runs.all()))

    report = import_archive(
        {"saved.zip": io.BytesIO(zipped({name: json.dumps(content) for name, content in files.items()}))},
        name="Old VSTS",
    )

    assert (report.bad_rows, report.added, report.incomplete) == ([], synced.runs.count(), 0)
    assert report.added > 5
    assert stored(report.account) == stored(synced)


def all_of_one() -> dict[str, Any]:
    """Everything about one run, in a folder that is named after it; and a list with four more."""
    parts = ("errors", "messages", "results", "resultsummary", "counterinstances", "countersamples")
    return {"testruns.json": saved("runs"), **{f"{RUN}/{part}.json": saved(part) for part in parts}}


def wrapped(rows: list[Any]) -> dict[str, Any]:
    return {"count": len(rows), "value": rows}


def as_recorded(value: Any, url: str) -> dict[str, Any]:
    return {"method": "GET", "requestUrl": url, "statusCode": 200, "responseBody": value}


URL = f"https://acme.vsclt.visualstudio.com/_apis/clt/testRuns/{RUN.upper()}"
WAYS = {
    "bare lists": lambda files: files,
    "wrapped lists": lambda files: {
        name: wrapped(value) if isinstance(value, list) else value for name, value in files.items()
    },
    "a run to a file": lambda files: {
        **{f"run{n}.json": run for n, run in enumerate(files["testruns.json"])},
        **{name: value for name, value in files.items() if name != "testruns.json"},
    },
    "basic and detailed": lambda files: {
        "a.json": [{key: run[key] for key in ("id", "name", "state", "createdDate")} for run in files["testruns.json"]],
        "z.json": wrapped(files["testruns.json"]),
        **{name: value for name, value in files.items() if name != "testruns.json"},
    },
    "calls with their answers": lambda files: {
        f"{n}.json": as_recorded(value, f"{URL}/x" if RUN in name else URL.rpartition("/")[0])
        for n, (name, value) in enumerate(files.items())
    },
    "the id in the file's name": lambda files: {
        name.replace(f"{RUN}/", f"saved-{RUN}_").replace("counterinstances", "ci"): value
        for name, value in files.items()
    },
    "a folder per run": lambda files: {
        **{name.replace(RUN, "run 4107"): value for name, value in files.items() if RUN in name},
        "run 4107/run.json": files["testruns.json"][0],
        "others.json": files["testruns.json"][1:],
    },
    "counters group by group": lambda files: {
        **files,
        f"{RUN}/counterinstances.json": wrapped(files[f"{RUN}/counterinstances.json"]["value"][:3]),
        f"{RUN}/counterinstances2.json": files[f"{RUN}/counterinstances.json"]["value"][2:],
    },
    "from PowerShell": lambda files: {name: json.dumps(value).encode("utf-16") for name, value in files.items()},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_answers_saved_in_any_way_are_the_same_rows(way):
    usual = imported(all_of_one(), name="Usual")
    files = WAYS[way](all_of_one())

    report = imported(files)

    assert report.bad_rows == []
    assert stored(report.account) == stored(usual.account)
    run = report.account.runs.get(external_id=RUN)
    assert (run.result, run.runerrors.count() > 2, run.p95_ms is not None) == ("failed", True, True)
    assert run.runmessages.exists()
    assert {series.name for series in run.series.all()} >= {"vus", "rate_per_s"}


def test_a_second_import_changes_nothing():
    first = imported(all_of_one())
    rows = list(Run.objects.order_by("pk").values())

    second = imported(all_of_one())

    assert (second.added, second.updated, second.filled, second.same) == (0, 0, 0, first.added)
    assert list(Run.objects.order_by("pk").values()) == rows


def test_messages_of_many_runs_in_one_file_find_theirs():
    others = [run["id"] for run in saved("runs")][:2]
    rows = [
        {"messageId": f"m{n}", "testRunId": run.upper(), "messageType": "info", "message": run}
        for n, run in enumerate(others * 2)
    ]

    account = imported({"runs.json": saved("runs"), "all.json": wrapped(rows)}).account

    for key in others:
        assert set(account.runs.get(external_id=key).runmessages.values_list("text", flat=True)) == {key}


def test_what_was_not_saved_is_said_of_each_run_and_filled_in_by_a_later_import():
    files = all_of_one()
    some = {name: value for name, value in files.items() if name == "testruns.json" or "errors" in name}

    report = imported(some)

    run = report.account.runs.get(external_id=RUN)
    assert run.details_error == "Not among the imported files: messages, results, counters."
    assert run.result == "failed"  # the errors say so
    said = {parts.external_id: parts.missing for parts in report.incomplete_runs}
    assert said[RUN] == ("details: Not among the imported files: messages, results, counters.",)
    assert ("details",) in said.values()

    report = imported({name: value for name, value in files.items() if "errors" not in name})
    assert report.filled == 0  # it would take the errors away
    assert report.account.runs.get(external_id=RUN).runerrors.exists()

    report = imported(files)
    run.refresh_from_db()
    assert (report.filled, run.details_error, run.runmessages.exists()) == (1, "", True)


def test_runs_that_are_here_already_stay_as_they_are_unless_the_file_says_more():
    account = make_account("live", "vsts")
    [first, *_] = saved("runs")
    imported({"runs.json": [{**first, "description": "as synced"}]}, account=account)
    older = {**first, "state": "inProgress", "subState": "runningTest", "finishedDate": None, "more": 1}

    assert imported({"runs.json": [{**first, "description": "as saved"}]}, account=account).same == 1
    assert imported({"runs.json": [older]}, account=account).same == 1
    run = account.runs.get()
    assert (run.note, run.status) == ("as synced", "finished")
    assert imported({"runs.json": [{**first, "note": "a member more"}]}, account=account).updated == 1


def test_what_cannot_be_read_is_named_and_the_rest_comes_in():
    files = {
        "odd.json": saved("runs_odd"),
        "drop.json": {"id": "d1", "dropType": "TestServiceBlobDrop"},
        "half.json": b'[{"id": "x"',
        "notes.txt": b"ask Lena",
        "errors.json": saved("errors_flat"),
        "empty.json": [],
        "nobody.json": wrapped([{"messageId": "1", "testRunId": "gone", "messageType": "info", "message": "x"}]),
    }

    report = imported(files)

    assert report.added == 5
    bad = {row.external_id: row.reason for row in report.bad_rows}
    assert bad["half.json"] == bad["notes.txt"] == "not JSON"
    assert bad["drop.json"].startswith("no answer of VSTS Cloud Load Test about runs")
    assert bad["errors.json"].startswith("it does not say of which run it is")
    assert bad["nobody.json"] == "its run gone is not among the files"
    assert bad["aaaa-6"] == "createdDate: missing or unreadable"
    assert bad["odd.json, row 6"].startswith("id: ")
    assert len(bad) == report.bad == 9


def test_of_runs_that_had_not_ended_only_the_providers_word_is_known():
    account = imported({"runs.json": saved("runs_odd")}).account

    assert not account.runs.live().exists()
    run = account.runs.get(external_id="aaaa-2")
    assert (run.status, run.provider_status, run.provider_substatus) == ("unknown", "inProgress", "collectingResults")
    again = imported({"runs.json": saved("runs_odd")})
    assert (again.updated, again.same) == (0, 5)


def test_no_secret_of_saved_answers_is_stored():
    report = imported(all_of_one())

    text = str(stored(report.account))
    assert "cart is closed" in text
    assert "h1dden" not in text


@pytest.mark.parametrize(
    ("files", "options", "sentence"),
    [
        ({"a.json": []}, {}, "No run was found in it."),
        ({"a.json": {"hello": 1}}, {}, "No run was found in it. a.json: no answer of VSTS Cloud Load Test"),
        ({"a.json": []}, {"name": " "}, "Give the archive a name"),
        ({"a.json": []}, {"provider": "k6-legacy"}, "Saved answers of Grafana Cloud k6 .* cannot be imported"),
        ({"a.json": [], "b.zip": zipped({})}, {}, "No run was found"),
        ({"a.zip": zipped({"a.json": "[]"}), "b.json": []}, {}, "import it alone"),
        ({}, {}, "There is no file"),
    ],
)
def test_what_holds_no_runs_is_refused_and_makes_no_account(files, options, sentence):
    with pytest.raises(ArchiveProblem, match=sentence):
        imported(files, **options)
    assert not Account.objects.exists()
