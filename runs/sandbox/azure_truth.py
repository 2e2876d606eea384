"""What each Azure run was made with, in its provider's own words, as of now."""

from typing import Any

from .azure_load import seconds, totals
from .azure_view import criteria, errors, has_results, verdict
from .clock import SECOND, iso, iso_or_none
from .models import AZURE, Run
from .store import Store


def row(store: Store, run: Run, now: int) -> dict[str, Any]:
    made = run.made
    at, said = seconds(run, now), errors(run, now)
    rows = totals(run, at)
    rules = criteria(run, now, rows)
    begin, end = (run.date(name, now) for name in ("load_started", "load_ended"))
    test = store.tests[AZURE].get(run.test)
    ready = has_results(run, now)
    return {
        "provider": run.provider,
        "external_id": run.id,
        "test_external_id": run.test,
        "test": test.name if test else None,
        "number": run.number,
        "name": made["name"],
        "requested_by": made["by"],
        "status": run.step_at(now)[1],
        "testResult": verdict(rules),
        "results_ready": ready,
        "criteria": len(rules),
        "breached": sum(rule["result"] == "failed" for rule in rules.values()),
        "stopped_by": made["stopped_by"],
        "created": iso(run.created),
        "queued": iso(run.dates["executed"]),
        "started": iso_or_none(run.date("started", now)),
        "load_started": iso_or_none(begin),
        "load_ended": iso_or_none(end),
        "ended": iso_or_none(run.date("ended", now)),
        "duration_s": (end - begin) / SECOND if begin is not None and end is not None else None,
        "planned_duration_s": made["duration"],
        "virtual_users": (made["virtual_users"] if at else 0) if ready else None,
        "note": made["description"],
        "error_code": None,
        "error_detail": said[0]["message"] if said else None,
        "requests": rows[-1].sent,
        "errors": {name: one.failed for name, one in zip(made["names"], rows, strict=False) if one.failed},
        "messages": 0,
    }
