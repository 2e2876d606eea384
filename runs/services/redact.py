"""Takes the secrets out of a provider's payload before it is stored: the shape stays, the values go."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from .failures import secret_forms

MASK = "[redacted]"
DEEPEST = 200  # levels of nesting kept; no provider comes near it

# Compared with a key's letters and digits in lower case: apiKey, api_key and API-Key are one word.
_SECRET_KEY = re.compile(
    r"token|secret|password|passwd|passphrase|authori[sz]ation|apikey|accesskey|accountkey|privatekey|saskey"
    r"|credential|cookie|^pat$|signature$"
)
_LINK_KEY = re.compile(
    r"resultsurl|connectionstring|containerurl|sasur[il]|presignedurl|signedurl|exporturl|downloadurl"
)
_ENVIRONMENT_KEY = re.compile(r"^env(ironment)?(var(iable)?)?s?$")

# What any pattern below needs: most texts have none of it and are done after one search.
_HINT = re.compile(r"(?i)sig(=|%3d|nature)|token|key|secret|password|pwd|x-amz|authorization|bearer|basic|@")
_IN_TEXT = (
    # Storage and API links: the value of a signature or a key in a query, also when the link was encoded once more.
    (re.compile(r"(?i)((?:[?&;]|%3f|%26|\b)sig(?:=|%3d))[^&\s\"'<>;]+"), rf"\1{MASK}"),
    (
        re.compile(r"(?i)([?&;](?:x-amz-\w+|[\w-]*(?:token|api_?key|password|secret|signature))=)[^&\s\"'<>;]+"),
        rf"\1{MASK}",
    ),
    (
        re.compile(r"(?i)((?:AccountKey|SharedAccessKey|SharedAccessSignature|Password|Pwd)\s*=\s*)[^;\s\"'<>]+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)(\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:[a-z]+\s+)?)[^\s\"',;]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(\b(?:bearer|basic|token)\s+)(?=\S{16})[^\s\"',;]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(\bhttps?://)[^/\s@\"'<>]+@"), rf"\1{MASK}@"),
    # A private key of a client certificate: in PEM, whatever the member that holds it is called.
    (re.compile(r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*-----|\Z)"), rf"\1{MASK}"),
)


def redact(payload: Any, secrets: Sequence[str] = ()) -> Any:
    """A copy of a JSON value with every secret replaced by "[redacted]".

    Secret is: anything below a key that looks like one (token, password, apiKey), the values of environment variables,
    the query of result links and connection strings, signatures and credentials inside any text, and `secrets` (the
    account's own credentials) wherever they stand, also encoded.
    """
    return _value(payload, secret_forms(secrets), 0)


def redact_text(text: str, secrets: Sequence[str] = ()) -> str:
    """The same for one text: a message, an error, a note."""
    return _text(text, secret_forms(secrets))


def _value(value: Any, forms: Sequence[str], depth: int) -> Any:
    if depth > DEEPEST:
        return MASK
    if isinstance(value, str):
        return _text(value, forms)
    if isinstance(value, Mapping):
        return {_text(str(key), forms): _member(str(key), item, forms, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_value(item, forms, depth + 1) for item in value]
    return value


def _member(key: str, value: Any, forms: Sequence[str], depth: int) -> Any:
    kind = _kind(key)
    if kind == "secret":
        return _mask(value)
    if kind == "environment":
        return _environment(value, forms, depth)
    if kind == "link" and isinstance(value, str):
        return _link(value, forms)
    return _value(value, forms, depth)


@lru_cache(maxsize=2048)
def _kind(key: str) -> str:
    """What a key says about its value: "secret", "environment", "link" or "". Payloads repeat the same few keys."""
    word = re.sub(r"[^a-z0-9]", "", key.lower())
    kinds = (("secret", _SECRET_KEY), ("environment", _ENVIRONMENT_KEY), ("link", _LINK_KEY))
    return next((kind for kind, pattern in kinds if pattern.search(word)), "")


def _mask(value: Any) -> Any:
    """Every text and number in it replaced; that something is there, empty or a yes or no stays visible."""
    if isinstance(value, Mapping):
        return {key: _mask(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mask(item) for item in value]
    return value if value in ("", None) or isinstance(value, bool) else MASK


def _environment(value: Any, forms: Sequence[str], depth: int) -> Any:
    """Variables as a mapping or a list of {name, value}: the names stay. A plain word (`env: "staging"`) is none."""
    if isinstance(value, Mapping):
        return _mask(value)
    if isinstance(value, list | tuple):
        return [_environment_item(item, forms, depth) for item in value]
    return _value(value, forms, depth)


def _environment_item(item: Any, forms: Sequence[str], depth: int) -> Any:
    if isinstance(item, Mapping):
        return {k: _value(v, forms, depth) if str(k).lower() in ("name", "key") else _mask(v) for k, v in item.items()}
    if isinstance(item, str) and "=" in item:
        return f"{item.partition('=')[0]}={MASK}"
    return _mask(item)


def _link(text: str, forms: Sequence[str]) -> str:
    if not text:
        return text
    if not re.match(r"https?://", text, re.IGNORECASE):
        return MASK
    address, mark, _ = text.partition("?")
    return _text(address, forms) + (f"?{MASK}" if mark else "")


def _text(text: str, forms: Sequence[str]) -> str:
    for form in forms:
        text = text.replace(form, MASK)
    if _HINT.search(text):
        for pattern, replacement in _IN_TEXT:
            text = pattern.sub(replacement, text)
    return text
