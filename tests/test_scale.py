"""20,000 runs of 200 tests, one inserted between pages: the export still equals the truth. `make scale` runs it."""

import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
import requests

from runs.models import Run
from runs.sync import sync_account
from tests.processes import ROOT
from tests.test_truth import add_accounts, assert_export_is_the_truth

pytestmark = [pytest.mark.scale, pytest.mark.django_db(transaction=True)]


@dataclass
class Served:
    """A sandbox in a process of its own, as far as `tests.test_truth` needs to know it."""

    url: str

    def post(self, page: str, body: dict) -> None:
        requests.post(f"{self.url}/__sandbox__/{page}", json=body, timeout=60).raise_for_status()


@pytest.fixture
def sandbox(tmp_path):
    command = [sys.executable, "-m", "runs.sandbox", "--port", "0", "--tests", "200", "--runs", "20000"]
    command += ["--providers", "k6-legacy,vsts", "--db", str(tmp_path / "sandbox.sqlite3")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            served = Served(process.stdout.readline().split()[3])
            served.post("freeze", {"frozen": True})
            yield served
        finally:
            process.terminate()


@pytest.mark.parametrize("provider", ["k6-legacy", "vsts"])
def test_ten_thousand_runs_of_a_provider_equal_the_truth(sandbox, provider):
    account = add_accounts(sandbox)[provider]
    sandbox.post("insert_between_pages", {"provider": provider, "after_pages": 5})
    began = time.monotonic()
    listed = sync_account(account, full=True, details_budget=0)
    in_list = time.monotonic() - began
    read = sync_account(account, details_budget=None)
    in_all = time.monotonic() - began
    assert (listed.error, read.error) == ("", "")
    equal = assert_export_is_the_truth(sandbox, account)
    print(
        f"{provider}: {equal:,} of {Run.objects.count():,} runs equal the truth; the list was complete after "
        f"{in_list:.1f} s ({listed.pages} pages), the details of {read.details:,} runs after {in_all:.0f} s"
    )
    assert equal == 10_001
