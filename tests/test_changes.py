"""A number against the one before it: which words, which way the arrow points, and when there is none."""

import pytest

from dashboard.changes import Change, as_it_was, less_is_better, more_or_fewer


def said(change: Change) -> tuple[str, str, str]:
    return change.text.replace("\u00a0", " "), change.tone, change.arrow


@pytest.mark.parametrize(
    ("now", "before", "was", "shown"),
    [
        (812, 441, "441", ("84 % worse, was 441", "worse", "up")),
        (1.84, 0.21, "0.21 %", ("8.8 times, was 0.21 %", "worse", "up")),
        (200, 400, "400", ("50 % better, was 400", "better", "down")),
        (0, 0.2, "0.2 %", ("100 % better, was 0.2 %", "better", "down")),
        (2.4, 0, "0 %", ("worse, was 0 %", "worse", "up")),
        (302, 301, "301", ("was 301", "", "")),
        (105, 100, "100", ("was 100", "", "")),
        (95, 100, "100", ("was 100", "", "")),
        (106, 100, "", ("6 % worse", "worse", "up")),
        (104, 100, "", ("4 %", "", "")),
        (441, 441, "441", ("same", "", "")),
        (0, 0, "0 %", ("same", "", "")),
    ],
)
def test_less_is_better(now, before, was, shown):
    assert said(less_is_better(now, before, was)) == shown


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        (412_806, 425_000, "3 % fewer"),
        (150, 100, "50 % more"),
        (5000, 100, "was 100"),
        (5, 0, "was 0"),
        (1001, 1000, "nearly the same"),
        (7, 7, "same"),
    ],
)
def test_an_amount_is_neither_worse_nor_better(now, before, shown):
    assert said(more_or_fewer(now, before)) == (shown, "", "")


def test_a_number_is_the_same_where_both_read_alike():
    assert as_it_was("229", "236") == Change("was 236")
    assert as_it_was("400", "400") == Change("same")
