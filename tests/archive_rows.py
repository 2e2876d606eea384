"""An account with a row of every kind that an archive keeps, each column of it filled; and how it is taken away."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models

from runs.archive.columns import BELOW, COLUMNS_BELOW, INTENT, LOAD_TEST, PERSON, RUN, SCHEDULE
from runs.archive.export import pieces
from runs.archive.imports import import_archive
from runs.archive.report import Report
from runs.choices import IntentOutcome, RunResult, RunStatus
from runs.models import Account, ControlIntent, DayResult, LoadTest, Person, Run, RunPayload, Schedule
from tests.rows import make_account

BEGAN = datetime(2026, 3, 5, 9, 12, 10, 123456, tzinfo=UTC)


def filled(columns: tuple[models.Field, ...], n: int, **own: Any) -> dict[str, Any]:
    """A value for each column that is not its default, other ones for another `n`; `own` goes before."""
    return {column.name: own.get(column.name, _value(column, n)) for column in columns}


def _value(column: models.Field, n: int) -> Any:
    if column.choices:
        return dict(column.flatchoices).popitem()[0]
    kind = column.get_internal_type()
    if kind in ("CharField", "TextField"):
        return f"{column.name} {n} – “é”\u2028"[: column.max_length]
    if kind == "DateTimeField":
        return BEGAN + timedelta(minutes=n, microseconds=len(column.name))
    if kind == "BooleanField":
        return True
    if kind == "FloatField":
        return n + 0.1
    if kind == "JSONField":
        return {"b": [n, 1.5, None], "a": "x"} if not column.has_default() or column.get_default() == {} else [[n, 2.5]]
    return n


def make_full_account(name: str = "retail-prod") -> Account:
    """Two load tests, a schedule, three people (one of them ours), four runs, two presses."""
    account = make_account(name, "vsts", base_url="https://acme.vsclt.visualstudio.com")
    tests = [
        LoadTest.objects.create(
            account=account, **filled(LOAD_TEST, n, external_id=f"t{n}", own_thresholds={"p95_ms": n})
        )
        for n in (1, 2)
    ]
    Schedule.objects.create(load_test=tests[0], **filled(SCHEDULE, 1))
    person = Person(account=account, **filled(PERSON, 1))
    person.display = person.display_name()
    person.save()
    number = Person.objects.create(account=account, key="703", display="user 703")
    ours = Person.objects.create(key=f"of {name}", name="maya", display="maya")
    make_full_run(tests[0], 1, requested_by=ours, provider_requested_by=person, stopped_by=number)
    make_full_run(tests[1], 2, requested_by=number)
    Run.objects.create(
        account=account, load_test=tests[0], external_id="bare", status=RunStatus.FINISHED, result=RunResult.NONE,
        created_at=BEGAN, synced_at=BEGAN,
    )  # fmt: skip
    Run.objects.create(
        account=account, load_test=tests[0], external_id="LIVE", status=RunStatus.RUNNING, result=RunResult.NONE,
        created_at=BEGAN, synced_at=BEGAN,
    )  # fmt: skip
    for n, outcome in ((1, IntentOutcome.DONE), (2, IntentOutcome.SENT)):
        intent = ControlIntent.objects.create(
            account=account, load_test=tests[0], run=Run.objects.get(account=account, external_id=f"r{n}"),
            **filled(INTENT, n, outcome=outcome, settled_at=BEGAN if outcome == IntentOutcome.DONE else None),
        )  # fmt: skip
        ControlIntent.objects.filter(pk=intent.pk).update(created_at=BEGAN + timedelta(hours=n))
    return account


def make_full_run(test: LoadTest, n: int, **refs: Person) -> Run:
    own = {
        "external_id": f"r{n}",
        "status": RunStatus.FINISHED,
        "result": RunResult.FAILED,
        "details_error": "",
        "gone_at": None,
    }
    run = Run.objects.create(
        account=test.account, load_test=test, **filled(RUN, n, judged_result=RunResult.FAILED, **own), **refs
    )
    for name, model in BELOW.items():
        for m in (2, 1):
            extra = {
                "fingerprint": f"{m:016x}",
                "points": [[0, 1.5], [15.0, 2]],
                "numbers": {"p95_ms": 1.5, "count": 3},
            }
            model.objects.create(run=run, **filled(COLUMNS_BELOW[name], m, **extra))
    RunPayload.objects.create(run=run, payload={"id": f"r{n}", "name": "Checkout", "list": [1, 2.5, None, "x"]})
    return run


def wipe(account: Account) -> None:
    """Everything of the account, as if this instance had never known it."""
    ControlIntent.objects.filter(account=account).delete()
    account.runs.all().delete()
    DayResult.objects.filter(load_test__account=account).delete()
    account.load_tests.all().delete()
    account.delete()


def exported(account: Account, **options: Any) -> bytes:
    return b"".join(pieces(account, **options))


def imported(data: bytes, file: str = "archive.zip", **options: Any) -> Report:
    return import_archive({file: io.BytesIO(data)}, **options)


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def lines(data: bytes, name: str = "runs.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in members(data)[name].splitlines()]


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def resealed(data: bytes, **changed: bytes) -> bytes:
    """The archive with other members (`runs` is runs.jsonl, `manifest` its manifest), and with hashes that fit them."""
    files = members(data)
    files |= {f"{name}.jsonl": content for name, content in changed.items() if name != "manifest"}
    manifest = json.loads(files["manifest.json"])
    for name, about in manifest["files"].items():
        about["sha256"] = hashlib.sha256(files[name]).hexdigest()
    manifest |= json.loads(changed.get("manifest", b"{}"))
    return zipped(files | {"manifest.json": json.dumps(manifest)})
