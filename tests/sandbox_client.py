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


class V6:
    """One caller of /cloud/v6."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.given = self.own("GET", "/credentials").json()["k6"]
        self.token, self.stack_id = self.given["credentials"]["token"], self.given["credentials"]["stack_id"]
        self.http.headers.update({"Authorization": f"Bearer {self.token}", "X-Stack-Id": self.stack_id})

    def own(self, method: str, path: str, **options) -> requests.Response:
        return self.http.request(method, f"{self.sandbox.url}/__sandbox__{path}", **options)

    def call(self, method: str, path: str, **options) -> requests.Response:
        return self.http.request(method, self.sandbox.url + path, **options)

    def get(self, path: str, **params) -> dict:
        answer = self.call("GET", f"/cloud/v6{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **options) -> requests.Response:
        return self.call("POST", f"/cloud/v6{path}", **options)

    def truth(self) -> list[dict]:
        return self.own("GET", "/truth?provider=k6").json()["runs"]

    def one(self, **values) -> str:
        return next(run["external_id"] for run in self.truth() if values.items() <= run.items())

    def start(self, outcome: str = "passed", key: str | None = None) -> dict:
        self.own("POST", "/outcome", json={"provider": "k6", "outcome": outcome}).raise_for_status()
        return self.post(f"/load_tests/{TEST}/start", headers={"K6-Idempotency-Key": key}).json()


def v6_client(speed: float) -> Iterator[V6]:
    with Sandbox(tests=8, runs=200, speed=speed, clock=lambda: NOON) as sandbox:
        caller = V6(sandbox)
        yield caller
        caller.http.close()


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


class Azure:
    """One caller of the Azure Load Testing API, with a token already."""

    version = "2026-04-01"

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.given = self.http.get(f"{sandbox.url}/__sandbox__/credentials").json()["azure"]
        self.token = self.login().json()["access_token"]

    def login(self, credentials: str = "credentials", tenant: str = "", **changes) -> requests.Response:
        given = self.given[credentials]
        form = {
            "grant_type": "client_credentials",
            "client_id": given["client_id"],
            "client_secret": given["client_secret"],
            "scope": "https://cnt-prod.loadtesting.azure.com/.default",
        }
        url = f"{self.given['login_url']}/{tenant or given['tenant_id']}/oauth2/v2.0/token"
        return self.http.post(url, data={key: value for key, value in (form | changes).items() if value is not None})

    def call(self, method: str, path: str, params=None, token: str = "", **options) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"} | options.pop("headers", {})
        params = {"api-version": self.version} | (params or {})
        return self.http.request(method, self.sandbox.url + path, params=params, headers=headers, **options)

    def get(self, path: str, **params) -> dict:
        answer = self.call("GET", path, params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def patch(self, path: str, body: dict, params=None) -> requests.Response:
        headers = {"Content-Type": "application/merge-patch+json"}
        return self.call("PATCH", path, params, json=body, headers=headers)

    def listed(self, path: str = "/test-runs", **params) -> list[dict]:
        """All rows, over all pages."""
        rows, page = [], self.get(path, **params)
        while True:
            rows += page["value"]
            if "nextLink" not in page:
                return rows
            answer = self.http.get(page["nextLink"], headers={"Authorization": f"Bearer {self.token}"})
            assert answer.status_code == 200, answer.text
            page = answer.json()

    def truth(self) -> list[dict]:
        return self.http.get(f"{self.sandbox.url}/__sandbox__/truth?provider=azure").json()["runs"]

    def one(self, **values) -> dict:
        """The truth of the first run made with these values."""
        return next(run for run in self.truth() if values.items() <= run.items())

    def tell(self, page: str, **body) -> None:
        self.http.post(f"{self.sandbox.url}/__sandbox__/{page}", json=body).raise_for_status()

    def start(self, outcome: str, run_id: str = "run-1") -> dict:
        """A run whose end is known."""
        self.tell("outcome", provider="azure", outcome=outcome)
        answer = self.patch(f"/test-runs/{run_id}", {"testId": self.truth()[0]["test_external_id"]})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def series(self, run: str, metric: str, interval: str = "PT1M", filters=(), **params) -> list[dict]:
        params = {"metricname": metric, "metricNamespace": "LoadTestRunMetrics", "interval": interval, **params}
        params = {"timespan": "2020-01-01T00:00:00Z/2030-01-01T00:00:00Z"} | params
        answer = self.call("POST", f"/test-runs/{run}/metrics", params, json={"filters": list(filters)})
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]


def azure_client(speed: float, runs: int) -> Iterator[Azure]:
    with Sandbox(tests=6, runs=runs, speed=speed, clock=lambda: NOON, providers=("azure",)) as sandbox:
        client = Azure(sandbox)
        yield client
        client.http.close()
