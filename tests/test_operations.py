"""docs/operations.md and docs/settings.md name commands, options, settings and services that there are."""

import re
import subprocess

import pytest
from cryptography.fernet import Fernet
from django.core.management import get_commands, load_command_class

from tests import compose
from tests.processes import ROOT
from tests.test_settings import NAMES

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
GUIDES = OPERATIONS + (ROOT / "docs" / "settings.md").read_text() + (ROOT / "README.md").read_text()
# Names in capitals that are no settings of ours: placeholders, metrics' labels, Compose's own.
OTHERS = {"FILE", "NAME", "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "WEB_PORTS"}


def test_every_command_and_option_it_names_exists():
    said = set(re.findall(r"(?:manage\.py|--rm manage) ([a-z0-9_]+)((?: --[a-z-]+)*)", GUIDES))
    assert {name for name, _ in said} >= {
        "backup",
        "restore",
        "rotate_keys",
        "migrate",
        "worker",
        "run",
        "create_admin",
    }
    for name, options in said:
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        known = {option for action in parser._actions for option in action.option_strings}
        assert set(options.split()) <= known, name


def test_every_migration_it_goes_back_to_exists():
    for app, start in re.findall(r"manage\.py migrate (\w+) (\d+)", OPERATIONS):
        assert len(list((ROOT / app / "migrations").glob(f"{start}_*.py"))) == 1


def test_every_setting_it_names_exists():
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", OPERATIONS)) | set(re.findall(r"^#?([A-Z_]+)=", OPERATIONS, re.M))
    assert named - OTHERS <= NAMES
    assert OTHERS - {"FILE", "NAME"} <= set(re.findall(r"\$\{(\w+)", compose.FILE.read_text()))


def test_what_compose_has_to_be_given_is_in_the_example():
    needed = set(re.findall(r"\$\{(\w+):\?", compose.FILE.read_text()))
    assert needed <= set(re.findall(r"^([A-Z_]+)=", OPERATIONS, re.M))


def test_the_command_for_a_credentials_key_makes_one():
    [command] = set(re.findall(r"openssl rand -base64 .*", OPERATIONS))
    key = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607
    assert Fernet(key).decrypt(Fernet(key).encrypt(b"x")) == b"x"


@pytest.mark.parametrize("guide", ["operations.md", "settings.md"])
def test_every_section_that_is_linked_exists(guide):
    for file, section in re.findall(r"\]\(([\w.]*)#([\w-]+)\)", (ROOT / "docs" / guide).read_text()):
        text = (ROOT / "docs" / (file or guide)).read_text()
        titles = re.findall(r"^#+ (.+)$", text, re.M)
        assert section in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_services_of_compose_that_it_names_exist():
    named = set(re.findall(r"docker compose (?:run|up)[^\n]*? (db|manage|web|worker|beat|queue)\b", OPERATIONS))
    assert {"manage", "db"} <= named <= set(compose.services())
