"""The error tree: what it counts, how it sorts, what it folds, and that nothing is lost on the way."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from runs.error_tree import Wanted, build, fingerprint, short_address, split_request


@dataclass
class Row:
    type: str
    subtype: str
    occurrences: int
    message: str = ""
    request: str = ""
    test_case: str = ""
    scenario: str = ""
    last_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.type, self.subtype, self.message, self.request, self.test_case, self.scenario)


ROWS = [
    Row("RequestError", "request timeout", 1040, "request timeout after 60 s", "POST https://shop.example/checkout"),
    Row(
        "HttpError",
        "503 - ServiceUnavailable",
        4870,
        "upstream connect error",
        "https://shop.example/checkout----{POST}",
    ),
    Row("HttpError", "503 - ServiceUnavailable", 344, "upstream connect error", "https://shop.example/pay----{POST}"),
    Row("HttpError", "500 - InternalServerError", 471, "pool exhausted", test_case="Place Order", scenario="Peak"),
]


def names(nodes):
    return [(node.name, node.occurrences) for node in nodes]


def matching(**wanted):
    return [row for row in ROWS if row in Wanted(**wanted)]


def details_of(tree):
    return [node for node in tree.walk() if node.level == "detail"]


def test_the_same_detail_has_the_same_fingerprint_in_every_run():
    assert fingerprint("A", "b", "m", "r", "t", "s", "at x") == fingerprint("A", "b", "m", "r", "t", "s", "at x")
    assert re.fullmatch(r"[0-9a-f]{16}", fingerprint("A", "b"))


@pytest.mark.parametrize("place", range(7))
def test_each_part_of_a_detail_changes_its_fingerprint(place):
    parts = ["a", "b", "c", "d", "e", "f", "g"]
    changed = [*parts[:place], "other", *parts[place + 1 :]]
    assert fingerprint(*parts) != fingerprint(*changed)


def test_text_cannot_move_from_one_part_into_the_next_without_changing_the_fingerprint():
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_a_fingerprint_can_be_made_of_any_text():
    assert len(fingerprint("Größe", "\ud800", "\x00 日本")) == 16


def test_types_subtypes_and_details_are_sorted_by_occurrences():
    tree = build(ROWS)
    assert names(tree.nodes) == [("HttpError", 5685), ("RequestError", 1040)]
    http = tree.nodes[0]
    assert names(http.children) == [("503 - ServiceUnavailable", 5214), ("500 - InternalServerError", 471)]
    assert [node.occurrences for node in http.children[0].children] == [4870, 344]


def test_equal_occurrences_are_sorted_by_name_whatever_the_case():
    tree = build([Row("b", "x", 1, "m"), Row("A", "x", 1, "m"), Row("c", "x", 1, "m")])
    assert [node.name for node in tree.nodes] == ["A", "b", "c"]


def test_shares_are_of_all_errors_and_children_are_counted():
    http = build(ROWS).nodes[0]
    assert http.share == pytest.approx(5685 / 6725)
    assert http.children[0].children[0].share == pytest.approx(4870 / 6725)
    assert (http.child_words, http.children[0].child_words) == ("2 subtypes", "2 details")
    assert http.children[1].child_words == "1 detail"


def test_totals_say_how_much_there_is_on_each_level():
    totals = build(ROWS).totals
    assert (totals.occurrences, totals.types, totals.subtypes, totals.details) == (6725, 2, 3, 4)


def test_no_errors_make_an_empty_tree():
    tree = build([])
    assert tree.nodes == ()
    assert tree.totals.occurrences == 0


def test_details_without_occurrences_have_no_share():
    assert build([Row("A", "b", 0, "m")]).nodes[0].share == 0.0


def test_rare_siblings_are_folded_into_other_and_nothing_is_lost():
    rows = [Row("E", "s", 1000, "big"), *[Row("E", "s", n, f"rare {n}") for n in (1, 2, 3)]]
    subtype = build(rows).nodes[0].children[0]
    assert names(subtype.children) == [("big", 1000), ("other", 6)]
    other = subtype.children[1]
    assert names(other.children) == [("rare 3", 3), ("rare 2", 2), ("rare 1", 1)]
    assert other.child_words == "3 details under 1\u00a0%"
    assert subtype.child_words == "4 details"


def test_one_rare_sibling_is_not_folded():
    rows = [Row("E", "s", 1000, "big"), Row("E", "s", 1, "rare")]
    assert names(build(rows).nodes[0].children[0].children) == [("big", 1000), ("rare", 1)]


def test_exactly_one_per_cent_is_not_rare():
    rows = [Row("E", "s", 98, "big"), Row("E", "s", 1, "one"), Row("E", "s", 1, "two")]
    assert [node.name for node in build(rows).nodes[0].children[0].children] == ["big", "one", "two"]


def test_types_and_subtypes_are_folded_too():
    rows = [Row("Big", "s", 1000, "m"), Row("R1", "s", 1, "m"), Row("R2", "s", 2, "m")]
    assert names(build(rows).nodes) == [("Big", 1000), ("other", 3)]
    assert build(rows).nodes[1].child_words == "2 types under 1\u00a0%"
    same_type = [Row("T", row.type, row.occurrences, "m") for row in rows]
    assert names(build(same_type).nodes[0].children) == [("Big", 1000), ("other", 3)]


def test_where_all_are_rare_the_largest_stay_visible():
    rows = [Row("E", "s", 1, f"m{n:03}") for n in range(300)]
    children = build(rows).nodes[0].children[0].children
    assert [node.level for node in children] == ["detail"] * 10 + ["other"]
    assert children[-1].child_count == 290


def test_ten_thousand_details_are_all_kept():
    rows = [Row(f"T{n % 3}", f"s{n % 40}", n % 900 + 1, f"message {n}") for n in range(10_000)]
    tree = build(rows)
    assert {node.fingerprint for node in details_of(tree)} == {row.fingerprint for row in rows}
    assert sum(node.occurrences for node in details_of(tree)) == sum(row.occurrences for row in rows)
    assert sum(node.occurrences for node in tree.nodes) == tree.totals.occurrences


def test_every_node_has_its_own_fingerprint():
    rows = [Row("E", "s", 1000, "big"), *[Row("E", f"s{n}", 1, "E") for n in range(20)], Row("s", "E", 5, "E")]
    prints = [node.fingerprint for node in build(rows).walk()]
    assert len(prints) == len(set(prints))


def test_a_branch_keeps_its_fingerprint_when_its_numbers_change():
    before, after = build([Row("E", "s", 1, "m")]), build([Row("E", "s", 900, "n"), Row("F", "s", 1, "m")])
    assert before.nodes[0].fingerprint == after.nodes[0].fingerprint
    assert before.nodes[0].children[0].fingerprint == after.nodes[0].children[0].fingerprint


def test_a_branch_ends_when_its_latest_child_did():
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    tree = build([Row("E", "s", 5, "a", last_at=early), Row("E", "t", 4, "b", last_at=late), Row("F", "s", 1, "c")])
    assert tree.nodes[0].last_at == late
    assert tree.nodes[1].last_at is None


def test_filter_by_any_of_several_types_and_subtypes():
    assert len(matching(types=("HttpError",))) == 3
    assert len(matching(types=("HttpError", "RequestError"))) == 4
    found = matching(types=("HttpError",), subtypes=("500 - InternalServerError", "request timeout"))
    assert [row.occurrences for row in found] == [471]
    assert matching(types=("httperror",)) == []


def test_only_what_the_other_run_did_not_have_is_new():
    known = {row.fingerprint for row in ROWS[1:]}
    assert matching(new=True, known=known) == [ROWS[0]]
    assert matching(new=True, known=None) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("UPSTREAM", 2), ("/checkout", 2), ("place order", 1), ("peak", 1), ("  timeout ", 1), ("", 4), ("nothing", 0)],
)
def test_filter_by_text_looks_at_message_request_test_case_and_scenario(text, found):
    assert len(matching(text=text)) == found


def test_a_filtered_tree_keeps_its_shares_of_the_whole_run():
    tree = build(matching(text="pool"), all_occurrences=6725)
    assert tree.nodes[0].share == pytest.approx(471 / 6725)
    assert (tree.totals.occurrences, tree.all_occurrences) == (471, 6725)


def test_a_branch_is_new_when_all_below_it_are():
    known = {ROWS[1].fingerprint}
    http, request_error = build(ROWS, known=known).nodes
    assert (http.is_new, request_error.is_new) == (False, True)
    unavailable, internal = http.children
    assert (unavailable.is_new, internal.is_new) == (False, True)
    assert [detail.is_new for detail in unavailable.children] == [False, True]
    assert build(ROWS, known=known).totals.new == 3


def test_without_a_run_to_hold_it_against_nothing_is_new():
    tree = build(ROWS)
    assert not any(node.is_new for node in tree.walk())
    assert tree.totals.new == 0


def test_rare_details_fold_into_a_new_other_when_all_of_them_are_new():
    rows = [Row("E", "s", 1000, "big"), Row("E", "s", 1, "one"), Row("E", "s", 2, "two")]
    other = build(rows, known={rows[0].fingerprint}).nodes[0].children[0].children[1]
    assert (other.level, other.is_new) == ("other", True)


def test_the_path_to_a_detail_leads_through_its_type_and_subtype():
    tree = build(ROWS)
    assert [node.name for node in tree.path_to(ROWS[3].fingerprint)] == [
        "HttpError",
        "500 - InternalServerError",
        "pool exhausted",
    ]
    assert tree.path_to("0123456789abcdef") == ()


def test_the_path_to_a_folded_detail_leads_through_other():
    rows = [Row("E", "s", 1000, "big"), Row("E", "s", 1, "one"), Row("E", "s", 2, "two")]
    assert [node.level for node in build(rows).path_to(rows[1].fingerprint)] == ["type", "subtype", "other", "detail"]


def test_a_tree_opens_down_to_its_first_real_split():
    one_way = build([Row("E", "s", 2, "a"), Row("E", "s", 3, "b")])
    assert one_way.first_split() == {one_way.nodes[0].fingerprint, one_way.nodes[0].children[0].fingerprint}
    assert build(ROWS).first_split() == frozenset()


@pytest.mark.parametrize(
    ("text", "method", "address"),
    [
        ("http://host/a----{GET}", "GET", "http://host/a"),
        ("POST https://host/a?b=c", "POST", "https://host/a?b=c"),
        ("https://host/a", "", "https://host/a"),
        ("Checkout transaction", "", "Checkout transaction"),
        ("", "", ""),
    ],
)
def test_method_and_address_are_read_from_the_ways_providers_write_requests(text, method, address):
    assert split_request(text) == (method, address)


@pytest.mark.parametrize(
    ("address", "short"),
    [
        ("https://host:8443/a/b?c=d", "/a/b?c=d"),
        ("https://host", "/"),
        ("/already/short", "/already/short"),
        ("Login page", "Login page"),
    ],
)
def test_an_address_is_shortened_to_its_path(address, short):
    assert short_address(address) == short
