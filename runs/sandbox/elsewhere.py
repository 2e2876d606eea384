"""Another host, to which a redirect points: it answers everything and remembers what reached it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.2"


class Elsewhere:
    """Listens on a loopback address of its own from the first time somebody asks for its `url`."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self._server: ThreadingHTTPServer | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """OSError where the machine has no such address."""
        with self._lock:
            if self._server is None:
                self._server = ThreadingHTTPServer((HOST, 0), type("Handler", (_Handler,), {"seen": self.seen}))
                self._server.daemon_threads = True
                threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            return f"http://{HOST}:{self._server.server_address[1]}"

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    seen: list[dict[str, Any]]

    def _note(self) -> None:
        secrets = any(name.lower() in ("authorization", "cookie") for name in self.headers)
        self.seen.append({"method": self.command, "path": self.path, "credentials": secrets})
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _note

    def log_message(self, format: str, *args: object) -> None:
        """What arrived is in `seen`."""
