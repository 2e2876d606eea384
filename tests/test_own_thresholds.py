"""Thresholds of our own: what they judge, and the verdict they give where the provider gives none."""

import pytest

from runs.choices import RunResult, RunStatus
from runs.criteria import words
from runs.own_thresholds import judge, verdict

LIMITS = {"p95_ms": 500, "error_rate": 0.01, "rate_per_s": 100}
GOOD = {"p95_ms": 499.5, "error_rate": 0.0, "rate_per_s": 120.5}


def broken(numbers, *, ended=True, limits=LIMITS):
    return [threshold.broken for threshold in judge(limits, numbers, ended=ended)]


def test_the_first_two_are_the_most_that_is_good_and_the_last_the_least():
    assert broken(GOOD) == [False, False, False]
    assert broken({"p95_ms": 500, "error_rate": 0.01, "rate_per_s": 100}) == [False, False, False]
    assert broken({"p95_ms": 500.1, "error_rate": 0.011, "rate_per_s": 99.9}) == [True, True, True]


def test_what_is_not_set_is_not_judged_and_what_was_not_measured_neither_holds_nor_breaks():
    assert broken(GOOD, limits={"p95_ms": 400}) == [True]
    assert broken({"p95_ms": 1}) == [False, None, None]
    assert judge({}, GOOD, ended=True) == []


def test_a_rate_that_may_still_come_is_not_judged_while_the_run_goes_on():
    assert broken({**GOOD, "rate_per_s": 1}, ended=False) == [False, False, None]


def test_people_read_them_like_any_other_criterion():
    told = [words(threshold) for threshold in judge(LIMITS, GOOD, ended=True)]
    assert [(told.what, told.allowed, told.value) for told in told] == [
        ("p95 of all requests", "p95 ≤ 500\xa0ms", "499.5\xa0ms"),
        ("errors", "rate ≤ 1\xa0%", "0\xa0%"),
        ("request rate", "rate ≥ 100\xa0/s", "120\xa0/s"),
    ]


@pytest.mark.parametrize(
    ("status", "numbers", "incomplete", "result"),
    [
        (RunStatus.FINISHED, GOOD, False, RunResult.PASSED),
        (RunStatus.FINISHED, {**GOOD, "p95_ms": 501}, False, RunResult.FAILED),
        (RunStatus.FINISHED, {"p95_ms": 1}, False, RunResult.NONE),
        (RunStatus.FINISHED, GOOD, True, RunResult.NONE),
        (RunStatus.FINISHED, {}, False, RunResult.NONE),
        (RunStatus.ABORTED, GOOD, False, RunResult.NONE),
        (RunStatus.ABORTED, {**GOOD, "error_rate": 0.5}, False, RunResult.FAILED),
        (RunStatus.UNKNOWN, GOOD, False, RunResult.NONE),
    ],
)
def test_only_a_whole_run_with_everything_measured_and_held_has_passed(status, numbers, incomplete, result):
    assert verdict(status, judge(LIMITS, numbers, ended=True), incomplete=incomplete) == result


def test_without_thresholds_there_is_no_verdict():
    assert verdict(RunStatus.FINISHED, []) == RunResult.NONE
