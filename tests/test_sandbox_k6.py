"""The sandbox's k6 legacy APIs: who may call, what each endpoint answers, how a run lives."""

import csv
import io

import pytest
import requests

from runs.sandbox.server import Sandbox
from tests.sandbox_client import K6, NOON, TEST, k6_client


@pytest.fixture(scope="module")
def k6():
    """Shared by the tests that change nothing."""
    yield from k6_client(60)


@pytest.fixture
def slow():
    """A sandbox of one's own in which started runs take the time they say."""
    yield from k6_client(1)


# who may call


@pytest.mark.parametrize("scheme", ["Token", "token", "Bearer"])
@pytest.mark.parametrize("path", ["/v3/organizations", "/loadtests/v2/tests", "/cloud/v5/projects"])
def test_every_scheme_of_the_contract_opens_every_family(k6, scheme, path):
    assert k6.call("GET", path, authorization=f"{scheme} {k6.token}").status_code == 200


def test_without_a_token_each_family_answers_401_in_its_own_words(k6):
    legacy = k6.call("GET", "/loadtests/v2/tests", authorization=None)
    v5 = k6.call("GET", "/cloud/v5/projects", authorization=None)
    assert (legacy.status_code, legacy.json()["error"]["code"]) == (401, 5)
    assert (v5.status_code, v5.json()) == (401, {"error": {"code": "error", "message": "Authentication required"}})


def test_a_wrong_token_is_401_in_each_familys_own_words(k6):
    legacy = k6.call("GET", "/v3/organizations", authorization="Token nonsense")
    v5 = k6.call("GET", "/cloud/v5/projects", authorization="Token nonsense")
    assert (legacy.status_code, legacy.json()["error"]["code"]) == (401, 6)
    assert (v5.status_code, v5.json()["error"]["message"]) == (401, "Invalid token")


def test_a_read_only_token_reads_but_does_not_start(k6):
    authorization = f"Token {k6.read_only_token}"
    assert k6.call("GET", "/v3/organizations", authorization=authorization).status_code == 200
    refused = k6.call("POST", f"/loadtests/v2/tests/{TEST}/start-testrun", authorization=authorization)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, 4)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/loadtests/v2/runs/999999999", 404, 3),
        ("GET", "/loadtests/v2/tests/999999999", 404, 3),
        ("GET", "/loadtests/v2/tests/1001", 403, 4),
        ("GET", "/loadtests/v2/runs/100001", 403, 4),
        ("DELETE", "/loadtests/v2/runs", 405, 7),
        ("GET", "/loadtests/v2/runs", 400, 2),
        ("GET", "/loadtests/v2/runs?test_id=one", 400, 2),
        ("GET", "/loadtests/v2/tests?order_by=vus", 400, 2),
        ("GET", f"/loadtests/v2/runs?test_id={TEST}&page=0", 400, 2),
        ("GET", "/loadtests/v2/thresholds", 400, 2),
        ("GET", "/v3/organizations/1", 404, 3),
        ("GET", "/v3/nowhere", 404, 3),
    ],
)
def test_v2_and_v3_refuse_with_the_code_of_the_reason(k6, method, path, status, code):
    answer = k6.call(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/cloud/v5/test_runs/999999999", 403),
        ("GET", "/cloud/v5/load_tests/999999999/test_runs", 403),
        ("GET", "/cloud/v5/projects/1/load_tests", 403),
        ("GET", "/cloud/v5/projects/", 404),
        ("GET", "/cloud/v5/test_runs/abc", 404),
        ("POST", "/cloud/v5/projects", 405),
    ],
)
def test_v5_hides_what_is_not_there_behind_403(k6, method, path, status):
    answer = k6.call(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "error")


# organizations, projects, tests


def test_every_test_is_found_by_walking_organizations_and_projects(k6):
    found = []
    for organization in k6.get("/v3/organizations")["organizations"]:
        for project in k6.get(f"/v3/organizations/{organization['id']}/projects")["projects"]:
            assert k6.get(f"/v3/projects/{project['id']}")["project"] == project
            found += k6.get("/loadtests/v2/tests", project_id=project["id"])["k6-tests"]
    assert sorted(test["id"] for test in found) == [3535, 3536, 3537, 3538]


def test_tests_without_a_project_are_those_of_the_default_one(k6):
    listed = k6.get("/loadtests/v2/tests")
    assert {test["project_id"] for test in listed["k6-tests"]} == {5276}
    assert listed["meta"]["count"] == len(listed["k6-tests"])
    assert listed["k6-runs"] == listed["load_zones"] == []


def test_tests_are_searched_ordered_paged_and_cut_to_chosen_members(k6):
    params = {"ids[]": [3535, 3536, 3537], "order_by": "-id", "page_size": 2, "$select": "id,name"}
    first = k6.get("/loadtests/v2/tests", **params)
    second = k6.get("/loadtests/v2/tests", **params, page=2)
    assert [test["id"] for test in first["k6-tests"] + second["k6-tests"]] == [3537, 3536, 3535]
    assert first["meta"] == {"count": 3}
    assert set(first["k6-tests"][0]) == {"id", "name"}
    assert [test["id"] for test in k6.get("/loadtests/v2/tests", q="CHECKOUT")["k6-tests"]] == [TEST]


def test_a_test_names_its_runs_and_the_last_of_them_as_text(k6):
    test = k6.get(f"/loadtests/v2/tests/{TEST}")["k6-test"]
    runs = [int(run["external_id"]) for run in k6.truth() if run["test_external_id"] == str(TEST)]
    assert test["test_run_ids"] == runs
    assert test["last_test_run_id"] == str(max(runs))


def test_the_account_says_who_the_caller_is(k6):
    account = k6.get("/v3/account/me")
    assert account["user"]["id"] == 703
    assert account["token"]["key"] == k6.token


# v2 runs


def test_pages_of_runs_hold_every_run_of_the_test_once_newest_first(k6):
    ids, page = [], 1
    while rows := k6.get("/loadtests/v2/runs", test_id=TEST, page=page, page_size=7)["k6-runs"]:
        ids += [row["id"] for row in rows]
        page += 1
    assert ids == sorted(
        (int(run["external_id"]) for run in k6.truth() if run["test"].startswith("Checkout")), reverse=True
    )
    assert k6.get("/loadtests/v2/runs", test_id=TEST)["meta"]["count"] == len(ids)


def test_runs_are_chosen_by_ids_and_by_public_id(k6):
    public = next(
        row for row in k6.get("/loadtests/v2/runs", test_id=TEST, page_size=100)["k6-runs"] if row["public_id"]
    )
    by_public = k6.get("/loadtests/v2/runs", public_id=public["public_id"])
    by_ids = k6.get("/loadtests/v2/runs", test_id=TEST, **{"ids[]": [public["id"], 1]})
    assert [row["id"] for row in by_public["k6-runs"]] == [public["id"]]
    assert by_ids["meta"]["count"] == 1


def test_the_misspelt_parameters_of_the_documentation_work_too(k6):
    rows = k6.get("/loadtests/v2/runs", **{"$test_id": TEST, "select": "id,run_status"})["k6-runs"]
    assert set(rows[0]) == {"id", "run_status"}


def test_a_run_is_cut_to_the_selected_members_some_of_which_are_shown_only_then(k6):
    run = k6.one(run_status=3, processing_status=2)
    path = f"/loadtests/v2/runs/{run}"
    whole = k6.get(path)["k6-run"]
    chosen = k6.get(path, **{"$select": "id,test_id,run_status,created,distribution"})["k6-run"]
    assert set(chosen) == {"id", "test_id", "run_status", "created", "distribution"}
    assert "distribution" not in whole


def test_a_run_says_what_the_truth_says(k6):
    for made in k6.truth():
        shown = k6.get(f"/loadtests/v2/runs/{made['external_id']}")["k6-run"]
        v5 = k6.get(f"/cloud/v5/test_runs/{made['external_id']}")
        same = {"run_status", "processing_status", "result_status", "created", "started", "ended", "error_code", "note"}
        assert {key: shown[key] for key in same} == {key: v5[key] for key in same} == {key: made[key] for key in same}
        assert (str(shown["user_id"]), shown["duration"], shown["vus"]) == (
            made["requested_by"],
            made["duration_s"],
            made["virtual_users"],
        )


def test_payloads_carry_the_planted_secrets(k6):
    run = k6.one(run_status=3)
    planted = {row["secret"] for row in k6.http.get(f"{k6.sandbox.url}/__sandbox__/planted").json()}
    config = k6.get(f"/cloud/v5/test_runs/{run}")["config"]
    secrets = {config["agent_access_token"], config["options"]["cloud"]["token"], *config["env"].values()}
    assert len(secrets) == 4
    assert secrets <= planted


def test_dates_lose_their_zone_only_behind_the_switch(slow):
    run = slow.one(run_status=3)
    path = f"/loadtests/v2/runs/{run}"
    with_zone = slow.get(path)["k6-run"]
    slow.switch(k6_zoneless_dates=True)
    without = slow.get(path)["k6-run"]
    for name in ("created", "started", "ended"):
        assert with_zone[name] == without[name] + "Z"


# the life of a run


def states(k6: K6, run: int, seconds: list[float]) -> list[tuple[int, int, int]]:
    """(run_status, processing_status, result_status) now and after each stretch of time."""
    found = []
    for stretch in [0, *seconds]:
        k6.sandbox.advance(stretch)
        row = k6.get(f"/loadtests/v2/runs/{run}")["k6-run"]
        found.append((row["run_status"], row["processing_status"], row["result_status"]))
    return found


def test_a_started_run_passes_through_every_state_to_its_verdict(slow):
    run = slow.start("failed")
    duration = slow.get(f"/loadtests/v2/runs/{run}")["k6-run"]["duration"]
    lived = states(slow, run, [2.05, 2, 36, 60, duration - 30, 20, 40])
    assert [row[0] for row in lived] == [-2, -1, 0, 1, 2, 3, 3, 3]
    assert [row[2] for row in lived] == [0, 0, 0, 0, 0, 1, 1, 1]
    assert lived[-1][1] == 2


def test_speed_shortens_the_life_of_a_started_run(k6):
    with Sandbox(tests=2, runs=0, speed=60, clock=lambda: NOON) as sandbox:
        client = K6(sandbox)
        run = client.start("passed")
        duration = client.get(f"/loadtests/v2/runs/{run}")["k6-run"]["duration"]
        sandbox.advance(duration / 60 + 5)
        row = client.get(f"/loadtests/v2/runs/{run}")["k6-run"]
        client.http.close()
    assert (row["run_status"], row["processing_status"]) == (3, 2)


def test_a_stopped_run_stops_moments_later_as_aborted_by_user(slow):
    run = slow.start("passed")
    slow.sandbox.advance(120)
    assert slow.call("POST", f"/loadtests/v2/runs/{run}/stop").status_code == 200
    assert slow.call("POST", f"/loadtests/v2/runs/{run}/stop", json={}).status_code == 200
    assert [row[0] for row in states(slow, run, [9, 2, 60])] == [2, 2, 5, 5]
    shown = slow.get(f"/loadtests/v2/runs/{run}")["k6-run"]
    assert (shown["stopped_by_id"], shown["processing_status"], shown["error_code"]) == (703, 2, None)


def test_a_run_stopped_before_its_load_never_started(slow):
    run = slow.start("failed")
    slow.call("POST", f"/loadtests/v2/runs/{run}/stop")
    slow.sandbox.advance(3600)
    shown = slow.get(f"/loadtests/v2/runs/{run}")["k6-run"]
    assert (shown["run_status"], shown["result_status"], shown["started"]) == (5, 0, None)
    assert slow.get("/loadtests/v2/metrics", test_run_id=run) == {"k6-metrics": []}


def test_stopping_an_ended_run_is_refused_and_changes_nothing(k6):
    run = k6.one(run_status=3, processing_status=2)
    before = k6.get(f"/loadtests/v2/runs/{run}")
    refused = k6.call("POST", f"/loadtests/v2/runs/{run}/stop")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, 2)
    assert k6.get(f"/loadtests/v2/runs/{run}") == before


def test_a_running_run_shows_its_broken_threshold_while_its_result_is_still_zero(k6):
    run = k6.one(run_status=2, breached=1)
    row = k6.get(f"/loadtests/v2/runs/{run}")["k6-run"]
    thresholds = k6.get("/loadtests/v2/thresholds", test_run_id=run)["k6-thresholds"]
    assert row["result_status"] == 0
    assert [threshold["tainted"] for threshold in thresholds][:1] == [True]


def test_an_export_becomes_a_csv_behind_a_signed_link(slow):
    run = slow.one(run_status=3, processing_status=2)
    started = slow.call("POST", f"/loadtests/v2/runs/{run}/export").json()
    assert started == {"exports": [{"export_status": 1, "load_test_run_id": int(run)}]}
    assert slow.get(f"/loadtests/v2/runs/{run}")["k6-run"]["export"]["export_file"] is None
    slow.sandbox.advance(60)
    link = slow.get(f"/loadtests/v2/runs/{run}")["k6-run"]["export"]["export_file"]
    rows = list(csv.DictReader(io.StringIO(requests.get(link, timeout=5).text)))
    assert {row["metric_name"] for row in rows} == {"http_reqs", "http_req_duration"}
    assert requests.get(link.partition("?")[0], timeout=5).status_code == 403
