"""The demo: the dashboard over stand-in providers, with data of its own and people anybody may sign in as."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.utils import timezone

from dashboard.processes import LOOPBACK, START_SECONDS, get_json, manage, prepare, start_dashboard
from dashboard.supervisor import Supervisor, check_port, free_port
from runs.accounts import resume_sync
from runs.models import Account

PASSWORD = "plimsoll"  # noqa: S105 (meant to be known: the demo is reachable from this machine only)
ROLES = ("viewer", "operator", "admin")
ACCOUNTS = {"k6-legacy": "k6 sandbox", "vsts": "VSTS sandbox"}
SANDBOX_PORT = 8089


class DemoRuns(Exception):
    """Another demo uses the same data directory."""


def environment(data_dir: Path) -> dict[str, str]:
    """The environment a demo runs in: ours, but with its own data, plain http, and no real database or keys."""
    return {
        "LOG_LEVEL": "WARNING",
        **os.environ,
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "ENV_FILE": os.devnull,
        "DATA_DIR": str(data_dir),
        "CELERY_BROKER_URL": "",
        "DATABASE_URL": f"sqlite:///{database(data_dir)}",
        "SECRET_KEY": "",
        "CREDENTIAL_KEYS": "",
        "PROVIDER_HOSTS": LOOPBACK,
        "HTTPS": "off",
        "DEBUG": "off",
        "TRUST_PROXY": "off",
    }


def database(data_dir: Path) -> Path:
    return data_dir / "plimsoll.sqlite3"


def in_demo_environment() -> bool:
    """Whether this process has the settings of `environment`, so that demo people cannot get into a real database."""
    return (
        settings.DATA_DIR.name == "demo"
        and Path(settings.DATABASES["default"]["NAME"]) == database(settings.DATA_DIR)
        and not settings.HTTPS
    )


def start(supervisor: Supervisor, port: int) -> None:
    """Start everything; returns when the first page answers on loopback. Raises as wait_until and check_port do."""
    check_port(LOOPBACK, port)
    sandbox_port = free_port(LOOPBACK, SANDBOX_PORT)
    supervisor.start("sandbox", manage("sandbox", "--port", str(sandbox_port)))
    prepare()
    add_people()
    add_accounts(sandbox_credentials(supervisor, sandbox_port))
    start_dashboard(supervisor, LOOPBACK, port)


def add_people() -> None:
    """One person per role, named after it. Their groups come from a migration."""
    for role in ROLES:
        if not User.objects.filter(username=role).exists():
            person = User.objects.create(username=role, password=make_password(PASSWORD))
            person.groups.add(Group.objects.get(name=role))


def sandbox_credentials(supervisor: Supervisor, port: int) -> dict[str, Any]:
    """Per provider key what the sandbox accepts: {"base_url": …, "credentials": {…}}. Waits until it is up."""
    answer: dict[str, Any] = {}

    def told() -> bool:
        answer.update(get_json(LOOPBACK, port, "/__sandbox__/credentials") or {})
        return bool(answer)

    supervisor.wait_until(told, START_SECONDS, "the sandbox")
    return answer


def add_accounts(credentials: Mapping[str, Any]) -> None:
    """The sandbox's accounts, pointed at where it listens this time and due at once. Their runs are kept."""
    for provider, name in ACCOUNTS.items():
        account = Account.objects.filter(name=name).first() or Account(name=name, provider=provider)
        moved = account.base_url != credentials[provider]["base_url"]
        account.base_url = credentials[provider]["base_url"]
        account.seal_credentials(credentials[provider]["credentials"])
        account.credentials_set_at = timezone.now()
        account.credentials_set_by = "make demo"
        account.save()
        resume_sync(account, moved=moved)


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the demo's data directory. Raises DemoRuns when another demo holds it; a killed one lets go by itself."""
    with (data_dir / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoRuns("The demo runs already. Press Ctrl-C there first, then start it again.") from None
        yield
