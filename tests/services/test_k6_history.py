"""The list of runs of Grafana Cloud k6 (v6) is read to its end, though runs come and go between two pages."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer

from runs.services.base import UnexpectedAnswer
from runs.services.k6_v6_api import own_link

from .k6_v6_stand_in import BEGAN, StandIn, payload, run_row


@pytest.fixture(scope="module")
def server():
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def k6(server):
    server.clear()
    return StandIn(server)


def ids(pages):
    return [int(run.external_id) for page in pages for run in page.runs]


def lists(k6):
    return k6.parameters("/cloud/v6/test_runs")


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 200])
def test_every_run_is_found_once_whatever_the_size_of_a_page(k6, page_size):
    k6.runs = [run_row(number) for number in range(1, 8)]
    assert ids(k6.service(page_size=page_size).iter_runs(None)) == list(range(1, 8))


def test_no_runs_are_one_empty_page(k6):
    assert ids(k6.service().iter_runs(None)) == []
    assert len(lists(k6)) == 1


def test_the_list_is_asked_for_in_no_order_because_it_takes_none(k6):
    k6.runs = [run_row(1)]
    list(k6.service().iter_runs(None))
    assert lists(k6) == [{"$count": "true", "$top": "200"}]


def test_an_incremental_pass_asks_only_for_what_was_created_since(k6):
    k6.runs = [run_row(number) for number in range(1, 60)]
    since = BEGAN + timedelta(minutes=57)
    assert ids(k6.service(page_size=2).iter_runs(since)) == [57, 58, 59]
    assert lists(k6)[0]["created_after"] == "2024-03-05T10:57:00.000000Z"


@pytest.mark.parametrize("page_size", [1, 2, 3, 5])
def test_runs_of_the_very_same_moment_are_all_found(k6, page_size):
    same = run_row(1)["created"]
    k6.runs = [run_row(number, created=same) for number in range(1, 7)] + [run_row(9)]
    assert ids(k6.service(page_size=page_size).iter_runs(None)) == [1, 2, 3, 4, 5, 6, 9]


def test_runs_started_between_two_pages_hide_none_and_are_found_too(k6):
    k6.runs = [run_row(number) for number in range(1, 8)]
    k6.before = lambda path, asked: k6.runs.append(run_row(100 + asked)) if asked < 4 else None
    found = ids(k6.service(page_size=3).iter_runs(None))
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7, 101, 102, 103]
    assert len(found) == len(set(found))


def test_runs_deleted_between_two_pages_hide_none_of_the_others(k6):
    k6.runs = [run_row(number) for number in range(1, 20)]

    def drop(path, asked):
        if asked > 1:
            del k6.runs[0]

    k6.before = drop
    found = ids(k6.service(page_size=4).iter_runs(None))
    assert set(range(5, 20)) <= set(found)


def test_a_list_in_another_order_is_followed_by_its_links(k6):
    k6.runs = [run_row(number) for number in range(9, 0, -1)]
    assert sorted(ids(k6.service(page_size=2).iter_runs(None))) == list(range(1, 10))


@pytest.mark.parametrize("page_size", [1, 2, 3])
def test_such_a_list_is_begun_anew_when_a_run_was_deleted_from_it(k6, page_size):
    k6.runs = [run_row(number) for number in range(9, 0, -1)]
    k6.before = lambda path, asked: k6.runs.pop(0) if asked == 2 else None
    assert set(range(1, 9)) <= set(ids(k6.service(page_size=page_size).iter_runs(None)))


def test_a_list_that_keeps_counting_more_than_it_shows_is_an_error_not_a_short_list(k6):
    k6.runs = [run_row(1)]
    k6.count = lambda rows: rows + 2
    with pytest.raises(UnexpectedAnswer) as caught:
        list(k6.service().iter_runs(None))
    assert "counts 3 rows but shows only 1" in str(caught.value)


def test_a_count_of_all_runs_beside_those_of_a_time_is_no_contradiction(k6):
    k6.runs = [run_row(number) for number in range(1, 9)]
    k6.count = lambda rows: 8
    assert ids(k6.service(page_size=2).iter_runs(BEGAN + timedelta(minutes=6))) == [6, 7, 8]


def test_a_list_that_never_ends_is_an_error(k6):
    k6.runs = [run_row(1), run_row(1)]
    k6.link = lambda url: url.replace("skip=1", "skip=0")
    with pytest.raises(UnexpectedAnswer) as caught:
        list(k6.service(page_size=1).iter_runs(None))
    assert "round in circles" in str(caught.value)


def test_a_pass_goes_on_where_it_was_left(k6):
    k6.runs = [run_row(number) for number in range(1, 10)]
    pages = k6.service(page_size=2).iter_runs(None)
    first = [next(pages) for _ in range(3)]
    k6.runs.append(run_row(10))
    del k6.runs[1]
    rest = list(k6.service(page_size=2).iter_runs(None, dict(first[-1].resume)))
    assert ids(first) == [1, 2, 3, 4]
    assert ids(rest) == [5, 6, 7, 8, 9, 10]


def test_a_kept_place_outranks_the_time_a_pass_began_from(k6):
    k6.runs = [run_row(number) for number in range(1, 10)]
    resume = {"after": run_row(7)["created"], "seen": ["7"]}
    assert ids(k6.service().iter_runs(BEGAN, resume)) == [8, 9]


# -- links -------------------------------------------------------------------------------------------------------------


def followed(k6, link):
    """What comes of a list of tests whose first page leads to `link`."""
    tests = payload("load_tests")["value"]
    k6.answers["GET", "/cloud/v6/load_tests"] = {"value": tests[:1], "@nextLink": link}
    k6.answers["GET", "/cloud/v6/load_tests/next"] = {"value": tests[1:]}
    return [test.external_id for page in k6.service().iter_tests() for test in page]


def test_a_link_of_the_same_origin_is_followed_also_where_it_is_relative(k6, server):
    assert followed(k6, server.url_for("/cloud/v6/load_tests/next?%24skip=1")) == ["31", "32"]
    assert followed(k6, "/cloud/v6/load_tests/next?%24skip=1") == ["31", "32"]
    assert k6.parameters("/next") == [{"$skip": "1"}] * 2


@pytest.mark.parametrize(
    ("base", "link", "asked"),
    [
        ("https://api.k6.io", "http://api.k6.io/cloud/v6/x?%24skip=1", "https://api.k6.io/cloud/v6/x?%24skip=1"),
        ("https://api.k6.io", "https://api.k6.io:443/x", "https://api.k6.io/x"),
        ("https://api.k6.io", "http://api.k6.io:8080/x", "http://api.k6.io:8080/x"),
        ("https://api.k6.io", "http://evil.example/x", "http://evil.example/x"),
        ("https://api.k6.io", "https://user@api.k6.io/x", "https://user@api.k6.io/x"),
        ("https://api.k6.io", "ftp://api.k6.io/x", "ftp://api.k6.io/x"),
        ("http://127.0.0.1:8089", "https://127.0.0.1:8089/x", "http://127.0.0.1:8089/x"),
        ("http://127.0.0.1:8089", "http://127.0.0.1:9000/x", "http://127.0.0.1:9000/x"),
    ],
)
def test_another_scheme_is_our_own_for_the_same_host_alone(base, link, asked):
    assert own_link(link, base) == asked


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/cloud/v6/load_tests",
        "//evil.example/x",
        "ftp://x/y",
        "http://[/",
        "https://api.k6.io:99999/x",
    ],
)
def test_a_link_to_elsewhere_is_never_followed(k6, link):
    with pytest.raises(UnexpectedAnswer):
        followed(k6, link)


@pytest.mark.parametrize("link", [None, "", 7])
def test_a_link_that_is_none_ends_the_list(k6, link):
    assert followed(k6, link) == ["31"]


def test_dates_are_read_with_and_without_a_zone(k6):
    k6.runs = [run_row(1, created="2024-12-03T09:53:00.553")]
    [page] = k6.service().iter_runs(None)
    assert page.runs[0].created_at == datetime(2024, 12, 3, 9, 53, 0, 553000, tzinfo=UTC)
