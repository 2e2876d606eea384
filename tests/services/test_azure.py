"""What Azure Load Testing answers, in our words; and what we send it. Its payloads: tests/payloads/azure."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from werkzeug import Response

from runs.choices import ENDED, LIVE, RunResult, RunStatus, StopReason
from runs.criteria import words
from runs.services.azure import AzureService
from runs.services.azure_api import VERSIONS, forget_versions
from runs.services.azure_charts import step_for
from runs.services.azure_payloads import STATUS, read_run
from runs.services.azure_token import forget_tokens
from runs.services.base import (
    BadRow,
    NotFound,
    Refused,
    RemoteRun,
    RemoteThreshold,
    StartWish,
    UnexpectedAnswer,
)

PAYLOADS = Path(__file__).parent.parent / "payloads" / "azure"
SECRET = "aad~0123456789abcdefghij"
TOKEN = "eyJ0-access-token-of-a-test"
CREDENTIALS = {"tenant_id": "orchard", "client_id": "app-1", "client_secret": SECRET}
DONE, LATE, CANCELLED, RUNNING = range(4)
TOKEN_PAGE = {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def run_of(which, **changes):
    return read_run(payload("runs")[which] | changes)


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_versions()
    forget_tokens()


@pytest.fixture
def service(httpserver, monkeypatch):
    monkeypatch.setattr(httpserver, "no_handler_status_code", 404)
    httpserver.expect_request("/login/orchard/oauth2/v2.0/token").respond_with_json(TOKEN_PAGE)
    return made(httpserver)


def made(httpserver, **options):
    options = {"login_url": httpserver.url_for("/login"), "waits": (0, 0), **options}
    return AzureService(httpserver.url_for(""), CREDENTIALS, extra_hosts=("127.0.0.1", "localhost"), **options)


def serve(httpserver, path, data, method="GET", status=200, **options):
    httpserver.expect_request(path, method=method, **options).respond_with_json(data, status=status)


def sent(httpserver, method=None):
    """What was asked of the service itself."""
    asked = [request for request, _ in httpserver.log if not request.path.startswith("/login")]
    return [request for request in asked if method in (None, request.method)]


# -- a run -------------------------------------------------------------------------------------------------------------


def test_a_run_that_is_done_with_every_field():
    run = run_of(DONE)

    assert run == RemoteRun(
        external_id="basket-nightly-0511",
        test_external_id="basket-steady",
        name="Nightly of 11 May",
        status=RunStatus.FINISHED,
        result=RunResult.FAILED,
        provider_status="DONE",
        provider_result="FAILED",
        cost_vuh=13.36,
        requested_by="rosa.lind@orchard.example",
        created_at=datetime(2026, 5, 11, 2, 0, 3, 123456, UTC),
        queued_at=datetime(2026, 5, 11, 2, 0, 3, 200000, UTC),
        started_at=datetime(2026, 5, 11, 2, 0, 10, tzinfo=UTC),
        load_started_at=datetime(2026, 5, 11, 2, 4, tzinfo=UTC),
        load_ended_at=datetime(2026, 5, 11, 2, 14, 1, 250000, UTC),
        ended_at=datetime(2026, 5, 11, 2, 16, 25, 500000, UTC),
        duration_s=601.25,  # of the load: "duration" counts the provisioning, and in milliseconds
        planned_duration_s=600,
        virtual_users=80,
        note="before the new cache",
        web_url="https://portal.azure.example/#blade/Runs/basket-nightly-0511",
        start_token="basket-nightly-0511",
        start_values={"display_name": "Nightly of 11 May", "description": "before the new cache"},
        payload=run.payload,
    )


@pytest.mark.parametrize("word", STATUS)
def test_every_documented_status_in_any_case(word):
    run = run_of(DONE, status=word.title())

    assert (run.status, run.provider_status) == (STATUS[word], word)
    assert (run.result == RunResult.NONE) is (run.status in LIVE)
    assert (run.ended_at is None) is (run.status in LIVE)


def test_a_status_nobody_knows_is_unknown_as_it_was_written_and_has_no_verdict():
    run = run_of(DONE, status="Hibernating", testResult="PASSED")

    assert (run.status, run.result, run.provider_status) == (RunStatus.UNKNOWN, RunResult.NONE, "Hibernating")


@pytest.mark.parametrize(
    ("status", "word", "result"),
    [
        ("DONE", "PASSED", RunResult.PASSED),
        ("DONE", "FAILED", RunResult.FAILED),
        ("DONE", "NOT_APPLICABLE", RunResult.NONE),
        ("DONE", None, RunResult.NONE),
        ("DONE", "Splendid", RunResult.NONE),
        ("CANCELLED", "NOT_APPLICABLE", RunResult.NONE),
        ("CANCELLED", "FAILED", RunResult.FAILED),
        ("FAILED", "NOT_APPLICABLE", RunResult.ERROR),
        ("FAILED", "FAILED", RunResult.FAILED),
        ("VALIDATION_FAILURE", None, RunResult.ERROR),
        ("EXECUTING", "FAILED", RunResult.NONE),
    ],
)
def test_a_verdict_is_only_what_the_service_gave(status, word, result):
    assert run_of(DONE, status=status, testResult=word).result == result


def test_a_run_that_somebody_cancelled():
    run = run_of(CANCELLED)

    assert (run.status, run.result, run.stop_reason) == (RunStatus.ABORTED, RunResult.NONE, StopReason.USER)
    assert (run.virtual_users, run.duration_s, run.results_incomplete) == (None, None, False)
    assert run.error_message == "Failed to provision test engines. The run was cancelled."


def test_why_a_run_ended_early_is_read_where_it_is_told():
    stops = {"passFailMetrics": {"1": {"clientMetric": "error", "action": "stop", "result": "failed"}}}
    many = [{"code": "AutoStop", "message": "The test was stopped due to a high error rate."}]

    assert run_of(CANCELLED, errorDetails=many).stop_reason == StopReason.AUTO_STOP
    assert run_of(CANCELLED, passFailCriteria=stops).stop_reason == StopReason.THRESHOLD
    assert run_of(DONE).stop_reason == ""
    assert run_of(CANCELLED, errorDetails=many).error_code == "AutoStop"


def test_done_does_not_mean_that_the_numbers_are_there():
    late, told = run_of(LATE), run_of(LATE, testResult="PASSED", virtualUsers=20)

    assert (late.status, late.result, late.results_incomplete) == (RunStatus.FINISHED, RunResult.NONE, True)
    assert (told.result, told.results_incomplete) == (RunResult.PASSED, False)
    assert run_of(LATE, virtualUsers=20).results_incomplete  # its criteria are still to be judged
    assert not run_of(LATE, virtualUsers=20, passFailCriteria=None).results_incomplete


@pytest.mark.parametrize("member", ["testRunId", "testId", "createdDateTime"])
def test_a_run_without_its_ids_or_any_date_is_a_bad_row(member):
    data = {"testRunId": "r", "testId": "t", "createdDateTime": "2026-05-12T09:00:00Z"}
    del data[member]

    row = read_run(data)

    assert isinstance(row, BadRow)
    assert member in row.reason


@pytest.mark.parametrize("data", [None, [], "x", {"testRunId": None}])
def test_what_is_no_run_is_a_bad_row(data):
    assert isinstance(read_run(data), BadRow)


def test_odd_members_are_left_out_and_the_run_stays():
    members = ("description", "virtualUsers", "portalUrl", "errorDetails", "testRunStatistics")
    odd = {member: {"a": [1]} for member in members}
    run = run_of(DONE, **odd, passFailCriteria=[3], loadTestConfiguration="x", executionStartDateTime=7)

    assert (run.external_id, run.note, run.virtual_users, run.web_url) == ("basket-nightly-0511", "", None, "")
    assert (run.load_started_at, run.duration_s, run.planned_duration_s) == (None, None, None)


def test_no_link_and_no_secret_is_kept_of_a_run():
    kept = json.dumps(run_of(DONE, description=f"with {SECRET}").payload)
    mine = json.dumps(read_run(payload("runs")[DONE] | {"description": f"with {SECRET}"}, (SECRET,)).payload)

    assert "csv.zip" in kept
    for never in ("blob.storage", "sig=", "orchard-env-value", "vault.orchard.example"):
        assert never not in kept
    assert SECRET in kept
    assert SECRET not in mine


# -- what hangs below a run --------------------------------------------------------------------------------------------


@pytest.fixture
def details(httpserver, service):
    serve(httpserver, "/test-runs/basket-nightly-0511/metric-definitions", payload("metric_definitions"))
    told = payload("metrics")
    httpserver.expect_request("/test-runs/basket-nightly-0511/metrics", method="POST").respond_with_handler(
        lambda request: Response(json.dumps(told[request.args["metricname"]]), content_type="application/json")
    )
    return service.get_details(run_of(DONE))


def test_a_criterion_says_what_must_hold_and_one_that_is_not_judged_has_no_value(details):
    pay = "http_req_duration{name:Pay}"
    assert details.thresholds == [
        RemoteThreshold(metric=pay, condition="p(95)<=500", broken=True, value=812.4, limit=500, unit="ms"),
        RemoteThreshold(metric="http_req_failed", condition="rate<=0.05", broken=False, value=0.0075, limit=0.05),
        RemoteThreshold(metric="http_reqs", condition="rate>=20", broken=False, value=40.2, limit=20, unit="1/s"),
        RemoteThreshold(metric="latency", condition="p(99.9)<=900", broken=None, limit=900, unit="ms"),
        RemoteThreshold(metric="basket / CpuTime", condition="avg<=70", broken=False, value=41.5, limit=70),
    ]
    said = [words(threshold) for threshold in details.thresholds]
    assert [f"{one.what}: {one.allowed}, {one.value}" for one in said] == [
        "p95 of Pay: p95 ≤ 500\u00a0ms, 812\u00a0ms",
        "errors: rate ≤ 5\u00a0%, 0.75\u00a0%",
        "request rate: rate ≥ 20\u00a0/s, 40.2\u00a0/s",
        "p99.9 of latency: p99.9 ≤ 900\u00a0ms, ",
        "mean of basket / CpuTime: mean ≤ 70, 41.5",
    ]
    assert details.result == RunResult.FAILED
    assert details.final is True


def test_the_numbers_of_the_run_and_of_each_request(details):
    whole, *requests = details.metrics

    assert (whole.kind, whole.name) == ("run", "")
    assert whole.numbers["max_vus"] == 80
    assert [(m.kind, m.name) for m in requests] == [("request", "Browse"), ("request", "Pay")]
    assert requests[1].numbers == {
        "count": 6020,
        "failed": 181,
        "rate_per_s": 10.03,
        "min_ms": 90,
        "avg_ms": 392.1,
        "median_ms": 350,
        "p90_ms": 690,
        "p95_ms": 812.4,
        "p99_ms": 1500,
        "max_ms": 2210,
        "error_rate": 181 / 6020,
    }


def test_the_error_tree_holds_broken_criteria_failed_requests_and_what_the_service_says(details):
    told = [(error.type, error.subtype, error.message, error.occurrences) for error in details.errors]

    assert told == [
        ("Threshold", "http_req_duration{name:Pay}", "p(95)<=500", 1),
        ("Request", "Pay", "Pay", 181),
    ]


def test_what_the_service_says_of_a_run_is_an_error_of_it(httpserver, service):
    details = service.get_details(run_of(CANCELLED))

    [error] = details.errors
    assert (error.type, error.subtype) == ("Run", "CANCELLED")
    assert error.message.startswith("Failed to provision")
    assert [metric.numbers for metric in details.metrics] == [{"rate_per_s": 0.0}]
    assert (details.result, details.final) == (RunResult.NONE, True)


def test_charts_are_drawn_from_what_the_definitions_offer(details, httpserver):
    charts = {series.name: series for series in details.series}

    assert charts["vus"].points == [(0, 40), (60, 80)]
    assert charts["p95_ms"].points == [(0, 410.5), (120, 520)]
    assert charts["rate_per_s"].points == [(0, 20), (60, 41)]
    assert set(charts) == {"vus", "p95_ms", "rate_per_s"}
    asked = {request.args["metricname"]: request.args for request in sent(httpserver, "POST")}
    assert set(asked) == {"VirtualUsers", "ResponseTime", "TotalRequests", "Errors"}
    assert asked["ResponseTime"]["aggregation"] == "Percentile95"
    assert "aggregation" not in asked["VirtualUsers"]
    assert asked["Errors"]["timespan"] == "2026-05-11T02:04:00.000Z/2026-05-11T02:14:01.250Z"
    assert asked["Errors"]["interval"] == "PT1M"
    assert all(request.get_json() == {} for request in sent(httpserver, "POST"))


def test_where_there_is_no_p95_the_service_s_own_percentile_is_called_what_it_is(httpserver, service):
    definition = payload("metric_definitions")["value"][1] | {"supportedAggregationTypes": ["Percentile90"]}
    serve(httpserver, "/test-runs/basket-nightly-0511/metric-definitions", {"value": [definition]})
    serve(httpserver, "/test-runs/basket-nightly-0511/metrics", payload("metrics")["ResponseTime"], method="POST")

    [series] = service.get_details(run_of(DONE)).series

    assert (series.name, series.label) == ("p90_ms", "Response time p90")
    assert "aggregation" not in sent(httpserver, "POST")[0].args


@pytest.mark.parametrize(
    ("minutes", "step"), [(1, "PT5S"), (9, "PT5S"), (10, "PT1M"), (240, "PT1M"), (300, "PT5M"), (3000, "PT1H")]
)
def test_the_step_of_a_chart_fits_the_run(minutes, step):
    assert step_for(timedelta(minutes=minutes)) == step


def test_only_steps_that_are_offered_are_asked_for():
    assert step_for(timedelta(minutes=5), ["PT1M", "PT1H", "P1D"]) == "PT1M"
    assert step_for(timedelta(days=300), ["PT1M"]) == "PT1M"


def test_the_metrics_are_a_read_and_are_asked_for_again(httpserver, service):
    definition = payload("metric_definitions")["value"][0]
    serve(httpserver, "/test-runs/basket-nightly-0511/metric-definitions", {"value": [definition]})
    answers = [Response("oops", status=502), Response(json.dumps(payload("metrics")["VirtualUsers"]))]
    path = "/test-runs/basket-nightly-0511/metrics"
    httpserver.expect_request(path).respond_with_handler(lambda request: answers.pop(0))

    assert service.get_details(run_of(DONE)).series
    assert answers == []


def test_a_run_whose_metrics_are_not_there_has_all_the_rest(service):
    details = service.get_details(run_of(DONE))

    assert details.series == []
    assert len(details.thresholds) == 5


def test_numbers_that_are_still_to_come_are_not_final(httpserver, service):
    late = service.get_details(run_of(LATE))
    live = service.get_details(run_of(RUNNING))
    no_file = service.get_details(run_of(DONE, testArtifacts=None))

    assert (late.final, late.result) == (False, None)
    assert late.thresholds[0].value is None
    assert (live.final, live.result) == (True, None)
    assert (no_file.final, no_file.result) == (False, RunResult.FAILED)


# -- files -------------------------------------------------------------------------------------------------------------


def test_files_are_named_results_first_and_never_linked(details):
    assert [(file.name, file.label) for file in details.files] == [
        ("csv.zip", "Results"),
        ("logs.zip", "Engine logs"),
        ("reports.zip", "Report"),
        ("basket.jmx", "Test script"),
        ("users.csv", "Test file"),
        ("goods.csv", "Test file"),
    ]


def test_a_file_is_fetched_by_a_link_asked_for_anew_and_without_the_token(httpserver, service):
    data = payload("runs")[DONE]
    data["testArtifacts"]["outputArtifacts"]["resultFileInfo"]["url"] = httpserver.url_for("/blob/csv.zip?sig=abc")
    serve(httpserver, "/test-runs/basket-nightly-0511", data)
    httpserver.expect_request("/blob/csv.zip", query_string="sig=abc").respond_with_data(b"zipped")

    download = service.open_file("basket-nightly-0511", "csv.zip")

    assert (download.filename, download.content_type) == ("csv.zip", "application/zip")
    assert b"".join(download.chunks) == b"zipped"
    asked, fetched = sent(httpserver)
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert "Authorization" not in fetched.headers


def test_a_link_to_somewhere_else_is_not_followed(httpserver, service):
    data = payload("runs")[DONE]
    data["testArtifacts"]["outputArtifacts"]["resultFileInfo"]["url"] = "https://evil.example/csv.zip"
    serve(httpserver, "/test-runs/basket-nightly-0511", data)

    with pytest.raises(Refused, match=r"evil\.example is not a host of Azure"):
        service.open_file("basket-nightly-0511", "csv.zip")


def test_a_file_that_is_not_there_is_not_found(httpserver, service):
    serve(httpserver, "/test-runs/basket-late-0512", payload("runs")[LATE])

    with pytest.raises(NotFound, match=r"csv\.zip"):
        service.open_file("basket-late-0512", "csv.zip")


# -- control -----------------------------------------------------------------------------------------------------------

PRESS = "0b6f4c1e-7f3c-4a52-9d0e-2f4c7c5b9a11"


def wish(**changes):
    values = changes.pop("values", {"display_name": "", "description": ""})
    fields = {"test_external_id": "sale", "test_name": "Sale", "values": values, "token": PRESS, **changes}
    return StartWish(**fields)


def answer_start(httpserver):
    data = {"testRunId": PRESS, "testId": "sale", "status": "ACCEPTED", "createdDateTime": "2026-05-12T09:30:00Z"}
    serve(httpserver, f"/test-runs/{PRESS}", data, method="PATCH", status=201)


def test_a_start_is_one_patch_of_an_id_of_our_own(httpserver, service):
    answer_start(httpserver)

    run = service.start_step("start", wish(values={"display_name": " Rehearsal ", "description": "two"}), "")

    assert (run.external_id, run.test_name, run.status) == (PRESS, "Sale", RunStatus.QUEUED)
    [request] = sent(httpserver)
    assert (request.method, request.content_type) == ("PATCH", "application/merge-patch+json")
    assert request.get_json(force=True) == {"testId": "sale", "displayName": "Rehearsal", "description": "two"}
    assert dict(request.args) == {"api-version": "2026-04-01"}


def test_a_run_without_a_name_is_named_after_its_test(httpserver, service):
    answer_start(httpserver)
    service.start_step("start", wish(test_name="S" * 80), "")

    assert sent(httpserver)[0].get_json(force=True) == {"testId": "sale", "displayName": "S" * 50}


def test_a_run_is_repeated_by_naming_the_old_one(httpserver, service):
    answer_start(httpserver)
    service.start_step("start", wish(rerun_of="basket-nightly-0511"), "")

    assert sent(httpserver)[0].args["oldTestRunId"] == "basket-nightly-0511"


@pytest.mark.parametrize("token", [PRESS, "A press/é", "x", "y" * 80, ""])
def test_a_press_names_its_run_as_the_service_allows(service, token):
    assert re.fullmatch(r"[a-z0-9_-]{2,50}", service.run_id_of(token))


def test_a_start_whose_answer_cannot_be_read_may_have_happened(httpserver, service):
    httpserver.expect_request(f"/test-runs/{PRESS}").respond_with_data("<html>", status=201)

    with pytest.raises(UnexpectedAnswer) as caught:
        service.start_step("start", wish(), "")
    assert caught.value.maybe_done is True


def test_a_stop_has_no_body(httpserver, service):
    serve(httpserver, "/test-runs/sale-rehearsal:stop", payload("runs")[RUNNING], method="POST")
    service.stop("sale-rehearsal")

    [request] = sent(httpserver)
    assert (request.method, request.path, request.data) == ("POST", "/test-runs/sale-rehearsal:stop", b"")


def test_a_note_is_written_to_a_run_that_is_there(httpserver, service):
    serve(httpserver, "/test-runs/sale-rehearsal", payload("runs")[RUNNING])
    serve(httpserver, "/test-runs/sale-rehearsal", payload("runs")[RUNNING], method="PATCH")
    service.set_note("sale-rehearsal", "seen")

    assert [request.method for request in sent(httpserver)] == ["GET", "PATCH"]
    assert sent(httpserver)[1].get_json(force=True) == {"description": "seen"}


def test_a_note_on_a_run_that_is_gone_starts_nothing(httpserver, service):
    serve(httpserver, "/test-runs/gone", payload("error"), status=404)

    with pytest.raises(NotFound, match="TestRunNotFound"):
        service.set_note("gone", "seen")
    assert [request.method for request in sent(httpserver)] == ["GET"]


def test_a_note_that_is_too_long_is_not_sent(httpserver, service):
    with pytest.raises(Refused, match="at most 100 characters"):
        service.set_note("sale-rehearsal", "x" * 101)
    assert sent(httpserver) == []


# -- lists -------------------------------------------------------------------------------------------------------------


def listed(number, **changes):
    created = datetime(2026, 5, 12, tzinfo=UTC) - timedelta(hours=number)
    return payload("runs")[DONE] | {"testRunId": f"run-{number:03}", "createdDateTime": created.isoformat(), **changes}


def serve_list(httpserver, rows, size):
    """The rows in pages of `size`, by links to the next."""

    def answer(request):
        start = int(request.args.get("continuationToken", 0))
        page = {"value": rows[start : start + size]}
        if start + size < len(rows):
            page["nextLink"] = httpserver.url_for(f"/test-runs?continuationToken={start + size}&api-version=x")
        return Response(json.dumps(page), content_type="application/json")

    httpserver.expect_request("/test-runs").respond_with_handler(answer)
    serve(httpserver, "/tests", payload("tests"))


def runs_of(pages):
    return [run.external_id for page in pages for run in page.runs]


def test_a_full_pass_follows_the_links_to_the_end(httpserver, service):
    serve_list(httpserver, [listed(number) for number in range(7)], 3)

    pages = list(service.iter_runs(None))

    assert runs_of(pages) == [f"run-{number:03}" for number in range(7)]
    first, *others = [request for request in sent(httpserver) if request.path == "/test-runs"]
    assert dict(first.args) == {"api-version": VERSIONS[0], "orderby": "createdDateTime desc", "maxpagesize": "50"}
    assert [dict(request.args) for request in others] == [
        {"continuationToken": "3", "api-version": "x"},
        {"continuationToken": "6", "api-version": "x"},
    ]


def test_an_incremental_pass_ends_behind_the_time_it_was_asked_for(httpserver, service):
    serve_list(httpserver, [listed(number) for number in range(9)], 3)

    found = runs_of(service.iter_runs(datetime(2026, 5, 11, 22, 30, tzinfo=UTC)))

    assert found == [f"run-{number:03}" for number in range(3)]


def test_a_list_in_no_order_is_read_to_its_end(httpserver, service):
    numbers = (6, 5, 0, 1, 7, 8, 2, 3, 4)
    serve_list(httpserver, [listed(number) for number in numbers], 2)

    found = runs_of(service.iter_runs(datetime(2026, 5, 11, 22, 30, tzinfo=UTC)))

    assert found == [f"run-{number:03}" for number in numbers]


def test_a_pass_goes_on_where_it_was(httpserver, service):
    serve_list(httpserver, [listed(number) for number in range(7)], 3)
    first = next(service.iter_runs(None))

    assert runs_of(service.iter_runs(None, first.resume)) == [f"run-{number:03}" for number in range(3, 7)]
    assert runs_of(service.iter_runs(None, list(service.iter_runs(None))[-1].resume)) == []


def test_a_place_that_is_too_old_to_go_on_from_begins_anew(httpserver, service):
    serve_list(httpserver, [listed(number) for number in range(2)], 3)
    serve(httpserver, "/stale", {"error": {"code": "InvalidContinuationToken", "message": "Too old."}}, status=400)

    assert runs_of(service.iter_runs(None, {"next": httpserver.url_for("/stale")})) == ["run-000", "run-001"]


def test_a_link_to_another_host_gets_no_token(httpserver, service):
    serve(httpserver, "/tests", payload("tests"))
    serve(httpserver, "/test-runs", {"value": [listed(1)], "nextLink": "https://evil.example/test-runs?page=2"})

    with pytest.raises(UnexpectedAnswer, match="another host"):
        list(service.iter_runs(None))


def test_a_list_that_leads_back_to_itself_is_an_error(httpserver, service):
    serve(httpserver, "/tests", payload("tests"))
    serve(httpserver, "/test-runs", {"value": [listed(1)], "nextLink": httpserver.url_for("/test-runs?again=1")})

    with pytest.raises(UnexpectedAnswer, match="not read to the end"):
        list(service.iter_runs(None))


def test_a_list_that_does_not_end_is_an_error(httpserver, service):
    serve_list(httpserver, [listed(number) for number in range(9)], 2)

    with pytest.raises(UnexpectedAnswer, match="more than 3 pages"):
        list(made(httpserver, most_pages=3).iter_runs(None))


@pytest.mark.parametrize("page", [{"value": None}, {}, [], {"value": [1, 2]}, "text"])
def test_a_page_that_is_none_is_an_error(httpserver, service, page):
    serve(httpserver, "/tests", payload("tests"))
    serve(httpserver, "/test-runs", page)

    with pytest.raises(UnexpectedAnswer):
        list(service.iter_runs(None))


def test_an_odd_row_is_named_and_hides_no_other(httpserver, service):
    serve_list(httpserver, [listed(0), listed(1, testId=None), listed(2)], 5)

    [page] = service.iter_runs(None)

    assert runs_of([page]) == ["run-000", "run-002"]
    assert page.bad[0].external_id == "run-001"


def test_the_service_s_own_filters(httpserver, service):
    serve_list(httpserver, [listed(0)], 5)
    noon = datetime(2026, 5, 12, 12, tzinfo=UTC)

    [run] = service.find_runs(test_ids=["sale", "basket"], statuses=["DONE", "FAILED"], since=noon, until=noon)

    assert run.status in ENDED
    asked = sent(httpserver)[-1].args
    assert (asked["testIds"], asked["status"]) == ("sale,basket", "DONE,FAILED")
    assert asked["executionFrom"] == asked["executionTo"] == "2026-05-12T12:00:00.000Z"


def test_tests_without_an_id_are_left_out(httpserver, service):
    serve(httpserver, "/tests", payload("tests"))

    [tests] = service.iter_tests()

    assert [(test.external_id, test.name) for test in tests] == [
        ("basket-steady", "Basket, steady load"),
        ("sale", ""),
    ]
