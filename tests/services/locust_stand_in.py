"""A Locust of our own: its web interface in the shapes of two versions, with the run that a test puts there."""

import csv
import html
import io
import json
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from runs.services import locust
from runs.services.locust import LocustService

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
USERNAME, PASSWORD = "load-robot", "pw-5b1f0c7d93"
NEW, MODERN, CLASSIC = "2.47.0", "2.20.1 --modern-ui", "2.20.1"
TRACE = '  File "/srv/locust/user/task.py", line 343, in run\n    go()\n  File "/srv/lf.py", line 9, in pay\n    raise'
REQUEST_COLUMNS = (
    "Type", "Name", "Request Count", "Failure Count", "Median Response Time", "Average Response Time",
    "Min Response Time", "Max Response Time", "Average Content Size", "Requests/s", "Failures/s", "50%", "66%", "75%",
    "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%",
)  # fmt: skip


def request_row(method: str, name: str, count: int, failed: int, p95: int, rate: float) -> list[Any]:
    times = (40, 52.5, 3.25, p95 * 2.0) if count else ("N/A", 0.0, 0, 0.0)
    tiles = (40, 50, 60, 70, 90, p95, p95, p95 + 5, p95 + 5, p95 * 2, p95 * 2) if count else ("N/A",) * 11
    return [method, name, count, failed, *times, 120.0, rate, 0.0, *tiles]


@dataclass
class Fault:
    kind: str
    method: str = ""
    path: str = ""
    after: int = 0
    retry_after: str = ""

    @classmethod
    def parse(cls, text: str) -> "Fault":
        fields = dict(part.split("=", 1) for part in text.split(","))
        return cls(**{**fields, "after": int(fields.get("after", 0))})

    def hits(self, method: str, path: str) -> bool:
        if (self.method and self.method != method) or self.path not in path:
            return False
        self.after -= 1
        return self.after < 0


@dataclass
class LocustStandIn:
    """`shape` is the version with its interface; `began` None: it was started a moment ago and has run nothing."""

    shape: str = NEW
    state: str = "ready"
    began: datetime | None = None
    clock: datetime = NOON
    users: int | None = None
    run_time: int | None = None
    workers: list[str] | None = None  # their states; None: it needs none
    login: str = ""  # "form" or "basic"; what asks for USERNAME and PASSWORD
    requests: list[list[Any]] = field(default_factory=list)
    failures: list[tuple] = field(default_factory=list)
    exceptions: list[dict[str, Any]] = field(default_factory=list)
    moments: int = 3
    swarm_answer: Any = None
    log: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def version(self) -> str:
        return self.shape.split()[0]

    def service(self, username: str = "", password: str = "", **options: Any) -> LocustService:
        options = {
            "extra_hosts": ("127.0.0.1",),
            "waits": (0, 0),
            "sleep": self.sleep,
            "now": lambda: self.clock,
        } | options
        return LocustService(self.url, {"username": username, "password": password}, **options)

    def sleep(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)

    def begin(self, **columns: Any) -> None:
        """A run, begun now, with numbers and errors."""
        self.began, self.state, self.users = self.clock, "running", 10
        self.requests = [request_row("GET", "/pay", 80, 8, 250, 8.0), request_row("POST", "/buy", 20, 0, 90, 2.0)]
        self.requests.append(request_row("", "Aggregated", 100, 8, 240, 10.0))
        self.failures = [("GET", "/pay", "HTTPError('500 Server Error <b> for url: /pay')", 8, "2026-06-01T12:00:08Z")]
        self.exceptions = [{"count": 3, "msg": 'no "stock" <left>', "nodes": "local", "traceback": TRACE}]
        for name, value in columns.items():
            setattr(self, name, value)

    def reset(self) -> None:
        self.began = self.clock
        self.requests = [request_row("", "Aggregated", 0, 0, 0, 0.0)]
        self.failures, self.exceptions, self.moments = [], [], 0

    # -- pages -----------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], str]:
        """(status, headers, text)"""
        allowed = {"/swarm": "POST", "/stop": "POST" if self.shape == NEW else "GET"}.get(path, "GET")
        if method == "OPTIONS":
            return 200, {"Allow": f"{allowed}, OPTIONS"}, ""
        if method != allowed:
            return 405 if self.shape == NEW else 500, {}, "Method Not Allowed"
        if path == "/swarm":
            return self._swarm(parse_qs(body.decode(), keep_blank_values=True))
        if path == "/stop":
            self.state = "stopped"
            return 200, {}, json.dumps({"success": True, "message": "Test stopped"})
        pages = {
            "/": self.front, "/stats/report": self.report, "/stats/requests/csv": self.requests_csv,
            "/stats/failures/csv": self.failures_csv, "/exceptions": self.exceptions_json, "/tasks": self.tasks_json,
            "/stats/requests": self.stats_json,
        }  # fmt: skip
        return (200, {}, pages[path]()) if path in pages else (404, {}, "Not Found")

    def _swarm(self, form: dict[str, list[str]]) -> tuple[int, dict[str, str], str]:
        if self.swarm_answer is not None:
            return 200, {}, json.dumps(self.swarm_answer)
        self.clock += timedelta(seconds=2)
        self.begin(users=int(form["user_count"][0]), run_time=int(form["run_time"][0].rstrip("s")))
        return 200, {}, json.dumps({"success": True, "message": "Swarming started"})

    def history(self) -> list[tuple[datetime, dict[str, float]]]:
        if self.began is None:
            return []
        values = {"user_count": 10, "current_rps": 9.5, "current_fail_per_sec": 0.5, "0.5": 40, "0.95": 240}
        return [(self.began + timedelta(seconds=4 + 5 * at), values) for at in range(self.moments)]

    def front(self) -> str:
        if self.shape == CLASSIC:
            return self._classic()
        rows = []
        for at, values in self.history():
            tiles = {f"response_time_percentile_{tile}": values[tile] for tile in ("0.5", "0.95")}
            plain = {name: value for name, value in values.items() if name[0] != "0"}
            if self.shape == NEW:
                time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
                rows.append({"time": time, **{name: [time, value] for name, value in {**plain, **tiles}.items()}})
            else:
                tiles = {"response_time_percentile_0.95": values["0.95"]}
                rows.append({"time": at.strftime("%H:%M:%S"), **plain, "current_response_time_percentiles": tiles})
        args = {
            "state": self.state, "version": self.version, "locustfile": "lf.py", "host": "http://shop.example/a&b",
            "available_user_classes": ["Buyer", "Browser"], "is_distributed": self.workers is not None,
            "worker_count": self._workers(), "history": rows or ([] if self.shape == NEW else {}),
            "num_users": self.users if self.shape == NEW else None, "spawn_rate": 2.0 if self.shape == NEW else None,
            "run_time": self.run_time if self.shape == NEW else None,
        }  # fmt: skip
        return f"<html><script>\n window.templateArgs = {_tojson(args)}\n window.other = 1</script></html>"

    def _workers(self) -> int:
        return sum(state != "missing" for state in self.workers or ())

    def _classic(self) -> str:
        lines = {"time": [at.strftime("%H:%M:%S") for at, _ in self.history()]}
        names = {
            "user_count": "user_count",
            "current_rps": "current_rps",
            "current_fail_per_sec": "current_fail_per_sec",
        }
        names |= {"response_time_percentile_1": "0.5", "response_time_percentile_2": "0.95"}
        for column, key in names.items():
            lines[column] = [{"users": 10, "value": values[key]} for _, values in self.history()]
        script = ",\n".join(f'    "{name}": {json.dumps(value)}' for name, value in lines.items())
        script = script.replace('"],', '"].map(server_time => local(server_time)),', 1)
        return (
            f'<body class="{self.state}">\n<input type="text" name="host" id="host" class="val" '
            f'value="http://shop.example/a&amp;b" onfocus="this.select()"/>\n<h2>Version <a '
            f'href="https://github.com/locustio/locust/releases/tag/{self.version}">{self.version}</a></h2>\n'
            f"var percentile1 = 0.5;\nvar percentile2 = 0.95;\nvar stats_history = {{\n{script},\n}};</body>"
        )

    def report(self) -> str:
        began = self.began or self.clock
        if self.shape == CLASSIC:
            return f'<p>During: <span class="l10n datetime">{began:%Y-%m-%d %H:%M:%S}</span> - <span>…</span></p>'
        told = began.strftime("%Y-%m-%dT%H:%M:%SZ" if self.shape == NEW else "%Y-%m-%d %H:%M:%S")
        library = "<script>var t=window.templateArgs;window.templateArgs = {broken</script>"
        return f"{library}<script>window.templateArgs = {_tojson({'is_report': True, 'start_time': told})}</script>"

    def requests_csv(self) -> str:
        return _csv([REQUEST_COLUMNS, *(self.requests or [request_row("", "Aggregated", 0, 0, 0, 0.0)])])

    def failures_csv(self) -> str:
        columns = ("Method", "Name", "Error", "Occurrences", "Last Seen")
        most = 5 if self.shape == NEW else 4
        return _csv([columns[:most], *(row[:most] for row in self.failures)])

    def exceptions_json(self) -> str:
        rows = self.exceptions
        if self.shape != NEW:
            rows = [{**row, "msg": html.escape(row["msg"]), "traceback": html.escape(row["traceback"])} for row in rows]
        return json.dumps({"exceptions": rows})

    def tasks_json(self) -> str:
        return json.dumps({"per_class": {"Buyer": {}, "Browser": {}}, "total": {}})

    def stats_json(self) -> str:
        workers = {} if self.workers is None else {"workers": [{"state": state} for state in self.workers]}
        return json.dumps({"state": self.state, "stats": [], "errors": [], **workers})


def _tojson(value: Any) -> str:
    """As Jinja's filter writes it into a page."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet per answer
    locust: LocustStandIn

    def handle_any(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        entry = {
            "method": self.command,
            "path": path,
            "status": 0,
            "body": body.decode(),
            "headers": dict(self.headers),
        }
        self.locust.log.append(entry)
        fault = next((fault for fault in self.locust.faults if fault.hits(self.command, path)), None)
        if fault and self._broken_off(fault):
            return
        instead = fault and (fault.kind.isdecimal() or fault.kind in ("html", "redirect"))
        status, headers, text = (200, {}, "") if instead else self._answer(path, body)
        if fault:
            status, headers, text = self._spoilt(fault, status, headers, text)
        entry["status"] = status
        if fault and fault.kind == "lost":
            self._hang_up()
            return
        self._send(status, headers, text.encode())

    do_GET = do_POST = do_OPTIONS = handle_any

    def _answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], str]:
        if not self._is_known():
            if self.locust.login == "basic":
                return 401, {"WWW-Authenticate": 'Basic realm="Locust"'}, "Unauthorized"
            if path == "/login":
                return 200, {}, 'window.authArgs = {"username_password_callback": "/login_submit"}\n'
            if path == "/login_submit":
                good = parse_qs(body.decode()) == {"username": [USERNAME], "password": [PASSWORD]}
                cookie = {"Set-Cookie": "session=in; HttpOnly; Path=/"} if good else {}
                return 302, {"Location": "/" if good else "/login", **cookie}, "Redirecting"
            return 302, {"Location": f"/login?next={path}"}, "Redirecting"
        return self.locust.answer(self.command, path, body)

    def _is_known(self) -> bool:
        if self.locust.login == "form":
            return "session=in" in self.headers.get("Cookie", "")
        return self.locust.login != "basic" or "Basic " in self.headers.get("Authorization", "")

    def _broken_off(self, fault: Fault) -> bool:
        if fault.kind not in ("dead", "reset"):
            return False
        if fault.kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._hang_up()
        return True

    def _hang_up(self) -> None:
        self.close_connection = True

    def _spoilt(self, fault: Fault, status: int, headers: dict[str, str], text: str) -> tuple[int, dict[str, str], str]:
        if fault.kind.isdecimal():
            return int(fault.kind), {"Retry-After": fault.retry_after} if fault.retry_after else {}, "trouble"
        if fault.kind == "redirect":
            return 302, {"Location": "https://elsewhere.example/"}, ""
        if fault.kind == "html":
            return 200, {}, "<html>A proxy's page.</html>"
        if fault.kind == "truncated":
            return status, headers, text[: len(text) // 2]
        if fault.kind == "words":
            return status, headers, text.replace(f'"{self.locust.state}"', '"surprise"')
        return status, headers, text

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in {"Date": format_datetime(self.locust.clock, usegmt=True), **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def locust_stand_in(**columns: Any):
    stand_in = LocustStandIn(**columns)
    handler = type("Handler", (_Handler,), {"locust": stand_in})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    locust._BEGAN.clear()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
