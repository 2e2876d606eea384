"""How the runs of Grafana Cloud k6 (v6) become ours, and what is sent to start, stop, note, star and switch."""

from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from runs.choices import RunResult
from runs.services.base import (
    Capability,
    Forbidden,
    NotFound,
    Refused,
    StartWish,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from runs.services.k6 import K6Service
from runs.services.k6_legacy import verdict as legacy_verdict
from runs.services.k6_payloads import Run as LegacyRun
from runs.services.k6_v6_payloads import Run
from runs.services.k6_v6_runs import STATUS, verdict

from .k6_v6_stand_in import TOKEN, StandIn, entry, payload, run_row

WISH = StartWish(test_external_id="31", test_name="Checkout", values={}, token="5f0d6c1e-8f2b-4f2e-9d53-6a3d1f9d7c11")


@pytest.fixture(scope="module")
def server():
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def k6(server):
    server.clear()
    return StandIn(server)


def judged(status, result=None, code=None, by=None, options=None):
    extra = {"by_user": by, "message": None, "code": code}
    row = {
        "id": 1,
        "status": status,
        "result": result,
        "status_history": [entry("created", 0), entry(status, 9, **extra)],
        "options": {"thresholds": {"http_reqs": ["count>1"]}} if options is None else options,
    }
    return tuple(str(word) for word in verdict(Run.model_validate(row)))


# -- their words and ours ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("created", "created"),
        ("queued", "queued"),
        ("initializing", "starting"),
        ("running", "running"),
        ("processing_metrics", "processing"),
    ],
)
@pytest.mark.parametrize("result", [None, "passed", "failed", "error"])
def test_a_run_that_is_not_over_has_no_result(word, status, result):
    assert judged(word, result) == (status, "none", "")


@pytest.mark.parametrize(
    ("result", "code", "options", "expected"),
    [
        ("passed", None, None, ("finished", "passed", "")),
        ("failed", None, None, ("finished", "failed", "")),
        ("error", None, None, ("finished", "none", "")),
        (None, None, None, ("finished", "none", "")),
        ("great", None, None, ("finished", "none", "")),
        ("passed", None, {}, ("finished", "none", "")),
        ("passed", None, {"thresholds": {}}, ("finished", "none", "")),
        ("failed", None, {}, ("finished", "failed", "")),
        ("error", 8016, None, ("finished", "none", "")),
        ("error", 8034, None, ("finished", "none", "")),
    ],
)
def test_a_completed_run_has_its_result_unless_nothing_was_asked_or_nothing_can_be_judged(
    result, code, options, expected
):
    assert judged("completed", result, code, options=options) == expected


@pytest.mark.parametrize(
    ("result", "code", "by", "expected"),
    [
        ("error", None, "mara@shop.example", ("aborted", "none", "user")),
        ("failed", None, "mara@shop.example", ("aborted", "failed", "user")),
        ("failed", None, None, ("aborted", "failed", "threshold")),
        ("error", 8030, None, ("aborted", "error", "script_error")),
        ("error", 8031, None, ("aborted", "error", "script_error")),
        ("error", 8035, None, ("aborted", "error", "script_error")),
        ("error", 8033, None, ("aborted", "error", "system")),
        ("error", None, None, ("aborted", "error", "system")),
        ("error", 8016, None, ("timed_out", "error", "limit")),
        ("failed", 8034, None, ("aborted", "failed", "system")),
        ("failed", 8036, None, ("aborted", "failed", "threshold")),
        ("passed", None, None, ("aborted", "none", "system")),
        (None, None, None, ("aborted", "none", "system")),
    ],
)
def test_an_aborted_run_says_why_and_is_never_passed(result, code, by, expected):
    assert judged("aborted", result, code, by) == expected


@pytest.mark.parametrize("word", ["finished", "timed_out", "archived", "", None, 3])
def test_a_status_we_do_not_know_is_unknown_and_has_no_result(word):
    assert judged(word, "passed") == ("unknown", "none", "")


def test_a_completed_run_whose_options_are_not_told_keeps_the_providers_word():
    assert verdict(Run.model_validate({"id": 1, "status": "completed", "result": "passed"}))[1] == RunResult.PASSED


# What one and the same run says of itself through both APIs. v6 tells no limit from other ends by the system, so a run
# of run_status 9 has no pair.
PAIRS = [
    ((-2, 0, 0), ("created", None)),
    ((-1, 0, 0), ("created", None)),
    ((0, 0, 0), ("queued", None)),
    ((1, 0, 0), ("initializing", None)),
    ((2, 0, 0), ("running", None)),
    ((3, 0, 0), ("processing_metrics", None)),
    ((3, 1, 0), ("processing_metrics", None)),
    ((3, 2, 0), ("completed", "passed")),
    ((3, 2, 1), ("completed", "failed")),
    ((3, 3, 0), ("completed", "error")),
    ((3, 3, 0), ("completed", "error", 8016)),
    ((3, 3, 1), ("completed", "failed")),
    ((4, 3, 0), ("aborted", "error", 8016)),
    ((4, 3, 1), ("aborted", "failed", 8016)),
    ((5, 2, 0), ("aborted", "error", None, "mara@shop.example")),
    ((5, 2, 1), ("aborted", "failed", None, "mara@shop.example")),
    ((6, 2, 0), ("aborted", "error", 8033)),
    ((6, 2, 1), ("aborted", "failed", 8034)),
    ((7, 2, 0), ("aborted", "error", 8030)),
    ((7, 2, 0), ("aborted", "error", 8035)),
    ((7, 2, 1), ("aborted", "failed", 8035)),
    ((8, 2, 1), ("aborted", "failed")),
]


@pytest.mark.parametrize(("legacy", "v6"), PAIRS)
def test_the_same_run_seen_through_both_apis_comes_out_the_same(legacy, v6):
    run_status, processing, result = legacy
    row = {"id": 1, "run_status": run_status, "processing_status": processing, "result_status": result}
    assert judged(*v6) == tuple(map(str, legacy_verdict(LegacyRun.model_validate(row))))


def test_every_documented_word_has_ours():
    assert set(STATUS) == {
        "created", "queued", "initializing", "running", "processing_metrics", "completed", "aborted",
    }  # fmt: skip


# -- one run -----------------------------------------------------------------------------------------------------------


def test_a_run_has_every_field(k6):
    k6.runs = [payload("run_completed")]
    run = k6.service().get_run("501")
    assert (run.external_id, run.test_external_id, run.status, run.result) == ("501", "31", "finished", "failed")
    assert (run.provider_status, run.provider_result, run.stop_reason) == ("completed", "failed", "")
    assert (run.requested_by, run.stopped_by) == ("mara@shop.example", "")
    assert run.created_at == datetime(2024, 3, 5, 10, tzinfo=UTC)
    assert run.queued_at == datetime(2024, 3, 5, 10, 0, 2, tzinfo=UTC)
    assert run.started_at == run.load_started_at == datetime(2024, 3, 5, 10, 0, 20, tzinfo=UTC)
    assert run.load_ended_at == run.ended_at == datetime(2024, 3, 5, 10, 2, 35, tzinfo=UTC)
    assert (run.duration_s, run.planned_duration_s, run.virtual_users) == (135.0, 120, 200)
    assert (run.note, run.starred, run.cost_vuh, run.results_incomplete) == ("after the cache fix", True, 7.5, False)
    assert (run.error_code, run.error_message) == ("", "")


def test_a_run_under_way_has_no_end_and_one_that_was_only_made_has_next_to_nothing(k6):
    live = run_row(1, status="running", result=None, status_history=[entry("created", 0), entry("running", 20)])
    k6.runs = [live, payload("start")]
    running, made = k6.service().get_run("1"), k6.service().get_run("612")
    assert (running.load_ended_at, running.ended_at, running.duration_s) == (None, None, None)
    assert running.load_started_at is not None
    assert (made.status, made.requested_by, made.virtual_users, made.planned_duration_s) == ("created", "", None, None)
    assert (made.cost_vuh, made.duration_s, made.started_at) == (None, None, None)


def test_an_abort_says_who_or_what_did_it(k6):
    history = [entry("created", 0), entry("running", 20)]
    by_user = [*history, entry("aborted", 60, by_user="ida@shop.example", message="Aborted by user", code=None)]
    by_script = [*history, entry("aborted", 60, by_user=None, message="exception in setup()", code=8030)]
    k6.runs = [
        run_row(1, status="aborted", result="error", status_history=by_user, result_details={"type": "error"}),
        run_row(2, status="aborted", result="error", status_history=by_script),
    ]
    person, script = k6.service().get_run("1"), k6.service().get_run("2")
    assert (person.stop_reason, person.stopped_by, person.provider_result) == ("user", "ida@shop.example", "error")
    assert (person.error_code, person.error_message) == ("", "")
    assert (script.error_code, script.error_message) == ("8030", "exception in setup()")


def test_the_reason_of_an_error_is_also_taken_from_the_result(k6):
    k6.runs = [
        run_row(1, status="aborted", result="error", result_details={"type": "error", "message": "m", "code": 1})
    ]
    run = k6.service().get_run("1")
    assert (run.error_code, run.error_message) == ("1", "m")


@pytest.mark.parametrize(
    "odd",
    [
        {"status_history": None, "options": "none", "cost": "free", "result_details": "x", "max_vus": -3},
        {"status_history": ["created", {"type": 7}], "ended": "later", "execution_duration": "soon", "is_starred": "y"},
    ],
)
def test_odd_decoration_is_left_out(k6, odd):
    k6.runs = [run_row(1, **odd)]
    run = k6.service().get_run("1")
    assert (run.status, run.load_started_at, run.duration_s) == ("finished", None, None)


def test_a_run_without_a_test_or_a_date_is_a_bad_row_and_one_alone_is_an_error(k6):
    k6.runs = [run_row(1), run_row(2, test_id=None), run_row(3) | {"created": ""}]
    pages = list(k6.service().iter_runs(None))
    assert [run.external_id for page in pages for run in page.runs] == ["1"]
    assert sorted(row.external_id for page in pages for row in page.bad) == ["2", "3"]
    with pytest.raises(UnexpectedAnswer):
        k6.service().get_run("2")


def test_the_stored_payload_keeps_what_was_asked_of_the_run_and_no_secret(k6):
    k6.runs = [run_row(501, note=f"with {TOKEN}")]
    run = k6.service().get_run("501")
    assert run.payload["options"]["cloud"] == {"projectID": 21, "token": "[redacted]", "note": "nightly"}
    assert run.payload["options"]["thresholds"]["http_req_duration{name:get-token}"] == ["max<900"]
    assert run.payload["options"]["scenarios"]["buy"]["env"] == {"SHOP_PIN": "[redacted]"}
    for secret in (TOKEN, "7c9e6679f00da0badcafe", "4711-0815", "MIIEvQIBADANBg"):
        assert secret not in str(run)


def test_only_the_real_service_has_a_page_for_a_run_unless_it_says_where(k6):
    k6.runs = [payload("run_completed"), payload("start")]
    service = k6.service()
    assert service.get_run("501").web_url == ""
    assert service.get_run("612").web_url == "https://shop.grafana.net/a/k6-app/runs/612"
    service.base_url = "https://api.k6.io"
    assert service.get_run("501").web_url == "https://app.k6.io/runs/501"


@pytest.mark.parametrize("external_id", ["../abort", "7/abort", "", "seven", "7?x=1"])
def test_an_id_that_k6_cannot_have_is_not_found_and_not_sent(k6, external_id):
    for ask in (k6.service().get_run, k6.service().stop):
        with pytest.raises(NotFound) as caught:
            ask(external_id)
        assert "legacy" not in str(caught.value)
    assert k6.asked == []


# -- who and what ------------------------------------------------------------------------------------------------------


def test_every_call_carries_the_bearer_token_and_the_stack(k6):
    k6.runs = [payload("run_completed")]
    service = k6.service()
    list(service.iter_tests())
    list(service.iter_runs(None))
    service.get_details(service.get_run("501"))
    service.start_step("start", WISH, "")
    service.facts()
    list(service.iter_schedules())
    assert {(row["Authorization"], row["X-Stack-Id"]) for row in k6.headers} == {(f"Bearer {TOKEN}", "417")}
    assert {path.split("/")[1] for path in k6.paths()} == {"cloud", "loadtests"}


@pytest.mark.parametrize("stack_id", ["my-stack", "", "41 7", "-1", "²"])
def test_a_stack_id_that_can_be_none_is_said_before_anything_is_sent(k6, stack_id):
    with pytest.raises(Unauthorized) as caught:
        k6.service(stack_id).get_run("501")
    assert "stack id" in str(caught.value)
    assert k6.asked == []


def test_the_connection_test_names_projects_and_a_test(k6):
    steps = k6.service().test_connection()
    assert [(step.name, step.ok) for step in steps] == [
        ("reach", True), ("sign-in", True), ("projects", True), ("tests", True),
    ]  # fmt: skip
    assert "Shop, Payments" in steps[2].sentence
    assert "Checkout" in steps[3].sentence


@pytest.mark.parametrize(("status", "failing"), [(401, "sign-in"), (403, "sign-in"), (503, "reach")])
def test_the_connection_test_says_where_it_fails(k6, status, failing):
    k6.answers["GET", "/cloud/v6/projects"] = (status, {"error": {"message": "Invalid token", "code": "error"}})
    steps = {step.name: step for step in k6.service().test_connection()}
    assert steps[failing].ok is False
    assert "Invalid token" in steps[failing].sentence
    assert steps["tests"].ok is None


def test_a_person_is_known_by_the_address_that_runs_are_asked_for_with(k6):
    k6.answers["GET", "/v3/account/me"] = {"user": {"id": 703, "email": "mara@shop.example", "first_name": "Mara"}}
    person = k6.service().whoami()
    assert (person.external_id, person.name) == ("mara@shop.example", "mara@shop.example")
    del k6.answers["GET", "/v3/account/me"]
    assert k6.service().whoami() is None


def test_tests_come_with_the_names_of_their_projects(k6):
    [tests] = k6.service().iter_tests()
    assert [(test.external_id, test.name, test.project) for test in tests] == [
        ("31", "Checkout", "Shop"), ("32", "Pay by card", "Payments"),
    ]  # fmt: skip


def test_a_test_that_cannot_be_read_is_told_with_the_runs(k6):
    k6.answers["GET", "/cloud/v6/load_tests"] = {"value": [{"id": "x"}, {"id": 31, "name": "Checkout"}]}
    service = k6.service()
    assert [test.external_id for page in service.iter_tests() for test in page] == ["31"]
    assert [row.external_id for page in service.iter_runs(None) for row in page.bad] == ["x"]
    assert [row for page in service.iter_runs(None) for row in page.bad] == []


# -- start and stop ----------------------------------------------------------------------------------------------------


def test_a_start_is_sent_once_with_the_press_as_its_key(k6):
    run = k6.service().start_step("start", WISH, "")
    assert (run.external_id, run.status, run.result) == ("612", "created", "none")
    assert run.web_url == "https://shop.grafana.net/a/k6-app/runs/612"
    assert k6.paths("start") == ["/cloud/v6/load_tests/31/start"]
    assert [row.get("K6-Idempotency-Key") for row in k6.headers] == [WISH.token]
    assert len(WISH.token) <= 36
    assert k6.bodies == [None]


def test_a_key_is_heeded_for_ten_minutes_and_used_for_nine():
    assert 0 < K6Service.start_again_s <= 540


def test_a_start_that_is_refused_was_not_done_and_one_without_an_answer_may_be(k6):
    k6.answers["POST", "/cloud/v6/load_tests/31/start"] = (403, {"error": {"message": "Not yours.", "code": "error"}})
    with pytest.raises(Forbidden) as refused:
        k6.service().start_step("start", WISH, "")
    assert refused.value.maybe_done is False
    k6.answers["POST", "/cloud/v6/load_tests/31/start"] = (503, {})
    with pytest.raises(Unavailable) as lost:
        k6.service().start_step("start", WISH, "")
    assert lost.value.maybe_done is True
    assert len(k6.paths("start")) == 2


@pytest.mark.parametrize("answer", [{}, {"id": None}, [1], Response("started")])
def test_a_start_whose_answer_names_no_run_may_have_been_done(k6, answer):
    k6.answers["POST", "/cloud/v6/load_tests/31/start"] = answer
    with pytest.raises(UnexpectedAnswer) as caught:
        k6.service().start_step("start", WISH, "")
    assert caught.value.maybe_done is True


def test_a_start_answered_with_nothing_but_an_id_is_that_run(k6):
    k6.answers["POST", "/cloud/v6/load_tests/31/start"] = {"id": 612, "created": None}
    run = k6.service().start_step("start", WISH, "")
    assert (run.external_id, run.test_external_id, run.status) == ("612", "31", "unknown")


def test_an_unknown_step_is_refused(k6):
    with pytest.raises(Refused):
        k6.service().start_step("queue", WISH, "612")
    assert k6.asked == []


def test_a_stop_is_an_abort_sent_once(k6):
    k6.answers["POST", "/cloud/v6/test_runs/501/abort"] = Response(status=204)
    k6.service().stop("501")
    assert [(method, path) for method, path, _ in k6.asked] == [("POST", "/cloud/v6/test_runs/501/abort")]


@pytest.mark.parametrize(("status", "over"), [("completed", True), ("processing_metrics", True), ("running", False)])
def test_a_run_that_had_ended_by_itself_is_explained(k6, status, over):
    k6.runs = [run_row(501, status=status)]
    problem = {"error": {"message": "Test run is not running.", "code": "conflict"}}
    k6.answers["POST", "/cloud/v6/test_runs/501/abort"] = (409, problem)
    with pytest.raises(Refused) as caught:
        k6.service().stop("501")
    assert ("over already" in str(caught.value)) is over
    assert ("is not running" in str(caught.value)) is not over
    assert len(k6.paths("abort")) == 1


# -- notes, stars, schedules, facts, costs, scripts --------------------------------------------------------------------


def test_a_note_and_a_star_are_set(k6):
    done = Response(status=204)
    k6.answers |= {
        ("PATCH", "/cloud/v6/test_runs/501"): done,
        ("POST", "/cloud/v6/test_runs/501/star"): done,
        ("POST", "/cloud/v6/test_runs/501/unstar"): done,
    }
    service = k6.service()
    service.set_note("501", "slow since Monday")
    service.set_star("501", True)
    service.set_star("501", False)
    assert k6.bodies == [{"note": "slow since Monday"}, None, None]
    assert k6.paths("star") == ["/cloud/v6/test_runs/501/star", "/cloud/v6/test_runs/501/unstar"]


def test_schedules_are_said_in_words(k6):
    [schedules] = k6.service().iter_schedules()
    weekly, nightly, over = schedules
    assert (weekly.external_id, weekly.test_external_id, weekly.active) == ("71", "31", True)
    assert weekly.rule == "every 2 weeks on Monday, Friday until 2025-01-01 00:00 UTC"
    assert weekly.next_run_at == datetime(2024, 7, 22, 8, tzinfo=UTC)
    assert weekly.created_by == "mara@shop.example"
    assert (nightly.rule, nightly.active, nightly.created_by) == ("cron 0 6 * * 1-5 (Europe/Oslo)", False, "")
    assert (over.rule, over.active, over.next_run_at) == ("", False, None)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"frequency": "HOURLY"}, "every hour"),
        ({"frequency": "DAILY", "interval": 3, "count": 5}, "every 3 days, 5 times"),
        ({"frequency": "FORTNIGHTLY", "byday": None}, "every fortnightly"),
        ({}, ""),
    ],
)
def test_every_rule_has_its_words(k6, rule, words):
    row = payload("schedules")["value"][0] | {"recurrence_rule": rule}
    k6.answers["GET", "/cloud/v6/schedules"] = {"value": [row]}
    assert next(k6.service().iter_schedules())[0].rule == words


def test_a_schedule_that_cannot_be_read_does_not_look_as_if_it_were_gone(k6):
    k6.answers["GET", "/cloud/v6/schedules"] = {"value": [{"id": 71}]}
    with pytest.raises(UnexpectedAnswer):
        list(k6.service().iter_schedules())


def test_a_schedule_is_switched_on_and_off(k6):
    done = Response(status=204)
    k6.answers |= {
        ("POST", "/cloud/v6/schedules/72/activate"): done,
        ("POST", "/cloud/v6/schedules/71/deactivate"): done,
    }
    k6.service().set_schedule("72", True)
    k6.service().set_schedule("71", False)
    assert k6.paths("schedules") == ["/cloud/v6/schedules/72/activate", "/cloud/v6/schedules/71/deactivate"]


@pytest.mark.parametrize(("next_run", "over"), [(None, True), ("2030-01-01T00:00:00Z", False)])
def test_a_schedule_that_is_over_cannot_be_switched_on_and_says_so(k6, next_run, over):
    k6.answers["POST", "/cloud/v6/schedules/73/activate"] = (409, {"error": {"message": "No.", "code": "conflict"}})
    k6.answers["GET", "/cloud/v6/schedules/73"] = {"id": 73, "next_run": next_run}
    with pytest.raises(Refused) as caught:
        k6.service().set_schedule("73", True)
    assert ("no start of it lies ahead" in str(caught.value)) is over


def test_limits_of_each_project_and_load_zones_are_facts(k6):
    facts = {(fact.group, fact.name): fact.value for fact in k6.service().facts()}
    assert facts["Limits of project Shop", "Virtual users per test"] == "500"
    assert facts["Limits of project Shop", "Duration per test"] == "3,600 s"
    assert facts["Limits of project Payments", "Virtual-user hours per month"] == "no limit"
    assert facts["Load zones", "amazon:de:frankfurt"] == "Frankfurt, public, available"
    assert facts["Load zones", "oslo-lab"] == "Our cluster, private, not available"


def test_a_start_is_priced_by_the_options_of_the_last_run_that_has_any(k6):
    rows = [payload("start"), payload("run_completed"), run_row(2, options={"vus": 1})]
    k6.answers["GET", "/cloud/v6/load_tests/31/test_runs"] = {"value": rows}
    k6.answers["POST", "/cloud/v6/validate_options"] = {"vuh_usage": 7.25, "breakdown": {}}
    assert k6.service().estimate(WISH) == 7.25
    assert k6.parameters("/load_tests/31/test_runs") == [{"$orderby": "created desc", "$top": "5"}]
    sent = k6.bodies[-1]
    assert sent["project_id"] == 21
    assert sent["options"]["cloud"] == {"projectID": 21, "note": "nightly"}
    assert sent["options"]["scenarios"]["buy"]["vus"] == 200
    assert "7c9e6679f00da0badcafe" not in str(sent)


def test_a_test_that_never_ran_cannot_be_priced(k6):
    k6.answers["GET", "/cloud/v6/load_tests/31/test_runs"] = {"value": []}
    assert k6.service().estimate(WISH) is None
    assert k6.paths("validate") == []


@pytest.mark.parametrize(
    ("body", "name", "content_type"),
    [
        (b"import http from 'k6/http';", "k6-run-501.js", "text/javascript"),
        (b"\0" * 257 + b"ustar\x0000" + b"x" * 300, "k6-run-501.tar", "application/x-tar"),
        (b"\x1f\x8b\x08abc", "k6-run-501.tar.gz", "application/gzip"),
        (b"", "k6-run-501.js", "text/javascript"),
    ],
)
def test_the_script_of_a_run_is_passed_on_and_named_by_what_it_is(k6, body, name, content_type):
    k6.answers["GET", "/cloud/v6/test_runs/501/script"] = Response(body, content_type="application/octet-stream")
    download = k6.service().open_script(run="501")
    assert b"".join(download.chunks) == body
    assert (download.filename, download.content_type) == (name, content_type)
    assert k6.headers[0]["Accept"] == "*/*"


def test_the_present_script_of_a_test_is_another_one(k6):
    k6.answers["GET", "/cloud/v6/load_tests/31/script"] = Response(b"//", content_type="text/javascript")
    assert k6.service().open_script(test="31").filename == "k6-test-31.js"
    with pytest.raises(NotFound):
        k6.service().open_script(run="501")


def test_what_is_declared_is_what_v6_has():
    assert K6Service.capabilities == {
        Capability.START, Capability.STOP, Capability.SCRIPT, Capability.NOTE, Capability.STAR, Capability.SCHEDULES,
        Capability.ESTIMATE, Capability.FACTS,
    }  # fmt: skip
