"""The world of the browser tests: stand-in providers with a clock, and a dashboard that knows their runs."""

import json
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import requests

from dashboard import demo
from runs.sandbox.models import home
from runs.sandbox.server import Sandbox
from tests.processes import ROOT, an_unused_port

K6, VSTS = "k6-legacy", "vsts"
SLUGS = {K6: "grafana-cloud-k6-legacy-api-sandbox", VSTS: "vsts-cloud-load-test-sandbox"}
# A started run lives ten to twenty seconds of the sandbox's clock; so long after it, everything has ended.
LONG = 900
RUN = ["pk", "external_id", "number", "status", "result", "load_test__name", "load_test_id", "requested_by__display"]


class World:
    """A context manager. Made once per test process; what tests change in it they change in runs of their own."""

    def __init__(self, directory: Path, providers: Collection[str] = tuple(SLUGS)) -> None:
        """`providers`: each with an account. Two of them may show the same runs."""
        self._providers = providers
        self.sandbox = Sandbox(seed=1, tests=12, runs=150, speed=60, providers={home(key) for key in providers})
        self._directory = directory

    def __enter__(self) -> Self:
        self.sandbox.start()
        port = an_unused_port()
        self.url = f"http://127.0.0.1:{port}"
        accounts = {key: given for key, given in self.control("credentials").items() if key in self._providers}
        self._log = (self._directory / "hands.log").open("w")
        self._hands = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.hands", json.dumps(accounts), str(port)],
            cwd=ROOT,
            env={
                **demo.environment(self._directory / "demo"),
                "DJANGO_SETTINGS_MODULE": "dashboard.settings",
                "AZURE_LOGIN_URL": self.sandbox.url,
                "LOG_LEVEL": "WARNING",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        assert self._answer() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):  # it has ended already, which some test will have said
            self._hands.stdin.close()
        self._hands.wait(30)
        self._hands.stdout.close()
        self._log.close()
        self.sandbox.stop()

    def _answer(self) -> Any:
        line = self._hands.stdout.readline()
        if not line:
            raise AssertionError("The dashboard's process ended:\n" + Path(self._log.name).read_text()[-4000:])
        return json.loads(line)

    def tell(self, do: str, **arguments: Any) -> Any:
        """Have hands.py do one of its tasks."""
        self._hands.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._hands.stdin.flush()
        return self._answer()

    # --- the dashboard's side ---------------------------------------------------------------------------------------

    def sync(self, provider: str = "") -> None:
        """Read the news, as the worker would."""
        assert set(self.tell("sync", provider=provider)) == {""}

    def later(self, provider: str = "", seconds: float = LONG) -> None:
        """Let the sandbox's clock run on, then read the news."""
        self.sandbox.advance(seconds)
        self.sync(provider)

    @contextmanager
    def load_account(self, base_url: str) -> Iterator[int]:
        """The demo's account at a Locust, for as long as the context: its load test."""
        try:
            yield self.tell("add_load_account", base_url=base_url)
        finally:
            self.tell("forget_account", base_url=base_url)

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """Runs the dashboard knows, newest first, with the columns of RUN; `filters` are the ORM's."""
        return self.tell("rows", model="Run", values=RUN, **filters)

    def run(self, **filters: Any) -> dict[str, Any]:
        """The newest such run; there has to be one."""
        found = self.runs(**filters)
        assert found, f"The sandbox made no run with {filters}."
        return found[0]

    def tests(self, provider: str) -> list[dict[str, Any]]:
        """Load tests by name: {"pk", "name", "external_id"}."""
        found = self.tell("rows", model="LoadTest", values=["pk", "name", "external_id"], account__provider=provider)
        return sorted(found, key=lambda test: test["name"])

    # --- the sandbox's side -----------------------------------------------------------------------------------------

    def control(self, page: str, **body: Any) -> Any:
        """A page of `/__sandbox__/`: read it, or with a body send it there."""
        url = f"{self.sandbox.url}/__sandbox__/{page}"
        answer = requests.post(url, json=body, timeout=30) if body else requests.get(url, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def truth(self, external_id: str) -> dict[str, Any]:
        return next(run for run in self.control("truth")["runs"] if run["external_id"] == external_id)

    def sent(self, method: str, path: str) -> list[dict[str, Any]]:
        """The requests of this method that the sandbox has seen to an address with `path` in it."""
        seen = self.control("ledger")["requests"]
        return [request for request in seen if request["method"] == method and path in request["path"]]
