"""What each kind of fault does: to the request, to the answer, and to the way the answer is sent."""

import gzip
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from functools import lru_cache
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlencode

from .faults import INSTEAD, Fault
from .k6_v6_app import owns as is_v6
from .k6_v6_lists import next_link
from .store import Store
from .wire import Reply, Request

_PAGE = b"<!doctype html><title>Sign in</title><h1>Sign in to continue</h1><p>Your session has expired.</p>"
_MANY = 1_000_000
_MIB = 2**20
_SPOILERS = ("empty", "truncated", "types", "odd_rows", "words")
# Members that say in any API how far a run is and how it went.
_WORDS = {"status", "state", "subState", "result", "testResult", "run_status", "processing_status", "result_status"}
Handle = Callable[[Request], Reply]


def in_place(fault: Fault, store: Store, request: Request, refused: Handle) -> Reply | None:
    """The answer instead of the right one; None: the right one, to be spoiled or sent badly."""
    if fault.kind == "status":
        reply = refused(request)
        if fault.retry_after is not None:
            reply.headers.append(("Retry-After", _retry_after(fault.retry_after)))
        return reply
    if fault.kind == "html":
        return Reply(fault.status, content=_PAGE, content_type="text/html; charset=utf-8")
    if fault.kind == "redirect":
        return Reply(fault.status, headers=[("Location", store.elsewhere.url + request.target)])
    if fault.kind == "deep":
        return Reply(200, content=b"[" * 100_000 + b"]" * 100_000)
    return Reply(200) if fault.kind in INSTEAD else None


def _retry_after(text: str) -> str:
    """`date:90` is a date in 90 seconds, `absurd` is no time at all; anything else is sent as it is."""
    if text.startswith("date:"):
        return formatdate(time.time() + float(text.removeprefix("date:")), usegmt=True)
    return text


# --- lists -----------------------------------------------------------------------------------------------------------


def listed(fault: Fault, store: Store, request: Request, handle: Handle) -> Reply:
    """The answer of a list that ends nowhere, stands still, or loses its newest row every other time."""
    if fault.kind == "flicker":
        if fault.struck % 2 == 0:
            return handle(request)
        with _newest_hidden(store, request):
            return handle(request)
    if "_apis" in request.path.lower():
        return _same_window(fault, request, handle)
    if request.path.startswith("/test-runs"):
        return _linked(fault, request, handle)
    if fault.kind == "repeat":
        return handle(_asking(request, page="1", skip="0"))
    return (_linked_for_ever if is_v6(request.path) else _round_and_round)(request, handle)


def _asking(request: Request, *, page: str, skip: str) -> Request:
    """The same request for another part of the list."""
    other = Request(request.method, request.target, request.headers, request.body, request.base_url)
    changed = {"page": page, "$skip": skip}
    other.query = [(name, changed.get(name, value)) for name, value in request.query]
    return other


def _round_and_round(request: Request, handle: Handle) -> Reply:
    """The list begins again after its end, and counts far more rows than it has."""
    reply = handle(request)
    if reply.status != 200:
        return reply
    v5 = "@count" in reply.payload
    total = int(reply.payload["@count"] if v5 else reply.payload["meta"]["count"])
    size = int(request.arg("page_size") or 25)
    pages = max(1, -(-total // size))
    page = (int(request.arg("page") or 1) - 1) % pages + 1
    skip = int(request.arg("$skip") or 0) % max(1, total)
    reply = handle(_asking(request, page=str(page), skip=str(skip)))
    if v5:
        reply.payload["@count"] = str(_MANY)
    else:
        reply.payload["meta"]["count"] = _MANY
    return reply


def _linked_for_ever(request: Request, handle: Handle) -> Reply:
    """Every page links to one further on, though the list has long begun again."""
    counted = Request(request.method, request.target, request.headers, request.body, request.base_url)
    counted.query = [("$count", "true"), *((name, value) for name, value in request.query if name != "$skip")]
    reply = handle(counted)
    if reply.status != 200:
        return reply
    top, skip = int(request.arg("$top") or 1000), int(request.arg("$skip") or 0)
    pages = max(1, -(-reply.payload["@count"] // top))
    counted.query.append(("$skip", str(skip // top % pages * top)))
    reply = handle(counted)
    reply.payload["@nextLink"] = next_link(request, skip + top, top)
    return reply


def _linked(fault: Fault, request: Request, handle: Handle) -> Reply:
    """Pages with links: each shows the first rows (`repeat`), or the last one leads to the first again (`endless`)."""
    other = Request(request.method, request.target, request.headers, request.body, request.base_url)
    if fault.kind == "repeat":
        other.query = [(name, value) for name, value in request.query if name != "continuationToken"]
    reply = handle(other)
    if fault.kind == "endless" and reply.status == 200 and "nextLink" not in reply.payload:
        query = urlencode([(name, value) for name, value in request.query if name != "continuationToken"])
        reply.payload["nextLink"] = f"{request.base_url}{request.path}?{query}"
    return reply


def _same_window(fault: Fault, request: Request, handle: Handle) -> Reply:
    """All runs whatever the window; `endless`: over and over, up to as many as were asked for."""
    other = Request(request.method, request.target, request.headers, request.body, request.base_url)
    window = {"fromdate": "2000-01-01", "todate": "2100-01-01"}
    other.query = [(name, window.get(name.lower(), value)) for name, value in request.query]
    reply = handle(other)
    if fault.kind == "endless" and reply.status == 200 and isinstance(reply.payload, list) and reply.payload:
        top = int(request.arg_any_case("top") or 1000)
        reply.payload = (reply.payload * (top // len(reply.payload) + 1))[:top]
    return reply


@contextmanager
def _newest_hidden(store: Store, request: Request) -> Iterator[None]:
    """Each test's newest run is not there for a moment. The caller holds the store's lock."""
    by_test, runs = store.by_test, store.runs
    hidden = {found[-1].id for found in by_test.values() if found}
    store.by_test = {key: [run for run in found if run.id not in hidden] for key, found in by_test.items()}
    store.runs = {key: {name: run for name, run in found.items() if name not in hidden} for key, found in runs.items()}
    try:
        yield
    finally:
        store.by_test, store.runs = by_test, runs


# --- bodies ----------------------------------------------------------------------------------------------------------


def spoil(fault: Fault, reply: Reply) -> Reply:
    """The right answer with another body. What is no success is left alone."""
    if not 200 <= reply.status < 300 or fault.kind not in _SPOILERS:
        return reply
    if fault.kind == "empty":
        return Reply(reply.status, headers=reply.headers)
    if fault.kind == "truncated":
        body = reply.encoded()
        return Reply(reply.status, headers=reply.headers, content=body[: len(body) // 2] or b'{"')
    if reply.content is not None:
        return reply  # a file has neither types nor rows
    # A copy: handlers may answer with what the store holds.
    payload = json.loads(reply.encoded() or b"null")
    spoiler = {"types": _other_type, "odd_rows": _with_odd_rows, "words": _with_new_words}[fault.kind]
    return Reply(reply.status, spoiler(payload), reply.headers)


def _other_type(value: Any) -> Any:
    """Every member of the outermost object a text, a list of numbers for a list of objects."""
    if isinstance(value, dict):
        return dict.fromkeys(value, "surprise")
    return [7] * len(value) if isinstance(value, list) else ["surprise"]


def _with_odd_rows(value: Any) -> Any:
    """The middle row of each list of objects without an id, and nothing in it of the type it should be."""
    if isinstance(value, dict):
        return {key: _with_odd_rows(member) if isinstance(member, list) else member for key, member in value.items()}
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        middle = len(value) // 2
        odd = {key: [None] if isinstance(member, (str, int)) else 7 for key, member in value[middle].items()}
        return [*value[:middle], odd, *value[middle + 1 :]]
    return value


def _with_new_words(value: Any) -> Any:
    """The status and result of every run in words, or numbers, that no manual has."""
    if isinstance(value, list):
        return [_with_new_words(member) for member in value]
    if not isinstance(value, dict):
        return value
    return {key: _new_word(member) if key in _WORDS else _with_new_words(member) for key, member in value.items()}


def _new_word(value: Any) -> Any:
    if isinstance(value, str):
        return "surprise"
    return 4242 if isinstance(value, int) and not isinstance(value, bool) else _with_new_words(value)


# --- on the wire -----------------------------------------------------------------------------------------------------


def send(fault: Fault, handler: BaseHTTPRequestHandler, head: bytes, content: bytes) -> bool:
    """Send an answer the fault's way, and end the connection; False: it is to be sent as always.

    Nothing is locked meanwhile: other connections go on. A client that goes away ends it by a ConnectionError.
    """
    out = handler.wfile
    if fault.kind in ("dead", "lost"):
        if fault.kind == "dead":
            _reset(handler)
    elif fault.kind == "reset":
        out.write(head + content[: max(1, len(content) // 2)])
        _reset(handler)
    elif fault.kind == "drip_headers":
        _drip(handler, head + content, fault.delay)
    elif fault.kind == "drip_body":
        out.write(head)
        _drip(handler, content, fault.delay)
    elif fault.kind == "huge":
        out.write(_head("application/json"))
        out.write(b'["')
        for _ in range(fault.mb * 16):
            out.write(b"a" * (_MIB // 16))
    elif fault.kind == "bomb":
        out.write(_head("application/json", "Content-Encoding: gzip"))
        out.write(_bomb(fault.mb))
    else:
        if fault.kind == "slow":
            time.sleep(fault.delay)
        return False
    handler.close_connection = True
    return True


def _head(content_type: str, *more: str) -> bytes:
    """Without a length: the body lasts as long as the connection."""
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {content_type}", *more, "Connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _drip(handler: BaseHTTPRequestHandler, data: bytes, delay: float) -> None:
    for at in range(len(data)):
        handler.wfile.write(data[at : at + 1])
        time.sleep(delay)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """End the connection with a reset instead of a farewell."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close(handler.connection.detach())


@lru_cache(maxsize=2)
def _bomb(mb: int) -> bytes:
    """A JSON text of `mb` MiB, packed a thousandfold."""
    piece = gzip.compress(b" " * _MIB, 9, mtime=0)
    return gzip.compress(b"[", mtime=0) + piece * mb + gzip.compress(b"]", mtime=0)
