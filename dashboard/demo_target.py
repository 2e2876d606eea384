"""What the demo puts under load: a little shop that answers fast, slowly, or now and then not at all. Loopback only.

`python demo_target.py PORT` serves it until it is ended.
"""

import random
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = "127.0.0.1"
# Path -> (least and most seconds until the answer, share of requests that fail).
PAGES = {"/": (0.002, 0.01, 0), "/search": (0.15, 0.7, 0), "/pay": (0.01, 0.06, 0.15)}


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet

    def do_GET(self) -> None:
        least, most, failing = PAGES.get(self.path.partition("?")[0], (0, 0, 1))
        time.sleep(random.uniform(least, most))  # noqa: S311 (it plays)
        fails = random.random() < failing  # noqa: S311
        body = b"The till is stuck.\n" if fails else b"Here you are.\n"
        self.send_response_only(503 if fails else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        """Nothing: the load would fill the terminal."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing either: when load is stopped, connections break off."""


if __name__ == "__main__":
    Server((LOOPBACK, int(sys.argv[1])), Shop).serve_forever()
