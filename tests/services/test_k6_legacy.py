"""How Grafana Cloud k6's legacy runs become ours, and how one is read, started, stopped and downloaded."""

import logging
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer

from runs.choices import ENDED, LIVE, RunResult, RunStatus
from runs.services.base import NotFound, Refused, StartWish, Unauthorized, Unavailable, UnexpectedAnswer
from runs.services.k6_legacy import RUN_STATUS, verdict
from runs.services.k6_payloads import Run

from .k6_stand_in import TOKEN, StandIn, payload, run_row

WISH = StartWish(test_external_id="31", test_name="Checkout", values={}, token="press-1")


@pytest.fixture(scope="module")
def server():
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def k6(server):
    server.clear()
    return StandIn(server)


def status_of(run_status, processing=2, result=0):
    run = Run.model_validate(
        {"id": 1, "run_status": run_status, "processing_status": processing, "result_status": result}
    )
    return tuple(str(word) for word in verdict(run))


# -- their words and ours ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run_status", "status"),
    [(-2, "created"), (-1, "created"), (0, "queued"), (1, "starting"), (2, "running")],
)
@pytest.mark.parametrize("result", [0, 1, None])
def test_a_run_that_is_not_over_has_no_result_though_zero_means_passed(run_status, status, result):
    assert status_of(run_status, 0, result) == (status, "none", "")


@pytest.mark.parametrize(
    ("processing", "result", "expected"),
    [
        (0, 0, ("processing", "none", "")),
        (1, 1, ("processing", "none", "")),
        (2, 0, ("finished", "passed", "")),
        (2, 1, ("finished", "failed", "")),
        (None, 0, ("finished", "passed", "")),
        (None, 1, ("finished", "failed", "")),
        (3, 0, ("finished", "none", "")),
        (3, 1, ("finished", "failed", "")),
        (2, None, ("finished", "none", "")),
        (2, 2, ("finished", "none", "")),
        (7, 0, ("unknown", "none", "")),
    ],
)
def test_a_finished_run_is_judged_once_its_numbers_are_in(processing, result, expected):
    assert status_of(3, processing, result) == expected


@pytest.mark.parametrize(
    ("run_status", "status", "reason", "at_zero", "at_one"),
    [
        (4, "timed_out", "limit", "error", "failed"),
        (5, "aborted", "user", "none", "failed"),
        (6, "aborted", "system", "error", "failed"),
        (7, "aborted", "script_error", "error", "failed"),
        (8, "aborted", "threshold", "failed", "failed"),
        (9, "aborted", "limit", "error", "failed"),
    ],
)
def test_a_run_that_ended_early_is_never_passed(run_status, status, reason, at_zero, at_one):
    assert status_of(run_status, 2, 0) == (status, at_zero, reason)
    assert status_of(run_status, 2, 1) == (status, at_one, reason)


@pytest.mark.parametrize("number", [10, 11, -3, 99, "ARCHIVED", None])
def test_a_status_we_do_not_know_is_unknown_and_has_no_result(number):
    assert status_of(number, 2, 0) == ("unknown", "none", "")
    assert status_of(number, 2, 1) == ("unknown", "none", "")


def test_every_documented_status_leads_to_a_live_or_an_ended_one():
    reached = {verdict(Run.model_validate({"id": 1, "run_status": number}))[0] for number in RUN_STATUS}
    assert reached <= {*LIVE, *ENDED}
    assert set(RUN_STATUS) == set(range(-2, 10))


def test_the_providers_own_words_are_kept_and_an_unknown_number_stays_a_number(k6):
    k6.add_test(31, run_row(1, run_status=3, processing_status=1), run_row(2, run_status=10, result_status=5))
    newer, older = everything(k6.service()).runs
    assert (older.provider_status, older.provider_substatus, older.provider_result) == (
        "FINISHED",
        "PROCESSING",
        "PASSED",
    )
    assert (newer.provider_status, newer.provider_substatus, newer.provider_result) == ("10", "FINISHED", "5")


# -- one run -----------------------------------------------------------------------------------------------------------


def test_a_run_of_the_older_address_has_every_field(k6):
    k6.answers["GET", "/loadtests/v2/runs/501"] = payload("run_v2")
    run = k6.service().get_run("501")
    assert (run.external_id, run.test_external_id, run.status, run.result) == (
        "501",
        "31",
        RunStatus.FINISHED,
        RunResult.FAILED,
    )
    assert run.created_at == datetime(2024, 3, 5, 10, tzinfo=UTC)
    assert run.started_at == run.load_started_at == datetime(2024, 3, 5, 10, 0, 20, tzinfo=UTC)
    assert run.ended_at == run.load_ended_at == datetime(2024, 3, 5, 10, 2, 35, tzinfo=UTC)
    assert (run.duration_s, run.planned_duration_s, run.virtual_users) == (135.0, 120, 200)
    assert (run.requested_by_id, run.requested_by, run.stopped_by_id, run.stopped_by) == ("703", "Mara Lind", "", "")
    assert (run.note, run.error_code, run.error_message, run.results_incomplete) == (
        "after the cache fix",
        "",
        "",
        False,
    )


def test_a_run_of_the_newer_address_has_every_field(k6):
    k6.answers["GET", "/cloud/v5/test_runs/502"] = payload("run_v5")
    run = k6.service().get_run("502")
    assert (run.status, run.result, run.stop_reason) == (RunStatus.ABORTED, RunResult.NONE, "user")
    assert run.created_at == datetime(2024, 5, 18, 8, 46, 1, 157645, tzinfo=UTC)
    assert (run.duration_s, run.planned_duration_s) == (414.0, 2550)
    assert (run.requested_by, run.stopped_by_id, run.stopped_by) == ("Mara Lind", "704", "")


def test_a_run_that_neither_address_has_is_not_found(k6):
    k6.answers["GET", "/cloud/v5/test_runs/9"] = (403, {"error": {"code": "error", "message": "could not find"}})
    with pytest.raises(NotFound):
        k6.service().get_run("9")


@pytest.mark.parametrize("external_id", ["../stop", "7/stop", "", "seven", "7?x=1"])
def test_an_id_that_k6_cannot_have_is_not_found_and_not_sent(k6, external_id):
    with pytest.raises(NotFound):
        k6.service().get_run(external_id)
    assert k6.paths("stop") == []


def test_numbers_as_text_are_numbers_and_what_is_unreadable_is_left_out(k6):
    k6.add_test(31, run_row(1, run_status="3", vus="12", duration="soon", started="yesterday", user_id="703"))
    k6.runs[31][0] |= {"version": "2", "error_code": 8030, "error_detail": "x\0y", "processing_status": "2"}
    (run,) = everything(k6.service()).runs
    assert (run.status, run.virtual_users, run.planned_duration_s, run.started_at) == ("finished", 12, None, None)
    assert (run.requested_by, run.error_code, run.error_message, run.duration_s) == ("Mara Lind", "8030", "xy", None)


def test_a_live_run_has_no_end_even_if_its_answer_shows_one(k6):
    k6.add_test(31, run_row(1, run_status=2, processing_status=0))
    (run,) = everything(k6.service()).runs
    assert (run.ended_at, run.load_ended_at, run.duration_s) == (None, None, None)


def test_a_run_whose_numbers_could_not_be_processed_is_incomplete(k6):
    k6.add_test(31, run_row(1, run_status=3, processing_status=3))
    assert everything(k6.service()).runs[0].results_incomplete is True


def test_only_the_real_service_has_a_page_for_a_run(k6):
    k6.answers["GET", "/loadtests/v2/runs/501"] = payload("run_v2")
    service = k6.service()
    assert service.get_run("501").web_url == ""
    service.base_url = "https://api.k6.io"
    assert service.get_run("501").web_url == "https://app.k6.io/runs/501"


def test_the_stored_payload_keeps_the_script_and_loses_the_tokens(k6):
    row = payload("run_v2")
    row["k6-run"]["script"] = f"http.get('https://shop.example/?api_key=s3cr3t', 'Token {TOKEN}')"
    row["k6-run"]["note"] = f"used {TOKEN}"
    k6.answers["GET", "/loadtests/v2/runs/501"] = row
    run = k6.service().get_run("501")
    assert run.payload["config"] == {"agent_access_token": "[redacted]", "archive": "5a1c.tar"}
    assert "https://shop.example/" in run.payload["script"]
    assert "s3cr3t" not in str(run)
    assert TOKEN not in str(run)
    assert "0f1e2d3c4b5a" not in str(run)


def test_several_runs_of_a_test_are_read_in_one_call_and_lost_ones_left_out(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 61)))
    runs = k6.service().get_runs([str(number) for number in (*range(1, 59), 99)], "31")
    assert sorted(int(run.external_id) for run in runs) == list(range(1, 59))
    assert len(k6.paths("/loadtests/v2/runs")) == 2
    first = next(args for _, path, args in k6.asked if path == "/loadtests/v2/runs")
    assert ("test_id", "31") in first
    assert sum(key == "ids[]" for key, _ in first) == 50


def test_no_run_is_asked_for_by_an_id_that_k6_cannot_have(k6):
    k6.add_test(31, run_row(1))
    assert k6.service().get_runs(["", "x"], "31") == []
    assert k6.paths("/loadtests/v2/runs") == []


def test_several_runs_are_read_one_by_one_where_the_list_is_closed(k6):
    k6.answers["GET", "/loadtests/v2/runs"] = (403, {"error": {"message": "Not allowed", "code": 4}})
    k6.answers["GET", "/loadtests/v2/runs/501"] = payload("run_v2")
    assert [run.external_id for run in k6.service().get_runs(["501", "502"], "31")] == ["501"]


def test_a_shared_run_is_found_by_its_public_id(k6):
    k6.answers["GET", "/loadtests/v2/runs"] = {"k6-runs": [payload("run_v2")["k6-run"]], "meta": {"count": 1}}
    assert k6.service().find_shared("ab12").external_id == "501"
    assert k6.parameters("/loadtests/v2/runs") == [{"public_id": "ab12"}]


def test_fields_can_be_selected_at_both_addresses(k6):
    k6.answers["GET", "/loadtests/v2/runs/501"] = payload("run_v2")
    k6.answers["GET", "/cloud/v5/test_runs/501"] = payload("run_v5")
    api = k6.service().api
    api.run_v2("501", ("id", "run_status"))
    api.run_v5("501", ("id", "run_status"))
    api.runs_v2(test_id="31", select=("id", "created"))
    selected = [args.get("$select") for args in k6.parameters("/")]
    assert selected == ["id,run_status", "id,run_status", "id,created"]


# -- who and what ------------------------------------------------------------------------------------------------------


def test_every_call_is_signed_with_the_token_in_k6s_scheme(k6):
    k6.service().whoami()
    assert k6.signed == [f"Token {TOKEN}"]


def test_the_account_says_whose_token_it_is(k6):
    person = k6.service().whoami()
    assert (person.external_id, person.name) == ("703", "Mara Lind")


def test_without_the_undocumented_account_page_nobody_has_a_name(k6):
    k6.gone = ("/v3/account",)
    k6.add_test(31, run_row(1))
    service = k6.service()
    assert service.whoami() is None
    assert (everything(service).runs[0].requested_by_id, everything(service).runs[0].requested_by) == ("703", "")


def test_a_person_without_a_name_is_called_by_the_address(k6):
    k6.answers["GET", "/v3/account/me"] = {"user": {"id": 703, "email": "mara@shop.example", "first_name": None}}
    assert k6.service().whoami().name == "mara@shop.example"


def test_tests_are_listed_page_by_page_with_their_project(k6):
    for number in range(1, 8):
        k6.add_test(number)
    pages = list(k6.service(page_size=3).iter_tests())
    assert [test.external_id for page in pages for test in page] == list("1234567")
    assert pages[0][0].name == "Test 1"
    assert pages[0][0].project == "Web"
    assert [args["page"] for args in k6.parameters("/loadtests/v2/tests")] == ["1", "2", "3"]
    assert k6.parameters("/loadtests/v2/tests")[0] == {
        "project_id": "21",
        "order_by": "id",
        "page": "1",
        "page_size": "3",
    }


def test_a_single_test_can_be_read(k6):
    k6.answers["GET", "/loadtests/v2/tests/31"] = {
        "k6-test": {
            "id": 31,
            "name": "Checkout",
            "project_id": 21,
            "last_test_run_id": "502",
            "test_run_ids": [501, 502],
        }
    }
    test = k6.service().api.test("31")
    assert (test.id, test.name, test.last_run_id, test.run_ids) == ("31", "Checkout", 502, (501, 502))


def test_the_connection_test_tells_each_step(k6):
    k6.add_test(31)
    steps = {step.name: (step.ok, step.sentence) for step in k6.service().test_connection()}
    assert steps == {
        "reach": (True, ""),
        "sign-in": (True, "Signed in as Mara Lind."),
        "organizations": (True, "Shop"),
        "tests": (True, 'Found tests, such as "Test 31".'),
    }


def test_the_connection_test_stops_at_a_token_that_is_not_accepted(k6):
    k6.answers["GET", "/v3/organizations"] = (401, {"error": {"message": "Invalid token", "code": 6}})
    steps = {step.name: step.ok for step in k6.service().test_connection()}
    assert steps == {"reach": True, "sign-in": False, "organizations": None, "tests": None}


def test_the_connection_test_goes_on_when_only_the_account_page_is_out_of_order(k6):
    k6.answers["GET", "/v3/account/me"] = (503, {"error": {"message": "down", "code": 0}})
    assert [step.ok for step in k6.service().test_connection()] == [True, True, True, True]


def test_the_connection_test_says_when_nothing_answers():
    with HTTPServer() as server:
        stand_in = StandIn(server)
        service = stand_in.service()
    first, *others = service.test_connection()
    assert first.ok is False
    assert "Grafana Cloud k6" in first.sentence
    assert [step.ok for step in others] == [None, None, None]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"error": {"message": "Bad VUs", "code": 2, "field_errors": {"vus": ["too many"]}}}, "Bad VUs; vus: too many"),
        ({"error": {"message": "Bad", "code": 2, "errors": ["one", "two"]}}, "Bad; one; two"),
        (
            {"error": {"code": "validation_error", "message": "No", "details": [{"message": "not a time"}]}},
            "not a time",
        ),
    ],
)
def test_the_providers_reason_is_in_the_sentence(k6, error, reason):
    k6.answers["POST", "/loadtests/v2/tests/31/start-testrun"] = (400, error)
    with pytest.raises(Refused) as caught:
        k6.service().start_step("start", WISH, "")
    assert reason in str(caught.value)
    assert not caught.value.maybe_done


# -- start, stop, files ------------------------------------------------------------------------------------------------


def test_starting_sends_one_request_and_returns_the_run(k6):
    k6.answers["POST", "/loadtests/v2/tests/31/start-testrun"] = payload("start_testrun")
    run = k6.service().start_step("start", WISH, "")
    assert (run.external_id, run.test_external_id, run.status, run.result) == ("777", "31", "created", "none")
    assert [(method, path) for method, path, _ in k6.asked] == [("POST", "/loadtests/v2/tests/31/start-testrun")]


@pytest.mark.parametrize("answer", [None, {}, {"k6-run": {}}, {"k6-run": {"id": None}}, [], {"k6-run": "started"}])
def test_a_start_whose_answer_names_no_run_may_have_happened(k6, answer):
    k6.answers["POST", "/loadtests/v2/tests/31/start-testrun"] = (200, answer)
    with pytest.raises(UnexpectedAnswer) as caught:
        k6.service().start_step("start", WISH, "")
    assert caught.value.maybe_done is True
    assert len(k6.asked) == 1


def test_a_start_that_ends_in_a_fault_is_not_sent_again(k6):
    k6.answers["POST", "/loadtests/v2/tests/31/start-testrun"] = (503, {"error": {"message": "down", "code": 0}})
    with pytest.raises(Unavailable) as caught:
        k6.service().start_step("start", WISH, "")
    assert caught.value.maybe_done is True
    assert len(k6.asked) == 1


def test_a_started_run_without_a_date_was_created_now(k6):
    answer = payload("start_testrun")
    del answer["k6-run"]["created"]
    k6.answers["POST", "/loadtests/v2/tests/31/start-testrun"] = answer
    now = datetime(2024, 6, 1, 12, 30, tzinfo=UTC)
    assert k6.service(now=lambda: now).start_step("start", WISH, "").created_at == now


def test_stopping_sends_one_request(k6):
    k6.answers["POST", "/loadtests/v2/runs/501/stop"] = {}
    k6.service().stop("501")
    assert [(method, path) for method, path, _ in k6.asked] == [("POST", "/loadtests/v2/runs/501/stop")]


def test_a_refused_stop_says_why(k6):
    k6.answers["POST", "/loadtests/v2/runs/501/stop"] = (403, {"error": {"message": "Read-only token", "code": 4}})
    with pytest.raises(Unauthorized, match="Read-only token"):
        k6.service().stop("501")


def export(file=None, status=None, archive=""):
    made = None if status is None else {"export_status": status, "export_file": file}
    return {"k6-run": {"id": 501, "export": made, "k6_archive": archive}}


def test_an_export_that_exists_is_passed_through_without_the_token(k6):
    link = k6.server.url_for("/files/501.csv") + "?sig=abc"
    k6.answers["GET", "/loadtests/v2/runs/501"] = export(link, 2)
    k6.answers["GET", "/files/501.csv"] = {"rows": 1}
    download = k6.service().open_archive("501")
    assert (download.filename, download.content_type) == ("k6-run-501.csv", "text/csv")
    assert b"".join(download.chunks) == b'{"rows": 1}'
    assert k6.signed[-1] is None
    assert [method for method, _, _ in k6.asked] == ["GET", "GET"]
    assert k6.parameters("/runs/501") == [{"$select": "id,export,k6_archive"}]


def test_an_export_nobody_asked_for_is_made_once_and_waited_for(k6):
    link = k6.server.url_for("/files/501.csv")
    states = [export(), export(None, 1), export(link, 2)]
    k6.answers["POST", "/loadtests/v2/runs/501/export"] = {"exports": [{"export_status": 1, "load_test_run_id": 501}]}
    k6.answers["GET", "/files/501.csv"] = {"rows": 1}

    def next_state(path):
        if path == "/loadtests/v2/runs/501":
            k6.answers["GET", path] = states.pop(0)

    k6.before = next_state
    assert b"".join(k6.service().open_archive("501").chunks) == b'{"rows": 1}'
    assert len([method for method, _, _ in k6.asked if method == "POST"]) == 1


def test_an_export_still_being_made_is_not_asked_for_again(k6):
    k6.answers["GET", "/loadtests/v2/runs/501"] = export(None, 1)
    with pytest.raises(Unavailable) as caught:
        k6.service().open_archive("501")
    assert caught.value.retry_after == 60
    assert {method for method, _, _ in k6.asked} == {"GET"}


def test_a_file_elsewhere_on_the_internet_is_not_fetched(k6):
    k6.answers["GET", "/loadtests/v2/runs/501"] = export("https://evil.example/501.csv", 2)
    with pytest.raises(Refused, match=r"evil\.example"):
        k6.service().open_archive("501")


def test_the_token_is_in_no_log_line(k6, caplog):
    caplog.set_level(logging.DEBUG)
    k6.add_test(31, run_row(1))
    everything(k6.service())
    assert caplog.records
    assert TOKEN not in caplog.text


class Everything:
    def __init__(self, pages):
        self.pages = list(pages)
        self.runs = [run for page in self.pages for run in page.runs]
        self.bad = [bad for page in self.pages for bad in page.bad]


def everything(service, *args, **kwargs):
    return Everything(service.iter_runs(*(args or (None,)), **kwargs))
