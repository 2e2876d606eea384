"""Makes VSTS run names, drops and runs: the generated history, and each run created later."""

import uuid
from random import Random
from typing import Any

from . import words
from .clock import DAY, SECOND
from .dice import dice
from .lives import VSTS_OUTCOMES, vsts_life
from .models import VSTS, Run, Test
from .vsts_load import fit

OWNER = words.PEOPLE[0]
FIRST_NUMBER = 101

# Each of these is made first, in this order, so that a small history already holds every picture of the contract.
_MUSTS = [
    "completed",
    "threshold_failed",
    "live:running",
    "user",
    "validation",
    "with_errors",
    "live:queued",
    "service_error",
    "many_details",
    "live:stopping",
    "live:pending",
    "partial",
    "user_queued",
    "live:acquiring",
    "live:configuring",
    "live:failing",
    "live:collecting",
    "late_error",
]
_USUAL = (("completed", 55), ("with_errors", 16), ("threshold_failed", 12), ("user", 6), ("validation", 4))
_RARE = (("partial", 3), ("service_error", 2), ("many_details", 1), ("late_error", 1), ("user_queued", 1))
_NAMES, _WEIGHTS = zip(*(_USUAL + _RARE), strict=True)

# Which word a live run is in now, and for how many seconds it has been.
_LIVE = {
    "pending": ("pending", "none", 40),
    "queued": ("queued", "none", 8),
    "acquiring": ("queued", "acquiringResources", 30),
    "configuring": ("inProgress", "configuringAgents", 25),
    "running": ("inProgress", "runningTest", 200),
    "failing": ("inProgress", "runningTest", 400),
    "collecting": ("inProgress", "collectingResults", 10),
    "stopping": ("stopping", "none", 5),
}


def guid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def identity(name: str) -> dict[str, str]:
    """The identity of a person; nobody is two empty words, as the service writes it."""
    return {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) if name else "", "displayName": name}


def make_tests(count: int, now: int, seed: int) -> list[Test]:
    tests = []
    for index in range(count):
        rng = dice(seed, "vsts test", index)
        name = words.vsts_name(index)
        made = {
            "drop_id": guid(rng),
            "created": now - 200 * DAY + index * 3600 * SECOND + rng.randrange(SECOND),
            **settings_of(name, rng),
        }
        tests.append(Test(VSTS, name, name, made))
    return tests


def settings_of(name: str, rng: Random) -> dict[str, Any]:
    """What the load test file of this name holds."""
    return {
        "duration": rng.choice((180, 300, 600, 1200, 3600)),
        "warm_up": rng.choice((0, 0, 30, 60)),
        "virtual_users": rng.choice((25, 50, 200, 250, 1000)),
        "cores": rng.choice((1, 2, 4)),
        "setup_command": rng.choice(("", "", "setup.cmd")),
        "cleanup_command": rng.choice(("", "", "cleanup.cmd")),
        "platform": rng.choice(("x86", "x86", "msil")),
        "run_type": "jMeterLoadTest" if name.lower().endswith(".jmx") else "visualStudioLoadTest",
        "location": rng.choice(words.LOCATIONS),
    }


def history(tests: list[Test], count: int, now: int, seed: int) -> list[Run]:
    """`count` runs, numbers rising with their creation. Ids are random, so their order says nothing about time."""
    rng = dice(seed, "vsts history")
    plans = _MUSTS[:count] + rng.choices(_NAMES, _WEIGHTS, k=max(0, count - len(_MUSTS)))
    live = [plan[5:] for plan in plans if plan.startswith("live:")]
    ended = [plan for plan in plans if not plan.startswith("live:")]
    rng.shuffle(ended)
    moments = sorted(rng.randrange(now - 120 * DAY, now - 3 * 3600 * SECOND) for _ in ended)
    runs = []
    for index, (outcome, created) in enumerate(zip(ended, moments, strict=True)):
        test = tests[index] if index < len(tests) else tests[int(len(tests) * rng.random() ** 1.6)]
        run = create_run(test, guid(rng), FIRST_NUMBER + index, created, rng.choice(words.PEOPLE), rng)
        run.made["description"] = rng.choice(words.NOTES)
        if outcome == "many_details":
            # Many places fail, few requests do: that takes a large run.
            run.made |= {"virtual_users": 1000, "duration": 1200}
        queue_run(run, created + rng.randrange(SECOND, 4 * SECOND), outcome, run.made["created_by"], rng)
        runs.append(run)
    for index, state in enumerate(live):
        runs.append(_live_run(tests[index % len(tests)], FIRST_NUMBER + len(runs), now, state, rng))
    return runs


def create_run(test: Test, run_id: str, number: int, created: int, by: str, rng: Random) -> Run:
    """A pending run with the settings of its load test file."""
    made: dict[str, Any] = {key: value for key, value in test.made.items() if key != "created"}
    made |= {
        "created_by": by,
        "started_by": None,
        "stopped_by": None,
        "description": "",
        "abort": None,
        "errors": "none",
        "outcome": None,
        "scale": 1.0,
        "error_seed": rng.getrandbits(31),
        "figures": None,
        "source": "",
    }
    return Run(VSTS, run_id, test.id, number, created, [[created, "pending", "none"]], {}, made)


def queue_run(run: Run, queued: int, outcome: str, by: str, rng: Random, scale: float = 1.0) -> None:
    """Lay out the rest of a pending run's life, from the moment it is queued."""
    plan = VSTS_OUTCOMES[outcome]
    steps, dates = vsts_life(queued, run.made, outcome, rng, scale)
    if outcome == "validation":
        run.made["virtual_users"] = 0
        if scale == 1:
            # As the service's own samples have it: such a run is finished at the moment it was created.
            dates["ended"] = run.created
            steps = [[run.created + 1, plan.state, plan.sub_state]]
    run.steps = run.steps[:1] + steps
    run.dates = dates
    run.made |= {"started_by": by, "outcome": outcome, "errors": plan.errors, "scale": scale}
    run.made["figures"] = fit(rng, plan.errors, run.made["duration"], plan.share or 1.0)
    if outcome in ("user", "user_queued"):
        run.made["stopped_by"] = rng.choice(words.PEOPLE)
    if outcome == "validation":
        run.made["abort"] = {
            "cause": rng.choice(words.VALIDATION_FAILURES),
            "action": "Correct the load test and queue a new run.",
            "source": "Validation",
            "details": ["LoadTest.dll", "<none>"],
        }
    if plan.state == "error":
        run.made["abort"] = {
            "cause": words.SERVICE_FAILURE,
            "action": "Queue a new run. If it happens again, contact support.",
            "source": "Other",
            "details": [],
        }


def _live_run(test: Test, number: int, now: int, state: str, rng: Random) -> Run:
    """A run that is in this state now, and stays in it for some minutes of the real clock."""
    word, sub, age = _LIVE[state]
    run = create_run(test, guid(rng), number, now - 3600 * SECOND, rng.choice(words.PEOPLE), rng)
    if state in ("running", "failing"):
        run.made["duration"] = 2400
    outcome = {"stopping": "user", "failing": "threshold_failed"}.get(state, "with_errors")
    if state == "pending":
        run.created = now - age * SECOND
        run.steps = [[run.created, word, sub]]
        return run
    queue_run(run, run.created + 2 * SECOND, outcome, run.made["created_by"], rng)
    if state == "failing":
        run.made["figures"] = fit(rng, run.made["errors"], run.made["duration"], age / run.made["duration"])
    at = next(index for index, step in enumerate(run.steps) if step[1:] == [word, sub])
    shift = now - age * SECOND - run.steps[at][0]
    stay = 0 if state in ("running", "failing") else (240 + rng.randrange(600)) * SECOND
    here = run.steps[at][0]
    run.created += shift
    run.steps = [[when + shift + (stay if when > here else 0), *rest] for when, *rest in run.steps]
    run.dates = {name: when + shift + (stay if when > here else 0) for name, when in run.dates.items()}
    return run


def started_outcome(number: int, seed: int) -> str:
    """How a run queued by hand ends: always the same for the same seed and number."""
    outcomes = ("completed",) * 4 + ("with_errors",) * 2 + ("threshold_failed",) * 2 + ("validation", "service_error")
    return dice(seed, "vsts start", number).choice(outcomes)
