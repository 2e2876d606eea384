"""`make run`: web server and worker for real accounts."""

import os
import signal
import socket

import pytest

from dashboard.processes import answers
from tests.processes import an_unused_port, manage_py, read_until, using

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("run")]  # one data directory for all


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def test_it_answers_says_how_to_sign_in_and_ends_without_a_trace(data):
    port = an_unused_port()
    with manage_py("run", "--port", str(port), DATA_DIR=str(data)) as process:
        try:
            said = read_until(process, "Make the first admin: .venv/bin/python manage.py create_admin")
            assert f"http://127.0.0.1:{port}/" in said
            assert "viewer" not in said
            assert answers("127.0.0.1", port, "/")
        finally:
            process.terminate()
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "Plimsoll has ended." in rest
    assert "Traceback" not in said + rest
    assert using(str(data)) == {}


def test_a_worker_that_dies_ends_the_web_server_too_and_says_so(data):
    port = an_unused_port()
    with manage_py("run", "--port", str(port), DATA_DIR=str(data)) as process:
        try:
            read_until(process, "create_admin")
            [worker] = [pid for pid, line in using(str(data)).items() if line.endswith("manage.py worker")]
            os.kill(worker, signal.SIGKILL)
            rest = process.stdout.read()
        finally:
            process.terminate()
    assert process.returncode == 1
    assert "The worker process ended by SIGKILL, so everything was stopped." in rest
    assert not answers("127.0.0.1", port, "/")


def test_with_https_on_it_says_what_that_needs(data):
    port = an_unused_port()
    with manage_py("run", "--port", str(port), DATA_DIR=str(data), HTTPS="on") as process:
        try:
            said = read_until(process, "create_admin")
        finally:
            process.terminate()
        process.stdout.read()
    assert "HTTPS=off make run" in said


def test_a_taken_port_is_told_in_a_sentence(data):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with manage_py("run", "--port", str(port), DATA_DIR=str(data)) as process:
            said = process.communicate(timeout=30)[0]
    assert process.returncode == 1
    assert f"Port {port} on 127.0.0.1 is not free" in said
    assert "Traceback" not in said
