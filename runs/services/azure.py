"""Azure Load Testing: one resource's runs, read and controlled through its data plane.

Which call is made how: azure_api.py; with which token: azure_token.py. What an answer means in our words:
azure_payloads.py (tests, runs, files), azure_details.py, azure_charts.py. How the list is walked: azure_history.py.
"""

import mimetypes
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings

from runs.choices import ENDED

from .addresses import AddressRefused
from .answers import clock_behind
from .azure_api import HOSTS, LABEL, AzureApi, unexpected
from .azure_charts import read_charts
from .azure_details import read_errors, read_files, read_metrics, read_thresholds
from .azure_history import PAGE, walk
from .azure_payloads import RunRow, files_of, is_final, read_run, read_test
from .azure_token import TokenRefused, Tokens
from .base import (
    BadRow,
    Capability,
    CheckStep,
    Download,
    Field,
    NotFound,
    Person,
    Refused,
    RemoteDetails,
    RemoteRun,
    RemoteSeries,
    RemoteTest,
    RunPage,
    RunService,
    ServiceError,
    StartWish,
    Unauthorized,
    UnexpectedAnswer,
)

LOGIN_URL = "https://login.microsoftonline.com"
SCOPE_HOST = "cnt-prod.loadtesting.azure.com"
# Clouds of their own: the end of a resource's host -> where its tokens come from, and what they are for.
CLOUDS = {".azure.us": ("https://login.microsoftonline.us", "cnt-prod.loadtesting.azure.us")}
NAME_LIMIT, NOTE_LIMIT = 50, 100


class AzureService(RunService):
    provider = "azure"
    label = LABEL
    tile = "AZ"
    hosts = HOSTS
    default_base_url = "https://your-resource.your-region.cnt-prod.loadtesting.azure.com"
    credential_fields = (
        Field("tenant_id", "Tenant id", help="In Entra ID, on the app registration's page: Directory (tenant) ID."),
        Field("client_id", "Client id", help="There as well: Application (client) ID."),
        Field(
            "client_secret",
            "Client secret",
            secret=True,
            help="The value of one of the app's secrets. The app needs the role Load Test Reader on the resource, or "
            "Load Test Contributor to start and stop.",
        ),
    )
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.START, Capability.STOP, Capability.RERUN, Capability.NOTE, Capability.FILES}
    )
    hands_token_back = True  # as the run's id
    start_fields = (
        Field("display_name", "Name of the run", required=False, max_length=NAME_LIMIT, help="Empty: its test's."),
        Field("description", "Description", required=False, max_length=NOTE_LIMIT),
    )

    def __init__(
        self,
        base_url: str,
        credentials: Mapping[str, str],
        *,
        extra_hosts: tuple[str, ...] = (),
        page_size: int = PAGE,
        most_pages: int | None = None,
        login_url: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        **http_options: Any,
    ):
        """`page_size`: rows asked for at a time. `login_url`: not the cloud's own. `http_options`: for `http.Http`."""
        super().__init__(base_url, credentials)
        host = urlsplit(self.base_url).hostname or ""
        clouds = (places for ending, places in CLOUDS.items() if host.endswith(ending))
        login, scope_host = next(clouds, (LOGIN_URL, SCOPE_HOST))
        http_options = {"extra_hosts": tuple(extra_hosts), **http_options}
        login = login_url or settings.AZURE_LOGIN_URL or login
        self.tokens = Tokens(login, credentials, f"https://{scope_host}/.default", **http_options)
        self._secret = credentials.get("client_secret", "")
        caps = {"most_pages": most_pages} if most_pages else {}
        self.api = AzureApi(self.base_url, self.tokens, secrets=(self._secret,), **caps, **http_options)
        self._page_size = page_size
        self._now = now

    @property
    def _secrets(self) -> tuple[str, ...]:
        return self._secret, self.tokens.kept

    def clock_behind(self) -> timedelta:
        return clock_behind(self.api.http.their_now, self._now())

    # -- the account ---------------------------------------------------------------------------------------------------

    def test_connection(self) -> list[CheckStep]:
        """Sign in, agree on a version of the API, list runs."""
        tries: tuple[tuple[str, Callable[[], str]], ...] = (
            ("Sign in with Microsoft Entra ID", self._try_sign_in),
            ("Agree on a version of the API", lambda: f"It takes {self.api.agree_on_version()}."),
            ("List runs", self._try_list),
        )
        steps: list[CheckStep] = []
        for name, attempt in tries:
            if steps and not steps[-1].ok:
                steps.append(CheckStep(name, None))
                continue
            try:
                steps.append(CheckStep(name, True, attempt()))
            except ServiceError as problem:
                steps.append(CheckStep(name, False, str(problem)))
        return steps

    def _try_sign_in(self) -> str:
        self.tokens.header()
        return ""

    def _try_list(self) -> str:
        next(self.api.runs(1))
        return ""

    def whoami(self) -> Person | None:
        """Nobody knows: a run names its maker by a name that an app cannot ask for. Starts are known by their id."""
        return None

    def iter_tests(self) -> Iterator[Sequence[RemoteTest]]:
        for items, _ in self.api.tests(self._page_size):
            tests = [test for test in map(read_test, items) if test is not None]
            if tests:
                yield tests

    # -- runs ----------------------------------------------------------------------------------------------------------

    def iter_runs(
        self,
        since: datetime | None,
        resume: Mapping[str, Any] | None = None,
        known_newest: Mapping[str, str] | None = None,
    ) -> Iterator[RunPage]:
        return walk(self.api, since, resume, page_size=self._page_size, read=self._listed)

    def find_runs(
        self,
        *,
        test_ids: Sequence[str] = (),
        statuses: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[RemoteRun]:
        """All runs of some tests, in some of the service's states, executed between two times; newest first."""
        pages = self.api.runs(self._page_size, test_ids=test_ids, statuses=statuses, since=since, until=until)
        read = [self._listed(item) for items, _ in pages for item in items]
        return [run for run in read if isinstance(run, RemoteRun)]

    def get_run(self, external_id: str) -> RemoteRun:
        return self._run(self.api.run(external_id))

    def _listed(self, data: Any) -> RemoteRun | BadRow:
        return read_run(data, self._secrets)

    def _run(self, data: Any, *, maybe_done: bool = False) -> RemoteRun:
        run = self._listed(data)
        if isinstance(run, BadRow):
            raise unexpected(f"a readable run ({run.reason})", maybe_done=maybe_done)
        return run

    # -- below a run ---------------------------------------------------------------------------------------------------

    def get_details(self, run: RemoteRun) -> RemoteDetails:
        """From the run's own answer; besides that one call for each chart, of a run that has begun."""
        run = run if run.payload else self.get_run(run.external_id)
        row = RunRow.model_validate(run.payload)
        thresholds = read_thresholds(row)
        ended = run.status in ENDED
        return RemoteDetails(
            result=run.result if ended and not run.results_incomplete else None,
            errors=read_errors(run, row, thresholds),
            thresholds=thresholds,
            metrics=read_metrics(row),
            series=self._charts(run),
            files=read_files(run.payload),
            final=not ended or is_final(run),
        )

    def _charts(self, run: RemoteRun) -> list[RemoteSeries]:
        """None where the service has no metrics of the run, or does not show them."""
        try:
            return read_charts(self.api, run, self.api.http.their_now or self._now())
        except (TokenRefused, AddressRefused):
            raise
        except (NotFound, Refused, UnexpectedAnswer) as problem:
            if type(problem) is Unauthorized:
                raise
            return []

    # -- control -------------------------------------------------------------------------------------------------------

    def run_id_of(self, token: str) -> str:
        return re.sub(r"[^a-z0-9_-]", "-", token.lower()).ljust(2, "-")[:50]

    def start_step(self, step: str, wish: StartWish, external_id: str) -> RemoteRun | None:
        """One write that makes the run and begins it. The same press is the same id, so it could never be two runs."""
        if step != "start":
            raise Refused(f'{LABEL} has no step "{step}" in starting a run.')
        name = (wish.values.get("display_name", "").strip() or wish.test_name)[:NAME_LIMIT].strip()
        body = {"testId": wish.test_external_id}
        if len(name) > 1:  # shorter ones are refused
            body["displayName"] = name
        if note := wish.values.get("description", "").strip():
            body["description"] = note[:NOTE_LIMIT]
        data = self.api.start(self.run_id_of(wish.token), body, wish.rerun_of)
        run = self._run(data, maybe_done=True)
        return replace(run, test_name=wish.test_name)

    def stop(self, external_id: str) -> None:
        self.api.stop(external_id)

    def set_note(self, external_id: str, note: str) -> None:
        """Asks for the run first: the write that edits one starts one where there is none."""
        if len(note) > NOTE_LIMIT:
            raise Refused(f"{LABEL} takes a description of at most {NOTE_LIMIT} characters. Shorten it.")
        self.api.run(external_id)
        self.api.edit(external_id, {"description": note})

    def open_file(self, external_id: str, name: str) -> Download:
        """By a link asked for anew each time: it holds its own permission, for an hour, and never leaves us."""
        files = files_of(self.api.run(external_id))
        _, url = files.get(name, ("", ""))
        if not url:
            raise NotFound(f"{LABEL} does not have the file {name} of this run (any more). Look at the run again.")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return self.api.download(url, filename=name, content_type=kind)
