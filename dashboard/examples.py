"""What /styleguide/ shows the parts with: runs that are in no table, and made-up numbers that tell one story."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from dashboard.charts import Chart, chart
from dashboard.data_age import AccountAge, DataAge
from runs.choices import LIVE, RunResult, RunStatus, StopReason
from runs.health import Health, health_of
from runs.history import STRIP_RUNS, Strip
from runs.models import Account, LoadTest, Person, Run, RunSeries, RunThreshold, SyncState
from runs.services import SERVICES
from runs.services.base import CheckStep

COLOURS = (
    *("canvas", "sunken", "raised", "hover", "selected", "line", "line-2", "control", "ink", "ink-2", "ink-3"),
    *("accent", "accent-solid", "danger"),
    *(
        f"{state}{kind}"
        for state in ("passed", "failed", "error", "running", "busy", "none")
        for kind in ("", "-tint", "-solid")
        if (state, kind) != ("busy", "-solid")
    ),
)
HEALTHS = (
    Health("ok", "In sync"),
    Health("live", "Syncing"),
    Health("late", "Late"),
    Health("failing", "Failing"),
    Health("off", "Disabled"),
    Health("off", "Archive"),
)
STEPS = (
    CheckStep("host reached", True, "api.k6.io, 84 ms"),
    CheckStep("signed in", False, "The token was refused (401). Paste a new one."),
    CheckStep("runs read", None),
)


PROVIDERS = list(SERVICES)
NOWHERE = 900_000_000  # an id that nothing has


def a_run(status: RunStatus, result: RunResult = RunResult.NONE, **values: object) -> Run:
    """A run of no table. `failing` is what `with_failing()` would say."""
    account = Account(pk=NOWHERE, name="retail-prod", slug="retail-prod", provider=PROVIDERS[0])
    load_test = LoadTest(pk=NOWHERE, account=account, name="Checkout API – peak hour", external_id="8815")
    now = timezone.now()
    given = {
        "pk": NOWHERE,
        "number": 214,
        "created_at": now - timedelta(minutes=72),
        "synced_at": now,
        "requested_by": Person(account=account, name="maya", display="Maya Lindqvist"),
        "details_at": None if status in LIVE else now,
        **values,
    }
    failing = given.pop("failing", False)
    run = Run(account=account, load_test=load_test, status=status, result=result, **given)
    run.failing = failing
    return run


@dataclass(frozen=True, slots=True)
class State:
    """A run in a state, and what that state means."""

    run: Run
    meaning: str


def statuses() -> list[State]:
    """Every status, and every reason to end early."""
    asked = timezone.now() - timedelta(seconds=12)
    meanings = {
        RunStatus.CREATED: "accepted, not checked yet",
        RunStatus.QUEUED: "waiting for capacity",
        RunStatus.STARTING: "the provider prepares it",
        RunStatus.RUNNING: "load is on",
        RunStatus.STOPPING: "a stop was asked for and is not confirmed",
        RunStatus.PROCESSING: "load is over, results are not final",
        RunStatus.FINISHED: "ran its course",
        RunStatus.TIMED_OUT: "took longer than it may",
        RunStatus.ERROR: "could not run",
    }
    aborts = {
        StopReason.USER: "a person stopped it",
        StopReason.THRESHOLD: "its own criterion stopped it",
        StopReason.AUTO_STOP: "the provider stopped it over its errors",
        StopReason.LIMIT: "a quota of users, time or load",
        StopReason.SCRIPT_ERROR: "its script or setup failed",
        StopReason.SYSTEM: "the provider gave up",
        "": "ended early, and nobody said why",
    }
    found = [
        State(a_run(status, stop_requested_at=asked if status == RunStatus.STOPPING else None), meaning)
        for status, meaning in meanings.items()
    ]
    found += [State(a_run(RunStatus.ABORTED, stop_reason=reason), meaning) for reason, meaning in aborts.items()]
    return [*found, State(a_run(RunStatus.UNKNOWN, provider_status="ARCHIVED"), "a word Plimsoll does not know")]


def results() -> list[State]:
    """Every verdict; unknown is never passed."""
    return [
        State(a_run(RunStatus.FINISHED, RunResult.PASSED), "every criterion held"),
        State(a_run(RunStatus.FINISHED, RunResult.FAILED), "a criterion was broken"),
        State(a_run(RunStatus.ERROR, RunResult.ERROR), "not judged: it did not run as meant"),
        State(a_run(RunStatus.FINISHED), "finished, and nothing was set to judge it"),
        State(a_run(RunStatus.ABORTED, stop_reason=StopReason.USER), "ended early, so nothing to judge"),
        State(a_run(RunStatus.RUNNING), "still to be decided"),
        State(a_run(RunStatus.RUNNING, failing=True), "not ended, and a criterion is broken now"),
    ]


def strips() -> list[Strip]:
    """Every mark; a short history; none."""
    marks = ("passed", "passed", "failed", "passed", "error", "none", "passed", "failed", "passed", "live")
    short = ("",) * (STRIP_RUNS - 2)
    return [Strip(marks), Strip((*short, "passed", "failed")), Strip((*short, "", ""))]


def moments() -> dict[str, datetime]:
    """Some times to show the age of."""
    now = timezone.now()
    return {"now": now, "fresh": now - timedelta(seconds=38), "stale": now - timedelta(hours=14)}


def data_ages() -> dict[str, DataAge]:
    """How old data can be: of one account that is well; of several, each with another trouble."""
    now = timezone.now()
    whole = {"history_at": now}
    stale = [
        _age("retail-prod", now, 14, error="The token was refused (401). Paste a new one.", paused=True, **whole),
        _age("perf-eus", now, 3, error="Grafana Cloud k6 answered 503. Next try in 12 min.", **whole),
        _age("perf-weu", now, 26, **whole),
        _age("fabrikam", now, None, error="No answer from fabrikam.example.", **whole),
    ]
    rest = [_age("legacy-org", now, None), _age("perf-lab", now, 0.01, history={"runs": 12873})]
    return {"well": DataAge([_age("retail-prod", now, 0.01, **whole)], now), "bad": DataAge([*stale, *rest], now)}


def _age(name: str, now: datetime, hours: float | None, **state: object) -> AccountAge:
    account = Account(pk=NOWHERE, name=name, slug=name, provider=PROVIDERS[0])
    synced = None if hours is None else now - timedelta(hours=hours)
    account.sync = SyncState(account=account, last_good_at=synced, **state)
    return AccountAge(account, health_of(account, now))


def finished_chart() -> Chart:
    """Over its limit for a while."""
    return _chart(_series(1800))


def live_chart() -> Chart:
    """Four minutes into half an hour."""
    return _chart(_series(252), planned_s=1800, now_s=252)


def _chart(series: Iterable[RunSeries], **now: float) -> Chart:
    limit = RunThreshold(
        metric="http_req_duration", condition="p(95)<500", broken=True, value=812, limit=500, unit="ms"
    )
    return chart(series, [limit], **now)


def _series(length_s: int) -> list[RunSeries]:
    at = [float(second) for second in range(0, length_s + 1, 12)]

    def line(name: str, label: str, unit: str, value_at: Callable[[float], float]) -> RunSeries:
        points = [[second, round(value_at(second), 1)] for second in at]
        return RunSeries(name=name, label=label, unit=unit, points=points)

    def ramp(second: float) -> float:
        return min(1.0, second / 300)

    def late(second: float) -> float:
        return max(0.0, min(1.0, (second - 760) / 240))

    return [
        line(
            "p95_ms", "Response time, p95", "ms", lambda s: 240 + 110 * ramp(s) + 460 * late(s) + 25 * math.sin(s / 37)
        ),
        line("avg_ms", "mean", "ms", lambda s: 170 + 90 * ramp(s) + 60 * late(s) + 12 * math.sin(s / 53)),
        line("errors_per_s", "Errors/s", "1/s", lambda s: max(0.0, (9 + 3 * math.sin(s / 17)) * late(s))),
        line("rate_per_s", "Requests/s", "1/s", lambda s: 229 * ramp(s) + 6 * math.sin(s / 29)),
        line("vus", "VUs", "", lambda s: 400 * ramp(s)),
    ]
