"""How runs live: the states they pass through, laid out in advance when a run is made.

`scale` is by how much a life is shortened: a run of 600 s started with scale 60 takes ten seconds of the clock. Runs of
the generated history have lived at scale 1.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from .clock import SECOND
from .models import Run

Life = tuple[list[list[Any]], dict[str, int]]


@dataclass(frozen=True)
class K6Outcome:
    """How a k6 run ends. `share` is the part of the planned load it lives through; None: the load never began.

    breached: whether a threshold is crossed; None: the run has no thresholds.
    """

    run_status: int
    processing_status: int
    share: float | None
    breached: bool | None
    error_code: int | None = None


K6_OUTCOMES = {
    "passed": K6Outcome(3, 2, 1.0, False),
    "failed": K6Outcome(3, 2, 1.0, True),
    "no_thresholds": K6Outcome(3, 2, 1.0, None),
    "incomplete": K6Outcome(3, 3, 1.0, False),
    "incomplete_failed": K6Outcome(3, 3, 1.0, True),
    "timed_out": K6Outcome(4, 3, 1.0, False, 8016),
    "user": K6Outcome(5, 2, 0.45, False),
    "user_failed": K6Outcome(5, 2, 0.6, True),
    "system": K6Outcome(6, 2, 0.3, False, 8033),
    "system_failed": K6Outcome(6, 2, 0.5, True, 8034),
    "script_error": K6Outcome(7, 2, 0.07, False, 8035),
    "setup_error": K6Outcome(7, 2, None, False, 8030),
    "threshold": K6Outcome(8, 2, 0.4, True),
    "limit": K6Outcome(9, 2, None, False, 0),
    "archived": K6Outcome(10, 0, None, None),
    "unheard_of": K6Outcome(42, 2, 1.0, False),
}

K6_ERRORS = {
    8016: "The test run exceeded its maximum lifetime while its metrics were processed.",
    8030: "GoError: exception in setup(): could not fetch the session token",
    8033: "The load generator stopped unexpectedly.",
    8034: "Unknown error in the load generator: no answer for 120 s.",
    0: "The number of virtual users is above the maximum of your subscription (20000).",
}


def k6_life(created: int, duration: int, outcome: K6Outcome, rng: Random, scale: float = 1.0) -> Life:
    """Steps are [when, run_status, processing_status]; dates are started (where the load began) and ended."""

    def after(start: int, seconds: float) -> int:
        return start + int((seconds + rng.random()) * SECOND / scale)

    validated = after(created, 1)
    queued = after(validated, 1)
    starting = after(queued, 4 + rng.random() * 30)
    steps = [[created, -2, 0], [validated, -1, 0], [queued, 0, 0], [starting, 1, 0]]
    dates: dict[str, int] = {}
    if outcome.share is None:
        ended = after(starting, 5)
    else:
        started = after(starting, 20 + rng.random() * 30)
        if scale == 1:
            started -= started % SECOND
        steps.append([started, 2, 0])
        dates["started"] = started
        ended = started + int(duration * outcome.share * SECOND / scale) + int(rng.random() * 4 * SECOND / scale)
    end_k6(steps, dates, ended, outcome.run_status, outcome.processing_status, scale)
    return steps, dates


def end_k6(
    steps: list[list[Any]], dates: dict[str, int], ended: int, status: int, processing: int, scale: float
) -> None:
    """Add the end of a life: the load is over, then the numbers are processed, then all is final."""
    dates["ended"] = ended
    if processing == 0:
        steps.append([ended, status, 0])
        return
    steps.append([ended, status, 0])
    steps.append([ended + int(12 * SECOND / scale), status, 1])
    steps.append([ended + int(50 * SECOND / scale), status, processing])


def stop_k6(run: Run, now: int, by: int) -> None:
    """A person stops the run: moments later it is aborted by user, whatever was to come."""
    scale = run.made["scale"]
    run.steps = [step for step in run.steps if step[0] <= now]
    run.dates = {name: when for name, when in run.dates.items() if when <= now}
    ended = now + int(10 * SECOND / scale)
    end_k6(run.steps, run.dates, ended, 5, 2, scale)
    run.made |= {"stopped_by_id": by, "stop_at": now, "error_code": None, "error_detail": None}


@dataclass(frozen=True)
class VstsOutcome:
    """How a VSTS run ends. `share`: part of the load lived through; None: it never got so far.

    errors: the profile of its error tree (see vsts_errors.py).
    """

    state: str
    sub_state: str
    share: float | None
    errors: str = "none"


VSTS_OUTCOMES = {
    "completed": VstsOutcome("completed", "success", 1.0),
    "with_errors": VstsOutcome("completed", "success", 1.0, "some"),
    "partial": VstsOutcome("completed", "partialSuccess", 1.0, "some"),
    "threshold_failed": VstsOutcome("completed", "success", 1.0, "critical"),
    "many_details": VstsOutcome("completed", "success", 1.0, "many"),
    "user": VstsOutcome("aborted", "none", 0.4, "some"),
    "user_queued": VstsOutcome("aborted", "none", None),
    "validation": VstsOutcome("aborted", "none", None),
    "service_error": VstsOutcome("error", "none", None),
    "late_error": VstsOutcome("error", "none", 0.5, "some"),
}


def vsts_life(queued: int, made: dict[str, Any], outcome: str, rng: Random, scale: float = 1.0) -> Life:
    """The life of a run from the moment it was queued. Steps are [when, state, subState]."""
    plan = VSTS_OUTCOMES[outcome]

    def after(start: int, seconds: float) -> int:
        return start + int((seconds + rng.random()) * SECOND / scale)

    validating = after(queued, 2)
    steps = [[queued, "queued", "none"], [validating, "queued", "validatingTestRun"]]
    dates = {"queued": queued}
    if outcome in ("validation", "user_queued"):
        ended = after(validating, 6)
        if outcome == "user_queued":
            steps.append([after(validating, 1), "stopping", "none"])
        steps.append([ended, plan.state, plan.sub_state])
        return steps, dates | {"ended": ended}
    acquiring = after(validating, 8)
    configuring = after(acquiring, 15)
    steps += [[acquiring, "queued", "acquiringResources"], [configuring, "inProgress", "configuringAgents"]]
    if plan.share is None:
        ended = after(configuring, 20)
        steps.append([ended, plan.state, plan.sub_state])
        return steps, dates | {"ended": ended}
    _vsts_load(steps, dates, after(configuring, 12), made, plan, after)
    return steps, dates


def _vsts_load(
    steps: list[list[Any]], dates: dict[str, int], started: int, made: dict, plan: VstsOutcome, after
) -> None:
    """The part of a life under load: set-up, warm-up, the load itself, clean-up, collecting, the end."""
    dates["started"] = moment = started
    if made.get("setup_command"):
        steps.append([moment, "inProgress", "executingSetupScript"])
        moment = after(moment, 10)
    if made.get("warm_up"):
        dates["warm_up"] = moment
        steps.append([moment, "inProgress", "warmingUp"])
        moment = after(moment, made["warm_up"])
    elif moment == started:
        steps.append([moment, "inProgress", "none"])
        moment = after(moment, 6)
    dates["load_started"] = moment
    steps.append([moment, "inProgress", "runningTest"])
    dates["load_ended"] = moment = after(moment, made["duration"] * plan.share)
    if plan.state == "aborted":
        steps.append([moment, "stopping", "none"])
    elif made.get("cleanup_command"):
        steps.append([moment, "inProgress", "executingCleanupScript"])
        moment = after(moment, 8)
    if plan.state != "aborted":
        steps.append([moment, "inProgress", "collectingResults"])
    dates["ended"] = moment = after(moment, 15)
    steps.append([moment, plan.state, plan.sub_state])


def stop_vsts(run: Run, now: int, by: str) -> None:
    """A person aborts the run: it is stopping at once and aborted moments later."""
    scale = run.made["scale"]
    ended = now + int(12 * SECOND / scale)
    run.steps = [step for step in run.steps if step[0] <= now]
    run.steps += [[now, "stopping", "none"], [ended, "aborted", "none"]]
    run.dates = {name: when for name, when in run.dates.items() if when <= now}
    if "load_started" in run.dates:
        run.dates.setdefault("load_ended", now)
    run.dates["ended"] = ended
    run.made |= {"stopped_by": by, "stop_at": now, "abort": None}
