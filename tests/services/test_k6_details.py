"""What hangs below a run of Grafana Cloud k6 (v6): thresholds, checks, requests, charts and the error tree."""

import pytest
from pytest_httpserver import HTTPServer

from runs.services.base import Forbidden, Unavailable

from .k6_v6_stand_in import StandIn, entry, line, payload, run_row

REQUESTS = "by (name,method,status)"
TOLD = {
    "k6-thresholds": [
        {"id": 9, "metric_id": "threshold_9", "name": "http_req_duration: p(95)<300", "stat": "p(95)", "value": 300.0,
         "calculated_value": 412.5, "tainted": True, "tainted_at": "2024-03-05 10:01:00+00:00"},
        {"id": 10, "metric_id": "threshold_10", "name": "http_req_failed: rate<0.05", "stat": "rate", "value": 0.05,
         "calculated_value": 0.01, "tainted": False, "tainted_at": None},
    ],
    "k6-metrics": [{"id": "threshold_9", "name": "http_req_duration", "contains": "time"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def server():
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def k6(server):
    server.clear()
    return full(StandIn(server))


def full(k6):
    """A failed run with requests, checks and numbers."""
    k6.runs = [payload("run_completed")]
    requests = [
        ({"name": "https://shop.example/cart", "method": "GET", "status": "200"}, 900, 120.0, 280.0, 700.0),
        ({"name": "https://shop.example/cart", "method": "GET", "status": "500"}, 40, 90.0, 100.0, 120.0),
        ({"name": "https://shop.example/pay?token=abcdef", "method": "POST", "status": "0"}, 5, None, None, None),
    ]
    k6.metrics = {
        ("http_reqs", f"increase {REQUESTS}"): [line(count, **labels) for labels, count, *_ in requests],
        ("http_req_duration", f"histogram_avg {REQUESTS}"): [line(row[2], **row[0]) for row in requests[:2]],
        ("http_req_duration", f"histogram_quantile(0.95) {REQUESTS}"): [line(row[3], **row[0]) for row in requests[:2]],
        ("http_req_duration", f"histogram_max {REQUESTS}"): [line(row[4], **row[0]) for row in requests[:2]],
        ('http_reqs{status="0"}', "increase by (name,method,error_code)"): [
            line(5, name="https://shop.example/pay?token=abcdef", method="POST", error_code="1212")
        ],
        ("checks", "increase_nz by (check,group)"): [
            line(6, check="cart is shown", group="::buy"), line(10, check="is up", group=""),
        ],
        ("checks", "increase_total by (check,group)"): [
            line(8, check="cart is shown", group="::buy"), line(10, check="is up", group=""),
        ],
        ("http_req_duration", "histogram_quantile(0.95)"): [line(412.5)],
        ("vus", "sum(last by (instance_id))"): [line(200)],
        ("http_req_duration", "histogram_avg"): [line(180.0)],
        ("http_req_failed", "ratio"): [line(0.01)],
        ('http_req_duration{name="get-token"}', "histogram_max"): [line(300.0)],
    }  # fmt: skip
    k6.types = [
        {"id": "m1", "name": "http_req_duration", "origin": "builtin", "type": "trend"},
        {"id": "m2", "name": "http_req_failed", "origin": "builtin", "type": "rate"},
    ]
    k6.answers["GET", "/cloud/v5/test_runs(501)/result_summary"] = summary()
    return k6


def summary(total=4, successes=3):
    return {
        "result_status": "Failed",
        "metrics_summary": {
            "http_metric_summary": {
                "requests_count": 945, "failures_count": 45, "rps_mean": 7.0, "rps_max": 11.0, "duration_median": 110,
                "duration": {"count": 945, "min": 3, "mean": 118, "max": 700, "p95": 412.5, "p99": 600, "stdev": 9},
            },
            "thresholds_summary": {"total": total, "successes": successes},
        },
    }  # fmt: skip


def details(k6):
    service = k6.service()
    return service.get_details(service.get_run("501"))


def tree(found):
    return {(error.type, error.subtype, error.message): error.occurrences for error in found.errors}


def test_the_error_tree_holds_failed_requests_checks_and_breached_thresholds(k6):
    assert tree(details(k6)) == {
        ("HTTP", "500", "GET https://shop.example/cart"): 40,
        ("HTTP", "1212", "POST https://shop.example/pay?token=[redacted]"): 5,
        ("Check", "cart is shown", "buy"): 2,
        ("Threshold", "http_req_duration", "p(95)<300"): 1,
    }


def test_requests_checks_and_the_whole_run_have_their_numbers(k6):
    found = {(metric.kind, metric.name): metric.numbers for metric in details(k6).metrics}
    assert found["run", ""] == {
        "count": 945, "failed": 45, "rate_per_s": 7, "peak_rate_per_s": 11, "min_ms": 3, "avg_ms": 118,
        "median_ms": 110, "p95_ms": 412.5, "p99_ms": 600, "max_ms": 700, "max_vus": 200, "error_rate": 45 / 945,
    }  # fmt: skip
    assert found["request", "GET https://shop.example/cart (200)"] == {
        "count": 900, "failed": 0, "avg_ms": 120, "p95_ms": 280, "max_ms": 700,
    }  # fmt: skip
    assert found["request", "POST https://shop.example/pay?token=[redacted] (no answer)"] == {"count": 5, "failed": 5}
    assert found["check", "buy: cart is shown"] == {"count": 8, "passed": 6, "failed": 2, "error_rate": 0.25}


def test_charts_are_in_seconds_since_the_load_began(k6):
    series = {one.name: one.points for one in details(k6).series}
    assert series == {"p95_ms": ((0.0, 412.5),), "vus": ((0.0, 200.0),)}


def test_the_older_list_of_thresholds_outranks_all_else(k6):
    k6.answers["GET", "/loadtests/v2/thresholds"] = TOLD
    found = details(k6)
    assert [(one.metric, one.condition, one.broken, one.value, one.unit) for one in found.thresholds] == [
        ("http_req_duration", "p(95)<300", True, 412.5, "ms"), ("http_req_failed", "rate<0.05", False, 0.01, ""),
    ]  # fmt: skip
    assert ("Threshold", "http_req_duration", "p(95)<300") in tree(found)


def test_without_it_the_conditions_are_held_against_the_metrics_and_the_providers_own_count(k6):
    found = {(one.metric, one.condition): one for one in details(k6).thresholds}
    assert {key: one.broken for key, one in found.items()} == {
        ("http_req_duration", "p(95)<300"): True,
        ("http_req_duration", "avg<200"): False,
        ("http_req_failed", "rate<0.05"): False,
        ("http_req_duration{name:get-token}", "max<900"): False,
    }
    judged = found["http_req_duration", "p(95)<300"]
    assert (judged.value, judged.limit, judged.unit) == (412.5, 300.0, "ms")
    assert found["http_req_failed", "rate<0.05"].unit == ""


@pytest.mark.parametrize("counts", [(4, 1), (5, 4), (None, None), (4, None)])
def test_where_that_count_does_not_agree_nothing_is_said_of_any_of_them(k6, counts):
    k6.answers["GET", "/cloud/v5/test_runs(501)/result_summary"] = summary(*counts)
    found = details(k6)
    assert {one.broken for one in found.thresholds} == {None}
    assert [one.value for one in found.thresholds] == [412.5, 180.0, 0.01, 300.0]
    assert [error for error in found.errors if error.type == "Threshold"] == []


def test_all_thresholds_of_a_passed_run_held(k6):
    k6.runs = [run_row(501, result="passed")]
    del k6.answers["GET", "/cloud/v5/test_runs(501)/result_summary"]
    assert {one.broken for one in details(k6).thresholds} == {False}
    assert details(k6).result == "passed"


def test_the_only_threshold_of_a_failed_run_is_the_breached_one(k6):
    k6.runs = [run_row(501, options={"thresholds": {"my_counter": ["count>7"]}})]
    del k6.answers["GET", "/cloud/v5/test_runs(501)/result_summary"]
    assert [(one.metric, one.broken) for one in details(k6).thresholds] == [("my_counter", True)]


def test_a_live_run_has_thresholds_and_no_verdict(k6):
    history = [entry("created", 0), entry("running", 20)]
    k6.runs = [run_row(501, status="running", result=None, ended=None, status_history=history)]
    found = details(k6)
    assert found.result is None
    assert [one.broken for one in found.thresholds].count(True) == 1


def test_a_run_without_thresholds_passed_nothing(k6):
    k6.runs = [run_row(501, result="passed", options={"vus": 3})]
    assert details(k6).result == "none"
    assert k6.paths("thresholds") == []


def test_a_run_whose_options_nobody_tells_keeps_what_the_provider_says(k6):
    k6.runs = [run_row(501, result="passed", options=None)]
    assert details(k6).result == "passed"


def test_a_run_that_never_began_costs_next_to_nothing(k6):
    aborted = entry("aborted", 9, by_user=None, message="could not fetch the session", code=8030)
    k6.runs = [run_row(501, status="aborted", result="error", status_history=[entry("created", 0), aborted])]
    found = details(k6)
    assert tree(found) == {("Run", "8030", "could not fetch the session"): 1}
    assert (found.metrics, list(found.series)) == ([], [])
    assert len(k6.asked) == 2


def test_a_summary_that_is_closed_is_made_of_the_metrics(k6):
    del k6.answers["GET", "/cloud/v5/test_runs(501)/result_summary"]
    k6.metrics |= {
        ("http_req_duration", "histogram_min"): [line(3)],
        ("http_req_duration", "histogram_max"): [line(700)],
        ("http_req_duration", "histogram_quantile(0.5)"): [line(110)],
        ("http_req_failed", "increase_nz"): [line(45)],
    }
    whole = next(metric.numbers for metric in details(k6).metrics if metric.kind == "run")
    assert whole == {
        "count": 945, "failed": 45, "rate_per_s": 7, "min_ms": 3, "avg_ms": 180, "median_ms": 110, "p95_ms": 412.5,
        "max_ms": 700, "max_vus": 200, "error_rate": 45 / 945,
    }  # fmt: skip


def test_a_part_that_is_refused_is_left_empty_and_the_others_are_not(k6):
    k6.closed = ("checks",)
    found = details(k6)
    assert {error.type for error in found.errors} == {"HTTP", "Threshold"}


def test_details_of_which_nothing_may_be_read_are_an_error(k6):
    k6.closed = ("checks", "http_reqs", "http_req_duration", "vus", "http_req_failed")
    refusal = (403, {"error": {"code": "error", "message": "could not find or access"}})
    k6.answers["GET", "/cloud/v5/test_runs(501)/result_summary"] = refusal
    k6.answers["GET", "/loadtests/v2/thresholds"] = refusal
    k6.answers["GET", "/cloud/v5/test_runs/501/metrics"] = refusal
    with pytest.raises(Forbidden):
        details(k6)


def test_an_outage_is_raised(k6):
    k6.answers["GET", "/cloud/v5/test_runs(501)/result_summary"] = (503, {})
    with pytest.raises(Unavailable):
        details(k6)


def test_no_sentence_of_a_v6_account_speaks_of_the_legacy_api(k6):
    k6.closed = ("checks",)
    k6.answers["GET", "/cloud/v5/test_runs(501)/result_summary"] = []
    assert "legacy" not in str(details(k6))
