"""VSTS Cloud Load Test: walking all runs through a list that has a cap and no paging.

The list takes a window of *modified* times and returns at most `top` runs of it, in no order. A full answer may hide
runs, so its window is halved until the answer is not full. Windows go from the newest back: the list is usable soon.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .answers import parse_time
from .base import BadRow, RemoteRun, RunPage, UnexpectedAnswer
from .vsts_api import VstsApi
from .vsts_payloads import LABEL, STATES, read_run, rows_of

BEGINNING = datetime(2013, 1, 1, tzinfo=UTC)  # the service's first preview
FIRST_WIDTH = timedelta(days=7)
NARROWEST = timedelta(seconds=1)
AHEAD = timedelta(days=2)  # for a provider's clock that runs ahead of ours
# Whether "after" and "before" take in the moment itself is not said: windows share it, so that neither loses a run.
SHARED = timedelta(microseconds=1)


class History:
    """`now`: our clock; `behind`: how far the provider's is behind it. `secrets`: taken out of what is kept."""

    def __init__(
        self, api: VstsApi, *, top: int, now: Callable[[], datetime], secrets: Sequence[str] = (),
        behind: Callable[[], timedelta] = lambda: timedelta(0),
    ):  # fmt: skip
        self._api = api
        self._behind = behind
        self._top = top
        self._now = now
        self._secrets = secrets

    def pages(self, since: datetime | None, resume: Mapping[str, Any] | None) -> Iterator[RunPage]:
        """One page per window, newest first, back to `since` or the beginning.

        `resume` of a page: {"to": where the next window ends, "width": its seconds}. What is modified during
        a walk is found by the next one, when that looks back to before this one began.
        """
        floor = max(since, BEGINNING) if since else BEGINNING
        to = self._now().astimezone(UTC) + AHEAD
        width = max(to - floor, NARROWEST) if since else FIRST_WIDTH
        if resume and (going_on := parse_time(resume.get("to"))):
            to, width = going_on, timedelta(seconds=float(resume.get("width", FIRST_WIDTH.total_seconds())))
        asked = False
        while to > floor:
            start = to - min(width, to - floor)
            items = self._list(start, to)
            if since and not asked:
                # `since` is our time, and windows are about theirs: they have told it now.
                floor, asked = max(since - self._behind(), BEGINNING), True
            if len(items) < self._top:
                width = width * 2 if len(items) * 2 <= self._top else width
            elif to - start > NARROWEST:
                width = max((to - start) / 2, NARROWEST)
                continue
            else:
                items = self._by_status(start, to)
            to = start
            yield self._page(items, {"to": to.isoformat(), "width": width.total_seconds()})

    def _list(self, start: datetime, to: datetime, status: str = "") -> list[Any]:
        answer = self._api.list_runs(from_date=start - SHARED, to_date=to, top=self._top, status=status)
        return rows_of(answer, "runs")

    def _by_status(self, start: datetime, to: datetime) -> list[Any]:
        """The runs of a second that holds too many: asked for status by status."""
        found = []
        for status in STATES:
            items = self._list(start, to, status)
            if len(items) >= self._top:
                raise UnexpectedAnswer(
                    f"{LABEL} has more runs of one second ({start:%Y-%m-%d %H:%M:%S} UTC) than it lists at once, so "
                    "some cannot be read. Report this to Plimsoll's maintainers."
                )
            found += items
        return found

    def _page(self, items: Sequence[Any], resume: Mapping[str, Any]) -> RunPage:
        read = [read_run(item, self._secrets) for item in items]
        return RunPage(
            runs=[run for run in read if isinstance(run, RemoteRun)],
            bad=[row for row in read if isinstance(row, BadRow)],
            resume=resume,
        )
