"""Looks for secrets in bytes, in every writing in which one could have been let out."""

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

SHORTEST = 12  # letters and digits in a row of a secret that are told from chance


def forms(secret: str) -> set[bytes]:
    """The secret raw, URL-encoded (also twice), JSON- and HTML-escaped, in base64 at each alignment; and its core.

    The core is its longest row of letters and digits: what stays of it in any other writing, or when half of it is cut.
    """
    quoted = quote(secret, safe="")
    texts = {
        secret,
        quoted,
        re.sub(r"%..", lambda match: match[0].lower(), quoted),
        quote(secret),
        quote_plus(secret),
        quote(quoted, safe=""),
        json.dumps(secret)[1:-1],
        secret.replace("/", "\\/"),
        re.sub(r"[^A-Za-z0-9]", lambda match: f"\\u{ord(match[0]):04X}", secret),
        html.escape(secret),
        max(re.findall(r"[A-Za-z0-9]+", secret), key=len),
    }
    found = {text.encode() for text in texts} | base64_forms(secret.encode())
    return {form for form in found if len(form) >= SHORTEST}


def base64_forms(data: bytes) -> set[bytes]:
    """`data` as it reads inside the base64 of something longer, by how many bytes stand before it."""
    found = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data)
        # The first and the last characters also hold bits of the neighbours.
        inside = encoded[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        found |= {inside, inside.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def found_in(places: Mapping[str, bytes], secrets: Iterable[str]) -> list[str]:
    """Where which secret stands: "page of a run: 3f9a… (44 characters)". Empty is good."""
    begins: dict[bytes, list[tuple[bytes, str]]] = {}
    for secret in set(secrets):
        for form in forms(secret):
            begins.setdefault(form[:SHORTEST], []).append((form, secret))
    # Only rows of characters that the forms are made of can hold one: most of a page need not be looked at.
    rows = re.compile(b"[" + re.escape(bytes(sorted(set(b"".join(begins))))) + b"]{%d,}" % SHORTEST)
    hits = set()
    for place, content in places.items():
        for begin in _beginnings(rows.findall(content), begins):
            hits |= {
                f"{place}: {secret[:4]}… ({len(secret)} characters)"
                for form, secret in begins[begin]
                if form in content
            }
    return sorted(hits)


def _beginnings(rows: Iterable[bytes], begins: Mapping[bytes, object]) -> set[bytes]:
    """Which of the beginnings stand in the rows: one look at each position, however many there are."""
    return {row[at : at + SHORTEST] for row in rows for at in range(len(row) - SHORTEST + 1)} & begins.keys()
