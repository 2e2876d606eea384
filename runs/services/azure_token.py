"""Azure Load Testing: the access token, asked of Microsoft Entra ID with an app's secret and kept in this process.

"OAuth 2.0 client credentials flow on the Microsoft identity platform". One token per app, secret and scope; it is
renewed some minutes before its end, by one thread at a time, and at once when the service does not accept it.
"""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from .addresses import AddressRefused
from .answers import clean_text, number_of
from .base import NotFound, Refused, Unauthorized, Unavailable, UnexpectedAnswer
from .http import Http

LABEL = "Microsoft Entra ID"
EARLY_S = 300.0  # before its end a token is renewed
_NOISE = re.compile(r"\s*\b(?:Trace ID|Correlation ID|Timestamp)\s*:.*", re.DOTALL)
_PASSING = re.compile(r"temporar|transient", re.IGNORECASE)


class TokenRefused(Unauthorized):
    """Entra ID gives these credentials no token; the service itself was not asked."""


@dataclass(slots=True)
class _Kept:
    """One app's token in this process; `until` by the monotonic clock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = ""
    until: float = 0.0


_kept: dict[str, _Kept] = {}
_kept_lock = threading.Lock()


def forget_tokens() -> None:
    """Ask for every token anew."""
    with _kept_lock:
        _kept.clear()


class Tokens:
    """The tokens of one account. `http_options`: for `http.Http`; `clock` is monotonic."""

    def __init__(
        self,
        login_url: str,
        credentials: Mapping[str, str],
        scope: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        **http_options: Any,
    ):
        self._tenant = credentials.get("tenant_id", "")
        self._client, self._secret = credentials.get("client_id", ""), credentials.get("client_secret", "")
        self._scope = scope
        self._clock = clock
        self._http = Http(
            login_url,
            provider=LABEL,
            hosts=(urlsplit(login_url).hostname or "",),
            secrets=(self._secret,),
            describe=describe,
            **http_options,
        )
        parts = (login_url, self._tenant, self._client, self._secret, scope)
        name = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        with _kept_lock:
            self._mine = _kept.setdefault(name, _Kept())

    def header(self) -> str:
        """The value of "Authorization"; asks Entra ID where no token is kept, or it is about to end."""
        with self._mine.lock:
            if not self._mine.token or self._clock() >= self._mine.until:
                self._mine.token, seconds = self._ask()
                # One that lives shorter than that is used for half of its life.
                self._mine.until = self._clock() + max(seconds - EARLY_S, seconds / 2)
            return f"Bearer {self._mine.token}"

    @property
    def kept(self) -> str:
        """The token as it is, or "": to be taken out of whatever is shown or stored."""
        return self._mine.token

    def refused(self, header: str) -> None:
        """The service did not accept this one: the next `header` is another, unless somebody has renewed it already."""
        with self._mine.lock:
            if header == f"Bearer {self._mine.token}":
                self._mine.token = ""

    def _ask(self) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client,
            "client_secret": self._secret,
            "scope": self._scope,
        }
        try:
            path = f"{quote(self._tenant, safe='')}/oauth2/v2.0/token"
            data = self._http.read("POST", path, form=form).data
        except AddressRefused:
            raise
        except (Refused, NotFound) as problem:
            raise _refusal(problem) from None
        token = clean_text(data.get("access_token"), 100_000) if isinstance(data, Mapping) else ""
        if not token:
            raise UnexpectedAnswer(
                f"{LABEL} answered without a token where it belongs. Check the setting AZURE_LOGIN_URL; if it is "
                "right, report this to Plimsoll's maintainers."
            )
        return token, number_of(data.get("expires_in")) or 0.0


def _refusal(problem: Refused | NotFound) -> Unavailable | TokenRefused:
    """Any refusal is about the credentials, whatever its status; but a 400 that says it will pass is waited for."""
    if not isinstance(problem, Unauthorized) and _PASSING.search(str(problem)):
        return Unavailable(str(problem))
    if isinstance(problem, NotFound):
        return TokenRefused(f"{LABEL} does not have this tenant. Check the tenant id, and the setting AZURE_LOGIN_URL.")
    return TokenRefused(str(problem))


def describe(status: int, data: Any) -> str:
    """Entra ID's own reason: its AADSTS code and first sentence, without its trace of the request."""
    if not isinstance(data, Mapping):
        return ""
    reason = _NOISE.sub("", clean_text(data.get("error_description"), 2000)) or clean_text(data.get("error"), 200)
    codes = data.get("error_codes")
    if "AADSTS" not in reason and isinstance(codes, list) and codes:
        reason = f"AADSTS{clean_text(codes[0], 20)}: {reason}"
    return reason
