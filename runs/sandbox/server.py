"""The sandbox's HTTP server: keep-alive, one thread a connection, each answer in a single write."""

import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from . import azure_app, blobs, control, k6_app, k6_v6_app, mischief, vsts_app
from .clock import SECOND, Clock
from .faults import BESIDE, LISTS, Fault
from .models import AZURE, K6, V6, VSTS
from .store import Store, split
from .wire import Refusal, Reply, Request

# Imported for the routes they add.
from . import azure_metrics, azure_runs, azure_tests  # noqa: F401  isort:skip
from . import k6_metrics, k6_v2, k6_v3, k6_v4, k6_v5, k6_v5_metrics  # noqa: F401  isort:skip
from . import k6_v6_options, k6_v6_projects, k6_v6_runs, k6_v6_schedules, k6_v6_scripts  # noqa: F401  isort:skip
from . import vsts_counters, vsts_details, vsts_discovery, vsts_drops, vsts_runs  # noqa: F401  isort:skip

_MAX_BODY = 64 * 1024 * 1024


class Sandbox:
    """All stand-ins on one loopback port. Use it as a context manager, or `start` and `stop` it.

    `tests` and `runs` are shared evenly by `providers` (the first of them get the odd ones). `db_path` None keeps the
    store in memory; a file that already holds a history keeps it. `clock` gives seconds since 1970; `advance` moves
    time on.
    `faults`: SPECs of what goes wrong from the beginning (README.md).
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        tests: int = 12,
        runs: int = 600,
        speed: float = 60,
        db_path: str | None = None,
        clock: Callable[[], float] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Iterable[str] = (),
        providers: Collection[str] = (K6, VSTS),
    ) -> None:
        self.clock = Clock(clock)
        shares = split(tests, providers), split(runs, providers)
        self.store = Store(db_path, self.clock, seed=seed, tests=shares[0], runs=shares[1], speed=speed)
        try:
            for spec in faults:
                self.store.faults.add(spec)
            self._server = _Server((host, port), self.store)
        except (OSError, ValueError):
            self.store.close()
            raise
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host}:{port}"

    def start(self) -> "Sandbox":
        """Serve in a thread of its own; returns at once, already listening."""
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def serve(self) -> None:
        """Serve in this thread until it is interrupted."""
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        if self._thread:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.drop_connections()
        self.store.close()

    def advance(self, seconds: float) -> None:
        with self.store.lock:
            self.store.advance(seconds)

    def __enter__(self) -> "Sandbox":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], store: Store) -> None:
        self.store = store
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """End the connections that clients keep open, so that nothing is answered after the end."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away mid-answer is no news; anything else is a defect and is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        host, port = self.server.server_address[:2]
        base = f"http://{self.headers.get('Host') or f'{host}:{port}'}"
        request = Request(self.command, self.path, self.headers, body, base)
        self._write(*answer(self.server.store, request))

    def __getattr__(self, name: str) -> Any:
        """Whatever the method: the applications say which ones they know."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _body(self) -> bytes | None:
        """The request's body; None when it was refused and the connection is ended."""
        text = self.headers.get("Content-Length") or "0"
        if not text.isdecimal() or int(text) > _MAX_BODY or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._write(
                Reply(HTTPStatus.LENGTH_REQUIRED, {"message": "Send a body with its Content-Length, up to 64 MiB."})
            )
            return None
        return self.rfile.read(int(text))

    def _write(self, reply: Reply, fault: Fault | None = None) -> None:
        content = reply.encoded()
        lines = [f"HTTP/1.1 {int(reply.status)} {_phrase(reply.status)}", f"Content-Length: {len(content)}"]
        if content:
            lines.append(f"Content-Type: {reply.content_type}")
        lines += [f"{name}: {value}" for name, value in reply.headers]
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        if self.command == "HEAD":
            content = b""
        if fault is None or not mischief.send(fault, self, head, content):
            self.wfile.write(head + content)

    def log_message(self, format: str, *args: object) -> None:
        """The ledger is the log."""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"


def answer(store: Store, request: Request) -> tuple[Reply, Fault | None]:
    """Carry a request out, write it into the ledger. The fault, if any, says how the answer is sent."""
    if request.path.startswith("/__sandbox__"):
        with store.lock:
            return control.handle(store, request), None
    provider = _provider(store, request)
    with store.lock, store.clock_of(provider):
        app = _app(request.path)
        of_runs = bool(app and app.is_list_of_runs(request))
        struck = store.faults.strike(provider, request.method, unquote(request.target), of_runs)
        fault = next((fault for fault in struck if fault.kind not in BESIDE), None)
        reply = _reply(store, request, provider, fault)
        reply.headers.append(("Date", formatdate(store.clock.now() / SECOND, usegmt=True)))
        unanswered = fault is not None and fault.kind in ("lost", "dead")
        status = 0 if unanswered else reply.status
        store.ledger.add(store.clock.now(), request.method, request.target, request.body, status, provider)
        if reply.status == 200 and any(fault.kind == "shift" for fault in struck):
            store.insert_run(provider)
    return reply, fault


def _reply(store: Store, request: Request, provider: str, fault: Fault | None) -> Reply:
    def handle(request: Request) -> Reply:
        return (_app(request.path) or blobs).handle(store, request)

    if fault is None:
        return handle(request)
    if fault.kind in LISTS:
        return mischief.listed(fault, store, request, handle)
    instead = mischief.in_place(fault, store, request, lambda _: _refused(provider, request.path, fault.status))
    if instead is None or fault.done:
        done = handle(request)
    return mischief.spoil(fault, done) if instead is None else instead


def _app(path: str) -> Any:
    """The application that answers below this path, or None."""
    return next((app for app in (k6_v6_app, k6_app, vsts_app, azure_app) if app.owns(path)), None)


def _provider(store: Store, request: Request) -> str:
    """Who is spoken to. The metrics of v5 are for legacy and v6 callers alike: the token tells which one it is."""
    app = _app(request.path)
    if app is k6_app:
        return V6 if k6_v6_app.uses_token(store, request) else K6
    return {k6_v6_app: V6, vsts_app: VSTS, azure_app: AZURE}.get(app, "")


def _refused(provider: str, path: str, status: int) -> Reply:
    """A refusal that nobody asked for, in the words of the family."""
    sentence = "The service cannot answer now."
    refusal: Refusal
    if provider == VSTS:
        refusal = vsts_app.error(status, sentence, "ServiceUnavailableException")
    elif provider == V6:
        refusal = k6_v6_app.refused(status, sentence)
    elif provider == AZURE:
        refusal = azure_app.unasked(path, status)
    else:
        refusal = k6_app.legacy_error(status, 1, sentence)
    return refusal.reply
