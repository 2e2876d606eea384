"""A backup: one .tar.gz with a consistent copy of the database, its keys, and what it must hold when it is restored.

manifest.json says which database it is of, its migrations, and the number of rows of each table at that moment.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, connections, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from dashboard import keys

FORMAT = 1
DATABASE, MANIFEST = "database", "manifest.json"
KEYS = {"secret_key": "SECRET_KEY", "credential_keys": "CREDENTIAL_KEYS"}
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, sqlite3.Error, ValueError, KeyError)


class BackupProblem(Exception):
    """A sentence for whoever backs up or restores."""


def write_backup(target: Path, *, with_keys: bool = True) -> dict[str, Any]:
    """Write the backup to `target` (mode 600, complete or not at all) and return its manifest; others work on.

    BackupProblem when `target` exists or the database cannot be copied.
    """
    if target.exists():
        raise BackupProblem(f"{target} exists already; a backup overwrites nothing. Give another name.")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as name:
            parts = Path(name)
            tables = (_copy_sqlite if connection.vendor == "sqlite" else _dump_postgresql)(parts / DATABASE)
            if "runs_run" not in tables:
                raise BackupProblem(f"{_database()} is no database of Plimsoll. Check DATABASE_URL and DATA_DIR.")
            manifest = {
                "format": FORMAT, "made_at": timezone.now().isoformat(), "engine": connection.vendor,
                "migrations": sorted(MigrationRecorder(connection).applied_migrations()), "tables": tables,
            }  # fmt: skip
            (parts / MANIFEST).write_text(json.dumps(manifest, indent=1))
            for file in KEYS if with_keys else ():
                (parts / file).write_text(_present_key(file) + "\n")
            with tarfile.open(parts / "whole", "w:gz", compresslevel=6) as archive:
                for file in (MANIFEST, *KEYS, DATABASE):
                    if (parts / file).exists():
                        archive.add(parts / file, file)
            (parts / "whole").chmod(0o600)
            (parts / "whole").replace(target)
    except (OSError, sqlite3.Error) as problem:
        raise BackupProblem(f"Cannot write {target}: {getattr(problem, 'strerror', None) or problem}.") from problem
    return manifest


def restore_backup(source: Path) -> tuple[dict[str, Any], list[str]]:
    """Fill the empty database of these settings from `source`; its manifest, and sentences on the keys.

    BackupProblem, and nothing changed, when the database holds any table, the file is damaged or of another version, or
    what arrives differs from what left.
    """
    if connection.introspection.table_names():
        raise BackupProblem(
            f"The database {_database()} is not empty, and a restore overwrites nothing. Name a new one in "
            "DATABASE_URL (SQLite: another file, or another DATA_DIR; PostgreSQL: createdb)."
        )
    # A database elsewhere leaves DATA_DIR alone, which need not be there or be writable then.
    beside = settings.DATA_DIR if connection.vendor == "sqlite" else None
    try:
        with tempfile.TemporaryDirectory(dir=beside, prefix=".restore.") as name:
            parts = Path(name)
            _unpack(source, parts)
            manifest = json.loads((parts / MANIFEST).read_text())
            _check(manifest)
            (_fill_sqlite if connection.vendor == "sqlite" else _fill_postgresql)(parts / DATABASE, manifest["tables"])
            return manifest, [said for file in KEYS if (said := _restore_key(parts / file))]
    except _DAMAGED as problem:
        raise BackupProblem(f"{source} is damaged, or no backup of Plimsoll ({problem}).") from problem
    except OSError as problem:
        raise BackupProblem(f"Cannot restore {source}: {problem.strerror or problem}.") from problem


def _unpack(source: Path, parts: Path) -> None:
    """Only the files a backup has, by our own names: what else an archive may hold stays in it."""
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isfile() and member.name in (MANIFEST, DATABASE, *KEYS):
                with archive.extractfile(member) as packed, (parts / member.name).open("wb") as file:
                    shutil.copyfileobj(packed, file)
    if not (parts / MANIFEST).exists() or not (parts / DATABASE).exists():
        raise ValueError("parts of it are missing")


def _check(manifest: dict[str, Any]) -> None:
    if manifest["format"] != FORMAT:
        raise BackupProblem("This backup was made by another version of Plimsoll. Restore it with that version.")
    if manifest["engine"] != connection.vendor:
        raise BackupProblem(
            f"This is a backup of a {manifest['engine']} database, and DATABASE_URL names a {connection.vendor} one."
        )
    known = MigrationLoader(None).disk_migrations
    apps = {app for app, _ in known}
    newer = [f"{app}.{name}" for app, name in manifest["migrations"] if app in apps and (app, name) not in known]
    if newer:
        raise BackupProblem(
            f"This backup is of a newer Plimsoll (it has {newer[0]}). Restore it with that version or a newer one."
        )


def _database() -> str:
    return str(connection.settings_dict["NAME"])


def _counts(cursor: Any, tables: list[str]) -> dict[str, int]:
    found = {}
    for table in tables:
        cursor.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608 (names from the database itself)
        [found[table]] = cursor.fetchone()
    return found


# --- SQLite ----------------------------------------------------------------------------------------------------------


def _copy_sqlite(target: Path) -> dict[str, int]:
    """By SQLite's online backup: one consistent state, while others read and write."""
    with closing(sqlite3.connect(_database(), timeout=20)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # so that the copy is one file
        return _rows_of_sound(copy)


def _fill_sqlite(source: Path, tables: dict[str, int]) -> None:
    with closing(sqlite3.connect(source)) as copy:
        if _rows_of_sound(copy) != tables:
            raise ValueError("its rows are not as many as it says")
        connections.close_all()
        with closing(sqlite3.connect(_database(), timeout=20)) as empty:
            copy.backup(empty)


def _rows_of_sound(database: sqlite3.Connection) -> dict[str, int]:
    """Rows per table, of a database that is sound; BackupProblem of another."""
    [verdict] = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise BackupProblem(f"The database is damaged ({verdict}). Restore an earlier backup.")
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return _counts(database.cursor(), sorted(name for (name,) in names))


# --- PostgreSQL ------------------------------------------------------------------------------------------------------

_NO_OWNER = ("--no-owner", "--no-privileges")  # the new machine's roles may have other names


def _dump_postgresql(target: Path) -> dict[str, int]:
    """By pg_dump, in the very snapshot in which the rows are counted."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        [snapshot] = cursor.fetchone()
        _run("pg_dump", "--format=custom", *_NO_OWNER, f"--snapshot={snapshot}", f"--file={target}")
        return _counts(cursor, sorted(connection.introspection.table_names(cursor)))


def _fill_postgresql(source: Path, tables: dict[str, int]) -> None:
    """In one transaction of pg_restore: all of it or nothing."""
    connections.close_all()
    _run("pg_restore", *_NO_OWNER, "--single-transaction", "--exit-on-error", str(source))
    with connection.cursor() as cursor:
        if _counts(cursor, sorted(connection.introspection.table_names(cursor))) != tables:
            raise BackupProblem("The rows that arrived are not those of the backup. Drop this database and try again.")


def _run(program: str, *arguments: str) -> None:
    """A program of PostgreSQL's on our database. The password goes by the environment, where `ps` does not show it."""
    (_, *where, name), env = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    command = [program, *where, f"--dbname={name}", "--no-password", *arguments]
    try:
        done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupProblem(
            f"{program} is not installed here. On Debian and Ubuntu: apt-get install postgresql-client"
        ) from None
    if done.returncode:
        raise BackupProblem(f"{program} failed: {done.stderr.strip() or done.returncode}")


# --- Keys ------------------------------------------------------------------------------------------------------------


def _present_key(file: str) -> str:
    value = getattr(settings, KEYS[file])
    return value if isinstance(value, str) else ",".join(value)


def _restore_key(kept: Path) -> str:
    """Put a key of the backup where the settings find it; a sentence for people where there is something to know."""
    setting, place = KEYS[kept.name], settings.DATA_DIR / kept.name
    if not kept.exists():
        return f"The backup holds no {setting}: set the one that belongs to it."
    if kept.read_text().strip() == _present_key(kept.name):
        return ""
    if not place.exists() or place.read_text().strip() != _present_key(kept.name):
        return (
            f"{setting} is set to something else here than where the backup was made. To read what it was there: "
            f"tar -xzOf BACKUP {kept.name}"
        )
    if place in keys.MADE_NOW:
        place.write_text(kept.read_text())
        return ""
    aside = place.with_name(f"{place.name}.before-{timezone.now():%Y%m%d-%H%M%S}")
    place.replace(aside)
    place.touch(mode=0o600)
    place.write_text(kept.read_text())
    return f"{place} is the backup's now; the one that was there is kept as {aside.name}."
