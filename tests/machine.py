"""A machine that Plimsoll runs on: a data directory, a database and keys of its own, and real processes over them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from tests.processes import ROOT
from tests.truth import expected_export

PASSWORD = "correct-horse-battery"  # of the people that `machine_steps.people` makes


class Machine:
    """`database_url` "" is SQLite inside `data_dir`; `env` are settings such as CREDENTIAL_KEYS."""

    def __init__(self, data_dir: Path, database_url: str = "", **env: str):
        self.data_dir = data_dir
        ours = {"ENV_FILE": os.devnull, "DATA_DIR": str(data_dir), "PROVIDER_HOSTS": "127.0.0.1", "HTTPS": "off"}
        ours |= {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "LOG_LEVEL": "WARNING"} | env
        if database_url:
            ours["DATABASE_URL"] = database_url
        # What the tests themselves run with is not this machine's.
        plain = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
        self.env = {**plain, **ours}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command here; its output and errors are one stream of text."""
        return subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def manage(self, *arguments: str) -> tuple[int, str]:
        """Exit status and what `manage.py` said with these arguments."""
        with self.start(sys.executable, "manage.py", *arguments) as process:
            said = process.communicate(timeout=900)[0]
        return process.returncode, said

    def done(self, *arguments: str) -> str:
        """What `manage.py` said, which has to succeed."""
        status, said = self.manage(*arguments)
        assert status == 0, said
        return said

    def step(self, name: str, *arguments: str) -> Any:
        """What a function of `tests.machine_steps` returns, called in a process of this machine."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.machine_steps", name, *arguments],
            cwd=ROOT, env=self.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def exported(self, account: str) -> dict[str, dict]:
        """The runs of one account (its slug), by external id, as `export_runs` writes them."""
        said = self.done("export_runs", "--format", "json", "--filter", f"account={account}")
        return {record["external_id"]: record for record in json.loads(said)}

    def missing(self, account: str, made: list[dict]) -> int:
        """How many of the runs a sandbox made are not exported as it made them, or are exported and were never made."""
        expected = {run["external_id"]: expected_export(run, account) for run in made}
        found = self.exported(account)
        differing = [key for key, record in expected.items() if not _same(found.get(key), record)]
        return len(differing) + len(found.keys() - expected.keys())


def signs_in(url: str, name: str, password: str) -> bool:
    """Whether a person gets from the sign-in page at this address to the runs, by HTTP and without scripts."""
    with requests.Session() as browser:
        page = browser.get(f"{url}/sign-in/", timeout=30)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
        form = {"csrfmiddlewaretoken": token, "username": name, "password": password}
        browser.post(f"{url}/sign-in/", data=form, headers={"Referer": url}, timeout=30)
        return browser.get(f"{url}/runs/", timeout=60, allow_redirects=False).status_code == 200


# The settings of the tests' own process, which tests/settings.py puts into the environment.
_SETTINGS = {
    "DATABASE_URL", "SECRET_KEY", "CREDENTIAL_KEYS", "DATA_DIR", "ENV_FILE", "DEBUG", "HTTPS", "TRUST_PROXY", "PORT",
    "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "PROVIDER_HOSTS", "LOG_LEVEL", "DJANGO_SETTINGS_MODULE",
    "CELERY_BROKER_URL",
}  # fmt: skip


def _same(found: dict | None, record: dict) -> bool:
    from tests.test_truth import same

    return found is not None and all(same(found[name], value) for name, value in record.items())
