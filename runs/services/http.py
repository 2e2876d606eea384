"""The only module that speaks HTTP: total deadlines, no redirects, size caps, one origin, errors as sentences.

There is no `requests.Session` here on purpose: redirects, cookies, netrc and proxy variables live in it.
"""

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from .addresses import AddressRefused, Gate, Origin, open_socket, same_origin
from .answers import clean_text, date_of, parse_json, parse_time
from .base import Download, ServiceError, Unauthorized, Unavailable, UnexpectedAnswer
from .calls import VERSION, counted, user_agent
from .failures import Garbled, Passing, failure, secret_forms

__all__ = ["VERSION", "Answer", "Http", "clean_text", "parse_time"]

PIECE = 64 * 1024
REASON_BYTES = 64 * 1024  # how much of an error's body is read for the provider's reason

logger = logging.getLogger(__name__)
# urllib3 prints whole URLs, with their queries, at DEBUG and in a WARNING; our own line above replaces both.
logging.getLogger("urllib3").setLevel(logging.ERROR)

# Several cookies come as one line; a comma within a date is followed by no name.
_COOKIE = re.compile(r"(?:^|,)\s*([\w!#$%&'*+.^`|~-]+)=([^;,\s]*)")

_NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer. `data` is the parsed JSON; None for an empty body (and for an unreadable one after a write)."""

    status: int
    headers: Mapping[str, str]
    data: Any


class _Call:
    """One call on the wire: its total deadline, kept by a timer that shuts the socket, and whether anything left us.

    The timeouts of requests are per read, so a server sending one byte a second would hold us for ever.
    """

    def __init__(self, http: "Http", seconds: float):
        self.http = http
        self.expired = False
        self.connected = False
        self._line: socket.socket | None = None
        self._lock = threading.Lock()
        self._begin(seconds)

    def _begin(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def restart(self) -> None:
        """Begin a new deadline: a download has one for each piece."""
        self._timer.cancel()
        self._begin(self.http.deadline_s)

    def left(self) -> float:
        return max(self._ends - time.monotonic(), 0.001)

    def watch(self, fileno: int) -> None:
        """Guard the connection behind `fileno`: its own duplicate, since TLS takes the first socket object away."""
        with self._lock:
            if self._line:
                self._line.close()
            self._line = socket.socket(fileno=os.dup(fileno))
            if self.expired:
                self._shut()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._line:
            try:
                self._line.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # already closed by the other side: nothing left to end

    def end(self) -> None:
        self._timer.cancel()
        with self._lock:
            if self._line:
                self._line.close()
                self._line = None


_current: ContextVar[_Call] = ContextVar("current_call")


class _Vetted:
    """A connection that opens sockets only to addresses the account may reach, under the call's deadline."""

    def _new_conn(self) -> socket.socket:
        call = _current.get()
        origin = Origin(self.scheme, self.host.strip("[]").lower(), self.port)
        sock = open_socket(call.http.gate, origin, call.http.resolve, call.left)
        call.watch(sock.fileno())
        return sock

    def connect(self) -> None:
        super().connect()
        _current.get().connected = True

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _current.get().watch(self.sock.fileno())
            _current.get().connected = True
        super().request(*args, **kwargs)


class _HttpConnection(_Vetted, urllib3.connection.HTTPConnection):
    scheme = "http"


class _HttpsConnection(_Vetted, urllib3.connection.HTTPSConnection):
    scheme = "https"


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


class Http:
    """One account's HTTP: calls stay at `base_url`'s origin, within a deadline, and end in an Answer or a sentence."""

    def __init__(
        self,
        base_url: str,
        *,
        provider: str,
        hosts: tuple[str, ...],
        extra_hosts: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        authorization: Callable[[], str] | None = None,
        secrets: Sequence[str] = (),
        deadline_s: float = 20,
        max_bytes: int = 32 * 2**20,
        describe: Callable[[int, Any], str] | None = None,
        download_hosts: tuple[str, ...] = (),
        sign_in_statuses: tuple[int, ...] = (),
        waits: Sequence[float] = (0.2, 0.5),
        sleep: Callable[[float], None] = time.sleep,
        resolve: Callable[..., list[tuple]] = socket.getaddrinfo,
        before_call: Callable[[], None] = lambda: None,
        probe: bool = False,
    ):
        """`provider`: its label, for sentences. `authorization`: gives that header of each call, where it changes.
        `secrets`: never shown in an error. `describe(status, data)`: the provider's own reason in an error's body.
        `download_hosts`: for `download`, besides `hosts`. `sign_in_statuses`: answers that are a sign-in page in
        disguise. `waits`, `sleep`, `resolve`: the seams for time and names. `before_call`: asked before each read; what
        it raises is raised. `probe`: the first read is tried once only."""
        self.base_url = base_url.rstrip("/")
        self.provider = provider
        self.gate = Gate(provider, (*hosts, *download_hosts), extra_hosts)
        self.deadline_s = deadline_s
        self.max_bytes = max_bytes
        self.resolve = resolve
        self._base_gate = Gate(provider, hosts, extra_hosts)
        self._headers = {"Accept-Encoding": "gzip", "Accept": "application/json"}
        self._headers.update(headers or {})
        self._authorization = authorization
        self._secrets = secret_forms(secrets)
        self._describe = describe
        self._sign_in_statuses = sign_in_statuses
        self._waits = waits
        self._sleep = sleep
        self._before_call = before_call
        self._probing = probe
        self.their_now: datetime | None = None  # by the provider's last answer
        self.told: Mapping[str, str] = {}  # the headers of its last answer
        self._adapter = _Adapter(max_retries=0)

    def get(
        self,
        path: str,
        params: Mapping | Sequence[tuple[str, str]] | None = None,
        *,
        max_bytes: int | None = None,
    ) -> Answer:
        """Read `path`: below the base URL, or a link of the same origin. Tried again shortly, within the deadline."""
        return self._read("GET", path, params, None, max_bytes)

    def read(self, method: str, path: str, *, params: Any = None, json: Any = None, form: Any = None) -> Answer:
        """A read that the provider wants by another method than GET: tried again like one. `form`: fields to post."""
        return self._read(method, path, params, json, None, form)

    def send(
        self, method: str, path: str, *, params: Any = None, json: Any = None, form: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """A write: sent exactly once. An error's `maybe_done` says whether it may have happened all the same.

        `form`: fields to post. `headers`: of this call alone, besides or instead of those of every call.
        """
        # A connection kept open may be one the other side has just closed; a write lost on it would look as if it
        # might have arrived. A fresh one keeps that doubt rare.
        self._adapter.poolmanager.clear()
        request = self._request(method, self._url(path), params, json, form, headers)
        return self._once(_Call(self, self.deadline_s), request, self.max_bytes, write=True)

    def keep_cookies(self) -> None:
        """Send the cookies of the last answer with each call from now on: a form has signed us in."""
        found = _COOKIE.findall(self.told.get("Set-Cookie", ""))
        if found:
            self._headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in found)

    def download(
        self, url: str, *, filename: str, content_type: str = "application/octet-stream", max_bytes: int = 2**30
    ) -> Download:
        """Open a file, asked for without credentials. Each 64 KiB has the deadline; past `max_bytes` it raises."""
        self.gate.check(url)
        headers = {"User-Agent": user_agent(), "Accept-Encoding": "identity"}
        request = requests.Request("GET", url, headers=headers).prepare()
        return self._file(request, filename, content_type, max_bytes)

    def open_own(
        self, path: str, *, filename: str, content_type: str = "application/octet-stream", max_bytes: int = 2**30
    ) -> Download:
        """The same for a file of the API itself: asked for with credentials, at the base URL's origin only."""
        plain = {"Accept": "*/*", "Accept-Encoding": "identity"}
        request = self._request("GET", self._url(path), None, None, headers=plain)
        return self._file(request, filename, content_type, max_bytes)

    # -- one call ------------------------------------------------------------------------------------------------------

    @counted
    def _file(self, request: requests.PreparedRequest, filename: str, content_type: str, max_bytes: int) -> Download:
        with ExitStack() as stack:
            call = _Call(self, self.deadline_s)
            stack.callback(call.end)
            response = stack.enter_context(self._open(call, request, write=False))
            if response.status_code != 200:
                self._fail(response, self._body(call, response, REASON_BYTES, write=False, partial=True), write=False)
            size = _length(response)
            if size is not None and size > max_bytes:
                self._too_big(max_bytes)
            pieces = self._pieces(call, response, max_bytes)
            next(pieces)
            stack.pop_all()  # from here on the pieces keep them, and close them
        return Download(filename, content_type, pieces, size)

    def _read(self, method: str, path: str, params: Any, json: Any, max_bytes: int | None, form: Any = None) -> Answer:
        self._before_call()
        request = self._request(method, self._url(path), params, json, form)
        max_bytes = max_bytes or self.max_bytes
        ends = time.monotonic() + self.deadline_s
        for wait in () if self._probing else self._waits:
            try:
                return self._once(_Call(self, ends - time.monotonic()), request, max_bytes, write=False)
            except (Passing, Garbled):
                if time.monotonic() + wait >= ends:
                    raise
            self._sleep(wait)
        answer = self._once(_Call(self, max(ends - time.monotonic(), 0.001)), request, max_bytes, write=False)
        self._probing = False
        return answer

    def _url(self, path: str) -> str:
        base = self._base_gate.check(self.base_url)
        if "?" in self.base_url or "#" in self.base_url:
            raise AddressRefused(f"The address of this {self.provider} account must hold no query. Enter it without.")
        url = path if "://" in path else f"{self.base_url}/{path.removeprefix('/')}"
        if ".." in urlsplit(url).path.split("/"):
            raise UnexpectedAnswer(
                f"An id of {self.provider} cannot be part of an address. Report it to Plimsoll's maintainers."
            )
        return same_origin(url, base, self.provider)

    def _request(
        self, method: str, url: str, params: Any, json: Any, form: Any = None, headers: Mapping[str, str] | None = None
    ) -> requests.PreparedRequest:
        headers = {"User-Agent": user_agent(), **self._headers, **(headers or {})}
        if self._authorization:
            headers["Authorization"] = self._authorization()
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            # Refused here because the library's own error would print the header's value.
            raise Unauthorized(
                f"The credentials of this {self.provider} account hold characters that cannot be sent. Enter them anew."
            )
        return requests.Request(method, url, headers=headers, params=params, json=json, data=form).prepare()

    @counted
    def _once(self, call: _Call, request: requests.PreparedRequest, max_bytes: int, *, write: bool) -> Answer:
        try:
            response = self._open(call, request, write=write)
            with response:
                if not 200 <= response.status_code < 300 or response.status_code in self._sign_in_statuses:
                    self._fail(
                        response, self._body(call, response, REASON_BYTES, write=write, partial=True), write=write
                    )
                data = self._data(call, response, max_bytes, write=write)
                return Answer(response.status_code, response.headers, data)
        finally:
            call.end()

    def _data(self, call: _Call, response: requests.Response, max_bytes: int, *, write: bool) -> Any:
        try:
            body = self._body(call, response, max_bytes, write=write)
        except ServiceError:
            if write:  # it was done; what the provider says about it can be read afterwards
                return None
            raise
        try:
            return parse_json(body, self.provider)
        except UnexpectedAnswer as problem:
            sentence = str(problem)
        if write:
            return None
        raise Garbled(sentence)

    def _open(self, call: _Call, request: requests.PreparedRequest, *, write: bool) -> requests.Response:
        token = _current.set(call)
        started = time.monotonic()
        status: object = "no answer"
        trouble = ""
        try:
            response = self._adapter.send(request, stream=True, timeout=call.left(), verify=True, proxies={})
            status = response.status_code
            self.told, self.their_now = response.headers, date_of(response.headers) or self.their_now
            return response
        except _NETWORK_ERRORS as error:
            trouble = _kind(error)
        finally:
            _current.reset(token)
            where = urlsplit(request.url)
            took = (time.monotonic() - started) * 1000
            logger.debug("%s %s%s %s %.0f ms", request.method, where.netloc, where.path, status, took)
        # Raised out here, so that the library's error, which holds the whole URL, is not chained to ours.
        raise self._trouble(call, trouble, write)

    def _body(
        self, call: _Call, response: requests.Response, max_bytes: int, *, write: bool, partial: bool = False
    ) -> bytes:
        """The decoded body; past `max_bytes` it raises, or with `partial` is cut off (as is a broken one)."""
        body = bytearray()
        trouble = ""
        try:
            for piece in response.raw.stream(PIECE, decode_content=True):
                body += piece
                if len(body) > max_bytes:
                    break
        except _NETWORK_ERRORS as error:
            trouble = _kind(error)
        if not partial and (trouble or call.expired):
            raise self._trouble(call, trouble, write)
        if not partial and len(body) > max_bytes:
            self._too_big(max_bytes)
        return bytes(body[:max_bytes])

    def _pieces(self, call: _Call, response: requests.Response, max_bytes: int) -> Iterator[bytes]:
        total = 0
        trouble = ""
        try:
            yield b""  # for the opener alone: only a generator that has begun ends the call when it is closed unread
            call.restart()
            for piece in response.raw.stream(PIECE, decode_content=False):
                total += len(piece)
                if total > max_bytes:
                    self._too_big(max_bytes)
                yield piece
                call.restart()
        except _NETWORK_ERRORS as error:
            trouble = _kind(error)
        finally:
            response.close()
            call.end()
        if trouble or call.expired:
            raise self._trouble(call, trouble, write=False)

    # -- errors --------------------------------------------------------------------------------------------------------

    def _trouble(self, call: _Call, kind: str, write: bool) -> ServiceError:
        maybe_done = write and call.connected
        advice = "Look whether it was carried out before you try again." if maybe_done else "Try again later."
        if call.expired or kind == "time":
            return Unavailable(
                f"{self.provider} did not answer within {self.deadline_s:g} s. {advice}", maybe_done=maybe_done
            )
        if kind == "certificate":
            return Unavailable(
                f"{self.provider} could not prove who it is (its TLS certificate is not valid), so nothing was sent. "
                "Check the account's address, or have the certificate renewed."
            )
        return Passing(f"The connection to {self.provider} broke off. {advice}", maybe_done=maybe_done)

    def _fail(self, response: requests.Response, body: bytes, *, write: bool) -> NoReturn:
        try:
            data = parse_json(body, self.provider)
        except UnexpectedAnswer:
            data = None
        sent = response.request.headers.get("Authorization", "").rpartition(" ")[2]
        raise failure(
            response.status_code,
            response.headers,
            data,
            provider=self.provider,
            write=write,
            describe=self._describe,
            secrets=(*self._secrets, *secret_forms((sent,))),
            sign_in_statuses=self._sign_in_statuses,
        )

    def _too_big(self, max_bytes: int) -> NoReturn:
        raise UnexpectedAnswer(
            f"The answer of {self.provider} was larger than {max_bytes / 2**20:.0f} MB and was not read to its end. "
            "Ask for less, or report it to Plimsoll's maintainers."
        )


def _kind(error: Exception) -> str:
    """What went wrong below: "time", "certificate" or "connection". The error, which holds the URL, is let go."""
    if isinstance(error, requests.Timeout):
        return "time"
    return "certificate" if isinstance(error, requests.exceptions.SSLError) else "connection"


def _length(response: requests.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) < 16 else None
