"""The sandbox's VSTS Cloud Load Test API: who may call, what lists hold, how a run is made, started and stopped."""

import base64
import re

import pytest
import requests

from tests.sandbox_client import vsts_client

RUNS = "/_apis/clt/testruns"
ALL = {"fromDate": "2000-01-01", "runType": "*"}


@pytest.fixture(scope="module")
def vsts():
    """Shared by the tests that change nothing."""
    yield from vsts_client(60)


@pytest.fixture
def slow():
    """A sandbox of one's own in which started runs take the time they say."""
    yield from vsts_client(1)


# Who may call


def test_basic_with_any_user_and_bearer_are_both_accepted(vsts):
    for user in ("", " ", "anybody"):
        assert vsts.call("GET", RUNS, auth=(user, vsts.token)).status_code == 200
    bearer = {"Authorization": f"Bearer {vsts.token}"}
    assert requests.get(vsts.sandbox.url + RUNS, headers=bearer, timeout=5).status_code == 200


@pytest.mark.parametrize("header", [None, "Basic nonsense", "Basic " + base64.b64encode(b":wrong").decode(), "Token x"])
def test_a_missing_or_wrong_token_is_401_with_the_wrapped_error(vsts, header):
    answer = requests.get(vsts.sandbox.url + RUNS, headers={"Authorization": header}, timeout=5)
    assert answer.status_code == 401
    assert set(answer.json()) >= {"$id", "innerException", "message", "typeName", "typeKey", "errorCode", "eventId"}


def test_a_read_only_token_may_read_samples_but_not_create_runs(vsts):
    run = vsts.one(state="completed")
    auth = ("", vsts.read_only_token)
    body = {"count": 1, "value": [{"counterInstanceId": "Els~-1828439162"}]}
    assert vsts.call("POST", f"{RUNS}/{run}/countersamples", auth=auth, json=body).status_code == 200
    assert vsts.call("POST", RUNS, auth=auth, json={}).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{RUNS}/00000000-0000-0000-0000-000000000000", 404),
        ("GET", f"{RUNS}/abc/errors", 404),
        ("GET", "/_apis/clt/testdrops/abc", 404),
        ("GET", "/_apis/clt/nowhere", 404),
        ("DELETE", f"{RUNS}/00000000-0000-0000-0000-000000000000", 405),
        ("GET", f"{RUNS}?status=finished", 400),
        ("GET", f"{RUNS}?fromDate=yesterday", 400),
        ("GET", f"{RUNS}?top=0", 400),
        ("GET", f"{RUNS}?detailed=perhaps", 400),
        ("GET", f"{RUNS}?runType=locust", 400),
        ("GET", f"{RUNS}?api-version=new", 400),
        ("POST", RUNS, 400),
    ],
)
def test_every_refusal_carries_the_wrapped_error(vsts, method, path, status):
    answer = vsts.call(method, path)
    assert (answer.status_code, answer.json()["errorCode"], answer.json()["eventId"]) == (status, 0, 3000)


def test_the_version_is_only_demanded_behind_the_switch(slow):
    slow.switch(vsts_strict_version=True)
    assert slow.call("GET", RUNS).json()["typeKey"] == "VssVersionNotSpecifiedException"
    assert slow.call("GET", RUNS, params={"API-Version": "1.0"}).status_code == 200
    header = {"Accept": "application/json;api-version=5.1-preview.1"}
    assert slow.call("GET", RUNS, headers=header).status_code == 200


# Lists


def test_the_list_is_bare_in_the_order_of_ids_and_wrapped_behind_the_switch(slow):
    bare = slow.get(RUNS, **ALL)
    ids = [row["id"] for row in bare]
    dates = [row["createdDate"] for row in bare]
    assert ids == sorted(ids)
    assert dates != sorted(dates)
    slow.switch(vsts_wrapped_runs=True)
    assert slow.get(RUNS, **ALL) == {"count": len(bare), "value": bare}


def test_without_dates_only_what_was_modified_in_the_last_week_is_listed(vsts):
    week_ago, now = "2026-05-21T20:26:40.000000Z", "2026-05-28T20:26:40.000000Z"
    expected = set()
    for run in vsts.truth():
        modified = run["ended"] or now
        if week_ago < modified <= now and not run["test"].endswith(".jmx"):
            expected.add(run["external_id"])
    assert {row["id"] for row in vsts.get(RUNS)} == expected


def test_a_window_takes_what_was_modified_after_its_start_and_up_to_its_end(vsts):
    run = next(run for run in vsts.truth() if run["state"] == "completed")
    window = {"fromDate": run["started"], "toDate": run["ended"], "runType": "*"}
    found = vsts.get(RUNS, **window)
    assert [row["id"] for row in found] == [run["external_id"]]
    later = vsts.get(RUNS, **(window | {"fromDate": run["ended"], "toDate": "2036-01-01"}))
    assert run["external_id"] not in {row["id"] for row in later}


@pytest.mark.parametrize(
    "text", ["2026-05-01", "20260501T000000Z", "2026-05-01T00:00:00.0000000Z", "2026-05-01T02:00+02:00"]
)
def test_dates_are_read_in_every_form_clients_send(vsts, text):
    expected = vsts.get(RUNS, fromDate="2026-05-01T00:00:00Z", runType="*")
    assert [row["id"] for row in vsts.get(RUNS, fromDate=text, runType="*")] == [row["id"] for row in expected]


def test_without_a_run_type_jmeter_runs_are_hidden(vsts):
    kinds = {
        word: {row["runType"] for row in vsts.get(RUNS, fromDate="2000-01-01", **extra)}
        for word, extra in {"none": {}, "all": {"runType": "*"}, "jmeter": {"runtype": "JMETERLOADTEST"}}.items()
    }
    assert kinds["none"] == {"visualStudioLoadTest"}
    assert kinds["all"] == {"visualStudioLoadTest", "jMeterLoadTest"}
    assert kinds["jmeter"] == {"jMeterLoadTest"}


def test_names_people_and_states_are_matched_whole_and_in_any_case(vsts):
    truth = vsts.truth()

    def ids(**wanted):
        return {run["external_id"] for run in truth if wanted.items() <= run.items()}

    def listed(**params):
        return {row["id"] for row in vsts.get(RUNS, **ALL, **params)}

    assert listed(name="Checkout-NIGHTLY.loadtest") == ids(test="checkout-nightly.loadtest") != set()
    assert listed(name="checkout") == set()
    assert listed(requestedBy="o'brien, niamh") == ids(requested_by="O'Brien, Niamh") != set()
    assert listed(requestedby="@ME") == ids(requested_by="Maren Solberg") != set()
    assert listed(Status="INPROGRESS") == listed(status="2") == ids(state="inProgress") != set()
    assert listed(status="completed", name="checkout-nightly.loadtest") == ids(
        state="completed", test="checkout-nightly.loadtest"
    )


def test_top_cuts_the_list_and_never_gives_more_than_a_thousand(vsts):
    everything = vsts.get(RUNS, **ALL)
    assert vsts.get(RUNS, **ALL, top=3) == everything[:3]
    assert vsts.get(RUNS, **ALL, top=5000) == everything


def test_a_detailed_list_holds_what_reading_each_run_gives(vsts):
    for row in vsts.get(RUNS, **ALL, detailed="True", top=10):
        assert row == vsts.get(f"{RUNS}/{row['id']}")
        assert set(vsts.get(RUNS, **ALL, runIds=row["id"])[0]) < set(row)


# A run


def test_runs_leave_out_what_is_null_zero_false_or_unset(vsts):
    for row in vsts.get(RUNS, **ALL, detailed="true"):
        assert None not in row.values()
        assert all(row["runSpecificDetails"].values())
        assert row.get("chargeable") in (None, True)
        assert {"state", "subState", "stoppedBy", "testDrop"} <= set(row)
    pending = vsts.get(f"{RUNS}/{vsts.one(state='pending')}")
    assert not {"queuedDate", "startedDate", "startedBy", "finishedDate", "abortMessage"} & set(pending)
    assert pending["stoppedBy"] == {"id": "", "displayName": ""}


def test_dates_have_up_to_seven_digits_without_trailing_zeros(vsts):
    dates = [row["createdDate"] for row in vsts.get(RUNS, **ALL)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z", date) for date in dates)
    assert {len(date) for date in dates} >= {27, 28}


def test_paths_are_matched_in_any_case_and_below_an_organization(vsts):
    run = vsts.one(state="completed")
    expected = vsts.get(f"/_apis/clt/TestRuns/{run}")
    assert vsts.get(f"/_apis/CLT/TESTRUNS/{run.upper()}") == expected
    assert vsts.get(f"/harbour/_apis/clt/testRuns/{run}") == expected


def test_a_run_aborted_by_validation_was_never_started_and_says_why(vsts):
    made = next(run for run in vsts.truth() if run["state"] == "aborted" and run["error_detail"])
    run = vsts.get(f"{RUNS}/{made['external_id']}")
    assert run["abortMessage"]["source"] == "Validation"
    assert run["abortMessage"]["cause"] == made["error_detail"]
    assert run["finishedDate"] == run["createdDate"]
    assert "startedDate" not in run
    assert "virtualUserCount" not in run["runSpecificDetails"]


# Create, queue, abort


def create(vsts, **changes) -> dict:
    drop = vsts.call("POST", "/_apis/clt/testdrops", json={"dropType": "TestServiceBlobDrop"}).json()
    body = {"name": "IBuySpy.loadtest", "testDrop": {"id": drop["id"]}} | changes
    answer = vsts.call("POST", RUNS, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def change(vsts, run, state):
    return vsts.call("PATCH", f"{RUNS}/{run['id']}", json={"state": state})


def test_a_created_run_is_pending_with_the_next_number_of_the_account(slow):
    highest = max(run["number"] for run in slow.truth())
    settings = {"setupCommand": "setup.cmd", "cleanupCommand": "", "hostProcessPlatform": "x64"}
    first = create(slow, description="nightly", testSettings=settings)
    second = create(slow, name="other.loadtest")
    assert [first["runNumber"], second["runNumber"]] == [highest + 1, highest + 2]
    assert (first["state"], first["subState"]) == ("pending", "none")
    assert first["loadGenerationGeoLocations"] == [{"location": "Default", "percentage": 100}]
    assert first["testSettings"] == {"cleanupCommand": "", "hostProcessPlatform": "amd64", "setupCommand": "setup.cmd"}
    assert "description" not in first
    assert slow.get(f"{RUNS}/{first['id']}")["description"] == "nightly"


def test_members_are_matched_in_any_case_and_what_only_the_server_sets_is_ignored(slow):
    drop = next(iter(slow.sandbox.store.drops))
    body = {"Name": "a.jmx", "TestDrop": {"Id": drop.upper()}, "id": None, "State": 0, "RunType": "JMeterLoadTest"}
    run = slow.call("POST", RUNS, json=body | {"runSpecificDetails": {"coreCount": "3"}}).json()
    assert (run["state"], run["runSpecificDetails"]["coreCount"]) == ("pending", 3)
    assert slow.get(f"{RUNS}/{run['id']}")["runType"] == "jMeterLoadTest"


@pytest.mark.parametrize(
    "body", [{"name": "a.loadtest"}, {"testDrop": {"id": "x"}}, {"name": "a", "testDrop": {"id": "x"}}]
)
def test_a_run_without_a_name_or_a_known_drop_is_refused_and_not_made(slow, body):
    before = len(slow.truth())
    assert slow.call("POST", RUNS, json=body).status_code == 400
    assert len(slow.truth()) == before


def test_a_queued_run_passes_through_every_state_to_its_end(slow):
    slow.outcome("threshold_failed")
    run = create(slow, testSettings={"setupCommand": "a.cmd", "cleanupCommand": "b.cmd"})
    answer = change(slow, run, "queued")
    assert (answer.status_code, answer.content) == (202, b"")
    seen = []
    for _ in range(6000):
        row = slow.get(f"{RUNS}/{run['id']}")
        if [row["state"], row["subState"]] not in seen:
            seen.append([row["state"], row["subState"]])
        if row["state"] == "completed":
            break
        slow.sandbox.advance(2)
    without_warm_up = [state for state in seen if state[1] != "warmingUp"]
    assert without_warm_up == [
        ["queued", "none"],
        ["queued", "validatingTestRun"],
        ["queued", "acquiringResources"],
        ["inProgress", "configuringAgents"],
        ["inProgress", "executingSetupScript"],
        ["inProgress", "runningTest"],
        ["inProgress", "executingCleanupScript"],
        ["inProgress", "collectingResults"],
        ["completed", "success"],
    ]
    names = (
        "createdDate",
        "queuedDate",
        "startedDate",
        "executionStartedDate",
        "executionFinishedDate",
        "finishedDate",
    )
    dates = [row[name] for name in names]
    assert dates == sorted(dates)
    assert row["chargeable"] is True
    assert slow.truth()[-1]["critical_threshold_errors"] > 0


@pytest.mark.parametrize("outcome", ["validation", "service_error"])
def test_some_runs_end_before_their_load(slow, outcome):
    slow.outcome(outcome)
    run = create(slow)
    change(slow, run, "queued")
    slow.sandbox.advance(300)
    ended = slow.get(f"{RUNS}/{run['id']}")
    assert ended["state"] == {"validation": "aborted", "service_error": "error"}[outcome]
    assert ended["abortMessage"]["cause"]
    assert "executionStartedDate" not in ended


def test_an_aborted_run_is_stopping_and_then_aborted_by_its_caller(slow):
    slow.outcome("completed")
    run = create(slow)
    change(slow, run, 1)
    slow.sandbox.advance(60)
    assert change(slow, run, "Aborted").status_code == 202
    states = []
    for _ in range(2):
        row = slow.get(f"{RUNS}/{run['id']}")
        states.append((row["state"], row["subState"], row["stoppedBy"]["displayName"]))
        slow.sandbox.advance(13)
    assert states == [("stopping", "none", "Maren Solberg"), ("aborted", "none", "Maren Solberg")]


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("pending", "aborted"),
        ("pending", "completed"),
        ("queued", "queued"),
        ("stopping", "aborted"),
        ("completed", "aborted"),
        ("completed", "queued"),
        ("inProgress", "paused"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(vsts, state, wanted):
    run = vsts.get(f"{RUNS}/{vsts.one(state=state)}")
    refused = change(vsts, run, wanted)
    assert (refused.status_code, refused.json()["typeKey"]) == (400, "InvalidTestRunStateException")
    assert vsts.get(f"{RUNS}/{run['id']}") == run
