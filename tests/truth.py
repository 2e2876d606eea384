"""What an export must say of each run the sandbox made: read from the sandbox's truth by a table of our own.

A second reading of the APIs' documents, on purpose not sharing a line with the services.
"""

from datetime import datetime
from typing import Any

K6_STATUS = {
    -2: "created", -1: "created", 0: "queued", 1: "starting", 2: "running", 3: "finished", 4: "timed_out",
    5: "aborted", 6: "aborted", 7: "aborted", 8: "aborted", 9: "aborted",
}  # fmt: skip
K6_WORDS = {
    -2: "CREATED", -1: "VALIDATED", 0: "QUEUED", 1: "INITIALIZING", 2: "RUNNING", 3: "FINISHED", 4: "TIMED_OUT",
    5: "ABORTED_BY_USER", 6: "ABORTED_BY_SYSTEM", 7: "ABORTED_BY_SCRIPT_ERROR", 8: "ABORTED_BY_THRESHOLD",
    9: "ABORTED_BY_LIMIT",
}  # fmt: skip
V6_STATUS = {
    "created": "created", "queued": "queued", "initializing": "starting", "running": "running",
    "processing_metrics": "processing", "completed": "finished", "aborted": "aborted",
}  # fmt: skip
VSTS_STATUS = {
    ("pending", "none"): "created",
    ("queued", "none"): "queued",
    ("queued", "validatingTestRun"): "queued",
    ("queued", "acquiringResources"): "starting",
    ("inProgress", "configuringAgents"): "starting",
    ("inProgress", "executingSetupScript"): "starting",
    ("inProgress", "warmingUp"): "running",
    ("inProgress", "runningTest"): "running",
    ("inProgress", "none"): "running",
    ("inProgress", "executingCleanupScript"): "processing",
    ("inProgress", "collectingResults"): "processing",
    ("stopping", "none"): "stopping",
    ("completed", "success"): "finished",
    ("completed", "partialSuccess"): "finished",
    ("aborted", "none"): "aborted",
    ("error", "none"): "error",
}
AZURE_STATUS = {
    "ACCEPTED": "queued", "NOTSTARTED": "queued", "VALIDATION_SUCCESS": "starting", "PROVISIONING": "starting",
    "PROVISIONED": "starting", "CONFIGURING": "starting", "CONFIGURED": "starting", "EXECUTING": "running",
    "EXECUTED": "processing", "DEPROVISIONING": "processing", "DEPROVISIONED": "processing", "DONE": "finished",
    "CANCELLING": "stopping", "CANCELLED": "aborted", "FAILED": "error", "VALIDATION_FAILURE": "error",
}  # fmt: skip
AZURE_RESULT = {"PASSED": "passed", "FAILED": "failed", "NOT_APPLICABLE": "none"}


def expected_export(run: dict[str, Any], account: str) -> dict[str, Any]:
    """The export's record of one run of the truth."""
    if run["provider"] == "k6":
        return _expected_v6(run, account)
    status, result, word = {"k6-legacy": _k6, "azure": _azure}.get(run["provider"], _vsts)(run)
    load = _seconds(run["load_started"], run["load_ended"])
    return {
        "account": account,
        "provider": run["provider"],
        "external_id": run["external_id"],
        "test": run["test"],
        "name": f"{run['test']} #{run['number']}",
        "requested_by": run["requested_by"],
        "status": status,
        "result": result,
        "provider_status": word,
        "created_at": run["created"],
        "started_at": run["started"],
        "ended_at": run["ended"],
        "duration_s": load,
        "planned_duration_s": run["duration_s"],
        "virtual_users": run["virtual_users"],
        "note": run["note"] or "",
    } | _apart(run)


def _apart(run: dict[str, Any]) -> dict[str, Any]:
    """What a provider tells in other members than the rest."""
    if run["provider"] == "k6-legacy":
        return {"name": "", "requested_by": run["requested_by_name"] or f"user {run['requested_by']}"}
    if run["provider"] == "azure":
        planned, users = run["planned_duration_s"], run["virtual_users"] or None
        return {"name": run["name"], "planned_duration_s": planned, "virtual_users": users}
    return {}


def _k6(run: dict[str, Any]) -> tuple[str, str, str]:
    number, processing, failed = run["run_status"], run["processing_status"], run["result_status"] == 1
    word = K6_WORDS.get(number, str(number))
    status = K6_STATUS.get(number, "unknown")
    if number == 3 and processing in (0, 1):
        return "processing", "none", word
    if number == 3 and processing == 3:
        return status, "failed" if failed else "none", word
    if number == 3:
        return status, "failed" if failed else "passed" if run["thresholds"] else "none", word
    if number == 5:
        return status, "failed" if failed else "none", word
    if number == 8:
        return status, "failed", word
    if number in (4, 6, 7, 9):
        return status, "failed" if failed else "error", word
    return status, "none", word


def _expected_v6(run: dict[str, Any], account: str) -> dict[str, Any]:
    status, result = _v6(run)
    return {
        "account": account,
        "provider": "k6",
        "external_id": run["external_id"],
        "test": run["test"],
        "name": "",
        "requested_by": run["requested_by"] or "",
        "status": status,
        "result": result,
        "provider_status": run["status"],
        "created_at": run["created"],
        "started_at": run["load_started"],
        "ended_at": run["load_ended"],
        "duration_s": float(run["duration_s"]) if run["load_started"] and run["load_ended"] else None,
        "planned_duration_s": run["planned_duration_s"],
        "virtual_users": run["virtual_users"],
        "note": run["note"],
    }


def _v6(run: dict[str, Any]) -> tuple[str, str]:
    status, said = V6_STATUS.get(run["status"], "unknown"), run["result"]
    if status not in ("finished", "aborted"):
        return status, "none"
    if said == "failed":
        return ("timed_out" if run["error_code"] == 8016 else status), "failed"
    if status == "finished":
        return status, "passed" if said == "passed" and run["thresholds"] else "none"
    if run["stopped_by"]:
        return status, "none"
    return ("timed_out" if run["error_code"] == 8016 else status), "error"


def _vsts(run: dict[str, Any]) -> tuple[str, str, str]:
    status = VSTS_STATUS.get((run["state"], run["subState"]), "unknown")
    result = "none"
    if run["state"] == "completed":
        result = "failed" if run["critical_threshold_errors"] else "passed"
    if run["state"] == "error":
        result = "error"
    return status, result, run["state"]


def _azure(run: dict[str, Any]) -> tuple[str, str, str]:
    """An error is one whatever else is unknown of it, unless its criteria failed."""
    status, result = AZURE_STATUS.get(run["status"], "unknown"), AZURE_RESULT[run["testResult"]]
    return status, "error" if status == "error" and result != "failed" else result, run["status"]


def _seconds(start: str | None, end: str | None) -> float | None:
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
