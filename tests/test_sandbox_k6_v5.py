"""The sandbox's k6 lists with OData parameters, and its numbers: thresholds, URLs, checks, metrics, queries."""

from itertools import pairwise

import pytest

from tests.sandbox_client import TEST, k6_client

RUNS = f"/cloud/v5/load_tests/{TEST}/test_runs"


@pytest.fixture(scope="module")
def k6():
    """Shared by the tests that change nothing."""
    yield from k6_client(60)


@pytest.fixture
def slow():
    """A sandbox of one's own in which started runs take the time they say."""
    yield from k6_client(1)


def made(client, **values):
    return [run for run in client.truth() if run["test_external_id"] == str(TEST) and values.items() <= run.items()]


# Entities


def test_pages_of_runs_are_counted_in_text_and_end_to_end_hold_each_run_once(k6):
    rows, skip = [], 0
    while True:
        page = k6.get(RUNS, **{"$top": 9, "$skip": skip, "$count": "true", "$orderby": "created desc"})
        rows += page["value"]
        skip += 9
        if len(page["value"]) < 9:
            break
    assert page["@count"] == str(len(rows))
    assert sorted(str(row["id"]) for row in rows) == sorted(run["external_id"] for run in made(k6))
    assert [row["created"] for row in rows] == sorted((row["created"] for row in rows), reverse=True)


def test_without_parameters_runs_come_oldest_first_and_uncounted(k6):
    body = k6.get(RUNS)
    assert set(body) == {"value"}
    assert [row["id"] for row in body["value"]] == sorted(row["id"] for row in body["value"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run_status eq 5", lambda run: run["run_status"] == 5),
        ("run_status ne 3 and result_status eq 0", lambda run: run["run_status"] != 3 and run["result_status"] == 0),
        ("run_status lt 2 or run_status gt 4", lambda run: run["run_status"] < 2 or run["run_status"] > 4),
        ("not (run_status eq 3)", lambda run: run["run_status"] != 3),
        ("started eq null", lambda run: run["started"] is None),
        ("contains(note,'Cache') and error_code eq null", lambda run: "cache" in run["note"] and not run["error_code"]),
        ("startswith(note,'Größe') or endswith(note,'change')", lambda run: run["note"].startswith(("Grö", "after"))),
        ("created ge 2026-04-01T00:00:00Z", lambda run: run["created"] >= "2026-04-01"),
        ("note eq 'it''s nothing'", lambda run: False),
    ],
)
def test_filters_choose_the_runs_they_describe(k6, text, expected):
    found = k6.get(RUNS, **{"$filter": text})["value"]
    assert [str(row["id"]) for row in found] == [run["external_id"] for run in made(k6) if expected(run)]


@pytest.mark.parametrize(
    "params",
    [
        {"$filter": "run_status eq 5 and"},
        {"$filter": "run_status is 5"},
        {"$filter": "shoe_size eq 5"},
        {"$filter": "(run_status eq 5"},
        {"$filter": "run_status eq 5 5"},
        {"$orderby": "shoe_size"},
        {"$orderby": "created sideways"},
        {"$top": "1001"},
        {"$skip": "-1"},
    ],
)
def test_parameters_that_cannot_be_read_are_refused(k6, params):
    answer = k6.call("GET", RUNS, params=params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "error")


def test_orders_combine_and_select_cuts(k6):
    params = {"$orderby": "run_status asc, id desc", "$select": "id,run_status"}
    rows = k6.get(RUNS, **params)["value"]
    keys = [(row["run_status"], -row["id"]) for row in rows]
    assert keys == sorted(keys)
    assert set(rows[0]) == {"id", "run_status"}


def test_both_key_styles_reach_the_same_entity(k6):
    run = made(k6, run_status=3)[0]["external_id"]
    assert k6.get(f"/cloud/v5/test_runs/{run}") == k6.get(f"/cloud/v5/test_runs({run})")


def test_runs_of_a_project_are_those_of_all_its_tests(k6):
    tests = k6.get("/cloud/v5/projects/5276/load_tests", **{"$count": "true"})
    assert tests["@count"] == str(len(tests["value"])) == "3"
    runs = k6.get("/cloud/v5/projects/5276/test_runs", **{"$select": "test_id"})["value"]
    assert {row["test_id"] for row in runs} == {test["id"] for test in tests["value"]}
    found = k6.get("/cloud/v5/projects/5276/load_tests", **{"$filter": "contains(name,'peak')"})["value"]
    assert [test["id"] for test in found] == [TEST]


# Numbers


def test_thresholds_agree_with_the_run_and_spell_its_id_in_both_documented_ways(k6):
    run = made(k6, run_status=3, result_status=1)[0]
    listed = k6.get("/loadtests/v2/thresholds", test_run_id=run["external_id"])
    assert [row["metric_id"] for row in listed["k6-thresholds"]] == [row["id"] for row in listed["k6-metrics"]]
    assert sum(row["tainted"] for row in listed["k6-thresholds"]) == run["breached"] > 0
    first = listed["k6-thresholds"][0]
    single = k6.get(f"/loadtests/v2/thresholds/{first['id']}", test_run_id=run["external_id"])["k6-threshold"]
    assert first["testrun_id"] == single["test_run_id"] == int(run["external_id"])
    assert first["tainted_at"]
    assert first["calculated_value"] > first["value"]


def test_a_value_is_on_the_good_side_of_its_limit_until_the_threshold_is_crossed(slow):
    run = slow.start("failed")
    slow.sandbox.advance(90)
    shown = []
    for _ in range(2):
        [first, *others] = slow.get("/loadtests/v2/thresholds", test_run_id=run)["k6-thresholds"]
        shown.append((first["tainted"], first["calculated_value"] < first["value"]))
        assert not any(row["tainted"] for row in others if row["stat"] == "count")
        slow.sandbox.advance(5000)
    assert shown == [(False, True), (True, False)]


def test_urls_checks_and_overview_add_up_to_the_truth(k6):
    for run in made(k6, run_status=3):
        key = run["external_id"]
        urls = k6.get("/loadtests/v3/urls", test_run_id=key)["k6-urls"]
        checks = k6.get("/loadtests/v3/checks", test_run_id=key)["k6-checks"]
        overview = k6.get("/loadtests/v2/run-overviews", test_run_id=key)["k6-run-overviews"][0]
        failed = sum(row["count"] for row in urls if row["status"] != 200)
        assert failed == run["errors"].get("HTTP", 0)
        assert sum(row["total_count"] - row["success_count"] for row in checks) == run["errors"].get("Check", 0)
        assert overview["urls_hits_total"] - overview["urls_hits_successes"] == failed
        assert overview["thresholds_total"] - overview["thresholds_successes"] == run["breached"]


def test_some_run_fails_in_more_than_thirty_different_places(k6):
    failing = [run["external_id"] for run in k6.truth() if run["errors"].get("HTTP", 0) > 100]
    places = [
        len({(row["name"], row["status"]) for row in k6.get("/loadtests/v3/urls", test_run_id=run)["k6-urls"]})
        for run in failing
    ]
    assert max(places) > 30


def test_numbers_of_a_live_run_grow(slow):
    run = slow.start("passed")
    slow.sandbox.advance(120)
    counts = []
    for _ in range(3):
        counts.append(sum(row["count"] for row in slow.get("/loadtests/v3/urls", test_run_id=run)["k6-urls"]))
        slow.sandbox.advance(10)
    assert counts == sorted(set(counts))


def test_every_listed_metric_can_be_read_and_charted(k6):
    run = made(k6, run_status=3)[0]["external_id"]
    metrics = k6.get("/loadtests/v2/metrics", test_run_id=run)["k6-metrics"]
    ids = [metric["id"] for metric in metrics]
    assert len(set(ids)) == len(ids) > 10
    series = k6.get("/loadtests/v2/series", test_run_id=run, **{"ids[]": ids[:3]})["k6-serie"]
    assert [row["metric_id"] for row in series] == ids[:3]
    assert all(len(row["values"]) > 30 for row in series)
    with_url = next(metric for metric in metrics if metric["url_id"])
    params = {"test_run_id": run, "include[]": ["url", "group", "check"]}
    single = k6.get(f"/loadtests/v2/metrics/{with_url['id']}", **params)
    assert single["k6-metric"] == with_url
    assert single["k6-url"]["url"].startswith("https://shop.example")


def test_v4_and_v5_summaries_say_the_same(k6):
    run = made(k6, run_status=3, processing_status=2, result_status=1)[0]["external_id"]
    v5 = k6.get(f"/cloud/v5/test_runs({run})/result_summary")
    v4 = k6.get(f"/loadtests/v4/test_runs({run})", **{"$select": "http_metric_summary,thresholds_summary"})
    assert v5["result_status"] == "Failed"
    assert v4 == {key: v5["metrics_summary"][key] for key in ("http_metric_summary", "thresholds_summary")}
    checks = k6.get(f"/loadtests/v4/test_runs({run})/checks", **{"$filter": "group_id eq null", "$count": "true"})
    assert checks["@count"] == str(v5["metrics_summary"]["checks_metric_summary"]["total"])


def test_a_run_without_load_has_no_summary(k6):
    run = k6.one(run_status=9)
    assert k6.get(f"/cloud/v5/test_runs({run})/result_summary")["metrics_summary"] is None
    assert k6.get("/loadtests/v3/urls", test_run_id=run) == {"k6-urls": []}


# Queries


def query(client, run, function, arguments, status=200):
    answer = client.call("GET", f"/cloud/v5/test_runs/{run}/{function}({arguments})")
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def run(k6):
    return next(run["external_id"] for run in made(k6, run_status=3) if run["errors"].get("HTTP", 0) > 100)


def test_an_aggregate_is_a_vector_of_one_pair_of_floats(k6, run):
    body = query(k6, run, "query_aggregate_k6", "query='increase',metric='http_reqs'")
    total = sum(row["count"] for row in k6.get("/loadtests/v3/urls", test_run_id=run)["k6-urls"])
    assert body["data"]["resultType"] == "vector"
    [entry] = body["data"]["result"]
    assert entry["metric"] == {"__name__": "http_reqs", "test_run_id": run}
    [[when, value]] = entry["values"]
    assert isinstance(when, float)
    assert value == total


@pytest.mark.parametrize(
    "arguments",
    [
        "metric='http_reqs{expected_response=\"false\"}',query='increase by (name,method,status,error_code)'",
        "query='increase by (name, method, status, error_code)', metric='http_reqs{status!=\"200\"}'",
        "query='increase by(name,method,status,error_code)',metric='http_reqs{status!~\"2..\"}'",
    ],
)
def test_failures_are_found_by_place_in_any_spelling(k6, run, arguments):
    rows = query(k6, run, "query_aggregate_k6", arguments)["data"]["result"]
    urls = [row for row in k6.get("/loadtests/v3/urls", test_run_id=run)["k6-urls"] if row["status"] != 200]
    expected = {(row["name"], row["method"], str(row["status"])): float(row["count"]) for row in urls}
    found = {
        (row["metric"]["name"], row["metric"]["method"], row["metric"]["status"]): row["values"][0][1] for row in rows
    }
    assert found == expected
    assert all(row["metric"]["error_code"] for row in rows)


def test_percentiles_rise(k6, run):
    values = [
        query(k6, run, "query_aggregate_k6", f"query='histogram_quantile({q})',metric='http_req_duration'")
        for q in (0.5, 0.95, 0.99)
    ]
    numbers = [body["data"]["result"][0]["values"][0][1] for body in values]
    assert numbers == sorted(set(numbers))


def test_a_range_has_a_point_every_step(k6, run):
    body = query(k6, run, "query_range_k6", "query='histogram_quantile(0.95)',metric='http_req_duration',step=10")
    assert body["data"]["resultType"] == "matrix"
    moments = [when for when, _ in body["data"]["result"][0]["values"]]
    assert len(moments) > 5
    assert {round(after - before) for before, after in pairwise(moments)} == {10}


def test_virtual_users_add_up_over_the_instances(k6, run):
    body = query(k6, run, "query_range_k6", "query='sum(last by (instance_id))',metric='vus',step=5")
    users = k6.get(f"/cloud/v5/test_runs/{run}")["vus"]
    [entry] = body["data"]["result"]
    assert users * 0.8 < max(value for _, value in entry["values"]) < users * 1.2


def test_check_ratios_are_shares(k6, run):
    rows = query(k6, run, "query_aggregate_k6", "query='ratio by (check)',metric='checks'")["data"]["result"]
    names = {row["name"] for row in k6.get("/loadtests/v3/checks", test_run_id=run)["k6-checks"]}
    assert {row["metric"]["check"] for row in rows} == names
    assert all(0 <= row["values"][0][1] <= 1 for row in rows)


@pytest.mark.parametrize(
    ("function", "arguments", "status"),
    [
        ("query_aggregate_k6", "query='rate',metric='http_req_duration'", 400),
        ("query_aggregate_k6", "query='increase',metric='{__name__=\"http_reqs\"}'", 400),
        ("query_aggregate_k6", "query='increase',metric='http_reqs',start='2026-01-01T00:00:00Z'", 400),
        ("query_aggregate_k6", "query='increase',metric='http_reqs',start=2026-01-01T00:00:00", 404),
        ("query_aggregate_k6", "query='increase'", 404),
        ("query_aggregate_k6", "query='increase',metric='http_reqs',shoe=1", 404),
        ("query_range_k6", "query='increase',metric='http_reqs',step=0", 500),
        ("query_aggregate_k6", "query='last_time',metric='vus'", 500),
    ],
)
def test_calls_that_make_no_sense_are_told_apart(k6, run, function, arguments, status):
    assert "error" in query(k6, run, function, arguments, status)


def test_an_unknown_metric_is_empty_whatever_the_method(k6, run):
    body = query(k6, run, "query_aggregate_k6", "query='nonsense',metric='shoe_size'")
    assert body["data"]["result"] == []


def test_a_test_is_asked_for_its_last_runs_or_for_chosen_ones(k6, run):
    path = f"/cloud/v5/load_tests/{TEST}/query_aggregate_k6(query='increase',metric='http_reqs',"
    chosen = k6.get(f"{path}test_run_ids=[{run}, 1])")["data"]
    assert chosen["resultType"] == "matrix"
    assert [row["metric"]["test_run_id"] for row in chosen["result"]] == [run]
    assert len(k6.get(f"{path}test_run_count=4)")["data"]["result"]) <= 4
    both = k6.call("GET", f"{path}test_run_count=4,test_run_ids=[{run}])")
    assert both.status_code == 404


def test_labels_and_their_values_come_from_the_series(k6, run):
    labels = k6.get(f"/cloud/v5/test_runs/{run}/labels")["data"]
    assert {"name", "status", "check", "instance_id"} <= set(labels)
    statuses = k6.get(f"/cloud/v5/test_runs/{run}/label/status/values")["data"]
    assert "200" in statuses
    series = k6.get(f"/cloud/v5/test_runs/{run}/series", **{"match[]": 'http_reqs{status="200"}'})["data"]
    assert {row["status"] for row in series} == {"200"}
    assert k6.call("GET", f"/cloud/v5/test_runs/{run}/series").status_code == 400


def test_metrics_of_a_run_and_of_a_test_are_the_builtin_ones(k6, run):
    own = {row["name"]: row["type"] for row in k6.get(f"/cloud/v5/test_runs/{run}/metrics")["value"]}
    of_test = {row["name"]: row["type"] for row in k6.get(f"/cloud/v5/load_tests/{TEST}/metrics")["value"]}
    assert own == of_test
    assert own["http_req_duration"] == "trend"
    answer = k6.call("GET", f"/cloud/v5/load_tests/{TEST}/metrics(test_run_count=1.5)")
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "metrics")
