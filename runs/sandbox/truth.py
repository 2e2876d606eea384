"""What each run was made with, in its provider's own words, as of now."""

from collections.abc import Callable
from typing import Any

from . import azure_truth, k6_numbers
from . import k6_v6_view as v6
from .clock import iso, iso_or_none
from .k6_make import OWN_USER_ID
from .k6_v6_app import is_shown
from .k6_view import facts, tainted
from .models import AZURE, K6, PROVIDERS, SPOKEN, V6, VSTS, Run, home
from .store import Store
from .vsts_details import error_tree, messages
from .vsts_view import stopped
from .words import PEOPLE


def rows(store: Store, provider: str | None = None) -> list[dict[str, Any]]:
    """Of all providers with a history of their own, or of the one that is named. `k6` is never among all: it shows
    the runs of `k6-legacy` in other words.
    """
    found = []
    for key in PROVIDERS if provider is None else SPOKEN:
        if provider in (None, key):
            with store.clock_of(key):
                now = store.clock.now()
                made = [_ROW_OF[key](store, run, now) for run in store.runs[home(key)].values()]
                found += [row for row in made if row]
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


def _v6(store: Store, run: Run, now: int) -> dict[str, Any] | None:
    """The same run in the words of /cloud/v6; None for what is no run there."""
    if not is_shown(run):
        return None
    shown = v6.run_v6(store, run, now)
    extra = shown["status_details"].get("extra") or {}
    entered = {entry["type"]: entry["entered"] for entry in shown["status_history"]}
    return _k6(store, run, now) | {
        "provider": V6,
        "requested_by": shown["started_by"],
        "requested_by_name": shown["started_by"],
        "status": shown["status"],
        "result": shown["result"],
        "stopped_by": v6.stopped_by(run, now),
        "queued": entered.get("queued"),
        "ended": shown["ended"],
        "duration_s": shown["execution_duration"],
        "planned_duration_s": shown["estimated_duration"],
        "virtual_users": shown["max_vus"],
        "error_code": extra.get("code"),
        "error_detail": extra.get("message"),
        "is_starred": shown["is_starred"],
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


_ROW_OF: dict[str, Callable[[Store, Run, int], dict[str, Any] | None]] = {
    K6: _k6,
    V6: _v6,
    VSTS: _vsts,
    AZURE: azure_truth.row,
}
