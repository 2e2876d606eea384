"""The sandbox's Azure Load Testing: what a run measured, its links, schedules, and what goes wrong on purpose."""

import re
from datetime import datetime, timedelta

import pytest
import requests

from tests.sandbox_client import azure_client

LOAD = {"metricNamespace": "LoadTestRunMetrics", "timespan": "2020-01-01T00:00:00Z/2030-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def azure():
    """Shared by the tests that change nothing."""
    yield from azure_client(60, 90)


@pytest.fixture
def slow():
    """A sandbox of one's own in which started runs take the time they say."""
    yield from azure_client(1, 40)


@pytest.fixture(scope="module")
def failed(azure):
    """The truth of a run with failed requests of several names."""
    return next(run for run in azure.truth() if run["breached"] and len(run["errors"]) > 2)


def total(series):
    return sum(point["value"] for row in series for point in row["data"])


# Series


@pytest.mark.parametrize("interval", ["PT5S", "PT1M", "PT5M", "PT1H"])
def test_series_of_every_interval_add_up_to_the_statistics(azure, failed, interval):
    run = failed["external_id"]
    assert total(azure.series(run, "TotalRequests", interval)) == failed["requests"]
    assert total(azure.series(run, "Errors", interval)) == sum(failed["errors"].values())


@pytest.mark.parametrize("dimension", ["RequestName", "EngineRegion", "Errors"])
def test_series_by_the_values_of_a_dimension_add_up_to_the_whole(azure, failed, dimension):
    run = failed["external_id"]
    path = f"/test-runs/{run}/metric-dimensions/{dimension}/values"
    values = azure.get(path, metricname="Errors", **LOAD)["value"]
    rows = azure.series(run, "Errors", filters=[{"name": dimension, "values": values}])
    assert [row["dimensionValues"] for row in rows] == [[{"name": dimension, "value": value}] for value in values]
    assert total(rows) == sum(failed["errors"].values())
    if dimension == "RequestName":
        counts = {value: total([row]) for value, row in zip(values, rows, strict=True)}
        assert {value: count for value, count in counts.items() if count} == failed["errors"]


def test_the_response_times_lie_around_the_mean_of_the_statistics(azure, failed):
    run = failed["external_id"]
    mean = azure.get(f"/test-runs/{run}")["testRunStatistics"]["Total"]["meanResTime"]
    average, usual, tail = (
        [point["value"] for point in azure.series(run, "ResponseTime", **extra)[0]["data"]]
        for extra in ({"aggregation": "Average"}, {}, {"aggregation": "Percentile99"})
    )
    assert min(average) <= mean <= max(average)
    assert all(one < two < three for one, two, three in zip(average, usual, tail, strict=True))


def test_points_stand_at_whole_intervals_and_only_within_the_span(azure, failed):
    run = failed["external_id"]
    moments = [point["timestamp"] for point in azure.series(run, "VirtualUsers")[0]["data"]]
    assert all(moment.endswith(":00Z") for moment in moments)
    part = azure.series(run, "VirtualUsers", timespan=f"{moments[1]}/{moments[2]}")[0]["data"]
    assert [point["timestamp"] for point in part] == moments[1:3]


def test_a_live_run_shows_the_intervals_that_are_over_and_one_without_a_load_nothing(slow):
    run = slow.one(status="EXECUTING")["external_id"]
    before = slow.series(run, "TotalRequests", "PT5S")[0]["data"]
    slow.sandbox.advance(10)
    after = slow.series(run, "TotalRequests", "PT5S")[0]["data"]
    assert after[: len(before)] == before
    assert len(after) == len(before) + 2
    waiting = slow.one(status="PROVISIONING")["external_id"]
    assert slow.series(waiting, "TotalRequests") == [{"data": []}]


def test_namespaces_and_definitions_say_what_can_be_asked(azure, failed):
    path = f"/test-runs/{failed['external_id']}"
    names = [row["name"] for row in azure.get(f"{path}/metric-namespaces")["value"]]
    assert names == ["LoadTestRunMetrics", "EngineHealthMetrics"]
    rows = {row["name"]: row for row in azure.get(f"{path}/metric-definitions", metricNamespace=names[0])["value"]}
    assert set(rows) == {"VirtualUsers", "ResponseTime", "TotalRequests", "Errors"}
    assert rows["ResponseTime"]["primaryAggregationType"] == "Percentile90"
    for name, row in rows.items():
        for aggregation in row["supportedAggregationTypes"]:
            assert azure.series(failed["external_id"], name, aggregation=aggregation)[0]["data"]


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"metricname": None}, {}),
        ({"metricname": "Latency"}, {}),
        ({"metricNamespace": "Other"}, {}),
        ({"timespan": None}, {}),
        ({"timespan": "yesterday/today"}, {}),
        ({"interval": "PT2M"}, {}),
        ({"aggregation": "Median"}, {}),
        ({}, {"filters": [{"name": "SamplerName", "values": ["x"]}]}),
        ({}, {"filters": [{"name": "RequestName", "values": [str(n) for n in range(21)]}]}),
        ({}, {"filters": ["RequestName"]}),
    ],
)
def test_a_series_that_cannot_be_is_a_400(azure, failed, changes, body):
    params = {"metricname": "Errors", **LOAD} | changes
    answer = azure.call("POST", f"/test-runs/{failed['external_id']}/metrics", params, json=body)
    assert answer.status_code == 400


def test_ten_seconds_are_for_runs_shorter_than_ten_minutes(azure):
    lengths = {run["duration_s"]: run["external_id"] for run in azure.truth() if run["results_ready"]}
    for seconds, run in lengths.items():
        if seconds:
            params = {"metricname": "Errors", "interval": "PT10S", **LOAD}
            answer = azure.call("POST", f"/test-runs/{run}/metrics", params, json={})
            assert answer.status_code == (200 if seconds < 600 else 400)


# What a run shows


def test_the_duration_counts_the_milliseconds_from_its_start_to_its_end(azure):
    rows = azure.listed()
    for run in rows:
        if run["status"] == "DONE":
            start, end = (datetime.fromisoformat(run[name]) for name in ("startDateTime", "endDateTime"))
            assert run["duration"] == (end - start) / timedelta(milliseconds=1)
    fractions = {len(run["createdDateTime"].partition(".")[2]) for run in rows}
    assert 8 in fractions  # seven digits and the Z


def test_statistics_add_up_and_decide_the_criteria(azure):
    for found in (azure.one(status="DONE", breached=count, results_ready=True) for count in (0, 1, 2)):
        run = azure.get(f"/test-runs/{found['external_id']}")
        rows = dict(run["testRunStatistics"])
        whole = rows.pop("Total")
        assert whole["sampleCount"] == sum(row["sampleCount"] for row in rows.values()) == found["requests"]
        assert whole["errorCount"] == sum(row["errorCount"] for row in rows.values()) == sum(found["errors"].values())
        assert whole["minResTime"] < whole["medianResTime"] < whole["pct1ResTime"] < whole["pct3ResTime"]
        for rules in run.get("passFailCriteria", {}).values():
            for rule in rules.values():
                over = rule["actualValue"] > rule["value"]
                assert rule["result"] == ("failed" if over == (rule["condition"] == ">") else "passed")


def test_a_load_of_several_regions_is_told_by_region(azure):
    rows = [row for row in azure.listed(status="DONE") if "regionalStatistics" in row]
    for row in rows:
        whole = row["testRunStatistics"]["Total"]["sampleCount"]
        parts = [region["sampleCount"] for region in row["regionalStatistics"].values()]
        assert whole - len(parts) < sum(parts) <= whole
    assert rows


def test_lists_are_heavy_with_links_and_variables_and_every_secret_in_them_is_planted(azure):
    row = next(row for row in azure.get("/test-runs", status="DONE")["value"] if "virtualUsers" in row)
    found = {*re.findall(r"sig=([\w%.-]+)", str(row)), *row["environmentVariables"].values()}
    planted = {row["secret"] for row in azure.http.get(f"{azure.sandbox.url}/__sandbox__/planted").json()}
    quoted = {requests.utils.quote(secret, safe="") for secret in planted}
    assert found - {"https://shop.example"} <= planted | quoted
    assert len(found) == 7 + 3  # links to three inputs, three outputs and the container; variables
    assert {azure.token, azure.given["credentials"]["client_secret"]} <= planted


def test_a_link_opens_its_file_without_a_token_until_it_expires(slow):
    run = slow.one(status="DONE", results_ready=True)["external_id"]
    outputs = slow.get(f"/test-runs/{run}")["testArtifacts"]["outputArtifacts"]
    links = [outputs[name]["url"] for name in ("resultFileInfo", "logsFileInfo", "reportFileInfo")]
    assert [requests.get(link, timeout=5).content[:2] for link in links] == [b"PK"] * 3
    assert requests.get(links[0].partition("&sig=")[0], timeout=5).status_code == 403
    slow.sandbox.advance(3601)
    assert requests.get(links[0], timeout=5).status_code == 403
    slow.token = slow.login().json()["access_token"]
    fresh = slow.get(f"/test-runs/{run}/files/csv.zip")
    assert fresh["fileName"] == "csv.zip"
    assert requests.get(fresh["url"], timeout=5).status_code == 200
    assert slow.call("GET", f"/test-runs/{run}/files/nothing.zip").status_code == 404


def test_a_test_shows_its_files_for_ten_minutes(azure):
    test = azure.truth()[0]["test_external_id"]
    files = azure.get(f"/tests/{test}/files")["value"]
    assert "config.yaml" in {row["fileName"] for row in files}
    assert {row["expireDateTime"] for row in files} == {"2026-05-28T20:36:40Z"}
    assert requests.get(azure.get(f"/tests/{test}/files/config.yaml")["url"], timeout=5).status_code == 200


# Schedules


def test_schedules_are_listed_narrowed_paused_and_resumed(slow):
    rows = slow.listed("/triggers")
    assert {row["state"] for row in rows} == {"Active", "Paused"}
    active = next(row for row in rows if row["state"] == "Active")
    assert len(active["recurrenceStatus"]["nextScheduledDateTimes"]) == 3
    assert slow.listed("/triggers", testIds=active["testIds"][0]) == [active]
    path = f"/triggers/{active['triggerId']}"
    assert slow.patch(path, {"state": "Paused"}).json()["recurrenceStatus"]["nextScheduledDateTimes"] == []
    assert {row["state"] for row in slow.listed("/triggers", states="Paused")} == {"Paused"}
    assert slow.listed("/triggers", states="Active") == []
    assert slow.patch(path, {"state": "Active"}).json() == slow.get(path) == active
    assert slow.patch(path, {"state": "Sleeping"}).status_code == 400


# Faults


def test_a_refusal_on_purpose_speaks_as_its_address_does(slow):
    slow.tell(
        "faults", faults=["kind=429,retry_after=30,provider=azure,path=/test-runs", "kind=503,path=/oauth2/,times=1"]
    )
    slow.tell("faults", kind=401, path="/oauth2/")
    answer = slow.call("GET", "/test-runs")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
    assert answer.json()["error"]["code"] == answer.headers["x-ms-error-code"] == "TooManyRequests"
    assert [slow.login().json()["error_codes"] for _ in range(2)] == [[90033], [7000222]]
    assert slow.call("GET", "/tests").status_code == 200


def test_a_start_whose_answer_is_lost_has_happened_and_can_be_sent_again(slow):
    body = {"testId": slow.truth()[0]["test_external_id"]}
    slow.tell("faults", kind="lost", method="PATCH", provider="azure", times=1)
    with pytest.raises(requests.ConnectionError):
        slow.patch("/test-runs/once-1", body)
    assert slow.patch("/test-runs/once-1", body).status_code == 200
    assert [run["external_id"] for run in slow.truth()].count("once-1") == 1


@pytest.mark.parametrize("kind", ["endless", "repeat"])
def test_a_list_can_have_no_end(slow, kind):
    slow.tell("faults", kind=kind, provider="azure")
    page, seen = slow.get("/test-runs", maxpagesize=16), []
    for _ in range(4):
        seen.append(page["value"][0]["testRunId"])
        page = slow.http.get(page["nextLink"], headers={"Authorization": f"Bearer {slow.token}"}).json()
    assert seen[0] == seen[3]
    assert len(set(seen)) == (1 if kind == "repeat" else 3)


def test_somebody_can_start_a_run_between_two_pages_and_the_clock_can_be_wrong(slow):
    slow.tell("faults", faults=["kind=shift,provider=azure,times=1", "kind=skew,hours=-5,provider=azure"])
    before = len(slow.truth())
    slow.login()
    slow.token = slow.login().json()["access_token"]
    answer = slow.call("GET", "/test-runs")
    assert len(slow.truth()) == before + 1
    assert "15:26:40" in answer.headers["Date"]


def test_a_login_is_in_the_ledger_without_its_secret(slow):
    rows = slow.http.get(f"{slow.sandbox.url}/__sandbox__/ledger").json()["requests"]
    assert (rows[0]["provider"], rows[0]["path"].split("/")[-1], type(rows[0]["body"])) == ("azure", "token", int)
    assert slow.given["credentials"]["client_secret"] not in str(rows)
