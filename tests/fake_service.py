"""A provider in memory: a `RunService` whose answers a test sets, and which counts what was asked of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from runs.choices import RunResult, RunStatus
from runs.services.base import (
    Capability,
    CheckStep,
    Download,
    Fact,
    NotFound,
    Person,
    RemoteDetails,
    RemoteRun,
    RemoteSchedule,
    RemoteTest,
    RunPage,
    RunService,
    StartWish,
)  # fmt: skip

WHEN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def remote(external_id: str = "1", test: str = "t1", **fields: object) -> RemoteRun:
    """A finished, passed run unless told otherwise; later ids are created later."""
    fields = {
        "status": RunStatus.FINISHED,
        "result": RunResult.PASSED,
        "provider_status": "FINISHED",
        "created_at": WHEN + timedelta(minutes=int(external_id) if external_id.isdecimal() else 0),
        "requested_by_id": "703",
        "payload": {"id": external_id},
        **fields,
    }
    return RemoteRun(external_id=external_id, test_external_id=test, **fields)


class FakeService(RunService):
    """`runs`, `details` and `fails` are the provider's state; `calls` is what it was asked."""

    provider = "fake"
    label = "Fake Provider"
    tile = "FP"
    hosts = ("fake.example",)
    default_base_url = "https://fake.example"
    credential_fields = ()
    # All but the one that changes who judges a run.
    capabilities = frozenset(Capability) - {Capability.OWN_THRESHOLDS}
    start_steps: ClassVar[tuple[str, ...]] = ("start",)

    def __init__(self) -> None:
        super().__init__("https://fake.example", {})
        self.tests = [RemoteTest(external_id="t1", name="Checkout")]
        self.runs: dict[str, RemoteRun] = {}
        self.details: dict[str, RemoteDetails] = {}
        self.schedules: list[RemoteSchedule] = []
        self.told: list[Fact] = []
        self.cost: float | None = 12.5
        self.wishes: list[StartWish] = []
        self.script = Download("script.js", "text/javascript", iter([b"export default () => {}"]))
        self.page_size = 2
        self.calls: list[tuple[str, ...]] = []
        self.fails: dict[str, list[Exception]] = {}
        self.on_page: Any = None
        self.me: Person | None = Person("703", "")

    def __call__(self, *args: object, **kwargs: object) -> "FakeService":
        """Stands in for the class in the registry: `service_for` gets this very object."""
        return self

    def has(self, *runs: RemoteRun) -> None:
        self.runs |= {run.external_id: run for run in runs}

    def fail(self, call: str, problem: Exception, after: int = 0) -> None:
        """The next such call (after `after` good ones) raises."""
        self.fails.setdefault(call, []).extend([None] * after + [problem])

    def _called(self, call: str, *about: str) -> None:
        self.calls.append((call, *about))
        if self.fails.get(call) and (problem := self.fails[call].pop(0)) is not None:
            raise problem

    def asked(self, call: str) -> list[tuple[str, ...]]:
        return [one for one in self.calls if one[0] == call]

    def test_connection(self) -> list[CheckStep]:
        return [CheckStep("sign-in", True, "ok")]

    def whoami(self) -> Person | None:
        return self.me

    def iter_tests(self) -> Iterator[Sequence[RemoteTest]]:
        self._called("tests")
        yield self.tests

    def iter_runs(
        self,
        since: datetime | None,
        resume: Mapping[str, Any] | None = None,
        known_newest: Mapping[str, str] | None = None,
    ) -> Iterator[RunPage]:
        runs = sorted(self.runs.values(), key=lambda run: run.created_at, reverse=True)
        runs = [run for run in runs if since is None or run.created_at >= since]
        for at in range((resume or {}).get("skip", 0), len(runs), self.page_size):
            self._called("page", str(at))
            yield RunPage(runs=runs[at : at + self.page_size], resume={"skip": at + self.page_size})
            if self.on_page:
                self.on_page(at)

    def get_run(self, external_id: str) -> RemoteRun:
        self._called("get", external_id)
        if external_id not in self.runs:
            raise NotFound("Fake Provider has no such run.")
        return self.runs[external_id]

    def get_details(self, run: RemoteRun) -> RemoteDetails:
        self._called("details", run.external_id)
        return self.details.get(run.external_id, RemoteDetails())

    def start_step(self, step: str, wish: StartWish, external_id: str) -> RemoteRun | None:
        self._called(step, wish.test_name, external_id)
        self.wishes.append(wish)
        if step != self.start_steps[0]:
            self.has(remote(external_id, status=RunStatus.QUEUED, result=RunResult.NONE))
            return None
        status = RunStatus.CREATED if len(self.start_steps) > 1 else RunStatus.QUEUED
        made = remote("900", status=status, result=RunResult.NONE)
        self.has(made)
        return made

    def stop(self, external_id: str) -> None:
        self._called("stop", external_id)

    def open_archive(self, external_id: str) -> Download:
        self._called("archive", external_id)
        return Download("results.zip", "application/zip", iter([b"zip"]))

    def open_file(self, external_id: str, name: str) -> Download:
        self._called("file", external_id, name)
        return Download(name, "text/csv", iter([b"a,", b"b"]), 4)

    def open_script(self, *, run: str = "", test: str = "") -> Download:
        self._called("script", run, test)
        return self.script

    def set_note(self, external_id: str, note: str) -> None:
        self._called("note", external_id, note)

    def set_star(self, external_id: str, starred: bool) -> None:
        self._called("star", external_id, str(starred))

    def iter_schedules(self) -> Iterator[Sequence[RemoteSchedule]]:
        yield self.schedules

    def set_schedule(self, external_id: str, active: bool) -> None:
        self._called("schedule", external_id, str(active))

    def estimate(self, wish: StartWish) -> float | None:
        self._called("estimate", wish.test_name, wish.rerun_of)
        return self.cost

    def facts(self) -> Sequence[Fact]:
        return self.told
