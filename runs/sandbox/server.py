"""The sandbox's HTTP server: keep-alive, one thread a connection, each answer in a single write."""

import socket
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from . import blobs, control, k6_app, vsts_app
from .clock import Clock
from .models import K6, VSTS
from .store import Store
from .wire import Refusal, Reply, Request

# Imported for the routes they add.
from . import k6_metrics, k6_v2, k6_v3, k6_v4, k6_v5, k6_v5_metrics  # noqa: F401  isort:skip
from . import vsts_counters, vsts_details, vsts_discovery, vsts_drops, vsts_runs  # noqa: F401  isort:skip

_MAX_BODY = 64 * 1024 * 1024


class Sandbox:
    """Both stand-ins on one loopback port. Use it as a context manager, or `start` and `stop` it.

    `tests` and `runs` are shared half and half by the providers (k6 gets the odd one). `db_path` None keeps the store
    in memory; a file that already holds a history keeps it. `clock` gives seconds since 1970; `advance` moves time on.
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
    ) -> None:
        self.clock = Clock(clock)
        self.store = Store(db_path, self.clock, seed=seed, tests=tests, runs=runs, speed=speed)
        try:
            self._server = _Server((host, port), self.store)
        except OSError:
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
        reply = answer(self.server.store, request)
        if reply is None:
            self.close_connection = True
            return
        self._write(reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

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

    def _write(self, reply: Reply) -> None:
        content = reply.encoded()
        lines = [f"HTTP/1.1 {int(reply.status)} {_phrase(reply.status)}", f"Content-Length: {len(content)}"]
        if content:
            lines.append(f"Content-Type: {reply.content_type}")
        lines += [f"{name}: {value}" for name, value in reply.headers]
        if self.close_connection:
            lines.append("Connection: close")
        self.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content)

    def log_message(self, format: str, *args: object) -> None:
        """The ledger is the log."""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"


def answer(store: Store, request: Request) -> Reply | None:
    """Carry a request out, write it into the ledger. None: its answer is to be lost."""
    if request.path.startswith("/__sandbox__"):
        with store.lock:
            return control.handle(store, request)
    provider = _provider(request.path)
    with store.lock:
        at = store.clock.now()
        refusal = store.hooks.failure(request.method, unquote(request.target))
        if refusal:
            reply = _refused(provider, *refusal)
        elif provider == K6:
            reply = k6_app.handle(store, request)
        elif provider == VSTS:
            reply = vsts_app.handle(store, request)
        else:
            reply = blobs.handle(store, request)
        lost = not refusal and store.hooks.loses(request.method, unquote(request.target))
        store.ledger.add(at, request.method, request.target, request.body, 0 if lost else reply.status, provider)
        app = {K6: k6_app, VSTS: vsts_app}.get(provider)
        if app and reply.status == 200 and app.is_list_of_runs(request) and store.hooks.page_answered(provider):
            store.insert_run(provider)
    return None if lost else reply


def _provider(path: str) -> str:
    if k6_app.owns(path):
        return K6
    return VSTS if vsts_app.owns(path) else ""


def _refused(provider: str, status: int, headers: dict[str, str]) -> Reply:
    """An injected refusal, in the words of the family."""
    refusal: Refusal
    if provider == VSTS:
        refusal = vsts_app.error(
            status, "The service cannot answer now. Try again later.", "ServiceUnavailableException"
        )
    else:
        refusal = k6_app.legacy_error(status, 1, "The service cannot answer now. Try again later.")
    refusal.reply.headers = list(headers.items())
    return refusal.reply
