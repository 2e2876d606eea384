"""The settings as production sees them: read in a fresh process, from a given environment."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client

from dashboard import keys

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = (ROOT / "dashboard" / "settings.py").read_text()
NAMES = set(re.findall(r'env(?:\.\w+)?\(\s*"([A-Z_]+)"', SETTINGS))
# Without django.setup(), which would load all models too: that they load is what every command's own tests see.
SHOW = """
import json
from django.conf import settings
names = {names!r}
print(json.dumps({{name: getattr(settings, name, None) for name in names}}))
"""


def environment(data_dir: Path, **values: str) -> dict[str, str]:
    # Other tests of this process may have set Django's own names; a deployment has none of them.
    plain = {name: value for name, value in os.environ.items() if name not in NAMES and not name.startswith("DJANGO_")}
    return {
        **plain,
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "ENV_FILE": os.devnull,
        "DATA_DIR": str(data_dir),
        **values,
    }


def settings_of(data_dir: Path, *names: str, **values: str) -> dict:
    """What a new process has under `names`, with only `values` set."""
    command = [sys.executable, "-W", "error", "-c", SHOW.format(names=names)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(data_dir, **values), check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def test_every_setting_is_in_the_example_file():
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named == NAMES


def test_every_setting_is_in_the_documentation():
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert named == NAMES


def test_every_setting_is_fixed_in_the_tests():
    fixed = set(re.findall(r"^    ([A-Z_]+)=", (ROOT / "tests" / "settings.py").read_text(), re.MULTILINE))
    assert fixed == NAMES


def test_without_configuration_it_is_safe(tmp_path):
    seen = settings_of(
        tmp_path,
        *("DEBUG", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE"),
        *("CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE", "SECURE_PROXY_SSL_HEADER", "PROVIDER_HOSTS", "STORAGES"),
    )
    assert seen.pop("STORAGES")["staticfiles"]["BACKEND"] == "dashboard.static_files.StaticFiles"
    assert seen == {
        "DEBUG": False,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_NAME": "__Host-csrftoken",
        "CSRF_COOKIE_SECURE": True,
        "SECURE_PROXY_SSL_HEADER": None,
        "PROVIDER_HOSTS": [],
    }


def test_https_can_be_turned_off_for_one_machine(tmp_path):
    seen = settings_of(
        tmp_path, "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_NAME", "CSRF_COOKIE_SECURE", HTTPS="off"
    )
    assert seen == {
        "SECURE_SSL_REDIRECT": False,
        "SECURE_HSTS_SECONDS": 0,
        "SESSION_COOKIE_NAME": "sessionid",
        "CSRF_COOKIE_SECURE": False,
    }


def test_lists_are_separated_by_commas(tmp_path):
    seen = settings_of(
        tmp_path,
        *("CREDENTIAL_KEYS", "PROVIDER_HOSTS", "ALLOWED_HOSTS"),
        CREDENTIAL_KEYS="new,old",
        PROVIDER_HOSTS="10.0.0.7:8443,loadtest.internal",
        ALLOWED_HOSTS="a.example,b.example",
    )
    assert seen == {
        "CREDENTIAL_KEYS": ["new", "old"],
        "PROVIDER_HOSTS": ["10.0.0.7:8443", "loadtest.internal"],
        "ALLOWED_HOSTS": ["a.example", "b.example"],
    }


@pytest.mark.parametrize("port", ["abc", "0", "70000", "-1", "٣"])
def test_a_port_that_is_none_is_a_sentence(port):
    with pytest.raises(ImproperlyConfigured) as refused:
        keys.port(port)
    assert str(refused.value) == f"PORT is “{port}”. Give a number from 1 to 65535: PORT=8001"


def test_a_command_says_the_sentence_and_nothing_else(tmp_path):
    command = [sys.executable, "manage.py", "run"]
    env = environment(tmp_path, PORT="abc")
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "Plimsoll cannot start with these settings. PORT is “abc”. Give a number from 1 to 65535: PORT=8001\n"
    )


def test_logs_can_be_json_objects(tmp_path):
    code = "import django, logging; django.setup(); logging.getLogger('runs').warning('heard: token=k6secret')"
    env = environment(tmp_path, LOG_FORMAT="json")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    line = json.loads(done.stdout)
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "runs", "heard: token=[hidden]")


def test_a_log_format_that_is_none_is_a_sentence(tmp_path):
    with pytest.raises(subprocess.CalledProcessError) as ended:
        settings_of(tmp_path, "LOG_FORMAT", LOG_FORMAT="xml")
    assert ended.value.stderr.endswith("LOG_FORMAT is “xml”. It may be line or json: LOG_FORMAT=line\n")


def test_deployment_checks_have_nothing_to_say(tmp_path):
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


def test_generated_keys_are_kept_and_only_their_owner_reads_them(tmp_path):
    first = settings_of(tmp_path / "data", "SECRET_KEY", "CREDENTIAL_KEYS")
    assert settings_of(tmp_path / "data", "SECRET_KEY", "CREDENTIAL_KEYS") == first
    assert len(first["SECRET_KEY"]) >= 64
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    for name in ("secret_key", "credential_keys"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600


def test_given_keys_leave_no_file(tmp_path):
    settings_of(tmp_path, "DEBUG", SECRET_KEY="given", CREDENTIAL_KEYS=keys.credential_key())
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_at_once_agree_on_one_key(tmp_path):
    code = f"""
import sys
from pathlib import Path
from dashboard import keys
sys.stdin.readline()
print(keys.kept(Path({str(tmp_path / "secret_key")!r}), keys.secret_key))
"""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    seen = {racer.communicate(timeout=30)[0] for racer in racers}
    assert len(seen) == 1
    assert seen == {(tmp_path / "secret_key").read_text()}
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_the_loser_of_the_race_takes_the_winners_key(tmp_path):
    path = tmp_path / "secret_key"

    def somebody_was_faster() -> str:
        path.write_text("the winner's\n")
        return "the loser's"

    assert keys.kept(path, somebody_was_faster) == "the winner's"


def test_an_empty_key_file_is_refused_rather_than_used(tmp_path):
    (tmp_path / "secret_key").touch()
    with pytest.raises(ImproperlyConfigured, match="secret_key is empty"):
        keys.kept(tmp_path / "secret_key", keys.secret_key)


def test_sqlite_waits_for_the_write_lock_instead_of_failing(tmp_path):
    options = settings_of(tmp_path, "DATABASES")["DATABASES"]["default"]["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] == 20


def test_postgres_is_given_up_in_seconds_and_holds_no_lock_for_ever(tmp_path):
    url = "postgres://plimsoll:secret@db.internal/plimsoll?sslmode=require&connect_timeout=9"
    database = settings_of(tmp_path, "DATABASES", DATABASE_URL=url)["DATABASES"]["default"]
    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (60, True)
    assert database["OPTIONS"] == {
        "sslmode": "require",
        "connect_timeout": 9,  # the address has the last word
        "tcp_user_timeout": 20_000,
        "options": "-c lock_timeout=20s -c idle_in_transaction_session_timeout=60s",
    }


def test_postgres_without_its_driver_says_what_to_install(monkeypatch):
    keys.require_psycopg()
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install --require-hashes -r requirements-scale\.txt"):
        keys.require_psycopg()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others always do")
@pytest.mark.django_db
def test_sqlite_keeps_its_foreign_keys():
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA foreign_keys").fetchone() == (1,)


POLICY = {
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
}


@pytest.mark.django_db
def test_every_answer_carries_the_protective_headers(client: Client, settings):
    settings.LOGIN_URL = "/anywhere/"
    answer = client.get("/")
    assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


@pytest.mark.django_db
def test_pages_of_a_signed_in_person_are_not_kept_by_browsers(client: Client, django_user_model):
    client.force_login(django_user_model.objects.create(username="ada"))
    assert {"no-store", "private"} <= set(client.get("/")["Cache-Control"].split(", "))


def test_the_http_library_writes_no_addresses_even_at_debug_level(tmp_path):
    code = """
import django, logging
django.setup()
logging.getLogger("urllib3.connectionpool").debug("GET /archive?sv=1&unusual=k6secret")
logging.getLogger("urllib3.connectionpool").warning("Retrying: /archive?sv=1&unusual=k6secret")
logging.getLogger("django.db.backends").debug("SELECT 'k6secret'")
logging.getLogger("runs").debug("heard")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(tmp_path, LOG_LEVEL="DEBUG"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "heard" in done.stdout
    assert "k6secret" not in done.stdout + done.stderr


def test_static_files_collect_under_their_production_names(tmp_path):
    command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    names = json.loads((tmp_path / "static" / "staticfiles.json").read_text())["paths"]
    for name, compressed in (("app.css", False), (names["app.css"], True), (names["vendor/htmx.min.js"], True)):
        there = [(tmp_path / "static" / f"{name}{ending}").is_file() for ending in ("", ".gz", ".br")]
        assert there == [True, compressed, compressed]


def test_values_can_come_from_a_file_and_the_environment_wins(tmp_path):
    (tmp_path / "plimsoll.env").write_text("PORT=9000\nPROVIDER_HOSTS=from.file\n")
    file = str(tmp_path / "plimsoll.env")
    seen = settings_of(tmp_path / "data", "PORT", "PROVIDER_HOSTS", ENV_FILE=file, PROVIDER_HOSTS="from.environment")
    assert seen == {"PORT": 9000, "PROVIDER_HOSTS": ["from.environment"]}
