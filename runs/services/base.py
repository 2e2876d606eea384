"""The contract every provider's service keeps. What it tells: `records.py`; what goes wrong: `errors.py`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from .errors import Forbidden, NotFound, Refused, ServiceError, Unauthorized, Unavailable, UnexpectedAnswer
from .records import (
    BadRow,
    CheckStep,
    Download,
    Fact,
    Field,
    Person,
    RemoteDetails,
    RemoteError,
    RemoteFile,
    RemoteMessage,
    RemoteMetric,
    RemoteRun,
    RemoteSchedule,
    RemoteSeries,
    RemoteTest,
    RemoteThreshold,
    RunPage,
    SavedRun,
    StartWish,
)

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
