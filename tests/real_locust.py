"""A real Locust with the demo's shop below it, on ports of its own, for tests. It makes load on loopback only."""

import csv
import io
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dashboard import demo
from dashboard.demo_target import LOOPBACK, Server, Shop
from dashboard.processes import answers
from tests.processes import ROOT, an_unused_port

PATIENCE_S = 30


@contextmanager
def real_locust() -> Iterator[str]:
    """The address of its web interface, once it answers."""
    shop = Server((LOOPBACK, 0), Shop)
    threading.Thread(target=shop.serve_forever, args=(0.05,), daemon=True).start()
    port = an_unused_port()
    command = demo.locust(port, f"http://{LOOPBACK}:{shop.server_port}")
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(LOOPBACK, port, "/"))
        yield f"http://{LOOPBACK}:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        shop.shutdown()
        shop.server_close()


def wait_until(true: Callable[[], object]) -> None:
    """Ask until it is so, at most for half a minute."""
    ends = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < ends, "It did not come about."
        time.sleep(0.1)


def own_csv(url: str) -> dict[str, dict[str, str]]:
    """Its own table of requests: "GET /" -> column -> text; the row of all is "Aggregated"."""
    with urllib.request.urlopen(f"{url}/stats/requests/csv") as answer:  # noqa: S310 (our own)
        rows = csv.DictReader(io.StringIO(answer.read().decode()))
        return {f"{row['Type']} {row['Name']}".strip(): row for row in rows}
