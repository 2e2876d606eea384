"""Dockerfile and compose.yaml name what is there, hold no secret, and start what `make run` starts."""

import json
import re
import sys

import pytest

from dashboard import processes
from tests import compose
from tests.processes import ROOT
from tests.test_settings import NAMES

GIVEN = ["POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "SECRET_KEY", "CREDENTIAL_KEYS", "ALLOWED_HOSTS"]
OURS = ("migrate", "web", "worker", "beat", "manage")
JOBS = ("migrate", "manage")


def test_every_process_has_the_same_settings_and_each_is_one():
    for service in OURS:
        assert compose.services()[service]["environment"] == compose.services()["web"]["environment"]
    assert set(compose.services()["web"]["environment"]) <= NAMES


def test_it_holds_no_secret_and_does_not_start_without_one():
    for name in GIVEN:
        values = dict.fromkeys(GIVEN, "given")
        del values[name]
        with pytest.raises(KeyError, match=name):
            compose.environment("web", values)
    assert not re.search(r"^ *\w*(PASSWORD|PASS|KEYS?|TOKEN): *(?!\$\{)\S", compose.FILE.read_text(), re.M)


def test_the_web_server_is_the_one_that_make_run_starts():
    words = compose.services()["web"]["command"]
    ours = processes.web("0.0.0.0", 8000)  # noqa: S104 (compared, not listened on)
    at = ours.index("--working-dir")
    assert ["python", *ours[1:at], *ours[at + 2 :]] == words
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert json.loads(re.search(r"^CMD (.*)$", dockerfile, re.M)[1]) == words


def test_two_web_servers_two_workers_and_one_beat():
    replicas = {name: service.get("deploy", {}).get("replicas", 1) for name, service in compose.services().items()}
    assert (replicas["web"], replicas["worker"], replicas["beat"]) == (2, 2, 1)


def test_what_stays_up_is_watched_and_started_again():
    for name, service in compose.services().items():
        assert (service["restart"] == "unless-stopped") == (name not in JOBS)
        assert ("healthcheck" in service) == (name not in JOBS)


def test_our_processes_own_nothing_they_do_not_need():
    for name in OURS:
        service = compose.services()[name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", (ROOT / "Dockerfile").read_text(), re.M)


def test_every_image_is_pinned_by_a_tag():
    images = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    images += [service["image"] for name, service in compose.services().items() if name not in OURS]
    assert len(images) == 4
    assert [image for image in images if not re.search(r":\d", image)] == []


def test_the_image_is_built_from_nothing_but_what_runs():
    taken = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    assert sorted(taken) == sorted(" ".join(copied).split())
    assert [name for name in taken if not (ROOT / name).exists()] == []


def test_commands_are_filled_in_as_compose_does():
    assert compose.filled("${A:-x}/${B:?why}", {"B": "b"}) == "x/b"
    assert compose.command(["python", "-V", "8000"], {"8000": "81"}) == [sys.executable, "-V", "81"]
