"""How VSTS runs and drops look as JSON: camelCase, and nothing that is null, 0, false or unset."""

from typing import Any

from .clock import iso_seven
from .models import Run
from .planted import sas_query
from .store import Store
from .vsts_make import identity

_DATES = (
    ("queuedDate", "queued"),
    ("startedDate", "started"),
    ("warmUpStartedDate", "warm_up"),
    ("executionStartedDate", "load_started"),
    ("executionFinishedDate", "load_ended"),
)
_PLATFORMS = ("none", "msil", "x86", "ia64", "amd64", "arm")


def compact(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value not in (None, 0, False)}


def basic(run: Run, now: int, base_url: str) -> dict[str, Any]:
    """A TestRunBasic."""
    made = run.made
    row: dict[str, Any] = {
        "id": run.id,
        "name": run.test,
        "runNumber": run.number,
        "createdDate": iso_seven(run.created),
    }
    ended = run.date("ended", now)
    if ended is not None:
        row["finishedDate"] = iso_seven(ended)
    row["runSpecificDetails"] = compact(
        {
            "duration": made["duration"],
            "warmUpDuration": made["warm_up"],
            "virtualUserCount": made["virtual_users"],
            "coreCount": made["cores"],
            "samplingInterval": 15,
        }
    )
    row["createdBy"] = identity(made["created_by"])
    row["state"] = run.step_at(now)[1]
    row["runType"] = made["run_type"]
    row["url"] = f"{base_url}/_apis/clt/TestRuns/{run.id}"
    return row


def stopped(run: Run, now: int) -> bool:
    return run.step_at(now)[1] in ("stopping", "aborted") and bool(run.made["stopped_by"])


def detailed(run: Run, now: int, base_url: str) -> dict[str, Any]:
    """A TestRun."""
    made = run.made
    row: dict[str, Any] = {}
    for name, key in _DATES:
        when = run.date(key, now)
        if when is not None:
            row[name] = iso_seven(when)
    if run.date("started", now) is not None and made["abort"] is None:
        row["chargeable"] = True
    row["subState"] = run.step_at(now)[2]
    if made["description"]:
        row["description"] = made["description"]
    row["testSettings"] = {
        "cleanupCommand": made["cleanup_command"],
        "hostProcessPlatform": made["platform"],
        "setupCommand": made["setup_command"],
    }
    row["testDrop"] = {"id": made["drop_id"], "url": f"{base_url}/_apis/clt/TestDrops/{made['drop_id']}"}
    if run.date("queued", now) is not None:
        row["startedBy"] = identity(made["started_by"])
    row["stoppedBy"] = identity(made["stopped_by"] if stopped(run, now) else "")
    row["loadGenerationGeoLocations"] = [{"location": made["location"], "percentage": 100}]
    if made["abort"] and run.ended_at(now):
        row["abortMessage"] = made["abort"] | {"loggedDate": iso_seven(run.dates["ended"])}
    if made["source"]:
        row["runSourceIdentifier"] = made["source"]
    row["webResultUrl"] = (
        f"{base_url}/_apps/hub/ms.vss-cloudloadtest-web.hub-loadtest-account?_a=summary&runId={run.id}"
    )
    return row | basic(run, now, base_url)


def platform_word(value: Any) -> str:
    """The platform a client asked for, as the service says it back: x64 is no word of its own and becomes amd64."""
    text = str(value).strip().lower()
    if text == "x64":
        return "amd64"
    if text.isdecimal() and int(text) < len(_PLATFORMS):
        return _PLATFORMS[int(text)]
    return text if text in _PLATFORMS else "x86"


def drop(store: Store, made: dict[str, Any], base_url: str) -> dict[str, Any]:
    signature = store.secrets.drop_sig(made["id"])
    return {
        "id": made["id"],
        "dropType": made["type"],
        "createdDate": iso_seven(made["created"]),
        "accessData": {
            "sasKey": "?" + sas_query(signature, "c", "rw"),
            "dropContainerUrl": f"{base_url}/__blob__/drops/{made['id']}",
        },
        "testRunId": made["run"],
        "loadTestDefinition": made["definition"],
    }
