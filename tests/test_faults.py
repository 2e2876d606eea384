"""A provider that misbehaves: a fault of each class against both providers, in short. `make trust` shows them all.

Each cell is a sync, a start or a stop that meets the fault: what a person sees and what is kept is as it was designed,
nothing is lost, nothing is sent twice, and once the fault is lifted our rows are the provider's truth.
"""

import re
from pathlib import Path

import pytest

from runs.models import Run
from runs.sandbox.server import Sandbox
from runs.services.base import UnexpectedAnswer
from runs.services.http import Http
from runs.sync import sync_account
from tests.fault_matrix import FAULTS, K6, PROVIDERS, VSTS, Theatre, table
from tests.test_truth import add_accounts

SHORT = {
    "kind=401": ("sync", "start"),
    "kind=429,retry_after=1e9": ("sync",),
    "kind=503,done=yes": ("start",),
    "kind=truncated": ("sync",),
    "kind=drip_body": ("sync",),
    "kind=lost": ("start", "stop"),
    "kind=redirect": ("sync",),
    "kind=endless": ("sync",),
    "kind=dead,seconds=3600": ("sync", "stop"),
    "kind=skew,hours=-5": ("sync",),
}


@pytest.mark.django_db
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_fault_of_each_class_ends_as_it_was_designed(provider, monkeypatch, tmp_path):
    # How soon a worker is free is measured by the whole matrix: this machine may be busy with other tests.
    theatre = Theatre(provider, 1, monkeypatch, tmp_path / "made", slack_s=20)
    chosen = {fault.spec: fault for fault in FAULTS if fault.spec in SHORT}
    cells = [theatre.play(chosen[spec], action) for spec, actions in SHORT.items() for action in actions]
    wrong = [cell for cell in cells if cell.wrong]
    assert not wrong, f"\n{table(wrong)}"


def peak_mb() -> float:
    """The most memory this process has had, since it was last asked to forget that."""
    [line] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) / 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
@pytest.mark.parametrize("spec", ["kind=huge", "kind=bomb", "kind=deep"])
def test_a_body_that_is_far_too_large_costs_little_memory(spec):
    with Sandbox(tests=2, runs=2, faults=[f"{spec},path=/warm,times=1", spec]) as sandbox:
        http = Http(sandbox.url, provider="Sandbox", hosts=(), extra_hosts=("127.0.0.1",), max_bytes=2**20)
        with pytest.raises(UnexpectedAnswer):  # a bomb is made by the sandbox, which is in this process too
            http.get("/warm")
        http.max_bytes = 32 * 2**20
        Path("/proc/self/clear_refs").write_text("5")
        before = peak_mb()
        with pytest.raises(UnexpectedAnswer, match=r"larger than 32 MB|nested too deep"):
            http.get("/v3/organizations")
        rise = peak_mb() - before
    print(f"{spec}: {rise:.0f} MB more at the peak")
    assert rise < 64  # twice what is kept at most, of 200; a busy process takes some memory of its own meanwhile


@pytest.mark.django_db
@pytest.mark.parametrize("provider", [K6, VSTS])
@pytest.mark.parametrize("hours", [-25, -5, 5, 25])
def test_a_wrong_clock_of_a_provider_shows_no_time_that_runs_backwards(viewer, provider, hours):
    with Sandbox(tests=2, runs=4, speed=1, faults=[f"kind=skew,hours={hours}"]) as sandbox:
        account = add_accounts(sandbox)[provider]
        started = sandbox.store.insert_run(provider).id
        assert sync_account(account).error == ""
        run = Run.objects.get(account=account, external_id=started)
    for page in ("/runs/", f"/runs/{run.pk}/", "/tests/"):
        shown = viewer.get(page).content.decode()
        assert not re.search(r">\s*[-−–]\s?\d[^<]* (?:s|min|h|d)\b", shown), page
