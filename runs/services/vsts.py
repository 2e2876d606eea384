"""VSTS Cloud Load Test ("Load test runs", VSTS REST API reference): one account's runs, read and controlled.

Which endpoint is called how: vsts_api.py. What an answer means in our words: vsts_payloads.py (runs), vsts_errors.py,
vsts_counters.py. What is asked for below a run: vsts_details.py. How a list without paging is walked: vsts_history.py.
What somebody saved of the answers, now that the service is gone: vsts_saved.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from runs.choices import ENDED

from .addresses import AddressRefused
from .answers import clean_text, clock_behind
from .base import (
    BadRow,
    CheckStep,
    Download,
    Field,
    NotFound,
    Person,
    RemoteDetails,
    RemoteError,
    RemoteRun,
    RemoteTest,
    RunPage,
    RunService,
    SavedRun,
    ServiceError,
    StartWish,
    Unauthorized,
    Unavailable,
)
from .rows import mapping_of
from .vsts_api import HOSTS, START_FIELDS, VstsApi
from .vsts_details import BelowRun, or_none
from .vsts_errors import read_errors
from .vsts_history import AHEAD, BEGINNING, History
from .vsts_payloads import LABEL, is_jmeter, read_run, rows_of, unexpected
from .vsts_saved import SavedAnswers

MOST_RUNS = 1000  # the largest `top`


def _utc_now() -> datetime:
    return datetime.now(UTC)


class VstsService(RunService):
    provider = "vsts"
    label = LABEL
    tile = "VS"
    hosts = HOSTS
    default_base_url = "https://vsclt.dev.azure.com/your-organization"
    credential_fields = (
        Field(
            "token",
            "Personal access token",
            secret=True,
            help="Made in VSTS under Security, with the scope Load test (read), or (read and write) to start and stop.",
        ),
    )
    start_fields = START_FIELDS
    start_steps = ("create", "queue")
    starts_new_tests = True
    hands_token_back = True
    reads_saved = True

    def __init__(
        self,
        base_url: str,
        credentials: Mapping[str, str],
        *,
        extra_hosts: tuple[str, ...] = (),
        page_size: int = MOST_RUNS,
        now: Callable[[], datetime] = _utc_now,
        **options: Any,
    ):
        """`base_url` may carry an organization segment. `page_size`: the `top` of lists. `options`: for `http.Http`."""
        super().__init__(base_url, credentials)
        token = credentials.get("token", "")
        self._secrets = (token,)
        self._now = now
        self.api = VstsApi(self.base_url, token, extra_hosts=tuple(extra_hosts), **options)
        self._below = BelowRun(self.api, self._secrets)
        self._page_size = min(page_size, MOST_RUNS)
        self._history = History(self.api, top=self._page_size, now=now, secrets=self._secrets, behind=self.clock_behind)

    def clock_behind(self) -> timedelta:
        return clock_behind(self.api.http.their_now, self._now())

    # -- the account ---------------------------------------------------------------------------------------------------

    def test_connection(self) -> list[CheckStep]:
        names = ("Reach the service", "Sign in", "List runs")
        try:
            return [CheckStep(name, True) for name in names[:-1]] + [CheckStep(names[-1], True, self._whose_runs())]
        except Unauthorized as error:
            failed_at, sentence = 1, str(error)
        except (AddressRefused, Unavailable) as error:
            failed_at, sentence = 0, str(error)
        except ServiceError as error:
            failed_at, sentence = 2, str(error)
        steps = [CheckStep(name, True) for name in names[:failed_at]]
        steps += [CheckStep(name, False, sentence) for name in names[failed_at : failed_at + 1]]
        return steps + [CheckStep(name, None) for name in names[failed_at + 1 :]]

    def _whose_runs(self) -> str:
        """Reads some runs; a word of warning when they are all our own.

        The manual's default for the requester is "@Me". Should a server take our empty one for none, nothing but this
        would tell that other people's runs are missing.
        """
        runs = [read_run(item) for item in self._some_runs(top=100)]
        people = {run.requested_by for run in runs if isinstance(run, RemoteRun)}
        me = self.whoami() if len(people) == 1 else None
        if me is None or me.name not in people:
            return ""
        return f"All runs listed are by {me.name}. If others run load tests here too, this token does not show theirs."

    def _some_runs(self, *, top: int, requested_by: str = "") -> list[Any]:
        now = self._now()
        answer = self.api.list_runs(from_date=BEGINNING, to_date=now + AHEAD, top=top, requested_by=requested_by)
        return rows_of(answer, "runs")

    def whoami(self) -> Person | None:
        """The requester of any run of "@Me": the service has no other way to ask. None without such a run."""
        for item in self._some_runs(top=1, requested_by="@Me"):
            run = read_run(item)
            if isinstance(run, RemoteRun) and run.requested_by_id:
                return Person(run.requested_by_id, run.requested_by)
        return None

    # -- runs ----------------------------------------------------------------------------------------------------------

    def iter_tests(self) -> Iterator[Sequence[RemoteTest]]:
        """Nothing: the service has no tests. Each run brings its `test_name` and the `start_values` of the next."""
        yield from ()

    def iter_runs(
        self,
        since: datetime | None,
        resume: Mapping[str, Any] | None = None,
        known_newest: Mapping[str, str] | None = None,
    ) -> Iterator[RunPage]:
        return self._history.pages(since, resume)

    def get_run(self, external_id: str) -> RemoteRun:
        return self._run(self.api.run(external_id))

    def find_runs(
        self,
        *,
        name: str = "",
        requested_by: str = "",
        status: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        detailed: bool = True,
    ) -> list[RemoteRun]:
        """At most a page of the runs modified between two times (any time), by the service's own filters, in no order.

        `name` is whole, in any case; `requested_by` a display name, or "@Me"; `status` one of the service's words.
        Without `detailed` the runs lack their drop, settings, description and most of their dates.
        """
        answer = self.api.list_runs(
            from_date=since or BEGINNING,
            to_date=until or self._now() + AHEAD,
            top=self._page_size,
            name=name,
            requested_by=requested_by,
            status=status,
            detailed=detailed,
        )
        read = [read_run(item, self._secrets) for item in rows_of(answer, "runs")]
        return [run for run in read if isinstance(run, RemoteRun)]

    @classmethod
    def saved_runs(cls, documents: Mapping[str, Any], secrets: Sequence[str] = ()) -> Iterator[SavedRun | BadRow]:
        return SavedAnswers(documents, secrets).runs()

    def _run(self, data: Any, *, maybe_done: bool = False) -> RemoteRun:
        run = read_run(data, self._secrets)
        if isinstance(run, BadRow):
            raise unexpected("a readable run", maybe_done=maybe_done)
        return run

    # -- below a run ---------------------------------------------------------------------------------------------------

    def get_details(self, run: RemoteRun) -> RemoteDetails:
        return self._below.get_details(run)

    def get_errors(
        self, external_id: str, *, type: str = "", subtype: str = "", detailed: bool = True
    ) -> list[RemoteError]:
        """The errors of a run, or those of one type, or of one type and subtype; counts only without `detailed`."""
        told = self.api.errors(external_id, type=type, subtype=subtype, detailed=detailed)
        return read_errors(told, self._secrets)

    # -- control -------------------------------------------------------------------------------------------------------

    def start_step(self, step: str, wish: StartWish, external_id: str) -> RemoteRun | None:
        """ "create" makes a pending run and returns it; "queue" puts it to work and tells nothing."""
        if step == "create":
            data = self.api.create_run({"name": wish.test_name, **wish.values}, wish.token)
            return self._run(data, maybe_done=True)
        self.api.change_state(external_id, "queued")
        return None

    def stop(self, external_id: str) -> None:
        self.api.change_state(external_id, "aborted")

    def open_archive(self, external_id: str) -> Download:
        """The result archive, by a link asked for anew each time: it holds its own permission and never leaves us.

        `LoadTest.ltrar.zip` is no zip but gzip, and its name here says so: unpacked, it is an .ltrar that Visual Studio
        Enterprise imports. JMeter's `ResultsArchive.zip` is a real one.
        """
        results = self._below.results(external_id)
        url = results.resultsUrl if results and results.resultsUrl else self._jmeter_archive(external_id)
        if not url:
            raise NotFound(
                f"{LABEL} has no result archive of this run. It may be too old, or have ended before its load."
            )
        name = PurePosixPath(urlsplit(url).path).name or "results"
        if name.lower().endswith(".ltrar.zip"):
            name, kind = name[: -len(".zip")] + ".gz", "application/gzip"
        else:
            kind = "application/zip" if name.lower().endswith(".zip") else "application/octet-stream"
        return self.api.download(url, filename=name, content_type=kind)

    def _jmeter_archive(self, external_id: str) -> str:
        """Where a JMeter run's archive lies: in a container named like its drop's, opened by the drop's key; or ""."""
        data = or_none(self.api.run, external_id)
        run = self._run(data) if data is not None else None
        if run is None or not is_jmeter(run) or run.status not in ENDED:
            return ""
        drop_id = run.start_values["test_drop_id"]
        access = mapping_of(mapping_of(or_none(self.api.test_drop, drop_id)).get("accessData"))
        container, key = (clean_text(access.get(member)) for member in ("dropContainerUrl", "sasKey"))
        if not drop_id or drop_id not in container or not key.startswith("?"):
            return ""
        return f"{container.replace(drop_id, external_id)}/TestResult/ResultsArchive.zip{key}"
