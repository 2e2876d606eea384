"""Where each provider's service can be tried: its stand-in, and what is asked of that behind the service's back."""

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from runs.choices import STOPPABLE, RunStatus
from runs.sandbox.server import Sandbox
from runs.services import SERVICES
from runs.services.base import RemoteRun, RunService, StartWish
from runs.services.http import Http

from .locust_stage import locust_stage

NOON = 1_780_000_000.0
# Provider key -> parts of the paths by which a run is started and stopped at its stand-in.
WRITES = {
    "azure": ("/test-runs/", ":stop"),
    "k6": ("/start", "/abort"),
    "k6-legacy": ("start-testrun", "/stop"),
    "vsts": ("/testruns", "/testruns/"),
}


class SandboxStage:
    """One provider in a sandbox whose clock stands still until it is advanced."""

    def __init__(self, sandbox: Sandbox, provider: str) -> None:
        self.sandbox = sandbox
        self.provider = provider
        self.control = Http(sandbox.url, provider="Sandbox", hosts=(), extra_hosts=("127.0.0.1",))
        self.account = self.control.get("/__sandbox__/credentials").data[provider]

    def service(self, **options: Any) -> RunService:
        elsewhere = {key: url for key, url in self.account.items() if key == "login_url"}
        options = {"extra_hosts": ("127.0.0.1",), "now": self.now, "waits": (0, 0)} | elsewhere | options
        return SERVICES[self.provider](self.account["base_url"], self.account["credentials"], **options)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.clock.now() / 1_000_000, UTC)

    def ids(self) -> set[str]:
        rows = self.control.get("/__sandbox__/truth", {"provider": self.provider}).data["runs"]
        return {row["external_id"] for row in rows}

    def advance(self, seconds: float) -> None:
        self.sandbox.advance(seconds)

    def show(self, status: RunStatus) -> None:
        """Let there be a run that is FINISHED, or RUNNING: here there are both."""

    def break_(self, fault: str) -> None:
        self.control.send("POST", "/__sandbox__/faults", json={"faults": [fault]})

    def mend(self) -> None:
        self.control.send("DELETE", "/__sandbox__/faults")

    def requests(self) -> list[dict[str, Any]]:
        """What the provider was asked since this was asked last; `status` 0 where it gave no answer."""
        seen = self.control.get("/__sandbox__/ledger").data["requests"]
        self.control.send("DELETE", "/__sandbox__/ledger")
        return [row for row in seen if not row["path"].startswith("/__sandbox__")]

    # Parts of the paths of the requests that start and stop; and the questions that are asked by POST.
    start_path = property(lambda self: WRITES[self.provider][0])
    stop_path = property(lambda self: WRITES[self.provider][1])

    def is_write(self, row: dict[str, Any]) -> bool:
        return any(part in row["path"] for part in WRITES[self.provider])

    def secrets(self) -> set[str]:
        return {row["secret"] for row in self.control.get("/__sandbox__/planted").data}


# Whose history is not made by default.
ALONE = {"azure": {"providers": ("azure",), "tests": 3, "runs": 30}}


@contextmanager
def sandbox_stage(provider: str):
    made = {"tests": 6, "runs": 60} | ALONE.get(provider, {})
    with Sandbox(seed=7, speed=1, clock=lambda: NOON, **made) as sandbox:
        yield SandboxStage(sandbox, provider)


# Provider key -> its stage. One that is not here runs in the sandbox.
STAGES: dict[str, Any] = {"locust": locust_stage}


@contextmanager
def stage_of(provider: str):
    with STAGES[provider]() if provider in STAGES else sandbox_stage(provider) as stage:
        yield stage


def all_runs(service: RunService) -> list[RemoteRun]:
    return [run for page in service.iter_runs(None) for run in page.runs]


def stoppable(service: RunService) -> RemoteRun:
    return next(run for run in all_runs(service) if run.status in STOPPABLE)


def wish_like(run: RemoteRun, token: str = "0b6f4c1e-7f3c-4a52-9d0e-2f4c7c5b9a11") -> StartWish:
    """To start what `run` was a run of, as it was."""
    return StartWish(
        test_external_id=run.test_external_id, test_name=run.test_name, values=dict(run.start_values), token=token
    )
