"""The demo: the dashboard over stand-in providers, with data of its own and people anybody may sign in as."""

import fcntl
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.utils import timezone

from dashboard.processes import LOOPBACK, START_SECONDS, answers, get_json, manage, prepare, start_dashboard
from dashboard.supervisor import Supervisor, check_port, free_port
from runs.accounts import resume_sync
from runs.models import Account, LoadTest
from runs.services import SERVICES
from runs.services.locust import TEST_ID, LocustService

PASSWORD = "plimsoll"  # noqa: S105 (meant to be known: the demo is reachable from this machine only)
ROLES = ("viewer", "operator", "admin")
MADE_BY = "make demo"
SANDBOX_PORT, TARGET_PORT, LOCUST_PORT = 8089, 8090, 8091
HERE = Path(__file__).parent
# How its load begins in the start dialog, and thresholds that it does not hold.
START_VALUES = {"users": "20", "spawn_rate": "4", "host": "", "run_time": "3m"}
THRESHOLDS = {"p95_ms": 300, "error_rate": 0.01, "rate_per_s": 5}
NO_LOAD = (
    "Locust is not installed, so the demo starts no real load: pip install --require-hashes -r requirements-demo.txt"
)


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
    locust_port = start_load(supervisor)
    prepare()
    add_people()
    credentials = sandbox_credentials(supervisor, sandbox_port)
    send_sign_ins_to_the_sandbox(credentials)
    add_accounts(credentials)
    if locust_port:
        supervisor.wait_until(lambda: answers(LOOPBACK, locust_port, "/"), START_SECONDS, "Locust")
        add_load_account(f"http://{LOOPBACK}:{locust_port}")
    start_dashboard(supervisor, LOOPBACK, port)


def start_load(supervisor: Supervisor) -> int | None:
    """A small application, and a real Locust for it: that one's port, or None, which is said, where there is none."""
    if importlib.util.find_spec("locust") is None:
        supervisor.say(NO_LOAD)
        return None
    target = free_port(LOOPBACK, TARGET_PORT)
    supervisor.start("target", [sys.executable, str(HERE / "demo_target.py"), str(target)])
    port = free_port(LOOPBACK, LOCUST_PORT)
    # It prints the traceback of each exception, and its users raise many.
    supervisor.start("locust", locust(port, f"http://{LOOPBACK}:{target}"), quiet=True)
    return port


def locust(port: int, target: str) -> list[str]:
    """The command line of a Locust that waits to be started from its web interface, or from here."""
    return [
        *(sys.executable, "-m", "locust", "--locustfile", str(HERE / "demo_locustfile.py")),
        *(
            "--web-host",
            LOOPBACK,
            "--web-port",
            str(port),
            "--host",
            target,
            "--loglevel",
            "WARNING",
            "--skip-log-setup",
        ),
    ]


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


def send_sign_ins_to_the_sandbox(credentials: Mapping[str, Any]) -> None:
    """For the processes that are started from now on: tokens come from the sandbox, too, where a provider has them."""
    for provider, access in credentials.items():
        if "login_url" in access:
            os.environ[f"{provider.upper()}_LOGIN_URL"] = access["login_url"]


def add_accounts(credentials: Mapping[str, Any]) -> None:
    """The sandbox's accounts, pointed at where it listens this time and due at once. Their runs are kept."""
    for provider, access in credentials.items():
        if provider in SERVICES:
            add_account(provider, f"{SERVICES[provider].label}, sandbox", access["base_url"], access["credentials"])


def add_account(provider: str, name: str, base_url: str, credentials: Mapping[str, str]) -> Account:
    """The demo's account at a provider, as an earlier start made it or new."""
    account = Account.objects.filter(provider=provider, credentials_set_by=MADE_BY).first()
    account = account or Account(name=name, provider=provider)
    moved = account.base_url != base_url
    account.base_url = base_url
    account.seal_credentials(credentials)
    account.credentials_set_at = timezone.now()
    account.credentials_set_by = MADE_BY
    account.save()
    resume_sync(account, moved=moved)
    return account


def add_load_account(base_url: str) -> None:
    """The Locust of the demo, and thresholds for its load test that somebody may change."""
    account = add_account(LocustService.provider, "Locust on this machine", base_url, {})
    LoadTest.objects.get_or_create(
        account=account, external_id=TEST_ID,
        defaults={"name": "Demo shop", "start_values": START_VALUES, "own_thresholds": THRESHOLDS},
    )  # fmt: skip


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the demo's data directory. Raises DemoRuns when another demo holds it; a killed one lets go by itself."""
    with (data_dir / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoRuns("The demo runs already. Press Ctrl-C there first, then start it again.") from None
        yield
