"""/tests: list, get, files; and /triggers, the schedules: list, get, pause and resume."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from .azure_app import bad, check_id, error, merge_patch, routes, test_or_refuse, version_of
from .azure_files import named, test_artifacts
from .azure_runs import date_arg, order, page
from .azure_view import test_modified, test_row
from .clock import SECOND, iso_seven
from .models import AZURE, Test
from .store import Store
from .wire import Reply, Request

_TEST = "/tests/(?P<test_id>[^/:]+)"
_TRIGGER = "/triggers/(?P<trigger_id>[^/:]+)"
_STATES = ("Active", "Paused", "Completed", "Disabled")


@routes.route("GET", "/tests")
def list_tests(store: Store, request: Request) -> Reply:
    _, falling = order(request, ("lastModifiedDateTime",), "lastModifiedDateTime desc")
    since, until = date_arg(request, "lastModifiedStartTime"), date_arg(request, "lastModifiedEndTime")
    search = request.arg("search") or ""
    tests = [
        test
        for test in store.tests[AZURE].values()
        if (since is None or test_modified(test) >= since)
        and (until is None or test_modified(test) <= until)
        and (test.name.startswith(search) or test.made["created_by"].startswith(search))
    ]
    tests.sort(key=lambda test: (test_modified(test), test.id), reverse=falling)
    first, last, link = page(store, request, [[test_modified(test), test.id] for test in tests], falling)
    version = version_of(request)
    rows = [test_row(store, test, version, request.base_url) for test in tests[first:last]]
    body: dict[str, Any] = {"value": rows}
    return Reply(200, body | link)


@routes.route("GET", _TEST)
def read_test(store: Store, request: Request, test_id: str) -> Reply:
    return Reply(200, test_row(store, test_or_refuse(store, test_id), version_of(request), request.base_url))


@routes.route("GET", _TEST + "/files")
def list_files(store: Store, request: Request, test_id: str) -> Reply:
    files = test_artifacts(store, test_or_refuse(store, test_id), request.base_url)
    return Reply(200, {"value": [row for row in files.values() if isinstance(row, dict)]})


@routes.route("GET", _TEST + "/files/(?P<name>[^/]+)")
def read_file(store: Store, request: Request, test_id: str, name: str) -> Reply:
    found = named(test_artifacts(store, test_or_refuse(store, test_id), request.base_url), name)
    if found is None:
        raise error(404, "FileNotFound", f"The test {test_id} has no file {name}.")
    return Reply(200, found)


@routes.route("GET", _TEST + "/app-components")
def read_components(store: Store, request: Request, test_id: str) -> Reply:
    return Reply(200, {"testId": test_or_refuse(store, test_id).id, "components": {}})


@routes.route("GET", _TEST + "/server-metrics-config")
def read_server_metrics(store: Store, request: Request, test_id: str) -> Reply:
    return Reply(200, {"testId": test_or_refuse(store, test_id).id, "metrics": {}})


@routes.route("GET", "/triggers")
def list_triggers(store: Store, request: Request) -> Reply:
    ids, states = (
        {word for text in request.args(name) for word in text.split(",") if word} for name in ("testIds", "states")
    )
    tests = [
        test
        for test in store.tests[AZURE].values()
        if test.made["trigger"] and (not ids or test.id in ids) and (not states or test.made["trigger"] in states)
    ]
    first, last, link = page(store, request, [[test.made["created"], test.id] for test in tests], falling=False)
    body: dict[str, Any] = {"value": [_trigger(store, test) for test in tests[first:last]]}
    return Reply(200, body | link)


@routes.route("GET", _TRIGGER)
def read_trigger(store: Store, request: Request, trigger_id: str) -> Reply:
    return Reply(200, _trigger(store, _triggered(store, trigger_id)))


@routes.route("PATCH", _TRIGGER)
def write_trigger(store: Store, request: Request, trigger_id: str) -> Reply:
    """Only its state: pause it, or let it go on."""
    check_id("triggerId", trigger_id)
    body = merge_patch(request)
    test = _triggered(store, trigger_id)
    state = body.get("state", test.made["trigger"])
    if state not in _STATES:
        raise bad(f"state is one of {', '.join(_STATES)}.")
    test.made["trigger"] = state
    store.save_test(test)
    return Reply(200, _trigger(store, test))


def _trigger_id(test: Test) -> str:
    return f"nightly_{re.sub('[^a-z0-9]', '', test.id)[:32]}"


def _triggered(store: Store, trigger_id: str) -> Test:
    check_id("triggerId", trigger_id)
    for test in store.tests[AZURE].values():
        if test.made["trigger"] and _trigger_id(test) == trigger_id:
            return test
    raise error(404, "TriggerNotFound", f"Trigger couldn't find with given identifier {trigger_id}.")


def _trigger(store: Store, test: Test) -> dict[str, Any]:
    now = datetime.fromtimestamp(store.clock.now() // SECOND, UTC)
    night = now.replace(hour=2, minute=30, second=0) + timedelta(days=1)
    state = test.made["trigger"]
    nights = [(night + timedelta(days=n)).strftime("%Y-%m-%dT%H:%M:%SZ") for n in range(3)]
    return {
        "triggerId": _trigger_id(test),
        "kind": "ScheduleTestsTrigger",
        "displayName": f"nightly {test.name}"[:50],
        "testIds": [test.id],
        "state": state,
        "stateDetails": {"message": ""},
        "startDateTime": iso_seven(test.made["created"]),
        "recurrence": {"frequency": "Daily", "interval": 1, "recurrenceEnd": {"numberOfOccurrences": 400}},
        "recurrenceStatus": {
            "remainingOccurrences": 200,
            "nextScheduledDateTimes": nights if state == "Active" else [],
        },
        "createdDateTime": iso_seven(test.made["created"]),
        "createdBy": test.made["created_by"],
        "lastModifiedDateTime": iso_seven(test_modified(test)),
        "lastModifiedBy": test.made["created_by"],
    }
