"""Links from a number to the run list that produced it. The keys are the run list's own.

The roll-up's days are UTC days, the run list reads a bare date in the viewer's zone: so the links give times.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from runs.models import LoadTest


def query_of(load_test: LoadTest) -> list[tuple[str, str]]:
    """The run list's filters that leave this load test's runs."""
    return [("test", str(load_test.pk))]


def runs_url(
    filters: Iterable[tuple[str, str]] = (),
    *,
    first: date | None = None,
    last: date | None = None,
    results: Sequence[str] = (),
) -> str:
    """The run list under these filters, requested on the days from first to last, with any of these results."""
    pairs = [*filters, *(("result", result) for result in results), *day_query(first, last)]
    return f"{reverse('run_list')}?{urlencode(pairs, safe=':!')}"


def day_query(first: date | None, last: date | None) -> list[tuple[str, str]]:
    """From midnight of the first day to midnight after the last one, UTC."""
    ends = (("from", first), ("to", last + timedelta(days=1) if last else None))
    return [(key, f"{day.isoformat()}T00:00:00Z") for key, day in ends if day]
