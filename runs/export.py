"""Runs as a file: JSON or CSV with stable keys, made row by row so that a million runs need no more memory than one."""

import csv
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from django.db.models import QuerySet

from runs.models import Run

KEYS = (
    "account",
    "provider",
    "external_id",
    "test",
    "name",
    "requested_by",
    "status",
    "result",
    "provider_status",
    "created_at",
    "started_at",
    "ended_at",
    "duration_s",
    "planned_duration_s",
    "virtual_users",
    "note",
)
FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
# A spreadsheet reads a cell that begins with one of these as a formula.
_FORMULA = "=+-@"
_CHUNK = 1000


def exported(runs: QuerySet[Run], wanted: str) -> Iterator[str]:
    """The text of the file, in pieces; `wanted` is a key of FORMATS. Oldest first."""
    rows = (record(run) for run in runs.for_list().order_by("created_at", "id").iterator(_CHUNK))
    return as_text(KEYS, rows, wanted)


def as_text(keys: Sequence[str], rows: Iterable[dict[str, object]], wanted: str) -> Iterator[str]:
    """Rows that have these keys as the text of a file, in pieces; `wanted` is a key of FORMATS."""
    return _json(rows) if wanted == "json" else _csv(keys, rows)


def record(run: Run) -> dict[str, object]:
    """One run under KEYS. Times are UTC in ISO 8601 with "Z"; what is not known is None or ""."""
    return {
        "account": run.account.slug,
        "provider": run.account.provider,
        "external_id": run.external_id,
        "test": run.load_test.name,
        "name": run.own_name,
        "requested_by": run.requested_by.display if run.requested_by else "",
        "status": run.status,
        "result": run.result,
        "provider_status": run.provider_status,
        "created_at": iso(run.created_at),
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "duration_s": run.duration_s,
        "planned_duration_s": run.planned_duration_s,
        "virtual_users": run.virtual_users,
        "note": run.note,
    }


def iso(moment: datetime | None) -> str | None:
    """2026-11-21T14:30:00Z, with microseconds only where there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula, quoted with a leading apostrophe; anything else as it is.

    Blanks and invisible characters before the sign, and full-width signs, do not stop every spreadsheet from running
    it, so they are looked through.
    """
    if not isinstance(value, str) or not value:
        return value
    if value[0] in "\t\r":
        return "'" + value
    for character in unicodedata.normalize("NFKC", value):
        if not character.isspace() and unicodedata.category(character) not in ("Cc", "Cf"):
            return "'" + value if character in _FORMULA else value
    return value


class _Line:
    """A file for csv.writer that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _csv(keys: Sequence[str], rows: Iterable[dict[str, object]]) -> Iterator[str]:
    writer = csv.writer(_Line(), lineterminator="\r\n")
    yield writer.writerow(keys)
    for row in rows:
        yield writer.writerow([safe_cell(value) for value in row.values()])


def _json(rows: Iterable[dict[str, object]]) -> Iterator[str]:
    yield "["
    separator = "\n"
    for row in rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n"
