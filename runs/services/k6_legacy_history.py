"""One pass over all the legacy k6 API has: organizations, projects, tests, and each test's runs, newest first."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .answers import parse_time
from .base import BadRow, NotFound, Refused, RemoteRun, RunPage, Unauthorized
from .k6_legacy_api import K6LegacyApi, Listing
from .k6_payloads import LoadTest, Project, parse_all
from .k6_walk import Place, walk_newest_first, walk_pages

# Every key the manual shows in a listed run, asked for by name: what else the provider adds stays there.
RUN_KEYS_V5 = (
    "id",
    "test_id",
    "project_id",
    "organization_id",
    "user_id",
    "stopped_by_id",
    "public_id",
    "created",
    "started",
    "ended",
    "duration",
    "vus",
    "run_status",
    "processing_status",
    "result_status",
    "run_process",
    "error_code",
    "error_detail",
    "note",
    "is_baseline",
    "deleted",
    "delete_status",
    "config",
    "script",
)
# The same for the older address: without what it does not show, and with what only it does.
RUN_KEYS_V2 = (
    *(key for key in RUN_KEYS_V5 if key not in ("deleted", "delete_status")),
    "export",
    "k6_archive",
    "load_time",
    "version",
)
NEWEST_FIRST = "created desc,id desc"


@dataclass(frozen=True, slots=True)
class TestPage:
    project: str
    tests: list[LoadTest]
    bad: list[BadRow]


def iter_catalogue(api: K6LegacyApi, page_size: int) -> Iterator[TestPage]:
    """Every test of every project the token can see. A project or organization it may not read is a BadRow."""
    organizations, bad = api.organizations()
    if bad:
        yield TestPage("", [], bad)
    seen: set[str] = set()
    for organization in organizations:
        try:
            projects, bad = api.projects(organization.id)
        except (NotFound, Unauthorized) as error:
            yield TestPage("", [], [BadRow(organization.id, f'Organization "{organization.name}": {error}')])
            continue
        if bad:
            yield TestPage("", [], bad)
        for project in projects:
            if project.id not in seen:
                seen.add(project.id)
                yield from _tests_of(api, project, page_size)


def _tests_of(api: K6LegacyApi, project: Project, page_size: int) -> Iterator[TestPage]:
    try:
        for rows, _ in walk_pages(lambda page: api.tests(project.id, page, page_size)):
            yield TestPage(project.name, *parse_all(LoadTest, rows))
    except (NotFound, Unauthorized) as error:
        yield TestPage("", [], [BadRow(project.id, f'Project "{project.name}": {error}')])


@dataclass
class RunPass:
    """The runs of many tests, test by test in the order of their ids, so that a pass can go on where it was left.

    `resume`: {"tests_done": the last test read to its end, "test": the one being read, "skip", "last", "last_created":
    the place in it}. Tests created meanwhile have higher ids, so they come later. `to_run` maps one row.
    """

    api: K6LegacyApi
    to_run: Callable[[Any, LoadTest], RemoteRun | BadRow]
    page_size: int
    since: datetime | None
    known_newest: Mapping[str, str] | None
    # Set once /cloud/v5 turned out not to list runs (any more), or not to take our filter.
    v5_gone: bool = False
    unfiltered: bool = False
    readable: int = 0

    def pages(self, tests: list[LoadTest], resume: Mapping[str, Any]) -> Iterator[RunPage]:
        done = int(resume.get("tests_done") or 0)
        self.readable = 1 if done else 0
        refused: Unauthorized | None = None
        for test in sorted(tests, key=lambda test: int(test.id)):
            if int(test.id) <= done or not self._may_have_news(test):
                continue
            place = _place(resume) if resume.get("test") == test.id else None
            try:
                yield from self._pages_of(test, done, place)
                self.readable += 1
            except (NotFound, Unauthorized) as error:
                self.api.organizations()  # a token that is no longer accepted ends the pass here
                refused = error if isinstance(error, Unauthorized) else refused
                bad = BadRow(test.id, f'The runs of test "{test.name}" could not be read: {error}')
                yield RunPage(runs=(), bad=(bad,), resume={"tests_done": test.id})
            done = int(test.id)
        if refused and not self.readable and self.since is None:
            raise refused

    def _may_have_news(self, test: LoadTest) -> bool:
        """False only when the test's own list of runs ends with one we hold."""
        if self.since is None or self.known_newest is None or (test.run_ids is None and test.last_run_id is None):
            return True
        newest = max((*(test.run_ids or ()), test.last_run_id or 0), default=0)
        return newest > int(self.known_newest.get(test.id) or 0)

    def _pages_of(self, test: LoadTest, done: int, place: Place | None) -> Iterator[RunPage]:
        if not self.v5_gone:
            try:
                yield from self._pages_v5(test, done, place)
                return
            except NotFound:
                # An unknown test is 403 there: 404 is the address itself, unless others were read from it before.
                self.v5_gone = not self.readable
            except Unauthorized as error:
                try:
                    yield from self._pages_v2(test, done)
                    return
                except (NotFound, Unauthorized):
                    raise error from None
        yield from self._pages_v2(test, done)

    def _pages_v5(self, test: LoadTest, done: int, place: Place | None) -> Iterator[RunPage]:
        since, known = self._until(test)

        def read(skip: int, top: int) -> Listing:
            order = {"top": top, "skip": skip, "orderby": NEWEST_FIRST, "select": RUN_KEYS_V5}
            if since and not self.unfiltered:
                try:
                    return self.api.runs_v5(test.id, filter=_filter(since, known), **order)
                except (NotFound, Unauthorized):
                    raise
                except Refused:
                    self.unfiltered = True
            return self.api.runs_v5(test.id, **order)

        for rows, after in walk_newest_first(read, self.page_size, place):
            old = since and after.last_created and after.last_created < since and _id_of(after.last) <= known
            if after.ended or old:
                yield self._page(rows, test, {"tests_done": test.id})
                return
            created = after.last_created.isoformat() if after.last_created else ""
            here = {"test": test.id, "skip": after.skip, "last": after.last, "last_created": created}
            yield self._page(rows, test, {"tests_done": str(done), **here})

    def _pages_v2(self, test: LoadTest, done: int) -> Iterator[RunPage]:
        """The older list: numbered pages in no promised order, so it is always read whole."""

        def read(page: int) -> Listing:
            return self.api.runs_v2(test_id=test.id, select=RUN_KEYS_V2, page=page, page_size=self.page_size)

        for rows, ended in walk_pages(read):
            yield self._page(rows, test, {"tests_done": test.id if ended else str(done)})

    def _until(self, test: LoadTest) -> tuple[datetime | None, int]:
        """Back to which time and run to read. A test of which we hold nothing is read whole."""
        if self.since is None or self.known_newest is None:
            return self.since, 0 if self.since is None else 2**63
        known = int(self.known_newest.get(test.id) or 0)
        return (self.since, known) if known else (None, 0)

    def _page(self, rows: list[Any], test: LoadTest, resume: Mapping[str, Any]) -> RunPage:
        runs: list[RemoteRun] = []
        bad: list[BadRow] = []
        for row in rows:
            item = self.to_run(row, test)
            if isinstance(item, BadRow):
                bad.append(item)
            else:
                runs.append(item)
        return RunPage(runs=runs, bad=bad, resume=resume)


def _filter(since: datetime, known: int) -> str:
    created = f"created ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return created if known >= 2**63 else f"{created} or id gt {known}"


def _id_of(key: str) -> int:
    return int(key) if key.isascii() and key.isdecimal() else 0


def _place(resume: Mapping[str, Any]) -> Place:
    return Place(int(resume.get("skip") or 0), str(resume.get("last") or ""), parse_time(resume.get("last_created")))
