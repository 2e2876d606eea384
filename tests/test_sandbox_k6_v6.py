"""The sandbox's /cloud/v6: who may call, lists, the life of a run in its words, and that it is the legacy API's run."""

from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox_client import TEST, v6_client

KEYS = {
    "id", "test_id", "project_id", "started_by", "created", "ended", "note", "retention_expiry", "cost", "status",
    "status_details", "status_history", "distribution", "result", "result_details", "options", "k6_dependencies",
    "k6_versions", "max_vus", "max_browser_vus", "estimated_duration", "execution_duration", "is_starred",
}  # fmt: skip


@pytest.fixture(scope="module")
def k6():
    """Shared by the tests that change nothing."""
    yield from v6_client(60)


@pytest.fixture
def slow():
    """A sandbox of one's own in which started runs take the time they say."""
    yield from v6_client(1)


# who may call


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"Authorization": None}, 401, "Authentication required"),
        ({"Authorization": "Bearer nonsense"}, 401, "Invalid token"),
        ({"X-Stack-Id": None}, 403, "X-Stack-Id"),
        ({"X-Stack-Id": "7"}, 403, "X-Stack-Id"),
        ({"X-Stack-Id": "mine"}, 400, "not a number"),
    ],
)
def test_the_token_and_the_stack_are_asked_for(k6, headers, status, message):
    answer = k6.call("GET", "/cloud/v6/test_runs", headers=headers)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == ("validation_error" if status == 400 else "error")


def test_the_address_of_the_stack_tells_its_id_and_its_default_project(k6):
    asked = {"X-Stack-Id": None, "X-Stack-Url": k6.given["stack_url"]}
    assert k6.call("GET", "/cloud/v6/auth", headers=asked).json() == {
        "stack_id": int(k6.stack_id),
        "default_project_id": 5276,
    }
    asked["X-Stack-Url"] = "https://elsewhere.grafana.net"
    assert k6.call("GET", "/cloud/v6/auth", headers=asked).status_code == 403


def test_a_read_only_token_reads_but_does_not_start(k6):
    headers = {"Authorization": f"Bearer {k6.given['read_only_credentials']['token']}"}
    assert k6.call("GET", "/cloud/v6/projects", headers=headers).status_code == 200
    assert k6.post(f"/load_tests/{TEST}/start", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/test_runs/999999999", 404, "error"),
        ("GET", "/test_runs/100001", 403, "error"),
        ("GET", "/load_tests/1001/test_runs", 403, "error"),
        ("GET", "/load_tests/none", 404, "error"),
        ("GET", "/nowhere", 404, "error"),
        ("PUT", "/test_runs", 405, "error"),
        ("TRACE", "/test_runs", 405, "error"),
        ("GET", "/test_runs?$top=1001", 400, "validation_error"),
        ("GET", "/test_runs?$top=0", 400, "validation_error"),
        ("GET", "/test_runs?$skip=-1", 400, "validation_error"),
        ("GET", "/test_runs?$count=perhaps", 400, "validation_error"),
        ("GET", "/test_runs?$orderby=created", 400, "validation_error"),
        ("GET", "/test_runs?created_after=2026-01-01T00:00:00", 400, "validation_error"),
        ("GET", "/load_tests?$orderby=vus", 400, "validation_error"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_status_of_its_reason(k6, method, path, status, code):
    answer = k6.call(method, f"/cloud/v6{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


# lists


def test_projects_are_found_by_name_and_by_a_part_of_it_and_put_in_order(k6):
    assert [row["name"] for row in k6.get("/projects", name="Shop")["value"]] == ["Shop"]
    assert [row["name"] for row in k6.get("/projects", name_search="FEED")["value"]] == ["Search & feeds"]
    backwards = k6.get("/projects", **{"$orderby": "name desc,created"})["value"]
    assert [row["name"] for row in backwards] == ["Shop", "Search & feeds", "Experiments"]
    assert [row["is_default"] for row in k6.get("/projects")["value"]] == [True, False, False]


def test_each_load_test_is_in_its_project(k6):
    of_projects = [
        test
        for project in k6.get("/projects")["value"]
        for test in k6.get(f"/projects/{project['id']}/load_tests")["value"]
    ]
    assert sorted(of_projects, key=lambda test: test["id"]) == k6.get("/load_tests")["value"]
    assert k6.get("/load_tests", name=of_projects[0]["name"])["value"] == [of_projects[0]]
    assert k6.get(f"/load_tests/{of_projects[0]['id']}") == of_projects[0]


def test_pages_follow_one_another_by_absolute_links_oldest_run_first(k6):
    page, seen = k6.get("/test_runs", **{"$top": 40, "$count": "true"}), []
    count = page["@count"]
    while True:
        seen += page["value"]
        if "@nextLink" not in page:
            break
        assert page["@nextLink"].startswith(f"{k6.sandbox.url}/cloud/v6/test_runs?")
        page = k6.http.get(page["@nextLink"]).json()
    assert count == len(seen) == len(k6.truth())
    assert [row["created"] for row in seen] == sorted(row["created"] for row in seen)
    assert {row["id"] for row in seen} == {int(run["external_id"]) for run in k6.truth()}


def test_a_link_keeps_what_was_asked_for(k6):
    asked = {"$top": 2, "created_after": "2026-01-01T00:00:00+02:00", "$orderby": "created desc"}
    link = k6.get(f"/load_tests/{TEST}/test_runs", **asked)["@nextLink"]
    assert parse_qs(urlsplit(link).query) == {
        "$orderby": ["created desc"],
        "created_after": ["2026-01-01T00:00:00+02:00"],
        "$skip": ["2"],
        "$top": ["2"],
    }


def test_created_after_includes_its_moment_and_created_before_does_not(k6):
    runs = k6.get("/test_runs")["value"]
    first, last = runs[10]["created"], runs[20]["created"]
    found = k6.get("/test_runs", created_after=first, created_before=last)["value"]
    assert found == runs[10:20]
    a_moment_later = (datetime.fromisoformat(first) + timedelta(microseconds=1)).isoformat()
    assert k6.get("/test_runs", created_after=a_moment_later, created_before=last)["value"] == runs[11:20]


# a run


def test_every_member_of_a_run_is_always_there_with_dates_to_the_microsecond(k6):
    for row in k6.get("/test_runs")["value"]:
        assert set(row) == KEYS
        assert len(row["created"]) == len("2026-05-11T16:00:58.984041Z")
        assert row["status_details"] == row["status_history"][-1]
        assert row["status"] == row["status_details"]["type"]


def test_each_run_is_the_same_as_in_the_legacy_api(k6):
    truth = {run["external_id"]: run for run in k6.truth()}
    for row in k6.get("/test_runs")["value"]:
        made = truth[str(row["id"])]
        legacy = k6.call("GET", f"/loadtests/v2/runs/{row['id']}").json()["k6-run"]
        same = {"id", "test_id", "project_id", "created", "note"}
        assert {name: row[name] for name in same} == {name: legacy[name] for name in same}
        assert (row["status"], row["result"], row["ended"]) == (made["status"], made["result"], made["ended"])
        assert legacy["run_status"] == made["run_status"]
        assert (legacy["result_status"] == 1) == (row["result"] == "failed")


@pytest.mark.parametrize(
    ("made", "status", "result"),
    [
        ({"run_status": 3, "processing_status": 3, "breached": 0}, "completed", "error"),
        ({"run_status": 4}, "aborted", "error"),
        ({"run_status": 5, "breached": 0}, "aborted", "error"),
        ({"run_status": 7}, "aborted", "error"),
        ({"run_status": 8}, "aborted", "failed"),
        ({"run_status": 9}, "aborted", "error"),
        ({"run_status": 42}, "hibernating", None),
        ({"run_status": 2}, "running", None),
        ({"run_status": 3, "processing_status": 1}, "processing_metrics", None),
        ({"run_status": -1}, "created", None),
    ],
)
def test_legacy_numbers_have_their_words(k6, made, status, result):
    row = k6.get(f"/test_runs/{k6.one(**made)}")
    assert (row["status"], row["result"]) == (status, result)
    assert (row["ended"] is None) == (status in ("running", "processing_metrics", "created"))


def test_an_archived_script_is_no_run(k6):
    legacy = k6.own("GET", "/truth?provider=k6-legacy").json()["runs"]
    archived = next(run["external_id"] for run in legacy if run["run_status"] == 10)
    assert k6.call("GET", f"/cloud/v6/test_runs/{archived}").status_code == 404


def test_what_follows_from_the_options_is_null_until_they_are_valid(k6):
    derived = {"cost", "distribution", "options", "max_vus", "max_browser_vus", "estimated_duration"}
    for made in ({"run_status": -2}, {"run_status": 9}):
        row = k6.get(f"/test_runs/{k6.one(**made)}")
        assert {name for name in KEYS if row[name] is None} >= derived
    row = k6.get(f"/test_runs/{k6.one(run_status=-1)}")
    assert None not in [row[name] for name in derived]


def test_the_options_hold_a_planted_token_and_the_thresholds_of_the_run(k6):
    row = k6.get(f"/test_runs/{k6.one(status='completed', thresholds=3)}")
    planted = {entry["secret"] for entry in k6.own("GET", "/planted").json()}
    assert row["options"]["cloud"]["token"] in planted
    assert k6.token in planted
    assert len(row["options"]["thresholds"]) == 3
    without = k6.get(f"/test_runs/{k6.one(status='completed', thresholds=0)}")
    assert (without["options"]["thresholds"], without["result"]) == ({}, "passed")


# starting and aborting


def test_a_started_run_passes_through_every_word_to_its_result(slow):
    run = slow.start("failed")
    assert run.pop("test_run_details_page_url").endswith(f"/runs/{run['id']}")
    assert set(run) == KEYS
    assert (run["status"], run["cost"], run["execution_duration"]) == ("created", None, 0)
    duration = int(slow.get(f"/load_tests/{TEST}/test_runs")["value"][0]["estimated_duration"])
    words = []
    for stretch in (5, 36, 60, duration - 30, 20, 60):
        slow.sandbox.advance(stretch)
        words.append(slow.get(f"/test_runs/{run['id']}")["status"])
    assert words == ["queued", "initializing", "running", "processing_metrics", "processing_metrics", "completed"]
    over = slow.get(f"/test_runs/{run['id']}")
    assert [entry["type"] for entry in over["status_history"]] == ["created", *dict.fromkeys(words)]
    assert (over["result"], over["started_by"]) == ("failed", "maren.solberg@shop.example")
    assert over["ended"] == over["status_details"]["entered"]


def test_a_key_starts_a_test_once_within_ten_minutes(slow):
    first = slow.start(key="0123456789abcdef")["id"]
    slow.sandbox.advance(599)
    assert slow.start(key="0123456789abcdef")["id"] == first
    assert slow.start(key="another")["id"] == first + 1
    other = slow.post("/load_tests/3536/start", headers={"K6-Idempotency-Key": "0123456789abcdef"}).json()["id"]
    assert other == first + 2
    slow.sandbox.advance(1)
    assert slow.start(key="0123456789abcdef")["id"] == first + 3
    assert slow.start()["id"] == first + 4


def test_an_aborted_run_says_who_did_it_and_cannot_be_aborted_again(slow):
    run = slow.start()["id"]
    slow.sandbox.advance(120)
    assert slow.post(f"/test_runs/{run}/abort").status_code == 204
    refused = slow.post(f"/test_runs/{run}/abort")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert slow.get(f"/test_runs/{run}")["status"] == "running"
    slow.sandbox.advance(11)
    row = slow.get(f"/test_runs/{run}")
    assert (row["status"], row["result"]) == ("aborted", "error")
    assert row["status_details"]["extra"]["by_user"] == "maren.solberg@shop.example"
    assert slow.post(f"/test_runs/{run}/abort").status_code == 409


def test_notes_and_stars_are_changed_and_seen_by_everybody(slow):
    run = slow.one(status="completed", is_starred=False)
    assert slow.call("PATCH", f"/cloud/v6/test_runs/{run}", json={"note": "größer"}).status_code == 204
    assert slow.post(f"/test_runs/{run}/star").status_code == 204
    row = slow.get(f"/test_runs/{run}")
    assert (row["note"], row["is_starred"]) == ("größer", True)
    assert slow.call("GET", f"/loadtests/v2/runs/{run}").json()["k6-run"]["note"] == "größer"
    starred = slow.get(f"/load_tests/{row['test_id']}/test_runs", is_starred=1)["value"]
    assert run in [str(row["id"]) for row in starred]
    assert slow.post(f"/test_runs/{run}/unstar").status_code == 204
    assert not slow.get(f"/test_runs/{run}")["is_starred"]


@pytest.mark.parametrize("body", [{}, {"note": None}, {"note": "a", "name": "b"}, {"note": "\ud800"}])
def test_a_note_is_a_text_and_comes_alone(k6, body):
    assert k6.call("PATCH", f"/cloud/v6/test_runs/{k6.one()}", json=body).status_code == 400


def test_a_body_of_another_type_is_415(k6):
    answer = k6.call("PATCH", f"/cloud/v6/test_runs/{k6.one()}", data={"note": "a"})
    assert answer.status_code == 415
    assert answer.json()["error"]["message"] == 'Unsupported media type "application/x-www-form-urlencoded"'


def test_a_deleted_run_is_gone_from_every_api_but_not_while_it_runs(slow):
    live, run = slow.start()["id"], slow.one(status="completed")
    assert slow.call("DELETE", f"/cloud/v6/test_runs/{live}").status_code == 409
    assert slow.call("DELETE", f"/cloud/v6/test_runs/{run}").status_code == 204
    assert slow.call("GET", f"/cloud/v6/test_runs/{run}").status_code == 404
    assert slow.call("GET", f"/loadtests/v2/runs/{run}").status_code == 404
    assert run not in [row["external_id"] for row in slow.truth()]


# beside the runs


def test_a_run_has_machines_once_its_load_has_begun(k6):
    assert k6.call("GET", f"/cloud/v6/test_runs/{k6.one(status='queued')}/distribution").status_code == 404
    zones = k6.get(f"/test_runs/{k6.one(status='completed')}/distribution")["distribution"]
    assert sum(zone["percentage"] for zone in zones.values()) == 100
    assert all(zone["nodes"] for zone in zones.values())


def test_limits_are_set_and_removed_one_by_one(slow):
    def change(**values) -> int:
        return slow.call("PATCH", "/cloud/v6/projects/5276/limits", json=values).status_code

    assert change(vu_max_per_test=50, duration_max_per_test=600) == 204
    assert change(duration_max_per_test=None) == 204
    assert (change(vu_max_per_test=0), change(vus=1)) == (400, 400)
    limits = slow.get("/projects/5276/limits")
    assert (limits["vu_max_per_test"], limits["duration_max_per_test"]) == (50, None)
    listed = slow.get("/project-limits", project_id_in="5277,5276")["value"]
    assert [row["project_id"] for row in listed] == [5276, 5277]
    assert listed[0] == limits


def test_private_zones_are_allowed_to_projects_one_by_one(k6):
    private = k6.get("/projects/5276/allowed_load_zones")["value"]
    assert [zone["public"] for zone in private] == [False]
    assert k6.get("/load_zones", k6_load_zone_id=private[0]["k6_load_zone_id"])["value"] == private
    assert k6.get("/projects/5277/allowed_load_zones")["value"] == []
    assert [project["id"] for project in k6.get(f"/load_zones/{private[0]['id']}/allowed_projects")["value"]] == [5276]


# the sandbox's own pages


def test_the_ledger_tells_a_v6_caller_from_a_legacy_one_by_the_token(slow):
    run = slow.one(status="completed")
    legacy = slow.own("GET", "/credentials").json()["k6-legacy"]["credentials"]["token"]
    for headers in ({}, {"Authorization": f"Token {legacy}"}):
        assert slow.call("GET", f"/cloud/v5/test_runs/{run}/metrics", headers=headers).json()["value"]
    slow.get("/projects")
    seen = slow.own("GET", "/ledger").json()["requests"]
    assert [row["provider"] for row in seen] == ["k6", "k6-legacy", "k6"]


def test_a_fault_strikes_v6_alone_in_its_own_words(slow):
    slow.own("POST", "/faults", json={"kind": "503", "provider": "k6", "retry_after": "7"}).raise_for_status()
    struck = slow.call("GET", "/cloud/v6/projects")
    assert (struck.status_code, struck.headers["Retry-After"]) == (503, "7")
    assert struck.json()["error"]["code"] == "error"
    assert slow.call("GET", "/v3/organizations").status_code == 503  # the same token: the same caller
    legacy = slow.own("GET", "/credentials").json()["k6-legacy"]["credentials"]["token"]
    headers = {"Authorization": f"Token {legacy}"}
    assert slow.call("GET", "/v3/organizations", headers=headers).status_code == 200


def test_a_start_whose_answer_is_lost_is_found_again_by_its_key(slow):
    slow.own("POST", "/faults", json={"kind": "lost", "method": "POST", "times": 1}).raise_for_status()
    before = len(slow.truth())
    with pytest.raises(requests.ConnectionError):
        slow.post(f"/load_tests/{TEST}/start", headers={"K6-Idempotency-Key": "once"})
    again = slow.post(f"/load_tests/{TEST}/start", headers={"K6-Idempotency-Key": "once"})
    assert again.status_code == 200
    assert len(slow.truth()) == before + 1


def test_an_endless_list_links_ever_further(slow):
    slow.own("POST", "/faults", json={"kind": "endless", "provider": "k6"}).raise_for_status()
    page = slow.get("/test_runs", **{"$top": 60})
    skips = []
    for _ in range(4):
        skips += parse_qs(urlsplit(page["@nextLink"]).query)["$skip"]
        page = slow.http.get(page["@nextLink"]).json()
    assert skips == ["60", "120", "180", "240"]
    assert page["value"]
