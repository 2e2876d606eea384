"""What the providers' manuals document, and how to find it among the requests a sandbox has seen.

`ENDPOINTS` are facts of two manuals, "Test Runs Legacy API" of Grafana Cloud k6 and "Load test runs" of the VSTS REST
API reference, and those calls of two more, "REST API v6" of Grafana Cloud k6 and the data plane of Azure Load Testing,
that the services have use for.
docs/api-coverage.md shows for each of them the request that proves it, and the test that sent it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "api-coverage.md"
CALL = "the call"
K6 = "Grafana Cloud k6, Test Runs Legacy API"
K6_V6 = "Grafana Cloud k6, REST API v6"
AZURE = "Azure Load Testing, data plane"
VSTS = "VSTS Cloud Load Test, Load test runs"


@dataclass(frozen=True)
class Endpoint:
    """One documented call. Path parameters are the braces of `path`; `body` and `query` are named as they are sent."""

    api: str
    title: str
    method: str
    path: str
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    # Tells calls apart that share method and path: members of the body and their values.
    marked_by: tuple[tuple[str, str], ...] = ()
    granted: tuple[int, ...] = (200, 202, 204)

    @property
    def items(self) -> list[str]:
        """The call itself and each of its parameters, as the document names them."""
        inside = [f"path {name}" for name in re.findall(r"{(\w+)}", self.path)]
        return [CALL, *inside, *(f"query {name}" for name in self.query), *(f"body {name}" for name in self.body)]

    def matches(self, request: dict[str, Any]) -> bool:
        """Whether a request of the ledger is this call, and was granted."""
        marks = all(member(request["body"], name) == value for name, value in self.marked_by)
        granted = request["status"] in self.granted
        return granted and marks and request["method"] == self.method and self.values_in(request["path"]) is not None

    def values_in(self, path: str) -> dict[str, str] | None:
        """The path parameters of a path; None when it is another call's. VSTS takes its paths in any case."""
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path, re.IGNORECASE if self.api == VSTS else 0)
        return found.groupdict() if found else None


_V6_RUN = "/cloud/v6/test_runs/{id}"
_V6_TEST = "/cloud/v6/load_tests/{id}"
_V6_PAGES = ("$count", "$skip", "$top")
_AZURE_RUN = "/test-runs/{testRunId}"
_AZURE_LIST = ("orderby", "maxpagesize", "testIds", "status", "executionFrom", "executionTo", "api-version")
_METRICS = ("metricname", "metricNamespace", "timespan", "interval", "aggregation")
_RUNS = "/{account}/_apis/clt/testruns"
_RUN = "/{account}/_apis/clt/testruns/{testRunId}"
_LIST = ("name", "requestedBy", "status", "fromDate", "toDate", "detailed", "top")
_NEW = ("name", "description", "testDrop.id")
_SETTINGS = ("testSettings.cleanupCommand", "testSettings.hostProcessPlatform", "testSettings.setupCommand")

ENDPOINTS = (
    Endpoint(K6, "Start load test run", "POST", "/loadtests/v2/tests/{id}/start-testrun"),
    Endpoint(K6, "Read load test run", "GET", "/loadtests/v2/runs/{id}", ("$select",)),
    Endpoint(K6, "Read load test run, v5", "GET", "/cloud/v5/test_runs/{id}", ("$select",)),
    Endpoint(K6, "List load test runs", "GET", "/loadtests/v2/runs", ("test_id", "$select", "ids[]", "public_id")),
    Endpoint(
        K6,
        "List load test runs, v5",
        "GET",
        "/cloud/v5/load_tests/{loadTestId}/test_runs",
        ("$select", "$orderby", "$top", "$skip", "$count", "$filter"),
    ),
    Endpoint(K6, "Stop load test run", "POST", "/loadtests/v2/runs/{id}/stop"),
    Endpoint(K6_V6, "List projects", "GET", "/cloud/v6/projects", (*_V6_PAGES, "$orderby")),
    Endpoint(K6_V6, "List load tests", "GET", "/cloud/v6/load_tests", (*_V6_PAGES, "$orderby")),
    Endpoint(K6_V6, "List test runs", "GET", "/cloud/v6/test_runs", ("$count", "$top", "created_after")),
    Endpoint(K6_V6, "List test runs of a load test", "GET", f"{_V6_TEST}/test_runs", ("$orderby", "$top")),
    Endpoint(K6_V6, "Read a test run", "GET", _V6_RUN),
    Endpoint(K6_V6, "Start a load test", "POST", f"{_V6_TEST}/start"),
    Endpoint(K6_V6, "Abort a test run", "POST", f"{_V6_RUN}/abort"),
    Endpoint(K6_V6, "Change a test run", "PATCH", _V6_RUN, body=("note",)),
    Endpoint(K6_V6, "Star a test run", "POST", f"{_V6_RUN}/star"),
    Endpoint(K6_V6, "Unstar a test run", "POST", f"{_V6_RUN}/unstar"),
    Endpoint(K6_V6, "Script of a test run", "GET", f"{_V6_RUN}/script"),
    Endpoint(K6_V6, "Script of a load test", "GET", f"{_V6_TEST}/script"),
    Endpoint(K6_V6, "List schedules", "GET", "/cloud/v6/schedules", _V6_PAGES),
    Endpoint(K6_V6, "Read a schedule", "GET", "/cloud/v6/schedules/{id}"),
    Endpoint(K6_V6, "Activate a schedule", "POST", "/cloud/v6/schedules/{id}/activate"),
    Endpoint(K6_V6, "Deactivate a schedule", "POST", "/cloud/v6/schedules/{id}/deactivate"),
    Endpoint(K6_V6, "List project limits", "GET", "/cloud/v6/project-limits", _V6_PAGES),
    Endpoint(K6_V6, "List load zones", "GET", "/cloud/v6/load_zones"),
    Endpoint(K6_V6, "Validate options", "POST", "/cloud/v6/validate_options", body=("project_id", "options.stages")),
    Endpoint(AZURE, "List Tests", "GET", "/tests", ("orderby", "maxpagesize")),
    Endpoint(AZURE, "List Test Runs", "GET", "/test-runs", _AZURE_LIST),
    Endpoint(AZURE, "Get Test Run", "GET", _AZURE_RUN),
    Endpoint(
        AZURE,
        "Create Or Update Test Run, of a new id",
        "PATCH",
        _AZURE_RUN,
        ("oldTestRunId",),
        ("testId", "displayName", "description"),
        granted=(201,),
    ),
    Endpoint(AZURE, "Create Or Update Test Run, of a known id", "PATCH", _AZURE_RUN, body=("description",)),
    Endpoint(AZURE, "Stop", "POST", f"{_AZURE_RUN}:stop"),
    Endpoint(AZURE, "List Metric Definitions", "GET", f"{_AZURE_RUN}/metric-definitions", ("metricNamespace",)),
    Endpoint(AZURE, "List Metrics", "POST", f"{_AZURE_RUN}/metrics", _METRICS),
    Endpoint(VSTS, "Get a list of test runs", "GET", _RUNS, _LIST),
    Endpoint(VSTS, "Get a test run", "GET", _RUN),
    Endpoint(VSTS, "Get test run results", "GET", f"{_RUN}/results"),
    Endpoint(VSTS, "Errors", "GET", f"{_RUN}/errors", ("detailed", "type", "subtype")),
    Endpoint(VSTS, "Messages", "GET", f"{_RUN}/messages"),
    Endpoint(VSTS, "Create a test run", "POST", _RUNS, body=_NEW + _SETTINGS),
    Endpoint(VSTS, "Start a test run", "PATCH", _RUN, body=("state",), marked_by=(("state", "queued"),)),
    Endpoint(VSTS, "Stop a test run", "PATCH", _RUN, body=("state",), marked_by=(("state", "aborted"),)),
)

# Documented values. Of a request: every one is sent. Of an answer: (status, result when judged 0, when judged 1).
PLATFORMS = ("x86", "x64", "MSIL")
RUN_STATUS = {
    -2: ("CREATED", "created", "none", "none"),
    -1: ("VALIDATED", "created", "none", "none"),
    0: ("QUEUED", "queued", "none", "none"),
    1: ("INITIALIZING", "starting", "none", "none"),
    2: ("RUNNING", "running", "none", "none"),
    3: ("FINISHED", "finished", "passed", "failed"),
    4: ("TIMED_OUT", "timed_out", "error", "failed"),
    5: ("ABORTED_BY_USER", "aborted", "none", "failed"),
    6: ("ABORTED_BY_SYSTEM", "aborted", "error", "failed"),
    7: ("ABORTED_BY_SCRIPT_ERROR", "aborted", "error", "failed"),
    8: ("ABORTED_BY_THRESHOLD", "aborted", "failed", "failed"),
    9: ("ABORTED_BY_LIMIT", "aborted", "error", "failed"),
}
# Of a run that is FINISHED: (word, status, whether its results are incomplete).
PROCESSING_STATUS = {
    0: ("NOT_STARTED", "processing", False),
    1: ("PROCESSING", "processing", False),
    2: ("FINISHED", "finished", False),
    3: ("ERROR", "finished", True),
}
RESULT_STATUS = {0: ("PASSED", "passed"), 1: ("FAILED", "failed")}

DOCUMENTED: dict[tuple[str, str], None] = dict.fromkeys(
    [(endpoint.title, item) for endpoint in ENDPOINTS for item in endpoint.items]
    + [("Create a test run", f"value hostProcessPlatform {word}") for word in PLATFORMS]
    + [("Read load test run", f"value run_status {number} {row[0]}") for number, row in RUN_STATUS.items()]
    + [
        ("Read load test run", f"value processing_status {number} {row[0]}")
        for number, row in PROCESSING_STATUS.items()
    ]
    + [("Read load test run", f"value result_status {number} {row[0]}") for number, row in RESULT_STATUS.items()]
)


@dataclass(frozen=True)
class Row:
    """One line of the document."""

    endpoint: str
    item: str
    seen: str
    test: str


def member(body: Any, dotted: str) -> Any:
    """`testDrop.id` of a JSON body; None when it is not there."""
    for name in dotted.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def evidence(title: str, item: str, requests: Iterable[dict[str, Any]]) -> str:
    """How a documented item was seen on the wire; AssertionError when no request shows it."""
    endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.title == title)
    found = [_seen(endpoint, item, request) for request in requests if endpoint.matches(request)]
    texts = list(dict.fromkeys(text for shown in found for text in shown))
    assert texts, f"No request shows {item} of {title!r}."
    return " · ".join(texts)


def _seen(endpoint: Endpoint, item: str, request: dict[str, Any]) -> list[str]:
    kind, _, name = item.partition(" ")
    if item == CALL:
        return [f"{request['method']} {_shape(request['path'])} → {request['status']}"]
    if kind == "path":
        return [f"{name} = {_shape(endpoint.values_in(request['path'])[name])}"]
    if kind == "query":
        return [f"{key}={_shape(value, key)}" for key, value in request["query"] if key == name]
    value = member(request["body"], name)
    return [] if value is None else [f"{json.dumps(name)}: {_shape(json.dumps(value))}"]


def _shape(text: str, key: str = "") -> str:
    """`text` with what differs from one sandbox to the next replaced: ids and times."""
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "{guid}", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT[\d:]+(\.\d+)?Z", "{time}", text)
    text = re.sub(r"(?<=id gt )\d+|(?<=/)\d+(?=/|$)", "{number}", text)
    return "{number}" if text.isdecimal() and key not in ("$top", "$skip", "top") else text


# -- the document ------------------------------------------------------------------------------------------------------

_HEAD = """# Which calls are made

Every endpoint, parameter and value of two manuals, and every call made of two more, with the request or answer that
shows it, and the test that made it. Written by `make api-coverage` from what the sandbox saw: each test of
[tests/test_api_coverage.py](../tests/test_api_coverage.py) fails when its rows here are not what it saw, and one fails
when something documented has no row. `{guid}`, `{number}` and `{time}` stand for what differs every time.

Two names are sent otherwise than a table of the manual writes them:

- `testDropRef.Id` is sent as `testDrop.id`. Only that table uses the first; the manual's own example of the request,
  the description of the run's fields, and Microsoft's clients all use the second, and the service ignores the first.
- `testSettings.cleanupcommand`, `hostprocessplatform` and `setupcommand` are sent as the example writes them
  (`cleanupCommand`, …). The service reads names in any case.

`{account}` is the organization. It is the first part of the path at vsclt.dev.azure.com, as here, and part of the host
name at {account}.vsclt.visualstudio.com; both are base URLs an account may have.
"""
_COLUMNS = "| endpoint | parameter | as seen on the wire | test |\n| --- | --- | --- | --- |\n"


def render(rows: Sequence[Row]) -> str:
    """The whole document, in the order of the manuals."""
    order = list(DOCUMENTED)
    rows = sorted(rows, key=lambda row: order.index((row.endpoint, row.item)))
    text = _HEAD
    for api in (K6, K6_V6, AZURE, VSTS):
        titles = [endpoint.title for endpoint in ENDPOINTS if endpoint.api == api]
        text += f"\n## {api}\n\n{_COLUMNS}"
        for row in (row for row in rows if row.endpoint in titles):
            text += f"| {row.endpoint} | {row.item} | `{_cell(row.seen)}` | {row.test} |\n"
    return text


def parse(text: str) -> list[Row]:
    """The rows of a document."""
    found = re.findall(r"^\| (.+?) \| (.+?) \| `(.*)` \| (\S+) \|$", text, re.MULTILINE)
    return [Row(endpoint, item, seen.replace("\\|", "|"), test) for endpoint, item, seen, test in found]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
