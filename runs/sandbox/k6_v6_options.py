"""/cloud/v6/validate_options: whether a test with these options can be run, and what it would cost."""

import re
from math import isfinite
from typing import Any

from .k6_make import PROJECTS
from .k6_v6_app import invalid, json_body, reads_input, routes
from .k6_v6_projects import limits_of
from .k6_v6_view import Row, costs
from .store import Store
from .wire import Reply, Request

_MOST_VUS = 20_000
_UNLESS_SAID = 600  # seconds a test may take whose options name iterations only
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,12})?(?:d|h|ms|m|s|us|ns))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(d|h|ms|m|s|us|ns)", re.ASCII)
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


@routes.route("POST", "/cloud/v6/validate_options")
@reads_input
def validate(store: Store, request: Request) -> Reply:
    body = json_body(request)
    options, local = _object(body, "options"), body.get("is_local_execution", False)
    if options is None or type(local) is not bool:
        raise invalid("Field required" if options is None else "Input should be a valid boolean", "options")
    if body.get("k6_version") is not None and type(body["k6_version"]) is not int:
        raise invalid("Input should be a valid integer", "k6_version")
    needed = _object(body, "k6_dependencies") or {}
    if not all(isinstance(version, str) for version in needed.values()):
        raise invalid("Input should be a valid string", "k6_dependencies")
    project = _project(body, options)
    parts = _plan(options)
    _check_limits(limits_of(store, project), parts)
    cost = costs(sum(vus * seconds for vus, seconds in parts) / 3600, local=local)
    return Reply(200, {"vuh_usage": cost["total_vuh"], "breakdown": cost["breakdown"]})


def _object(holder: Row, name: str) -> Row | None:
    """A member that is an object; None where it is absent or null."""
    value = holder.get(name)
    if value is not None and not isinstance(value, dict):
        raise invalid("Input should be an object", name)
    return value


def _project(body: Row, options: Row) -> Row:
    """The one that is named in the body, or in the options; the default project without any."""
    cloud = _object(options, "cloud") or {}
    named = [value for value in (body.get("project_id"), cloud.get("projectID")) if value is not None]
    if not all(type(value) is int for value in named):
        raise invalid("Input should be a valid integer", "project_id")
    found = next((project for project in PROJECTS if project["id"] == (named or [PROJECTS[0]["id"]])[0]), None)
    if found is None:
        raise invalid("The project does not exist.", "project_id")
    return found


def _check_limits(limits: Row, parts: list[tuple[float, float]]) -> None:
    """The scenarios are taken to run beside each other, at their most at the same time."""
    most, longest = sum(vus for vus, _ in parts), max(seconds for _, seconds in parts)
    allowed = min(limits["vu_max_per_test"] or _MOST_VUS, _MOST_VUS)
    if most > allowed:
        raise invalid(f"The number of virtual users ({most:.0f}) is above the maximum ({allowed}).", "options")
    if limits["duration_max_per_test"] and longest > limits["duration_max_per_test"]:
        raise invalid(f"The test takes longer than the project allows: {longest:.0f} s.", "options")


# --- the plan --------------------------------------------------------------------------------------------------------


def _plan(options: Row) -> list[tuple[float, float]]:
    """Per scenario its most virtual users and its seconds. Options without scenarios are one themselves."""
    scenarios = _object(options, "scenarios")
    if not scenarios:
        return [_scenario(options)]
    if not all(isinstance(scenario, dict) for scenario in scenarios.values()):
        raise invalid("Input should be an object", "scenarios")
    return [_scenario(scenario) for scenario in scenarios.values()]


def _scenario(made: Row) -> tuple[float, float]:
    counts = [_count(made, name) for name in ("vus", "startVUs", "preAllocatedVUs", "maxVUs")]
    stages = made.get("stages")
    if stages is None:
        known = next((made[name] for name in ("duration", "maxDuration") if made.get(name) is not None), None)
        return max(1, *counts), _UNLESS_SAID if known is None else _seconds(known)
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise invalid("Input should be a list of objects", "stages")
    by_rate = "preAllocatedVUs" in made  # then the targets are iterations, not users
    targets = [0.0 if by_rate else _count(stage, "target") for stage in stages]
    return max(1, *counts, *targets), sum(_seconds(stage.get("duration", 0)) for stage in stages)


def _count(holder: Row, name: str) -> float:
    """A member that is a number from 0 on; 0 where it is absent or null."""
    value = holder.get(name)
    if value is None:
        return 0
    if type(value) not in (int, float) or not 0 <= value <= 1e9:
        raise invalid("Input should be a number from 0 on", name)
    return value


def _seconds(value: Any) -> float:
    """Of a duration as k6 writes it (`1m30s`) or a number of milliseconds."""
    if type(value) in (int, float) and isfinite(value) and 0 <= value <= 1e15:
        return value / 1000
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise invalid("Input should be a duration, such as 1m30s", "duration")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))
