"""Criteria in words and numbers: no rounding that turns a broken limit into a kept one."""

from dataclasses import dataclass

import pytest

from runs.criteria import is_of_all, number, numbers, part_of_limit, statistic, three_digits, words


@dataclass
class Threshold:
    metric: str
    condition: str
    broken: bool | None = None
    value: float | None = None
    limit: float | None = None
    unit: str = ""


def plain(text):
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("metric", "condition", "what", "scope"),
    [
        ("http_req_duration", "p(95)<500", "p95 of all requests", "all requests"),
        ("http_req_duration{name:POST /checkout}", "p(99.9)<500", "p99.9 of POST /checkout", "POST /checkout"),
        ("http_req_duration{url:https://a.example/cart,method:GET}", "avg<5", "mean of GET /cart", "GET /cart"),
        ("http_req_duration{scenario:peak}", "med<5", "median of scenario:peak", "scenario:peak"),
        ("http_req_failed", "rate<0.01", "errors", "errors"),
        ("http_req_failed{name:/pay}", "rate<0.01", "errors of /pay", "errors of /pay"),
        ("checks", "rate>0.97", "checks", "checks"),
        ("http_reqs", "rate>100", "request rate", "requests"),
        ("http_reqs", "count>100", "number of requests", "requests"),
        ("my_counter", "max<7", "highest of my_counter", "my_counter"),
        ("my_counter", "something new", "my_counter", "my_counter"),
        ("", "p(95)<500", "p(95)<500", ""),
    ],
)
def test_what_is_measured_in_words(metric, condition, what, scope):
    said = words(Threshold(metric, condition))
    assert (said.what, said.scope) == (what, scope)


@pytest.mark.parametrize(
    ("threshold", "value", "allowed", "relation"),
    [
        (Threshold("http_req_duration", "p(95)<500", True, 812, 500, "ms"), "812 ms", "p95 < 500 ms", "limit 500 ms"),
        (Threshold("http_req_failed", "rate<0.01", True, 0.0184, 0.01), "1.84 %", "rate < 1 %", "limit 1 %"),
        (Threshold("http_req_failed", "rate<1", True, 1.84, 1, "%"), "1.84 %", "rate < 1 %", "limit 1 %"),
        (
            Threshold("checks", "rate>0.97", True, 0.9612, 0.97),
            "96.1 %",
            "rate > 97 %",
            "should be over 97 %",
        ),
        (Threshold("checks", "rate>=0.97", True, 0.96, 0.97), "96 %", "rate ≥ 97 %", "should be at least 97 %"),
        (
            Threshold("http_reqs", "rate>100", True, 81.25, 100, "1/s"),
            "81.2 /s",
            "rate > 100 /s",
            "should be over 100 /s",
        ),
        (Threshold("http_reqs", "rate>0.5", True, 0.25, 0.5), "0.25", "rate > 0.5", "should be over 0.5"),
        (Threshold("http_req_failed", "rate<0.01", True, 0.0184, 0.01, "%"), "1.84 %", "rate < 1 %", "limit 1 %"),
        (Threshold("Avg. Page Time", "<= 1.5", True, 2.25, 1.5), "2.25", "≤ 1.5", "limit 1.5"),
        (Threshold("Pages/Sec", ">= 4", True, 2.25, 4), "2.25", "≥ 4", "should be at least 4"),
        (Threshold("n", "count==3", True, 2, 3), "2", "count = 3", "should be 3"),
        (Threshold("n", "count!=3", True, 3, 3), "3", "count ≠ 3", "should not be 3"),
        (Threshold("d", "p(95)<500", True, 500, 500, "ms"), "500 ms", "p95 < 500 ms", "should be under 500 ms"),
        (Threshold("d", "p(95)<500", None), "", "p(95)<500", ""),
    ],
)
def test_numbers_limits_and_units_of_a_criterion(threshold, value, allowed, relation):
    said = words(threshold)
    assert (plain(said.value), plain(said.allowed), plain(said.relation)) == (value, allowed, relation)


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        (499.6, 500, "499.6 ms"),
        (500.04, 500, "500.04 ms"),
        (500.0000001, 500, "500.0000001 ms"),
        (812.4, 500, "812 ms"),
        (1212.7, 1500, "1,213 ms"),
        (0.0004, 500, "0.0004 ms"),
        (0, 500, "0 ms"),
        (12.345, 10, "12.3 ms"),
        (500, 500, "500 ms"),
    ],
)
def test_a_value_is_never_rounded_onto_or_over_its_limit(value, limit, shown):
    assert plain(numbers(value, limit, "ms")[0]) == shown


@pytest.mark.parametrize("limit", [1, 499.95, 500, 1000, 0.01])
@pytest.mark.parametrize("offset", [1e-7, 0.004, 0.06, 0.4, 3])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_shown_stands_on_the_same_side_of_the_limit_as_what_was_measured(limit, offset, sign):
    value = limit + sign * offset
    shown = float(numbers(value, limit, "")[0].replace(",", "").replace("\u2212", "-"))
    assert (shown > limit) == (value > limit)
    assert (shown < limit) == (value < limit)


def test_numbers_have_thousands_a_real_minus_and_no_needless_zeros():
    assert number(1234567) == "1,234,567"
    assert number(-3.50, "ms") == "\u22123.5\u00a0ms"
    assert three_digits(229.44) == "229"
    assert three_digits(1.844, "%") == "1.84\u00a0%"


def test_a_number_that_is_none_is_not_a_crash():
    assert three_digits(float("nan")) == "0"


@pytest.mark.parametrize(
    ("threshold", "part"),
    [
        (Threshold("d", "p(99)<1500", False, 1215, 1500), 0.81),
        (Threshold("checks", "rate>0.9", False, 1.0, 0.9), 0.9),
        (Threshold("d", "p(99)<1500", True, 1800, 1500), None),
        (Threshold("d", "p(99)<1500", None, 1215, 1500), None),
        (Threshold("d", "count==3", False, 3, 3), None),
        (Threshold("d", "p(99)<1500", False, None, 1500), None),
        (Threshold("d", "count<0", False, -1, 0), None),
    ],
)
def test_how_much_of_its_limit_a_kept_criterion_used(threshold, part):
    assert part_of_limit(threshold) == (None if part is None else pytest.approx(part))


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        (0.806, None, "0.81 %"),
        (20, None, "20 %"),
        (11.64, 5, "11.6 %"),
        (0.0042, None, "0.0042 %"),
        (0.9996, 1, "0.9996 %"),  # two decimals would stand on the limit
    ],
)
def test_per_cent_have_two_decimals_at_most_where_that_hides_nothing(value, limit, shown):
    assert plain(numbers(value, limit, "%")[0]) == shown


def test_which_criteria_are_about_all_requests():
    assert is_of_all(Threshold("http_req_duration", "p(95)<1"), "http_req_duration")
    assert not is_of_all(Threshold("http_req_duration{name:a}", "p(95)<1"), "http_req_duration")
    assert statistic(Threshold("http_req_duration", "p(95)<1")) == "p95"
