"""Answers of /cloud/v6 and of the metrics calls in their documented shape, over real sockets; lists that change."""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from runs.services.k6 import K6Service

PAYLOADS = Path(__file__).parent.parent / "payloads" / "k6"
TOKEN = "glsa_9f86d081884c7d659a2feaa0c55ad015"
BEGAN = datetime(2024, 3, 5, 10, tzinfo=UTC)


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def run_row(number: int, **changes: Any) -> dict[str, Any]:
    """A completed run; a higher number is created a minute later."""
    created = BEGAN + timedelta(minutes=number)
    return payload("run_completed") | {"id": number, "created": f"{created:%Y-%m-%dT%H:%M:%S}.000000Z"} | changes


def entry(word: str, second: int, **extra: Any) -> dict[str, Any]:
    """An entry of a run's history, so many seconds after it was created."""
    when = BEGAN + timedelta(seconds=second)
    return {"type": word, "entered": f"{when:%Y-%m-%dT%H:%M:%S}Z"} | ({"extra": extra} if extra else {})


def line(value: float, **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": "m", "test_run_id": "501", **labels}, "values": [[1709632820.0, value]]}


@dataclass
class StandIn:
    """`answers`: (method, path) -> body, or (status, body). `runs`: rows in the order of the list. `metrics`: (metric,
    query) -> lines; `types`: of the metrics; `closed`: metrics that are refused. `before`: called ahead of each answer,
    with the path and how many were asked for. `asked`: what came in, as (method, path, parameters)."""

    server: HTTPServer
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    types: list[dict[str, str]] = field(default_factory=list)
    closed: tuple[str, ...] = ()
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    before: Callable[[str, int], None] = lambda path, asked: None
    link: Callable[[str], str] = lambda url: url  # how "@nextLink" is written
    count: Callable[[int], Any] = lambda rows: rows

    def __post_init__(self) -> None:
        self.server.expect_request(re.compile("")).respond_with_handler(self._handle)
        self.answers = {
            ("GET", "/cloud/v6/projects"): payload("projects"),
            ("GET", "/cloud/v6/load_tests"): payload("load_tests"),
            ("GET", "/cloud/v6/schedules"): payload("schedules"),
            ("GET", "/cloud/v6/project-limits"): payload("project_limits"),
            ("GET", "/cloud/v6/load_zones"): payload("load_zones"),
            ("POST", "/cloud/v6/load_tests/31/start"): payload("start"),
        }

    def service(self, stack_id: str = "417", **options: Any) -> K6Service:
        options = {"extra_hosts": ("localhost", "127.0.0.1"), "waits": (0, 0), "sleep": lambda seconds: None} | options
        url = self.server.url_for("").rstrip("/")
        return K6Service(url, {"token": TOKEN, "stack_id": stack_id}, **options)

    def paths(self, part: str = "") -> list[str]:
        return [path for _, path, _ in self.asked if part in path]

    def parameters(self, part: str) -> list[dict[str, str]]:
        return [args for _, path, args in self.asked if path.endswith(part)]

    def _handle(self, request: Request) -> Response:
        path = unquote(request.path)
        self.asked.append((request.method, path, dict(request.args)))
        self.headers.append(dict(request.headers))
        self.bodies.append(request.get_json() if request.data else None)
        self.before(path, len(self.asked))
        answer = self.answers.get((request.method, path))
        if isinstance(answer, Response):
            return answer
        if answer is not None:
            return _json(*reversed(answer)) if isinstance(answer, tuple) else _json(answer)
        if path == "/cloud/v6/test_runs":
            return self._list(request)
        if "query_" in path or path.endswith("/metrics"):
            return self._metrics(path)
        found = next((row for row in self.runs if path == f"/cloud/v6/test_runs/{row['id']}"), None)
        if request.method == "GET" and found:
            return _json(found)
        return _json({"error": {"message": "Not found.", "code": "error"}}, 404)

    def _list(self, request: Request) -> Response:
        after, skip, top = request.args.get("created_after"), int(request.args.get("$skip", 0)), request.args["$top"]
        rows = [row for row in self.runs if after is None or row["created"] >= after]
        page = rows[skip : skip + int(top)]
        body: dict[str, Any] = {"value": copy.deepcopy(page), "@count": self.count(len(rows))}
        if skip + len(page) < len(rows):
            more = f"&created_after={after}" if after else ""
            body["@nextLink"] = self.link(f"{request.base_url}?%24skip={skip + len(page)}&%24top={top}{more}")
        return _json(body)

    def _metrics(self, path: str) -> Response:
        if path.endswith("/metrics"):
            return _json({"value": self.types})
        query, metric = re.search(r"query='(.*?)',metric='(.*?)'[,)]", path).groups()
        if metric in self.closed:
            return _json({"error": {"code": "error", "message": "Not for you."}}, 403)
        lines = self.metrics.get((metric, query), [])
        return _json({"status": "success", "data": {"resultType": "vector", "result": lines}})


def _json(data: Any, status: int = 200) -> Response:
    return Response(json.dumps(data), status, content_type="application/json")
