"""/loadtests/v4: a run's summaries, thresholds, checks and URLs in OData clothes."""

import uuid
from typing import Any

from .k6_app import legacy_error, routes, run_or_refuse, selected
from .k6_numbers import calculated, checks, overall_trend, summary, urls
from .k6_v5 import entities
from .k6_view import tainted
from .models import Run
from .store import Store
from .wire import Refusal, Reply, Request

_RUN = r"/loadtests/v4/test_runs[/(](?P<key>\d+)\)?"


@routes.route("GET", _RUN)
def read_run(store: Store, request: Request, key: str) -> Reply:
    run, now = run_or_refuse(store, key), store.clock.now()
    figures = summary(run, now) or {}
    names = ("http_metric_summary", "checks_metric_summary", "thresholds_summary")
    row: dict[str, Any] = {"id": int(run.id)} | {name: figures.get(name) for name in names}
    return Reply(200, selected(row, request.arg("$select")))


def _entities(request: Request, rows: list[dict[str, Any]], fields: str) -> Reply:
    try:
        return entities(request, rows, set(fields.split()))
    except Refusal as refusal:
        message = str(refusal.reply.payload["error"]["message"])
        raise legacy_error(400, 2, message) from None


@routes.route("GET", _RUN + "/thresholds")
def list_thresholds(store: Store, request: Request, key: str) -> Reply:
    run, now = run_or_refuse(store, key), store.clock.now()
    rows = [
        {
            "id": row["id"],
            "name": row["name"],
            "stat": row["stat"],
            "tainted": tainted(row, now),
            "calculated_value": calculated(run, row, now),
            "value": row["value"],
        }
        for row in run.made["thresholds"]
    ]
    return _entities(request, rows, "id name stat tainted calculated_value value")


@routes.route("GET", _RUN + "/checks")
def list_checks(store: Store, request: Request, key: str) -> Reply:
    run, now = run_or_refuse(store, key), store.clock.now()
    rows = [_check(run, row) for row in checks(run, now)]
    return _entities(request, rows, "id name group_id scenario_id")


def _check(run: Run, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(row["id"])),
        "name": row["name"],
        "group_id": None,
        "scenario_id": None,
        "metric_summary": {
            "fail_count": row["total"] - row["success"],
            "success_count": row["success"],
            "success_rate": round(row["success"] / row["total"], 6) if row["total"] else 0,
        },
    }


@routes.route("GET", _RUN + "/http_urls")
def list_urls(store: Store, request: Request, key: str) -> Reply:
    run, now = run_or_refuse(store, key), store.clock.now()
    rows = [
        {
            "expected_response": row.ok,
            "method": row.method,
            "name": row.url,
            "scenario": "default",
            "status": row.status,
            "http_metric_summary": {
                "requests_count": row.count,
                "failures_count": 0 if row.ok else row.count,
                "duration": overall_trend([row]),
            },
        }
        for row in urls(run, now)
    ]
    return _entities(request, rows, "expected_response method name scenario status")
