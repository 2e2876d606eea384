"""Requests, replies and routes, before any provider's manners: nothing here knows one of them."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote

Headers = Iterable[tuple[str, str]]


class Refusal(Exception):
    """A reply that ends the handling of a request early."""

    def __init__(self, reply: "Reply") -> None:
        super().__init__(reply.status)
        self.reply = reply


class NotRouted(Exception):
    """No route has this path."""


class MethodNotRouted(Exception):
    """The path is known, but not with this method."""


class BadBody(Exception):
    """The body is not the JSON object it should be."""


class Request:
    """One request. `path` is percent-decoded once; `query` is decoded pairs; `base_url` ends without a slash."""

    __slots__ = ("base_url", "body", "headers", "method", "path", "query", "target")

    def __init__(self, method: str, target: str, headers: Any, body: bytes, base_url: str) -> None:
        raw_path, _, raw_query = target.partition("?")
        self.method = method
        self.target = target
        self.path = unquote(raw_path)
        self.query = parse_qsl(raw_query, keep_blank_values=True)
        self.headers = headers
        self.body = body
        self.base_url = base_url

    def arg(self, *names: str) -> str | None:
        """The first value of any of these query names, or None. Names match exactly."""
        for key, value in self.query:
            if key in names:
                return value
        return None

    def arg_any_case(self, name: str) -> str | None:
        """The first value of the query name in any case; an empty one counts as absent."""
        for key, value in self.query:
            if key.lower() == name.lower():
                return value or None
        return None

    def args(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]

    def json(self) -> dict[str, Any]:
        """The body as an object; an empty body is an empty object. Raises BadBody."""
        if not self.body.strip():
            return {}
        try:
            data = json.loads(self.body)
        except (ValueError, UnicodeDecodeError) as error:
            raise BadBody("The body is not JSON.") from error
        if not isinstance(data, dict):
            raise BadBody("The body is not a JSON object.")
        return data


class Reply:
    """An answer: either `payload` (sent as JSON) or `content` (sent as it is). Neither means an empty body."""

    __slots__ = ("content", "content_type", "headers", "payload", "status")

    def __init__(
        self,
        status: int,
        payload: Any = None,
        headers: Headers = (),
        content: bytes | None = None,
        content_type: str = "application/json; charset=utf-8",
    ) -> None:
        self.status = status
        self.payload = payload
        self.headers = list(headers)
        self.content = content
        self.content_type = content_type

    def encoded(self) -> bytes:
        if self.content is not None:
            return self.content
        if self.payload is None:
            return b""
        return json.dumps(self.payload, ensure_ascii=False, separators=(",", ":")).encode()


class Router:
    """A table of routes. Patterns are regular expressions over the decoded path; groups become keyword arguments."""

    def __init__(self, *, any_case: bool = False) -> None:
        self._flags = re.IGNORECASE if any_case else 0
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Reply]]] = []

    def route(self, method: str, pattern: str) -> Callable[[Callable[..., Reply]], Callable[..., Reply]]:
        def register(handler: Callable[..., Reply]) -> Callable[..., Reply]:
            self._routes.append((method, re.compile(pattern, self._flags), handler))
            return handler

        return register

    def find(self, method: str, path: str) -> tuple[Callable[..., Reply], dict[str, str]]:
        """Raises NotRouted or MethodNotRouted."""
        known = False
        for verb, pattern, handler in self._routes:
            found = pattern.fullmatch(path)
            if found and verb == method:
                return handler, found.groupdict()
            known = known or bool(found)
        raise MethodNotRouted(path) if known else NotRouted(path)
