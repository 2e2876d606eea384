"""What the sandbox's VSTS API says about one run, its test drops, and what Microsoft's clients ask first."""

import gzip
import io
import zipfile

import pytest
import requests

from tests.sandbox_client import vsts_client

RUNS = "/_apis/clt/testruns"


@pytest.fixture(scope="module")
def vsts():
    """Shared by the tests that change nothing."""
    yield from vsts_client(60)


@pytest.fixture
def slow():
    """A sandbox of one's own in which started runs take the time they say."""
    yield from vsts_client(1)


def started(client, outcome, name="IBuySpy.loadtest"):
    """The path of a run that has just been queued and will end like this."""
    client.outcome(outcome)
    drop = client.call("POST", "/_apis/clt/testdrops").json()["id"]
    run = client.call("POST", RUNS, json={"name": name, "testDrop": {"id": drop}}).json()
    path = f"{RUNS}/{run['id']}"
    assert client.call("PATCH", path, json={"state": "queued"}).status_code == 202
    return path


# Errors


def failed(vsts):
    run = next(run for run in vsts.truth() if run["critical_threshold_errors"] and run["state"] == "completed")
    return run, f"{RUNS}/{run['external_id']}/errors"


def test_counts_are_children_and_occurrences_are_sums(vsts):
    run, path = failed(vsts)
    tree = vsts.get(path, detailed="true")
    for node, children in [(tree, tree["types"])] + [(kind, kind["subTypes"]) for kind in tree["types"]]:
        assert node["count"] == len(children)
        assert node["occurrences"] == sum(child["occurrences"] for child in children)
    for subtype in (subtype for kind in tree["types"] for subtype in kind["subTypes"]):
        assert subtype["count"] == len(subtype["errorDetailList"])
        assert subtype["occurrences"] == sum(detail["occurrences"] for detail in subtype["errorDetailList"])
    assert {kind["typeName"]: kind["occurrences"] for kind in tree["types"]} == run["errors"]


def test_without_details_the_same_counts_come_with_null_lists_and_links_to_the_details(vsts):
    _, path = failed(vsts)
    tree, detailed = vsts.get(path), vsts.get(path, detailed="true")
    subtype = tree["types"][0]["subTypes"][0]
    assert subtype["errorDetailList"] is None
    assert (tree["count"], tree["occurrences"]) == (detailed["count"], detailed["occurrences"])
    assert tree["url"] == detailed["url"]
    assert tree["url"].endswith("/Errors?detailed=true")
    assert subtype["url"] == detailed["types"][0]["subTypes"][0]["url"] + "&detailed=true"
    followed = requests.get(subtype["url"], auth=("", vsts.token), timeout=5).json()
    assert followed["types"][0]["subTypes"][0]["errorDetailList"]


def test_a_filter_keeps_the_shape_and_counts_anew(vsts):
    run, path = failed(vsts)
    tree = vsts.get(path, Type="thresholdmessage", subtype="CRITICAL", detailed="true")
    [kind] = tree["types"]
    [subtype] = kind["subTypes"]
    assert (kind["typeName"], subtype["subTypeName"]) == ("ThresholdMessage", "Critical")
    assert tree["occurrences"] == subtype["occurrences"] == run["critical_threshold_errors"]
    assert vsts.get(path, type="Nothing")["types"] == []


def test_a_subtype_without_a_type_is_refused(vsts):
    _, path = failed(vsts)
    assert vsts.call("GET", path, params={"subType": "Critical"}).status_code == 400


def test_some_run_has_more_than_thirty_details_and_some_a_long_stack_trace(vsts):
    counts, traces = [], []
    for run in vsts.truth():
        tree = vsts.get(f"{RUNS}/{run['external_id']}/errors", detailed="true")
        details = [row for kind in tree["types"] for sub in kind["subTypes"] for row in sub["errorDetailList"]]
        counts.append(len(details))
        traces += [row["stackTrace"] for row in details]
    assert max(counts) > 30
    assert max(map(len, traces)) > 2000


def test_errors_come_partway_through_the_load_and_grow_until_it_ends(slow):
    path = started(slow, "threshold_failed")
    waited = 0
    while not slow.get(f"{path}/errors")["occurrences"]:
        slow.sandbox.advance(15)
        waited += 15
    assert waited > 0.2 * slow.get(path)["runSpecificDetails"]["duration"]
    seen = [slow.get(f"{path}/errors")["occurrences"]]
    for _ in range(2):
        slow.sandbox.advance(5000)
        seen.append(slow.get(f"{path}/errors")["occurrences"])
    assert seen[0] < seen[1] == seen[2]


# Messages, results


def test_messages_are_newest_first_and_a_pending_run_has_none(vsts):
    run = vsts.one(state="completed")
    body = vsts.get(f"{RUNS}/{run}/messages")
    dates = [row["loggedDate"] for row in body["value"]]
    assert body["count"] == len(dates) >= 3
    assert dates == sorted(dates, reverse=True)
    assert len({row["messageId"] for row in body["value"]}) == body["count"]
    assert vsts.get(f"{RUNS}/{vsts.one(state='pending')}/messages") == {"count": 0, "value": []}


def test_the_reason_of_an_abort_is_among_the_messages(vsts):
    run = next(run for run in vsts.truth() if run["state"] == "aborted" and run["error_detail"])
    rows = vsts.get(f"{RUNS}/{run['external_id']}/messages")["value"]
    assert ("error", run["error_detail"]) in {(row["messageType"], row["message"]) for row in rows}


def test_the_archive_is_gzip_under_a_zip_name_and_needs_its_signature(vsts):
    run = next(run for run in vsts.truth() if run["state"] == "completed" and run["test"].endswith(".loadtest"))
    results = vsts.get(f"{RUNS}/{run['external_id']}/results")
    link = results["resultsUrl"]
    assert link.partition("?")[0].endswith("/TestResult/LoadTest.ltrar.zip")
    assert b"ltrar archive" in gzip.decompress(requests.get(link, timeout=5).content)
    assert requests.get(link.partition("&sig=")[0], timeout=5).status_code == 403
    assert "sig=" in results["diagnostics"]["diagnosticStoreConnectionString"]
    assert [group["groupName"] for group in results["counterGroups"]] == ["Performance", "Throughput", "Application"]


def test_counter_groups_are_wrapped_behind_the_switch(slow):
    run = slow.one(state="completed")
    bare = slow.get(f"{RUNS}/{run}/results")["counterGroups"]
    slow.switch(vsts_wrapped_counter_groups=True)
    assert slow.get(f"{RUNS}/{run}/results")["counterGroups"] == {"count": 3, "value": bare}


def test_a_run_that_had_no_load_has_no_archive(vsts):
    made = next(run for run in vsts.truth() if run["state"] == "aborted" and not run["load_started"])
    assert "resultsUrl" not in vsts.get(f"{RUNS}/{made['external_id']}/results")


def test_a_jmeter_run_keeps_a_real_zip_behind_the_key_of_its_drop(vsts):
    made = next(run for run in vsts.truth() if run["state"] == "completed" and run["test"].endswith(".jmx"))
    path = f"{RUNS}/{made['external_id']}"
    assert "resultsUrl" not in vsts.get(f"{path}/results")
    drop = vsts.get(f"/_apis/clt/testdrops/{vsts.get(path)['testDrop']['id']}")
    container = drop["accessData"]["dropContainerUrl"].replace(drop["id"], made["external_id"])
    answer = requests.get(f"{container}/TestResult/ResultsArchive.zip{drop['accessData']['sasKey']}", timeout=5)
    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["Results1.csv"]


def test_the_summary_adds_up(vsts):
    run, _ = failed(vsts)
    summary = vsts.get(f"{RUNS}/{run['external_id']}/ResultSummary")
    requests_made = summary["overallRequestSummary"]
    assert requests_made["totalRequests"] == requests_made["passedRequests"] + requests_made["failedRequests"]
    assert summary["overallScenarioSummary"]["maxUserLoad"] == run["virtual_users"]


def test_the_configuration_lists_the_places_load_can_come_from(vsts):
    assert "West Europe" in vsts.get("/_apis/clt/configuration")["validGeoLocations"]


# Counters


def test_counters_are_chosen_by_group_and_summed_up_on_request(vsts):
    path = f"{RUNS}/{vsts.one(state='completed')}/counterinstances"
    performance = vsts.get(path, groupNames="performance")
    assert [row["counterName"] for row in performance["value"]] == [
        "Avg. Test Time",
        "Avg. Page Time",
        "Avg. Response Time",
        "User Load",
    ]
    assert "summaryData" not in performance["value"][0]
    both = vsts.get(path, groupNames="Performance,Throughput", includeSummary="true")
    assert both["count"] == 8
    for row in both["value"]:
        summary = row["summaryData"]
        assert summary["min"] <= summary["average"] <= summary["max"]
    assert vsts.call("GET", path).status_code == 400


def test_samples_come_in_doubled_values_and_can_be_cut(vsts):
    path = f"{RUNS}/{vsts.one(state='completed')}/countersamples"
    ids = ["Els~-1828439162", "Els~-1854500553"]
    asked = [{"counterInstanceId": ids[0]}, {"CounterInstanceId": ids[1], "fromInterval": 2, "toInterval": 4}]
    body = vsts.call("POST", path, json={"count": 2, "value": asked}).json()
    assert [group["counterInstanceId"] for group in body["values"]] == ids
    assert [row["intervalNumber"] for row in body["values"][1]["values"]] == [2, 3, 4]
    assert body["totalSamplesCount"] == sum(group["count"] for group in body["values"])
    ends = [row["intervalEndDate"] for row in body["values"][0]["values"]]
    assert ends == sorted(set(ends))
    unknown = vsts.call("POST", path, json={"value": [{"counterInstanceId": "Els~1"}]})
    assert unknown.status_code == 400


def test_a_batch_of_samples_is_capped_and_the_rest_is_fetched_by_raising_the_first_interval(slow):
    run = slow.sandbox.store.runs["vsts"][slow.one(state="completed")]
    run.dates["load_ended"] = run.dates["load_started"] + 2500 * 15 * 1_000_000
    path = f"{RUNS}/{run.id}/countersamples"
    counts = []
    for first in (0, 2000):
        asked = [{"counterInstanceId": "Els~-1828439162", "fromInterval": first}]
        counts.append(slow.call("POST", path, json={"value": asked}).json()["totalSamplesCount"])
    assert counts == [2000, 500]


# Test drops


def test_a_drop_takes_files_and_gives_them_back(slow):
    made = slow.call("POST", "/_apis/clt/testdrops", json={"DropType": "TestServiceBlobDrop"}).json()
    assert (made["dropType"], made["testRunId"], made["loadTestDefinition"]) == ("TestServiceBlobDrop", None, None)
    assert slow.get(f"/_apis/clt/TestDrops/{made['id']}") == made
    access = made["accessData"]
    link = f"{access['dropContainerUrl']}/a.loadtest{access['sasKey']}"
    assert (
        requests.put(link, data=b"<LoadTest/>", headers={"x-ms-blob-type": "BlockBlob"}, timeout=5).status_code == 201
    )
    assert requests.get(link, timeout=5).content == b"<LoadTest/>"
    assert requests.get(f"{access['dropContainerUrl']}/b.loadtest{access['sasKey']}", timeout=5).status_code == 404
    assert requests.put(f"{access['dropContainerUrl']}/a.loadtest", data=b"", timeout=5).status_code == 403


def test_a_drop_names_the_run_that_uses_it(slow):
    path = started(slow, "completed")
    run = slow.get(path)
    assert slow.get(f"/_apis/clt/testdrops/{run['testDrop']['id']}")["testRunId"] == run["id"]


# What Microsoft's clients ask first


def test_resource_locations_lead_to_routes_that_answer(vsts):
    rows = vsts.call("OPTIONS", "/_apis").json()["value"]
    by_name = {row["resourceName"]: row for row in rows}
    assert {"testRuns", "errors", "messages", "results", "counterInstances", "counterSamples"} < set(by_name)
    assert (by_name["testRuns"]["resourceVersion"], by_name["errors"]["resourceVersion"]) == (1, 2)
    run = vsts.one(state="completed")
    for name in ("testRuns", "errors", "messages", "results"):
        route = by_name[name]["routeTemplate"].replace("{testRunId}", run)
        assert vsts.call("GET", f"/{route}").status_code == 200


def test_the_resource_area_stays_at_this_address(vsts):
    areas = vsts.get("/_apis/resourceAreas")["value"]
    assert [area["locationUrl"] for area in areas] == [f"{vsts.sandbox.url}/"]
