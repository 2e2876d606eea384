"""/_apis/clt/testruns: list, get, create, queue, abort."""

from typing import Any

from .clock import DAY, parse_instant
from .models import VSTS, Run
from .store import Store
from .vsts_app import bad, error, flag, folded, routes, run_or_refuse, word_of
from .vsts_make import OWNER
from .vsts_view import basic, detailed, platform_word
from .wire import Reply, Request

STATES = ("pending", "queued", "inProgress", "stopping", "completed", "aborted", "error")
RUN_TYPES = ("visualStudioLoadTest", "jMeterLoadTest")
_MOST = 1000
_RUNS = "/_apis/clt/testruns"
_RUN = "/_apis/clt/testruns/(?P<run_id>[^/]+)"


@routes.route("GET", _RUNS)
def list_runs(store: Store, request: Request) -> Reply:
    """In the order of their ids, which says nothing about time. `top` cuts after the filters."""
    now = store.clock.now()
    runs = sorted(_chosen(store, request, now), key=lambda run: run.id)[: _top(request)]
    view = detailed if flag(request, "detailed") else basic
    rows: Any = [view(run, now, request.base_url) for run in runs]
    if store.switches["vsts_wrapped_runs"]:
        rows = {"count": len(rows), "value": rows}
    return Reply(200, rows)


def _top(request: Request) -> int:
    text = request.arg_any_case("top") or str(_MOST)
    if not text.isdecimal() or int(text) == 0:
        raise bad(f"The value '{text}' is not valid for top.")
    return min(int(text), _MOST)


def _chosen(store: Store, request: Request, now: int) -> list[Run]:
    since = _date(request, "fromDate", now - 7 * DAY)
    until = _date(request, "toDate", now)
    runs = [run for run in store.runs[VSTS].values() if since < run.step_at(now)[0] <= until]
    name = request.arg_any_case("name")
    if name:
        runs = [run for run in runs if run.test.lower() == name.lower()]
    person = request.arg_any_case("requestedBy")
    if person is None and store.switches["vsts_requested_by_defaults_to_me"]:
        person = "@Me"
    if person:
        wanted = (OWNER if person.lower() == "@me" else person).lower()
        runs = [run for run in runs if run.made["created_by"].lower() == wanted]
    status = request.arg_any_case("status")
    if status:
        state = word_of(status, STATES)
        if state is None:
            raise bad(f"The value '{status}' is not valid for status.")
        runs = [run for run in runs if run.step_at(now)[1] == state]
    source = request.arg_any_case("runsourceidentifier")
    if source:
        runs = [run for run in runs if run.made["source"] == source]
    ids = request.arg_any_case("runIds")
    if ids:
        wanted_ids = {part.strip().lower() for part in ids.split(",")}
        runs = [run for run in runs if run.id in wanted_ids]
    return _of_type(runs, request.arg_any_case("runType"))


def _of_type(runs: list[Run], text: str | None) -> list[Run]:
    """Without a word only Visual Studio's own; `*` is all of them."""
    if text == "*":
        return runs
    run_type = word_of(text or RUN_TYPES[0], RUN_TYPES)
    if run_type is None:
        raise bad(f"The value '{text}' is not valid for runType.")
    return [run for run in runs if run.made["run_type"] == run_type]


def _date(request: Request, name: str, default: int) -> int:
    text = request.arg_any_case(name)
    if text is None:
        return default
    # A plus sign that was not percent-encoded arrives as a space.
    when = parse_instant(text[:-6] + text[-6:].replace(" ", "+"))
    if when is None:
        raise bad(f"The value '{text}' is not valid for {name}.")
    return when


@routes.route("GET", _RUN)
def read_run(store: Store, request: Request, run_id: str) -> Reply:
    return Reply(200, detailed(run_or_refuse(store, run_id), store.clock.now(), request.base_url))


@routes.route("POST", _RUNS)
def create_run(store: Store, request: Request) -> Reply:
    """A pending run; 400 without a name or a known test drop."""
    body = folded(request.json())
    name = str(body.get("name") or "").strip()
    if not name:
        raise bad("VS1550011: The name of the test run is missing.")
    drop_id = _drop_id(body).lower()
    if drop_id not in store.drops:
        raise bad(f"VS1550012: The test drop '{drop_id}' was not found.")
    changes: dict[str, Any] = {"drop_id": drop_id, "location": "Default"}
    changes["description"] = str(body.get("description") or "")
    changes["source"] = str(body.get("runsourceidentifier") or "")
    changes |= _settings(body)
    run = store.create_vsts(name, changes)
    row = detailed(run, store.clock.now(), request.base_url)
    return Reply(200, {key: value for key, value in row.items() if key not in ("description", "stoppedBy", "runType")})


def _drop_id(body: dict[str, Any]) -> str:
    drop = body.get("testdrop") or {}
    return str((drop.get("id") if isinstance(drop, dict) else None) or "")


def _settings(body: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    settings = body.get("testsettings") or {}
    for key, name in (("setup_command", "setupcommand"), ("cleanup_command", "cleanupcommand")):
        changes[key] = str(settings.get(name) or "")
    changes["platform"] = platform_word(settings.get("hostprocessplatform") or "x86")
    if body.get("runtype") is not None:
        changes["run_type"] = word_of(body["runtype"], RUN_TYPES) or RUN_TYPES[0]
    details = body.get("runspecificdetails") or {}
    members = (("duration", "duration"), ("warm_up", "warmupduration"), ("virtual_users", "virtualusercount"))
    for key, name in (*members, ("cores", "corecount")):
        if str(details.get(name) or "").isdecimal() and int(details[name]) > 0:
            changes[key] = int(details[name])
    return changes


@routes.route("PATCH", _RUN)
def change_run(store: Store, request: Request, run_id: str) -> Reply:
    """`queued` starts a pending run, `aborted` stops one that is queued or in progress; anything else is a 400."""
    run = run_or_refuse(store, run_id)
    body = folded(request.json())
    wanted = word_of(body.get("state"), STATES)
    state = run.step_at(store.clock.now())[1]
    if wanted == "queued" and state == "pending":
        store.queue_vsts(run)
    elif wanted == "aborted" and state in ("queued", "inProgress"):
        store.stop_vsts(run)
    else:
        message = f"VS1550014: The test run {run.id} is {state} and cannot be changed to {wanted or body.get('state')}."
        raise error(400, message, "InvalidTestRunStateException")
    return Reply(202)
