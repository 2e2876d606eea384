"""What is proven of each provider, and the table that says so. A row is one provider."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import requests
from django.test import override_settings

from runs.choices import ENDED
from runs.models import Account, Run, RunError
from runs.sandbox.models import home
from runs.sandbox.server import Sandbox
from runs.sync import sync_account
from tests.processes import ROOT
from tests.test_truth import FROZEN, add_account, assert_export_is_the_truth, truth

RUNS, TESTS = int(os.environ.get("TRUST_RUNS") or 200), 6
ROWS_A_PAGE = 7
A_WHILE_S = 4 * 3600
HEAD = ("provider", "runs equal to the truth", "seconds", "calls", "start seen", "stop seen", "error tree", "contract")
CONTRACT = "tests/services/test_contract.py"


@dataclass
class Proof:
    provider: str
    runs: str = ""
    seconds: float = 0
    calls: int = 0
    started: str = ""
    stopped: str = ""
    tree: str = ""
    contract: str = ""


# --- a sync ----------------------------------------------------------------------------------------------------------


def prove_sync(proof: Proof) -> None:
    """All that the provider's sandbox made, read in small pages while a run is started; and again a while later."""
    made = {"seed": 11, "tests": TESTS, "runs": RUNS, "providers": (home(proof.provider),)}
    with Sandbox(speed=60, clock=FROZEN.timestamp, **made) as sandbox, override_settings(AZURE_LOGIN_URL=sandbox.url):
        account = add_account(proof.provider, requests.get(f"{sandbox.url}/__sandbox__/credentials", timeout=10).json())
        hook = {"provider": proof.provider, "after_pages": 3}
        requests.post(f"{sandbox.url}/__sandbox__/insert_between_pages", json=hook, timeout=10).raise_for_status()
        began = time.monotonic()
        report = sync_account(account, full=True, details_budget=None, page_size=ROWS_A_PAGE)
        proof.seconds, proof.calls = time.monotonic() - began, len(sandbox.store.ledger.rows()) - 2
        assert (report.error, report.bad) == ("", [])
        assert sync_account(account, details_budget=None).error == ""
        equal = assert_export_is_the_truth(sandbox, account)
        live = account.runs.live().count()
        sandbox.advance(A_WHILE_S)
        Run.objects.exclude(details_again_at=None).update(details_again_at=FROZEN)  # the time of our clock stood
        assert sync_account(account, details_budget=None).error == ""
        assert_export_is_the_truth(sandbox, account)
        ended = live - account.runs.live().count()
        proof.runs = f"{equal}; {ended} of {live} ended later"
        prove_errors(proof, account, truth(sandbox, proof.provider))


def prove_errors(proof: Proof, account: Account, made: Iterable[dict[str, Any]]) -> None:
    """Of each run that ended, as many errors as it was made with; the fullest tree is shown."""
    ended = {run.external_id: run for run in account.runs.filter(status__in=ENDED)}
    for row in made:
        if row["external_id"] in ended and row.get("results_ready", True):
            run, told = ended[row["external_id"]], Counter()
            for error in RunError.objects.filter(run=run):
                told[error.type] += error.occurrences
                told[error.subtype] += error.occurrences
            missing = {name: (told[name], count) for name, count in row["errors"].items() if told[name] != count}
            assert not missing, f"run {run.external_id}: (told, made)"
    fullest = Run.objects.filter(account=account).order_by("-error_count").first()
    proof.tree = tree(list(RunError.objects.filter(run=fullest).values("type", "subtype", "occurrences")))
    assert fullest.error_count


def tree(errors: list[dict[str, Any]]) -> str:
    types, total = {error["type"] for error in errors}, sum(error["occurrences"] for error in errors)
    return f"{len(types)} types ({', '.join(sorted(types))}), {len(errors)} details, {total} occurrences"


# --- the suite of every service --------------------------------------------------------------------------------------


def prove_contract(proof: Proof) -> None:
    """Of the suite that every service passes, the tests of this provider: their ids end with its key."""
    listed = pytest_says("--collect-only", "-q", CONTRACT)
    mine = [line for line in listed.splitlines() if re.search(rf"[-\[]{proof.provider}\]$", line)]
    said = pytest_says("-q", "-p", "no:randomly", *mine)
    proof.contract = said.strip().splitlines()[-1].partition(" in ")[0]
    assert proof.contract == f"{len(mine)} passed", said[-3000:]


def pytest_says(*arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3000).stdout


# --- the table -------------------------------------------------------------------------------------------------------


def table(proofs: list[Proof]) -> str:
    rows = [
        (one.provider, one.runs, f"{one.seconds:.1f}", str(one.calls), one.started, one.stopped, one.tree, one.contract)
        for one in proofs
    ]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in (HEAD, *rows)]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
