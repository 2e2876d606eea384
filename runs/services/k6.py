"""Grafana Cloud k6, "REST API v6": the service.

What a run becomes: k6_v6_runs.py; what hangs below it: k6_v6_details.py. The list of runs is one for all tests; numbers
come from the metrics calls that the legacy API has as well.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from time import sleep as _sleep
from typing import Any

from runs.choices import ENDED, RunStatus

from .answers import clock_behind, number_of, parse_time
from .base import (
    BadRow,
    Capability,
    CheckStep,
    Download,
    Fact,
    Field,
    NotFound,
    Person,
    Refused,
    RemoteDetails,
    RemoteRun,
    RemoteSchedule,
    RemoteTest,
    RunPage,
    RunService,
    ServiceError,
    StartWish,
    Unauthorized,
    UnexpectedAnswer,
)
from .http import Http
from .k6_legacy_api import K6LegacyApi, describe
from .k6_payloads import unreadable
from .k6_v6_api import K6V6Api
from .k6_v6_catalogue import limit_facts, read_schedule, zone_facts
from .k6_v6_details import read_details
from .k6_v6_payloads import LABEL
from .k6_v6_runs import read_run
from .k6_v6_walk import Place, walk
from .redact import redact_text

OWN_HOST = "https://api.k6.io"
KEY_SECONDS = 600  # the provider heeds an idempotency key for so long; a minute less is left to clocks that differ
TAR_MARK = slice(257, 262)


class K6Service(RunService):
    provider = "k6"
    label = LABEL
    tile = "K6"
    hosts = ("api.k6.io",)
    default_base_url = OWN_HOST
    credential_fields = (
        Field(
            key="token",
            label="API token",
            secret=True,
            help="In Grafana Cloud: Testing & synthetics, Performance, Settings, Access. A personal or a stack token.",
        ),
        Field(
            key="stack_id",
            label="Stack id",
            help="The number of the stack, beside the token on the same page.",
            max_length=20,
        ),
    )
    capabilities = frozenset(
        {
            Capability.START,
            Capability.STOP,
            Capability.SCRIPT,
            Capability.NOTE,
            Capability.STAR,
            Capability.SCHEDULES,
            Capability.ESTIMATE,
            Capability.FACTS,
        }
    )
    start_again_s = KEY_SECONDS - 60
    takes_over = ("k6-legacy",)

    def __init__(
        self,
        base_url: str,
        credentials: Mapping[str, str],
        *,
        extra_hosts: tuple[str, ...] = (),
        page_size: int = 200,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = _sleep,
        **http_options: Any,
    ):
        """`page_size`: rows asked for at a time. `now`, `sleep`: the clock. `http_options`: for `http.Http`."""
        super().__init__(base_url, credentials)
        self._token, stack_id = credentials.get("token", ""), credentials.get("stack_id", "").strip()
        http = Http(
            self.base_url,
            provider=LABEL,
            hosts=self.hosts,
            extra_hosts=extra_hosts,
            headers={"Authorization": f"Bearer {self._token}", "X-Stack-Id": stack_id},
            secrets=(self._token,),
            describe=describe,
            sleep=sleep,
            **http_options,
        )
        self.api = K6V6Api(http, stack_id, page_size)
        self._http, self._now = http, now
        self._bad: list[BadRow] = []

    def clock_behind(self) -> timedelta:
        return clock_behind(self._http.their_now, self._now())

    # -- who and what --------------------------------------------------------------------------------------------------

    def whoami(self) -> Person | None:
        """By an older address that is undocumented and knows personal tokens only; v6 has none."""
        try:
            me = K6LegacyApi(self.api.http).account()
        except (NotFound, Refused, UnexpectedAnswer):
            return None
        return Person(me.email, me.email) if me.email else None

    def test_connection(self) -> list[CheckStep]:
        projects = None
        try:
            projects, _ = self.api.projects()
        except Unauthorized as error:
            steps = [CheckStep("reach", True), CheckStep("sign-in", False, str(error))]
        except ServiceError as error:
            steps = [CheckStep("reach", False, str(error)), CheckStep("sign-in", None)]
        if projects is None:
            return [*steps, CheckStep("projects", None), CheckStep("tests", None)]
        names = ", ".join(project.name for project in projects[:10])
        sentence = names or "This stack has no project. Check the stack id, or create one in Grafana Cloud k6."
        steps = [CheckStep("reach", True), CheckStep("sign-in", True)]
        return [*steps, CheckStep("projects", bool(projects), sentence), self._check_tests()]

    def _check_tests(self) -> CheckStep:
        try:
            tests, bad = self.api.tests()
        except ServiceError as error:
            return CheckStep("tests", False, str(error))
        if tests:
            return CheckStep("tests", True, f'Found tests, such as "{tests[0].name}".')
        return CheckStep("tests", not bad, bad[0].reason if bad else "There is no test yet.")

    def iter_tests(self) -> Iterator[Sequence[RemoteTest]]:
        projects, bad_projects = self.api.projects()
        names = {project.id: project.name for project in projects}
        tests, bad_tests = self.api.tests()
        self._bad = [*bad_projects, *bad_tests]
        yield [
            RemoteTest(external_id=test.id, name=test.name, project=names.get(test.project_id, "")) for test in tests
        ]

    # -- runs ----------------------------------------------------------------------------------------------------------

    def iter_runs(
        self,
        since: datetime | None,
        resume: Mapping[str, Any] | None = None,
        known_newest: Mapping[str, str] | None = None,
    ) -> Iterator[RunPage]:
        bad, self._bad = self._bad, []
        if bad:
            yield RunPage(runs=(), bad=bad, resume=dict(resume or {}))
        place = Place(parse_time((resume or {}).get("after")), tuple((resume or {}).get("seen") or ()))
        pages = walk(lambda after: self.api.runs(after or since), self.api.follow, place, counted=since is None)
        for rows, after in pages:
            found = [self._run(row) for row in rows]
            yield RunPage(
                runs=[run for run in found if isinstance(run, RemoteRun)],
                bad=[row for row in found if isinstance(row, BadRow)],
                resume={"after": after.after.isoformat(), "seen": list(after.seen)} if after.after else {},
            )

    def _run(self, row: Any) -> RemoteRun | BadRow:
        return read_run(row, self._token, self.base_url == OWN_HOST)

    def get_run(self, external_id: str) -> RemoteRun:
        run = self._run(self.api.run(external_id))
        if isinstance(run, BadRow):
            raise unreadable(f"a readable run ({run.reason})", LABEL)
        return run

    def get_details(self, run: RemoteRun) -> RemoteDetails:
        return read_details(self.api.http, run, self._clean)

    def _clean(self, text: str) -> str:
        return redact_text(text, (self._token,))

    # -- control -------------------------------------------------------------------------------------------------------

    def start_step(self, step: str, wish: StartWish, external_id: str) -> RemoteRun | None:
        if step != "start":
            raise Refused(f'{LABEL} has no step "{step}" in starting a run.')
        row = self.api.start(wish.test_external_id, wish.token)
        if isinstance(row, dict):
            given = {"created": self._now().isoformat(), "test_id": wish.test_external_id}
            run = self._run(given | {key: value for key, value in row.items() if value or key not in given})
            if isinstance(run, RemoteRun):
                return run
        raise UnexpectedAnswer(
            f"{LABEL} accepted the start, but its answer names no run. It may have started; the next sync will tell.",
            maybe_done=True,
        )

    def stop(self, external_id: str) -> None:
        try:
            self.api.abort(external_id)
        except Refused as problem:
            if isinstance(problem, Unauthorized) or not self._load_is_over(external_id):
                raise
            raise Refused("The load of this run was over already: there was nothing to stop.") from None

    def _load_is_over(self, external_id: str) -> bool:
        """Why k6 refuses to abort: the run is not running (any more)."""
        try:
            return self.get_run(external_id).status in (*ENDED, RunStatus.PROCESSING)
        except ServiceError:
            return False

    def set_note(self, external_id: str, note: str) -> None:
        self.api.note(external_id, note)

    def set_star(self, external_id: str, starred: bool) -> None:
        self.api.star(external_id, starred)

    def estimate(self, wish: StartWish) -> float | None:
        """By the options its last runs had: what the test would run with now is known to the provider alone."""
        for run in self.api.newest_runs(wish.test_external_id):
            if run.options is not None:
                cloud = run.options.get("cloud")
                kept = {key: value for key, value in cloud.items() if key != "token"} if isinstance(cloud, dict) else {}
                options = {**run.options, "cloud": kept} if kept else _without(run.options, "cloud")
                return number_of(self.api.hours_of(options, run.project_id))
        return None

    # -- what else there is --------------------------------------------------------------------------------------------

    def iter_schedules(self) -> Iterator[Sequence[RemoteSchedule]]:
        schedules, bad = self.api.schedules()
        if bad:  # one that is left out would be taken for one that is gone
            raise unreadable(f"readable schedules ({bad[0].reason})", LABEL)
        yield [read_schedule(item) for item in schedules]

    def set_schedule(self, external_id: str, active: bool) -> None:
        try:
            self.api.switch_schedule(external_id, active)
        except Refused as problem:
            if isinstance(problem, Unauthorized) or not active or not self._is_expired(external_id):
                raise
            raise Refused(f"This schedule is over: no start of it lies ahead. Make a new one in {LABEL}.") from None

    def _is_expired(self, external_id: str) -> bool:
        try:
            found = self.api.schedule(external_id)
        except ServiceError:
            return False
        return "next_run" in found and not found["next_run"]

    def facts(self) -> Sequence[Fact]:
        projects, _ = self.api.projects()
        names = {project.id: project.name for project in projects}
        return [*limit_facts(self.api.limits(), names), *zone_facts(self.api.load_zones())]

    def open_script(self, *, run: str = "", test: str = "") -> Download:
        """JavaScript, or the archive (tar) that was uploaded; told apart by how it begins."""
        download = self.api.run_script(run) if run else self.api.test_script(test)
        first = next(download.chunks, b"")
        download.chunks = chain([first], download.chunks)
        name = f"k6-run-{run}" if run else f"k6-test-{test}"
        kind, download.content_type = _kind(first)
        download.filename = f"{name}.{kind}"
        return download


def _kind(first: bytes) -> tuple[str, str]:
    if first[TAR_MARK] == b"ustar":
        return "tar", "application/x-tar"
    return ("tar.gz", "application/gzip") if first[:2] == b"\x1f\x8b" else ("js", "text/javascript")


def _without(options: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != key}
