"""/cloud/v5: projects, load tests and runs as entities with OData parameters; the result summary."""

from collections.abc import Callable
from typing import Any

from .k6_app import masked, routes, selected, v5_error, v5_run, v5_test
from .k6_make import PROJECTS
from .k6_numbers import summary
from .k6_v3 import project_row
from .k6_view import facts, result_status, run_v5, test_v5
from .models import K6, Run
from .odata import FilterError, Row, filter_of, ordered
from .store import Store
from .wire import Reply, Request

_PAGE = 1000


def entities(
    request: Request, rows: list[Row], fields: set[str], complete: Callable[[Row], Row] | None = None
) -> Reply:
    """A list in v5's envelope. `complete` adds what is costly, to the rows of the page only."""
    try:
        if request.arg("$filter"):
            test = filter_of(str(request.arg("$filter")), fields)
            rows = [row for row in rows if test(row)]
        if request.arg("$orderby"):
            rows = ordered(rows, str(request.arg("$orderby")), fields)
    except FilterError as error:
        raise v5_error(400, str(error)) from None
    top, skip = _count(request, "$top", _PAGE), _count(request, "$skip", 0)
    page = rows[skip : skip + top]
    if complete:
        page = [complete(row) for row in page]
    body: dict[str, Any] = {"@count": str(len(rows))} if request.arg("$count") == "true" else {}
    return Reply(200, body | {"value": [selected(row, request.arg("$select")) for row in page]})


def _count(request: Request, name: str, default: int) -> int:
    text = request.arg(name)
    if text is None:
        return default
    if not text.isdecimal() or (name == "$top" and int(text) > _PAGE):
        raise v5_error(400, f"The value of {name} is not valid: {text}")
    return int(text)


def _fields(rows: list[Row]) -> set[str]:
    return set(rows[0]) if rows else set()


@routes.route("GET", "/cloud/v5/projects")
def list_projects(store: Store, request: Request) -> Reply:
    rows = [project_row(made) for made in PROJECTS]
    return entities(request, rows, _fields(rows))


@routes.route("GET", r"/cloud/v5/projects[/(](?P<key>\d+)\)?")
def read_project(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, selected(project_row(_project(key)), request.arg("$select")))


def _project(key: str) -> dict[str, Any]:
    for made in PROJECTS:
        if made["id"] == int(key):
            return made
    raise masked()


@routes.route("GET", r"/cloud/v5/projects[/(](?P<key>\d+)\)?/load_tests")
def list_tests(store: Store, request: Request, key: str) -> Reply:
    project = _project(key)
    rows = [test_v5(test) for test in store.tests[K6].values() if test.made["project_id"] == project["id"]]
    return entities(request, rows, {"id", "name", "project_id", "project_name", "created", "updated"})


@routes.route("GET", r"/cloud/v5/load_tests[/(](?P<key>\d+)\)?")
def read_test(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, selected(test_v5(v5_test(store, key)), request.arg("$select")))


@routes.route("GET", r"/cloud/v5/load_tests[/(](?P<key>\d+)\)?/test_runs")
def list_runs_of_test(store: Store, request: Request, key: str) -> Reply:
    return _runs(store, request, store.by_test.get((K6, v5_test(store, key).id), []))


@routes.route("GET", r"/cloud/v5/projects[/(](?P<key>\d+)\)?/test_runs")
def list_runs_of_project(store: Store, request: Request, key: str) -> Reply:
    """In no promised order: here by id."""
    project = _project(key)
    tests = {test.id for test in store.tests[K6].values() if test.made["project_id"] == project["id"]}
    return _runs(store, request, [run for run in store.runs[K6].values() if run.test in tests])


_RUN_FIELDS = {
    "created",
    "delete_status",
    "deleted",
    "duration",
    "ended",
    "error_code",
    "error_detail",
    "id",
    "is_baseline",
    "note",
    "organization_id",
    "processing_status",
    "project_id",
    "public_id",
    "result_status",
    "run_process",
    "run_status",
    "started",
    "stopped_by_id",
    "test_id",
    "user_id",
    "vus",
}


def _runs(store: Store, request: Request, runs: list[Run]) -> Reply:
    now = store.clock.now()
    rows = [facts(store, run, now) for run in runs]
    return entities(request, rows, _RUN_FIELDS, lambda row: run_v5(store, store.runs[K6][str(row["id"])], row))


@routes.route("GET", r"/cloud/v5/test_runs[/(](?P<key>\d+)\)?")
def read_run(store: Store, request: Request, key: str) -> Reply:
    run = v5_run(store, key)
    row = run_v5(store, run, facts(store, run, store.clock.now()))
    return Reply(200, selected(row, request.arg("$select")))


@routes.route("GET", r"/cloud/v5/test_runs[/(](?P<key>\d+)\)?/result_summary")
def read_summary(store: Store, request: Request, key: str) -> Reply:
    """The verdict in a word, and the numbers; without numbers for a run that never had load."""
    run = v5_run(store, key)
    now = store.clock.now()
    row = {
        "result_status": _word(run, now),
        "metrics_summary": summary(run, now),
        "baseline_test_run_details": None,
    }
    return Reply(200, selected(row, request.arg("$select")))


def _word(run: Run, now: int) -> str:
    status = run.step_at(now)[1]
    if result_status(run, now):
        return "Failed"
    if status == 4:
        return "Timed Out"
    if status > 4:
        return "Error"
    return "Passed" if status == 3 else "Running"
