"""Makes k6 tests and runs: the generated history, and each run started later."""

import hashlib
from random import Random
from typing import Any

from . import words
from .clock import DAY, SECOND, iso
from .dice import dice
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

_THRESHOLDS = (
    ("http_req_duration: p(95)<{}", "p(95)", 500),
    ("http_req_failed: rate<0.0{}", "rate", 0.05),
    ("checks: rate>0.9{}", "rate", 0.95),
    ("http_reqs: count>{}", "count", 1000),
)


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


def script_of(test: Test) -> str:
    specs = ", ".join(
        f"'{name.partition(':')[0]}': ['{name.partition(': ')[2]}']" for name, _, _ in threshold_specs(test)
    )
    made = test.made
    return words.SCRIPT.format(
        vus=made["vus"], duration=made["duration"], thresholds="{ " + specs + " }", path=made["path"]
    )


def threshold_specs(test: Test) -> list[tuple[str, str, float]]:
    """The thresholds in the test's script: (metric: condition, statistic, limit)."""
    limit = 300 + int(test.id) % 5 * 100
    return [
        (form.format({500: limit, 1000: 1000}.get(value, 5)), stat, limit if value == 500 else value)
        for form, stat, value in _THRESHOLDS[: 2 + int(test.id) % 3]
    ]


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
        "thresholds": _thresholds(test, run_id, plan, steps, dates, rng),
        "run_process": "UI-Script to Cloud" if run_id % 3 else "k6 to Cloud",
        "public_id": public_id_of(run_id) if run_id % 5 == 0 else None,
        "is_baseline": run_id % 41 == 0,
        "vus_per_instance": 0 if run_id % 2 else 300,
        "failure_share": rng.choice((0.0, 0.0, 0.002, 0.01)) if not plan.breached else rng.choice((0.03, 0.08, 0.2)),
        "level": rng.uniform(60, 400),
        "scale": scale,
    }
    return Run(K6, str(run_id), test.id, run_id, created, steps, dates, made)


def public_id_of(run_id: int) -> str:
    """The unguessable name of a run that was shared; a word of hex, not a number."""
    return hashlib.md5(f"public {run_id}".encode(), usedforsecurity=False).hexdigest()


def _thresholds(
    test: Test, run_id: int, plan: K6Outcome, steps: list[list[Any]], dates: dict[str, int], rng: Random
) -> list[dict[str, Any]]:
    """What became of each threshold. `tainted_at`: the moment it was crossed, or None."""
    if plan.breached is None:
        return []
    start = dates.get("started", dates["ended"])
    rows = []
    for index, (name, stat, limit) in enumerate(threshold_specs(test)):
        crossed = bool(plan.breached) and (index == 0 or (index == 1 and run_id % 3 == 0))
        value = limit * (rng.uniform(1.05, 2.5) if crossed == ("<" in name) else rng.uniform(0.3, 0.97))
        rows.append(
            {
                "id": run_id * 10 + index,
                "name": name,
                "stat": stat,
                "value": limit,
                "calculated_value": round(min(value, 1.0) if stat == "rate" else value, 4),
                "tainted_at": start + int((dates["ended"] - start) * rng.uniform(0.3, 0.95)) if crossed else None,
            }
        )
    return rows


def _live_run(test: Test, run_id: int, now: int, state: str, rng: Random) -> Run:
    """A run that is in this state now, and stays in it for some minutes of the real clock."""
    age, duration = _LIVE[state]
    created = now - age * SECOND - rng.randrange(SECOND)
    run = make_run(test, run_id, created, "failed" if state == "failing" else "passed", rng)
    stay = now + (240 + rng.randrange(600)) * SECOND
    if state in ("processing", "not_processed"):
        ended = now - 20 * SECOND
        run.created = ended - (run.made["duration"] + 90) * SECOND
        run.dates = {"started": run.created + 90 * SECOND, "ended": ended}
        word = 1 if state == "processing" else 0
        run.steps = [[run.created, -2, 0], [run.dates["started"], 2, 0], [ended, 3, word], [stay, 3, 2]]
        return run
    waiting = {"created": 0, "validated": 1, "queued": 2, "initializing": 3}.get(state)
    if waiting is not None:
        past = [[now - (4 - index) * SECOND, *step[1:]] for index, step in enumerate(run.steps[: waiting + 1])]
        shift = stay - run.steps[waiting + 1][0]
        run.dates = {name: when + shift for name, when in run.dates.items()}
        run.created = past[0][0]
    else:
        past = [[created + index * 15 * SECOND, *step[1:]] for index, step in enumerate(run.steps[:5])]
        run.made["duration"] = duration
        started = past[-1][0]
        shift = started + duration * SECOND - run.dates["ended"]
        run.dates = {"started": started, "ended": started + duration * SECOND}
    run.steps = past + [[when + shift, *rest] for when, *rest in run.steps[len(past) :]]
    for row in run.made["thresholds"]:
        if row["tainted_at"] is not None:
            row["tainted_at"] = now - 60 * SECOND
    return run


def started_outcome(test: Test, run_id: int, seed: int) -> str:
    """How a run started by hand ends: always the same for the same seed and id."""
    return dice(seed, "k6 start", run_id).choice(("passed", "passed", "passed", "failed", "threshold", "script_error"))


def zone_less(us: int | None) -> str | None:
    """The documented v2 form of a date, without a zone."""
    return None if us is None else iso(us)[:-1]
