"""/cloud/v6: the caller, projects, their limits and load zones."""

from typing import Any

from .k6_make import PROJECTS
from .k6_v6_app import KEY, STACK_ID, STACK_URL, invalid, json_body, not_found, project_of, reads_input, refused, routes
from .k6_v6_lists import in_order, listed
from .k6_v6_view import Row, project_v6
from .store import Store
from .wire import Reply, Request

_PROJECTS = "/cloud/v6/projects"
_ZONES = "/cloud/v6/load_zones"
_LIMITS = ("vuh_max_per_month", "vu_max_per_test", "vu_browser_max_per_test", "duration_max_per_test")
_LONGEST_NAME = 255
_MOST_IDS = 30

# id, name, name in scripts, available, image, public
_ALL_ZONES = (
    (1, "US East (N. Virginia)", "amazon:us:ashburn", True, None, True),
    (2, "EU (Frankfurt)", "amazon:de:frankfurt", True, None, True),
    (3, "EU (Ireland)", "amazon:ie:dublin", True, None, True),
    (4, "Asia Pacific (Tokyo)", "amazon:jp:tokyo", False, None, True),
    (21, "Harbour basement <b>", "harbour-basement", True, "grafana/k6:latest", False),
)


@routes.route("GET", "/cloud/v6/auth")
def read_caller(store: Store, request: Request) -> Reply:
    given = (request.headers.get("X-Stack-Url") or "").strip().rstrip("/")
    if given != STACK_URL:
        raise refused(403, "Name the address of a stack that you are a member of in the header X-Stack-Url.")
    return Reply(200, {"stack_id": int(STACK_ID), "default_project_id": PROJECTS[0]["id"]})


@routes.route("GET", _PROJECTS)
@reads_input
def list_projects(store: Store, request: Request) -> Reply:
    name, part = _name(request, "name"), _name(request, "name_search")
    rows = [
        project_v6(project)
        for project in PROJECTS
        if name in (None, project["name"]) and (part or "").lower() in project["name"].lower()
    ]
    return listed(request, in_order(request, rows, "created", "name"), dict)


def _name(request: Request, argument: str) -> str | None:
    text = request.arg(argument)
    if text is not None and len(text) > _LONGEST_NAME:
        raise invalid(f"String should have at most {_LONGEST_NAME} characters", argument)
    return text


@routes.route("GET", f"{_PROJECTS}/{KEY}")
def read_project(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, project_v6(project_of(key)))


# --- limits ----------------------------------------------------------------------------------------------------------


def limits_of(store: Store, project: Row) -> Row:
    """None is no limit."""
    set_ones: dict[str, Any] = store.v6["limits"].get(str(project["id"]), {})
    return {"project_id": project["id"]} | {name: set_ones.get(name) for name in _LIMITS}


@routes.route("GET", f"{_PROJECTS}/{KEY}/limits")
def read_limits(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, limits_of(store, project_of(key)))


@routes.route("PATCH", f"{_PROJECTS}/{KEY}/limits")
@reads_input
def change_limits(store: Store, request: Request, key: str) -> Reply:
    project_of(key)
    body = json_body(request, *_LIMITS)
    for name, value in body.items():
        if value is not None and (type(value) is not int or value < 1):
            raise invalid("Input should be a whole number greater than or equal to 1", name)
    store.v6["limits"].setdefault(key, {}).update(body)
    store.save_v6()
    return Reply(204)


@routes.route("GET", "/cloud/v6/project-limits")
@reads_input
def list_limits(store: Store, request: Request) -> Reply:
    wanted = [part for text in request.args("project_id_in") for part in text.split(",") if part.strip()]
    if len(wanted) > _MOST_IDS or not all(part.strip().lstrip("-").isdecimal() for part in wanted):
        raise invalid(f"Input should be at most {_MOST_IDS} whole numbers", "project_id_in")
    keys = {part.strip() for part in wanted}
    projects = [project for project in PROJECTS if not keys or str(project["id"]) in keys]
    return listed(request, projects, lambda project: limits_of(store, project))


# --- load zones ------------------------------------------------------------------------------------------------------


def _zone(made: tuple[Any, ...]) -> Row:
    names = ("id", "name", "k6_load_zone_id", "available", "custom_load_runner_image", "public")
    return dict(zip(names, made, strict=True))


@routes.route("GET", _ZONES)
@reads_input
def list_zones(store: Store, request: Request) -> Reply:
    name = request.arg("k6_load_zone_id")
    return Reply(200, {"value": [_zone(made) for made in _ALL_ZONES if name in (None, made[2])]})


@routes.route("GET", f"{_PROJECTS}/{KEY}/allowed_load_zones")
def list_zones_of_project(store: Store, request: Request, key: str) -> Reply:
    """The private zones only: the public ones are for everybody. Here the default project alone has one."""
    project = project_of(key)
    return Reply(200, {"value": [_zone(made) for made in _ALL_ZONES if not made[5] and project == PROJECTS[0]]})


@routes.route("GET", f"{_ZONES}/{KEY}/allowed_projects")
def list_projects_of_zone(store: Store, request: Request, key: str) -> Reply:
    """Of a private zone; a public one has no such list."""
    if not any(str(made[0]) == key and not made[5] for made in _ALL_ZONES):
        raise not_found()
    return Reply(200, {"value": [{"id": PROJECTS[0]["id"], "name": PROJECTS[0]["name"]}]})
