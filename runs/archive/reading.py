"""A file that somebody hands us -> JSON values, a line or a document at a time. Nothing in it is believed."""

import hashlib
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from runs.services.answers import parse_json
from runs.services.base import UnexpectedAnswer

from . import FORMAT, VERSION, ArchiveProblem

MANIFEST = "manifest.json"
TABLES = ("load_tests.jsonl", "people.jsonl", "runs.jsonl", "intents.jsonl")
MOST_MEMBERS = 200_000
LARGEST = 20 * 2**30  # unpacked, of all members together
LARGEST_DOCUMENT = 100 * 2**20  # a line, or a JSON file: it is held in memory
# JSON hardly ever shrinks to less than a fiftieth; what shrinks more than this, and is large, is a bomb.
RATIO, HARMLESS = 300, 10 * 2**20
BROKEN = "The zip file is broken: it may have been cut off on its way. Copy or export it again."
_TROUBLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, struct.error)
_TROUBLE_AT_OPENING = (*_TROUBLE, ValueError, OSError, IndexError)


def is_zip(file: IO[bytes]) -> bool:
    """Whether it is a zip, or means to be one; it is read from its beginning afterwards."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return start[:2] == b"PK"


@contextmanager
def opened_zip(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """The zip, once it is known that it is no bomb. ArchiveProblem otherwise, also for what breaks while it is read."""
    try:
        archive = zipfile.ZipFile(file)
    except _TROUBLE_AT_OPENING as problem:
        raise ArchiveProblem(BROKEN) from problem
    try:
        with archive:
            _refuse_bombs(archive)
            yield archive
    except _TROUBLE as problem:
        raise ArchiveProblem(BROKEN) from problem


def _refuse_bombs(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if any(member.header_offset < 0 for member in members):
        raise ArchiveProblem(BROKEN)
    if len(members) > MOST_MEMBERS:
        raise ArchiveProblem(f"The zip file holds more than {MOST_MEMBERS:,} files. Split it.")
    if len({member.filename for member in members}) < len(members):
        raise ArchiveProblem("The zip file holds two files of the same name. Make it anew.")
    for member in members:
        if member.flag_bits & 1:
            raise ArchiveProblem("The zip file is encrypted. Unpack it and zip it again without a password.")
        if member.file_size > HARMLESS and member.file_size > RATIO * member.compress_size:
            raise ArchiveProblem(
                f"{member.filename} in the zip file would grow {RATIO} times and more when it is unpacked. That is no "
                "data of load tests; it was not read."
            )
    if sum(member.file_size for member in members) > LARGEST:
        raise ArchiveProblem(f"Unpacked, the zip file would be larger than {LARGEST // 2**30} GB. Split it.")


@dataclass(frozen=True, slots=True)
class Manifest:
    provider: str
    name: str
    base_url: str


def manifest_of(archive: zipfile.ZipFile) -> Manifest | None:
    """What the archive says of itself; None where it is no archive of ours. ArchiveProblem when we cannot read it."""
    if MANIFEST not in archive.namelist():
        return None
    try:
        data = parse_json(_whole(archive, MANIFEST), "")
    except UnexpectedAnswer:
        data = None
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise ArchiveProblem("This zip file was not exported by Plimsoll: its manifest.json is something else's.")
    version, account, files = data.get("version"), data.get("account"), data.get("files")
    if isinstance(version, int) and version > VERSION:
        raise ArchiveProblem(
            f"The archive was made by a newer Plimsoll (format {version}; this one reads up to {VERSION}). "
            "Update Plimsoll, then import it."
        )
    texts = [data.get("provider"), *((account.get("name"), account.get("base_url")) if _is(account) else ())]
    if version != VERSION or len(texts) != 3 or not all(isinstance(text, str) for text in texts) or not _is(files):
        raise ArchiveProblem("The archive's manifest.json is not complete. Export it again.")
    _check(archive, files)
    return Manifest(*texts)


def _is(value: object) -> bool:
    return isinstance(value, Mapping)


def _check(archive: zipfile.ZipFile, files: Mapping[str, Any]) -> None:
    """Every member is there and what it was when it was written: before the first row is stored."""
    names = set(archive.namelist()) - {MANIFEST}
    for name in TABLES:
        if name not in names or not _is(files.get(name)):
            raise ArchiveProblem(f"{name} is missing in the archive. Export it again.")
    for name in sorted(names | set(files)):
        wanted = files[name].get("sha256") if _is(files.get(name)) else None
        if name not in names or wanted != _sha256(archive, name):
            raise ArchiveProblem(
                f"{name} in the archive is not what was exported: it was changed, or damaged on its way. Nothing was "
                "imported. Copy or export the archive again."
            )


def _sha256(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as member:
        return hashlib.file_digest(member, "sha256").hexdigest()


def _whole(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member's bytes; UnexpectedAnswer for one too large to be held."""
    if archive.getinfo(name).file_size > LARGEST_DOCUMENT:
        raise UnexpectedAnswer(f"larger than {LARGEST_DOCUMENT // 2**20} MB; split it")
    return archive.read(name)


def lines_of(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, int, Any]]:
    """(its number, its length, its JSON value) of each line; the value is None for one that is no JSON."""
    with archive.open(name) as member:
        number = 0
        while line := member.readline(LARGEST_DOCUMENT + 1):
            if len(line) > LARGEST_DOCUMENT:
                raise ArchiveProblem(
                    f"A line of {name} is longer than {LARGEST_DOCUMENT // 2**20} MB. Nothing has that."
                )
            number += 1
            try:
                yield number, len(line), parse_json(line, "")
            except UnexpectedAnswer:
                yield number, len(line), None


class Documents(Mapping[str, Any]):
    """Files by name, each read and parsed when it is asked for: UnexpectedAnswer says why one cannot be.

    Given single files, or a zip of them; what is no file of data (`__MACOSX`, folders) is left out.
    """

    def __init__(self, files: Mapping[str, Path | IO[bytes]], archive: zipfile.ZipFile | None = None):
        self._files, self._zip = files, archive
        names = archive.namelist() if archive else files
        self._names = sorted(name for name in names if not (name.endswith("/") or "__MACOSX/" in name))

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, name: str) -> Any:
        body = _whole(self._zip, name) if self._zip else self._read(name)
        try:
            if body.startswith((b"\xff\xfe", b"\xfe\xff")):  # as PowerShell's `>` writes
                body = body.decode("utf-16").encode()
            return parse_json(body, "")
        except (UnexpectedAnswer, UnicodeDecodeError):
            raise UnexpectedAnswer("not JSON") from None

    def _read(self, name: str) -> bytes:
        file = self._files[name]
        with file.open("rb") if isinstance(file, Path) else nullcontext(file) as stream:
            stream.seek(0)
            body = stream.read(LARGEST_DOCUMENT + 1)
        if len(body) > LARGEST_DOCUMENT:
            raise UnexpectedAnswer(f"larger than {LARGEST_DOCUMENT // 2**20} MB; split it")
        return body
