"""Credentials at rest: sealed with MultiFernet, opened only for the account and origin they were entered for.

Fails closed: a missing key, a changed row or a changed origin raises `CredentialsUnusable`, never hands out ciphertext.
"""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

NO_KEY_FITS = (
    "The stored credentials cannot be decrypted: none of CREDENTIAL_KEYS fits. "
    "Put the key back, or enter the credentials again."
)


class CredentialsUnusable(Exception):
    """The stored credentials cannot be used. The text is a sentence for a person and holds no secret."""


def origin_of(base_url: str) -> str:
    """Scheme, host and port of an address, in one spelling: "https://api.k6.io:443"."""
    parts = urlsplit(base_url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def _keys() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])
    except ValueError as wrong:
        raise CredentialsUnusable("CREDENTIAL_KEYS is empty or holds a key that is not a Fernet key.") from wrong


def seal(account_uuid: object, base_url: str, credentials: Mapping[str, str]) -> "Sealed":
    """Encrypt credentials for one account at one origin, with the first of CREDENTIAL_KEYS."""
    inside = {"account": str(account_uuid), "origin": origin_of(base_url), "credentials": dict(credentials)}
    return Sealed(_keys().encrypt(json.dumps(inside).encode()).decode())


class Sealed:
    """Encrypted credentials as the database holds them. Printing one shows nothing."""

    __slots__ = ("token",)

    def __init__(self, token: str):
        self.token = token

    def __bool__(self) -> bool:
        return bool(self.token)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and other.token == self.token

    def __hash__(self) -> int:
        return hash(self.token)

    def __repr__(self) -> str:
        return "<sealed credentials>" if self.token else "<no credentials>"

    __str__ = __repr__

    def open(self, account_uuid: object, base_url: str) -> dict[str, str]:
        """The credentials, or CredentialsUnusable when there are none, no key fits, or they belong elsewhere."""
        if not self.token:
            raise CredentialsUnusable("No credentials are stored for this account. Enter them on the account's page.")
        try:
            inside = json.loads(_keys().decrypt(self.token.encode()))
        except InvalidToken:
            raise CredentialsUnusable(NO_KEY_FITS) from None
        if inside["account"] != str(account_uuid):
            raise CredentialsUnusable("The stored credentials belong to another account. Enter them again.")
        if inside["origin"] != origin_of(base_url):
            raise CredentialsUnusable(
                "The stored credentials were entered for another address. Enter them again for this one."
            )
        return inside["credentials"]

    def on_first_key(self) -> bool:
        """Whether the first of CREDENTIAL_KEYS alone opens them."""
        try:
            Fernet(settings.CREDENTIAL_KEYS[0]).decrypt(self.token.encode())
        except InvalidToken:
            return False
        return True


class SealedField(models.TextField):
    """A text column that holds a `Sealed`. Saving plain text into it is refused."""

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Sealed:
        return Sealed(value or "")

    def to_python(self, value: object) -> Sealed:
        return value if isinstance(value, Sealed) else Sealed("")

    def get_prep_value(self, value: object) -> str:
        if not value:
            return ""
        if not isinstance(value, Sealed):
            raise TypeError("A SealedField takes what runs.fields.seal() returns, never plain text.")
        return value.token

    def value_to_string(self, obj: models.Model) -> str:
        # Serializers (dumpdata, fixtures) must not carry credentials, not even sealed ones.
        return ""
