"""Settings that need more than reading: checked values, and keys made once and kept where only their owner can read."""

import base64
import os
import secrets
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

MADE_NOW: set[Path] = set()  # the files that this very process has made: nothing can have been encrypted with them yet


def secret_key() -> str:
    """A new signing key: 64 random bytes, URL-safe."""
    return secrets.token_urlsafe(64)


def credential_key() -> str:
    """A new Fernet key: 32 random bytes in URL-safe base64, as `cryptography` expects it."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def port(text: str) -> int:
    """A TCP port; ImproperlyConfigured with a sentence for anything else."""
    if text.isascii() and text.isdecimal() and 0 < int(text) < 2**16:
        return int(text)
    raise ImproperlyConfigured(f"PORT is “{text}”. Give a number from 1 to 65535: PORT=8001")


def one_of(name: str, text: str, *words: str) -> str:
    """One of the words that a setting may be; ImproperlyConfigured with a sentence for anything else."""
    if text in words:
        return text
    raise ImproperlyConfigured(f"{name} is “{text}”. It may be {' or '.join(words)}: {name}={words[0]}")


def require_psycopg() -> None:
    """ImproperlyConfigured with a sentence where PostgreSQL's driver is not installed."""
    if find_spec("psycopg") is None:
        raise ImproperlyConfigured(
            "DATABASE_URL names a PostgreSQL database, and its driver is not installed: "
            ".venv/bin/pip install --require-hashes -r requirements-scale.txt"
        )


def kept(path: Path, make: Callable[[], str]) -> str:
    """The key stored at `path`; the first caller makes it with `make()`, mode 600.

    Safe when several processes start at once: the file appears complete or not at all, and all of them return the
    same key. Raises ImproperlyConfigured when the file is empty, or cannot be read or made.
    """
    try:
        if not path.exists():
            _publish(path, make())
        key = path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"Cannot keep a key in {path}: {error.strerror}. Check DATA_DIR.") from error
    if not key:
        raise ImproperlyConfigured(f"{path} is empty. Restore it from a backup, or delete it to have a new key made.")
    return key


def _publish(path: Path, key: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it mode 600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A hard link fails when the name is taken, so the first process wins and the others read its key.
        path.hardlink_to(draft)
        MADE_NOW.add(path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
