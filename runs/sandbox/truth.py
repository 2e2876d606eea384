"""What each run was made with, in its provider's own words, as of now."""

from typing import Any

from . import k6_numbers
from .clock import iso, iso_or_none
from .k6_make import OWN_USER_ID
from .k6_view import facts, tainted
from .models import K6, PROVIDERS, Run
from .store import Store
from .vsts_details import error_tree, messages
from .vsts_view import stopped
from .words import PEOPLE


def rows(store: Store, provider: str | None = None) -> list[dict[str, Any]]:
    found = []
    for key in PROVIDERS:
        if provider in (None, key):
            make = _k6 if key == K6 else _vsts
            with store.clock_of(key):
                now = store.clock.now()
                found += [make(store, run, now) for run in store.runs[key].values()]
    return found


def _k6(store: Store, run: Run, now: int) -> dict[str, Any]:
    row = facts(store, run, now)
    _, status, processing = run.step_at(now)
    return {
        "provider": run.provider,
        "external_id": run.id,
        "test_external_id": run.test,
        "test": store.tests[K6][run.test].name,
        "number": run.number,
        "requested_by": str(row["user_id"]),
        "requested_by_name": PEOPLE[0] if row["user_id"] == OWN_USER_ID else None,
        "run_status": status,
        "processing_status": processing,
        "result_status": row["result_status"],
        "thresholds": len(run.made["thresholds"]),
        "breached": sum(tainted(threshold, now) for threshold in run.made["thresholds"]),
        "stopped_by": None if row["stopped_by_id"] is None else str(row["stopped_by_id"]),
        "created": row["created"],
        "queued": None,
        "started": row["started"],
        "load_started": row["started"],
        "load_ended": row["ended"],
        "ended": row["ended"],
        "duration_s": row["duration"],
        "virtual_users": row["vus"],
        "note": row["note"],
        "error_code": row["error_code"],
        "error_detail": row["error_detail"],
        "errors": k6_numbers.errors(run, now),
        "messages": 0,
    }


def _vsts(store: Store, run: Run, now: int) -> dict[str, Any]:
    made = run.made
    _, state, sub_state = run.step_at(now)
    tree = error_tree(run, now)
    abort = made["abort"]["cause"] if made["abort"] and run.ended_at(now) else None
    return {
        "provider": run.provider,
        "external_id": run.id,
        "test_external_id": run.test,
        "test": run.test,
        "number": run.number,
        "requested_by": made["created_by"],
        "state": state,
        "subState": sub_state,
        "critical_threshold_errors": sum(
            detail["occurrences"] for detail in tree.get("ThresholdMessage", {}).get("Critical", [])
        ),
        "stopped_by": made["stopped_by"] if stopped(run, now) else None,
        "created": iso(run.created),
        "queued": iso_or_none(run.date("queued", now)),
        "started": iso_or_none(run.date("started", now)),
        "load_started": iso_or_none(run.date("load_started", now)),
        "load_ended": iso_or_none(run.date("load_ended", now)),
        "ended": iso_or_none(run.date("ended", now)),
        "duration_s": made["duration"],
        "virtual_users": made["virtual_users"] or None,
        "note": made["description"],
        "error_code": None,
        "error_detail": abort,
        "errors": {
            kind: sum(detail["occurrences"] for details in subtypes.values() for detail in details)
            for kind, subtypes in tree.items()
        },
        "messages": len(messages(run, now)),
    }
