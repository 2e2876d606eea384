"""An account's runs -> a zip of JSON lines, made in pieces: a million runs need no more memory than a hundred.

The same rows always become the same bytes, whatever the database and its row ids: runs by date and id, members sorted,
no time of the export.
"""

import hashlib
import io
import json
import tempfile
import zipfile
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from django.db.models import QuerySet

from runs.choices import IntentOutcome, RunStatus
from runs.export import as_text
from runs.fields import CredentialsUnusable
from runs.models import Account, ControlIntent, LoadTest, Person, Run, RunPayload, Schedule
from runs.services import SERVICES, service_class
from runs.services.redact import redact, redact_text

from . import FORMAT, VERSION
from .columns import BELOW, COLUMNS_BELOW, INTENT, LOAD_TEST, PERSON, RUN, SCHEDULE, dumped
from .report import KEYS, Parts, parts_of

BATCH = 100
PIECE = 64 * 1024
# Our own people have keys of this database; in an archive they are known by their name.
OURS = "plimsoll: "
UNSETTLED = "It was not settled when the archive was made."


def pieces(account: Account, runs: QuerySet[Run] | None = None) -> Iterator[bytes]:
    """The bytes of the file. `runs`: some of the account's runs, with what belongs to them; None is the account."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for _ in _Writer(archive, account, runs).write():
            if sink.size > PIECE:
                yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """Where the zip is written to, and taken away from: nothing is ever sought, so it can be a download."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self.size += len(self._parts[-1])
        return len(self._parts[-1])

    def taken(self) -> bytes:
        parts, self._parts, self.size = self._parts, [], 0
        return b"".join(parts)


class _Writer:
    """Writes the members one after the other, and stops now and then so that what is written can be sent."""

    def __init__(self, archive: zipfile.ZipFile, account: Account, runs: QuerySet[Run] | None):
        self._zip, self._account = archive, account
        self._whole = runs is None
        chosen = account.runs.all() if runs is None else runs.filter(account=account)
        chosen = chosen.order_by("created_at", "external_id").values_list("pk", flat=True)
        self._runs = array("q", chosen.iterator())
        self._secrets = secrets_of(account)
        self._tests: dict[int, str] = {}
        self._people: dict[int, str] = {}
        self._files: dict[str, dict[str, object]] = {}

    def write(self) -> Iterator[None]:
        with tempfile.SpooledTemporaryFile(1_000_000, "w+", encoding="utf-8", newline="") as table:
            yield from self._member("runs.jsonl", self._run_lines(table))
            table.seek(0)
            yield from self._member("completeness.csv", (line.encode() for line in table))
        yield from self._member("load_tests.jsonl", map(_line, self._load_tests()))
        yield from self._member("people.jsonl", map(_line, self._persons()))
        yield from self._member("intents.jsonl", map(_line, self._intents()))
        yield from self._member("manifest.json", [_line(self._manifest())])

    def _member(self, name: str, lines: Iterable[bytes]) -> Iterator[None]:
        info = zipfile.ZipInfo(name)  # its time is 1980, which is none
        info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
        digest, size, count = hashlib.sha256(), 0, 0
        with self._zip.open(info, "w", force_zip64=True) as member:
            for line in lines:
                member.write(line)
                digest.update(line)
                size, count = size + len(line), count + 1
                yield
        self._files[name] = {"sha256": digest.hexdigest(), "bytes": size, "lines": count}

    def _manifest(self) -> dict[str, object]:
        account = {"name": self._account.name, "base_url": redact_text(self._account.base_url, self._secrets)}
        return {
            "format": FORMAT,
            "version": VERSION,
            "provider": self._account.provider,
            "account": account,
            "whole": self._whole,
            "files": {name: about for name, about in self._files.items() if name != "manifest.json"},
        }

    # -- runs ----------------------------------------------------------------------------------------------------------

    def _run_lines(self, table: IO[str]) -> Iterator[bytes]:
        table.writelines(as_text(KEYS, [], "csv"))
        for start in range(0, len(self._runs), BATCH):
            for record, parts in self._batch(self._runs[start : start + BATCH]):
                [_, line] = as_text(KEYS, [parts.row()], "csv")
                table.write(line)
                yield _line(record)

    def _batch(self, pks: Sequence[int]) -> Iterator[tuple[dict[str, Any], Parts]]:
        found = Run.objects.filter(pk__in=pks).select_related(
            "load_test", "requested_by", "provider_requested_by", "stopped_by"
        )
        runs = {run.pk: run for run in found}
        below = {name: _by_run(model.objects.filter(run__in=pks).order_by("pk")) for name, model in BELOW.items()}
        payloads = dict(RunPayload.objects.filter(run__in=pks).values_list("run", "payload"))
        for run in (runs[pk] for pk in pks if pk in runs):
            self._tests[run.load_test_id] = run.load_test.external_id
            record = self._cleaned(run_record(run) | self._who(run))
            record["payload"] = redact(payloads.get(run.pk), self._secrets)
            for name, rows in below.items():
                record[name] = [self._cleaned(dumped(row, COLUMNS_BELOW[name])) for row in rows.get(run.pk, ())]
            yield record, parts_of(record, run.load_test.name)

    def _cleaned(self, record: dict[str, Any]) -> dict[str, Any]:
        """Without secrets. Points are numbers, and many."""
        points = {"points": record.pop("points")} if "points" in record else {}
        return redact(record, self._secrets) | points

    def _who(self, run: Run) -> dict[str, str | None]:
        roles = ("requested_by", "provider_requested_by", "stopped_by")
        return {role: self._key(getattr(run, role)) for role in roles}

    def _key(self, person: Person | None) -> str | None:
        if person is None:
            return None
        self._people[person.pk] = key_of(person)
        return self._people[person.pk]

    # -- what runs refer to --------------------------------------------------------------------------------------------

    def _load_tests(self) -> Iterator[dict[str, Any]]:
        tests = self._account.load_tests.order_by("external_id")
        for batch in _batches(tests if self._whole else tests.filter(pk__in=list(self._tests))):
            schedules = defaultdict(list)
            for schedule in Schedule.objects.filter(load_test__in=batch).order_by("external_id"):
                schedules[schedule.load_test_id].append(dumped(schedule, SCHEDULE))
            for test in batch:
                yield redact(dumped(test, LOAD_TEST) | {"schedules": schedules[test.pk]}, self._secrets)

    def _persons(self) -> Iterator[dict[str, Any]]:
        people = Person.objects.in_bulk(list(self._people))
        if self._whole:
            people |= {person.pk: person for person in self._account.people.all()}
        records = {key_of(person): dumped(person, PERSON) | {"key": key_of(person)} for person in people.values()}
        for key in sorted(records):
            yield redact(records[key], self._secrets)

    def _intents(self) -> Iterator[dict[str, Any]]:
        intents = self._account.intents.select_related("run", "load_test").order_by("created_at", "kind", "external_id")
        if not self._whole:
            chosen = set(self._runs)
            intents = (intent for intent in intents.exclude(run=None).iterator(BATCH) if intent.run_id in chosen)
        else:
            intents = intents.iterator(BATCH)
        for intent in intents:
            yield redact(intent_record(intent), self._secrets)


def run_record(run: Run) -> dict[str, Any]:
    """The run's own columns. Of one that has not ended nobody will know in an archive: the provider's word stays."""
    status = RunStatus.UNKNOWN if run.is_live else run.status
    return dumped(run, RUN) | {"test": run.load_test.external_id, "status": status}


def intent_record(intent: ControlIntent) -> dict[str, Any]:
    record = dumped(intent, INTENT)
    record["run"] = intent.run.external_id if intent.run else None
    record["test"] = intent.load_test.external_id if intent.load_test else None
    if not intent.is_settled:
        record |= {"outcome": IntentOutcome.CANNOT_TELL, "message": f"{intent.message} {UNSETTLED}".strip()}
    return record


def key_of(person: Person) -> str:
    return person.key if person.account_id else f"{OURS}{person.name}"


def _by_run(rows: QuerySet) -> dict[int, list[Any]]:
    found = defaultdict(list)
    for row in rows:
        found[row.run_id].append(row)
    return found


def _batches(tests: QuerySet[LoadTest]) -> Iterator[list[LoadTest]]:
    batch = []
    for test in tests.iterator(BATCH):
        batch.append(test)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def secrets_of(account: Account) -> tuple[str, ...]:
    """The account's own credentials, as far as they are secret and can be opened."""
    fields = service_class(account.provider).credential_fields if account.provider in SERVICES else ()
    try:
        credentials = account.open_credentials()
    except CredentialsUnusable:
        return ()
    return tuple(credentials[field.key] for field in fields if field.secret and credentials.get(field.key))


def _line(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"
