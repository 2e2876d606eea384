"""Pass/fail history of load tests: pure functions from stored counts and last runs to what the page shows.

A pass rate is passed / (passed + failed), always with that sum n and its 95 % Wilson score interval (E. B. Wilson,
"Probable inference, the law of succession, and statistical inference", 1927): it stays inside 0 to 1 and is honest for
a handful of runs. Errors, runs without a verdict and runs that have not ended are counted beside it. Days are UTC days.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import sqrt

from runs.choices import LIVE, RunResult

RANGES = (7, 28, 90)
STRIP_RUNS = 10
TESTS_PER_PAGE = 50
Z_95 = 1.959964
# The worst first. A run without a verdict says nothing about the service, so a pass on the same day outranks it.
WORST_FIRST = ("failed", "error", "passed", "none", "live")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many runs there were and how they ended."""

    runs: int = 0
    passed: int = 0
    failed: int = 0
    error: int = 0
    none: int = 0
    live: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, key) + getattr(other, key) for key in TALLY_KEYS))

    @property
    def judged(self) -> int:
        return self.passed + self.failed

    @property
    def not_judged(self) -> int:
        return self.error + self.none

    @property
    def verdict(self) -> str:
        """The worst verdict among the runs: one of WORST_FIRST; "" without a run."""
        return next((word for word in WORST_FIRST if getattr(self, word)), "")


TALLY_KEYS = ("runs", "passed", "failed", "error", "none", "live")


@dataclass(frozen=True, slots=True)
class Rate:
    """A pass rate and the ends of its 95 % interval, each 0..1, over n judged runs."""

    share: float
    low: float
    high: float
    n: int

    @property
    def percent(self) -> int:
        return percent(self.share)

    @property
    def low_percent(self) -> int:
        return percent(self.low)

    @property
    def high_percent(self) -> int:
        return percent(self.high)


def percent(share: float) -> int:
    """Whole percent; 0 and 100 are kept for exactly none and exactly all."""
    if share <= 0 or share >= 1:
        return 100 if share >= 1 else 0
    return min(99, max(1, round(share * 100)))


def wilson(passed: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of passed out of n (n > 0)."""
    share, z2 = passed / n, Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # At none and at all the formula meets 0 and 1 but for the last bit of a float.
    return (0.0 if passed == 0 else middle - half, 1.0 if passed == n else middle + half)


def pass_rate(tally: Tally) -> Rate | None:
    """None when no run was judged: that is "no criteria", not 0 %."""
    if not tally.judged:
        return None
    return Rate(tally.passed / tally.judged, *wilson(tally.passed, tally.judged), tally.judged)


def change_in_points(now: Rate | None, before: Rate | None) -> int | None:
    """Percentage points by which `now` is above `before`; None when one of them is missing."""
    if now is None or before is None:
        return None
    return round((now.share - before.share) * 100)


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a page, oldest first, and the equally long time before them."""

    days: int
    last: date

    @property
    def first(self) -> date:
        return self.last - timedelta(days=self.days - 1)

    @property
    def before_first(self) -> date:
        return self.first - timedelta(days=self.days)

    @property
    def dates(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range(self.days)]


@dataclass(frozen=True, slots=True)
class Counts:
    """One test's sums: in the span, in the equally long time before it, and its last day with a pass in either."""

    test_id: int
    name: str
    now: Tally
    before: Tally = Tally()
    last_pass: date | None = None

    @property
    def rate(self) -> Rate | None:
        return pass_rate(self.now)

    @property
    def change(self) -> int | None:
        return change_in_points(self.rate, pass_rate(self.before))

    def days_since_pass(self, today: date) -> int | None:
        return (today - self.last_pass).days if self.last_pass else None


def worst_first(counts: Iterable[Counts]) -> list[Counts]:
    """Sorted by the lower end of the interval; tests without a judged run come last, by name."""

    def key(test: Counts) -> tuple[bool, float, str, int]:
        rate = test.rate
        return (rate is None, rate.low if rate else 0.0, test.name.casefold(), test.test_id)

    return sorted(counts, key=key)


@dataclass(frozen=True, slots=True)
class Cell:
    """A test's (or all tests') day."""

    day: date
    tally: Tally = Tally()

    @property
    def verdict(self) -> str:
        return self.tally.verdict


def cells(dates: Sequence[date], by_day: Mapping[date, Tally]) -> list[Cell]:
    """One cell per date, empty where nothing ran."""
    return [Cell(day, by_day.get(day, Tally())) for day in dates]


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a day."""

    day: date
    is_weekend: bool
    is_today: bool
    is_monday: bool


def columns(dates: Sequence[date], today: date) -> list[Column]:
    return [Column(day, day.weekday() >= 5, day == today, day.weekday() == 0) for day in dates]


def weeks(dates: Sequence[date]) -> list[tuple[date, int]]:
    """The dates in runs that begin on Mondays: (first date, how many). The first run may begin on any day."""
    found: list[tuple[date, int]] = []
    for day in dates:
        if found and day.weekday() != 0:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((day, 1))
    return found


@dataclass(frozen=True, slots=True)
class Strip:
    """A test's last runs as marks, oldest first: passed, failed, error, none, live; "" for runs it has not had yet."""

    marks: tuple[str, ...] = field(default=())

    @property
    def sentence(self) -> str:
        """What a person who cannot see the marks hears: "Last 10 runs, oldest first: 8 passed, 2 failed"."""
        had = [mark for mark in self.marks if mark]
        if not had:
            return "No run yet"
        words = {"none": "without a verdict", "live": "not ended", "error": "with an error"}
        parts = [f"{had.count(word)} {words.get(word, word)}" for word in ("passed", *WORST_FIRST[:2], "none", "live")]
        shown = ", ".join(part for part in parts if not part.startswith("0 "))
        return f"Last {len(had)} runs, oldest first: {shown}" if len(had) > 1 else f"The only run: {shown}"


def mark(status: str, result: str) -> str:
    """A run's mark in a strip. A status or result we do not know is no verdict, never a pass."""
    if status in LIVE:
        return "live"
    return result if result in RunResult.values else "none"


def strip(newest_first: Sequence[tuple[str, str]], length: int = STRIP_RUNS) -> Strip:
    """From (status, result) of a test's runs, newest first; shorter histories are filled up on the left."""
    marks = [mark(status, result) for status, result in newest_first[:length]][::-1]
    return Strip(("",) * (length - len(marks)) + tuple(marks))
