"""`manage.py backup` and `restore`: what left arrives, and nothing is overwritten."""

import io
import json
import sqlite3
import stat
import tarfile
from pathlib import Path

import pytest
from django.db import connection

from dashboard import backups
from dashboard.backups import BackupProblem, restore_backup
from tests.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("backups")]  # one machine for all


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine with a few rows of everything."""
    machine = Machine(tmp_path_factory.mktemp("old"))
    machine.digest = machine.step("old_machine")
    return machine


@pytest.fixture(scope="module")
def backup(old: Machine) -> Path:
    file = old.data_dir / "backup.tar.gz"
    said = old.done("backup", str(file))
    assert "40 runs among them" in said
    assert "It holds the keys too" in said
    return file


def test_an_empty_machine_has_everything_afterwards(old, backup, tmp_path):
    new = Machine(tmp_path / "data")
    said = new.done("restore", str(backup))
    assert "40 runs among them" in said
    assert "Everybody signs in anew" in said
    seen = new.step("state")
    assert seen["signs in"]
    assert seen["opened"] == {"shop": {"token": "tok_of_shop"}}
    assert seen["intents"] == ["sent", "sent"], "what may have been sent since the backup is looked for"
    before, after = dict(old.digest), dict(seen["digest"])
    assert before.pop("runs_controlintent") != after.pop("runs_controlintent")
    assert after == before
    assert after["runs_run"]["rows"] == 40
    for key in ("secret_key", "credential_keys"):
        assert (new.data_dir / key).read_text() == (old.data_dir / key).read_text()
        assert stat.S_IMODE((new.data_dir / key).stat().st_mode) == 0o600
    assert list(new.data_dir.glob("*.before-*")) == [], "keys that were made for nothing are not kept"
    status, said = new.manage("restore", str(backup))
    assert status == 1
    assert "is not empty, and a restore overwrites nothing. Name a new one in DATABASE_URL" in said
    assert new.step("state") == seen


def test_only_its_owner_reads_a_backup_and_none_is_overwritten(old, backup):
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    before = backup.read_bytes()
    status, said = old.manage("backup", str(backup))
    assert (status, backup.read_bytes()) == (1, before)
    assert "exists already; a backup overwrites nothing" in said
    assert [path.name for path in old.data_dir.iterdir() if path.name.startswith(".")] == []


def test_without_keys_it_holds_none_and_says_what_that_means(old, backup, tmp_path):
    said = old.done("backup", "--without-keys", str(tmp_path / "b.tar.gz"))
    assert "without the CREDENTIAL_KEYS of today the accounts' credentials in it are lost" in said
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        assert archive.getnames() == ["manifest.json", "database"]


# --- What is refused, with a sentence; in this process, as if its database were empty -------------------------------


@pytest.fixture
def empty(monkeypatch, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(connection.introspection, "table_names", lambda cursor=None: [])


def archive_of(path: Path, **changes: object) -> Path:
    """A backup of an empty SQLite database, with changes to its manifest."""
    sqlite3.connect(path / "database").close()
    manifest = {"format": 1, "engine": connection.vendor, "migrations": [], "tables": {}, **changes}
    (path / "manifest.json").write_text(json.dumps(manifest))
    with tarfile.open(path / "b.tar.gz", "w:gz") as archive:
        for name in ("manifest.json", "database"):
            archive.add(path / name, name)
    return path / "b.tar.gz"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": 2}, "made by another version of Plimsoll"),
        ({"engine": "oracle"}, "a backup of a oracle database, and DATABASE_URL names a"),
        ({"migrations": [["runs", "0999_later"]]}, r"of a newer Plimsoll \(it has runs.0999_later\)"),
    ],
)
def test_a_backup_that_does_not_belong_here_is_refused(empty, tmp_path, changes, sentence):
    with pytest.raises(BackupProblem, match=sentence):
        restore_backup(archive_of(tmp_path, **changes))


@pytest.mark.django_db
def test_half_a_backup_is_refused(empty, backup, tmp_path):
    half = tmp_path / "half.tar.gz"
    half.write_bytes(backup.read_bytes()[:5000])
    with pytest.raises(BackupProblem, match="is damaged, or no backup"):
        restore_backup(half)


@pytest.mark.django_db
@pytest.mark.parametrize("content", [b"", b"no archive at all"])
def test_another_file_is_refused(empty, tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(BackupProblem, match="is damaged, or no backup"):
        restore_backup(tmp_path / "other")
    with pytest.raises(BackupProblem, match="No such file"):
        restore_backup(tmp_path / "none")


def test_only_a_backups_own_files_are_unpacked(tmp_path):
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        for name in ("manifest.json", "database", "../outside", "other"):
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"{}"))
    (tmp_path / "in").mkdir()
    backups._unpack(tmp_path / "b.tar.gz", tmp_path / "in")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b.tar.gz", "database", "in", "manifest.json"]


def test_keys_of_the_environment_stand_and_the_difference_is_told(settings, tmp_path):
    settings.DATA_DIR, settings.CREDENTIAL_KEYS = tmp_path, ["of the environment"]
    (tmp_path / "parts").mkdir()
    kept = tmp_path / "parts" / "credential_keys"
    kept.write_text("of the backup\n")
    assert "CREDENTIAL_KEYS is set to something else here" in backups._restore_key(kept)
    assert not (tmp_path / "credential_keys").exists()


def test_a_key_that_was_here_is_kept_aside(settings, tmp_path):
    settings.DATA_DIR, settings.CREDENTIAL_KEYS = tmp_path, ["of before"]
    (tmp_path / "credential_keys").write_text("of before\n")
    (tmp_path / "parts").mkdir()
    kept = tmp_path / "parts" / "credential_keys"
    kept.write_text("of the backup\n")
    assert "is the backup's now; the one that was there is kept as credential_keys.before-" in backups._restore_key(
        kept
    )
    assert (tmp_path / "credential_keys").read_text() == "of the backup\n"
    [aside] = tmp_path.glob("credential_keys.before-*")
    assert aside.read_text() == "of before\n"
