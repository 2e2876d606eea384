"""What a service tells: frozen records, no tables.

All times are timezone-aware UTC datetimes; ids are text; a value the provider did not give is None or "".
Records are made by the services from provider payloads; `payload` is what may be stored: already redacted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runs.choices import MessageLevel, RunResult, RunStatus


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
    name: str = ""  # its own, where it has one besides its number
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
