"""A pass over all runs misses none, though runs come and go between two pages, and never ends silently."""

from datetime import timedelta

import pytest
from pytest_httpserver import HTTPServer

from runs.services import k6_walk
from runs.services.base import Unauthorized, Unavailable, UnexpectedAnswer
from runs.services.k6_walk import walk_newest_first, walk_pages

from .k6_stand_in import BEGAN, StandIn, run_row

LIST = "/cloud/v5/load_tests/31/test_runs"


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


def bad(pages):
    return [row for page in pages for row in page.bad]


def after_page(k6, number, change):
    """Call `change` just before page `number` + 1 of test 31's runs is answered, once."""
    pages = []

    def before(path):
        if path == LIST:
            pages.append(path)
            if len(pages) == number + 1:
                change(k6.runs[31])

    k6.before = before


def add_row(number):
    return lambda rows: rows.insert(0, run_row(number, test_id=31))


# -- all of it ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 9, 10, 13])
def test_every_run_comes_once_whatever_the_size_of_the_last_page(k6, count):
    k6.add_test(31, *(run_row(number) for number in range(1, count + 1)))
    assert ids(k6.service(page_size=4).iter_runs(None)) == list(range(count, 0, -1))


def test_the_list_is_asked_for_newest_first_with_a_count_and_an_overlap_of_one(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 8)))
    list(k6.service(page_size=4).iter_runs(None))
    asked = k6.parameters(LIST)
    assert [(args["$top"], args["$skip"]) for args in asked] == [("4", "0"), ("4", "3"), ("4", "6")]
    assert {(args["$count"], args["$orderby"]) for args in asked} == {("true", "created desc,id desc")}
    assert "run_status" in asked[0]["$select"].split(",")
    assert "$filter" not in asked[0]


def test_each_page_of_the_api_is_one_page_of_runs_of_a_named_test(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 8)))
    k6.add_test(7, run_row(100))
    pages = list(k6.service(page_size=4).iter_runs(None))
    assert [len(page.runs) for page in pages] == [1, 4, 3, 0]
    assert [(run.test_external_id, run.test_name) for run in pages[0].runs] == [("7", "Test 7")]


@pytest.mark.parametrize("inserted", [1, 3, 4, 9])
def test_runs_started_between_two_pages_hide_none(k6, inserted):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))
    after_page(k6, 1, lambda rows: [rows.insert(0, run_row(100 + n, test_id=31)) for n in range(inserted)])
    found = ids(k6.service(page_size=4).iter_runs(None))
    assert set(range(1, 12)) <= set(found)


@pytest.mark.parametrize("deleted", [[11], [10, 9], [11, 10, 9, 8], [8], [1], [2, 1]])
def test_runs_deleted_between_two_pages_hide_none(k6, deleted):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))

    def delete(rows):
        rows[:] = [row for row in rows if row["id"] not in deleted]

    after_page(k6, 1, delete)
    found = set(ids(k6.service(page_size=4).iter_runs(None)))
    assert set(range(1, 12)) - set(deleted) <= found


def test_runs_deleted_and_started_at_once_hide_none(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))

    def change(rows):
        del rows[2:4]
        rows.insert(0, run_row(50, test_id=31))

    after_page(k6, 2, change)
    assert set(range(1, 8)) <= set(ids(k6.service(page_size=4).iter_runs(None)))


@pytest.mark.parametrize("count", [int, str, lambda rows: None])
def test_the_count_may_be_a_number_a_text_or_missing(k6, count):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))
    k6.count = count
    assert ids(k6.service(page_size=4).iter_runs(None)) == list(range(11, 0, -1))


@pytest.mark.parametrize("count", [str, lambda rows: None])
def test_a_provider_that_gives_fewer_rows_than_asked_for_is_read_to_the_end(k6, count):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))
    k6.most, k6.count = 3, count
    assert ids(k6.service(page_size=50).iter_runs(None)) == list(range(11, 0, -1))


def test_a_count_that_is_only_the_size_of_the_page_does_not_end_the_pass(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))
    k6.count = lambda rows: 4
    assert set(ids(k6.service(page_size=4).iter_runs(None))) == set(range(1, 12))


def test_a_count_larger_than_the_list_is_an_error_not_an_end(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 8)))
    k6.count = lambda rows: rows + 20
    with pytest.raises(UnexpectedAnswer):
        list(k6.service(page_size=4).iter_runs(None))


def test_a_count_of_runs_that_are_not_shown_at_all_is_an_error(k6):
    k6.add_test(31)
    k6.count = lambda rows: 3
    with pytest.raises(UnexpectedAnswer, match="counts 3 runs"):
        list(k6.service(page_size=4).iter_runs(None))


@pytest.mark.parametrize("count", [str, lambda rows: None])
def test_a_page_that_repeats_for_ever_is_an_error(k6, count):
    k6.add_test(31, *(run_row(number) for number in range(1, 30)))
    k6.ignore_skip, k6.count = True, count
    with pytest.raises(UnexpectedAnswer, match="same page"):
        list(k6.service(page_size=4).iter_runs(None))
    assert len(k6.paths(LIST)) < 10


@pytest.mark.parametrize("around", [2, 3, 7])
def test_a_list_that_goes_round_in_circles_is_an_error(around):
    """No page is the one before, and each begins with the last row of another: only that nothing is new tells."""
    rows = [{"id": number, "created": f"2024-01-{number + 1:02}T00:00:00Z"} for number in range(around * 3, 0, -1)]
    asked = []

    def read(skip, top):
        asked.append(skip)
        return [rows[(skip + at) % len(rows)] for at in range(top)], 1_000_000

    with pytest.raises(UnexpectedAnswer, match="goes round in circles"):
        list(walk_newest_first(read, 3))
    assert len(asked) < 150


def test_lists_that_always_have_another_page_end_at_a_cap(monkeypatch):
    monkeypatch.setattr(k6_walk, "MOST_PAGES", 20)

    def row(number):
        return {"id": 1000 - number, "created": "2024-01-02T00:00:00Z"}

    by_skip = walk_newest_first(lambda skip, top: ([row(skip + at) for at in range(top)], 1_000_000), 4)
    by_page = walk_pages(lambda page: ([row(page * 4 + at) for at in range(4)], 1_000_000))
    for walk in (by_skip, by_page):
        pages = 0
        with pytest.raises(UnexpectedAnswer, match="has no end"):
            for _ in walk:
                pages += 1
        assert pages == 20


def test_a_list_that_shrinks_without_end_is_an_error():
    asked = []

    def read(skip, top):
        asked.append(skip)
        if skip == 0:
            return [{"id": 1000 - n, "created": "2024-01-02T00:00:00Z"} for n in range(top)], 10_000
        return [{"id": 5, "created": "2024-01-01T00:00:00Z"}], 10_000

    with pytest.raises(UnexpectedAnswer):
        list(walk_newest_first(read, 4))
    assert len(asked) < 200


def test_an_outage_in_the_middle_ends_the_pass_with_an_error(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))
    after_page(k6, 1, lambda rows: k6.answers.update({("GET", LIST): (503, {"error": {"message": "down"}})}))
    pages = k6.service(page_size=4).iter_runs(None)
    assert len(next(pages).runs) == 4
    with pytest.raises(Unavailable):
        list(pages)


# -- going on where a pass was left ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", range(1, 9))
def test_a_pass_goes_on_where_it_was_left(k6, stop_after):
    k6.add_test(7, *(run_row(number) for number in range(100, 106)))
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))
    first, resume = [], None
    for number, page in enumerate(k6.service(page_size=4).iter_runs(None), 1):
        first += [int(run.external_id) for run in page.runs]
        resume = page.resume
        if number == stop_after:
            break
    second = ids(k6.service(page_size=4).iter_runs(None, resume))
    assert set(first) | set(second) == {*range(100, 106), *range(1, 12)}
    assert not set(first) & set(second)


def test_a_pass_goes_on_though_tests_and_runs_were_added_and_deleted_meanwhile(k6):
    k6.add_test(7, run_row(100))
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))
    pages = k6.service(page_size=4).iter_runs(None)
    next(pages)
    resume = next(pages).resume
    k6.add_test(32, run_row(200))
    k6.tests = [test for test in k6.tests if test["id"] != 7]
    k6.runs[31] = [row for row in k6.runs[31] if row["id"] not in (11, 10)]
    k6.runs[31].insert(0, run_row(300, test_id=31))
    found = set(ids(k6.service(page_size=4).iter_runs(None, resume)))
    assert {*range(1, 8), 200} <= found


def test_the_place_of_a_test_that_is_gone_is_not_used_for_the_next(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)))
    k6.add_test(32, *(run_row(number) for number in range(50, 55)))
    resume = next(k6.service(page_size=4).iter_runs(None)).resume
    k6.tests = [test for test in k6.tests if test["id"] != 31]
    assert set(ids(k6.service(page_size=4).iter_runs(None, resume))) == set(range(50, 55))


# -- only what is new --------------------------------------------------------------------------------------------------


def since(minute):
    return BEGAN + timedelta(minutes=minute)


def test_only_tests_with_a_run_we_do_not_hold_are_asked(k6):
    k6.add_test(7, run_row(100), last_test_run_id="100", test_run_ids=[100])
    k6.add_test(8, last_test_run_id=None, test_run_ids=[])
    k6.add_test(31, run_row(1), run_row(102), last_test_run_id="102", test_run_ids=[1, 102])
    k6.add_test(32, run_row(50))
    known = {"7": "100", "31": "1", "32": "50"}
    list(k6.service().iter_runs(since(90), None, known))
    assert [path.split("/")[4] for path in k6.paths("/cloud/v5")] == ["31", "32"]


def test_runs_since_a_time_are_asked_for_by_a_filter(k6):
    k6.add_test(31, run_row(1), run_row(102), last_test_run_id="102")
    list(k6.service().iter_runs(since(90), None, {"31": "1"}))
    assert k6.parameters(LIST)[0]["$filter"] == "created ge 2024-03-05T11:30:00Z or id gt 1"


def test_without_knowledge_of_runs_the_time_alone_decides(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 30)))
    found = ids(k6.service(page_size=4).iter_runs(since(20)))
    assert set(range(20, 30)) <= set(found)
    assert len(found) < 20
    assert k6.parameters(LIST)[0]["$filter"] == "created ge 2024-03-05T10:20:00Z"


def test_a_provider_that_refuses_the_filter_is_walked_back_to_the_time(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 30)), last_test_run_id=29)
    refused = []

    def before(path):
        filtered = path == LIST and "$filter" in dict(k6.asked[-1][2])
        k6.answers = {key: value for key, value in k6.answers.items() if key[1] != LIST}
        if filtered:
            refused.append(path)
            k6.answers["GET", LIST] = (400, {"error": {"code": "error", "message": "Unsupported filter"}})

    k6.before = before
    found = ids(k6.service(page_size=4).iter_runs(since(20), None, {"31": "25"}))
    assert set(range(20, 30)) <= set(found)
    assert len(found) < 20
    assert len(refused) == 1


def test_a_test_we_hold_nothing_of_is_read_whole(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)), last_test_run_id=11)
    assert set(ids(k6.service(page_size=4).iter_runs(since(10), None, {}))) == set(range(1, 12))


def test_runs_newer_than_the_one_we_hold_are_read_even_from_before_the_time(k6):
    k6.add_test(31, *(run_row(number) for number in range(1, 12)), last_test_run_id=11)
    assert {3, 4, 5} <= set(ids(k6.service(page_size=4).iter_runs(since(10), None, {"31": "2"})))


# -- records and tests that cannot be read -----------------------------------------------------------------------------


def test_a_run_without_an_id_is_named_and_left_out(k6):
    k6.add_test(31, run_row(1), run_row(2), run_row(3))
    k6.runs[31][1]["id"] = None
    pages = list(k6.service().iter_runs(None))
    assert ids(pages) == [3, 1]
    assert [row.reason for row in bad(pages)] == ["A run has no readable id."]


@pytest.mark.parametrize("row", ["a run", 5, None, []])
def test_a_run_that_is_no_object_is_named_and_left_out(k6, row):
    k6.add_test(31, run_row(1), run_row(2))
    k6.runs[31].insert(1, row)
    pages = list(k6.service().iter_runs(None))
    assert ids(pages) == [2, 1]
    assert len(bad(pages)) == 1


def test_a_run_without_any_date_is_named_and_left_out(k6):
    k6.add_test(31, run_row(1, created=None, started=None, ended=None), run_row(2))
    pages = list(k6.service().iter_runs(None))
    assert ids(pages) == [2]
    assert [(row.external_id, row.reason) for row in bad(pages)] == [("1", "A run has no readable created.")]


def test_a_test_without_an_id_is_named_and_left_out(k6):
    k6.add_test(31, run_row(1))
    k6.tests.append({"name": "lost"})
    pages = list(k6.service().iter_runs(None))
    assert ids(pages) == [1]
    assert [row.reason for row in bad(pages)] == ["A test has no readable id."]


def test_a_test_that_is_closed_to_the_token_is_named_and_the_others_are_read(k6):
    for number in (30, 31, 32):
        k6.add_test(number, run_row(number))
    del k6.runs[31]
    k6.answers["GET", "/loadtests/v2/runs"] = (403, {"error": {"message": "Not allowed", "code": 4}})
    pages = list(k6.service().iter_runs(None))
    assert ids(pages) == [30, 32]
    assert [row.external_id for row in bad(pages)] == ["31"]
    assert "Test 31" in bad(pages)[0].reason


def test_a_token_that_may_read_no_test_at_all_is_an_error(k6):
    k6.add_test(31)
    k6.add_test(32)
    k6.runs.clear()
    k6.answers["GET", "/loadtests/v2/runs"] = (403, {"error": {"message": "Not allowed", "code": 4}})
    with pytest.raises(Unauthorized):
        list(k6.service().iter_runs(None))


def test_a_token_revoked_in_the_middle_ends_the_pass(k6):
    for number in (30, 31, 32):
        k6.add_test(number, run_row(number))

    def revoke(path):
        if "/load_tests/31/" in path:
            for key in ("/v3/organizations", LIST, "/loadtests/v2/runs"):
                k6.answers["GET", key] = (401, {"error": {"message": "Invalid token", "code": 6}})

    k6.before = revoke
    found = []
    with pytest.raises(Unauthorized, match="Invalid token"):
        found.extend(k6.service().iter_runs(None))
    assert ids(found) == [30]


def test_a_project_closed_to_the_token_is_named_and_the_others_are_read(k6):
    k6.answers["GET", "/v3/organizations/11/projects"] = {"projects": [{"id": 20, "name": "Secret"}, {"id": 21}]}
    k6.add_test(31, run_row(1))

    def before(path):
        key = ("GET", "/loadtests/v2/tests")
        k6.answers.pop(key, None)
        if path == key[1] and dict(k6.asked[-1][2])["project_id"] == "20":
            k6.answers[key] = (403, {"error": {"message": "Not allowed", "code": 4}})

    k6.before = before
    pages = list(k6.service().iter_runs(None))
    assert ids(pages) == [1]
    assert "Secret" in bad(pages)[0].reason


@pytest.mark.parametrize("path", ["/v3/organizations", "/v3/organizations/11/projects", "/loadtests/v2/tests", LIST])
@pytest.mark.parametrize("answer", [{}, None, {"value": {}}, "text", 5])
def test_an_answer_without_its_list_is_an_error_not_an_empty_list(k6, path, answer):
    k6.add_test(31, run_row(1))
    k6.answers["GET", path] = (200, answer)
    with pytest.raises(UnexpectedAnswer):
        list(k6.service().iter_runs(None))


# -- the older address -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 4, 5, 11])
def test_where_the_newer_address_is_gone_the_older_one_is_read_to_its_end(k6, count):
    k6.gone = ("/cloud/v5",)
    k6.add_test(31, *(run_row(number) for number in range(1, count + 1)))
    k6.add_test(32, run_row(500))
    pages = list(k6.service(page_size=4).iter_runs(None))
    assert ids(pages) == [*range(count, 0, -1), 500]
    assert len(k6.paths("/cloud/v5")) == 1
    assert pages[-1].resume == {"tests_done": "32"}


def test_a_test_closed_at_the_newer_address_only_is_read_at_the_older_one(k6):
    k6.add_test(31, run_row(1), run_row(2))
    k6.answers["GET", LIST] = (403, {"error": {"code": "error", "message": "could not find or access"}})
    assert ids(k6.service().iter_runs(None)) == [2, 1]


def test_a_list_of_tests_whose_count_disagrees_is_an_error(k6):
    k6.answers["GET", "/loadtests/v2/tests"] = {"k6-tests": [{"id": 1, "name": "a"}], "meta": {"count": 9}}
    with pytest.raises(UnexpectedAnswer, match="counts 9 rows but shows only 1"):
        list(k6.service().iter_tests())


def test_numbered_pages_begin_again_when_rows_were_deleted():
    rows = [{"id": number} for number in range(10)]

    def read(page):
        if page == 2:
            rows[:] = [row for row in rows if row["id"] != 0]
        return rows[(page - 1) * 4 : page * 4], len(rows)

    found = [row["id"] for fresh, _ in walk_pages(read) for row in fresh]
    assert set(found) == set(range(10))


def test_numbered_pages_without_a_count_end_with_a_page_that_brings_nothing_new():
    rows = [{"id": number} for number in range(10)]
    pages = list(walk_pages(lambda page: (rows[(page - 1) * 4 : page * 4], None)))
    assert [len(fresh) for fresh, _ in pages] == [4, 4, 2, 0]
    assert [ended for _, ended in pages] == [False, False, False, True]
