"""Pass/fail history: the sums, the interval, the strips, and what they read."""

from datetime import UTC, date, datetime, timedelta

import pytest

from runs import history, history_rows
from runs.choices import RunResult, RunStatus
from runs.history import Counts, Span, Tally, pass_rate, percent, wilson
from runs.models import LoadTest
from tests.rows import NOW, make_account, make_day, make_run, make_test

TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("passed", "n", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_interval_agrees_with_published_values(passed, n, low, high):
    assert wilson(passed, n) == pytest.approx((low, high), abs=5e-5)


def test_interval_of_nothing_but_passes_ends_at_one_and_does_not_begin_there():
    low, high = wilson(3, 3)
    assert high == 1
    assert low == pytest.approx(0.4385, abs=5e-5)


def test_pass_rate_counts_only_judged_runs():
    rate = pass_rate(Tally(runs=20, passed=6, failed=2, error=5, none=4, live=3))
    assert (rate.n, rate.percent) == (8, 75)


def test_no_judged_run_is_no_rate_instead_of_zero():
    assert pass_rate(Tally(runs=9, error=5, none=4)) is None


@pytest.mark.parametrize(("share", "shown"), [(0, 0), (0.001, 1), (0.5, 50), (0.875, 88), (0.999, 99), (1, 100)])
def test_percent_keeps_0_and_100_for_exactly_none_and_all(share, shown):
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("tally", "verdict"),
    [
        (Tally(runs=3, passed=1, failed=1, error=1), "failed"),
        (Tally(runs=2, passed=1, error=1), "error"),
        (Tally(runs=2, passed=1, none=1), "passed"),
        (Tally(runs=2, none=1, live=1), "none"),
        (Tally(runs=1, live=1), "live"),
        (Tally(), ""),
    ],
)
def test_a_day_shows_its_worst_verdict(tally, verdict):
    assert tally.verdict == verdict


def test_tests_are_sorted_by_the_lower_end_of_the_interval_and_unjudged_ones_come_last():
    always = Counts(1, "Always passes", Tally(runs=20, passed=20))
    once = Counts(2, "Passed once", Tally(runs=1, passed=1))
    never = Counts(3, "Never passes", Tally(runs=4, failed=4))
    unjudged = Counts(4, "A test without criteria", Tally(runs=4, none=4))
    assert history.worst_first([unjudged, always, once, never]) == [never, once, always, unjudged]


def test_change_is_in_points_and_unknown_without_a_judged_run_before():
    better = Counts(1, "t", Tally(passed=9, failed=1), Tally(passed=8, failed=2))
    new = Counts(1, "t", Tally(passed=9, failed=1))
    assert (better.change, new.change) == (10, None)


def test_days_since_a_pass():
    assert Counts(1, "t", Tally(), last_pass=TODAY - timedelta(days=9)).days_since_pass(TODAY) == 9
    assert Counts(1, "t", Tally()).days_since_pass(TODAY) is None


def test_span_has_its_days_and_the_equally_long_time_before():
    span = Span(7, TODAY)
    assert (span.dates[0], span.dates[-1], len(span.dates)) == (date(2026, 11, 14), TODAY, 7)
    assert span.before_first == date(2026, 11, 7)


def test_weeks_begin_on_mondays():
    assert history.weeks(Span(7, TODAY).dates) == [(date(2026, 11, 14), 2), (date(2026, 11, 16), 5)]


def test_columns_know_weekends_today_and_mondays():
    heads = history.columns(Span(7, TODAY).dates, TODAY)
    assert [head.is_weekend for head in heads] == [True, True, False, False, False, False, False]
    assert [head.is_today for head in heads] == [False] * 6 + [True]
    assert [head.is_monday for head in heads] == [False, False, True, False, False, False, False]


def test_strip_shows_the_oldest_left_and_says_what_it_shows():
    found = history.strip(
        [("running", "none"), ("finished", "failed"), ("finished", "passed"), ("finished", "passed")], 5
    )
    assert found.marks == ("", "passed", "passed", "failed", "live")
    assert found.sentence == "Last 4 runs, oldest first: 2 passed, 1 failed, 1 not ended"


def test_strip_never_shows_an_unknown_word_as_passed():
    assert history.strip([("unknown", "none"), ("finished", "excellent")], 2).marks == ("none", "none")


def test_strip_of_a_test_that_never_ran_says_so():
    assert history.strip([]).sentence == "No run yet"
    assert history.strip([("finished", "error")]).sentence == "The only run: 1 with an error"


# --- What it reads ---------------------------------------------------------------------------------------------------


@pytest.fixture
def account(db):
    return make_account()


def test_counts_hold_the_span_and_the_time_before_apart(account):
    test = make_test(account)
    make_day(test, TODAY, passed=2, failed=1, error=1)
    make_day(test, TODAY - timedelta(days=6), none=1, live=1)
    make_day(test, TODAY - timedelta(days=7), passed=3)
    make_day(test, TODAY - timedelta(days=13), failed=1)
    make_day(test, TODAY - timedelta(days=14), failed=50)
    (counts,) = history_rows.counts_per_test(LoadTest.objects.all(), Span(7, TODAY))
    assert counts.now == Tally(runs=6, passed=2, failed=1, error=1, none=1, live=1)
    assert (counts.before.passed, counts.before.failed) == (3, 1)
    assert (counts.name, counts.last_pass) == (test.name, TODAY)


def test_a_test_that_did_not_run_in_the_span_has_no_row(account):
    make_day(make_test(account), TODAY - timedelta(days=8), passed=1)
    assert history_rows.counts_per_test(LoadTest.objects.all(), Span(7, TODAY)) == []


def test_totals_add_all_tests_of_a_day(account):
    for name in ("one", "two"):
        make_day(make_test(account, name), TODAY, passed=2, failed=1)
    assert history_rows.totals_per_day(LoadTest.objects.all(), Span(7, TODAY)) == {
        TODAY: Tally(runs=6, passed=4, failed=2)
    }


def test_filters_name_account_and_provider(account):
    wanted = make_test(account, "Checkout API")
    make_test(account, "Login ramp")
    make_test(make_account("batch", provider="vsts"), "Checkout export")
    assert list(history_rows.load_tests_like(name="checkout", accounts=["retail-prod"])) == [wanted]
    assert history_rows.load_tests_like(name="checkout", providers=["k6-legacy", "vsts"]).count() == 2
    assert list(history_rows.load_tests_like(name="CHECKOUT", providers=["k6-legacy"])) == [wanted]


def read_strips():
    return history_rows.strips(list(history_rows.with_strip_start(LoadTest.objects.all())))


def test_strip_holds_the_last_ten_of_twelve_runs(account):
    test = make_test(account)
    for number in range(12):
        result = RunResult.FAILED if number in (0, 1, 11) else RunResult.PASSED
        make_run(test, number, result=result, created_at=NOW + timedelta(minutes=number))
    assert read_strips()[test.pk].marks == ("passed",) * 9 + ("failed",)


def test_strip_of_runs_at_the_same_moment_still_holds_ten(account):
    test = make_test(account)
    for number in range(14):
        make_run(test, number)
    assert len([mark for mark in read_strips()[test.pk].marks if mark]) == 10


def test_strips_keep_tests_apart(account):
    busy, quiet, never = (make_test(account, name) for name in ("busy", "quiet", "never"))
    for number in range(30):
        make_run(busy, number, created_at=NOW - timedelta(minutes=number))
    make_run(quiet, 1, status=RunStatus.ABORTED, result=RunResult.NONE, created_at=datetime(2020, 1, 1, tzinfo=UTC))
    found = read_strips()
    assert found[busy.pk].marks == ("passed",) * 10
    assert found[quiet.pk].marks == ("",) * 9 + ("none",)
    assert found[never.pk].sentence == "No run yet"


@pytest.mark.parametrize("tests", [1, 30])
def test_reading_takes_as_many_queries_for_1_test_as_for_30(account, tests, django_assert_num_queries):
    for n in range(tests):
        test = make_test(account, f"test {n}")
        make_day(test, TODAY, passed=1)
        make_run(test, n)
    span = Span(28, TODAY)
    with django_assert_num_queries(5):
        counts = history_rows.counts_per_test(LoadTest.objects.all(), span)
        assert len(counts) == tests
        assert len(history_rows.tallies_per_day([test.test_id for test in counts], span)) == tests
        history_rows.totals_per_day(LoadTest.objects.all(), span)
        assert len(read_strips()) == tests
