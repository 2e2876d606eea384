"""What is known below a legacy k6 run: thresholds, checks, requests, numbers, charts, and its error tree."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer

from runs.services.base import Unauthorized, Unavailable

from .k6_stand_in import BEGAN, TOKEN, StandIn, payload

V5 = "/cloud/v5/test_runs/501"
SERIES = f"{V5}/query_range_k6"
AGGREGATE = f"{V5}/query_aggregate_k6"


@pytest.fixture(scope="module")
def server():
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def k6(server):
    server.clear()
    stand_in = StandIn(server)
    stand_in.answers |= {
        ("GET", "/loadtests/v2/runs/501"): payload("run_v2"),
        ("GET", "/loadtests/v2/thresholds"): payload("thresholds"),
        ("GET", "/loadtests/v3/checks"): payload("checks"),
        ("GET", "/loadtests/v3/urls"): payload("urls"),
        ("GET", "/loadtests/v4/test_runs(501)"): payload("summary_v4"),
        ("GET", f"{V5}/label/group/values"): {"status": "success", "data": ["", "::login"]},
    }
    return stand_in


def metrics(*rows):
    """An answer of the metrics API: (labels, [[seconds, value], …]) each."""
    result = [
        {"metric": {"__name__": "m", "test_run_id": "501", **labels}, "values": points} for labels, points in rows
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def the_run(k6, **changes):
    return replace(k6.service().get_run("501"), **changes)


def details(k6, **changes):
    return k6.service().get_details(the_run(k6, **changes))


def errors(found):
    return [(error.type, error.subtype, error.message, error.occurrences) for error in found.errors]


# -- thresholds and the verdict ----------------------------------------------------------------------------------------


def test_thresholds_show_metric_condition_value_and_whether_they_broke(k6):
    broken, kept = details(k6).thresholds
    assert (broken.metric, broken.condition, broken.broken) == ("http_req_duration{scenario:buy}", "p(95)<500", True)
    assert (broken.value, broken.limit, broken.unit) == (612.4, 500.0, "ms")
    assert (kept.metric, kept.condition, kept.broken) == ("iterations", "count (limit 200)", False)


@pytest.mark.parametrize(
    ("name", "metric", "condition"),
    [
        ("http_req_duration:p(95)<500", "http_req_duration", "p(95)<500"),
        ("http_reqs{url:https://shop.example/}: count>= 10", "http_reqs{url:https://shop.example/}", "count>= 10"),
        ("checks:rate>0.9", "checks", "rate>0.9"),
        ("rate<0.01", "http_req_duration", "rate<0.01"),
        ("threshold_1", "http_req_duration", "p(95) (limit 500)"),
    ],
)
def test_the_condition_is_read_from_the_name_where_it_stands_there(k6, name, metric, condition):
    data = payload("thresholds")
    data["k6-thresholds"] = [data["k6-thresholds"][0] | {"name": name}]
    k6.answers["GET", "/loadtests/v2/thresholds"] = data
    (threshold,) = details(k6).thresholds
    assert (threshold.metric, threshold.condition) == (metric, condition)


@pytest.mark.parametrize(("tainted", "broken"), [(True, True), (False, False), (None, None), ("true", True), (1, True)])
def test_a_threshold_that_was_not_judged_is_neither_kept_nor_broken(k6, tainted, broken):
    data = payload("thresholds")
    data["k6-thresholds"] = [data["k6-thresholds"][0] | {"tainted": tainted}]
    k6.answers["GET", "/loadtests/v2/thresholds"] = data
    assert details(k6).thresholds[0].broken is broken


def test_passed_without_any_threshold_is_no_verdict(k6):
    k6.answers["GET", "/loadtests/v2/thresholds"] = {"k6-metrics": [], "k6-thresholds": []}
    assert details(k6, result="passed").result == "none"


@pytest.mark.parametrize("result", ["failed", "error", "none"])
def test_other_results_stand_without_thresholds_too(k6, result):
    k6.answers["GET", "/loadtests/v2/thresholds"] = {"k6-metrics": [], "k6-thresholds": []}
    assert details(k6, result=result).result == result


def test_passed_with_a_threshold_is_passed(k6):
    assert details(k6, result="passed").result == "passed"


def test_thresholds_that_cannot_be_read_leave_the_result_as_it_is(k6):
    k6.gone = ("/loadtests/v2/thresholds",)
    found = details(k6, result="passed")
    assert (found.result, found.thresholds) == (None, [])


# -- the error tree ----------------------------------------------------------------------------------------------------


def test_the_error_tree_holds_requests_checks_and_thresholds(k6):
    assert errors(details(k6)) == [
        ("Threshold", "http_req_duration{scenario:buy}", "p(95)<500", 1),
        ("Check", "status is 200", "login", 10),
        ("HTTP", "503", "GET https://shop.example/cart", 15),
        ("HTTP", "no answer", "POST https://shop.example/pay", 5),
    ]


def test_a_broken_threshold_is_dated(k6):
    assert details(k6).errors[0].last_at == datetime(2024, 3, 5, 10, 1, 21, tzinfo=UTC)


def test_the_runs_own_error_is_in_the_tree(k6):
    found = details(k6, error_code="8030", error_message="ReferenceError: cart is not defined")
    assert errors(found)[0] == ("Run", "8030", "ReferenceError: cart is not defined", 1)


def test_requests_without_an_answer_are_told_apart_by_k6s_error_code(k6):
    k6.before = lambda path: k6.answers.update(
        {
            ("GET", path): metrics(
                ({"name": "https://shop.example/pay", "method": "POST", "error_code": "1050"}, [[0, 5]])
            )
        }
        if path.startswith(AGGREGATE)
        else {}
    )
    assert ("HTTP", "1050", "POST https://shop.example/pay", 5) in errors(details(k6))
    assert "no answer" not in str(errors(details(k6)))
    (asked,) = set(k6.paths(AGGREGATE))
    assert asked.endswith("(query='increase by (name,method,error_code)',metric='http_reqs{status=\"0\"}')")


def test_secrets_in_request_addresses_are_not_kept(k6):
    data = payload("urls")
    data["k6-urls"][1]["name"] = f"https://shop.example/cart?token=abcdef123456&x={TOKEN}"
    k6.answers["GET", "/loadtests/v3/urls"] = data
    found = str(details(k6))
    assert "shop.example/cart" in found
    assert "abcdef123456" not in found
    assert TOKEN not in found


# -- numbers and charts ------------------------------------------------------------------------------------------------


def rows(found, kind):
    return {row.name: dict(row.numbers) for row in found.metrics if row.kind == kind}


def test_the_runs_own_numbers_come_from_its_summary(k6):
    assert rows(details(k6), "run") == {
        "": {
            "count": 100,
            "failed": 20,
            "error_rate": 0.2,
            "rate_per_s": 0.75,
            "peak_rate_per_s": 4,
            "min_ms": 2,
            "avg_ms": 95,
            "p95_ms": 230,
            "p99_ms": 390,
            "max_ms": 900,
            "max_vus": 200,
        }
    }


def test_without_the_older_summary_the_newer_one_is_read(k6):
    k6.gone = ("/loadtests/v4",)
    k6.answers["GET", "/cloud/v5/test_runs(501)/result_summary"] = payload("result_summary_v5")
    assert rows(details(k6), "run")[""]["median_ms"] == 80
    assert k6.parameters("result_summary") == [{"$select": "metrics_summary,baseline_test_run_details"}]


def test_without_any_summary_the_overview_has_to_do(k6):
    k6.gone = ("/loadtests/v4", "/cloud/v5")
    k6.answers["GET", "/loadtests/v2/run-overviews"] = payload("run_overviews")
    assert rows(details(k6), "run")[""] == {
        "count": 100,
        "failed": 20,
        "error_rate": 0.2,
        "rate_per_s": 0.75,
        "avg_ms": 95,
        "max_vus": 200,
    }


@pytest.mark.parametrize("summary", [{}, {"http_metric_summary": None}, {"http_metric_summary": "none"}])
def test_a_run_without_requests_has_no_numbers(k6, summary):
    k6.answers["GET", "/loadtests/v4/test_runs(501)"] = summary
    assert rows(details(k6), "run") == {}


def test_numbers_that_are_missing_or_odd_are_left_out(k6):
    summary = {"http_metric_summary": {"requests_count": "7", "failures_count": None, "duration": {"p95": "slow"}}}
    k6.answers["GET", "/loadtests/v4/test_runs(501)"] = summary
    assert rows(details(k6), "run") == {"": {"count": 7, "max_vus": 200}}


def test_each_kind_of_request_has_a_row(k6):
    found = rows(details(k6), "request")
    assert list(found) == [
        "GET https://shop.example/cart (200)",
        "GET https://shop.example/cart (503)",
        "POST https://shop.example/pay (no answer)",
    ]
    assert found["GET https://shop.example/cart (503)"] == {
        "count": 15,
        "failed": 15,
        "min_ms": 2,
        "avg_ms": 11,
        "p95_ms": 24,
        "p99_ms": 40,
        "max_ms": 90,
    }


def test_each_check_has_a_row(k6):
    assert rows(details(k6), "check") == {
        "login: status is 200": {"count": 100, "passed": 90, "failed": 10, "error_rate": 0.1},
        "has a cart": {"count": 100, "passed": 100, "failed": 0, "error_rate": 0},
    }


def test_checks_and_requests_come_from_the_metrics_where_the_undocumented_addresses_are_gone(k6):
    k6.gone = ("/loadtests/v3",)
    check = {"check": "status is 200", "group": "::login"}
    cart = {"name": "https://shop.example/cart", "method": "GET", "status": "503"}
    found = {
        "increase_nz by (check,group)": metrics((check, [[0, 60.0]])),
        "increase_total by (check,group)": metrics((check, [[0, 80.0]])),
        "increase by (name,method,status)": metrics((cart, [[0, "12"]])),
        "histogram_quantile(0.95) by (name,method,status)": metrics((cart, [[0, 321.5]])),
    }

    def before(path):
        for query, answer in found.items():
            if path.startswith(f"{AGGREGATE}(query='{query}'"):
                k6.answers["GET", path] = answer

    k6.before = before
    result = details(k6)
    assert rows(result, "check") == {
        "login: status is 200": {"count": 80, "passed": 60, "failed": 20, "error_rate": 0.25}
    }
    assert rows(result, "request") == {
        "GET https://shop.example/cart (503)": {"count": 12, "failed": 12, "p95_ms": 321.5}
    }
    assert ("Check", "status is 200", "login", 20) in errors(result)
    assert ("HTTP", "503", "GET https://shop.example/cart", 12) in errors(result)


def test_charts_are_in_seconds_since_the_load_began(k6):
    began = BEGAN.timestamp() + 20

    def before(path):
        if path.startswith(SERIES):
            name = path.partition("metric='")[2].partition("'")[0]
            points = [[began + 1, 10.5], [began + 2, "11"], [began + 3, None], "odd"]
            k6.answers["GET", path] = metrics(({}, points)) if name != "vus" else metrics()

    k6.before = before
    series = {one.name: (one.unit, list(one.points)) for one in details(k6).series}
    points = [(1.0, 10.5), (2.0, 11.0)]
    assert series == {"p95_ms": ("ms", points), "rate_per_s": ("1/s", points), "errors_per_s": ("1/s", points)}
    assert len(set(k6.paths(SERIES))) == 4
    assert f"{SERIES}(query='histogram_quantile(0.95)',metric='http_req_duration',step=1)" in k6.paths(SERIES)


def test_a_long_run_is_charted_in_few_points(k6):
    k6.before = lambda path: k6.answers.update({("GET", path): metrics()} if path.startswith(SERIES) else {})
    details(k6, duration_s=7200.0)
    assert {path.rpartition("step=")[2] for path in k6.paths(SERIES)} == {"30)"}


# -- parts that are missing --------------------------------------------------------------------------------------------


def test_a_run_that_never_began_is_asked_for_its_thresholds_only(k6):
    run = the_run(k6, load_started_at=None, started_at=None)
    k6.asked.clear()
    found = k6.service().get_details(run)
    assert k6.paths() == ["/loadtests/v2/thresholds"]
    assert found.has_archive is False


@pytest.mark.parametrize("status", [403, 404, 405, 400])
@pytest.mark.parametrize("path", ["/loadtests/v2/thresholds", "/loadtests/v3/checks", "/loadtests/v3/urls"])
def test_a_refused_part_is_left_empty_and_the_others_are_there(k6, path, status):
    k6.answers["GET", path] = (status, {"error": {"message": "no", "code": 4}})
    found = details(k6)
    assert len(found.metrics) >= 3
    assert found.errors


@pytest.mark.parametrize("answer", [None, [], {}, "text", {"k6-checks": "many"}, {"k6-checks": [5, {"name": None}]}])
def test_a_part_in_an_odd_shape_is_left_empty(k6, answer):
    k6.answers["GET", "/loadtests/v3/checks"] = (200, answer)
    found = details(k6)
    assert rows(found, "check").keys() <= {""}
    assert found.thresholds


def test_a_token_that_may_see_nothing_is_an_error_not_an_empty_run(k6):
    run = the_run(k6)
    k6.before = lambda path: k6.answers.update({("GET", path): (403, {"error": {"message": "no", "code": 4}})})
    with pytest.raises(Unauthorized):
        k6.service().get_details(run)


def test_an_outage_is_an_error_so_that_the_details_are_read_again(k6):
    k6.answers["GET", "/loadtests/v3/urls"] = (503, {"error": {"message": "down", "code": 0}})
    run = the_run(k6)
    with pytest.raises(Unavailable):
        k6.service().get_details(run)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"status": "running"}, False), ({"results_incomplete": True}, False)],
)
def test_results_can_be_downloaded_once_a_run_has_ended_with_all_its_numbers(k6, changes, expected):
    assert details(k6, **changes).has_archive is expected
