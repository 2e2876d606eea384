"""How k6 tests and runs look through /cloud/v6: the same as in the legacy APIs, in its words."""

from typing import Any

from .clock import DAY, SECOND, iso, iso_or_none
from .k6_load import load_of
from .k6_make import PROJECTS
from .k6_v6_app import STACK_URL
from .k6_view import options, tainted
from .models import K6, Run, Test
from .store import Store
from .words import EMAILS, K6_USER_IDS

Row = dict[str, Any]

STRANGE = "hibernating"  # stands for a legacy number that nobody has heard of
DISTRIBUTION = (("amazon:de:frankfurt", 60), ("amazon:us:ashburn", 40))

EMAIL_OF = dict(zip(K6_USER_IDS, EMAILS, strict=True))
_STACK_TOKEN = K6_USER_IDS[-1]  # what this one starts, a program starts: nobody is named
_KEPT = 180 * DAY
_WORDS = {-2: "created", -1: "created", 0: "queued", 1: "initializing", 2: "running"}
_UNPROCESSED = "The metrics of the test run could not be processed."


def word(status: int, processing: int) -> str:
    """The status of a run with these legacy numbers."""
    if status in _WORDS:
        return _WORDS[status]
    if status == 3:
        return "completed" if processing > 1 else "processing_metrics"
    return "aborted" if 4 <= status <= 9 else STRANGE


def status_history(run: Run, now: int) -> list[Row]:
    found: list[Row] = []
    for when, status, processing in run.steps:
        kind = word(status, processing)
        if when > now and found:
            break
        if not found or found[-1]["type"] != kind:
            found.append({"type": kind, "entered": iso(when)})
    if found[-1]["type"] == "aborted" and (extra := _extra(run)):
        found[-1]["extra"] = extra
    return found


def _extra(run: Run) -> Row | None:
    """Why the run was aborted; None where nothing more is to be said."""
    made = run.made
    user = EMAIL_OF[made["stopped_by_id"]] if made["stopped_by_id"] else None
    if user is None and made["error_code"] is None:
        return None
    return {"by_user": user, "message": made["error_detail"], "code": made["error_code"]}


def over_at(run: Run, now: int) -> int | None:
    """When the run entered the last of its states, if that has come."""
    last = run.steps[-1]
    kind = word(last[1], last[2])
    when = next(step[0] for step in run.steps if word(step[1], step[2]) == kind)
    return when if when <= now else None


def result(run: Run, now: int) -> str | None:
    """None until it is decided, and for a status that nobody has heard of."""
    if over_at(run, now) is None:
        return None
    status, processing = run.steps[-1][1:]
    if word(status, processing) == STRANGE:
        return None
    if any(tainted(threshold, now) for threshold in run.made["thresholds"]):
        return "failed"
    return "passed" if status == 3 and processing == 2 else "error"


def _result_details(run: Run, now: int) -> Row | None:
    kind = result(run, now)
    if kind is None:
        return None
    details: Row = {"type": kind}
    if kind == "failed":
        crossed = [row["name"] for row in run.made["thresholds"] if tainted(row, now)]
        details["message"] = "Thresholds have been crossed: " + ", ".join(crossed)
    elif kind == "error" and run.steps[-1][1] == 3:
        details |= {"message": _UNPROCESSED, "code": None}
    elif kind == "error":
        details |= {"message": run.made["error_detail"], "code": run.made["error_code"]}
    return details


def is_valid(run: Run, now: int) -> bool:
    """Whether the run has been validated by now; some never are, for they are too large for the subscription."""
    return run.step_at(now)[1] > -2 and run.steps[-1][1] != 9


def execution_s(run: Run, now: int) -> int:
    load = load_of(run, now)
    return (load.end - load.start) // SECOND if load else 0


def cost(run: Run, now: int) -> Row:
    """What the plan costs while the run is active, what was used when it is over. Some numbers come as texts."""
    load = load_of(run, now)
    seconds = run.made["duration"] if over_at(run, now) is None else (load.seconds if load else 0.0)
    return costs(run.made["vus"] * seconds / 3600, in_words=int(run.id) % 4 == 0)


def costs(vuh: float, *, in_words: bool = False, local: bool = False) -> Row:
    """The reductions are each of what the other leaves."""

    def number(value: float) -> float | str:
        return str(round(value, 4)) if in_words else round(value, 4)

    rates = ({"volume": 10} if vuh >= 100 else {}) | ({"local_run": 25} if local else {})
    billed = vuh
    for rate in rates.values():
        billed *= 1 - rate / 100
    breakdown = {
        "protocol_vuh": number(billed),
        "browser_vuh": number(0),
        "base_total_vuh": number(vuh),
        "reduction_rate": number(100 * (1 - billed / vuh) if rates and vuh else 0),
        "reduction_rate_breakdown": {name: number(rate) for name, rate in rates.items()} or None,
    }
    return {"total_vuh": number(billed), "breakdown": breakdown}


def run_v6(store: Store, run: Run, now: int) -> Row:
    """All members of a run, always; null is what is not known yet."""
    made, valid = run.made, is_valid(run, now)
    history = status_history(run, now)
    saved = made["is_baseline"]
    return {
        "id": int(run.id),
        "test_id": int(run.test),
        "project_id": store.tests[K6][run.test].made["project_id"],
        "started_by": started_by(run),
        "created": iso(run.created),
        "ended": iso_or_none(over_at(run, now)),
        "note": made["note"],
        "retention_expiry": None if saved else iso(run.created + _KEPT),
        "cost": cost(run, now) if valid else None,
        "status": history[-1]["type"],
        "status_details": history[-1],
        "status_history": history,
        "distribution": [{"load_zone": zone, "percent": part} for zone, part in DISTRIBUTION] if valid else None,
        "result": result(run, now),
        "result_details": _result_details(run, now),
        "options": options(store, run) if valid else None,
        "k6_dependencies": {"k6": ">=v0.52"},
        "k6_versions": {"k6": "v1.3.0"},
        "max_vus": made["vus"] if valid else None,
        "max_browser_vus": 0 if valid else None,
        "estimated_duration": made["duration"] if valid else None,
        "execution_duration": execution_s(run, now),
        "is_starred": made.get("is_starred", made["is_baseline"]),
    }


def started_by(run: Run) -> str | None:
    user = run.made["user_id"]
    return None if user == _STACK_TOKEN else EMAIL_OF[user]


def stopped_by(run: Run, now: int) -> str | None:
    user = run.made["stopped_by_id"]
    return EMAIL_OF[user] if user and over_at(run, now) is not None else None


def page_of_run(run: Run) -> str:
    return f"{STACK_URL}/a/k6-app/runs/{run.id}"


def test_v6(store: Store, test: Test) -> Row:
    baselines = [int(run.id) for run in store.by_test.get((K6, test.id), ()) if run.made["is_baseline"]]
    return {
        "id": int(test.id),
        "project_id": test.made["project_id"],
        "name": test.name,
        "baseline_test_run_id": baselines[-1] if baselines else None,
        "k6_version": None,
        "created": iso(test.made["created"]),
        "updated": iso(test.made["updated"]),
    }


def project_v6(project: Row) -> Row:
    """Of the defaults of the two organizations, one is the stack's."""
    when = iso(1_577_836_800 * SECOND + project["id"])
    return {
        "id": project["id"],
        "name": project["name"],
        "is_default": project == PROJECTS[0],
        "grafana_folder_uid": f"harbour{project['id']}" if project["id"] % 2 else None,
        "created": when,
        "updated": when,
        "labels": {"team": "shop"} if project == PROJECTS[0] else {},
    }
