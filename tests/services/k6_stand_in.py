"""Answers of the legacy k6 API in their documented shape, over real sockets, and lists that change meanwhile."""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from runs.services.k6_legacy import K6LegacyService

PAYLOADS = Path(__file__).parent.parent / "payloads" / "k6_legacy"
TOKEN = "56c166885f9a7fc1e588a1b3cb66f6dd"
BEGAN = datetime(2024, 3, 5, 10, tzinfo=UTC)


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def run_row(number: int, **changes: Any) -> dict[str, Any]:
    """A finished run as /cloud/v5 lists it; a higher number is created a minute later."""
    created = BEGAN + timedelta(minutes=number)
    return payload("run_v5") | {"id": number, "created": f"{created:%Y-%m-%dT%H:%M:%S}.000000Z"} | changes


@dataclass
class StandIn:
    """`answers`: (method, path) -> body or (status, body). `runs`: test id -> rows, newest first. `before`: called
    ahead of each answer, with the path. `asked`: what came in, as (method, path, parameters in order)."""

    server: HTTPServer
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    tests: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str, list[tuple[str, str]]]] = field(default_factory=list)
    signed: list[str | None] = field(default_factory=list)
    before: Callable[[str], None] = lambda path: None
    gone: tuple[str, ...] = ()  # paths that begin with one of these are 404
    ignore_skip: bool = False
    count: Callable[[int], Any] = str  # how "@count" says the number of rows; None leaves it out
    most: int = 1000  # rows the server gives at most, whatever $top asks for

    def __post_init__(self) -> None:
        self.server.expect_request(re.compile("")).respond_with_handler(self._handle)
        self.answers = {
            ("GET", "/v3/account/me"): payload("account_me"),
            ("GET", "/v3/organizations"): payload("organizations"),
            ("GET", "/v3/organizations/11/projects"): payload("projects"),
        }

    def service(self, **options: Any) -> K6LegacyService:
        options = {"extra_hosts": ("localhost", "127.0.0.1"), "waits": (0, 0), "sleep": lambda seconds: None} | options
        return K6LegacyService(self.server.url_for("").rstrip("/"), {"token": TOKEN}, **options)

    def add_test(self, test_id: int, *runs: dict[str, Any], **changes: Any) -> None:
        self.runs[test_id] = [{**run, "test_id": test_id} for run in sorted(runs, key=lambda run: -run["id"])]
        test = {"id": test_id, "name": f"Test {test_id}", "project_id": 21, "user_id": 703, "script": ""}
        self.tests.append(test | changes)

    def paths(self, part: str = "") -> list[str]:
        return [path for _, path, _ in self.asked if part in path]

    def parameters(self, part: str) -> list[dict[str, str]]:
        return [dict(args) for _, path, args in self.asked if part in path]

    def _handle(self, request: Request) -> Response:
        path = request.path
        self.asked.append((request.method, path, list(request.args.items(multi=True))))
        self.signed.append(request.headers.get("Authorization"))
        self.before(path)
        if path.startswith(self.gone or ("-",)):
            return _json({"error": {"message": "Not found", "code": 3}}, 404)
        if (request.method, path) in self.answers:
            answer = self.answers[request.method, path]
            return _json(*reversed(answer)) if isinstance(answer, tuple) else _json(answer)
        if path == "/loadtests/v2/tests":
            rows = _page(self.tests, request, self.most)
            return _json({"k6-runs": [], "k6-tests": rows, "load_zones": [], "meta": {"count": len(self.tests)}})
        if path == "/loadtests/v2/runs":
            return self._runs_v2(request)
        if path.startswith("/cloud/v5/load_tests/"):
            return self._runs_v5(int(path.split("/")[4]), request)
        return _json({"error": {"message": "Not found", "code": 3}}, 404)

    def _runs_v2(self, request: Request) -> Response:
        wanted = request.args.getlist("ids[]")
        rows = self.runs.get(int(request.args.get("test_id") or 0), [])
        rows = [row for row in rows if not wanted or str(row["id"]) in wanted]
        return _json({"k6-runs": _page(rows, request, self.most), "meta": {"count": len(rows)}})

    def _runs_v5(self, test_id: int, request: Request) -> Response:
        if test_id not in self.runs:
            message = "Authentication error - could not find or access requested resource."
            return _json({"error": {"code": "error", "message": message}}, 403)
        rows = self.runs[test_id]
        skip = 0 if self.ignore_skip else int(request.args.get("$skip", 0))
        value = rows[skip : skip + min(int(request.args["$top"]), self.most)]
        count = self.count(len(rows))
        return _json({"value": copy.deepcopy(value)} | ({} if count is None else {"@count": count}))


def _page(rows: list[Any], request: Request, most: int) -> list[Any]:
    size = min(int(request.args.get("page_size", 25)), most)
    page = int(request.args.get("page", 1))
    return copy.deepcopy(rows[(page - 1) * size : page * size])


def _json(data: Any, status: int = 200) -> Response:
    return Response(json.dumps(data), status, content_type="application/json")
