"""The errors of a run as a file: JSON or CSV with stable keys, the most frequent first, made row by row."""

from collections.abc import Iterator

from runs.error_tree import Wanted, is_new
from runs.export import as_text, iso
from runs.models import Run, RunError

KEYS = (
    "type",
    "subtype",
    "occurrences",
    "new",
    "message",
    "request",
    "test_case",
    "scenario",
    "last_at",
    "fingerprint",
    "stack_trace",
)
_CHUNK = 500


def exported(run: Run, wanted: Wanted, file_format: str) -> Iterator[str]:
    """The text of the file, in pieces; `file_format` is a key of `export.FORMATS`."""
    rows = run.runerrors.order_by("-occurrences", "message", "pk").iterator(_CHUNK)
    return as_text(KEYS, (record(row, wanted) for row in rows if row in wanted), file_format)


def record(row: RunError, wanted: Wanted) -> dict[str, object]:
    """One detail under KEYS. `new` is None where there is no run to hold this one against."""
    return {
        "type": row.type,
        "subtype": row.subtype,
        "occurrences": row.occurrences,
        "new": None if wanted.known is None else is_new(row, wanted.known),
        "message": row.message,
        "request": row.request,
        "test_case": row.test_case,
        "scenario": row.scenario,
        "last_at": iso(row.last_at),
        "fingerprint": row.fingerprint,
        "stack_trace": row.stack_trace,
    }
