"""Makes Azure load tests and their runs: the generated history, and each run started later."""

from collections.abc import Iterator
from random import Random
from typing import Any

from . import azure_lives, words
from .azure_load import fit, usual_time
from .clock import DAY, SECOND
from .dice import dice
from .models import AZURE, Run, Test
from .planted import Secrets
from .vsts_make import guid

# Each of these is made first, in this order, so that a small history already holds every picture of the contract.
_MUSTS = [
    "passed",
    "failed",
    "live:EXECUTING",
    "user",
    "no_criteria",
    "slow",
    "live:PROVISIONING",
    "user_early",
    "engine_lost",
    "live:DONE",
    "auto_stop",
    "invalid_script",
    "live:ACCEPTED",
    "failed_twice",
    "silent",
    "live:CANCELLING",
    "unheard_of",
    "no_engines",
    "stopped_by_criterion",
    "late_results",
    "live:NOTSTARTED",
    "live:VALIDATION_SUCCESS",
    "live:PROVISIONED",
    "live:CONFIGURING",
    "live:CONFIGURED",
    "live:EXECUTED",
    "live:DEPROVISIONING",
    "live:DEPROVISIONED",
]
_USUAL = {"passed": 48, "failed": 12, "slow": 8, "failed_twice": 4, "no_criteria": 8, "user": 6, "user_early": 3}
_RARE = {"auto_stop": 2, "engine_lost": 2, "no_engines": 2, "silent": 1, "invalid_script": 2, "late_results": 2}
_ODDS = _USUAL | _RARE
# For how many seconds a live run has been in its status now, where that is not 2.
_AGES = {"EXECUTING": 200, "PROVISIONING": 60, "DONE": 20, "CANCELLING": 5, "CONFIGURING": 10, "DEPROVISIONING": 15}

# What a test or a run may have files of; the last is a whole container.
FILES = ("script", "config", "properties", "results", "logs", "report", "container")
# What a run takes over from the one it repeats.
SETTINGS = ("kind", "script", "duration", "virtual_users", "engines", "regions", "names", "time", "criteria")

_NAMES = ("GET /cart", 'POST /order <b>&"quoted"', "GET /img/größe.png", '=HYPERLINK("http://evil.example")')
_SCRIPTS = {"JMX": "checkout.jmx", "Locust": "locustfile.py", "URL": "url_test.json"}
_BY_TYPES = ("User", "User", "User", "ScheduledTrigger", "AzurePipelines", "GitHubWorkflows")


def make_tests(count: int, now: int, seed: int) -> list[Test]:
    """The n-th test of a seed is always the same. Every fifth has a name for an id, the others have GUIDs."""
    tests = []
    for index in range(count):
        rng = dice(seed, "azure test", index)
        name = words.azure_name(index)
        test_id = f"shop_test-{index}" if index % 5 == 1 else guid(rng)
        created = now - 200 * DAY + index * 3600 * SECOND + rng.randrange(SECOND)
        made = {"created": created, "created_by": rng.choice(words.PEOPLE), **_settings(index, rng)}
        tests.append(Test(AZURE, test_id, name, made | {"criteria": _criteria(made, rng)}))
    return tests


def _settings(index: int, rng: Random) -> dict[str, Any]:
    kind = ("JMX", "JMX", "Locust", "URL")[index % 4]
    regions = [["westeurope", 1.0]] if index % 3 else [["westeurope", 0.75], ["eastus", 0.25]]
    return {
        "kind": kind,
        "script": _SCRIPTS[kind],
        "duration": rng.choice((180, 300, 540, 1200, 1800)),
        "virtual_users": rng.choice((20, 50, 100, 250)),
        "engines": rng.choice((1, 1, 2, 4)),
        "regions": regions,
        "names": list(_NAMES[: 1 + (index + 2) % len(_NAMES)]),
        "time": round(rng.uniform(60, 700), 2),
        "errors_logged": rng.random() < 0.3,
        "trigger": ("Active", "Paused")[index // 3 % 2] if index % 3 == 0 else None,
    }


def _criteria(made: dict[str, Any], rng: Random) -> dict[str, dict[str, Any]]:
    """Fail when …: by id, in the provider's words. The first two decide the verdict, the others always hold."""
    slow = round(usual_time(made["time"], None, len(made["names"])) * 2.1 * 1.4)
    rows = [
        {"clientMetric": "error", "aggregate": "percentage", "condition": ">", "value": 5.0, "action": "continue"},
        {"clientMetric": "response_time_ms", "aggregate": "p95", "condition": ">", "value": float(slow)},
        {"clientMetric": "requests_per_sec", "aggregate": "avg", "condition": "<", "value": 0.5},
        {"clientMetric": "latency", "aggregate": "avg", "condition": ">", "value": 60_000.0, "action": "stop"},
    ]
    rows[rng.randrange(2, 4)]["requestName"] = made["names"][0]
    return {guid(rng): {"action": "continue", **row} for row in rows[: 2 + rng.randrange(3)]}


def history(tests: list[Test], count: int, now: int, seed: int) -> list[Run]:
    """`count` runs, oldest first; the live ones are the newest."""
    rng = dice(seed, "azure history")
    plans = _MUSTS[:count] + rng.choices([*_ODDS], [*_ODDS.values()], k=max(0, count - len(_MUSTS)))
    live = [plan[5:] for plan in plans if plan.startswith("live:")]
    ended = [plan for plan in plans if not plan.startswith("live:")]
    rng.shuffle(ended)
    moments = sorted(rng.randrange(now - 120 * DAY, now - 3 * 3600 * SECOND) for _ in ended)
    runs = []
    for index, (outcome, created) in enumerate(zip(ended, moments, strict=True)):
        test = tests[index] if index < len(tests) else tests[int(len(tests) * rng.random() ** 1.6)]
        run = make_run(test, guid(rng), index + 1, created, outcome, rng, by=rng.choice(words.PEOPLE))
        run.made["by_type"] = rng.choice(_BY_TYPES)
        run.made["description"] = rng.choice(words.NOTES)[:100]
        runs.append(run)
    for index, status in enumerate(live):
        runs.append(_live_run(tests[index % len(tests)], len(runs) + 1, now, status, rng))
    return runs


def make_run(
    test: Test, run_id: str, number: int, created: int, outcome: str, rng: Random, *, by: str, scale: float = 1.0
) -> Run:
    """A run with its whole life laid out, and the settings its test has now."""
    made = {key: value for key, value in test.made.items() if key not in ("created", "created_by", "trigger")}
    plan = azure_lives.OUTCOMES[outcome]
    if outcome == "invalid_script":
        made |= {"kind": "JMX", "script": _SCRIPTS["JMX"]}
    made |= {
        "name": f"{test.name[:40]} #{number}",
        "description": "",
        "by": by,
        "by_type": "User",
        "outcome": outcome,
        "scale": scale,
        "stopped_by": None,
        "old": None,
        "figures": fit(plan.trouble, made["duration"] * (plan.share or 1.0) / scale, rng),
        "modified": None,
    }
    if not plan.criteria:
        made["criteria"] = {}
    run = Run(AZURE, run_id, test.id, number, created, [], {}, made)
    azure_lives.life(run, outcome, rng, scale)
    return run


def _live_run(test: Test, number: int, now: int, status: str, rng: Random) -> Run:
    """A run that is in this status now, and stays in it for some minutes of the real clock."""
    outcome = {"CANCELLING": "user", "DONE": "late_results"}.get(status, "failed")
    if status in ("EXECUTING", "VALIDATION_SUCCESS"):
        made = test.made | {"kind": "JMX", "script": _SCRIPTS["JMX"], "duration": 2400}
        test = Test(test.provider, test.id, test.name, made)
    run = make_run(test, guid(rng), number, now - 3600 * SECOND, outcome, rng, by=rng.choice(words.PEOPLE))
    here = next(step[0] for step in run.steps if step[1] == status)
    shift = now - _AGES.get(status, 2) * SECOND - here
    shift -= shift % 1000
    stay = 0 if status in ("EXECUTING", "DONE") else (240 + rng.randrange(600)) * SECOND

    def moved(when: int) -> int:
        return when + shift + (stay if when > here else 0)

    run.created += shift
    run.steps = [[moved(when), *rest] for when, *rest in run.steps]
    run.dates = {name: moved(when) for name, when in run.dates.items()}
    return run


def started_outcome(number: int, seed: int) -> str:
    """How a run started by hand ends: always the same for the same seed and number."""
    outcomes = ("passed",) * 5 + ("failed",) * 2 + ("slow", "no_criteria", "late_results", "engine_lost")
    return dice(seed, "azure start", number).choice(outcomes)


def environment(secrets: Secrets, test_id: str) -> dict[str, str]:
    """The environment variables of a test, which its runs show again."""
    return secrets.environment(f"azure {test_id}") | {"SHOP_URL": "https://shop.example"}


def planted(store: Any) -> Iterator[tuple[str, str]]:
    """Every secret an answer may hold, and where."""
    secrets = store.secrets
    for client, secret in (secrets.azure_client, secrets.azure_reader):
        yield secret, f"Azure: the client secret of {client}"
    for token in dict.fromkeys(store.issued):
        yield token, "Azure: an access token"
    for test_id in store.tests[AZURE]:
        for name, value in secrets.environment(f"azure {test_id}").items():
            yield value, f"Azure test {test_id}: environmentVariables.{name}, also of its runs"
        for name in FILES:
            yield secrets.azure_sig(f"{test_id}/{name}"), f"Azure test {test_id}: sig of {name}"
    for run_id in store.runs[AZURE]:
        for name in FILES:
            yield secrets.azure_sig(f"{run_id}/{name}"), f"Azure run {run_id}: sig of {name}"
