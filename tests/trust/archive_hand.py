"""What tests.trust.test_archive_size has done in processes of their own: each function is one of its steps."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.core.management import call_command

from runs.archive.export import pieces
from runs.archive.imports import import_archive
from runs.choices import MessageLevel, RunResult, RunStatus
from runs.models import Account
from runs.services.base import RemoteDetails, RemoteError, RemoteMessage, RemoteMetric, RemoteRun, RemoteSeries
from runs.sync.details import save_details
from runs.sync.mirror import save_runs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BATCH = 500


def fill(runs: str) -> None:
    """An account with so many runs of 200 tests, each with what a run of ten minutes has below it."""
    call_command("migrate", verbosity=0)
    account = Account.objects.create(name="many", provider="vsts", base_url="https://acme.vsclt.visualstudio.com")
    for start in range(0, int(runs), BATCH):
        page = [_run(n) for n in range(start, min(start + BATCH, int(runs)))]
        for run in save_runs(account, page, NOON):
            save_details(run, _details(int(run.external_id.removeprefix("run-"))), NOON)


def _run(n: int) -> RemoteRun:
    at = NOON + timedelta(minutes=n)
    return RemoteRun(
        external_id=f"run-{n:08}", test_external_id=f"test {n % 200}", test_name=f"Test {n % 200}", number=n,
        status=RunStatus.FINISHED, result=RunResult.PASSED, requested_by=f"Person {n % 40}", created_at=at,
        load_started_at=at, ended_at=at + timedelta(minutes=10), note=f"build {n * 7919 % 100_003}",
        payload={"id": f"run-{n:08}", "settings": {f"setting {k}": f"value {n * k}" for k in range(30)}},
    )  # fmt: skip


def _details(n: int) -> RemoteDetails:
    numbers = {"count": n, "p95_ms": n % 997 + 0.5, "error_rate": 0.01}
    points = [(15.0 * i, float((n * 31 + i * 17) % 1009)) for i in range(40)]
    return RemoteDetails(
        errors=[
            RemoteError(
                type="HttpError",
                subtype=f"50{k}",
                occurrences=n % 50 + 1,
                message=f"It broke {k}",
                stack_trace="at x\n" * 20,
            )
            for k in range(3)
        ],
        messages=[
            RemoteMessage(external_id=str(k), level=MessageLevel.INFO, text=f"Line {k} of {n}") for k in range(3)
        ],
        metrics=[
            RemoteMetric(kind="run" if not k else "request", name=f"GET /{k}" if k else "", numbers=numbers)
            for k in range(9)
        ],
        series=[
            RemoteSeries(name=name, label=name, unit="", points=points) for name in ("vus", "avg_ms", "rate_per_s")
        ],
    )


def leave(file: str) -> int:
    """Export the account; how many bytes."""
    with Path(file).open("wb") as out:
        out.writelines(pieces(Account.objects.get(name="many")))
    return Path(file).stat().st_size


def come(file: str) -> list[int]:
    """Import it into this instance; how many runs were added, and how many were here already."""
    call_command("migrate", verbosity=0)
    report = import_archive({file: Path(file)})
    return [report.added, report.same]
