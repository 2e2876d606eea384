"""Which parts of each run are there, and what came of an import."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runs.choices import LIVE, RunStatus
from runs.export import iso
from runs.models import Account
from runs.services.base import BadRow

SHOWN = 200  # runs and rows that are named one by one; all are counted
COUNTED = ("errors", "messages", "thresholds", "metrics", "series", "events")
KEYS = ("external_id", "test", "number", "created_at", "status", "result", "complete", "missing", "payload",
        *COUNTED, "files_not_included")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parts:
    """What is there of one run. `missing`: in words, what a run that was read to its end would have."""

    external_id: str
    title: str
    about: Mapping[str, object]
    counts: Mapping[str, int]
    missing: tuple[str, ...]
    payload: bool
    # Files and the result archive stay with the provider: an archive holds no copies of them.
    files_not_included: int

    def row(self) -> dict[str, object]:
        """Under KEYS, for a table."""
        return {
            **self.about,
            "complete": "no" if self.missing else "yes",
            "missing": ", ".join(self.missing),
            "payload": "yes" if self.payload else "no",
            **self.counts,
            "files_not_included": self.files_not_included,
        }


def parts_of(run: Mapping[str, Any], test: str) -> Parts:
    """Of a run as it stands in the file (`export.run_record`), and the name of its load test."""
    missing = []
    if run["status"] in (*LIVE, RunStatus.UNKNOWN):
        missing.append("its end")
    if not run["details_at"]:
        missing.append("details")
    elif run["details_error"]:
        missing.append(f"details: {run['details_error']}")
    if not run["payload"]:
        missing.append("payload")
    number = run["number"] if run["number"] is not None else run["external_id"]
    at = run["created_at"]
    about = {key: run[key] for key in ("external_id", "number", "status", "result")}
    about["created_at"] = iso(at) if isinstance(at, datetime) else at
    return Parts(
        external_id=run["external_id"],
        title=f"{test} #{number}",
        about={key: test if key == "test" else about[key] for key in KEYS[:6]},
        counts={name: len(run[name]) for name in COUNTED},
        missing=tuple(missing),
        payload=bool(run["payload"]),
        files_not_included=len(run["files"]) + bool(run["has_archive"]),
    )


@dataclass(slots=True)
class Report:
    """What came of an import. Every run is one of added, updated, filled (a part that was missing) or same."""

    account: Account
    new_account: bool = False
    added: int = 0
    updated: int = 0
    filled: int = 0
    same: int = 0
    intents: int = 0
    complete: int = 0
    incomplete: int = 0
    payloads: int = 0
    files_not_included: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    incomplete_runs: list[Parts] = field(default_factory=list)  # the first SHOWN
    bad: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)  # the first SHOWN

    @property
    def runs(self) -> int:
        return self.added + self.updated + self.filled + self.same

    def note(self, parts: Parts) -> None:
        """Count what is there of one run."""
        for name in COUNTED:
            self.counts[name] += parts.counts[name]
        self.payloads += parts.payload
        self.files_not_included += parts.files_not_included
        if not parts.missing:
            self.complete += 1
            return
        self.incomplete += 1
        if len(self.incomplete_runs) < SHOWN:
            self.incomplete_runs.append(parts)

    def count(self, ends: Mapping[str, int]) -> None:
        """Add how many runs were added, updated, filled or the same."""
        for name, count in ends.items():
            setattr(self, name, getattr(self, name) + count)

    def left_out(self, rows: Iterable[BadRow]) -> None:
        for row in rows:
            self.bad += 1
            if len(self.bad_rows) < SHOWN:
                self.bad_rows.append(row)

    def sentences(self) -> Sequence[str]:
        """The report in a few lines of text."""
        said = [
            f"{_runs(self.runs)} in the file: {self.added:,} added, {self.updated:,} updated, "
            f"{self.filled:,} completed, {self.same:,} here already.",
            f"{self.complete:,} complete, {self.incomplete:,} not; {self.files_not_included:,} files that only the "
            "provider has are not included.",
        ]
        if self.bad:
            said.append(f"{self.bad:,} rows could not be read and are left out.")
        return said


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"
