"""What the Makefile says on a machine that lacks something."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def poor_path(directory: Path, *programs: str) -> str:
    """A PATH on which only `programs` are found."""
    for program in programs:
        (directory / program).symlink_to(shutil.which(program))
    return str(directory)


def outcome(*command: str, cwd: Path = ROOT, **env: str) -> tuple[int, str]:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("target", ["demo", "run", "test", "lint"])
def test_an_old_python_is_told_before_anything_is_made(tmp_path, target):
    for pinned in ("requirements.txt", "requirements-demo.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / pinned, tmp_path)
    code, said = outcome("make", "-f", str(ROOT / "Makefile"), target, "PYTHON=false", cwd=tmp_path)
    assert code != 0
    assert "Plimsoll needs Python 3.11 or newer; false is not." in said
    assert not (tmp_path / ".venv").exists()


def test_without_chromium_the_tests_say_what_to_install_and_fail(tmp_path):
    env = {name: value for name, value in os.environ.items() if name != "CHROMIUM"}
    env["PATH"] = poor_path(tmp_path, "bash", "id")  # no apt-get either
    done = subprocess.run(
        [shutil.which("bash"), ".ci/chromium"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "The browser tests need Chromium, and there is none. Install it" in done.stderr


def test_a_wrong_chromium_is_told(tmp_path):
    code, said = outcome(".ci/chromium", CHROMIUM="/nowhere/chrome")
    assert code == 1
    assert "CHROMIUM names /nowhere/chrome, which is not a program here." in said


def test_the_named_chromium_is_the_one_used():
    assert outcome(".ci/chromium", CHROMIUM=shutil.which("bash")) == (0, shutil.which("bash") + "\n")


def test_every_target_is_in_the_help_and_in_the_guide():
    makefile, guide = (ROOT / "Makefile").read_text(), (ROOT / "CONTRIBUTING.md").read_text()
    guide += (ROOT / "README.md").read_text()
    listed = outcome("make", "-s")[1]
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split()) - {"help"}
    assert targets == set(re.findall(r"make ([\w-]+)", listed))
    assert [target for target in targets if f"make {target}" not in guide] == []


def test_vendoring_without_npm_says_so_and_changes_nothing(tmp_path):
    code, said = outcome(sys.executable, "scripts/vendor.py", PATH=poor_path(tmp_path))
    assert (code, said.count("\n")) == (1, 1)
    assert "needs npm" in said


@pytest.mark.parametrize("guide", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "runs/services/README.md"])
def test_every_file_that_a_guide_names_exists(guide):
    text = (ROOT / guide).read_text()
    named = set(re.findall(r"`((?:runs|dashboard|docs|tests|scripts|static)/[\w./-]*)`", text))
    named |= set(re.findall(r"\]\(([\w./-]+)\)", text))
    assert [
        name for name in named if not (ROOT / name).exists() and not (ROOT / guide).parent.joinpath(name).exists()
    ] == []
