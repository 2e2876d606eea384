"""How Azure runs live: the statuses they pass through, laid out in advance when a run is made (see `lives.py`).

A shortened life is a shorter test: what is measured happens in the seconds of the clock that the load really lasted.
"""

from dataclasses import dataclass
from random import Random

from .clock import SECOND
from .models import Run

ENDS = ("DONE", "CANCELLED", "FAILED", "VALIDATION_FAILURE")
_MS = 1000


@dataclass(frozen=True)
class Outcome:
    """How a run ends. `share` is the part of the planned load it lives through; None: the load never began.

    trouble: what goes wrong under load (see `azure_load.fit`). criteria: whether it has any.
    lag: seconds from the end until the results are there.
    """

    status: str
    share: float | None
    trouble: str = "little"
    criteria: bool = True
    lag: float = 40


OUTCOMES = {
    "passed": Outcome("DONE", 1.0),
    "failed": Outcome("DONE", 1.0, "errors"),
    "slow": Outcome("DONE", 1.0, "slow"),
    "failed_twice": Outcome("DONE", 1.0, "both"),
    "no_criteria": Outcome("DONE", 1.0, criteria=False),
    "late_results": Outcome("DONE", 1.0, lag=240),
    "results_after_hours": Outcome("DONE", 1.0, "errors", lag=7200),
    "stopped_by_criterion": Outcome("DONE", 0.5, "errors"),
    "user": Outcome("CANCELLED", 0.4),
    "user_early": Outcome("CANCELLED", None),
    "auto_stop": Outcome("CANCELLED", 0.2, "flood"),
    "engine_lost": Outcome("FAILED", 0.3),
    "no_engines": Outcome("FAILED", None),
    "silent": Outcome("FAILED", 1.0, "silence", lag=90),
    "invalid_script": Outcome("VALIDATION_FAILURE", None),
    "unheard_of": Outcome("ARCHIVING", 1.0),
}

# What a finished run says went wrong: at its end, and once its results are there.
MESSAGES = {
    "user": ("", ""),
    "user_early": ("Failed to provision test engines: the test run was cancelled.",) * 2,
    "auto_stop": ("The test run was stopped because of a high error rate: 97 % of the requests of 60 s failed.",) * 2,
    "engine_lost": ("A test engine stopped unexpectedly. <b>Engine 0</b> did not answer for 120 s.",) * 2,
    "no_engines": ("Failed to provision test engines: the region 'westeurope' has no capacity left.",) * 2,
    "silent": (
        "Processing error logs, refresh to check for errors.",
        "No requests were sent during the test run. Check the test script and its configuration.",
    ),
    "invalid_script": (
        "The test script is not valid: 'checkout.jmx' line 118: the element ThreadGroup is not closed. Größe: 0 B.",
    )
    * 2,
}


def life(run: Run, outcome: str, rng: Random, scale: float = 1.0) -> None:
    """Lay out the life of a run from its creation. Steps are [when, status, nothing]."""
    plan = OUTCOMES[outcome]

    def after(start: int, seconds: float) -> int:
        return start + int((seconds + rng.random()) * SECOND / scale)

    created = run.created
    known = after(created, 1)
    steps = [[created, "ACCEPTED", ""], [known, "NOTSTARTED", ""]]
    run.dates = {"executed": created + rng.randrange(2, 400) * _MS // 7, "started": known - known % _MS}
    moment = after(known, 3)
    if run.made["kind"] == "JMX" and outcome != "user_early":
        steps.append([moment, "VALIDATION_SUCCESS" if plan.status != "VALIDATION_FAILURE" else "NOTSTARTED", ""])
        moment = after(moment, 2)
    if plan.status != "VALIDATION_FAILURE":
        steps.append([moment, "PROVISIONING", ""])
        moment = after(moment, 90 + rng.random() * 120)
    if plan.share is not None:
        moment = _load(run, steps, moment, plan, after, scale)
    run.steps = steps
    _end(run, moment, plan.status, int((plan.lag + rng.random() * 8) * SECOND / scale))


def _load(run: Run, steps: list, moment: int, plan: Outcome, after, scale: float) -> int:
    for status, seconds in (("PROVISIONED", 4), ("CONFIGURING", 20), ("CONFIGURED", 3)):
        steps.append([moment, status, ""])
        moment = after(moment, seconds)
    steps.append([moment, "EXECUTING", ""])
    run.dates["load_started"] = moment
    moment += int(run.made["duration"] * (plan.share or 0) * SECOND / scale)
    run.dates["load_ended"] = moment
    if plan.status == "CANCELLED":
        steps.append([moment, "CANCELLING", ""])
        return after(moment, 15)
    for status, seconds in (("EXECUTED", 6), ("DEPROVISIONING", 25), ("DEPROVISIONED", 4)):
        steps.append([moment, status, ""])
        moment = after(moment, seconds)
    return moment


def _end(run: Run, moment: int, status: str, lag: int) -> None:
    """Over, at a whole millisecond: `duration` counts those. The results come `lag` later."""
    run.steps.append([moment, status, ""])
    run.dates["ended"] = max(run.dates["started"], moment - moment % _MS)
    run.dates["results"] = moment + lag


def stop(run: Run, now: int, by: str) -> None:
    """A person stops a live run. Before its load it is cancelled at the next look, later after some seconds."""
    scale = run.made["scale"]
    run.steps = [step for step in run.steps if step[0] <= now]
    run.dates = {name: when for name, when in run.dates.items() if when <= now or name == "executed"}
    run.dates.setdefault("started", now - now % _MS)
    under_load = "load_started" in run.dates
    if under_load:
        run.dates.setdefault("load_ended", now)
        run.steps.append([now, "CANCELLING", ""])
    run.made |= {"outcome": "user" if under_load else "user_early", "stopped_by": by, "stop_at": now}
    seconds = 12.0 if under_load else 0.5
    _end(run, now + int(seconds * SECOND / scale), "CANCELLED", int(20 * SECOND / scale))
