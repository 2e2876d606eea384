"""/loadtests/v2: tests and runs."""

from typing import Any

from .k6_app import (
    VALIDATION,
    legacy_error,
    page_of,
    routes,
    run_or_refuse,
    selected,
    test_or_refuse,
    whole_number,
)
from .k6_make import PROJECTS
from .k6_view import run_v2, started_v2, test_v2
from .models import K6, Run, Test
from .store import Store
from .wire import Refusal, Reply, Request

_ORDER_OF_TESTS = {"id", "name", "last_run_time"}


@routes.route("GET", "/loadtests/v2/tests")
def list_tests(store: Store, request: Request) -> Reply:
    project = whole_number(request, "project_id")
    wanted = _ids(request)
    if project is None and not wanted:
        project = PROJECTS[0]["id"]
    text = (request.arg("q") or "").lower()
    tests = [
        test
        for test in store.tests[K6].values()
        if (project is None or test.made["project_id"] == project)
        and (not wanted or int(test.id) in wanted)
        and text in test.name.lower()
    ]
    _order_tests(store, tests, request.arg("order_by"))
    rows = [selected(test_v2(store, test), request.arg("$select")) for test in tests[page_of(request)]]
    return Reply(200, {"k6-runs": [], "k6-tests": rows, "load_zones": [], "meta": {"count": len(tests)}})


def _order_tests(store: Store, tests: list[Test], order: str | None) -> None:
    if not order:
        return
    name = order.removeprefix("-")
    if name not in _ORDER_OF_TESTS:
        raise legacy_error(400, VALIDATION, "Validation failed.", {"order_by": [f'"{name}" is not a valid choice.']})
    keys = {
        "id": lambda test: int(test.id),
        "name": lambda test: test.name.lower(),
        "last_run_time": lambda test: max((run.created for run in store.by_test.get((K6, test.id), ())), default=0),
    }
    tests.sort(key=keys[name], reverse=order.startswith("-"))


@routes.route("GET", r"/loadtests/v2/tests/(?P<test_id>\d+)")
def read_test(store: Store, request: Request, test_id: str) -> Reply:
    return Reply(200, {"k6-test": selected(test_v2(store, test_or_refuse(store, test_id)), request.arg("$select"))})


@routes.route("POST", r"/loadtests/v2/tests/(?P<test_id>\d+)/start-testrun")
def start_run(store: Store, request: Request, test_id: str) -> Reply:
    run = store.start_k6(test_or_refuse(store, test_id))
    return Reply(200, {"k6-run": started_v2(store, run, store.clock.now(), request.base_url)})


@routes.route("GET", "/loadtests/v2/runs")
def list_runs(store: Store, request: Request) -> Reply:
    """Newest first. Without a test, ids or a public id there is nothing to list: 400."""
    now = store.clock.now()
    runs = _chosen_runs(store, request)
    if request.arg("order_by") == "-started":
        runs.sort(key=lambda run: run.date("started", now) or run.created, reverse=True)
    else:
        runs.sort(key=lambda run: run.number, reverse=True)
    select = request.arg("$select", "select")
    rows = [run_v2(store, run, now, request.base_url, select) for run in runs[page_of(request)]]
    return Reply(200, {"k6-runs": rows, "meta": {"count": len(runs)}})


def _chosen_runs(store: Store, request: Request) -> list[Run]:
    test_id = whole_number(request, "test_id", "$test_id")
    wanted = _ids(request)
    public_id = request.arg("public_id")
    if test_id is not None:
        runs = list(store.by_test.get((K6, test_or_refuse(store, test_id).id), ()))
    elif wanted or public_id:
        runs = list(store.runs[K6].values())
    else:
        raise legacy_error(400, VALIDATION, "Validation failed.", {"test_id": ["This field is required."]})
    if wanted:
        runs = [run for run in runs if int(run.id) in wanted]
    if public_id:
        runs = [run for run in runs if run.made["public_id"] == public_id]
    return runs


def _ids(request: Request) -> set[int]:
    try:
        return {int(value) for value in request.args("ids[]")}
    except ValueError:
        raise legacy_error(400, VALIDATION, "Validation failed.", {"ids[]": ["A valid integer is required."]}) from None


@routes.route("GET", r"/loadtests/v2/runs/(?P<run_id>\d+)")
def read_run(store: Store, request: Request, run_id: str) -> Reply:
    run = run_or_refuse(store, run_id)
    select = request.arg("$select", "select")
    return Reply(200, {"k6-run": run_v2(store, run, store.clock.now(), request.base_url, select)})


@routes.route("POST", r"/loadtests/v2/runs/(?P<run_id>\d+)/stop")
def stop_run(store: Store, request: Request, run_id: str) -> Reply:
    """The run is aborted by user moments later. Asking twice is fine; stopping what has ended is not."""
    run = _live(store, run_id)
    if "stop_at" not in run.made:
        store.stop_k6(run)
    return Reply(200, {})


def _live(store: Store, run_id: str) -> Run:
    run = run_or_refuse(store, run_id)
    if run.step_at(store.clock.now())[1] > 2:
        raise legacy_error(400, VALIDATION, "The test run has already ended and cannot be stopped.")
    return run


@routes.route("POST", r"/loadtests/v2/runs/(?P<run_id>\d+)/export")
def export_run(store: Store, request: Request, run_id: str) -> Reply:
    run = run_or_refuse(store, run_id)
    run.made.setdefault("export_at", store.clock.now())
    store.save_run(run)
    return Reply(200, {"exports": [{"export_status": 1, "load_test_run_id": int(run.id)}]})


def required_run(store: Store, request: Request) -> Run:
    """The run a metrics call is about; 400 where it does not say which."""
    run_id: Any = whole_number(request, "test_run_id", "testrun_id")
    if run_id is None:
        raise _missing_run()
    return run_or_refuse(store, run_id)


def _missing_run() -> Refusal:
    return legacy_error(400, VALIDATION, "Validation failed.", {"test_run_id": ["This field is required."]})
