"""How k6 tests and runs look as JSON."""

from typing import Any

from .clock import iso, iso_or_none
from .k6_load import mean_at
from .k6_make import PROJECTS, script_of, zone_less
from .models import K6, Run, Test
from .planted import sas_query
from .store import Store

_ORGANIZATION_OF = {project["id"]: project["organization_id"] for project in PROJECTS}
_FINAL_EXPORT_DELAY = 20_000_000


def result_status(run: Run, now: int) -> int:
    """0 until the run has ended: the zero value, not a verdict."""
    if not run.ended_at(now):
        return 0
    return int(any(tainted(row, now) for row in run.made["thresholds"]))


def tainted(threshold: dict[str, Any], now: int) -> bool:
    return threshold["tainted_at"] is not None and threshold["tainted_at"] <= now


def facts(store: Store, run: Run, now: int) -> dict[str, Any]:
    """The members of a run that are cheap: all but its config and its script."""
    made = run.made
    _, status, processing = run.step_at(now)
    ended = run.ended_at(now)
    project = store.tests[K6][run.test].made["project_id"]
    return {
        "created": iso(run.created),
        "delete_status": 0,
        "deleted": False,
        "duration": made["duration"],
        "ended": iso_or_none(run.date("ended", now)),
        "error_code": made["error_code"] if ended else None,
        "error_detail": made["error_detail"] if ended else None,
        "id": int(run.id),
        "is_baseline": made["is_baseline"],
        "note": made["note"],
        "organization_id": _ORGANIZATION_OF[project],
        "processing_status": processing,
        "project_id": project,
        "public_id": made["public_id"],
        "result_status": result_status(run, now),
        "run_process": made["run_process"],
        "run_status": status,
        "started": iso_or_none(run.date("started", now)),
        "stopped_by_id": made["stopped_by_id"] if ended else None,
        "test_id": int(run.test),
        "user_id": made["user_id"],
        "vus": made["vus"],
    }


def config(store: Store, run: Run) -> dict[str, Any]:
    """What the run was configured with, its tokens and environment included, as the service sends it."""
    return {
        "agent_access_token": store.secrets.agent_token(run.id),
        "archive": store.secrets.hex(f"archive {run.id}")[:32] + ".tar",
        "env": store.secrets.environment(run.id),
        "options": options(store, run),
    }


def options(store: Store, run: Run) -> dict[str, Any]:
    """The options of the run's script, as archived; somebody left a token in them."""
    project = store.tests[K6][run.test].made["project_id"]
    conditions = [threshold["name"].partition(": ") for threshold in run.made["thresholds"]]
    return {
        "cloud": {"projectID": project, "token": store.secrets.options_token(run.id)},
        "stages": [{"duration": f"{run.made['duration']}s", "target": run.made["vus"]}],
        "thresholds": {metric: [condition] for metric, _, condition in conditions},
    }


def run_v5(store: Store, run: Run, row: dict[str, Any]) -> dict[str, Any]:
    return {"config": config(store, run), **row, "script": script_of(store.tests[K6][run.test])}


def run_v2(store: Store, run: Run, now: int, base_url: str, select: str | None = None) -> dict[str, Any]:
    """A k6-run as reading and listing show it; members named in `select` only, some of which are shown only then."""
    row = facts(store, run, now)
    del row["delete_status"], row["deleted"]
    if store.switches["k6_zoneless_dates"]:
        row["created"] = zone_less(run.created)
        row["started"], row["ended"] = (zone_less(run.date(name, now)) for name in ("started", "ended"))
    row |= {
        "config": config(store, run),
        "export": export_of(store, run, now, base_url),
        "k6_archive": store.secrets.hex(f"archive {run.id}")[:32] + ".tar",
        "load_time": round(mean_at(run, now), 1),
        "request_builder_config": None,
        "script": script_of(store.tests[K6][run.test]),
        "version": 2,
        "vus_per_instance": run.made["vus_per_instance"],
    }
    if not select:
        return row
    row |= _on_selection(store, run, now)
    return {name: row[name] for name in (part.strip() for part in select.split(",")) if name in row}


def started_v2(store: Store, run: Run, now: int, base_url: str) -> dict[str, Any]:
    """A k6-run as starting it answers."""
    row = run_v2(store, run, now, base_url)
    for name in ("export", "is_baseline", "request_builder_config", "vus_per_instance"):
        del row[name]
    return row


def _on_selection(store: Store, run: Run, now: int) -> dict[str, Any]:
    started, ended = run.date("started", now), run.date("ended", now)
    return {
        "vuh_cost": round(run.made["vus"] * run.made["duration"] / 3600, 2),
        "distribution": [["amazon:de:frankfurt", 60], ["amazon:us:ashburn", 40]],
        "execution_duration": 0 if started is None else ((ended or now) - started) // 1_000_000,
        "k6_runtime_config": {"testRunDetails": f"https://app.k6.io/runs/{run.id}"},
        "test_name": store.tests[K6][run.test].name,
    }


def export_of(store: Store, run: Run, now: int, base_url: str) -> dict[str, Any] | None:
    """The state of a CSV export somebody asked for: 1 while it is made, 2 with a link once it is there."""
    asked = run.made.get("export_at")
    if asked is None:
        return None
    if now < asked + _FINAL_EXPORT_DELAY / run.made["scale"]:
        return {"export_status": 1, "export_file": None}
    link = f"{base_url}/__blob__/k6-exports/{run.id}.csv?{sas_query(store.secrets.export_sig(run.id), 'b')}"
    return {"export_status": 2, "export_file": link}


def test_v2(store: Store, test: Test) -> dict[str, Any]:
    run_ids = [int(run.id) for run in store.by_test.get((K6, test.id), ())]
    return {
        "id": int(test.id),
        "project_id": test.made["project_id"],
        "user_id": test.made["user_id"],
        "name": test.name,
        "created": iso(test.made["created"]),
        "updated": iso(test.made["updated"]),
        "last_test_run_id": str(max(run_ids)) if run_ids else None,
        "test_run_ids": run_ids,
        "script": script_of(test),
        "creation_process": "script",
    }


def test_v5(test: Test) -> dict[str, Any]:
    project = next(project for project in PROJECTS if project["id"] == test.made["project_id"])
    return {
        "created": iso(test.made["created"]),
        "id": int(test.id),
        "name": test.name,
        "project_id": project["id"],
        "project_name": project["name"],
        "updated": iso(test.made["updated"]),
    }
