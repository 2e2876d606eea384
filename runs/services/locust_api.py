"""Locust: the addresses of its web interface as methods, and signing in to it.

A Locust started with --web-login answers everything with a redirect to its sign-in page until a form there was sent;
then it knows us by a cookie. One behind --web-auth (2.20 and before), or behind a proxy, asks for Basic authentication.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin

from .base import ServiceError, Unauthorized, UnexpectedAnswer
from .failures import Passing
from .http import Answer, Http
from .locust_pages import LABEL, args_of

SIGN_IN_STATUSES = (302, 303)
POST_ONLY_SINCE = (2, 47)  # /stop was a GET before
ASKS = (
    "This Locust asks for a user name and a password, and the account has none. Enter those that its locustfile knows."
)
NO_FORM = (
    "This Locust signs people in by another way than a user name and a password, which Plimsoll cannot. Give its "
    "locustfile a form for them."
)
NOT_ACCEPTED = f"{LABEL} did not accept the user name and the password. Enter them again."


class LocustApi:
    def __init__(self, base_url: str, username: str, password: str, **options: Any):
        basic = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._base_url = base_url
        self._form = {"username": username, "password": password}
        self._signed_in = False
        self.http = Http(
            base_url,
            provider=LABEL,
            hosts=(),
            headers={"Authorization": f"Basic {basic}"} if username else {},
            secrets=(password, basic) if username else (),
            sign_in_statuses=SIGN_IN_STATUSES,
            **options,
        )

    def page(self, path: str) -> str:
        """The text of a page or a download."""
        return self._as_somebody(lambda: self._text(path))

    def exceptions(self) -> Any:
        return self._as_somebody(lambda: self.http.get("exceptions").data)

    def stats(self) -> Any:
        return self._as_somebody(lambda: self.http.get("stats/requests").data)

    def tasks(self) -> Any:
        return self._as_somebody(lambda: self.http.get("tasks").data)

    def swarm(self, form: Mapping[str, str]) -> Answer:
        """Begin a run; on a Locust that runs one already it changes that one."""
        return self.http.send("POST", "swarm", form=form)

    def stop(self, version: str) -> Answer:
        return self.http.send(self._stop_method(version), "stop")

    def _stop_method(self, version: str) -> str:
        """What the server itself allows, which it tells without doing anything; else by its version."""
        try:
            allowed = self._as_somebody(lambda: self.http.read("OPTIONS", "stop")).headers.get("Allow", "")
        except Unauthorized:
            raise
        except ServiceError:  # a proxy before it may not let this through
            allowed = ""
        if "POST" in allowed or "GET" in allowed:
            return "POST" if "POST" in allowed else "GET"
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        return "GET" if numbers and numbers < POST_ONLY_SINCE else "POST"

    def _text(self, path: str) -> str:
        try:
            return self._once(path)
        except Passing:
            return self._once(path)

    def _once(self, path: str) -> str:
        download = self.http.open_own(path, filename=path, max_bytes=self.http.max_bytes)
        return b"".join(download.chunks).decode("utf-8", "replace")

    # -- signing in ----------------------------------------------------------------------------------------------------

    def _as_somebody(self, call: Callable[[], Any]) -> Any:
        """The call; if it is sent to the sign-in page, again after signing in, once for this object."""
        try:
            return call()
        except Unauthorized:
            if "login" not in self.http.told.get("Location", ""):
                raise
        if not self._form["username"]:
            raise Unauthorized(ASKS)
        if self._signed_in:
            raise Unauthorized(NOT_ACCEPTED)
        self._sign_in()
        self._signed_in = True
        return self._as_somebody(call)

    def _sign_in(self) -> None:
        args = args_of(self._text("login"))
        self.http.keep_cookies()
        address = args.get("username_password_callback")
        if not isinstance(address, str) or not address:
            raise Unauthorized(NO_FORM)
        try:
            # Relative to the page, as a browser takes it; it must stay at this Locust.
            self.http.read("POST", urljoin(f"{self._base_url}/login", address), form=self._form)
        except Unauthorized:
            if "Location" not in self.http.told:
                raise
        except UnexpectedAnswer:
            pass  # a page instead of a redirect: whether it let us in shows at the next call
        self.http.keep_cookies()
