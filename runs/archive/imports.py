"""The way in: which file it is, which account it belongs to, and then line after line."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any, TypeVar
from zipfile import ZipFile

from runs.models import Account
from runs.services import SERVICES
from runs.services.base import BadRow

from . import ArchiveProblem
from .columns import Unreadable
from .export import secrets_of
from .lines import RunLine, read_intent, read_person, read_run, read_test
from .reading import Documents, Manifest, is_zip, lines_of, manifest_of, opened_zip
from .report import Parts, Report, parts_of
from .saved import import_saved
from .store import save_intents, save_people, save_runs, save_tests
from .target import into

BATCH, BATCH_BYTES = 100, 8 * 2**20
Line = TypeVar("Line")
Each = Callable[[Parts], None]


def import_archive(
    files: Mapping[str, Path | IO[bytes]],
    *,
    account: Account | None = None,
    name: str = "",
    provider: str = "",
    each: Each = lambda parts: None,
) -> Report:
    """Bring an archive in, or saved answers of a provider's API (JSON files, or a zip of them), by their file names.

    Into `account`, or else an archive of that `name` (the file's own where it has one), which is made if there is none.
    `provider`: whose answers they are, where the file does not say. `each` is told of every run. What is stored
    already when it breaks off stays, and may be imported again. ArchiveProblem when nothing can be done.
    """
    if not files:
        raise ArchiveProblem("There is no file to import.")
    [(first, file), *more] = files.items()
    with file.open("rb") if isinstance(file, Path) else nullcontext(file) as stream:
        if not is_zip(stream):
            return import_saved(Documents(files), account, name, provider, each)
        if more:
            raise ArchiveProblem(f"{first} is a zip file: import it alone, without the others.")
        with opened_zip(stream) as archive:
            manifest = manifest_of(archive)
            if manifest is None:
                return import_saved(Documents({}, archive), account, name, provider, each)
            return _import(archive, manifest, account, name, each)


def _import(archive: ZipFile, manifest: Manifest, account: Account | None, name: str, each: Each) -> Report:
    if manifest.provider not in SERVICES:
        raise ArchiveProblem(f"This Plimsoll knows no provider “{manifest.provider}”. Update it, then import again.")
    report = into(account, manifest.provider, name or manifest.name, manifest.base_url)
    account, secrets = report.account, secrets_of(report.account)
    names: dict[str, str] = {}

    def tests(data: Any) -> Any:
        line = read_test(data, secrets)
        names[line.columns["external_id"]] = line.columns.get("name", "")
        return line

    def runs(data: Any) -> RunLine:
        line = read_run(data, secrets)
        parts = parts_of(_as_written(line), names.get(line.test, line.test))
        report.note(parts)
        each(parts)
        return line

    for batch in _batches(archive, "load_tests.jsonl", tests, report):
        save_tests(account, batch)
    for batch in _batches(archive, "people.jsonl", lambda data: read_person(data, secrets), report):
        save_people(account, batch)
    for batch in _batches(archive, "runs.jsonl", runs, report):
        report.count(save_runs(account, batch))
    for batch in _batches(archive, "intents.jsonl", lambda data: read_intent(data, secrets), report):
        report.intents += save_intents(account, batch)
    return report


def _as_written(line: RunLine) -> dict[str, Any]:
    """The line as `parts_of` knows it."""
    return {"number": None, "details_at": None, "details_error": "", "has_archive": False, **line.columns,
            "payload": line.payload, **line.below}  # fmt: skip


def _batches(archive: ZipFile, name: str, read: Callable[[Any], Line], report: Report) -> Iterator[list[Line]]:
    """Lines in batches that are not too large to hold; those that cannot be read are noted and left out."""
    batch: list[Line] = []
    held = 0
    for number, size, data in lines_of(archive, name):
        try:
            batch.append(read(data))
        except Unreadable as problem:
            key = data.get("external_id") or data.get("key") if isinstance(data, Mapping) else None
            report.left_out([BadRow(key if isinstance(key, str) else f"{name}, line {number}", str(problem))])
            continue
        held += size
        if len(batch) >= BATCH or held > BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
