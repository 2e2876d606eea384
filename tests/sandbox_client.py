"""Callers of the sandbox for its own tests."""

from collections.abc import Iterator

import requests

from runs.sandbox.server import Sandbox

NOON = 1_780_000_000.0
TEST = 3535


class K6:
    """One caller of the k6 API."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        given = self.http.get(f"{sandbox.url}/__sandbox__/credentials").json()["k6-legacy"]
        self.token = given["credentials"]["token"]
        self.read_only_token = given["read_only_credentials"]["token"]

    def call(self, method: str, path: str, authorization: str | None = "", **options) -> requests.Response:
        value = f"Token {self.token}" if authorization == "" else authorization
        return self.http.request(method, self.sandbox.url + path, headers={"Authorization": value}, **options)

    def get(self, path: str, **params) -> dict:
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def truth(self) -> list[dict]:
        return self.http.get(f"{self.sandbox.url}/__sandbox__/truth?provider=k6-legacy").json()["runs"]

    def one(self, **values) -> str:
        """The id of the first run made with these values."""
        return next(run["external_id"] for run in self.truth() if values.items() <= run.items())

    def start(self, outcome: str) -> int:
        rule = {"provider": "k6-legacy", "outcome": outcome}
        self.http.post(f"{self.sandbox.url}/__sandbox__/outcome", json=rule).raise_for_status()
        return self.call("POST", f"/loadtests/v2/tests/{TEST}/start-testrun").json()["k6-run"]["id"]

    def switch(self, **values: bool) -> None:
        self.http.post(f"{self.sandbox.url}/__sandbox__/switches", json=values).raise_for_status()


def k6_client(speed: float) -> Iterator[K6]:
    with Sandbox(tests=8, runs=200, speed=speed, clock=lambda: NOON) as sandbox:
        client = K6(sandbox)
        yield client
        client.http.close()


class Vsts:
    """One caller of the VSTS API."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        given = self.http.get(f"{sandbox.url}/__sandbox__/credentials").json()["vsts"]
        self.token = given["credentials"]["token"]
        self.read_only_token = given["read_only_credentials"]["token"]

    def call(self, method: str, path: str, **options) -> requests.Response:
        return self.http.request(method, self.sandbox.url + path, **{"auth": ("", self.token)} | options)

    def get(self, path: str, **params):
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def truth(self) -> list[dict]:
        return self.http.get(f"{self.sandbox.url}/__sandbox__/truth?provider=vsts").json()["runs"]

    def one(self, **values) -> str:
        """The id of the first run made with these values."""
        return next(run["external_id"] for run in self.truth() if values.items() <= run.items())

    def outcome(self, outcome: str) -> None:
        rule = {"provider": "vsts", "outcome": outcome}
        self.http.post(f"{self.sandbox.url}/__sandbox__/outcome", json=rule).raise_for_status()

    def switch(self, **values: bool) -> None:
        self.http.post(f"{self.sandbox.url}/__sandbox__/switches", json=values).raise_for_status()


def vsts_client(speed: float) -> Iterator[Vsts]:
    with Sandbox(tests=12, runs=300, speed=speed, clock=lambda: NOON) as sandbox:
        client = Vsts(sandbox)
        yield client
        client.http.close()
