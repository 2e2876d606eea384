"""/test-runs: list, get, start, edit, stop, delete; and a run's files, components and server metrics."""

import base64
import binascii
import json
from typing import Any
from urllib.parse import urlencode

from .azure_app import bad, check_id, error, merge_patch, routes, run_or_refuse, test_or_refuse, version_of
from .azure_files import named
from .azure_lives import ENDS
from .azure_view import run_row
from .clock import parse_instant
from .models import AZURE, Run
from .store import Store
from .wire import Reply, Request

_RUN = "/test-runs/(?P<run_id>[^/:]+)"
_MOST = 50
_ORDERS = ("createdDateTime", "executedDateTime")


@routes.route("GET", "/test-runs")
def list_runs(store: Store, request: Request) -> Reply:
    key, falling = order(request, _ORDERS, "createdDateTime desc")
    date = (lambda run: run.created) if key == "createdDateTime" else (lambda run: run.dates["executed"])
    runs = sorted(_chosen(store, request), key=lambda run: (date(run), run.id), reverse=falling)
    places = [[date(run), run.id] for run in runs]
    first, last, link = page(store, request, places, falling)
    version = version_of(request)
    body: dict[str, Any] = {"value": [run_row(store, run, version, request.base_url) for run in runs[first:last]]}
    return Reply(200, body | link)


def order(request: Request, known: tuple[str, ...], default: str) -> tuple[str, bool]:
    """The member to sort by, and whether its values fall."""
    key, _, way = (request.arg("orderby") or default).strip().partition(" ")
    if key not in known or way.strip().lower() not in ("", "asc", "desc"):
        raise bad(f"orderby is one of {', '.join(known)}, with asc or desc.")
    return key, way.strip().lower() == "desc"


def page(store: Store, request: Request, places: list[list[Any]], falling: bool) -> tuple[int, int, dict[str, str]]:
    """Which rows to show, and the link to the next ones. A page begins after the place where the last one ended."""
    first = 0
    after = _unpacked(request.arg("continuationToken"))
    if after is not None:
        first = sum(place >= after if falling else place <= after for place in places)
    last = first + _size(request)
    if last >= len(places):
        return first, last, {}
    query = [(name, value) for name, value in request.query if name != "continuationToken"]
    query.append(("continuationToken", _packed(places[last - 1])))
    host = store.elsewhere.url if store.switches["azure_next_link_elsewhere"] else request.base_url
    return first, last, {"nextLink": f"{host}{request.path}?{urlencode(query)}"}


def _size(request: Request) -> int:
    text = request.arg("maxpagesize") or str(_MOST)
    if not text.isdecimal() or int(text) == 0:
        raise bad("maxpagesize is a whole number from 1 on.")
    return min(int(text), _MOST)


def _packed(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _unpacked(token: str | None) -> list[Any] | None:
    if not token:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(token))
        return [int(place[0]), str(place[1])]
    except (binascii.Error, ValueError, TypeError, KeyError, IndexError) as problem:
        raise bad("The continuationToken is not one of ours.") from problem


def _chosen(store: Store, request: Request) -> list[Run]:
    one, several = request.arg("testId"), _words(request, "testIds")
    if one and several:
        raise bad("Ask with testId or with testIds, not with both.")
    now, since, until = store.clock.now(), date_arg(request, "executionFrom"), date_arg(request, "executionTo")
    states, types = _words(request, "status"), _words(request, "createdByTypes")
    search = request.arg("search") or ""

    def fits(run: Run) -> bool:
        return (
            (not one or run.test == one)
            and (not several or run.test in several)
            and (since is None or run.dates["executed"] >= since)
            and (until is None or run.dates["executed"] <= until)
            and (not states or run.step_at(now)[1] in states)
            and (not types or run.made["by_type"] in types)
            and (run.made["description"].startswith(search) or run.made["by"].startswith(search))
        )

    return [run for run in store.runs[AZURE].values() if fits(run)]


def _words(request: Request, name: str) -> set[str]:
    """The words of a list with commas; asked for several times, all of them."""
    return {word.strip() for text in request.args(name) for word in text.split(",") if word.strip()}


def date_arg(request: Request, name: str) -> int | None:
    text = request.arg(name)
    if not text:
        return None
    # A plus sign that was not percent-encoded arrives as a space.
    when = parse_instant(text[:-6] + text[-6:].replace(" ", "+"), zone_required=True)
    if when is None:
        raise bad(f"{name} is a date as RFC 3339 has it.")
    return when


@routes.route("GET", _RUN)
def read_run(store: Store, request: Request, run_id: str) -> Reply:
    run = run_or_refuse(store, run_id)
    return Reply(200, run_row(store, run, version_of(request), request.base_url))


@routes.route("PATCH", _RUN)
def write_run(store: Store, request: Request, run_id: str) -> Reply:
    """An id that is not there yet starts a run (201). One that is gets another name or description (200)."""
    check_id("testRunId", run_id)
    body = merge_patch(request)
    texts = _texts(body)
    run = store.runs[AZURE].get(run_id)
    if run is not None:
        if body.get("testId") not in (None, run.test):
            raise bad("The test of a run cannot be changed.")
        run.made |= texts | {"modified": store.clock.now()}
        store.save_run(run)
        return Reply(200, run_row(store, run, version_of(request), request.base_url))
    old_id = request.arg("oldTestRunId")
    old = run_or_refuse(store, old_id) if old_id else None
    test_id = body.get("testId") or (old.test if old else None)
    if not isinstance(test_id, str):
        raise bad("testId is missing.")
    run = store.start_azure(test_or_refuse(store, test_id), run_id, texts, old)
    location = f"{request.base_url}/test-runs/{run.id}?api-version={version_of(request)}"
    return Reply(201, run_row(store, run, version_of(request), request.base_url), [("Location", location)])


def _texts(body: dict[str, Any]) -> dict[str, str]:
    """The name and the description that were sent; null takes one away."""
    found = {}
    for key, name, most in (("name", "displayName", 50), ("description", "description", 100)):
        if name in body:
            text = "" if body[name] is None else body[name]
            if not isinstance(text, str) or len(text) > most or (key == "name" and len(text) == 1):
                raise bad(f"{name} is a text of up to {most} characters.")
            found[key] = text
    return found


@routes.route("POST", _RUN + ":stop")
def stop_run(store: Store, request: Request, run_id: str) -> Reply:
    """The answer shows the run as it was when it was told to stop."""
    run = run_or_refuse(store, run_id)
    status = run.step_at(store.clock.now())[1]
    row = run_row(store, run, version_of(request), request.base_url)
    if run.ended_at(store.clock.now()):
        if not store.switches["azure_stop_after_end_is_ok"]:
            raise error(400, "InvalidTestRunState", f"The test run {run_id} is {status} and cannot be stopped.")
    elif status != "CANCELLING":
        store.stop_azure(run)
    return Reply(200, row)


@routes.route("DELETE", _RUN)
def delete_run(store: Store, request: Request, run_id: str) -> Reply:
    run = run_or_refuse(store, run_id)
    if run.step_at(store.clock.now())[1] not in ENDS:
        raise error(409, "TestRunNotInTerminalState", f"The test run {run_id} is not over.")
    store.delete_run(run)
    return Reply(204)


@routes.route("GET", _RUN + "/files/(?P<name>[^/]+)")
def read_file(store: Store, request: Request, run_id: str, name: str) -> Reply:
    row = run_row(store, run_or_refuse(store, run_id), version_of(request), request.base_url)
    found = named(row["testArtifacts"], name)
    if found is None:
        raise error(404, "FileNotFound", f"The test run {run_id} has no file {name}.")
    return Reply(200, found)


@routes.route("GET", _RUN + "/app-components")
def read_components(store: Store, request: Request, run_id: str) -> Reply:
    return Reply(200, {"testRunId": run_or_refuse(store, run_id).id, "components": {}})


@routes.route("GET", _RUN + "/server-metrics-config")
def read_server_metrics(store: Store, request: Request, run_id: str) -> Reply:
    return Reply(200, {"testRunId": run_or_refuse(store, run_id).id, "metrics": {}})
