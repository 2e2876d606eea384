"""The sandbox's Azure Load Testing: tokens and versions, lists, how a run is started, lives, is stopped and ends."""

import pytest
import requests

from runs.sandbox.azure_lives import OUTCOMES
from tests.sandbox_client import azure_client

GUID = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def azure():
    """Shared by the tests that change nothing."""
    yield from azure_client(60, 90)


@pytest.fixture
def slow():
    """A sandbox of one's own in which started runs take the time they say."""
    yield from azure_client(1, 40)


# Tokens


def test_a_client_gets_a_token_that_opens_the_api_for_an_hour(slow):
    answer = slow.login().json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3599)
    assert slow.call("GET", "/tests", token=answer["access_token"]).status_code == 200
    slow.sandbox.advance(3600)
    assert slow.call("GET", "/tests", token=answer["access_token"]).status_code == 401
    assert slow.call("GET", "/tests", token=slow.login().json()["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "word", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"client_id": GUID}, 400, "unauthorized_client", 700016),
        ({"tenant": GUID}, 400, "invalid_request", 90002),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"scope": "https://cnt-prod.loadtesting.azure.com"}, 400, "invalid_scope", 1002012),
        ({"scope": "https://management.azure.com/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_every_refusal_of_a_token_names_its_code(azure, changes, status, word, code):
    answer = azure.login(**changes)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, word, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert azure.given["credentials"]["client_secret"] not in answer.text


def test_no_token_a_spoiled_one_and_another_scheme_are_401(azure):
    for value in (None, "Bearer", f"Bearer {azure.token}x", f"Basic {azure.token}", "Bearer a.b.c"):
        url = f"{azure.sandbox.url}/tests?api-version=2026-04-01"
        answer = requests.get(url, headers={"Authorization": value}, timeout=5)
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "Unauthorized")


def test_a_reader_reads_series_but_neither_starts_nor_stops(azure):
    reader = azure.login("read_only_credentials").json()["access_token"]
    run = azure.one(status="DONE")["external_id"]
    question = {"metricname": "Errors", "metricNamespace": "LoadTestRunMetrics", "timespan": "2020-01-01/2030-01-01"}
    assert azure.call("POST", f"/test-runs/{run}/metrics", question, token=reader, json={}).status_code == 200
    headers = {"Content-Type": "application/merge-patch+json"}
    for method, path in (("PATCH", "/test-runs/new-1"), ("POST", f"/test-runs/{run}:stop")):
        answer = azure.call(method, path, token=reader, json={}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Forbidden")


# Versions


def test_a_version_is_required_and_every_answer_names_those_of_its_route(azure):
    for version, code in ((None, "ApiVersionUnspecified"), ("2020-01-01", "UnsupportedApiVersion")):
        answer = azure.call("GET", "/test-runs", {"api-version": version})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        assert answer.headers["api-supported-versions"].split(", ")[-1] == "2026-04-01"
    assert azure.call("GET", "/tests", {"api-version": "2022-11-01"}).status_code == 200
    answer = azure.call("GET", "/triggers", {"api-version": "2022-11-01"})
    assert answer.status_code == 400
    assert answer.headers["api-supported-versions"].startswith("2024-07-01-preview, ")


@pytest.mark.parametrize(
    ("switch", "newest"), [("azure_without_2026_04_01", "2025-11-01-preview"), ("azure_only_2022_11_01", "2022-11-01")]
)
def test_the_newest_versions_can_be_unknown(slow, switch, newest):
    slow.tell("switches", **{switch: True})
    answer = slow.call("GET", "/test-runs")
    assert (answer.status_code, answer.headers["api-supported-versions"].split(", ")[-1]) == (400, newest)
    assert slow.call("GET", "/test-runs", {"api-version": newest}).status_code == 200


def test_an_old_version_does_not_say_what_came_later(azure):
    run = azure.one(status="DONE", results_ready=True)["external_id"]
    rows = {
        version: set(azure.get(f"/test-runs/{run}", **{"api-version": version}))
        for version in ("2022-11-01", "2025-03-01-preview", "2026-04-01")
    }
    assert rows["2025-03-01-preview"] - rows["2022-11-01"] >= {"kind", "createdByType", "virtualUserHours"}
    assert rows["2026-04-01"] - rows["2025-03-01-preview"] >= {"executionStartDateTime", "estimatedVirtualUserHours"}


# Refusals


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/test-runs/{GUID}", 404, "TestRunNotFound"),
        ("GET", f"/tests/{GUID}", 404, "TestNotFound"),
        ("GET", "/triggers/nothing", 404, "TriggerNotFound"),
        ("GET", "/test-runs/UPPER", 400, "InvalidRequest"),
        ("GET", "/test-runs/x", 400, "InvalidRequest"),
        ("GET", "/test-runs/" + "a" * 51, 400, "InvalidRequest"),
        ("GET", "/tests/a.b", 400, "InvalidRequest"),
        ("GET", "/test-profiles", 404, "ResourceNotFound"),
        ("PUT", "/tests/ab", 405, "MethodNotAllowed"),
        ("GET", "/test-runs?orderby=displayName asc", 400, "InvalidRequest"),
        ("GET", "/test-runs?maxpagesize=0", 400, "InvalidRequest"),
        ("GET", "/test-runs?executionFrom=2026-01-01", 400, "InvalidRequest"),
        ("GET", "/test-runs?testId=ab&testIds=cd,ef", 400, "InvalidRequest"),
        ("GET", "/test-runs?continuationToken=nonsense", 400, "InvalidRequest"),
        ("GET", "/tests?orderby=createdDateTime", 400, "InvalidRequest"),
    ],
)
def test_every_refusal_has_the_body_and_the_header_with_its_code(azure, method, path, status, code):
    answer = azure.call(method, path)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)
    assert set(answer.json()["error"]) == {"code", "message", "target", "details"}
    assert answer.json()["error"]["code"] == code


# Lists


def test_the_pages_of_a_list_hold_every_run_once_newest_first(azure):
    rows = azure.listed(maxpagesize=7)
    assert len(rows) == 90
    assert {row["testRunId"] for row in rows} == {run["external_id"] for run in azure.truth()}
    dates = [row["createdDateTime"] for row in azure.listed(orderby="createdDateTime asc")]
    assert [row["createdDateTime"] for row in rows] == dates[::-1] == sorted(dates, reverse=True)


def test_the_link_to_the_next_page_is_absolute_and_keeps_the_question(azure):
    page = azure.get("/test-runs", maxpagesize=2, status="DONE,CANCELLED")
    assert page["nextLink"].startswith(f"{azure.sandbox.url}/test-runs?")
    assert "api-version=2026-04-01" in page["nextLink"]
    assert {row["status"] for row in azure.listed(maxpagesize=2, status="DONE,CANCELLED")} == {"DONE", "CANCELLED"}
    assert len(azure.get("/test-runs", maxpagesize=1000)["value"]) == 50


def test_the_link_can_name_another_host_which_remembers_who_asked(slow):
    slow.tell("switches", azure_next_link_elsewhere=True)
    assert slow.get("/test-runs", maxpagesize=9)["nextLink"].startswith("http://127.0.0.2:")


def test_a_run_started_between_pages_neither_hides_nor_doubles_one(slow):
    first = slow.get("/test-runs", maxpagesize=20)
    slow.start("passed")
    answer = slow.http.get(first["nextLink"], headers={"Authorization": f"Bearer {slow.token}"}).json()
    ids = [row["testRunId"] for row in first["value"] + answer["value"]]
    assert len(ids) == len(set(ids)) == 40


def test_lists_are_narrowed_by_test_status_kind_person_note_and_time(azure):
    truth = azure.truth()

    def ids(**params):
        return {row["testRunId"] for row in azure.listed(**params)}

    def expected(fits):
        return {run["external_id"] for run in truth if fits(run)}

    tests = list({run["test_external_id"]: None for run in truth})[:2]
    assert ids(testId=tests[0]) == expected(lambda run: run["test_external_id"] == tests[0])
    assert ids(testIds=",".join(tests)) == expected(lambda run: run["test_external_id"] in tests)
    assert ids(status="DONE,FAILED") == expected(lambda run: run["status"] in ("DONE", "FAILED"))
    assert ids(search="after the") == expected(lambda run: run["note"].startswith("after the"))
    assert ids(search="After the") == set()
    person = truth[0]["requested_by"]
    assert ids(search=person) == expected(lambda run: run["requested_by"] == person)
    assert {row["createdByType"] for row in azure.listed(createdByTypes="AzurePipelines")} == {"AzurePipelines"}
    middle = truth[30]["queued"]
    assert ids(executionFrom=middle) == expected(lambda run: run["queued"] >= middle)
    assert ids(executionTo=middle) == expected(lambda run: run["queued"] <= middle)


def test_tests_are_listed_by_their_change_and_found_by_the_beginning_of_their_name(azure):
    rows = azure.listed("/tests", maxpagesize=4)
    assert len(rows) == 6
    dates = [row["lastModifiedDateTime"] for row in rows]
    assert dates == sorted(dates, reverse=True)
    name = rows[0]["displayName"]
    assert [row["displayName"] for row in azure.listed("/tests", search=name[:9])] == [name]
    later = azure.listed("/tests", lastModifiedStartTime=dates[1])
    assert [row["testId"] for row in later] == [row["testId"] for row in rows[:2]]
    assert azure.get(f"/tests/{rows[0]['testId']}")["passFailCriteria"] == rows[0]["passFailCriteria"]


def test_a_small_history_already_shows_every_status_and_verdict(azure):
    seen = {(run["status"], run["testResult"]) for run in azure.truth()}
    documented = {
        "ACCEPTED", "NOTSTARTED", "PROVISIONING", "PROVISIONED", "CONFIGURING", "CONFIGURED", "EXECUTING", "EXECUTED",
        "DEPROVISIONING", "DEPROVISIONED", "DONE", "CANCELLED", "FAILED", "CANCELLING", "VALIDATION_SUCCESS",
        "VALIDATION_FAILURE",
    }  # fmt: skip
    assert {status for status, _ in seen} == documented | {"ARCHIVING"}
    assert {("DONE", "PASSED"), ("DONE", "FAILED"), ("DONE", "NOT_APPLICABLE")} <= seen


# A run's life


def test_a_patch_on_a_new_id_starts_a_run_and_the_same_again_changes_nothing(slow):
    test = slow.truth()[0]["test_external_id"]
    body = {"testId": test, "displayName": "Größe", "description": "by hand"}
    first, second = (slow.patch("/test-runs/mine_1-a", body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["Location"].startswith(f"{slow.sandbox.url}/test-runs/mine_1-a")
    row = first.json()
    assert (row["testRunId"], row["testId"], row["status"]) == ("mine_1-a", test, "ACCEPTED")
    assert (row["displayName"], row["description"]) == ("Größe", "by hand")
    assert len(slow.truth()) == 41


def test_a_patch_on_a_run_that_is_there_only_edits_its_words(slow):
    run = slow.one(status="DONE")["external_id"]
    before = slow.get(f"/test-runs/{run}")
    after = slow.patch(f"/test-runs/{run}", {"description": "noted"}).json()
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"description", "lastModifiedDateTime"}
    assert slow.patch(f"/test-runs/{run}", {"description": None}).json()["description"] == ""
    assert slow.patch(f"/test-runs/{run}", {"description": "x" * 101}).status_code == 400


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "InvalidRequest"),
        ({"testId": GUID}, 404, "TestNotFound"),
        ({"testId": "NO"}, 400, "InvalidRequest"),
        ({"testId": None}, 400, "InvalidRequest"),
        ({"displayName": 7}, 400, "InvalidRequest"),
    ],
)
def test_a_start_that_cannot_be_is_refused_and_starts_nothing(azure, body, status, code):
    answer = azure.patch("/test-runs/never-1", body)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)
    assert len(azure.truth()) == 90


def test_only_a_merge_patch_is_read(azure):
    answer = azure.call("PATCH", "/test-runs/never-2", json={"testId": azure.truth()[0]["test_external_id"]})
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (415, "UnsupportedMediaType")


def test_a_run_is_repeated_with_the_settings_it_had(slow):
    old = slow.one(status="DONE", breached=1)
    answer = slow.patch("/test-runs/again-1", {"displayName": "again"}, {"oldTestRunId": old["external_id"]})
    assert answer.status_code == 201
    before = slow.get(f"/test-runs/{old['external_id']}")
    for name in ("testId", "kind", "loadTestConfiguration"):
        assert answer.json()[name] == before[name]
    assert slow.patch("/test-runs/again-2", {}, {"oldTestRunId": GUID}).status_code == 404


def test_a_started_run_walks_through_every_status_to_its_end(slow):
    slow.start("failed")
    run = slow.sandbox.store.runs["azure"]["run-1"]
    seen = []
    for moment in [step[0] for step in run.steps]:
        slow.sandbox.advance((moment - slow.sandbox.clock.now()) / 1_000_000 + 0.001)
        seen.append(slow.get("/test-runs/run-1")["status"])
    walk = ["ACCEPTED", "NOTSTARTED", "PROVISIONING", "PROVISIONED", "CONFIGURING", "CONFIGURED", "EXECUTING",
            "EXECUTED", "DEPROVISIONING", "DEPROVISIONED", "DONE"]  # fmt: skip
    assert [status for status in seen if status != "VALIDATION_SUCCESS"] == walk


def test_the_results_come_some_minutes_after_the_end(slow):
    path = f"/test-runs/{slow.one(status='DONE', results_ready=False)['external_id']}"
    early = slow.get(path)
    assert (early["testResult"], "endDateTime" in early) == ("NOT_APPLICABLE", True)
    rules = early["passFailCriteria"]["passFailMetrics"].values()
    assert {(rule["actualValue"], rule["result"]) for rule in rules} == {(-1.0, "undetermined")}
    slow.sandbox.advance(300)
    late = slow.get(path)
    assert set(late) - set(early) >= {"virtualUsers", "testRunStatistics", "virtualUserHours"}
    assert (late["testResult"], late["duration"]) == ("PASSED", early["duration"])
    assert [set(row["testArtifacts"]) for row in (early, late)] == [
        {"inputArtifacts"},
        {"inputArtifacts", "outputArtifacts"},
    ]


def test_a_stop_before_the_load_cancels_at_the_next_look(slow):
    slow.start("passed")
    slow.sandbox.advance(30)
    answer = slow.call("POST", "/test-runs/run-1:stop")
    assert (answer.status_code, answer.json()["status"]) == (200, "PROVISIONING")
    slow.sandbox.advance(1)
    row = slow.get("/test-runs/run-1")
    assert (row["status"], row["testResult"]) == ("CANCELLED", "NOT_APPLICABLE")
    assert row["errorDetails"][0]["message"].startswith("Failed to provision test engines")
    slow.sandbox.advance(60)
    row = slow.get("/test-runs/run-1")
    assert (row["virtualUsers"], row["testRunStatistics"]) == (0, {"Total": {"throughput": 0.0}})


def test_a_run_can_be_stopped_in_the_moment_it_was_started(slow):
    slow.start("passed")
    assert slow.call("POST", "/test-runs/run-1:stop").json()["status"] == "ACCEPTED"
    slow.sandbox.advance(1)
    assert slow.get("/test-runs/run-1")["status"] == "CANCELLED"


def test_a_stop_under_load_passes_through_cancelling_and_keeps_what_was_measured(slow):
    run = slow.one(status="EXECUTING")["external_id"]
    assert slow.call("POST", f"/test-runs/{run}:stop").json()["status"] == "EXECUTING"
    assert slow.get(f"/test-runs/{run}")["status"] == "CANCELLING"
    assert slow.call("POST", f"/test-runs/{run}:stop").status_code == 200
    slow.sandbox.advance(60)
    row = slow.get(f"/test-runs/{run}")
    assert row["status"] == "CANCELLED"
    assert row["testRunStatistics"]["Total"]["sampleCount"] > 0


def test_a_stop_after_the_end_is_refused_or_behind_the_switch_passed_over(slow):
    run = slow.one(status="DONE", results_ready=True)["external_id"]
    assert slow.call("POST", f"/test-runs/{run}:stop").status_code == 400
    slow.tell("switches", azure_stop_after_end_is_ok=True)
    answer = slow.call("POST", f"/test-runs/{run}:stop")
    assert (answer.status_code, answer.json()["status"]) == (200, "DONE")


def test_a_finished_run_can_be_deleted_a_live_one_cannot(slow):
    run, live = (slow.one(status=status)["external_id"] for status in ("DONE", "EXECUTING"))
    assert slow.call("DELETE", f"/test-runs/{run}").status_code == 204
    assert slow.call("GET", f"/test-runs/{run}").status_code == 404
    assert slow.call("DELETE", f"/test-runs/{live}").status_code == 409
    assert len(slow.truth()) == 39


def test_what_a_run_says_went_wrong_can_change_after_its_end(slow):
    slow.start("silent")
    slow.sandbox.advance(3500)
    assert "No requests were sent" in slow.get("/test-runs/run-1")["errorDetails"][0]["message"]


def test_every_outcome_ends_as_it_says(slow):
    for outcome in OUTCOMES:
        slow.start(outcome, outcome)
    slow.sandbox.advance(12_000)
    truth = {run["external_id"]: run for run in slow.truth()}
    for outcome, plan in OUTCOMES.items():
        run = truth[outcome]
        assert (run["status"], run["results_ready"], run["load_started"] is None) == (
            plan.status,
            True,
            plan.share is None,
        )
        judged, breaks = plan.status == "DONE" and plan.criteria, plan.trouble in ("errors", "slow", "both")
        assert run["testResult"] == (("FAILED" if breaks else "PASSED") if judged else "NOT_APPLICABLE")
        assert bool(run["breached"]) == (judged and breaks)


def test_only_the_providers_with_a_history_here_have_credentials(azure):
    answer = azure.http.get(f"{azure.sandbox.url}/__sandbox__/credentials").json()
    assert list(answer) == ["azure"]
    assert answer["azure"]["login_url"] == answer["azure"]["base_url"] == azure.sandbox.url
