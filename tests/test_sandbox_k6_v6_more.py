"""The sandbox's /cloud/v6 beside its runs: schedules, scripts, and what options would cost."""

import io
import tarfile

import pytest

from runs.sandbox.clock import DAY, SECOND, iso, parse_instant
from runs.sandbox.k6_recurrence import BadCron, check_cron, next_run
from tests.sandbox_client import NOON, TEST, V6, v6_client

NEVER = {"recurrence_rule": None, "cron": None}


@pytest.fixture(scope="module")
def k6():
    """Shared by the tests that change nothing."""
    yield from v6_client(60)


@pytest.fixture
def own():
    """A sandbox of one's own."""
    yield from v6_client(60)


# when a schedule is due


def rule(frequency: str, **changes) -> dict:
    made = {"frequency": frequency, "interval": 1, "byday": None, "until": None, "count": None} | changes
    return NEVER | {"recurrence_rule": made}


def cron(schedule: str, time_zone: str = "UTC") -> dict:
    return NEVER | {"cron": {"schedule": schedule, "time_zone": time_zone}}


@pytest.mark.parametrize(
    ("made", "starts", "now", "due"),
    [
        (NEVER, "2026-01-05T08:00:00Z", "2026-01-05T07:59:59Z", "2026-01-05T08:00:00.000000Z"),
        (NEVER, "2026-01-05T08:00:00Z", "2026-01-05T08:00:00Z", None),
        (rule("HOURLY", interval=2), "2026-01-05T08:30:00Z", "2026-01-06T10:30:00Z", "2026-01-06T12:30:00.000000Z"),
        (rule("DAILY"), "2026-01-05T08:00:00Z", "2025-01-01T00:00:00Z", "2026-01-05T08:00:00.000000Z"),
        (rule("DAILY", count=3), "2026-01-05T08:00:00Z", "2026-01-06T08:00:00Z", "2026-01-07T08:00:00.000000Z"),
        (rule("DAILY", count=3), "2026-01-05T08:00:00Z", "2026-01-07T08:00:00Z", None),
        # 7 January 2026 is a Wednesday.
        (rule("WEEKLY"), "2026-01-07T08:00:00Z", "2026-01-07T08:00:00Z", "2026-01-14T08:00:00.000000Z"),
        (
            rule("WEEKLY", byday=["FR", "MO"], interval=2),
            "2026-01-07T08:00:00Z",
            "2026-01-09T08:00:00Z",
            "2026-01-19T08:00:00.000000Z",
        ),
        (rule("WEEKLY", byday=["FR", "MO"], count=1), "2026-01-07T08:00:00Z", "2026-01-09T08:00:00Z", None),
        (rule("MONTHLY"), "2026-01-31T08:00:00Z", "2026-02-01T00:00:00Z", "2026-02-28T08:00:00.000000Z"),
        (rule("YEARLY", interval=3), "2024-02-29T08:00:00Z", "2026-02-01T00:00:00Z", "2027-02-28T08:00:00.000000Z"),
        (cron("30 2 * * 1-5"), "2026-01-01T00:00:00Z", "2026-01-09T02:30:00Z", "2026-01-12T02:30:00.000000Z"),
        (
            cron("0 9 * * *", "Asia/Tokyo"),
            "2026-01-01T00:00:00Z",
            "2026-01-09T00:00:00Z",
            "2026-01-10T00:00:00.000000Z",
        ),
        (cron("0 0 29 FEB *"), "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00.000000Z"),
        (cron("*/20 0 13 * FRI"), "2026-01-01T00:00:00Z", "2026-01-09T00:20:00Z", "2026-01-09T00:40:00.000000Z"),
        (cron("0 0 31 2 *"), "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", None),
        (cron("@hourly"), "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00.000000Z"),
    ],
)
def test_the_next_start_follows_from_the_rule(made, starts, now, due):
    when = next_run(made | {"starts": parse_instant(starts)}, parse_instant(now))
    assert (None if when is None else iso(when)) == due


def test_nothing_is_due_past_the_end_of_a_rule():
    now = int(NOON) * SECOND
    made = rule("DAILY", until=now + DAY) | {"starts": now - DAY // 2}
    assert next_run(made, now) == now + DAY // 2
    assert next_run(made, now + DAY // 2) is None


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "@never"])
def test_what_is_no_cron_expression_is_refused(text):
    with pytest.raises(BadCron):
        check_cron({"schedule": text, "time_zone": "UTC"})


# schedules


def test_every_kind_of_schedule_is_listed_and_found_by_its_id_and_its_test(k6):
    listed = k6.get("/schedules", **{"$count": "true"})
    assert listed["@count"] == len(listed["value"]) == 4
    for made in listed["value"]:
        assert set(made) == set(
            "id load_test_id starts recurrence_rule cron deactivated next_run created_by".split(),  # noqa: SIM905
        )
        assert k6.get(f"/schedules/{made['id']}") == k6.get(f"/load_tests/{made['load_test_id']}/schedule") == made
    assert [made["next_run"] is None for made in listed["value"]] == [False, False, True, False]
    assert [made["deactivated"] for made in listed["value"]] == [False, True, False, False]


def test_schedules_are_switched_off_and_on_unless_they_have_expired(own):
    one, _, expired, _ = (made["id"] for made in own.get("/schedules")["value"])
    assert own.post(f"/schedules/{one}/deactivate").status_code == 204
    shown = own.get(f"/schedules/{one}")
    assert shown["deactivated"]
    assert shown["next_run"]
    assert own.post(f"/schedules/{one}/activate").status_code == 204
    assert not own.get(f"/schedules/{one}")["deactivated"]
    assert own.post(f"/schedules/{expired}/deactivate").status_code == 204
    assert not own.get(f"/schedules/{expired}")["deactivated"]
    refused = own.post(f"/schedules/{expired}/activate")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


def test_a_new_schedule_takes_the_place_of_the_tests_old_one(own):
    before = own.get(f"/load_tests/{TEST}/schedule")
    body = {"starts": "2036-01-01T08:00:00+01:00", "recurrence_rule": {"frequency": "DAILY"}}
    made = own.post(f"/load_tests/{TEST}/schedule", json=body).json()
    assert made["next_run"] == made["starts"] == "2036-01-01T07:00:00.000000Z"
    assert made["recurrence_rule"] == {"interval": 1, "byday": None, "until": None, "count": None, "frequency": "DAILY"}
    assert own.get(f"/load_tests/{TEST}/schedule") == made
    assert own.call("GET", f"/cloud/v6/schedules/{before['id']}").status_code == 404
    assert own.call("DELETE", f"/cloud/v6/schedules/{made['id']}").status_code == 204
    assert own.call("GET", f"/cloud/v6/load_tests/{TEST}/schedule").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"starts": "2036-01-01T08:00:00"},
        {"starts": "2036-01-01T08:00:00Z", "cron": {"schedule": "@daily", "time_zone": "Nowhere/Land"}},
        {"starts": "2036-01-01T08:00:00Z", "cron": {"schedule": "@daily"}},
        {"starts": "2036-01-01T08:00:00Z", "recurrence_rule": {"frequency": "DAILY", "byday": ["MO"]}},
        {"starts": "2036-01-01T08:00:00Z", "recurrence_rule": {"frequency": "DAILY", "interval": 0}},
        {
            "starts": "2036-01-01T08:00:00Z",
            "recurrence_rule": {"frequency": "DAILY"},
            "cron": {"schedule": "@daily", "time_zone": "UTC"},
        },
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(k6, body):
    assert k6.post(f"/load_tests/{TEST}/schedule", json=body).status_code == 400


# scripts


def upload(k6: V6, script: bytes, content_type: str = "application/octet-stream") -> int:
    headers = {"Content-Type": content_type}
    return k6.call("PUT", f"/cloud/v6/load_tests/{TEST}/script", data=script, headers=headers).status_code


def test_the_script_of_a_test_changes_and_that_of_its_runs_stays(own):
    run = own.one(test_external_id=str(TEST))
    path = f"/cloud/v6/load_tests/{TEST}/script"
    before = own.call("GET", path)
    assert before.headers["Content-Type"] == "text/javascript"
    updated = own.get(f"/load_tests/{TEST}")["updated"]
    assert upload(own, b"export default function () {}") == 204
    assert own.call("GET", path).text == "export default function () {}"
    assert own.call("GET", f"/cloud/v6/test_runs/{run}/script").text == before.text
    later = own.start()["id"]
    assert own.call("GET", f"/cloud/v6/test_runs/{later}/script").text == "export default function () {}"
    assert own.get(f"/load_tests/{TEST}")["updated"] == updated


def test_a_script_may_be_an_archive_and_is_sent_as_what_it_is(own):
    other = own.call("GET", "/cloud/v6/load_tests/3538/script")
    assert other.headers["Content-Type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(other.content)) as archive:
        assert sorted(archive.getnames()) == ["data", "metadata.json"]
    assert upload(own, other.content) == 204
    path = f"/cloud/v6/load_tests/{TEST}/script"
    assert own.call("GET", path, headers={"Accept": "text/javascript"}).status_code == 406
    assert own.call("GET", path, headers={"Accept": "text/html, application/*;q=0.5"}).content == other.content
    assert (upload(own, b""), upload(own, b"a", "text/plain")) == (400, 415)


# options


def estimate(k6: V6, options: object, **more) -> dict:
    answer = k6.post("/validate_options", json={"options": options} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("options", "vuh"),
    [
        ({"vus": 60, "duration": "1m30s"}, 1.5),
        ({"stages": [{"duration": "10m", "target": 20}, {"duration": "50m", "target": 60}]}, 60),
        ({"scenarios": {"a": {"vus": 6, "duration": "1h"}, "b": {"maxVUs": 4, "duration": 1_800_000}}}, 8),
        ({"vus": 6, "iterations": 10}, 1),
        ({"vus": 200, "duration": "1h"}, 180),
    ],
)
def test_options_are_estimated_in_hours_of_virtual_users(k6, options, vuh):
    found = estimate(k6, options)
    assert found["vuh_usage"] == pytest.approx(vuh)
    assert found["breakdown"]["protocol_vuh"] == found["vuh_usage"]


def test_reductions_are_told_one_by_one(k6):
    breakdown = estimate(k6, {"vus": 200, "duration": "1h"}, is_local_execution=True)["breakdown"]
    assert breakdown == {
        "protocol_vuh": 135,
        "browser_vuh": 0,
        "base_total_vuh": 200,
        "reduction_rate": 32.5,
        "reduction_rate_breakdown": {"volume": 10, "local_run": 25},
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"options": []},
        {"options": {"vus": 30_000, "duration": "1m"}},
        {"options": {"vus": -1}},
        {"options": {"vus": 1, "duration": "soon"}},
        {"options": {"cloud": {"projectID": 99}}},
        {"options": {"scenarios": {"a": 1}}},
        {"options": {}, "k6_dependencies": {"k6": 1}},
    ],
)
def test_options_that_cannot_be_run_are_refused(k6, body):
    answer = k6.post("/validate_options", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_error")


def test_options_above_the_projects_limits_are_refused(own):
    options = {"vus": 60, "duration": "1h", "cloud": {"projectID": 5277}}
    for limit in ({"vu_max_per_test": 50}, {"vu_max_per_test": None, "duration_max_per_test": 60}):
        own.call("PATCH", "/cloud/v6/projects/5277/limits", json=limit).raise_for_status()
        refused = own.post("/validate_options", json={"options": options})
        assert refused.json()["error"]["target"] == "options"
        assert estimate(own, options | {"cloud": None})["vuh_usage"] == 60
