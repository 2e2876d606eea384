"""compose.yaml as a machine without containers can run it: its commands and environments, with other addresses."""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.processes import ROOT

FILE = ROOT / "compose.yaml"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def services() -> dict[str, dict[str, Any]]:
    return yaml.safe_load(FILE.read_text())["services"]


def filled(text: str, values: dict[str, str]) -> str:
    """`text` with its ${…} filled in as Compose does; KeyError for one that has to be given and is not."""

    def value(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        return values.get(name) or default if kind == "-" else values[name]

    return _VARIABLE.sub(value, text)


def environment(service: str, values: dict[str, str]) -> dict[str, str]:
    return {name: filled(text, values) for name, text in services()[service]["environment"].items()}


def command(words: list[str], replaced: dict[str, str]) -> list[str]:
    """A command of the file under this Python; `replaced` is what is elsewhere here, as old text -> new."""
    program = {"python": [sys.executable], "celery": [str(Path(sys.executable).with_name("celery"))]}
    found = program.get(words[0], [words[0]]) + words[1:]
    for old, new in replaced.items():
        found = [word.replace(old, new) for word in found]
    return found
