"""Which provider it is decides nothing outside its own modules: pages and sync look at what a service declares."""

import ast
import re
from pathlib import Path

from runs.services import SERVICES

ROOT = Path(__file__).resolve().parent.parent
OWN = ("runs/services/", "runs/sandbox/", "runs/migrations/", "dashboard/migrations/")
# What a file may say of providers by name, and why.
ALLOWED = {
    "dashboard/demo.py": "starts a real Locust beside the stand-ins, and makes its account",
    "runs/management/commands/adopt_v6.py": "joins the two accounts of one provider that has two APIs",
}
PROVIDERS = sorted({*SERVICES, "k6", "k6-legacy", "vsts", "azure", "locust"})


def files(*patterns: str) -> list[str]:
    found = [path for pattern in patterns for path in ROOT.glob(pattern)]
    names = sorted(str(path.relative_to(ROOT)) for path in found)
    return [name for name in names if not name.startswith(OWN) and name not in ALLOWED]


def texts_of(source: str) -> set[str]:
    """The texts in a module that are looked at, not written for people: docstrings are left out."""
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_no_code_asks_for_a_provider_by_name():
    found = {
        name: texts_of((ROOT / name).read_text()) & set(PROVIDERS)
        for name in files("dashboard/**/*.py", "runs/**/*.py")
    }
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_no_code_takes_a_provider_s_service_but_from_the_registry():
    services = re.compile(rf"\b(?:{'|'.join(cls.__name__ for cls in SERVICES.values())})\b")
    assert [
        name for name in files("dashboard/**/*.py", "runs/**/*.py") if services.search((ROOT / name).read_text())
    ] == []


def test_no_template_asks_for_a_provider_by_name():
    for name in files("templates/**/*.html"):
        tags = re.findall(r"\{[{%].*?[%}]\}", (ROOT / name).read_text(), re.S)
        quoted = {text for tag in tags for text in re.findall(r"[\"']([^\"']*)[\"']", tag)}
        assert not quoted & set(PROVIDERS), name


def test_no_script_asks_for_a_provider_by_name():
    for name in files("static/*.js"):
        assert not set(re.findall(r"[\"'`]([\w-]+)[\"'`]", (ROOT / name).read_text())) & set(PROVIDERS), name


def test_a_name_is_found_where_it_decides_something():
    assert texts_of('"""About k6."""\nif provider == "k6": pass') & set(PROVIDERS) == {"k6"}
