"""Every run is found though the list has a cap, no paging and no order; an interrupted walk goes on where it was."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from runs.services.base import Unavailable, UnexpectedAnswer
from runs.services.vsts_history import BEGINNING, History

NOW = datetime(2019, 6, 1, 12, tzinfo=UTC)


class Listing:
    """A list of runs as the service keeps it. `edge`: whether a window takes in its own two moments."""

    def __init__(self, modified, edge=True, fail_at=None):
        self.modified = dict(enumerate(modified))
        self.edge = edge
        self.fail_at = fail_at
        self.windows = []

    def list_runs(self, *, from_date, to_date, top, status=""):
        self.windows.append((from_date, to_date))
        if len(self.windows) == self.fail_at:
            raise Unavailable("The service is away. Try again later.")
        found = [
            {"id": f"run-{key}", "createdDate": time.isoformat(), "state": self.state(key)}
            for key, time in self.modified.items()
            if (from_date <= time <= to_date if self.edge else from_date < time < to_date)
            and status in ("", self.state(key))
        ]
        random.Random(0).shuffle(found)  # noqa: S311
        return found[:top]

    def state(self, key):
        return ("completed", "aborted", "error")[key % 3]


def walk(listing, top=5, since=None, resume=None, now=NOW):
    return History(listing, top=top, now=lambda: now).pages(since, resume)


def ids(pages):
    return {run.external_id for page in pages for run in page.runs}


def everything(listing):
    return {f"run-{key}" for key in listing.modified}


def spread(count, days=900):
    rng = random.Random(count)  # noqa: S311
    return [NOW - timedelta(seconds=rng.randrange(days * 86400)) for _ in range(count)]


@pytest.mark.parametrize("edge", [True, False])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 300])
def test_a_full_history_loses_nothing_past_the_cap(count, edge):
    listing = Listing(spread(count), edge)

    assert ids(walk(listing)) == everything(listing)


def test_no_page_was_a_full_answer():
    listing = Listing(spread(300))

    assert all(len(page.runs) < 5 for page in walk(listing))


def test_an_empty_history_back_to_the_beginning_takes_few_calls():
    listing = Listing([])
    list(walk(listing))

    assert len(listing.windows) < 15
    assert min(start for start, _ in listing.windows) <= BEGINNING
    assert max(end for _, end in listing.windows) >= NOW + timedelta(hours=1)  # the provider's clock may be ahead


def test_the_newest_runs_come_first():
    listing = Listing(spread(300))
    newest = [
        max(listing.modified[int(run.external_id[4:])] for run in page.runs) for page in walk(listing) if page.runs
    ]

    assert newest == sorted(newest, reverse=True)


def test_windows_leave_no_gap():
    listing = Listing(spread(40))
    pages = list(walk(listing))

    ends = [datetime.fromisoformat(page.resume["to"]) for page in pages]
    assert ends == sorted(ends, reverse=True)
    assert ends[-1] == BEGINNING


@pytest.mark.parametrize("edge", [True, False])
def test_a_run_on_the_border_of_two_windows_is_found(edge):
    border = NOW + timedelta(days=1) - timedelta(days=7)
    listing = Listing([border], edge)

    assert ids(walk(listing)) == {"run-0"}


def test_a_second_with_too_many_runs_is_asked_for_by_status():
    listing = Listing([NOW - timedelta(days=3)] * 12 + spread(30))

    assert ids(walk(listing)) == everything(listing)


def test_a_second_with_too_many_runs_of_one_status_is_said_not_lost():
    listing = Listing([NOW - timedelta(days=3)] * 40)

    with pytest.raises(UnexpectedAnswer, match="more runs of one second"):
        list(walk(listing))


def test_an_incremental_pass_looks_back_to_since_only():
    listing = Listing(spread(300))
    since = NOW - timedelta(days=30)

    found = ids(walk(listing, since=since))

    assert found == {f"run-{key}" for key, time in listing.modified.items() if time >= since}
    assert min(start for start, _ in listing.windows) >= since - timedelta(seconds=1)


def test_a_quiet_incremental_pass_is_one_call():
    listing = Listing(spread(300))
    list(walk(listing, since=NOW - timedelta(minutes=15), top=1000))

    assert len(listing.windows) == 1


@pytest.mark.parametrize("hours", [5, 26])
def test_an_incremental_pass_looks_back_further_when_the_provider_s_clock_is_behind(hours):
    """Runs of the last minutes bear the date of its clock, and `since` is by ours."""
    behind = timedelta(hours=hours)
    listing = Listing([NOW - behind - timedelta(minutes=minutes) for minutes in range(60)])
    history = History(listing, top=100, now=lambda: NOW, behind=lambda: behind)

    found = ids(history.pages(NOW - timedelta(minutes=19, seconds=30), None))

    assert found == {f"run-{minutes}" for minutes in range(20)}
    assert len(listing.windows) == 2


def test_a_run_of_a_provider_whose_clock_is_a_day_ahead_is_found():
    listing = Listing([NOW + timedelta(days=1)])
    assert ids(walk(listing, since=NOW - timedelta(minutes=15))) == {"run-0"}


@pytest.mark.parametrize("fail_at", [1, 2, 10, 40])
def test_a_walk_that_breaks_off_goes_on_from_its_last_page(fail_at):
    listing = Listing(spread(100), fail_at=fail_at)
    first, resume = [], None
    with pytest.raises(Unavailable):
        for page in walk(listing):
            first.append(page)
            resume = page.resume
    asked_again_from = len(listing.windows)

    second = list(walk(listing, resume=resume, now=NOW + timedelta(minutes=5)))

    assert ids(first) | ids(second) == everything(listing)
    assert not ids(first) & ids(second)
    if resume:
        assert listing.windows[asked_again_from][1] == datetime.fromisoformat(resume["to"])


def test_a_bad_row_is_named_beside_the_good_ones():
    class Odd(Listing):
        def list_runs(self, **filters):
            return [*super().list_runs(**filters), {"name": "no id"}]

    pages = list(walk(Odd(spread(10)), top=50, since=NOW - timedelta(days=1000)))

    assert sum(len(page.bad) for page in pages) == 1
    assert len(ids(pages)) == 10
