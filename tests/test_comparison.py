"""Which run another one is compared with."""

from datetime import timedelta

import pytest

from runs.choices import RunResult, RunStatus
from runs.comparison import previous_comparable
from tests.rows import NOW, make_account, make_run, make_test

pytestmark = pytest.mark.django_db
PLAN = {"virtual_users": 400, "planned_duration_s": 1800}


@pytest.fixture
def load_test():
    return make_test(make_account())


def run_of(load_test, number: int, **fields):
    """The number says how many hours after NOW the run was requested; its details were read."""
    fields = {"created_at": NOW + timedelta(hours=number), "details_at": NOW, **PLAN, **fields}
    return make_run(load_test, number, **fields)


def test_is_the_last_finished_run_of_the_same_test_before_it(load_test):
    run_of(load_test, 1)
    before = run_of(load_test, 2)
    run = run_of(load_test, 3)
    run_of(load_test, 4)
    run_of(make_test(load_test.account, "Other"), 5, created_at=run.created_at - timedelta(minutes=1))

    assert previous_comparable(run) == before


def test_counts_a_failed_run_as_it_ran_its_course(load_test):
    before = run_of(load_test, 2, result=RunResult.FAILED)

    assert previous_comparable(run_of(load_test, 3)) == before


@pytest.mark.parametrize(
    "unfit",
    [
        {"status": RunStatus.ABORTED},
        {"status": RunStatus.RUNNING},
        {"status": RunStatus.ERROR},
        {"results_incomplete": True},
        {"details_at": None},
        {"details_error": "The provider refused."},
        {"virtual_users": 200},
        {"planned_duration_s": 600},
    ],
)
def test_passes_over_runs_that_cannot_be_compared(load_test, unfit):
    fit = run_of(load_test, 1)
    run_of(load_test, 2, **unfit)

    assert previous_comparable(run_of(load_test, 3)) == fit


@pytest.mark.parametrize("unknown", [{"virtual_users": None}, {"planned_duration_s": None}])
def test_takes_a_plan_nobody_knows_for_the_same(load_test, unknown):
    before = run_of(load_test, 2, **unknown)

    assert previous_comparable(run_of(load_test, 3)) == before
    assert previous_comparable(run_of(load_test, 4, **unknown)).number == 3


def test_tells_runs_of_the_same_moment_apart(load_test):
    first = run_of(load_test, 1)
    second = run_of(load_test, 2, created_at=first.created_at)

    assert previous_comparable(second) == first
    assert previous_comparable(first) is None


def test_asks_once_and_by_an_index(load_test, django_assert_num_queries):
    run_of(load_test, 1)
    run = run_of(load_test, 2)

    with django_assert_num_queries(1):
        assert previous_comparable(run).title
