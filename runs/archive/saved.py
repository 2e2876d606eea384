"""What a provider's own API printed, saved as JSON -> rows: parsed by its service, stored as a sync would."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from runs.choices import ENDED, LIVE, RunStatus
from runs.export import iso
from runs.models import Account, Run
from runs.services import SERVICES
from runs.services.base import BadRow, SavedRun
from runs.sync.details import save_details
from runs.sync.mirror import hold, progress_of, save_runs

from . import ArchiveProblem
from .export import secrets_of
from .report import Parts, Report, parts_of
from .store import OF_DETAILS
from .target import into

BATCH = 50
NOT_SAVED = "Not among the imported files: {}."


def readers() -> list[str]:
    """The providers whose saved answers can be imported."""
    return [key for key, service in SERVICES.items() if getattr(service, "reads_saved", False)]


def import_saved(
    documents: Mapping[str, Any], account: Account | None, name: str, provider: str, each: Callable[[Parts], None]
) -> Report:
    """Bring runs in from saved answers, as `imports.import_archive` says. No account is made before a run is found."""
    provider = provider or (account.provider if account else "") or (readers()[0] if len(readers()) == 1 else "")
    if provider not in readers():
        label = SERVICES[provider].label if provider in SERVICES else "this provider"
        raise ArchiveProblem(f"Saved answers of {label} cannot be imported, only archives that Plimsoll exported.")
    if account is None and not name.strip():
        raise ArchiveProblem("Give the archive a name: these files hold none.", "name")
    rows = SERVICES[provider].saved_runs(documents, secrets_of(account) if account else ())
    bad: list[BadRow] = []
    report = None
    for batch in _batches(rows, bad):
        if report is None:
            report = into(account, provider, name)
        batch = [_as_in_archive(saved) for saved in batch] if report.account.archive else batch
        for saved in batch:
            parts = parts_of(_as_written(saved), saved.run.test_name)
            report.note(parts)
            each(parts)
        report.count(_store(report.account, batch))
    if report is None:
        why = "; ".join(f"{row.external_id}: {row.reason}" for row in bad[:3])
        raise ArchiveProblem(f"No run was found in it.{f' {why}.' if why else ''}")
    report.left_out(bad)
    return report


def _batches(rows: Iterator[SavedRun | BadRow], bad: list[BadRow]) -> Iterator[list[SavedRun]]:
    batch: list[SavedRun] = []
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


@transaction.atomic
def _store(account: Account, batch: Sequence[SavedRun]) -> Counter[str]:
    """How many runs were added, updated, filled or the same. What is here and further on, or says more, stays."""
    hold(account)
    now = timezone.now()
    found = account.runs.filter(external_id__in=[saved.run.external_id for saved in batch]).select_related("payload")
    known = {run.external_id: run for run in found}
    written = [saved.run for saved in batch if _says_more(saved, known.get(saved.run.external_id))]
    rows = known | {run.external_id: run for run in save_runs(account, written, now)}
    for run in written:
        _keep_details(known.get(run.external_id), rows[run.external_id])
    keys = {run.external_id for run in written}
    ends: Counter[str] = Counter()
    for saved in batch:
        key = saved.run.external_id
        filled = _fill(rows[key], saved, now)
        ends["added" if key not in known else "updated" if key in keys else "filled" if filled else "same"] += 1
    return ends


def _as_in_archive(saved: SavedRun) -> SavedRun:
    """Of a run that had not ended nobody will know any more: the provider's word stays."""
    return replace(saved, run=replace(saved.run, status=RunStatus.UNKNOWN)) if saved.run.status in LIVE else saved


def _says_more(saved: SavedRun, old: Run | None) -> bool:
    if old is None:
        return True
    further = progress_of(saved.run.status) - progress_of(old.status)
    held = old.payload.payload if hasattr(old, "payload") else {}
    return further > 0 or (further == 0 and len(saved.run.payload) > len(held))


def _keep_details(old: Run | None, row: Run) -> None:
    """A fuller record of an ended run says nothing against what was read below it."""
    if old and old.status in ENDED and old.details_at and row.details_at is None:
        for name in OF_DETAILS:
            setattr(row, name, getattr(old, name))
        row.result = old.judged_result or row.result
        row.save(update_fields=[*OF_DETAILS, "result"])


def _fill(row: Run, saved: SavedRun, now: datetime) -> bool:
    """Store what hangs below the run if that is more than we have; whether it was."""
    if saved.details is None:
        return False
    had = _missing_in(row)
    if row.details_at and not (had and set(saved.missing) < had):
        return False
    save_details(row, saved.details, now)
    if saved.missing:
        row.details_error = _sentence(saved.missing)
        row.save(update_fields=["details_error"])
    return True


def _missing_in(row: Run) -> set[str]:
    """What was missing when its details were imported."""
    before, after = NOT_SAVED.split("{}")
    words = row.details_error
    return set(words.removeprefix(before).removesuffix(after).split(", ")) if words.startswith(before) else set()


def _sentence(missing: Sequence[str]) -> str:
    return NOT_SAVED.format(", ".join(missing)) if missing else ""


def _as_written(saved: SavedRun) -> dict[str, Any]:
    """The run as `parts_of` knows it."""
    run, below = saved.run, saved.details
    names = ("errors", "messages", "thresholds", "metrics", "series", "files")
    return {
        "external_id": run.external_id, "number": run.number, "created_at": iso(run.created_at), "status": run.status,
        "result": (below and below.result) or run.result, "details_at": below is not None,
        "details_error": _sentence(saved.missing), "payload": run.payload,
        "has_archive": bool(below and below.has_archive), "events": (),
        **{name: getattr(below, name) if below else () for name in names},
    }  # fmt: skip
