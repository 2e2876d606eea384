"""Locust: a running one as an account, read and controlled through its web interface.

Its pages and downloads: locust_pages.py. Its addresses, and signing in: locust_api.py.

Locust knows one run, its last one, and has no ids. A run is named after the time from which its statistics count, which
its report tells to the second: a start, wherever it is pressed, a restart of Locust and a reset of its statistics each
begin another one. The report is some 900 kB, made anew each time, so it is read once per run: as long as the history on
the (small) start page begins at the same moment, so does the run.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from runs.choices import ENDED, LIVE, RunResult, RunStatus

from .addresses import AddressRefused
from .answers import clean_text, clock_behind, number_of
from .base import (
    Capability,
    CheckStep,
    Fact,
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
from .failures import Passing
from .locust_api import LocustApi
from .locust_pages import (
    LABEL,
    Front,
    csv_rows,
    numbers_of,
    read_exceptions,
    read_failures,
    read_front,
    read_metrics,
    read_series,
    read_start,
    seconds_of,
    split_total,
)
from .redact import redact, redact_text

TEST_ID = "locustfile"
STATUS = {
    "spawning": RunStatus.RUNNING,
    "hatching": RunStatus.RUNNING,  # its name long ago
    "running": RunStatus.RUNNING,
    "cleanup": RunStatus.STOPPING,
    "stopping": RunStatus.STOPPING,
    "stopped": RunStatus.FINISHED,
}
NO_RUN = ("ready", "missing")
AT_REST = (*NO_RUN, "stopped")
# Workers report every three seconds, and their first reports may date the run's beginning back a little.
SETTLED_AFTER = timedelta(seconds=8)
TRAILING = timedelta(seconds=10)  # so long after its end, workers may still tell of it
BEGINS = (0.2, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0)  # seconds between looks for a run just started

START_FIELDS = (
    Field("users", "Users", help="How many at the same time, once all are there.", max_length=7, default="10"),
    Field("spawn_rate", "Spawn rate", help="Users that begin per second.", max_length=10, default="1"),
    Field("host", "Host", required=False, help="Left empty: as Locust was started, or last told.", max_length=500),
    Field(
        "run_time", "Run time", required=False, max_length=20, default="10m",
        help="As in 90s, 10m or 1h30m. Left empty: until somebody stops it.",
    ),
)  # fmt: skip

# Address -> (how the history begins, when the run began): see above. One entry per Locust.
_BEGAN: dict[str, tuple[datetime, datetime]] = {}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LocustService(RunService):
    provider = "locust"
    label = LABEL
    tile = "LO"
    hosts = ()
    default_base_url = "http://localhost:8089"
    credential_fields = (
        Field(
            "username",
            "User name",
            required=False,
            help="Only for a Locust with --web-login, or behind a proxy that asks for it.",
        ),
        Field("password", "Password", required=False, secret=True),
    )
    capabilities = frozenset({Capability.START, Capability.STOP, Capability.OWN_THRESHOLDS, Capability.FACTS})
    start_fields = START_FIELDS
    keeps_history = False

    def __init__(
        self,
        base_url: str,
        credentials: Mapping[str, str],
        *,
        extra_hosts: tuple[str, ...] = (),
        now: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], None] = time.sleep,
        **options: Any,
    ):
        """`base_url`: of the web interface, with its base path if it has one. `options`: for `http.Http`."""
        super().__init__(base_url, credentials)
        self._now, self._sleep = now, sleep
        self._options = {"extra_hosts": tuple(extra_hosts), "sleep": sleep, **options}
        username, password = (credentials.get(key, "") for key in ("username", "password"))
        self._secrets = (password,) if password else ()
        self.api = LocustApi(self.base_url, username, password, **self._options)

    def clock_behind(self) -> timedelta:
        return clock_behind(self.api.http.their_now, self._now())

    # -- the account ---------------------------------------------------------------------------------------------------

    def test_connection(self) -> list[CheckStep]:
        names = ("Reach Locust", "Sign in", "Read its load test")
        try:
            front = self._front()
            said = ("", self._open_door(), _described(front))
            return [CheckStep(name, True, words) for name, words in zip(names, said, strict=True)]
        except Unauthorized as error:
            failed_at, sentence = 1, str(error)
        except (AddressRefused, Unavailable) as error:
            failed_at, sentence = 0, str(error)
        except ServiceError as error:
            failed_at, sentence = 2, str(error)
        steps = [CheckStep(name, True) for name in names[:failed_at]]
        steps += [CheckStep(names[failed_at], False, sentence)]
        return steps + [CheckStep(name, None) for name in names[failed_at + 1 :]]

    def _open_door(self) -> str:
        """A warning where it lets everybody in."""
        try:
            LocustApi(self.base_url, "", "", **self._options).page("")
        except Unauthorized:
            return ""
        return (
            "This Locust asks nobody who they are: whoever reaches its address can start and stop load with it. Start "
            "it with --web-login, or let nobody but Plimsoll reach it."
        )

    def whoami(self) -> Person | None:
        return None

    def facts(self) -> Sequence[Fact]:
        front = self._front()
        workers = "none; it makes the load itself" if front.workers is None else str(front.workers)
        told = (
            ("Version", front.version), ("Workers", workers), ("User classes", ", ".join(front.classes)),
            ("Host", front.host), ("Locustfile", front.locustfile),
        )  # fmt: skip
        return [Fact(LABEL, name, redact_text(value, self._secrets)) for name, value in told if value]

    def iter_tests(self) -> Iterator[Sequence[RemoteTest]]:
        front = self._front()
        yield [RemoteTest(external_id=TEST_ID, name=_test_name(front), start_values=_values(front))]

    # -- runs ----------------------------------------------------------------------------------------------------------

    def iter_runs(
        self,
        since: datetime | None,
        resume: Mapping[str, Any] | None = None,
        known_newest: Mapping[str, str] | None = None,
    ) -> Iterator[RunPage]:
        """The one run that Locust knows, if there is one, whatever `since`."""
        front = self._front()
        if front.state in NO_RUN:
            return
        total = self._total()
        # Nothing was asked for: not a run, but the statistics after a reset.
        if front.state == "stopped" and not total.get("count") and not read_exceptions(self.api.exceptions()):
            return
        run = self._run(front, total)
        if front.workers is not None and run.status in LIVE and self._theirs() - run.created_at < SETTLED_AFTER:
            return
        yield RunPage(runs=[run])

    def get_run(self, external_id: str) -> RemoteRun:
        front = self._front()
        if front.state not in NO_RUN:
            run = self._run(front, self._total())
            if run.external_id == external_id:
                return run
        raise NotFound(f"{LABEL} knows nothing of this run any more. What Plimsoll read of it is kept.")

    def get_details(self, run: RemoteRun) -> RemoteDetails:
        """Five calls. Numbers and failures come from the downloads, which no cache of Locust's is before."""
        rows = csv_rows(self.api.page("stats/requests/csv"), "Request Count")
        failures = csv_rows(self.api.page("stats/failures/csv"), "Occurrences")
        errors = [*read_failures(failures), *read_exceptions(self.api.exceptions())]
        front = self._front()
        # Another run may have begun while we read.
        if front.state in NO_RUN or _named(self._began(front)) != run.external_id:
            raise NotFound(f"{LABEL} began another run while this one was read.")
        ended = run.load_ended_at if run.status in ENDED else None
        return RemoteDetails(
            errors=[self._clean(error) for error in errors],
            metrics=[self._clean(metric) for metric in read_metrics(rows, front.history)],
            series=read_series(front.history, run.created_at),
            final=front.workers is None or ended is None or self._theirs() - ended > TRAILING,
        )

    # -- control -------------------------------------------------------------------------------------------------------

    def start_step(self, step: str, wish: StartWish, external_id: str) -> RemoteRun | None:
        """Begin a run, on a Locust that has none; it would re-scale one that it has, and say that it was started."""
        form = _form(wish.values)
        front = self._front()
        if front.state not in AT_REST:
            raise Refused(
                f"{LABEL} is busy ({front.state}). It would change the users of that run instead of beginning another, "
                "so nothing was sent. Stop it first, or wait for its end."
            )
        if front.workers == 0:
            raise Refused(f"No worker is connected to this {LABEL}, so it would start nothing. Connect one, try again.")
        before = None if front.state in NO_RUN else self._began(front)
        told = self.api.swarm(form).data
        _require_success(told, "start")
        run = self._just_begun(before)
        return replace(run, start_values=run.start_values or dict(wish.values))

    def _just_begun(self, before: datetime | None) -> RemoteRun:
        """The run that our start made; it takes a moment to begin."""
        for seconds in BEGINS:
            self._sleep(seconds)
            try:
                front = self._front()
                if front.state in NO_RUN or (front.state == "stopped" and self._began(front) == before):
                    continue
                if front.workers is not None:
                    self._sleep(SETTLED_AFTER.total_seconds())
                    front = self._front()
                return self._run(front, self._total())
            except ServiceError:
                continue
        raise UnexpectedAnswer(f"{LABEL} took the start, but no run began yet. Look at its log.", maybe_done=True)

    def stop(self, external_id: str) -> None:
        front = self._front()
        if front.state in NO_RUN or _named(self._began(front)) != external_id:
            raise NotFound(f"{LABEL} knows nothing of this run any more, so nothing was sent.")
        if STATUS.get(front.state) in ENDED:
            raise Refused("The run had ended before, so nothing was sent.")
        _require_success(self.api.stop(front.version).data, "stop")

    # -- what Locust tells ---------------------------------------------------------------------------------------------

    def _front(self) -> Front:
        front = read_front(self.api.page(""), self._theirs())
        return front if front.classes else self._completed(front)

    def _completed(self, front: Front) -> Front:
        """The start page of old versions names neither classes nor workers; other addresses do."""
        tasks, stats = self.api.tasks(), self.api.stats()
        classes = tasks.get("per_class") if isinstance(tasks, Mapping) else None
        workers = stats.get("workers") if isinstance(stats, Mapping) else None
        names = tuple(clean_text(name, 300) for name in classes) if isinstance(classes, Mapping) else ()
        if not isinstance(workers, list):
            return replace(front, classes=names)
        lost = sum(isinstance(row, Mapping) and row.get("state") == "missing" for row in workers)
        return replace(front, classes=names, workers=len(workers) - lost)

    def _began(self, front: Front) -> datetime:
        """From when the statistics count that this start page is about."""
        first = front.history[0].at if front.history else None
        known = _BEGAN.get(self.base_url)
        if known and known[0] == first:
            return known[1]
        began = read_start(self.api.page("stats/report"))
        if began is None:
            raise UnexpectedAnswer(
                f"The report of {LABEL} does not say when its run began, which Plimsoll needs to tell runs apart. "
                "Report it to Plimsoll's maintainers, with the version of Locust."
            )
        again = self._front()
        moved = first and again.history and again.history[0].at != first
        if moved or STATUS.get(again.state) != STATUS.get(front.state):
            raise Passing(f"{LABEL} began or ended a run while Plimsoll looked. It is read again soon.")
        if first:
            _BEGAN[self.base_url] = first, began
        return began

    def _run(self, front: Front, total: Mapping[str, float]) -> RemoteRun:
        began = self._began(front)
        status = STATUS.get(front.state, RunStatus.UNKNOWN)
        ended, seconds = None, None
        if status in ENDED:
            seconds = total["count"] / total["rate_per_s"] if total.get("rate_per_s") else None
            ended = began + timedelta(seconds=seconds or 0)
            ended = max([ended, *(moment.at for moment in front.history[-1:] if seconds is None)])
        users = [moment.numbers.get("user_count", 0) for moment in front.history]
        return RemoteRun(
            external_id=_named(began),
            test_external_id=TEST_ID,
            test_name=_test_name(front),
            status=status,
            result=RunResult.NONE,
            provider_status=front.state,
            created_at=began,
            started_at=began,
            load_started_at=began,
            load_ended_at=ended,
            ended_at=ended,
            duration_s=seconds,
            planned_duration_s=front.run_time_s or None,
            virtual_users=front.users or round(max(users, default=0)) or None,
            web_url=f"{self.base_url}/",
            end_unexplained=True,
            start_values=_values(front),
            payload=redact(front.told, self._secrets),
        )

    def _total(self) -> dict[str, float]:
        total, _ = split_total(csv_rows(self.api.page("stats/requests/csv"), "Request Count"))
        return numbers_of(total)

    def _theirs(self) -> datetime:
        return self.api.http.their_now or self._now()

    def _clean(self, row: Any) -> Any:
        """Without our credentials, and those that stand in addresses."""
        names = [name for name in ("name", "subtype", "message", "request", "stack_trace") if hasattr(row, name)]
        return replace(row, **{name: redact_text(getattr(row, name), self._secrets) for name in names})


def _named(began: datetime) -> str:
    return began.strftime("%Y-%m-%dT%H:%M:%SZ")


def _values(front: Front) -> dict[str, str]:
    """The settings of its last start, where it tells them."""
    if front.users is None or front.spawn_rate is None:
        return {}
    run_time = f"{front.run_time_s}s" if front.run_time_s else ""
    return {
        "users": str(front.users), "spawn_rate": f"{front.spawn_rate:g}", "host": front.host, "run_time": run_time,
    }  # fmt: skip


def _test_name(front: Front) -> str:
    return clean_text(", ".join(front.classes) or front.host or front.locustfile or "Locustfile", 300)


def _described(front: Front) -> str:
    workers = "" if front.workers is None else f", with {front.workers} workers"
    return f"Locust {front.version}{workers}: {_test_name(front)}. " if front.version else ""


def _require_success(told: Any, what: str) -> None:
    """Locust says whether it did something in its answer, not by its status."""
    if isinstance(told, Mapping) and told.get("success") is True:
        return
    if isinstance(told, Mapping) and told.get("success") is False:
        raise Refused(f"{LABEL} refused to {what}: {clean_text(told.get('message'), 300)}")
    raise UnexpectedAnswer(f"{LABEL} did not say whether it did {what}. Look at it.", maybe_done=True)


def _form(values: Mapping[str, str]) -> dict[str, str]:
    """The settings of a start as Locust takes them; Refused before anything is sent where it would not."""
    users, rate = number_of(values.get("users", "").strip()), number_of(values.get("spawn_rate", "").strip())
    host, run_time = values.get("host", "").strip(), values.get("run_time", "").strip()
    if users is None or users < 1 or users != int(users):
        raise Refused("Users is a whole number from 1 on. Nothing was sent.")
    if rate is None or rate <= 0:
        raise Refused("Spawn rate is a number above 0, as in 1 or 0.5. Nothing was sent.")
    if run_time and not seconds_of(run_time):
        raise Refused("Run time is written as in 90s, 10m or 1h30m. Nothing was sent.")
    if re.search(r"[\s<>]", host):
        raise Refused("Host holds a space or a bracket. Nothing was sent.")
    # Without a run time Locust would go on showing that of the run before.
    form = {"user_count": str(int(users)), "spawn_rate": f"{rate:g}", "run_time": run_time or "0"}
    return {**form, "host": host} if host else form
