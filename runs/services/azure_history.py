"""Azure Load Testing: walking the list of runs, which tells when they were made and never when they changed."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from .addresses import AddressRefused
from .azure_api import AzureApi
from .base import BadRow, NotFound, Refused, RemoteRun, RunPage, Unauthorized

PAGE = 50  # the service's own
SLACK = timedelta(minutes=1)  # between the two times a list may be sorted by
Read = Callable[[Any], RemoteRun | BadRow]


def walk(
    api: AzureApi, since: datetime | None, resume: Mapping[str, Any] | None, *, page_size: int, read: Read
) -> Iterator[RunPage]:
    """Runs newest first, back to those made before `since`; all of them where that is None.

    Whatever changes later in a run is found by asking for that run. The list's filter on times is not used: it is about
    executions, and what waits for one might be left out. `resume` of a page: {"next": link to the one after it, or ""}.
    """
    link = resume.get("next", "") if resume else ""
    if resume and not link:
        return
    given = False
    try:
        for page in _pages(api, since, link, page_size, read):
            given = True
            yield page
    except (Refused, NotFound) as problem:
        # A place in the list may be too old to be gone on from; then it is begun anew.
        if given or not link or isinstance(problem, Unauthorized | AddressRefused):
            raise
    else:
        return
    yield from _pages(api, since, "", page_size, read)


def _pages(api: AzureApi, since: datetime | None, link: str, page_size: int, read: Read) -> Iterator[RunPage]:
    in_order, last = True, None
    for items, following in api.runs(page_size, link=link):
        rows = [read(item) for item in items]
        runs = [row for row in rows if isinstance(row, RemoteRun)]
        yield RunPage(runs=runs, bad=[row for row in rows if isinstance(row, BadRow)], resume={"next": following})
        for run in runs:
            in_order = in_order and (last is None or run.created_at <= last + SLACK)
            last = run.created_at
        # Only what comes in order may be ended early: else newer runs could stand behind older ones.
        if since and in_order and last and last < since - SLACK:
            return
