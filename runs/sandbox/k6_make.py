"""Makes k6 tests and runs: the generated history, and each run started later."""

import hashlib
from random import Random
from typing import Any

from . import words
from .clock import DAY, SECOND, iso
from .dice import dice
from .k6_load import CHECKS, SPREAD, course, fit, share_at, sums
from .lives import K6_ERRORS, K6_OUTCOMES, K6Outcome, k6_life
from .models import K6, Run, Test

ORGANIZATIONS = (
    {"id": 499, "name": "Harbour Street Shop", "is_default": True},
    {"id": 512, "name": "Harbour Labs", "is_default": False},
)
PROJECTS = (
    {"id": 5276, "organization_id": 499, "name": "Shop", "is_default": True},
    {"id": 5277, "organization_id": 499, "name": "Search & feeds", "is_default": False},
    {"id": 5301, "organization_id": 512, "name": "Experiments", "is_default": True},
)
FIRST_TEST_ID = 3535
FIRST_RUN_ID = 152001
OWN_USER_ID = 703

# Each of these is made first, in this order, so that a small history already holds every number of the contract.
_MUSTS = [
    "passed",
    "failed",
    "live:running",
    "no_thresholds",
    "user",
    "script_error",
    "live:queued",
    "threshold",
    "timed_out",
    "live:processing",
    "system",
    "limit",
    "live:initializing",
    "incomplete",
    "unheard_of",
    "live:failing",
    "archived",
    "live:created",
    "live:validated",
    "live:not_processed",
    "incomplete_failed",
    "system_failed",
    "setup_error",
    "user_failed",
]
_USUAL = (("passed", 62), ("failed", 16), ("no_thresholds", 5), ("user", 5), ("script_error", 3), ("threshold", 4))
_RARE = (("timed_out", 1), ("system", 1), ("limit", 1), ("setup_error", 1), ("user_failed", 1))
_NAMES, _WEIGHTS = zip(*(_USUAL + _RARE), strict=True)

# Seconds a live run had already lived at the start of the sandbox's history, and its planned load.
_LIVE = {
    "running": (300, 2400),
    "failing": (700, 3600),
    "queued": (10, 900),
    "initializing": (50, 1200),
    "created": (0, 600),
    "validated": (0, 600),
    "processing": (0, 600),
    "not_processed": (0, 600),
}


def make_tests(count: int, now: int, seed: int) -> list[Test]:
    tests = []
    for index in range(count):
        rng = dice(seed, "k6 test", index)
        name = words.k6_name(index)
        made = {
            "project_id": PROJECTS[index % 3 if index > 1 else 0]["id"],
            "user_id": words.K6_USER_IDS[index % len(words.K6_USER_IDS)],
            "created": now - 200 * DAY + index * 3600 * SECOND + rng.randrange(SECOND),
            "duration": rng.choice((120, 300, 600, 900, 1800, 2550)),
            "vus": rng.choice((20, 50, 200, 500, 3000)),
            "path": name.split(" ")[0].lower().strip("<>b/=+"),
        }
        made["updated"] = made["created"] + rng.randrange(60 * DAY)
        tests.append(Test(K6, str(FIRST_TEST_ID + index), name, made))
    return tests


def schedules(tests: list[Test], now: int) -> list[dict[str, Any]]:
    """When some of the tests start by themselves: every kind of schedule there is, of the first six tests one each."""
    weekdays = {"frequency": "WEEKLY", "interval": 1, "byday": ["TU", "FR"], "until": None, "count": None}
    ended = {"frequency": "DAILY", "interval": 1, "byday": None, "until": now - 10 * DAY, "count": None}
    kinds: tuple[dict[str, Any], ...] = (
        {"cron": {"schedule": "30 2 * * 1-5", "time_zone": "Europe/Berlin"}},
        {"recurrence_rule": weekdays, "deactivated": True},
        {"recurrence_rule": ended, "created_by": None},
        {"starts": now + 2 * DAY},
        {"cron": {"schedule": "@hourly", "time_zone": "UTC"}, "created_by": None},
        {"recurrence_rule": weekdays | {"frequency": "MONTHLY", "byday": None, "count": 12}},
    )
    rows = []
    for index, (test, kind) in enumerate(zip(tests, kinds, strict=False)):
        row = {"id": 701 + index, "load_test_id": int(test.id), "starts": now - (40 + index) * DAY}
        row |= {"recurrence_rule": None, "cron": None, "deactivated": False, "created_by": words.EMAILS[index]}
        rows.append(row | kind)
    return rows


def script_of(test: Test) -> str:
    specs = ", ".join(
        f"'{name.partition(':')[0]}': ['{name.partition(': ')[2]}']" for name, _, _ in threshold_specs(test)
    )
    made = test.made
    return words.SCRIPT.format(
        vus=made["vus"], duration=made["duration"], thresholds="{ " + specs + " }", path=made["path"]
    )


def threshold_specs(test: Test) -> list[tuple[str, str, float]]:
    """The thresholds in the test's script: (metric: condition, statistic, limit). Response times always have one."""
    slow = 300 + int(test.id) % 5 * 100
    least = max(10, test.made["vus"] * test.made["duration"] // 250)
    every = (
        (f"http_req_duration: p(95)<{slow}", "p(95)", slow),
        ("http_req_failed: rate<0.05", "rate", 0.05),
        ("checks: rate>0.95", "rate", 0.95),
        (f"http_reqs: count>{least}", "count", least),
    )
    return list(every[: 2 + int(test.id) % 3])


def history(tests: list[Test], count: int, now: int, seed: int) -> list[Run]:
    """`count` runs, ids rising with their creation, the live ones last."""
    rng = dice(seed, "k6 history")
    plans = _MUSTS[:count] + rng.choices(_NAMES, _WEIGHTS, k=max(0, count - len(_MUSTS)))
    live = [plan[5:] for plan in plans if plan.startswith("live:")]
    ended = [plan for plan in plans if not plan.startswith("live:")]
    rng.shuffle(ended)
    moments = sorted(rng.randrange(now - 120 * DAY, now - 3 * 3600 * SECOND) for _ in ended)
    runs = []
    for index, (outcome, created) in enumerate(zip(ended, moments, strict=True)):
        runs.append(make_run(_pick(tests, index, rng), FIRST_RUN_ID + index, created, outcome, rng))
    for index, state in enumerate(sorted(live, key=lambda name: -_LIVE[name][0])):
        runs.append(_live_run(tests[index % len(tests)], FIRST_RUN_ID + len(runs), now, state, rng))
    return runs


def _pick(tests: list[Test], index: int, rng: Random) -> Test:
    """Every test once, then the first ones oftener."""
    return tests[index] if index < len(tests) else tests[int(len(tests) * rng.random() ** 1.6)]


def make_run(
    test: Test, run_id: int, created: int, outcome: str, rng: Random, *, scale: float = 1.0, user: int | None = None
) -> Run:
    plan = K6_OUTCOMES[outcome]
    duration = test.made["duration"]
    steps, dates = k6_life(created, duration, plan, rng, scale)
    made: dict[str, Any] = {
        "user_id": user or rng.choice(words.K6_USER_IDS),
        "duration": duration,
        "vus": test.made["vus"],
        "note": "" if user else rng.choice(words.NOTES),
        "error_code": plan.error_code,
        "error_detail": words.SCRIPT_ERROR if plan.error_code == 8035 else K6_ERRORS.get(plan.error_code),
        "stopped_by_id": rng.choice(words.K6_USER_IDS) if plan.run_status == 5 else None,
        "thresholds": [] if plan.breached is None else _thresholds(test, run_id),
        "run_process": "UI-Script to Cloud" if run_id % 3 else "k6 to Cloud",
        "public_id": public_id_of(run_id) if run_id % 5 == 0 else None,
        "is_baseline": run_id % 41 == 0,
        "vus_per_instance": 0 if run_id % 2 else 300,
        "figures": _figures(test, run_id, plan, plan.share or 1.0, rng),
        "scale": scale,
    }
    run = Run(K6, str(run_id), test.id, run_id, created, steps, dates, made)
    judge(run)
    return run


def public_id_of(run_id: int) -> str:
    """The unguessable name of a run that was shared; a word of hex, not a number."""
    return hashlib.md5(f"public {run_id}".encode(), usedforsecurity=False).hexdigest()


def _thresholds(test: Test, run_id: int) -> list[dict[str, Any]]:
    """The run's thresholds, not yet judged. `tainted_at`: the moment it was crossed, or None."""
    return [
        {"id": run_id * 10 + index, "name": name, "stat": stat, "value": limit, "tainted_at": None}
        for index, (name, stat, limit) in enumerate(threshold_specs(test))
    ]


def _figures(test: Test, run_id: int, plan: K6Outcome, lived: float, rng: Random) -> dict[str, Any]:
    """Figures that make the outcome true once this share of the planned load was lived.

    A broken run is too slow, and every third one fails too often as well. What else its figures break, they break.
    """
    limit = threshold_specs(test)[0][2] / SPREAD["p95"]
    level = limit * rng.uniform(0.4, 0.8)
    if not plan.breached:
        return fit(rng, level=level, mean=level, failed=rng.choice((0.0, 0.0, 0.0005, 0.002, 0.0045)), lived=lived)
    mean, failed, at = rng.uniform(1.06, 1.7), rng.uniform(0.011, 0.045), rng.uniform(0.3, 0.65)
    if plan.run_status == 8:
        # Such a run is ended by its threshold, moments after it was crossed.
        mean, at = rng.uniform(1.01, 1.03), max(at, 0.5)
    elif run_id % 3 == 0:
        failed = rng.uniform(0.055, 0.12)
    return fit(rng, level=level, mean=limit * mean, failed=failed, lived=lived, at=at * lived)


def judge(run: Run) -> None:
    """Set when each threshold is crossed: as soon as its value breaks its condition, or never in this run's load."""
    start, ended = run.dates.get("started"), run.dates["ended"]
    for row in run.made["thresholds"]:
        row["tainted_at"] = None
        share = None if start is None else _broken_at(run, row, ended)
        if share is not None:
            when = start + int(share * run.made["duration"] * SECOND / run.made["scale"])
            row["tainted_at"] = when if when <= ended else None


def _broken_at(run: Run, row: dict[str, Any], ended: int) -> float | None:
    """The share of the plan at which the threshold is crossed. A least count is judged when the load is over."""
    limit, metric = row["value"], row["name"].partition(":")[0]
    if metric != "http_reqs" and run.made["figures"]["at"] is None:
        return None
    if metric == "http_req_duration":
        return course(run).crossing(ms=SPREAD["p95"], requests=limit)
    if metric == "http_req_failed":
        return course(run).crossing(failed=1, requests=limit)
    if metric == "checks":
        asked = sum(1 / every for _, every, _ in CHECKS)
        return course(run).crossing(
            failed=sum(1 / every for _, every, fails in CHECKS if fails), requests=(1 - limit) * asked
        )
    total = sums(run, ended)
    return share_at(run, ended) if int(total.ok) + int(total.failed) <= limit else None


def _live_run(test: Test, run_id: int, now: int, state: str, rng: Random) -> Run:
    """A run that is in this state now, and stays in it for some minutes of the real clock."""
    age, duration = _LIVE[state]
    created = now - age * SECOND - rng.randrange(SECOND)
    outcome = "failed" if state == "failing" else "passed"
    run = make_run(test, run_id, created, outcome, rng)
    stay = now + (240 + rng.randrange(600)) * SECOND
    if state in ("processing", "not_processed"):
        _just_ended(run, now - 20 * SECOND, 1 if state == "processing" else 0, stay)
    elif state in ("running", "failing"):
        past = [[created + index * 15 * SECOND, *step[1:]] for index, step in enumerate(run.steps[:5])]
        run.made["duration"] = duration
        started = past[-1][0]
        shift = started + duration * SECOND - run.dates["ended"]
        run.dates = {"started": started, "ended": started + duration * SECOND}
        run.steps = past + [[when + shift, *rest] for when, *rest in run.steps[len(past) :]]
        lived = (now - started) / SECOND / duration
        run.made["figures"] = _figures(test, run_id, K6_OUTCOMES[outcome], lived, rng)
    else:
        waiting = ("created", "validated", "queued", "initializing").index(state)
        past = [[now - (4 - index) * SECOND, *step[1:]] for index, step in enumerate(run.steps[: waiting + 1])]
        shift = stay - run.steps[waiting + 1][0]
        run.dates = {name: when + shift for name, when in run.dates.items()}
        run.created = past[0][0]
        run.steps = past + [[when + shift, *rest] for when, *rest in run.steps[len(past) :]]
    judge(run)
    return run


def _just_ended(run: Run, ended: int, processing: int, until: int) -> None:
    """A life whose load is over and whose numbers are processed, or wait for that, until a moment to come."""
    run.created = ended - (run.made["duration"] + 90) * SECOND
    run.dates = {"started": run.created + 90 * SECOND, "ended": ended}
    run.steps = [[run.created, -2, 0], [run.dates["started"], 2, 0], [ended, 3, processing], [until, 3, 2]]


def started_outcome(test: Test, run_id: int, seed: int) -> str:
    """How a run started by hand ends: always the same for the same seed and id."""
    outcomes = ("passed",) * 6 + ("failed",) * 2 + ("threshold", "script_error")
    return dice(seed, "k6 start", run_id).choice(outcomes)


def zone_less(us: int | None) -> str | None:
    """The documented v2 form of a date, without a zone."""
    return None if us is None else iso(us)[:-1]
