"""The verdict sentence: every situation of a run, the first rule that fits, nothing that is not in the facts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from runs.choices import LIVE, RunResult, RunStatus, StopReason
from runs.verdict import Facts, sentence

NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


@dataclass
class Threshold:
    metric: str
    condition: str
    broken: bool | None
    value: float | None = None
    limit: float | None = None
    unit: str = ""


@dataclass
class Error:
    type: str
    subtype: str
    message: str = ""
    occurrences: int = 1
    request: str = ""


P95_BROKEN = Threshold("http_req_duration{name:POST /checkout}", "p(95)<500", True, 812.2, 500, "ms")
ERRORS_BROKEN = Threshold("http_req_failed", "rate<0.01", True, 0.0184, 0.01)
P99_HELD = Threshold("http_req_duration", "p(99)<1500", False, 1215, 1500, "ms")
CART_HELD = Threshold("http_req_duration{name:GET /cart}", "p(95)<300", False, 188, 300, "ms")
UNDECIDED = Threshold("checks", "rate>0.97", None, None, 0.97)
CRITICAL = Error("ThresholdMessage", "Critical", "Avg. Response Time 2.1 exceeds 1.5.", 3)


def before(seconds):
    return NOW - timedelta(seconds=seconds)


def said(status, result="none", thresholds=(), errors=(), **facts):
    verdict = sentence(
        Facts(status=status, result=result, provider=facts.pop("provider", "Azure"), **facts), thresholds, errors, NOW
    )
    return verdict.kind, verdict.sentence.replace("\u00a0", " "), verdict.more.replace("\u00a0", " ")


# --- Not ended -------------------------------------------------------------------------------------------------------


def test_live_with_a_broken_criterion_is_failing():
    assert said("running", thresholds=[P99_HELD, P95_BROKEN]) == (
        "failing",
        "Failing: p95 of POST /checkout is 812 ms, limit 500 ms.",
        "Not final.",
    )


def test_failing_says_how_much_of_the_load_is_to_come():
    facts = {"load_started_at": before(252), "planned_duration_s": 1800}
    assert said("running", thresholds=[P95_BROKEN], **facts)[2] == "Not final: 25 min 48 s to go."
    assert said("running", thresholds=[P95_BROKEN], **(facts | {"planned_duration_s": 200}))[2] == "Not final."
    assert said("processing", thresholds=[P95_BROKEN], load_ended_at=before(5), **facts)[2] == "Not final."


def test_live_with_two_broken_criteria_names_both():
    assert said("processing", thresholds=[P95_BROKEN, ERRORS_BROKEN])[2] == (
        "Errors also fail: 1.84 %, limit 1 %. Not final."
    )


def test_failing_outranks_a_stop_that_was_asked_but_still_says_so():
    kind, first, more = said(
        "running", thresholds=[ERRORS_BROKEN], stop_requested_at=before(12), stop_requested_by="Tomás"
    )
    assert (kind, first) == ("failing", "Failing: errors are 1.84 %, limit 1 %.")
    assert more == "Stopping: Tomás asked 12 s ago, Azure has not confirmed."


def test_live_and_fine():
    assert said("running", thresholds=[P99_HELD, CART_HELD], load_started_at=before(252), planned_duration_s=1800) == (
        "running",
        "Running: both thresholds hold so far.",
        "4:12 of 30:00.",
    )
    assert said("running", thresholds=[P99_HELD] * 6)[1] == "Running: all 6 thresholds hold so far."
    assert said("running", thresholds=[P99_HELD])[1] == "Running: its one threshold holds so far."


def test_undecided_criteria_do_not_count_as_held():
    assert said("running", thresholds=[P99_HELD, UNDECIDED])[1] == (
        "Running: 1 of 2 thresholds hold so far, 1 not judged yet."
    )
    assert said("running", thresholds=[UNDECIDED])[1] == "Running: its thresholds are not judged yet."


def test_running_without_criteria_says_how_far_it_is():
    assert said("running", load_started_at=before(252), planned_duration_s=1800)[1] == "Running: 4:12 of 30:00."
    assert said("running", load_started_at=before(3700))[1] == "Running: 1:01:40 so far."


def test_waiting_and_starting():
    assert said("created", created_at=before(30))[1] == "Created 30 s ago, not queued yet."
    assert said("queued", created_at=before(600), queued_at=before(531))[:2] == (
        "waiting",
        "Waiting for capacity for 8:51.",
    )
    assert said("queued", created_at=before(531))[1] == "Waiting for capacity for 8:51."
    assert said("starting", started_at=before(95))[:2] == ("starting", "Starting: Azure gets it ready, 1:35 so far.")


def test_a_stop_that_was_asked_here():
    facts = {"stop_requested_at": before(12), "stop_requested_by": "Tomás", "provider": "Locust"}
    assert said("running", **facts, stop_words="wrong target") == (
        "stopping",
        "Stopping: Tomás asked 12 s ago, Locust has not confirmed.",
        '"wrong target"',
    )
    assert said("queued", **facts)[0] == "stopping"


def test_a_stop_that_was_asked_elsewhere():
    assert said("stopping")[1] == "Stopping: Azure has not ended it yet."
    assert said("stopping", stopped_by="Ana")[1] == "Stopping: Ana asked for it, Azure has not ended it yet."


def test_load_over():
    assert said("processing", load_ended_at=before(40)) == (
        "processing",
        "Processing: load ended 0:40 ago, the results are not there yet.",
        "",
    )
    assert said("processing")[1] == "Processing: load is over, the results are not there yet."


def test_a_stopped_run_whose_load_is_over_is_no_longer_stopping():
    assert said("processing", stop_requested_at=before(90), stop_requested_by="Tomás")[0] == "processing"


# --- Ended, judged ---------------------------------------------------------------------------------------------------


def test_passed():
    assert said("finished", "passed", [P99_HELD, CART_HELD]) == (
        "passed",
        "Passed: 2 of 2 thresholds held, closest was p99 of all requests at 81 % of its limit.",
        "",
    )


def test_passed_just_under_the_limit_is_not_rounded_to_all_of_it():
    close = Threshold("http_req_duration", "p(95)<500", False, 499.9, 500, "ms")
    assert "at 99 % of its limit" in said("finished", "passed", [close])[1]


def test_passed_with_something_not_judged():
    assert said("finished", "passed", [P99_HELD, UNDECIDED])[1].startswith(
        "Passed: 1 of 2 thresholds held, 1 not judged"
    )


def test_passed_without_criteria_of_its_own():
    assert said("finished", "passed", errors=[Error("HttpError", "503", occurrences=7)], error_count=9) == (
        "passed",
        "Passed: no threshold was broken.",
        "Most frequent error: HttpError 503, 7 of 9 errors.",
    )
    assert said("finished", "passed", details_read=False)[1] == "Passed: Azure says so, details are not read yet."


def test_passed_against_a_broken_criterion_names_it():
    assert said("finished", "passed", [ERRORS_BROKEN])[1] == (
        "Passed: Azure says so, though errors were 1.84 %, limit 1 %."
    )


def test_failed():
    assert said("finished", "failed", [CART_HELD, P95_BROKEN, ERRORS_BROKEN]) == (
        "failed",
        "Failed: p95 of POST /checkout was 812 ms, limit 500 ms.",
        "Errors also failed: 1.84 %, limit 1 %.",
    )


def test_failed_names_the_second_and_counts_the_rest():
    more = said("finished", "failed", [ERRORS_BROKEN, P95_BROKEN, P95_BROKEN, P95_BROKEN])[2]
    assert more == "p95 of POST /checkout also failed: 812 ms, limit 500 ms. 2 more thresholds failed."
    assert "1 more threshold failed." in said("finished", "failed", [ERRORS_BROKEN] * 3)[2]


def test_failed_by_a_hair_does_not_look_kept():
    hair = Threshold("http_req_duration", "p(95)<500", True, 500.04, 500, "ms")
    assert said("finished", "failed", [hair])[1] == "Failed: p95 of all requests was 500.04 ms, limit 500 ms."
    exact = Threshold("http_req_duration", "p(95)<500", True, 500, 500, "ms")
    assert said("finished", "failed", [exact])[1] == "Failed: p95 of all requests was 500 ms, should be under 500 ms."


def test_failed_without_numbers():
    assert said("finished", "failed", [Threshold("checks", "rate>0.9", True)])[1] == "Failed: checks broke their limit."
    assert said("finished", "failed", [Threshold("checks", "rate>0.9", True, None, 0.9)])[1] == (
        "Failed: checks broke their limit, should be over 90 %."
    )


def test_failed_by_a_counter_or_by_what_the_provider_told():
    counter = Threshold("LoadTest:Page / Avg. Page Time / _Total", "<= 1.5", True, 2.25, 1.5)
    assert said("finished", "failed", [counter])[1] == "Failed: LoadTest:Page / Avg. Page Time was 2.25, limit 1.5."
    told = Threshold("Page time is far too long.", "critical threshold", True)
    assert said("finished", "failed", [told])[1] == "Failed: Page time is far too long."


def test_failed_by_threshold_messages():
    assert said("finished", "failed", errors=[CRITICAL]) == (
        "failed",
        "Failed: a threshold was broken 3 times.",
        "Avg. Response Time 2.1 exceeds 1.5. Most frequent error: ThresholdMessage Critical, 3 times.",
    )
    assert said("finished", "failed", errors=[Error("ThresholdMessage", "Critical")])[1] == (
        "Failed: a threshold was broken once."
    )


def test_failed_without_any_reason_on_record():
    assert said("finished", "failed")[1] == "Failed: Azure says so, no broken threshold was reported."
    assert said("finished", "failed", details_read=False)[1] == "Failed: Azure says so, its details are not read yet."


def test_failed_with_incomplete_results_says_so():
    assert said("finished", "failed", [P95_BROKEN], results_incomplete=True)[2] == "The results are incomplete."


# --- Ended early -----------------------------------------------------------------------------------------------------


def test_aborted_by_threshold():
    broken = Threshold("http_req_failed", "rate<0.01", True, 0.124, 0.01)
    assert said("aborted", "failed", [broken], stop_reason="threshold", duration_s=391.6) == (
        "failed",
        "Failed: stopped at 6:31 by threshold, errors were 12.4 %, limit 1 %.",
        "",
    )


def test_aborted_by_auto_stop_without_a_verdict_claims_none():
    assert said("aborted", stop_reason="auto_stop", duration_s=60)[:2] == (
        "no_verdict",
        "No verdict: stopped at 1:00 by auto-stop.",
    )


def test_aborted_by_a_person():
    facts = {"stop_reason": "user", "stopped_by": "Jonas Weber", "duration_s": 137}
    assert said("aborted", **facts, stop_words="wrong target") == (
        "no_verdict",
        "No verdict: Jonas Weber stopped it at 2:17.",
        '"wrong target"',
    )
    assert said("aborted", stop_reason="user", duration_s=137)[1] == "No verdict: a person stopped it at 2:17."
    assert said("aborted", stop_reason="user", stopped_by="Ana")[1:] == (
        "No verdict: Ana stopped it.",
        "No load was made.",
    )


def test_aborted_by_a_person_after_a_criterion_broke():
    assert said("aborted", "failed", [P95_BROKEN], stop_reason="user", stopped_by="Ana", duration_s=137) == (
        "failed",
        "Failed: p95 of POST /checkout was 812 ms, limit 500 ms.",
        "Ana stopped it at 2:17.",
    )


def test_limits_and_time_outs():
    assert said("aborted", "error", stop_reason="limit", duration_s=3600, error_message="60 min per run.")[1] == (
        "Error: stopped by a limit, 60 min per run."
    )
    assert said("timed_out", "error", stop_reason="limit", duration_s=3600)[1] == "Error: timed out after 60 min."
    assert said("timed_out", "error", duration_s=3601)[1] == "Error: timed out after 1:00:01."
    assert said("timed_out", "failed", [P95_BROKEN], duration_s=60)[1:] == (
        "Failed: p95 of POST /checkout was 812 ms, limit 500 ms.",
        "It timed out after 1 min.",
    )


def test_script_errors():
    assert said(
        "aborted",
        "error",
        stop_reason="script_error",
        error_code="8030",
        error_message="TypeError at wishlist.js:22",
    )[1:] == ("Error: script error, TypeError at wishlist.js:22 (8030).", "No load was made.")
    assert said("aborted", "error", stop_reason="script_error", error_code="8031", duration_s=5)[1:] == (
        "Error: script error, code 8031.",
        "",
    )


def test_the_provider_failed():
    assert said("error", "error", error_message="4 engines could not be provisioned")[:2] == (
        "error",
        "Error: Azure failed, 4 engines could not be provisioned.",
    )
    assert said("error", "error")[1:] == ("Error: Azure failed and gave no reason.", "The service was not tested.")
    assert said("aborted", "error", stop_reason="system", duration_s=30)[1:] == (
        "Error: Azure aborted it at 0:30 and gave no reason.",
        "",
    )


def test_aborted_by_the_provider_without_a_verdict_claims_none():
    assert said("aborted", stop_reason="system", error_message="Validation failed.", duration_s=0.0)[1] == (
        "No verdict: Azure aborted it at 0:00, Validation failed."
    )


def test_a_finished_run_that_the_provider_calls_an_error():
    assert said("finished", "error", duration_s=5)[:2] == ("error", "Error: Azure failed and gave no reason.")


# --- Ended, not judged -----------------------------------------------------------------------------------------------


def test_nothing_to_judge():
    assert said("finished", duration_s=1200, planned_duration_s=1200)[:2] == (
        "no_criteria",
        "No criteria: it ran 20:00 as planned, nothing was set to judge it.",
    )
    assert said("finished", duration_s=414, planned_duration_s=2550)[1] == (
        "No criteria: it ran 6:54 of 42:30 planned, nothing was set to judge it."
    )
    assert said("finished", duration_s=1200)[1] == "No criteria: it ran 20:00, nothing was set to judge it."
    assert said("finished")[1] == "No criteria: nothing was set to judge it."


def test_not_read_yet_is_not_nothing_to_judge():
    assert said("finished", details_read=False, duration_s=60) == (
        "no_verdict",
        "No verdict yet: errors and thresholds are not read yet.",
        "It ran 1:00.",
    )


def test_results_that_were_not_processed_are_no_verdict():
    assert said("finished", thresholds=[P99_HELD], results_incomplete=True)[1] == (
        "No verdict: Azure could not process all results."
    )


def test_criteria_without_a_result_are_no_verdict():
    assert said("finished", thresholds=[P99_HELD])[1] == "No verdict: its one threshold held, but Azure gave no result."


@pytest.mark.parametrize("result", list(RunResult))
def test_an_unmapped_word_is_unknown_whatever_else_is_stored(result):
    kind, first, _ = said("unknown", result, [P99_HELD], provider_status="ARCHIVED")
    assert (kind, first) == ("unknown", 'Unknown: the provider says "ARCHIVED".')


def test_no_status_at_all():
    assert said("unknown")[1] == "Unknown: the provider gave no status."


# --- All of them -----------------------------------------------------------------------------------------------------

ALL = [(status, result, reason) for status in RunStatus for result in RunResult for reason in ("", *StopReason)]


@pytest.mark.parametrize(("status", "result", "reason"), ALL)
@pytest.mark.parametrize("thresholds", [(), (P99_HELD,), (P95_BROKEN, UNDECIDED)], ids=["none", "held", "broken"])
def test_every_combination_gets_a_sentence_that_agrees_with_its_result(status, result, reason, thresholds):
    for read in (True, False):
        kind, first, more = said(status, result, thresholds, [CRITICAL], stop_reason=reason, details_read=read)
        assert first.endswith((".", '"'))
        assert (kind == "passed") == (result == "passed" and status not in LIVE and status != "unknown")
        if status in LIVE:
            assert kind in ("failing", "running", "waiting", "starting", "stopping", "processing")
        if kind in ("passed", "failed", "error"):
            assert kind == result
        assert ".." not in first + more
        assert "  " not in first + more


def test_a_long_reason_is_cut_and_set_in_one_line():
    first = said("error", "error", error_message="line one\nline two " + "x" * 400)[1]
    assert "line one line two" in first
    assert len(first) < 260
    assert first.endswith("….")
