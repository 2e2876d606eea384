"""Grafana Cloud k6: "Test Runs Legacy API" (/loadtests/v2 and /cloud/v5), in our words.

| our field | from |
| --- | --- |
| status, result, stop_reason | run_status, processing_status, result_status, by the tables below |
| provider_status, _substatus, _result | the documented words of these three; a number we do not know is its text |
| requested_by_id, stopped_by_id | user_id, stopped_by_id; the names only when they are the token's own user |
| created_at | created |
| started_at, load_started_at · load_ended_at, ended_at | started · ended, once the load is over |
| duration_s | ended - started |
| planned_duration_s, virtual_users, note | duration (it is the plan: it can be longer than the run), vus, note |
| error_code, error_message | error_code, error_detail |
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import sleep as _sleep
from typing import Any

from runs.choices import RunResult, RunStatus, StopReason

from .answers import clock_behind
from .base import (
    BadRow,
    CheckStep,
    Download,
    Field,
    NotFound,
    Person,
    Refused,
    RemoteDetails,
    RemoteRun,
    RemoteTest,
    RunPage,
    RunService,
    ServiceError,
    StartWish,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from .http import Http
from .k6_details import read_details
from .k6_legacy_api import K6LegacyApi, describe
from .k6_legacy_history import RUN_KEYS_V5, RunPass, iter_catalogue
from .k6_payloads import LABEL, Account, Export, LoadTest, Run, parse, unreadable
from .k6_walk import walk_pages
from .redact import redact, redact_text

# run_status -> the documented word, our status, and why it ended early. 3 depends on the processing, below.
RUN_STATUS: dict[int, tuple[str, RunStatus, str]] = {
    -2: ("CREATED", RunStatus.CREATED, ""),
    -1: ("VALIDATED", RunStatus.CREATED, ""),
    0: ("QUEUED", RunStatus.QUEUED, ""),
    1: ("INITIALIZING", RunStatus.STARTING, ""),
    2: ("RUNNING", RunStatus.RUNNING, ""),
    3: ("FINISHED", RunStatus.UNKNOWN, ""),
    4: ("TIMED_OUT", RunStatus.TIMED_OUT, StopReason.LIMIT),
    5: ("ABORTED_BY_USER", RunStatus.ABORTED, StopReason.USER),
    6: ("ABORTED_BY_SYSTEM", RunStatus.ABORTED, StopReason.SYSTEM),
    7: ("ABORTED_BY_SCRIPT_ERROR", RunStatus.ABORTED, StopReason.SCRIPT_ERROR),
    8: ("ABORTED_BY_THRESHOLD", RunStatus.ABORTED, StopReason.THRESHOLD),
    9: ("ABORTED_BY_LIMIT", RunStatus.ABORTED, StopReason.LIMIT),
}
FINISHED = 3
# processing_status of a FINISHED run -> the documented word and our status. Absent counts as done.
PROCESSING_STATUS: dict[int | None, tuple[str, RunStatus]] = {
    None: ("", RunStatus.FINISHED),
    0: ("NOT_STARTED", RunStatus.PROCESSING),
    1: ("PROCESSING", RunStatus.PROCESSING),
    2: ("FINISHED", RunStatus.FINISHED),
    3: ("ERROR", RunStatus.FINISHED),
}
PROCESSING_ERROR = 3
RESULT_STATUS = {0: "PASSED", 1: "FAILED"}
# run_status -> our result for result_status 0 and 1. 0 is also what a run has that nobody judged, so it counts as
# "passed" only where all metrics are in. Runs that are not over have no row: no verdict.
RESULT: dict[int, tuple[RunResult, RunResult]] = {
    FINISHED: (RunResult.PASSED, RunResult.FAILED),
    4: (RunResult.ERROR, RunResult.FAILED),
    5: (RunResult.NONE, RunResult.FAILED),
    6: (RunResult.ERROR, RunResult.FAILED),
    7: (RunResult.ERROR, RunResult.FAILED),
    8: (RunResult.FAILED, RunResult.FAILED),
    9: (RunResult.ERROR, RunResult.FAILED),
}
OWN_HOST = "https://api.k6.io"
# k6 keeps exports in Amazon's storage and hands out links that carry their own signature.
DOWNLOAD_HOSTS = ("*.k6.io", "s3.amazonaws.com", "*.s3.amazonaws.com")
IDS_PER_CALL = 50
EXPORT_LOOKS = 5
EXPORT_WAIT_S = 2.0


class K6LegacyService(RunService):
    provider = "k6-legacy"
    label = LABEL
    tile = "k6"
    hosts = ("api.k6.io",)
    default_base_url = OWN_HOST
    credential_fields = (
        Field(
            key="token",
            label="API token",
            secret=True,
            help="In Grafana Cloud k6: Settings, Access, Personal API token.",
        ),
    )

    def __init__(
        self,
        base_url: str,
        credentials: Mapping[str, str],
        *,
        extra_hosts: tuple[str, ...] = (),
        page_size: int = 100,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = _sleep,
        **http_options: Any,
    ):
        """`page_size`: rows asked for at a time. `now`, `sleep`: the clock. `http_options`: for `http.Http`."""
        super().__init__(base_url, credentials)
        token = credentials.get("token", "")
        self.http = Http(
            self.base_url,
            provider=LABEL,
            hosts=self.hosts,
            extra_hosts=extra_hosts,
            headers={"Authorization": f"Token {token}"},
            secrets=(token,),
            describe=describe,
            download_hosts=DOWNLOAD_HOSTS,
            sleep=sleep,
            **http_options,
        )
        self.api = K6LegacyApi(self.http)
        self._token = token
        self._page_size = page_size
        self._now = now
        self._sleep = sleep
        self._me: Account | None = None
        self._asked_me = False
        self._catalogue: tuple[list[LoadTest], list[BadRow]] | None = None

    def clock_behind(self) -> timedelta:
        return clock_behind(self.http.their_now, self._now())

    # -- who and what --------------------------------------------------------------------------------------------------

    def whoami(self) -> Person | None:
        me = self._account()
        return Person(me.id, me.name) if me else None

    def _account(self) -> Account | None:
        """The token's own user, asked for once; None where the undocumented address does not tell."""
        if not self._asked_me:
            try:
                self._me = self.api.account()
            except (NotFound, Refused, UnexpectedAnswer):
                self._me = None
            self._asked_me = True
        return self._me

    def test_connection(self) -> list[CheckStep]:
        steps: list[CheckStep] = []
        organizations = None
        try:
            organizations, _ = self.api.organizations()
        except Unauthorized as error:
            steps = [CheckStep("reach", True), CheckStep("sign-in", False, str(error))]
        except ServiceError as error:
            steps = [CheckStep("reach", False, str(error)), CheckStep("sign-in", None)]
        if organizations is None:
            return [*steps, CheckStep("organizations", None), CheckStep("tests", None)]
        steps = [CheckStep("reach", True), CheckStep("sign-in", True, self._greeting())]
        names = ", ".join(organization.name for organization in organizations)
        sentence = names or "The token belongs to no organization. Use the token of a person who does."
        steps.append(CheckStep("organizations", bool(organizations), sentence))
        return [*steps, self._check_tests() if organizations else CheckStep("tests", None)]

    def _greeting(self) -> str:
        try:
            me = self.whoami()
        except ServiceError as error:
            return str(error)
        return f"Signed in as {me.name}." if me else ""

    def _check_tests(self) -> CheckStep:
        """Reads the first page of tests."""
        bad: list[BadRow] = []
        try:
            for page in iter_catalogue(self.api, self._page_size):
                if page.tests:
                    return CheckStep("tests", True, f'Found tests, such as "{page.tests[0].name}".')
                bad += page.bad
        except ServiceError as error:
            return CheckStep("tests", False, str(error))
        return CheckStep("tests", not bad, bad[0].reason if bad else "There is no test yet.")

    def iter_tests(self) -> Iterator[Sequence[RemoteTest]]:
        tests: list[LoadTest] = []
        bad: list[BadRow] = []
        for page in iter_catalogue(self.api, self._page_size):
            tests += page.tests
            bad += page.bad
            if page.tests:
                yield [RemoteTest(external_id=test.id, name=test.name, project=page.project) for test in page.tests]
        # The pass over the runs that follows needs the same list: used once there, then read anew.
        self._catalogue = tests, bad

    # -- runs ----------------------------------------------------------------------------------------------------------

    def iter_runs(
        self,
        since: datetime | None,
        resume: Mapping[str, Any] | None = None,
        known_newest: Mapping[str, str] | None = None,
    ) -> Iterator[RunPage]:
        if self._catalogue is None:
            for _ in self.iter_tests():
                pass
        (tests, bad), self._catalogue = self._catalogue or ([], []), None
        self._account()
        if bad:
            yield RunPage(runs=(), bad=bad, resume=dict(resume or {}))
        walk = RunPass(self.api, self._listed, self._page_size, since, known_newest)
        yield from walk.pages(tests, resume or {})

    def _listed(self, row: Any, test: LoadTest) -> RemoteRun | BadRow:
        return self._run(row, test.id, test.name)

    def get_run(self, external_id: str) -> RemoteRun:
        try:
            row = self.api.run_v2(external_id)
        except (NotFound, Unauthorized) as error:
            row = self._run_v5(external_id, error)
        self._account()
        return self._whole(row)

    def _run_v5(self, external_id: str, error: ServiceError) -> Mapping[str, Any]:
        """The run by the newer address, which says 403 for what does not exist: then the older one's error stands."""
        try:
            return self.api.run_v5(external_id, RUN_KEYS_V5)
        except (NotFound, Unauthorized):
            raise error from None

    def get_runs(self, external_ids: Sequence[str], test_external_id: str = "") -> list[RemoteRun | BadRow]:
        if not test_external_id:
            return super().get_runs(external_ids)
        found: list[RemoteRun | BadRow] = []
        self._account()
        for begin in range(0, len(external_ids), IDS_PER_CALL):
            ids = [external_id for external_id in external_ids[begin : begin + IDS_PER_CALL] if external_id.isdecimal()]
            try:
                found += self._runs_by_id(ids, test_external_id) if ids else []
            except (NotFound, Unauthorized):
                found += super().get_runs(ids)
        return found

    def _runs_by_id(self, ids: Sequence[str], test_id: str) -> list[RemoteRun | BadRow]:
        rows: list[Any] = []
        for fresh, _ in walk_pages(
            lambda page: self.api.runs_v2(test_id=test_id, ids=ids, page=page, page_size=IDS_PER_CALL)
        ):
            rows += fresh
        return [item for item in (self._run(row, test_id) for row in rows) if item.external_id in ids]

    def find_shared(self, public_id: str) -> RemoteRun | None:
        """The run that was shared as `public_id`, if this token can see it."""
        rows, _ = self.api.runs_v2(public_id=public_id)
        return self._whole(rows[0]) if rows else None

    def _whole(self, row: Any) -> RemoteRun:
        run = self._run(row)
        if isinstance(run, BadRow):
            raise unreadable(f"a readable run ({run.reason})")
        return run

    def _run(self, row: Any, test_id: str = "", test_name: str = "") -> RemoteRun | BadRow:
        item = parse(Run, row)
        if isinstance(item, BadRow):
            return item
        test_id = str(item.test_id or "") or test_id
        created = item.created or item.started or item.ended
        if not test_id or created is None:
            return BadRow(item.id, f"A run has no readable {'created' if test_id else 'test_id'}.")
        status, result, stop_reason = verdict(item)
        begun, over = item.started, _end(item, status)
        return RemoteRun(
            external_id=item.id,
            test_external_id=test_id,
            test_name=item.test_name or test_name,
            status=status,
            result=result,
            stop_reason=stop_reason,
            provider_status=_word(RUN_STATUS, item.run_status),
            provider_substatus=_word(PROCESSING_STATUS, item.processing_status),
            provider_result=_word(RESULT_STATUS, item.result_status),
            results_incomplete=item.run_status == FINISHED and item.processing_status == PROCESSING_ERROR,
            requested_by_id=item.user_id,
            requested_by=self._name(item.user_id),
            stopped_by_id=item.stopped_by_id,
            stopped_by=self._name(item.stopped_by_id),
            created_at=created,
            started_at=begun,
            load_started_at=begun,
            load_ended_at=over,
            ended_at=over,
            duration_s=(over - begun).total_seconds() if begun and over and over >= begun else None,
            planned_duration_s=item.duration,
            virtual_users=item.vus,
            note=self._clean(item.note),
            web_url=f"https://app.k6.io/runs/{item.id}" if self.base_url == OWN_HOST else "",
            error_code="" if item.error_code == "0" and not item.error_detail else item.error_code,
            error_message=self._clean(item.error_detail),
            payload=redact(row, (self._token,)),
        )

    def _clean(self, text: str) -> str:
        return redact_text(text, (self._token,))

    def _name(self, user_id: str) -> str:
        return self._me.name if self._me and user_id == self._me.id else ""

    # -- details, control, files ---------------------------------------------------------------------------------------

    def get_details(self, run: RemoteRun) -> RemoteDetails:
        return read_details(self.api, run, self._clean)

    def start_step(self, step: str, wish: StartWish, external_id: str) -> RemoteRun | None:
        if step != "start":
            raise Refused(f'{LABEL} has no step "{step}" in starting a run.')
        answer = self.api.start(wish.test_external_id)
        row = answer.get("k6-run") if isinstance(answer, dict) else None
        if isinstance(row, dict):
            row = row if row.get("created") else {**row, "created": self._now().isoformat()}
            run = self._run(row, wish.test_external_id, wish.test_name)
            if isinstance(run, RemoteRun):
                return run
        raise UnexpectedAnswer(
            f"{LABEL} accepted the start, but its answer names no run. It may have started: do not send it again, the "
            "next sync looks for it.",
            maybe_done=True,
        )

    def stop(self, external_id: str) -> None:
        self.api.stop(external_id)

    def open_archive(self, external_id: str) -> Download:
        """The CSV export, made now if nobody has asked for it yet; else the archive the run was started from."""
        export = self.api.export(external_id)
        if not export.file and not export.archive.startswith("https://"):
            export = self._make_export(external_id, export)
        if export.file:
            return self._download(export.file, f"k6-run-{external_id}.csv", "text/csv")
        return self._download(export.archive, f"k6-run-{external_id}.tar", "application/x-tar")

    def _make_export(self, external_id: str, export: Export) -> Export:
        if not export.asked:
            self.api.ask_for_export(external_id)
        for _ in range(EXPORT_LOOKS):
            self._sleep(EXPORT_WAIT_S)
            export = self.api.export(external_id)
            if export.file:
                return export
        raise Unavailable(
            f"{LABEL} is still writing the results of this run into a file. Ask for it again in a minute.",
            retry_after=60,
        )

    def _download(self, url: str, filename: str, content_type: str) -> Download:
        return self.http.download(url, filename=filename, content_type=content_type)


def verdict(run: Run) -> tuple[RunStatus, RunResult, str]:
    """Our status, result and stop reason of a run; what we do not know is `unknown` and never passed."""
    _, status, stop_reason = RUN_STATUS.get(run.run_status, ("", RunStatus.UNKNOWN, ""))  # type: ignore[arg-type]
    if run.run_status == FINISHED:
        _, status = PROCESSING_STATUS.get(run.processing_status, ("", RunStatus.UNKNOWN))  # type: ignore[arg-type]
    judged = RESULT.get(run.run_status)  # type: ignore[arg-type]
    if judged is None or status in (RunStatus.PROCESSING, RunStatus.UNKNOWN):
        return status, RunResult.NONE, stop_reason
    if run.result_status == 1:
        return status, judged[1], stop_reason
    if run.run_status == FINISHED and (run.processing_status == PROCESSING_ERROR or run.result_status != 0):
        return status, RunResult.NONE, stop_reason
    return status, judged[0], stop_reason


def _end(run: Run, status: RunStatus) -> datetime | None:
    """When the load ended; a run that is still to come or under way has no end, whatever its answer is filled with."""
    live = (RunStatus.CREATED, RunStatus.QUEUED, RunStatus.STARTING, RunStatus.RUNNING)
    return None if status in live else run.ended


def _word(words: Mapping[Any, Any], value: int | str | None) -> str:
    found = words.get(value)
    if found is None:
        return "" if value is None else str(value)
    return found if isinstance(found, str) else found[0]
