"""/_apis/clt/testruns/{id}/: errors, messages, results, ResultSummary; and /_apis/clt/configuration."""

import uuid
from typing import Any
from urllib.parse import quote

from .clock import SECOND, iso_seven
from .models import Run
from .planted import sas_query
from .store import Store
from .vsts_app import bad, flag, routes, run_or_refuse
from .vsts_errors import Tree, error_tree
from .vsts_load import interval_length, past
from .vsts_make import identity
from .wire import Reply, Request
from .words import LOCATIONS

_RUN = "/_apis/clt/testruns/(?P<run_id>[^/]+)"
# As multiples of the mean.
_PERCENTILES = ((50, 0.83), (75, 1.2), (90, 1.8), (95, 2.2), (99, 3.7))


@routes.route("GET", _RUN + "/errors")
def read_errors(store: Store, request: Request, run_id: str) -> Reply:
    """One tree; filtered by type and subtype it keeps its shape and counts itself anew."""
    run = run_or_refuse(store, run_id)
    kind, subtype = request.arg_any_case("type"), request.arg_any_case("subType")
    if subtype and not kind:
        raise bad("VS1550019: A subtype was given without a type.")
    tree = {
        name: {sub: rows for sub, rows in subtypes.items() if not subtype or sub.lower() == subtype.lower()}
        for name, subtypes in error_tree(run, store.clock.now()).items()
        if not kind or name.lower() == kind.lower()
    }
    top = f"{request.base_url}/_apis/clt/testRuns/{run.id}/Errors"
    return Reply(200, _tree_rows({name: subs for name, subs in tree.items() if subs}, top, flag(request, "detailed")))


def _tree_rows(tree: Tree, top: str, detailed: bool) -> dict[str, Any]:
    more = "" if detailed else "&detailed=true"
    types = []
    for kind, subtypes in tree.items():
        subs = [
            {
                "errorDetailList": [_detail(row) for row in rows] if detailed else None,
                "subTypeName": subtype,
                "count": len(rows),
                "occurrences": sum(row["occurrences"] for row in rows),
                "url": f"{top}?type={quote(kind)}&subtype={quote(subtype)}{more}",
            }
            for subtype, rows in subtypes.items()
        ]
        types.append({"subTypes": subs, "typeName": kind, **_sums(subs), "url": f"{top}?type={quote(kind)}{more}"})
    return {"types": types, "url": f"{top}?detailed=true", **_sums(types)}


def _sums(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {"count": len(rows), "occurrences": sum(row["occurrences"] for row in rows)}


def _detail(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "last"} | {"lastErrorDate": iso_seven(row["last"])}


@routes.route("GET", _RUN + "/messages")
def read_messages(store: Store, request: Request, run_id: str) -> Reply:
    run = run_or_refuse(store, run_id)
    rows = [_message_row(run, index, *row) for index, row in enumerate(messages(run, store.clock.now()))]
    return Reply(200, {"count": len(rows), "value": rows[::-1]})


def messages(run: Run, now: int) -> list[tuple[int, str, str, str, str]]:
    """What the run has said so far, oldest first: (when, type, source, agent, text)."""
    made, queued = run.made, run.date("queued", now)
    if queued is None:
        return []
    minutes = max(250, made["virtual_users"] * made["duration"] // 60)
    said = [
        (
            queued,
            "info",
            "other",
            "",
            f"This run was requested by '{made['created_by']}' using the Visual Studio Online Account 'harbour'.",
        ),
        (queued + SECOND, "info", "validation", "", f"This load test will run using {made['cores']} agent cores."),
        (queued + 2 * SECOND, "info", "validation", "", f"This run will use {minutes} virtual-user minutes."),
    ]
    started = run.date("started", now)
    if started is not None and made["setup_command"]:
        text = f"> {made['setup_command']}\r\nwarming the cache of <shop.example> … done"
        said.append((started + SECOND, "output", "setupScript", "Agent0", text))
    if "Critical" in error_tree(run, now).get("ThresholdMessage", {}):
        crossed = run.dates["load_started"] + (made["figures"]["at"] + 1) * interval_length(run)
        said.append(
            (crossed, "warning", "other", "Agent0", "The processor of Agent0 is above 90 %: numbers may be off.")
        )
    if run.ended_at(now) and made["abort"]:
        source = "validation" if made["abort"]["source"] == "Validation" else "other"
        kind = "error" if source == "validation" else "critical"
        said.append((max(run.dates["ended"], queued), kind, source, "", made["abort"]["cause"]))
    return [row for row in said if row[0] <= now]


def _message_row(run: Run, index: int, when: int, kind: str, source: str, agent: str, text: str) -> dict[str, Any]:
    return {
        "messageId": str(uuid.uuid5(uuid.UUID(run.id), str(index))),
        "testRunId": run.id,
        "agentId": agent,
        "messageType": kind,
        "messageSource": source,
        "loggedDate": iso_seven(when),
        "message": text,
    }


@routes.route("GET", _RUN + "/results")
def read_results(store: Store, request: Request, run_id: str) -> Reply:
    run = run_or_refuse(store, run_id)
    now = store.clock.now()
    top = f"{request.base_url}/_apis/clt/testRuns/{run.id}/CounterInstances"
    groups: Any = [
        {"groupName": name, "url": f"{top}?groupNames={name}"} for name in ("Performance", "Throughput", "Application")
    ]
    if store.switches["vsts_wrapped_counter_groups"]:
        groups = {"count": len(groups), "value": groups}
    body: dict[str, Any] = {}
    if has_archive(run, now) and run.made["run_type"] == "visualStudioLoadTest":
        query = sas_query(store.secrets.results_sig(run.id), "b")
        body["resultsUrl"] = f"{request.base_url}/__blob__/results/{run.id}/TestResult/LoadTest.ltrar.zip?{query}"
    query = sas_query(store.secrets.diagnostics_sig(run.id), "c", "rl")
    body["diagnostics"] = {
        "diagnosticStoreConnectionString": f"{request.base_url}/__blob__/diagnostics?{query}",
        "relativePathToDiagnosticFiles": f"{run.id}/TestResult/Diagnostics",
    }
    if run.made["setup_command"] and run.date("started", now) is not None:
        body["diagnostics"]["lastModifiedTime"] = iso_seven(run.dates["started"])
    return Reply(200, body | {"counterGroups": groups})


def has_archive(run: Run, now: int) -> bool:
    """Whether there is something to download: the run has ended and had load."""
    return run.ended_at(now) and run.date("load_started", now) is not None


@routes.route("GET", _RUN + "/ResultSummary")
def read_summary(store: Store, request: Request, run_id: str) -> Reply:
    """Totals of the run; times are seconds."""
    run = run_or_refuse(store, run_id)
    now = store.clock.now()
    had = past(run, now)
    requests, failed, mean = had.requests, had.failed, had.mean_time
    percentiles = [{"percentile": n, "percentileValue": round(mean * times, 4)} for n, times in _PERCENTILES]
    request_row = {
        "scenarioName": "Scenario1",
        "testName": "PlaceOrder",
        "requestUrl": "http://shop.example/cart",
        "totalRequests": requests,
        "passedRequests": requests - failed,
        "failedRequests": failed,
        "requestsPerSec": round(requests / had.seconds, 3) if had.seconds else 0,
        "averageResponseTime": mean,
        "percentileData": percentiles,
    }
    test_row = {
        "scenarioName": "Scenario1",
        "testName": "PlaceOrder",
        "totalTests": requests // 4,
        "passedTests": max(0, requests // 4 - failed),
        "failedTests": min(requests // 4, failed),
        "averageTestTime": round(mean * 4, 4),
        "percentileData": percentiles,
    }
    users = [interval.users for interval in had.intervals] or [0]
    scenario = {"scenarioName": "Scenario1", "minUserLoad": min(users), "maxUserLoad": max(users)}
    body = {"overallScenarioSummary": scenario, "overallTestSummary": test_row, "overallRequestSummary": request_row}
    return Reply(200, body | {"topSlowTests": [test_row], "topSlowRequests": [request_row]})


@routes.route("GET", "/_apis/clt/configuration")
def read_configuration(store: Store, request: Request) -> Reply:
    return Reply(200, {"validGeoLocations": list(LOCATIONS), "id": identity("harbour")["id"]})
