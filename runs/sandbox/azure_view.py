"""How Azure tests and runs look as JSON. What a version of the API does not know yet, it does not say."""

import uuid
from typing import Any
from urllib.parse import quote

from . import azure_lives
from .azure_files import artifacts, test_artifacts
from .azure_load import TIMES, Totals, seconds, totals
from .azure_make import environment
from .clock import iso, iso_seven
from .models import Run, Test
from .store import Store

# Members that came after 2022-11-01, and those that came with 2025-11-01-preview.
_LATER = ("kind", "debugLogsEnabled", "requestDataLevel", "autoStopCriteria", "regionalStatistics", "virtualUserHours",
          "createdByType")  # fmt: skip
_LATEST = ("executionStartDateTime", "executionEndDateTime", "estimatedVirtualUserHours", "createdByUri")
_PORTAL = "https://portal.azure.com/#blade/Microsoft_Azure_CloudNativeTesting/NewReport/resourceId/"
_RESOURCE = (
    "/subscriptions/7c71b563-0dc0-4bc0-bcf6-06f8f0516c7a/resourceGroups/harbour/providers/Microsoft.LoadTestService"
    "/loadTests/harbour"
)
_SENTINEL = -1.0


def _fitting(row: dict[str, Any], version: str) -> dict[str, Any]:
    """What is known, and what this version has words for."""
    hidden = (*_LATER, *_LATEST) if version < "2023" else _LATEST if version < "2025-11" else ()
    return {name: value for name, value in row.items() if value is not None and name not in hidden}


def _settings(store: Store, made: dict[str, Any], test_id: str) -> dict[str, Any]:
    """What a test and its runs have in common."""
    return {
        "kind": made["kind"],
        "publicIPDisabled": False,
        "environmentVariables": environment(store.secrets, test_id),
        "secrets": {
            "shop-token": {"type": "AKV_SECRET_URI", "value": "https://harbour.vault.azure.net/secrets/shop-token/1"}
        },
        "autoStopCriteria": {"autoStopDisabled": False, "errorRate": 90.0, "errorRateTimeWindowInSeconds": 60},
        "loadTestConfiguration": {
            "engineInstances": made["engines"],
            "splitAllCSVs": False,
            "quickStartTest": made["kind"] == "URL",
            "optionalLoadTestConfig": {
                "endpointUrl": "https://shop.example/cart",
                "virtualUsers": made["virtual_users"],
                "rampUpTime": max(1, made["duration"] // 10),
                "duration": made["duration"],
            },
            "regionalLoadTestConfig": [
                {"region": region, "engineInstances": max(1, round(made["engines"] * share))}
                for region, share in made["regions"]
            ],
        },
    }


def test_row(store: Store, test: Test, version: str, base_url: str) -> dict[str, Any]:
    made = test.made
    row = {
        "testId": test.id,
        "displayName": test.name,
        "description": f"{test.name} – started by hand and every night",
        **_settings(store, made, test.id),
        "passFailCriteria": _pass_fail(made["criteria"], server_criteria(made, test.id) | made["criteria"]),
        "inputArtifacts": test_artifacts(store, test, base_url),
        "createdDateTime": iso_seven(made["created"]),
        "createdBy": made["created_by"],
        "lastModifiedDateTime": iso_seven(test_modified(test)),
        "lastModifiedBy": made["created_by"],
    }
    return _fitting(row, version)


def test_modified(test: Test) -> int:
    return test.made.get("modified") or test.made["created"]


def server_criteria(made: dict[str, Any], test_id: str) -> dict[str, dict[str, Any]]:
    """What is asked of the servers under load, which always holds: tests with all the other criteria have it too."""
    if len(made["criteria"]) < 4:
        return {}
    rule = {
        "resourceId": f"{_RESOURCE.partition('/providers/')[0]}/providers/Microsoft.Web/serverfarms/shop",
        "metricNamespace": "microsoft.web/serverfarms",
        "metricName": "CpuPercentage",
        "aggregation": "Average",
        "condition": ">",
        "value": 80.0,
        "action": "continue",
    }
    return {str(uuid.uuid5(uuid.NAMESPACE_DNS, test_id)): rule}


def _pass_fail(of_clients: dict[str, Any], rules: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All rules, apart by whose metric they are about."""
    found = {"passFailMetrics": {key: rule for key, rule in rules.items() if key in of_clients}}
    others = {key: rule for key, rule in rules.items() if key not in of_clients}
    return found | ({"passFailServerMetrics": others} if others else {})


def has_results(run: Run, now: int) -> bool:
    return run.date("results", now) is not None


def run_row(store: Store, run: Run, version: str, base_url: str) -> dict[str, Any]:
    now, made = store.clock.now(), run.made
    ended = run.date("ended", now)
    rows = totals(run, seconds(run, now))
    rules = criteria(run, now, rows)
    row = {
        "testRunId": run.id,
        "testId": run.test,
        "displayName": made["name"],
        "description": made["description"],
        "status": run.step_at(now)[1],
        "testResult": verdict(rules),
        "portalUrl": f"{_PORTAL}{quote(_RESOURCE, safe='')}/testId/{run.test}/openingFromBlade/testRunId/{run.id}",
        **_settings(store, made, run.test),
        "debugLogsEnabled": made["errors_logged"],
        "requestDataLevel": "ERRORS" if made["errors_logged"] else "NONE",
        "passFailCriteria": _pass_fail(made["criteria"], rules) if rules else None,
        **_dates(run, now),
        "duration": (ended - run.dates["started"]) // 1000 if ended is not None else None,
        **_results(run, now, rows),
        "errorDetails": errors(run, now) or None,
        "testArtifacts": artifacts(store, run, base_url),
        "createdBy": made["by"],
        "createdByType": made["by_type"],
        "createdByUri": None
        if made["by_type"] == "User"
        else f"https://ci.shop.example/{made['by_type']}/{run.number}",
        "createdDateTime": iso_seven(run.created),
        "lastModifiedDateTime": iso_seven(max(run.step_at(now)[0], made["modified"] or 0)),
        "lastModifiedBy": made["by"],
    }
    return _fitting(row, version)


_DATES = (
    ("executedDateTime", "executed"),
    ("startDateTime", "started"),
    ("endDateTime", "ended"),
    ("executionStartDateTime", "load_started"),
    ("executionEndDateTime", "load_ended"),
)


def _dates(run: Run, now: int) -> dict[str, Any]:
    """`executedDateTime` is when it was asked for: it is there from the start."""
    found = {name: run.date(key, now) for name, key in _DATES} | {"executedDateTime": run.dates["executed"]}
    return {name: iso_short(when) for name, when in found.items() if when is not None}


def iso_short(us: int) -> str:
    """Whole milliseconds with their three digits, anything finer with seven."""
    return iso_seven(us) if us % 1000 else iso(us)[:23] + "Z"


def errors(run: Run, now: int) -> list[dict[str, Any]]:
    """What a run says went wrong. It may say something else once its results are there."""
    if not run.ended_at(now):
        return []
    text = azure_lives.MESSAGES.get(run.made["outcome"], ("", ""))[has_results(run, now)]
    code = run.made["outcome"].title().replace("_", "")
    return [{"code": code, "message": text, "properties": {"engines": [str(run.made["engines"])]}}] if text else []


def verdict(rules: dict[str, dict[str, Any]]) -> str:
    """The word for criteria with their results."""
    results = {rule["result"] for rule in rules.values()}
    if not results or "undetermined" in results:
        return "NOT_APPLICABLE"
    return "FAILED" if "failed" in results else "PASSED"


def criteria(run: Run, now: int, rows: list[Totals]) -> dict[str, dict[str, Any]]:
    """With what was measured, once the results of a run that is done are there; before: the sentinel.

    rows: the totals of the run's requests.
    """
    judged = run.step_at(now)[1] == "DONE" and has_results(run, now)
    found = {}
    for key, rule in (run.made["criteria"] | server_criteria(run.made, run.test)).items():
        actual = _measured(run, now, rule, rows) if judged else None
        if actual is None:
            found[key] = rule | {"actualValue": _SENTINEL, "result": "undetermined"}
            continue
        broken = actual > rule["value"] if rule["condition"] == ">" else actual < rule["value"]
        found[key] = rule | {"actualValue": actual, "result": "failed" if broken else "passed"}
    return found


def _measured(run: Run, now: int, rule: dict[str, Any], rows: list[Totals]) -> float | None:
    if "metricName" in rule:
        return 20.0 + run.number % 40
    name = rule.get("requestName")
    row = rows[run.made["names"].index(name) if name else -1]
    if not row.sent:
        return None
    metric, aggregate = rule["clientMetric"], rule["aggregate"]
    if metric == "error":
        return round(100 * row.failed / row.sent, 2)
    if metric == "requests_per_sec":
        return round(row.sent / seconds(run, now), 2)
    return round(row.time * TIMES.get(aggregate, 1.0) * (0.9 if metric == "latency" else 1), 2)


def _results(run: Run, now: int, rows: list[Totals]) -> dict[str, Any]:
    """All that is there only some time after the end."""
    if not has_results(run, now):
        return {}
    at, made = seconds(run, now), run.made
    if not at:
        return {"virtualUsers": 0, "testRunStatistics": {"Total": {"throughput": 0.0}}, "virtualUserHours": 0.0}
    names = [*made["names"], "Total"]
    statistics = {name: _statistics(name, row, at) for name, row in zip(names, rows, strict=True)}
    hours = round(made["virtual_users"] * at / 3600, 3)
    found: dict[str, Any] = {"virtualUsers": made["virtual_users"], "testRunStatistics": statistics}
    if len(made["regions"]) > 1:
        found["regionalStatistics"] = {
            region: _statistics("Total", _part(rows[-1], share), at) for region, share in made["regions"]
        }
    return found | {"virtualUserHours": hours, "estimatedVirtualUserHours": hours}


def _part(row: Totals, share: float) -> Totals:
    return Totals(int(row.sent * share), int(row.failed * share), row.time)


_PERCENTILES = {
    "medianResTime": "p50", "minResTime": "min", "maxResTime": "max", "pct75ResTime": "p75", "pct1ResTime": "p90",
    "pct2ResTime": "p95", "pct96ResTime": "p96", "pct97ResTime": "p97", "pct98ResTime": "p98", "pct3ResTime": "p99",
    "pct999ResTime": "p99.9", "pct9999ResTime": "p99.99",
}  # fmt: skip


def _statistics(name: str, row: Totals, at: float) -> dict[str, Any]:
    if not row.sent:
        return {"throughput": 0.0}
    pace = row.sent / at
    return {
        "transaction": name,
        "sampleCount": float(row.sent),
        "errorCount": float(row.failed),
        "errorPct": round(100 * row.failed / row.sent, 4),
        "meanResTime": round(row.time, 2),
        **{key: round(row.time * TIMES[word], 1) for key, word in _PERCENTILES.items()},
        "throughput": round(pace, 2),
        "receivedKBytesPerSec": round(pace * 6.4, 2),
        "sentKBytesPerSec": round(pace * 0.4, 2),
    }
