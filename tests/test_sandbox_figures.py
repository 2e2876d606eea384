"""The sandbox's figures come from one source: whatever two answers say about a run, they say the same."""

import re
from datetime import datetime

import pytest

from runs.sandbox.server import Sandbox
from tests.sandbox_client import K6, NOON, Vsts

HOLDS = {"<": float.__lt__, ">": float.__gt__}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(tests=8, runs=60, clock=lambda: NOON) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def k6(sandbox):
    """A caller, and the k6 runs that have had load."""
    client = K6(sandbox)
    client.with_load = [run for run in client.truth() if run["load_started"]]
    yield client
    client.http.close()


def seconds_of(run):
    ended = datetime.fromisoformat(run["load_ended"]).timestamp() if run["load_ended"] else NOON
    return ended - datetime.fromisoformat(run["load_started"]).timestamp()


def summary_of(k6, run):
    return k6.get(f"/cloud/v5/test_runs({run['external_id']})/result_summary")["metrics_summary"]


def chart(k6, run, metric, query, step):
    call = f"query_range_k6(query='{query}',metric='{metric}',step={step})"
    rows = k6.get(f"/cloud/v5/test_runs/{run['external_id']}/{call}")["data"]["result"]
    assert len(rows) == 1
    return [value for _, value in rows[0]["values"]]


def failed_share(summary):
    return summary["http_metric_summary"]["failures_count"] / summary["http_metric_summary"]["requests_count"]


def test_a_k6_threshold_s_value_is_the_summary_s_and_it_is_broken_when_its_condition_is_not_kept(k6):
    judged = 0
    for run in k6.with_load:
        summary = summary_of(k6, run)
        http, checks = summary["http_metric_summary"], summary["checks_metric_summary"]
        figures = {
            ("http_req_duration", "p(95)"): http["duration"]["p95"],
            ("http_req_failed", "rate"): http["failures_count"] / http["requests_count"],
            ("checks", "rate"): checks["hits_successes"] / checks["hits_total"],
            ("http_reqs", "count"): http["requests_count"],
        }
        thresholds = k6.get("/loadtests/v2/thresholds", test_run_id=run["external_id"])["k6-thresholds"]
        for row in thresholds:
            metric, condition = row["name"].split(": ")
            assert row["calculated_value"] == pytest.approx(figures[metric, row["stat"]], abs=1e-6)
            sign, limit = condition[len(row["stat"])], float(condition[len(row["stat"]) + 1 :])
            assert limit == row["value"]
            if row["stat"] != "count" or run["ended"]:
                judged += 1
                assert row["tainted"] is not HOLDS[sign](float(row["calculated_value"]), limit), row
        assert run["breached"] == sum(row["tainted"] for row in thresholds)
        assert run["result_status"] == (run["breached"] > 0 and run["ended"] is not None)
    assert judged > 40


def test_a_k6_run_s_requests_checks_and_errors_add_up_to_its_summary(k6):
    for run in k6.with_load:
        summary, key = summary_of(k6, run), run["external_id"]
        http, held = summary["http_metric_summary"], summary["checks_metric_summary"]
        urls = k6.get("/loadtests/v3/urls", test_run_id=key)["k6-urls"]
        checks = k6.get("/loadtests/v3/checks", test_run_id=key)["k6-checks"]
        overview = k6.get("/loadtests/v2/run-overviews", test_run_id=key)["k6-run-overviews"][0]
        counts = [row["count"] for row in urls]
        mean = sum(row["mean"] * row["count"] for row in urls) / sum(counts)
        assert http["requests_count"] == sum(counts)
        assert http["duration"]["mean"] == overview["http_req_duration_avg"] == pytest.approx(mean, abs=0.002)
        assert http["duration"]["min"] == min(row["min"] for row in urls)
        assert http["duration"]["max"] == max(row["max"] for row in urls)
        failed = sum(row["count"] for row in urls if row["status"] != 200)
        assert http["failures_count"] == run["errors"].get("HTTP", 0) == failed
        unmet = {row["name"]: row["total_count"] - row["success_count"] for row in checks}
        assert unmet["status is 200"] == failed
        assert held["hits_total"] - held["hits_successes"] == run["errors"].get("Check", 0) == sum(unmet.values())


def test_a_k6_run_s_charts_add_up_to_its_summary(k6):
    for run in k6.with_load:
        seconds = seconds_of(run)
        step = max(1, int(seconds / 100))
        http = summary_of(k6, run)["http_metric_summary"]
        rates = chart(k6, run, "http_reqs", "rate", step)
        failures = chart(k6, run, "http_req_failed", "rate_nz", step)
        slow = chart(k6, run, "http_req_duration", "histogram_quantile(0.95)", step)
        covered = step * (len(rates) - 1)
        assert seconds - step - 1 <= covered <= seconds
        assert sum(rates) * step == pytest.approx(http["requests_count"], rel=0.03, abs=2)
        assert sum(failures) * step == pytest.approx(http["failures_count"], rel=0.05, abs=2)
        weighted = sum(rate * p95 for rate, p95 in zip(rates[-len(slow) :], slow, strict=True)) / sum(rates)
        assert weighted == pytest.approx(http["duration"]["p95"], rel=0.03)
        assert http["rps_mean"] <= max(rates) <= http["rps_max"] * 1.001
        assert max(slow) <= http["duration"]["max"]


def test_k6_runs_that_passed_have_few_errors_and_the_others_a_burst_from_some_point_on(k6):
    bursts = 0
    for run in k6.with_load:
        share = failed_share(summary_of(k6, run))
        if not run["breached"]:
            assert share <= 0.005
            continue
        assert 0.01 <= share <= 0.12
        failures = chart(k6, run, "http_req_failed", "rate_nz", max(1, int(seconds_of(run) / 50)))
        first = next(n for n, value in enumerate(failures) if value > 0)
        assert len(failures) * 0.2 < first < len(failures) * 0.75
        assert max(failures) > 1.3 * sum(failures[first:]) / len(failures[first:])
        bursts += 1
    assert bursts > 3


def test_k6_errors_are_spread_unevenly_and_differently_from_run_to_run(k6):
    spreads = []
    for run in k6.with_load:
        urls = k6.get("/loadtests/v3/urls", test_run_id=run["external_id"])["k6-urls"]
        failed = sorted((row["count"] for row in urls if row["status"] != 200), reverse=True)
        if sum(failed) > 200:
            spreads.append(tuple(round(count / sum(failed), 2) for count in failed))
            assert failed[0] > 1.2 * failed[-1]
    assert len(set(spreads)) == len(spreads) > 3


def test_a_live_k6_run_stands_at_full_load_to_the_last_charted_point(k6):
    live = [run for run in k6.with_load if run["run_status"] == 2]
    assert len(live) == 2
    for run in live:
        users = chart(k6, run, "vus", "sum(last by (instance_id))", 5)
        rates = chart(k6, run, "http_reqs", "rate", 5)
        assert users[-1] == run["virtual_users"]
        assert rates[-1] > 0.9 * max(rates)


# VSTS

RUNS = "/_apis/clt/testruns"
VALUE = re.compile(r"The value ([\d.]+) (exceeds|is below) the (critical|warning) threshold value of ([\d.]+)\.")


@pytest.fixture(scope="module")
def vsts(sandbox):
    """A caller, and the VSTS runs that have had load."""
    client = Vsts(sandbox)
    client.with_load = [run for run in client.truth() if run["load_started"]]
    yield client
    client.http.close()


def details_of(vsts, run):
    """(type, detail) of every error."""
    tree = vsts.get(f"{RUNS}/{run['external_id']}/errors", detailed="true")
    return [
        (kind["typeName"], row) for kind in tree["types"] for sub in kind["subTypes"] for row in sub["errorDetailList"]
    ]


def counters_of(vsts, run):
    """Per counter its summary and its values, interval by interval."""
    path = f"{RUNS}/{run['external_id']}"
    rows = vsts.get(f"{path}/counterinstances", groupNames="Default", includeSummary="true")["value"]
    asked = [{"counterInstanceId": row["counterInstanceId"]} for row in rows]
    groups = vsts.call("POST", f"{path}/countersamples", json={"value": asked}).json()["values"]
    values = [[sample["computedValue"] for sample in group["values"]] for group in groups]
    return {row["counterName"]: (row["summaryData"], each) for row, each in zip(rows, values, strict=True)}


def result_of(vsts, run):
    return vsts.get(f"{RUNS}/{run['external_id']}/ResultSummary")


def test_vsts_requests_errors_and_counters_agree(vsts):
    for run in vsts.with_load:
        counters, result = counters_of(vsts, run), result_of(vsts, run)
        requests, scenario = result["overallRequestSummary"], result["overallScenarioSummary"]
        (rate, rates), (_, errors) = counters["Requests/Sec"], counters["Errors/Sec"]
        (time, times), (users, present) = counters["Avg. Response Time"], counters["User Load"]
        assert requests["totalRequests"] == pytest.approx(sum(rates) * 15, abs=1)
        assert requests["failedRequests"] == pytest.approx(sum(errors) * 15, abs=1)
        of_requests = sum(row["occurrences"] for kind, row in details_of(vsts, run) if kind != "ThresholdMessage")
        assert requests["failedRequests"] == of_requests
        assert sum(run["errors"].values()) == of_requests + run["errors"].get("ThresholdMessage", 0)
        assert requests["requestsPerSec"] == pytest.approx(rate["average"], rel=0.002)
        assert requests["averageResponseTime"] == time["average"]
        weighted = sum(one * weight for one, weight in zip(times, rates, strict=True)) / sum(rates)
        assert time["average"] == pytest.approx(weighted, abs=0.0002)
        assert (min(times), max(times)) == (time["min"], time["max"])
        assert (users["min"], users["max"]) == (scenario["minUserLoad"], scenario["maxUserLoad"])
        assert users["max"] == present[-1] <= run["virtual_users"]
        assert run["ended"] is None or users["max"] == run["virtual_users"]


def test_a_vsts_threshold_s_value_is_beyond_its_limit_as_often_as_it_says(vsts):
    crossed = 0
    for run in vsts.with_load:
        times = counters_of(vsts, run)["Avg. Response Time"][1]
        critical = 0
        for row in [row for kind, row in details_of(vsts, run) if kind == "ThresholdMessage"]:
            value, how, level, limit = VALUE.search(row["messageText"]).groups()
            assert (float(value) > float(limit)) == (how == "exceeds")
            critical += row["occurrences"] if level == "critical" else 0
            if "Avg. Response Time" in row["messageText"]:
                beyond = [time for time in times if time > float(limit)]
                assert (max(beyond), len(beyond)) == (float(value), row["occurrences"])
                assert times[0] < float(limit)
                crossed += 1
        assert critical == run["critical_threshold_errors"]
    assert crossed > 2


def test_vsts_runs_that_passed_have_few_errors_and_the_others_a_burst_from_some_point_on(vsts):
    bursts = 0
    for run in vsts.with_load:
        requests = result_of(vsts, run)["overallRequestSummary"]
        share = requests["failedRequests"] / requests["totalRequests"]
        if not run["critical_threshold_errors"]:
            assert share <= 0.005
            continue
        assert 0.01 <= share <= 0.12
        errors = counters_of(vsts, run)["Errors/Sec"][1]
        first = next(n for n, value in enumerate(errors) if value > 0)
        assert len(errors) * 0.2 < first < len(errors) * 0.75
        assert errors[first] > 1.2 * sum(errors[first:]) / len(errors[first:])
        counts = [row["occurrences"] for kind, row in details_of(vsts, run) if kind != "ThresholdMessage"]
        assert max(counts) > 1.2 * min(counts)
        bursts += 1
    assert bursts > 2
