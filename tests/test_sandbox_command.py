"""Starting the sandbox: as a program, from manage.py, on a taken port; and how much of it there can be."""

import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError, call_command

from runs.sandbox.server import Sandbox

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def program(tmp_path):
    """The sandbox as a program of its own, and the line it prints."""
    command = [sys.executable, "-m", "runs.sandbox", "--port", "0", "--data-dir", str(tmp_path / "new")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def test_it_prints_its_address_keeps_its_file_and_ends_when_told(program, tmp_path):
    process, line = program
    url = line.removeprefix("Sandbox listening on ").split()[0]
    given = requests.get(f"{url}/__sandbox__/credentials", timeout=10).json()
    assert [given[key]["base_url"] for key in ("k6-legacy", "k6", "vsts", "azure")] == [url] * 4
    assert "300 k6-legacy runs, 300 vsts runs, 300 azure runs" in line
    assert (tmp_path / "new" / "sandbox.sqlite3").exists()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_taken_port_is_a_sentence(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            call_command("sandbox", port=port, db=":memory:")
    assert ended.value.code == 1
    expected = f"The sandbox cannot listen on 127.0.0.1:{port}: Address already in use. Choose another --port.\n"
    assert capsys.readouterr().err == expected


def test_impossible_sizes_are_a_sentence(capsys):
    with pytest.raises(SystemExit):
        call_command("sandbox", port=0, db=":memory:", tests=1)
    assert "at least 3 tests" in capsys.readouterr().err


def test_a_provider_nobody_knows_is_a_sentence(capsys):
    with pytest.raises(SystemExit):
        call_command("sandbox", port=0, db=":memory:", providers="vsts,gatling")
    assert capsys.readouterr().err == "--providers is some of k6-legacy,vsts,azure.\n"


def test_a_file_gets_a_history_of_the_providers_it_lacks(tmp_path):
    path = str(tmp_path / "old.sqlite3")
    Sandbox(tests=2, runs=6, db_path=path).stop()
    sandbox = Sandbox(tests=6, runs=30, db_path=path, providers=("k6-legacy", "vsts", "azure"))
    assert {key: len(runs) for key, runs in sandbox.store.runs.items()} == {"k6-legacy": 3, "vsts": 3, "azure": 10}
    sandbox.stop()


def test_a_file_of_another_version_is_a_sentence_and_is_left_as_it_is(capsys, tmp_path):
    path = tmp_path / "old.sqlite3"
    Sandbox(tests=2, runs=2, db_path=str(path)).stop()
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("DELETE FROM meta WHERE key = 'form'")
    with pytest.raises(SystemExit) as ended:
        call_command("sandbox", port=0, db=str(path))
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(f"{path} was made by another version of the sandbox. Delete it")
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def test_unknown_options_are_refused():
    with pytest.raises((CommandError, TypeError)):
        call_command("sandbox", "--colour", "blue")


def test_it_needs_neither_django_nor_anything_else_of_the_project():
    code = (
        "import sys, runs.sandbox.cli\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('django', 'dashboard', 'requests')"
        " or name.startswith('runs.') and not name.startswith('runs.sandbox')))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


@pytest.mark.slow
def test_twenty_thousand_runs_are_made_and_listed_quickly():
    began = time.perf_counter()
    with Sandbox(tests=200, runs=20_000) as sandbox:
        made = time.perf_counter() - began
        store = sandbox.store
        headers = {"Authorization": f"Bearer {store.secrets.vsts_pat}"}
        url = f"{sandbox.url}/_apis/clt/testruns?detailed=true&runType=*&fromDate=2000-01-01"
        began = time.perf_counter()
        rows = requests.get(url, headers=headers, timeout=10).json()
        listed = time.perf_counter() - began
        names = [len(set(store.tests[provider])) for provider in ("k6-legacy", "vsts")]
    assert len(rows) == 1000
    assert names == [100, 100]
    assert made < 20
    assert listed < 2  # 0.1 s on an idle machine
