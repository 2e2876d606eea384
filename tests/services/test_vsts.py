"""What VSTS Cloud Load Test answers, in our words; and what we send it. Its payloads: tests/payloads/vsts."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from werkzeug import Response

from runs.choices import ENDED, MessageLevel, RunResult, RunStatus, StopReason
from runs.services.base import (
    BadRow,
    NotFound,
    Refused,
    RemoteRun,
    RemoteThreshold,
    StartWish,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from runs.services.vsts import VstsService
from runs.services.vsts_payloads import STATES, SUBSTATES, read_run

PAYLOADS = Path(__file__).parent.parent / "payloads" / "vsts"
TOKEN = "pat0123456789abcdefghij"
RUN = "1c9a3d52-8a3f-4a0e-9d39-5f1f7d0b0001"
CLT = "/_apis/clt"


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text())


@pytest.fixture
def service(httpserver, monkeypatch):
    monkeypatch.setattr(httpserver, "no_handler_status_code", 404)
    return VstsService(httpserver.url_for(""), {"token": TOKEN}, extra_hosts=("127.0.0.1", "localhost"), waits=(0, 0))


def serve(httpserver, path, data, method="GET", status=200):
    httpserver.expect_request(f"{CLT}{path}", method=method).respond_with_json(data, status=status)


def sent(httpserver):
    return [(request.method, request.path) for request, _ in httpserver.log]


def runs_of(pages):
    return [run for page in pages for run in page.runs]


# -- a run -------------------------------------------------------------------------------------------------------------


def test_a_completed_run_with_every_field():
    run = read_run(payload("runs")[0])

    assert run == RemoteRun(
        external_id=RUN,
        test_external_id="checkout.loadtest",
        test_name="Checkout.loadtest",
        number=4107,
        status=RunStatus.FINISHED,
        result=RunResult.NONE,
        provider_status="completed",
        provider_substatus="success",
        requested_by_id="b3f2a6f0-1111-4c6f-8e07-2f54c7d1a001",
        requested_by="Lena Fischer",
        created_at=datetime(2018, 3, 5, 9, 12, 10, 100000, UTC),
        queued_at=datetime(2018, 3, 5, 9, 12, 11, 504031, UTC),
        started_at=datetime(2018, 3, 5, 9, 12, 40, 250000, UTC),
        load_started_at=datetime(2018, 3, 5, 9, 13, 0, 500000, UTC),
        load_ended_at=datetime(2018, 3, 5, 9, 23, 2, 750000, UTC),
        ended_at=datetime(2018, 3, 5, 9, 23, 40, tzinfo=UTC),
        duration_s=602.25,
        planned_duration_s=600,
        virtual_users=250,
        note="before the sale",
        web_url="https://acme.visualstudio.com/_apps/hub/load?_a=summary&runId=1c9a3d52-0001",
        start_values={
            "name": "Checkout.loadtest",
            "test_drop_id": "8d1f4c07-52a5-4d5b-9a54-0f2f6f4ac101",
            "description": "before the sale",
            "setup_command": "",
            "cleanup_command": "clean.cmd",
            "host_process_platform": "x64",
        },
        payload=payload("runs")[0],
    )


def test_a_run_stopped_by_somebody():
    run = read_run(payload("runs")[1])

    assert (run.status, run.result, run.stop_reason) == (RunStatus.ABORTED, RunResult.NONE, StopReason.USER)
    assert (run.stopped_by, run.requested_by) == ("Igor Novak", "Lena Fischer")
    assert run.error_message == ""


def test_a_run_aborted_by_validation_says_why():
    run = read_run(payload("runs")[2])

    assert (run.status, run.result, run.stop_reason) == (RunStatus.ABORTED, RunResult.NONE, StopReason.SYSTEM)
    assert (run.stopped_by, run.stopped_by_id) == ("", "")
    assert run.error_code == "VS1550072"
    assert run.error_message.splitlines() == [
        "VS1550072: The load test could not be validated.",
        "Correct the load pattern and queue the run again.",
        "Scenario 'Browse' uses a goal based pattern.",
    ]
    assert (run.virtual_users, run.duration_s, run.load_started_at) == (None, None, None)


def test_names_that_differ_in_case_are_one_load_test():
    first, second, _ = map(read_run, payload("runs"))

    assert first.test_external_id == second.test_external_id
    assert first.test_name != second.test_name


@pytest.mark.parametrize(
    ("state", "substate", "status"),
    [
        ("pending", "none", RunStatus.CREATED),
        ("queued", "none", RunStatus.QUEUED),
        ("queued", "validatingTestRun", RunStatus.QUEUED),
        ("queued", "acquiringResources", RunStatus.STARTING),
        ("inProgress", "configuringAgents", RunStatus.STARTING),
        ("inProgress", "executingSetupScript", RunStatus.STARTING),
        ("inProgress", "warmingUp", RunStatus.RUNNING),
        ("inProgress", "runningTest", RunStatus.RUNNING),
        ("inProgress", "none", RunStatus.RUNNING),
        ("inProgress", "executingCleanupScript", RunStatus.PROCESSING),
        ("inProgress", "collectingResults", RunStatus.PROCESSING),
        ("stopping", "none", RunStatus.STOPPING),
        ("completed", "success", RunStatus.FINISHED),
        ("completed", "partialSuccess", RunStatus.FINISHED),
        ("aborted", "none", RunStatus.ABORTED),
        ("error", "none", RunStatus.ERROR),
    ],
)
def test_every_state_in_any_spelling_or_number(state, substate, status):
    for word, sub in (
        (state, substate),
        (state.upper(), substate.lower()),
        (STATES.index(state), SUBSTATES.index(substate)),
        (str(STATES.index(state)), str(SUBSTATES.index(substate))),
    ):
        run = read_run({"id": "1", "createdDate": "2018-03-05T09:12:10Z", "state": word, "subState": sub})
        assert run.status == status
        assert (run.provider_status, run.provider_substatus) == (state, substate)
        assert run.result == (RunResult.ERROR if status == RunStatus.ERROR else RunResult.NONE)
        assert run.results_incomplete is (substate == "partialSuccess")


def test_odd_rows_are_read_or_named_one_by_one():
    read = [read_run(item) for item in payload("runs_odd")]
    good = {run.external_id: run for run in read if isinstance(run, RemoteRun)}
    bad = [row for row in read if isinstance(row, BadRow)]

    assert good["aaaa-1"].number == 7
    assert good["aaaa-1"].status == RunStatus.RUNNING
    assert good["aaaa-2"].status == RunStatus.PROCESSING
    unknown = good["aaaa-3"]
    assert (unknown.status, unknown.result) == (RunStatus.UNKNOWN, RunResult.NONE)
    assert (unknown.provider_status, unknown.provider_substatus) == ("hibernating", "deep")
    bare = good["aaaa-4"]
    assert (bare.test_name, bare.requested_by, bare.stopped_by, bare.web_url) == ("(no name)", "", "", "")
    assert bare.error_message == "It was stopped."
    assert (bare.planned_duration_s, bare.virtual_users) == (None, None)
    assert good["aaaa-5"].created_at == datetime(2018, 3, 1, 8, tzinfo=UTC)
    assert good["aaaa-5"].duration_s == 0
    assert [row.external_id for row in bad] == ["", "", "aaaa-6", ""]
    assert all(row.reason for row in bad)


def test_secrets_stay_out_of_what_is_kept():
    run = read_run(
        {
            "id": "1",
            "createdDate": "2018-03-05T09:12:10Z",
            "description": f"made with {TOKEN}",
            "testDrop": {"id": "d", "accessData": {"sasKey": "?sig=h1dden"}},
            "runSourceUrl": "https://store.example/x?sig=h1dden",
        },
        (TOKEN,),
    )

    assert TOKEN not in repr(run)
    assert "h1dden" not in repr(run)


# -- lists -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_list_is_read_bare_or_wrapped(httpserver, service, wrapped):
    rows = payload("runs") + payload("runs_odd")
    serve(httpserver, "/testruns", {"count": len(rows), "value": rows} if wrapped else rows)

    pages = list(service.iter_runs(datetime(2018, 3, 1, tzinfo=UTC)))

    assert len(runs_of(pages)) == 8
    assert sum(len(page.bad) for page in pages) == 4


@pytest.mark.parametrize("answer", [{"message": "hello"}, "runs", 5, None, {"value": {}}])
def test_a_list_that_is_none_raises(httpserver, service, answer):
    serve(httpserver, "/testruns", answer)

    with pytest.raises(UnexpectedAnswer):
        list(service.iter_runs(None))


def test_the_list_sends_every_filter_so_that_no_default_hides_a_run(httpserver, service):
    serve(httpserver, "/testruns", [])
    service.api.list_runs(
        from_date=datetime(2018, 3, 1, 12, 30, 0, 5, UTC), to_date=datetime(2018, 3, 2, tzinfo=UTC), top=50
    )
    service.api.list_runs(
        name="Checkout.loadtest",
        requested_by="Lena Fischer",
        status="completed",
        from_date=datetime(2018, 3, 1, tzinfo=UTC),
        to_date=datetime(2018, 3, 2, tzinfo=UTC),
        top=1,
        detailed=False,
    )

    everything, chosen = (request.args.to_dict() for request, _ in httpserver.log)
    assert everything == {
        "api-version": "1.0",
        "name": "",
        "requestedBy": "",
        "status": "",
        "fromDate": "2018-03-01T12:30:00.0000050Z",
        "toDate": "2018-03-02T00:00:00.0000000Z",
        "detailed": "true",
        "top": "50",
        "runType": "*",
    }
    assert (chosen["name"], chosen["requestedBy"], chosen["status"]) == (
        "Checkout.loadtest",
        "Lena Fischer",
        "completed",
    )
    assert (chosen["detailed"], chosen["top"]) == ("false", "1")


def test_calls_carry_the_token_as_basic_password_with_an_empty_user(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}", payload("runs")[0])
    service.get_run(RUN)

    given = httpserver.log[0][0].headers["Authorization"]
    assert base64.b64decode(given.removeprefix("Basic ")).decode() == f":{TOKEN}"


def test_an_organization_in_the_base_url_stays(httpserver):
    httpserver.expect_request(f"/acme{CLT}/testruns/{RUN}").respond_with_json(payload("runs")[0])
    service = VstsService(httpserver.url_for("/acme/"), {"token": TOKEN}, extra_hosts=("127.0.0.1", "localhost"))

    assert service.get_run(RUN).number == 4107


def test_lost_runs_are_left_out_when_several_are_asked_for(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}", payload("runs")[0])
    serve(httpserver, "/testruns/gone", payload("error"), status=404)

    assert [run.external_id for run in service.get_runs([RUN, "gone"])] == [RUN]


def test_a_run_that_is_no_run_raises(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}", {"id": ""})

    with pytest.raises(UnexpectedAnswer):
        service.get_run(RUN)


def test_an_id_cannot_lead_elsewhere(httpserver, service):
    httpserver.expect_request(f"{CLT}/testruns/a/../b?c").respond_with_json({}, status=404)

    with pytest.raises((NotFound, UnexpectedAnswer)):
        service.get_run("a/../b?c")
    assert all(path.startswith(f"{CLT}/testruns/a") for _, path in sent(httpserver))


# -- below a run -------------------------------------------------------------------------------------------------------


@pytest.fixture
def details(httpserver, service):
    for name in ("errors", "messages", "results", "counterinstances", "resultsummary"):
        path = {"resultsummary": "ResultSummary"}.get(name, name)
        serve(httpserver, f"/testruns/{RUN}/{path}", payload(name))
    serve(httpserver, f"/testruns/{RUN}/countersamples", payload("countersamples"), method="POST")
    return service.get_details(read_run(payload("runs")[0]))


def test_details_of_an_ended_run_cost_six_calls(httpserver, details):
    assert len(httpserver.log) == 6
    arguments = {request.path.rpartition("/")[2]: request.args for request, _ in httpserver.log}
    assert arguments["errors"]["detailed"] == "true"
    assert arguments["counterinstances"].to_dict() == {
        "api-version": "1.0",
        "groupNames": "Performance,Throughput",
        "includeSummary": "true",
    }


def test_the_error_tree_becomes_details(details):
    told = [(error.type, error.subtype, error.occurrences) for error in details.errors]
    assert told == [
        ("Exception", "WebException", 41),
        ("Exception", "WebException", 2),
        ("HttpError", "503 - ServiceUnavailable", 12),
        ("ThresholdMessage", "Critical", 5),
        ("ThresholdMessage", "Critical", 1),
        ("ThresholdMessage", "Warning", 9),
    ]
    assert sum(error.occurrences for error in details.errors) == payload("errors")["occurrences"]
    first = details.errors[0]
    assert (first.test_case, first.scenario, first.request) == ("BuyOne", "Peak", "https://shop.example/cart----{POST}")
    assert first.stack_trace == "   at Shop.Cart.Add(Item item)\r\n   at Shop.Web.Post()"
    assert first.last_at == datetime(2018, 3, 5, 9, 20, 18, 152104, UTC)
    assert first.message.startswith("The cart is closed.")
    assert "h1dden" not in repr(details)


def test_critical_threshold_messages_fail_the_run_and_are_its_thresholds(details):
    assert details.result == RunResult.FAILED
    assert details.thresholds == [
        RemoteThreshold(
            metric="Agent0 / Processor / % Processor Time / _Total",
            condition="<= 90",
            broken=True,
            value=97.5,
            limit=90,
        ),
        RemoteThreshold(
            metric="Agent0 / Memory / Available MBytes", condition=">= 100.5", broken=True, value=80, limit=100.5
        ),
    ]


def test_messages_are_sorted_and_cleaned(details):
    assert [(m.external_id, m.level, m.source, m.agent) for m in details.messages] == [
        ("m-1", MessageLevel.INFO, "validation", ""),
        ("m-2", MessageLevel.WARNING, "setupScript", ""),
        ("m-3", MessageLevel.CRITICAL, "other", "Agent0"),
    ]
    assert details.messages[1].text == "Uploaded to https://store.example/x?sv=1&sig=[redacted]"


def test_numbers_of_the_run_its_requests_and_counters_are_in_milliseconds(details):
    rows = {(row.kind, row.name): row for row in details.metrics}

    assert rows["run", ""].numbers == {
        "rate_per_s": 99,
        "peak_rate_per_s": 120,
        "min_ms": 50,
        "avg_ms": 250,
        "max_ms": 1500,
        "max_vus": 250,
        "count": 60000,
        "failed": 300,
        "error_rate": 0.005,
        "median_ms": 200,
        "p90_ms": 600,
        "p95_ms": 900,
    }
    assert rows["request", "https://shop.example/cart"].numbers == {
        "count": 1000,
        "failed": 10,
        "error_rate": 0.01,
        "rate_per_s": 1.5,
        "avg_ms": 750,
        "p95_ms": 1250,
    }
    assert rows["transaction", "Buy"].numbers == {"count": 500, "avg_ms": 2500}
    assert rows["page", "https://shop.example/"].numbers == {"count": 40, "avg_ms": 1500}
    users = rows["counter", "ELSCONTROLLER / LoadTest:Scenario / User Load"]
    assert (users.unit, users.numbers) == ("vusers", {"value": 200.5, "min": 25, "max": 250})
    assert rows["counter", "ELSCONTROLLER / LoadTest:Request / Avg. Response Time"].unit == "ms"
    assert len(rows) == len(details.metrics) == 7


def test_series_count_seconds_from_the_start_of_the_load(details):
    series = {row.name: row for row in details.series}

    assert series["vus"].points == [(15.0, 25.0), (30.0, 250.0)]
    assert series["avg_ms"].points == [(30.0, 250.0)]
    assert series["rate_per_s"].points == [(15.0, 99.5)]
    assert set(series) == {"vus", "avg_ms", "rate_per_s"}


def test_an_archive_is_known_but_not_its_link(details):
    assert details.has_archive is True
    assert "store.example/container" not in repr(details)


def test_a_clean_run_passes_once_its_errors_were_read(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}/errors", {"types": [], "count": 0, "occurrences": 0})

    details = service.get_details(read_run(payload("runs")[0]))

    assert details.result == RunResult.PASSED
    assert (details.messages, details.metrics, details.series, details.has_archive) == ((), [], [], False)


def test_a_run_whose_errors_are_gone_has_no_verdict(httpserver, service):
    details = service.get_details(read_run(payload("runs")[0]))  # the server answers 404 to everything

    assert details.result is None
    assert (list(details.errors), list(details.thresholds)) == ([], [])


@pytest.mark.parametrize("index", [1, 2])
def test_an_aborted_run_is_not_judged_by_its_errors(httpserver, service, index):
    row = payload("runs")[index]
    serve(httpserver, f"/testruns/{row['id']}/errors", payload("errors"))

    assert service.get_details(read_run(row)).result is None


def test_a_run_without_load_costs_two_calls(httpserver, service):
    service.get_details(read_run(payload("runs")[2]))

    assert len(httpserver.log) == 2


def test_the_flat_errors_of_revision_1_are_read_too(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}/errors", payload("errors_flat"))

    (error,) = service.get_details(read_run(payload("runs")[0])).errors
    assert (error.type, error.subtype, error.occurrences, error.message) == (
        "HttpError",
        "404 - NotFound",
        3,
        "not there",
    )


def test_counter_groups_may_be_wrapped(httpserver, service):
    wrapped = payload("results")
    wrapped["counterGroups"] = {"count": 1, "value": [{"groupName": "Application", "url": ""}]}
    serve(httpserver, f"/testruns/{RUN}/results", wrapped)
    serve(httpserver, f"/testruns/{RUN}/counterinstances", {"count": 0, "value": []})

    service.get_details(read_run(payload("runs")[0]))

    asked = [request.args["groupNames"] for request, _ in httpserver.log if request.path.endswith("counterinstances")]
    assert asked == ["Application"]


@pytest.mark.parametrize("limit_is_for", ["all counters", "each counter"])
def test_samples_past_the_largest_batch_are_asked_for_again(httpserver, service, limit_is_for):
    asked = []

    def samples(request):
        body = json.loads(request.data)
        asked.append({item["counterInstanceId"]: item["fromInterval"] for item in body["value"]})
        assert body["count"] == len(body["value"])
        left = 4
        values = []
        for item in body["value"]:
            numbers = list(range(item["fromInterval"], 5))[: 4 if limit_is_for == "each counter" else left]
            left -= len(numbers)
            rows = [{"intervalNumber": number, "computedValue": number} for number in numbers]
            values.append({"counterInstanceId": item["counterInstanceId"], "values": rows})
        return Response(json.dumps({"maxBatchSize": 4, "values": values}), content_type="application/json")

    serve(httpserver, f"/testruns/{RUN}/counterinstances", payload("counterinstances"))
    httpserver.expect_request(f"{CLT}/testruns/{RUN}/countersamples", method="POST").respond_with_handler(samples)

    series = {row.name: row for row in service.get_details(read_run(payload("runs")[0])).series}

    assert [value for _, value in series["vus"].points] == [0, 1, 2, 3, 4]
    assert [value for _, value in series["rate_per_s"].points] == [0, 1, 2, 3, 4]
    assert asked[0] == {"Els~1": 0, "Els~2": 0, "Els~3": 0}
    assert 1 < len(asked) < 8


def test_an_undocumented_summary_that_is_refused_is_no_fault(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}/ResultSummary", payload("error"), status=400)
    serve(httpserver, f"/testruns/{RUN}/errors", payload("errors"))

    assert service.get_details(read_run(payload("runs")[0])).result == RunResult.FAILED


def test_errors_can_be_asked_for_by_type_and_subtype(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}/errors", payload("errors"))
    service.api.errors(RUN, type="Exception", detailed=False)
    service.api.errors(RUN, type="Exception", subtype="WebException")
    service.api.errors(RUN, subtype="WebException")

    assert [{k: v for k, v in request.args.items() if k != "api-version"} for request, _ in httpserver.log] == [
        {"type": "Exception", "detailed": "false"},
        {"type": "Exception", "subtype": "WebException", "detailed": "true"},
        {"detailed": "true"},  # the manual forbids a subtype without its type
    ]


# -- start and stop ----------------------------------------------------------------------------------------------------

WISH = StartWish(
    test_external_id="checkout.loadtest",
    test_name="Checkout.loadtest",
    values={
        "name": "Checkout.loadtest",
        "test_drop_id": "8d1f4c07-52a5-4d5b-9a54-0f2f6f4ac101",
        "description": "once more",
        "setup_command": "prepare.exe",
        "cleanup_command": "clean.cmd",
        "host_process_platform": "x64",
    },
    token="press-1",
)


def test_create_sends_the_run_and_returns_it_pending(httpserver, service):
    answer = {**payload("runs")[0], "state": "pending", "subState": "none", "runSourceIdentifier": "plimsoll/press-1"}
    serve(httpserver, "/testruns", answer, method="POST")

    run = service.start_step("create", WISH, "")

    assert (run.external_id, run.status, run.start_token) == (RUN, RunStatus.CREATED, "press-1")
    request = httpserver.log[0][0]
    assert request.args["api-version"] == "1.0"
    assert json.loads(request.data) == {
        "name": "Checkout.loadtest",
        "description": "once more",
        "testDrop": {"id": "8d1f4c07-52a5-4d5b-9a54-0f2f6f4ac101"},
        "testSettings": {"cleanupCommand": "clean.cmd", "hostProcessPlatform": "x64", "setupCommand": "prepare.exe"},
        "runSourceIdentifier": "plimsoll/press-1",
    }


def test_a_jmeter_run_says_so_and_the_platform_has_a_default(httpserver, service):
    serve(httpserver, "/testruns", payload("runs")[0], method="POST")
    wish = StartWish(
        test_external_id="a.jmx", test_name="A.jmx", values={"name": "A.jmx", "test_drop_id": "d"}, token="press-2"
    )

    service.start_step("create", wish, "")

    body = json.loads(httpserver.log[0][0].data)
    assert body["runType"] == "jMeterLoadTest"
    assert body["testSettings"]["hostProcessPlatform"] == "x86"


@pytest.mark.parametrize("body", ["", "<html>ok</html>", "{}"])
def test_a_created_run_that_cannot_be_read_may_exist(httpserver, service, body):
    httpserver.expect_request(f"{CLT}/testruns", method="POST").respond_with_data(body)

    with pytest.raises(UnexpectedAnswer) as caught:
        service.start_step("create", WISH, "")
    assert caught.value.maybe_done is True
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(("step", "state"), [("queue", "queued"), ("stop", "aborted")])
def test_queue_and_stop_change_the_state_by_a_bodyless_202(httpserver, service, step, state):
    httpserver.expect_request(f"{CLT}/testruns/{RUN}", method="PATCH").respond_with_data("", status=202)

    if step == "stop":
        assert service.stop(RUN) is None
    else:
        assert service.start_step("queue", WISH, RUN) is None
    assert json.loads(httpserver.log[0][0].data) == {"state": state}


def test_a_refused_stop_gives_the_service_s_reason(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}", payload("error"), method="PATCH", status=400)

    with pytest.raises(Refused, match="VS1550014: The test run is completed and cannot be changed") as caught:
        service.stop(RUN)
    assert caught.value.maybe_done is False


@pytest.mark.parametrize("step", ["create", "queue", "stop"])
def test_a_write_that_fails_is_sent_once(httpserver, service, step):
    httpserver.expect_request(f"{CLT}/testruns", method="POST").respond_with_data("", status=503)
    httpserver.expect_request(f"{CLT}/testruns/{RUN}", method="PATCH").respond_with_data("", status=503)

    with pytest.raises(Unavailable) as caught:
        service.stop(RUN) if step == "stop" else service.start_step(step, WISH, RUN)
    assert caught.value.maybe_done is True
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"count": 1, "value": {"Message": "The drop is empty."}},
        {"ClassName": "System.Exception", "Message": "The drop is empty.", "InnerException": None},
        {"$id": "1", "message": "The drop is empty.", "typeKey": "X"},
    ],
)
def test_the_reason_is_found_in_every_error_shape(httpserver, service, body):
    serve(httpserver, "/testruns", body, method="POST", status=400)

    with pytest.raises(Refused, match=r"refused this: The drop is empty\. Change"):
        service.start_step("create", WISH, "")


def test_a_test_drop_can_be_read_and_made(httpserver, service):
    drop = {"id": "d-1", "dropType": "TestServiceBlobDrop", "accessData": {"sasKey": "?sig=x", "dropContainerUrl": "u"}}
    serve(httpserver, "/testdrops/d-1", drop)
    serve(httpserver, "/testdrops", drop, method="POST")

    assert service.api.test_drop("d-1") == service.api.create_test_drop() == drop
    assert json.loads(httpserver.log[1][0].data) == {"dropType": "TestServiceBlobDrop"}


# -- the archive -------------------------------------------------------------------------------------------------------


def test_the_archive_is_fetched_anew_without_credentials_and_named_for_what_it_is(httpserver, service):
    url = httpserver.url_for("/store/1/TestResult/LoadTest.ltrar.zip?sig=h1dden")
    serve(httpserver, f"/testruns/{RUN}/results", {"resultsUrl": url})
    httpserver.expect_request("/store/1/TestResult/LoadTest.ltrar.zip").respond_with_data(b"\x1f\x8bgzip")

    download = service.open_archive(RUN)

    assert (download.filename, download.content_type) == ("LoadTest.ltrar.gz", "application/gzip")
    assert b"".join(download.chunks) == b"\x1f\x8bgzip"
    assert "Authorization" not in httpserver.log[-1][0].headers


def test_a_jmeter_archive_is_a_zip(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}/results", {"resultsUrl": httpserver.url_for("/store/ResultsArchive.zip?sig=x")})
    httpserver.expect_request("/store/ResultsArchive.zip").respond_with_data(b"PK")

    download = service.open_archive(RUN)
    assert (download.filename, download.content_type) == ("ResultsArchive.zip", "application/zip")
    assert list(download.chunks) == [b"PK"]


def test_without_an_archive_a_sentence_says_so(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}/results", {"counterGroups": []})

    with pytest.raises(NotFound, match="has no result archive"):
        service.open_archive(RUN)


def test_an_archive_at_a_foreign_host_is_refused_and_its_link_not_shown(httpserver, service):
    serve(httpserver, f"/testruns/{RUN}/results", {"resultsUrl": "https://evil.example/x.zip?sig=h1dden"})

    with pytest.raises(Refused) as caught:
        service.open_archive(RUN)
    assert "h1dden" not in str(caught.value)


# -- the account -------------------------------------------------------------------------------------------------------


def steps(service):
    return [(step.name, step.ok) for step in service.test_connection()]


def test_a_good_account_passes_every_step(httpserver, service):
    serve(httpserver, "/testruns", [])

    assert steps(service) == [("Reach the service", True), ("Sign in", True), ("List runs", True)]
    assert [step.sentence for step in service.test_connection()] == ["", "", ""]


def test_a_list_with_nobody_else_s_runs_is_said(httpserver, service):
    serve(httpserver, "/testruns", payload("runs")[:2])

    assert steps(service)[2] == ("List runs", True)
    assert service.test_connection()[2].sentence.startswith("All runs listed are by Lena Fischer.")


@pytest.mark.parametrize("status", [401, 203, 302, 403])
def test_a_wrong_token_fails_at_sign_in_also_when_answered_with_a_page(httpserver, service, status):
    httpserver.expect_request(f"{CLT}/testruns").respond_with_data(
        "<html>Sign in</html>", status=status, headers={"Location": "/signin"}
    )

    assert steps(service) == [("Reach the service", True), ("Sign in", False), ("List runs", None)]
    with pytest.raises(Unauthorized):
        service.whoami()


def test_a_server_that_is_something_else_fails_at_the_list(httpserver, service):
    httpserver.expect_request(f"{CLT}/testruns").respond_with_data("<html>Welcome</html>")

    assert steps(service) == [("Reach the service", True), ("Sign in", True), ("List runs", False)]
    assert "web page" in service.test_connection()[2].sentence


@pytest.mark.parametrize(
    "url", ["https://evil.example", "http://acme.vsclt.visualstudio.com", "https://a.b.vsclt.visualstudio.com"]
)
def test_an_address_that_may_not_be_called_fails_first_and_nothing_is_sent(url):
    service = VstsService(url, {"token": TOKEN})

    (reach, *others) = service.test_connection()
    assert reach.ok is False
    assert reach.sentence
    assert [step.ok for step in others] == [None, None]


def test_whoami_is_the_requester_of_my_newest_runs(httpserver, service):
    serve(httpserver, "/testruns", payload("runs")[:1])

    person = service.whoami()

    assert (person.external_id, person.name) == ("b3f2a6f0-1111-4c6f-8e07-2f54c7d1a001", "Lena Fischer")
    assert httpserver.log[0][0].args["requestedBy"] == "@Me"


def test_whoami_without_runs_cannot_be_told(httpserver, service):
    serve(httpserver, "/testruns", [])

    assert service.whoami() is None


def test_there_are_no_tests_to_list(service):
    assert list(service.iter_tests()) == []


def test_ended_states_are_those_of_the_manual():
    ended = [
        state for state in STATES if read_run({"id": "1", "createdDate": "2018-03-05", "state": state}).status in ENDED
    ]

    assert ended == ["completed", "aborted", "error"]
