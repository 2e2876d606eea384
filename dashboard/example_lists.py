"""The larger parts of /styleguide/: rows of the run list, a menu, the error tree, lives of runs, a week of history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.safestring import SafeString

from dashboard.changes import Change, less_is_better, more_or_fewer
from dashboard.error_rows import Row as ErrorRow
from dashboard.error_rows import tree_rows
from dashboard.examples import NOWHERE, a_run, strips
from dashboard.facets import Facet, Option
from dashboard.key_numbers import KeyNumber
from dashboard.matrix import heads, verdict_cells
from dashboard.run_address import RESULT_PILLS, Address
from dashboard.run_rows import Row, rows_of
from dashboard.views.run_head import ShownPhase, shown_phase
from runs.choices import RunResult, RunStatus, StopReason
from runs.error_tree import build, fingerprint
from runs.history import Cell, Tally, columns
from runs.life import life_of
from runs.models import Run, RunError, RunThreshold


def run_rows(user: User) -> list[Row]:
    """A row in each state that looks different."""
    now = timezone.now()
    load = {"load_started_at": now - timedelta(seconds=252), "planned_duration_s": 1800, "virtual_users": 400}
    ended = {"duration_s": 1800.0, "planned_duration_s": 1800, "virtual_users": 400, "p95_ms": 438.0, "error_rate": 0.0}
    asked = {"stop_requested_at": now - timedelta(seconds=12), "stop_requested_by": "Tomás Ferreira"}
    runs = [
        a_run(RunStatus.RUNNING, failing=True, p95_ms=318.0, error_rate=0.0031, **load),
        a_run(RunStatus.STARTING, virtual_users=1200),
        a_run(RunStatus.QUEUED, virtual_users=2000),
        a_run(RunStatus.STOPPING, p95_ms=302.0, error_rate=0.0002, **load, **asked),
        a_run(RunStatus.PROCESSING, **ended),
        a_run(RunStatus.FINISHED, RunResult.PASSED, **ended),
        a_run(RunStatus.FINISHED, RunResult.FAILED, **ended | {"error_rate": 0.0184}),
        a_run(RunStatus.FINISHED, **ended),
        a_run(RunStatus.ABORTED, stop_reason=StopReason.USER, duration_s=137.0, requested_by=None),
        a_run(RunStatus.ERROR, RunResult.ERROR, duration_s=48.0),
        a_run(RunStatus.UNKNOWN, provider_status="ARCHIVED"),
    ]
    failing = [run.failing for run in runs]
    for place, run in enumerate(runs):
        run.pk = NOWHERE + place
    rows = rows_of(runs, user, Address({}), now)
    for run, is_failing in zip(runs, failing, strict=True):
        run.failing = is_failing
    rows[6] = replace(rows[6], errors_limit="errors < 1 %")
    return [replace(row, strip=strips()[0]) for row in rows]


def result_menu() -> Facet:
    """The menu of one filter, with a value chosen."""
    counts = {"passed": "40", "failed": "9", "error": "5", "none": "8"}
    labels = dict(RunResult.choices) | {"none": "No verdict"}
    options = [
        Option(
            "example",
            value,
            labels[value],
            value == "failed",
            "#part-menu",
            "#part-menu",
            RESULT_PILLS[value],
            count=count,
        )
        for value, count in counts.items()
    ]
    return Facet("result", "Result", 1, options)


def changes() -> list[Change]:
    """Worse, better, and what is neither."""
    return [
        less_is_better(812, 441, "441 ms"),
        less_is_better(0.0184, 0.0021, "0.21 %"),
        less_is_better(214, 261, "261 ms"),
        more_or_fewer(97, 100),
        more_or_fewer(100, 100),
    ]


@dataclass(frozen=True, slots=True)
class Life:
    """What the top of a run's page asks of its head."""

    phases: Sequence[ShownPhase]
    key_numbers: Sequence[KeyNumber]
    before: None = None


def finished_run() -> Run:
    begin = timezone.now() - timedelta(minutes=72)
    seconds = {"queued_at": 2, "started_at": 43, "load_started_at": 115, "load_ended_at": 1915, "ended_at": 2001}
    times = {name: begin + timedelta(seconds=after) for name, after in seconds.items()}
    return a_run(
        RunStatus.FINISHED, RunResult.FAILED, created_at=begin, duration_s=1800.0, planned_duration_s=1800, **times
    )


def running_run() -> Run:
    begin = timezone.now() - timedelta(seconds=367)
    seconds = {"queued_at": 2, "started_at": 40, "load_started_at": 115}
    times = {name: begin + timedelta(seconds=after) for name, after in seconds.items()}
    return a_run(RunStatus.RUNNING, created_at=begin, planned_duration_s=1800, failing=True, **times)


def lives() -> list[tuple[Run, Life]]:
    """A run that ended, with all that can stand under a number, and one on its way."""
    now = timezone.now()
    usual = {"queued": 35.0, "starting": 65.0, "processing": 90.0}
    numbers = [
        KeyNumber("p95, POST /checkout", "812", "ms", over_limit=True, change=less_is_better(812, 441, "441")),
        KeyNumber("p95, all requests", "438", "ms", change=less_is_better(438, 301, "301")),
        KeyNumber("Errors", "1.84", "%", over_limit=True, change=less_is_better(1.84, 0.21, "0.21 %")),
        KeyNumber("Requests", "412,806", change=more_or_fewer(412_806, 425_000)),
        KeyNumber("Mean rate", "229", "/s", "peak 251"),
        KeyNumber("Peak VUs", "400", change=Change("same")),
    ]
    return [
        (run, Life([shown_phase(phase, run) for phase in life_of(run, now, usual)], cells))
        for run, cells in ((finished_run(), numbers), (running_run(), numbers[1:2]))
    ]


def _error(type: str, subtype: str, occurrences: int, message: str, request: str = "") -> RunError:
    return RunError(
        fingerprint=fingerprint(type, subtype, message, request),
        type=type,
        subtype=subtype,
        occurrences=occurrences,
        message=message,
        request=request,
    )


def error_rows() -> list[ErrorRow]:
    """A tree that is open, with what is new in it and what is folded."""
    upstream, pool = "upstream connect error, reset reason: overflow", "could not obtain a connection from the pool"
    details = [
        _error("HttpError", "503", 4870, upstream, "POST https://shop.example.com/checkout"),
        _error("HttpError", "503", 344, upstream, "POST https://shop.example.com/payment-intent"),
        _error("HttpError", "500", 471, pool, "POST https://shop.example.com/checkout"),
        *(_error("HttpError", "500", 1, f"{pool} {n}", "GET https://shop.example.com/cart") for n in range(12)),
        _error("ScriptException", "TypeError", 611, "Cannot read property 'token' of undefined"),
    ]
    tree = build(details, known={each.fingerprint for each in details if each.subtype != "TypeError"})
    return tree_rows(
        finished_run(), tree, {node.fingerprint for node in tree.walk() if node.children and node.level != "other"}
    )


def week_of_history() -> tuple[list[str], SafeString]:
    """The heads and the cells of a test's week: each verdict, and a day without a run."""
    last = timezone.now().date()
    days = [last - timedelta(days=ago) for ago in range(6, -1, -1)]
    tallies = [
        Tally(runs=2, **{word: 2}) if word else Tally()
        for word in ("passed", "failed", "error", "none", "live", "", "passed")
    ]
    found = columns(days, last)
    cells = [Cell(day, tally) for day, tally in zip(days, tallies, strict=True)]
    return [head.day for head in heads(found)], verdict_cells(heads(found), cells, [("test", str(NOWHERE))])


def thresholds() -> list[RunThreshold]:
    """Broken, undecided, held."""
    given = (("p(95)<500", True, 812.0, 500.0), ("p(99)<1500", None, None, 1500.0), ("p(95)<600", False, 438.0, 600.0))
    return [
        RunThreshold(
            metric="http_req_duration", condition=condition, broken=broken, value=value, limit=limit, unit="ms"
        )
        for condition, broken, value, limit in given
    ]
