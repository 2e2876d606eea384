"""Every request the sandbox has seen, newest last, up to a cap; headers are never kept."""

import json
from collections import deque
from typing import Any
from urllib.parse import parse_qsl, unquote

from .clock import iso

CAP = 200_000
_BODY_CAP = 65_536


class Ledger:
    """Rows are kept as small tuples and written out only when somebody asks."""

    def __init__(self, cap: int = CAP) -> None:
        self._rows: deque[tuple[int, int, str, str, bytes, int, str]] = deque(maxlen=cap)
        self._last = 0

    def add(self, at: int, method: str, target: str, body: bytes, status: int, provider: str) -> None:
        """`status` 0: a fault left the request without an answer; whether it was carried out, the runs tell."""
        self._last += 1
        kept = body if len(body) <= _BODY_CAP else str(len(body)).encode()
        self._rows.append((self._last, at, method, target, kept, status, provider))

    def clear(self) -> None:
        self._rows.clear()

    def rows(self, since: int = 0) -> list[dict[str, Any]]:
        """The requests numbered above `since`."""
        return [_written(*row) for row in list(self._rows) if row[0] > since]


def _written(n: int, at: int, method: str, target: str, body: bytes, status: int, provider: str) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "n": n,
        "at": iso(at),
        "method": method,
        "path": unquote(path),
        "query": [list(pair) for pair in parse_qsl(query, keep_blank_values=True)],
        "body": _body(body),
        "status": status,
        "provider": provider,
    }


def _body(body: bytes) -> Any:
    """The parsed JSON, the size of anything else, None for nothing."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return len(body)
