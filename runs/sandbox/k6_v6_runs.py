"""/cloud/v6: load tests and test runs."""

from .clock import SECOND
from .k6_v6_app import (
    KEY,
    conflict,
    invalid,
    is_shown,
    json_body,
    not_found,
    project_of,
    reads_input,
    routes,
    run_of,
    test_of,
    text_of,
)
from .k6_v6_lists import flag, in_order, listed, moment
from .k6_v6_view import DISTRIBUTION, is_valid, page_of_run, run_v6, status_history, test_v6
from .models import K6, Run
from .store import Store
from .wire import Reply, Request

_TESTS = "/cloud/v6/load_tests"
_RUNS = "/cloud/v6/test_runs"
_KEY_LASTS = 600 * SECOND
_STARTING = ("created", "queued")
_STOPPABLE = (*_STARTING, "initializing", "running")


def _tests(store: Store, request: Request, project_id: int | None = None) -> Reply:
    name = request.arg("name")
    rows = [
        test_v6(store, test)
        for test in store.tests[K6].values()
        if project_id in (None, test.made["project_id"]) and name in (None, test.name)
    ]
    return listed(request, in_order(request, rows, "id", "project_id", "name", "created", "updated"), dict)


@routes.route("GET", _TESTS)
@reads_input
def list_tests(store: Store, request: Request) -> Reply:
    return _tests(store, request)


@routes.route("GET", f"/cloud/v6/projects/{KEY}/load_tests")
@reads_input
def list_tests_of_project(store: Store, request: Request, key: str) -> Reply:
    return _tests(store, request, project_of(key)["id"])


@routes.route("GET", f"{_TESTS}/{KEY}")
def read_test(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, test_v6(store, test_of(store, key)))


@routes.route("POST", f"{_TESTS}/{KEY}/start")
def start_run(store: Store, request: Request, key: str) -> Reply:
    """A new run; with a key that started this test within ten minutes, that run as it is now.

    A key of no length, or of more than 36 characters, is no key: each such request starts a run.
    """
    test, now = test_of(store, key), store.clock.now()
    once = request.headers.get("K6-Idempotency-Key") or ""
    run = _started_with(store.by_test.get((K6, test.id), []), once, now) if 1 <= len(once) <= 36 else None
    if run is None:
        run = store.start_k6(test)
        run.made["start_key"] = once
        store.save_run(run)
    return Reply(200, run_v6(store, run, now) | {"test_run_details_page_url": page_of_run(run)})


def _started_with(runs: list[Run], once: str, now: int) -> Run | None:
    for run in reversed(runs):
        if run.made.get("start_key") == once and 0 <= now - run.created < _KEY_LASTS:
            return run
    return None


# --- lists of runs ---------------------------------------------------------------------------------------------------


@routes.route("GET", _RUNS)
@reads_input
def list_runs(store: Store, request: Request) -> Reply:
    """Oldest first: the order cannot be chosen here."""
    if request.arg("$orderby") is not None:
        raise invalid("Extra inputs are not permitted", "$orderby")
    runs = _between(request, [run for run in store.runs[K6].values() if is_shown(run)])
    return _page(store, request, runs)


@routes.route("GET", f"{_TESTS}/{KEY}/test_runs")
@reads_input
def list_runs_of_test(store: Store, request: Request, key: str) -> Reply:
    runs = _between(request, [run for run in store.by_test.get((K6, test_of(store, key).id), ()) if is_shown(run)])
    starred = flag(request, "is_starred")
    if starred is not None:
        runs = [run for run in runs if run.made.get("is_starred", run.made["is_baseline"]) == starred]
    rows = in_order(request, [{"created": run.created, "run": run} for run in runs], "created")
    return _page(store, request, [row["run"] for row in rows])


def _between(request: Request, runs: list[Run]) -> list[Run]:
    """From `created_after` on, before `created_before`."""
    after, before = moment(request, "created_after"), moment(request, "created_before")
    if after is not None:
        runs = [run for run in runs if run.created >= after]
    if before is not None:
        runs = [run for run in runs if run.created < before]
    return sorted(runs, key=lambda run: (run.created, run.number))


def _page(store: Store, request: Request, runs: list[Run]) -> Reply:
    now = store.clock.now()
    return listed(request, runs, lambda run: run_v6(store, run, now))


# --- one run ---------------------------------------------------------------------------------------------------------


@routes.route("GET", f"{_RUNS}/{KEY}")
def read_run(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, run_v6(store, run_of(store, key), store.clock.now()))


@routes.route("PATCH", f"{_RUNS}/{KEY}")
@reads_input
def change_note(store: Store, request: Request, key: str) -> Reply:
    run = run_of(store, key)
    run.made["note"] = text_of(json_body(request, "note"), "note")
    store.save_run(run)
    return Reply(204)


@routes.route("DELETE", f"{_RUNS}/{KEY}")
def delete_run(store: Store, request: Request, key: str) -> Reply:
    run = run_of(store, key)
    if _status(store, run) in (*_STOPPABLE, "processing_metrics"):
        raise conflict("A test run that is running cannot be deleted.")
    store.delete_run(run)
    return Reply(204)


def _status(store: Store, run: Run) -> str:
    return status_history(run, store.clock.now())[-1]["type"]


@routes.route("POST", f"{_RUNS}/{KEY}/abort")
def abort_run(store: Store, request: Request, key: str) -> Reply:
    """Moments later the run is aborted. Who asks again meanwhile is told the same as who comes too late."""
    run = run_of(store, key)
    if _status(store, run) not in _STOPPABLE or "stop_at" in run.made:
        raise conflict("The test run is not running.")
    store.stop_k6(run)
    return Reply(204)


@routes.route("POST", f"{_RUNS}/{KEY}/(?P<verb>star|unstar)")
def star_run(store: Store, request: Request, key: str, verb: str) -> Reply:
    run = run_of(store, key)
    run.made["is_starred"] = verb == "star"
    store.save_run(run)
    return Reply(204)


@routes.route("GET", f"{_RUNS}/{KEY}/distribution")
def read_distribution(store: Store, request: Request, key: str) -> Reply:
    """The machines the load comes from; 404 until there are any."""
    run, now = run_of(store, key), store.clock.now()
    if not is_valid(run, now) or run.date("started", now) is None:
        raise not_found()
    zones = {}
    for index, (zone, percentage) in enumerate(DISTRIBUTION):
        nodes = range(1 + run.made["vus"] * percentage // 100_000)
        rows = [{"size": "m5.large", "public_ip": f"203.0.113.{index * 100 + node % 100}"} for node in nodes]
        zones[zone] = {"percentage": percentage, "nodes": rows}
    return Reply(200, {"distribution": zones})
