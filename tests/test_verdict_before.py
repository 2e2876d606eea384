"""The second line of a verdict where there were runs before: what is new, what was before, never a cause."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from runs.verdict import sentence
from runs.verdict_words import Before, Facts, spoken

NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


@dataclass
class Error:
    type: str
    subtype: str
    occurrences: int
    request: str = ""
    message: str = ""


TIMEOUT = Error("RequestError", "request timeout", 1040)
NEW_503 = Error("HTTP", "503", 870, "POST https://shop.example/checkout")


def more(before: Before, status: str = "finished", result: str = "failed", errors=(TIMEOUT,), **facts) -> str:
    known = Facts(status=status, result=result, provider="Azure", error_count=5000, **facts)
    return sentence(known, [], errors, NOW, before).more.replace("\u00a0", " ")


def test_the_largest_new_error_is_named_with_its_place_though_another_is_larger():
    assert more(Before(run="#213", new_error=NEW_503)) == (
        "Largest new error: HTTP 503 on POST /checkout, 870 of 5,000 errors."
    )


def test_where_nothing_is_new_that_is_said():
    assert more(Before(run="#213")) == (
        "Most frequent error: RequestError request timeout, 1,040 of 5,000 errors, no error is new since #213."
    )


def test_without_a_run_to_compare_nothing_is_called_new_or_old():
    assert more(Before()) == "Most frequent error: RequestError request timeout, 1,040 of 5,000 errors."


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (["passed"] * 3 + ["failed"], "First failure after 3 passed runs."),
        (["passed", "failed"], ""),
        (["failed", "passed"], "The run before it failed, too."),
        (["failed", "failed"], "The 2 judged runs before it failed, too."),
        ([], ""),
    ],
)
def test_how_the_runs_before_a_failed_one_ended(results, said):
    assert more(Before(results=results), errors=()) == said


def test_a_passed_run_is_not_held_against_failures():
    assert "failed" not in more(Before(results=["failed"]), result="passed", errors=())


def test_a_running_run_stands_beside_the_one_before_at_the_same_time():
    before = Before(run="#213", measured="p95 of all requests", now="334 ms", then="301 ms")
    said = more(before, "running", "none", load_started_at=NOW - timedelta(seconds=60))
    assert said == "p95 of all requests is 334 ms now; at the same time since start, #213 had 301 ms."


@pytest.mark.parametrize(
    ("seconds", "said"), [(1548, "25 min 48 s"), (40.9, "40 s"), (7500, "2 h 5 min"), (-3, "0 s"), (60, "1 min 0 s")]
)
def test_what_is_left_is_spoken_in_units(seconds, said):
    assert spoken(seconds).replace("\u00a0", " ") == said
