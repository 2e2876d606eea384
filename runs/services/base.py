"""The contract every provider's service keeps, on one screen: records out, the errors of `errors.py`, no tables.

All times are timezone-aware UTC datetimes; ids are text; a value the provider did not give is None or "".
Records are made by the services from provider payloads; `payload` is what may be stored: already redacted.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from runs.choices import MessageLevel, RunResult, RunStatus

from .errors import Forbidden, NotFound, Refused, ServiceError, Unauthorized, Unavailable, UnexpectedAnswer

__all__ = [
    "BadRow",
    "Capability",
    "CheckStep",
    "Download",
    "Fact",
    "Field",
    "Forbidden",
    "NotFound",
    "Person",
    "Refused",
    "RemoteDetails",
    "RemoteError",
    "RemoteFile",
    "RemoteMessage",
    "RemoteMetric",
    "RemoteRun",
    "RemoteSchedule",
    "RemoteSeries",
    "RemoteTest",
    "RemoteThreshold",
    "RunPage",
    "RunService",
    "SavedRun",
    "ServiceError",
    "StartWish",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
]


class Capability(StrEnum):
    """What a provider can do beyond lists and details; pages offer what its service declares, by these methods."""

    START = "start"  # start_step
    STOP = "stop"  # stop
    ARCHIVE = "archive"  # open_archive
    FILES = "files"  # open_file
    SCRIPT = "script"  # open_script
    NOTE = "note"  # set_note
    STAR = "star"  # set_star
    SCHEDULES = "schedules"  # iter_schedules, set_schedule
    ESTIMATE = "estimate"  # estimate
    FACTS = "facts"  # facts
    RERUN = "rerun"  # start_step with `StartWish.rerun_of`
    OWN_THRESHOLDS = "own_thresholds"  # knows no criteria itself: those we keep for its load tests give the verdict


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form built from a service: credentials of an account, or settings of a start."""

    key: str
    label: str
    required: bool = True
    secret: bool = False
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    max_length: int = 1000
    default: str = ""
    multiline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTest:
    external_id: str
    name: str
    project: str = ""
    # Values for `start_fields` with which it was last run, so that "Start" can be filled in.
    start_values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRun:
    """One run as the provider shows it now. Sources of each field: the table in each service module."""

    external_id: str
    test_external_id: str
    test_name: str = ""  # empty: not in this answer, known from `iter_tests`
    number: int | None = None
    status: RunStatus
    result: RunResult
    stop_reason: str = ""
    provider_status: str = ""
    provider_substatus: str = ""
    provider_result: str = ""
    results_incomplete: bool = False
    starred: bool = False
    cost_vuh: float | None = None  # virtual-user hours; an estimate while the run is live
    requested_by_id: str = ""
    requested_by: str = ""  # a name; empty when the provider gives only an id
    stopped_by_id: str = ""
    stopped_by: str = ""
    created_at: datetime
    queued_at: datetime | None = None
    started_at: datetime | None = None
    load_started_at: datetime | None = None
    load_ended_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None  # measured seconds of load
    planned_duration_s: int | None = None
    virtual_users: int | None = None
    note: str = ""
    web_url: str = ""
    error_code: str = ""
    error_message: str = ""
    # It has ended, and the provider does not say why: by a stop, where one was asked for here.
    end_unexplained: bool = False
    start_values: Mapping[str, str] = field(default_factory=dict)
    start_token: str = ""  # `StartWish.token` of the press that made it, where the provider hands it back
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A record left out of a page because it could not be read: which, and why. The page goes on."""

    external_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """Some runs. `resume` is JSON-able: given to `iter_runs` again it goes on after this page."""

    runs: Sequence[RemoteRun]
    bad: Sequence[BadRow] = ()
    resume: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteError:
    """One distinct detail of the error tree: type -> subtype -> detail, with how often it occurred."""

    type: str
    subtype: str
    occurrences: int
    message: str = ""
    request: str = ""
    test_case: str = ""
    scenario: str = ""
    stack_trace: str = ""
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMessage:
    external_id: str
    level: MessageLevel
    text: str
    logged_at: datetime | None = None
    source: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteThreshold:
    """A criterion; `broken` None: not judged. Metric, condition as people write them: http_req_duration, p(95)<500."""

    metric: str
    condition: str
    broken: bool | None
    value: float | None = None
    limit: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMetric:
    """A row of summary numbers. kind: "run" (one row, the whole run), "request", "check", "transaction", "page" or
    "counter".

    `numbers` uses these keys where it has them: count, failed, rate_per_s, peak_rate_per_s, min_ms, avg_ms, median_ms,
    p90_ms, p95_ms, p99_ms, max_ms, passed, error_rate (0..1), max_vus, value (with min and max). Times are milliseconds
    whatever the provider uses.
    """

    kind: str
    name: str
    unit: str = ""
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSeries:
    """Points of a chart: (seconds since load start, value). name: p95_ms, rate_per_s, errors_per_s, vus, or its own."""

    name: str
    label: str
    unit: str
    points: Sequence[tuple[float, float]]
    # These points go after those we hold, where a provider shows only the present.
    added: bool = False


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a run that `open_file` can fetch. `name` is the provider's; never a link."""

    name: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteDetails:
    """Everything below a run, read in one go. `result`: the verdict once these are known; None leaves the run's own.

    `final` False: the run has ended, but its numbers are not all there yet; they are read again soon.
    """

    result: RunResult | None = None
    errors: Sequence[RemoteError] = ()
    messages: Sequence[RemoteMessage] = ()
    thresholds: Sequence[RemoteThreshold] = ()
    metrics: Sequence[RemoteMetric] = ()
    series: Sequence[RemoteSeries] = ()
    has_archive: bool = False
    files: Sequence[RemoteFile] = ()
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSchedule:
    """When the provider starts a load test by itself. `rule`: in words for people, empty where it runs once."""

    external_id: str
    test_external_id: str
    active: bool
    starts_at: datetime | None = None
    next_run_at: datetime | None = None
    rule: str = ""
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A thing to know of an account: a limit, a load zone. `group` is the heading, as "Limits of project Shop"."""

    group: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step of "test connection": what was tried, how it went (True, False, None: not tried), a sentence."""

    name: str
    ok: bool | None
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWish:
    """What a person wants started. `values` holds the service's `start_fields`; `rerun_of` a run to be repeated as
    it was."""

    test_external_id: str
    test_name: str
    values: Mapping[str, str]
    token: str
    rerun_of: str = ""


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run out of saved answers. `details` None: no answer about what hangs below it was among them; `missing`: those
    that were not, in a word each."""

    run: RemoteRun
    details: RemoteDetails | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    external_id: str
    name: str


@dataclass(slots=True)
class Download:
    """A result file on its way through us: bytes in pieces, size-capped by the service."""

    filename: str
    content_type: str
    chunks: Iterator[bytes]
    size: int | None = None


class RunService(ABC):
    """One provider's API for one account. Reads may be tried again by `http`; each write is sent at most once."""

    provider: ClassVar[str]
    label: ClassVar[str]
    tile: ClassVar[str]  # two letters for narrow columns
    hosts: ClassVar[tuple[str, ...]]  # the provider's own; each leading "*." stands for any one label
    default_base_url: ClassVar[str]
    credential_fields: ClassVar[tuple[Field, ...]]
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.START, Capability.STOP, Capability.ARCHIVE})
    start_fields: ClassVar[tuple[Field, ...]] = ()
    start_steps: ClassVar[tuple[str, ...]] = ("start",)
    # A start may name a load test that does not exist yet (the run's name is the test).
    starts_new_tests: ClassVar[bool] = False
    # Its runs carry `StartWish.token` (as `start_token`): a run without ours was not started by us.
    hands_token_back: ClassVar[bool] = False
    # For so many seconds the provider takes a start with the same token for the same start: it may be sent again.
    start_again_s: ClassVar[int] = 0
    # False: it knows no run but its last one, so that a live run it does not know any more has ended.
    keeps_history: ClassVar[bool] = True
    # Other providers (keys) whose runs are these very runs, under the same ids: older APIs of the same service.
    takes_over: ClassVar[tuple[str, ...]] = ()
    overlap_s: ClassVar[int] = 15 * 60  # how far behind the cursor an incremental pass looks again
    # What its API printed can be imported when somebody saved it: `saved_runs`.
    reads_saved: ClassVar[bool] = False

    def __init__(self, base_url: str, credentials: Mapping[str, str], **options: Any):
        """`options` go to `http.Http` (hosts, deadline) or are page sizes; tests cross caps with few runs by these."""
        self.base_url = base_url.rstrip("/")

    def clock_behind(self) -> timedelta:
        """How far the provider's clock is behind ours, by its last answer: its dates are that much too early."""
        return timedelta(0)

    @abstractmethod
    def test_connection(self) -> list[CheckStep]: ...

    @abstractmethod
    def whoami(self) -> Person | None:
        """Whose credentials these are, in the provider's words; None when it cannot be told."""

    @abstractmethod
    def iter_tests(self) -> Iterator[Sequence[RemoteTest]]: ...

    @abstractmethod
    def iter_runs(
        self,
        since: datetime | None,
        resume: Mapping[str, Any] | None = None,
        known_newest: Mapping[str, str] | None = None,
    ) -> Iterator[RunPage]:
        """All runs (since None) or all created or changed since then: every page or an exception, never a silent end.

        `known_newest` maps a test's external id to the newest run id we hold, for providers where that saves calls.
        """

    @abstractmethod
    def get_run(self, external_id: str) -> RemoteRun: ...

    def get_runs(self, external_ids: Sequence[str], test_external_id: str = "") -> list[RemoteRun | BadRow]:
        """Several runs of one test by id, in as few calls as the provider allows; lost ones are left out.

        One that exists but cannot be read is a BadRow.
        """
        found: list[RemoteRun | BadRow] = []
        for external_id in external_ids:
            try:
                found.append(self.get_run(external_id))
            except NotFound:
                continue
            except (Forbidden, UnexpectedAnswer) as problem:
                found.append(BadRow(external_id, str(problem)))
        return found

    @abstractmethod
    def get_details(self, run: RemoteRun) -> RemoteDetails: ...

    @classmethod
    def saved_runs(cls, documents: Mapping[str, Any], secrets: Sequence[str] = ()) -> Iterator[SavedRun | BadRow]:
        """Every run in saved answers of the API, once, with what there is of it; documents that are none are BadRows.

        `documents` gives the JSON value of a file by its name, read anew each time; UnexpectedAnswer where it is none.
        `secrets` are taken out of what is kept. Called only where `reads_saved`.
        """
        raise NotImplementedError

    # Each of these belongs to a capability, and is called only where the service declares it.

    def start_step(self, step: str, wish: StartWish, external_id: str) -> RemoteRun | None:
        """Send one of `start_steps`, once; returns the run if told. `external_id`: what an earlier step made, or ""."""
        raise NotImplementedError

    def run_id_of(self, token: str) -> str:
        """The id that the run of a press will have, where we choose it; "" where the provider does.

        Such a run carries the token as its `start_token`, too.
        """
        return ""

    def stop(self, external_id: str) -> None:
        raise NotImplementedError

    def open_archive(self, external_id: str) -> Download:
        raise NotImplementedError

    def open_file(self, external_id: str, name: str) -> Download:
        """One of `RemoteDetails.files`, fetched afresh."""
        raise NotImplementedError

    def open_script(self, *, run: str = "", test: str = "") -> Download:
        """What a run ran, or what a load test would run now."""
        raise NotImplementedError

    def set_note(self, external_id: str, note: str) -> None:
        raise NotImplementedError

    def set_star(self, external_id: str, starred: bool) -> None:
        raise NotImplementedError

    def iter_schedules(self) -> Iterator[Sequence[RemoteSchedule]]:
        raise NotImplementedError

    def set_schedule(self, external_id: str, active: bool) -> None:
        raise NotImplementedError

    def estimate(self, wish: StartWish) -> float | None:
        """The virtual-user hours a start would cost; None when the provider cannot tell."""
        raise NotImplementedError

    def facts(self) -> Sequence[Fact]:
        """Limits, load zones and the like."""
        raise NotImplementedError
