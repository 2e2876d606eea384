"""A provider's non-2xx answer -> one of our errors, in a sentence with who, what happened and what to do."""

import base64
import email.utils
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from .answers import clean_text
from .base import Forbidden, NotFound, Refused, ServiceError, Unauthorized, Unavailable, UnexpectedAnswer

_QUERY = re.compile(r"(https?://[^\s?#\"'<>]+)[?#][^\s\"'<>]*")


class Passing(Unavailable):
    """Trouble that may be over in a moment: a read is tried again."""


class Garbled(UnexpectedAnswer):
    """A body that is no data: often a proxy's page or a cut line, so a read is tried again."""


def secret_forms(secrets: Sequence[str]) -> tuple[str, ...]:
    """Each secret as it may turn up in a text: raw, URL-encoded, and in base64, alone or as a userless password."""
    return _forms(tuple(secrets))


@lru_cache(maxsize=256)
def _forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    forms: set[str] = set()
    for secret in secrets:
        if len(secret) > 3:
            encoded = (base64.b64encode(text.encode()).decode() for text in (secret, f":{secret}"))
            forms |= {secret, quote(secret, safe=""), *encoded}
    return tuple(sorted(forms, key=len, reverse=True))


def show_safely(text: str, secrets: Sequence[str]) -> str:
    """`text` on one line, without the secrets and without the query of any URL in it, at most 500 characters."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return clean_text(" ".join(_QUERY.sub(r"\1", text).split()), 500)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After (seconds or an HTTP date) as seconds from now, within 1 s and 1 h; None when not readable."""
    text = (headers.get("Retry-After") or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = email.utils.parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return None
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 1.0), 3600.0) if seconds == seconds else None  # NaN is not itself


def failure(
    status: int,
    headers: Mapping[str, str],
    data: Any,
    *,
    provider: str,
    write: bool,
    describe: Callable[[int, Any], str] | None = None,
    secrets: Sequence[str] = (),
    sign_in_statuses: Sequence[int] = (),
) -> ServiceError:
    """The error for an answer that is no success. `data`: the parsed body, or None."""
    reason = show_safely(describe(status, data) or "", secrets).rstrip(". ") if describe and data is not None else ""
    because = f": {reason}" if reason else ""
    if status == 401 or status in sign_in_statuses:
        return Unauthorized(f"{provider} did not accept the credentials{because}. Enter them again, or make new ones.")
    if status == 403:
        return Forbidden(
            f"{provider} does not allow this with the account's credentials{because}. Give them more rights."
        )
    if status in (404, 410):
        return NotFound(
            f"{provider} does not have this (any more){because}. Check the account's address if you expected it."
        )
    if status == 429:
        return _later(f"{provider} asks us to send less{because}.", retry_after(headers))
    if 300 <= status < 400:
        # After "see other" the first request was carried out; the other redirects say that it was not.
        return Refused(
            f"{provider} sent us on to another address, which is never followed. Enter the account's final address.",
            maybe_done=write and status in (302, 303),
        )
    if 400 <= status < 500:
        return Refused(f"{provider} refused this{because or f' (HTTP {status})'}. Change what it names and try again.")
    wait = retry_after(headers)
    if wait is not None:
        return _later(f"{provider} is not available now (HTTP {status}){because}.", wait, maybe_done=write)
    advice = "Look whether it was carried out before you try again." if write else "Try again later."
    return Passing(f"{provider} had a fault of its own (HTTP {status}){because}. {advice}", maybe_done=write)


def _later(sentence: str, wait: float | None, maybe_done: bool = False) -> Unavailable:
    advice = f"Try again in {wait:.0f} s." if wait is not None else "Try again later."
    return Unavailable(f"{sentence} {advice}", retry_after=wait, maybe_done=maybe_done)
