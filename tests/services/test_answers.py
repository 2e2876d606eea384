"""Texts and times of providers, as they are kept."""

from datetime import UTC, datetime, timedelta

import pytest

from runs.services.answers import clean_text, clock_behind, date_of, parse_time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2014-05-14T12:17:41.8009459Z", datetime(2014, 5, 14, 12, 17, 41, 800945, UTC)),
        ("2015-05-26T12:16:17.038528Z", datetime(2015, 5, 26, 12, 16, 17, 38528, UTC)),
        ("2015-05-26T12:16:17.5Z", datetime(2015, 5, 26, 12, 16, 17, 500000, UTC)),
        ("2015-04-28T09:50:28Z", datetime(2015, 4, 28, 9, 50, 28, tzinfo=UTC)),
        ("2015-04-28T09:50:28", datetime(2015, 4, 28, 9, 50, 28, tzinfo=UTC)),
        ("2015-04-28T09:50:28+02:00", datetime(2015, 4, 28, 7, 50, 28, tzinfo=UTC)),
        ("2015-04-28T00:10:00-0830", datetime(2015, 4, 28, 8, 40, tzinfo=UTC)),
        ("2015-10-25T01:30:00+00:00", datetime(2015, 10, 25, 1, 30, tzinfo=UTC)),
        (" 2015-04-28T09:50:28Z ", datetime(2015, 4, 28, 9, 50, 28, tzinfo=UTC)),
        ("20140623T061334Z", datetime(2014, 6, 23, 6, 13, 34, tzinfo=UTC)),
        ("2018-01-01", datetime(2018, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("9999-12-31T23:59:59Z", None),
        ("2015-02-30T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1400069861, None),
    ],
)
def test_times_come_out_in_utc(text, time):
    assert parse_time(text) == time


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("a\x00b", "ab"),
        ("a\ud800b", "a\ufffdb"),
        ("😀\u202e", "😀\u202e"),
        ("x" * 12, "xxxxxxxxx…"),
        (7, "7"),
        (1.5, "1.5"),
        (True, ""),
        (None, ""),
        ({"a": 1}, ""),
        (["a"], ""),
    ],
)
def test_texts_are_what_databases_take(value, text):
    assert clean_text(value, limit=10) == text


OURS = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "hours"),
    [
        ("Fri, 20 Nov 2026 07:00:00 GMT", 5),
        ("Fri, 20 Nov 2026 11:57:00 GMT", 0),  # nearly right
        ("Sat, 21 Nov 2026 12:00:00 GMT", 0),  # ahead: its dates are not too early
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("yesterday", 0),
        (None, 0),
    ],
)
def test_a_clock_is_behind_when_the_date_of_an_answer_says_so(date, hours):
    headers = {"Date": date} if date else {}
    assert clock_behind(date_of(headers), OURS) == timedelta(hours=hours)


def test_the_date_of_an_answer_from_a_cache_says_nothing():
    assert date_of({"Date": "Fri, 20 Nov 2026 07:00:00 GMT", "Age": "18000"}) is None
