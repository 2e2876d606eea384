"""The life of a run as ordered phases with the time spent in each. Pure, from the times the provider gave."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Literal, Protocol

from runs.choices import ENDED, LIVE, RunStatus

State = Literal["done", "now", "next"]
ORDER = (RunStatus.CREATED, RunStatus.QUEUED, RunStatus.STARTING, RunStatus.RUNNING, RunStatus.PROCESSING)
# Providers' clocks lose a second or two between start and end of the load.
SLACK_S = 2
# Fewer runs than this make nothing typical.
FEWEST = 3


class Timed(Protocol):
    """A `Run`, or a record with the same names."""

    status: str
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    load_started_at: datetime | None
    load_ended_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    planned_duration_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """`status` is the phase (the run's own status for the last one). Seconds are None where a time is not known."""

    status: str
    state: State
    begin: datetime | None = None
    end: datetime | None = None
    seconds: float | None = None
    planned_s: int | None = None  # of the load
    typical_s: float | None = None  # what it took in the runs before
    is_end: bool = False  # not a stretch of time: how it ended, with the seconds of the whole run

    @property
    def share(self) -> float:
        """How much of its plan has passed, 0..1; 1 where there is no plan or it is over."""
        if self.state != "now" or not self.planned_s:
            return 0.0 if self.state == "next" else 1.0
        return min(1.0, (self.seconds or 0.0) / self.planned_s)

    @property
    def as_planned(self) -> bool:
        return bool(self.planned_s) and self.seconds is not None and self.seconds >= self.planned_s - SLACK_S


def typical(runs: Iterable[Timed]) -> dict[str, float]:
    """The median seconds of each phase but the load, of ended runs; only phases that at least `FEWEST` of them had."""
    spent: dict[str, list[float]] = {}
    for run in runs:
        for phase in life_of(run, run.created_at):
            if not phase.is_end and phase.seconds is not None and phase.status != RunStatus.RUNNING:
                spent.setdefault(phase.status, []).append(phase.seconds)
    return {status: median(seconds) for status, seconds in spent.items() if len(seconds) >= FEWEST}


def life_of(run: Timed, now: datetime, usual: Mapping[str, float] | None = None) -> list[Phase]:
    """The phases a run went through, the one it is in, and (while it is not ended) what is still to come.

    `usual`: seconds typical of each phase, see `typical`.
    """
    usual = usual or {}
    phases = _phases(run, now, usual)
    return [phase if phase.is_end else replace(phase, typical_s=usual.get(phase.status)) for phase in phases]


def _phases(run: Timed, now: datetime, usual: Mapping[str, float]) -> list[Phase]:
    marks = _marks(run)
    if run.status in ENDED:
        return [*_done(run, marks, run.ended_at), _ending(run)]
    if run.status not in LIVE:
        return _done(run, marks, run.ended_at)
    current = RunStatus.RUNNING if run.status == RunStatus.STOPPING else run.status
    # A status may be ahead of its times: then the phase began, as far as we know, with the last time given.
    place = max(ORDER.index(current), ORDER.index(marks[-1][0]))
    *before, (_, began) = marks
    shown = run.status if place == ORDER.index(current) else ORDER[place]
    here = Phase(
        status=shown,
        state="now",
        begin=began,
        seconds=max(0.0, (now - began).total_seconds()),
        planned_s=run.planned_duration_s if ORDER[place] == RunStatus.RUNNING else None,
    )
    return [*_done(run, before, began), here, *_to_come(run, here, ORDER[place], now, usual)]


def _marks(run: Timed) -> list[tuple[RunStatus, datetime]]:
    """When each phase began, in order; phases of no length are left out, as are times that run backwards."""
    times = (run.created_at, run.queued_at, run.started_at, run.load_started_at, run.load_ended_at)
    marks: list[tuple[RunStatus, datetime]] = []
    for status, began in zip(ORDER, times, strict=True):
        if began is None or (marks and began < marks[-1][1]):
            continue
        if marks and began == marks[-1][1]:
            marks.pop()
        marks.append((status, began))
    if run.ended_at and len(marks) > 1 and marks[-1] == (RunStatus.PROCESSING, run.ended_at):
        marks.pop()
    return marks


def _done(run: Timed, marks: list[tuple[RunStatus, datetime]], ended: datetime | None) -> list[Phase]:
    ends = [began for _, began in marks[1:]] + [ended]
    phases: list[Phase] = []
    if not marks:
        return phases
    for (status, began), end in zip(marks, ends, strict=True):
        is_load = status == RunStatus.RUNNING
        seconds = (end - began).total_seconds() if end else None
        if is_load and run.duration_s is not None and run.load_ended_at in (None, end):
            seconds = run.duration_s
        planned = run.planned_duration_s if is_load else None
        phases.append(Phase(status=status, state="done", begin=began, end=end, seconds=seconds, planned_s=planned))
    return phases


def _ending(run: Timed) -> Phase:
    whole = (run.ended_at - run.created_at).total_seconds() if run.ended_at else None
    return Phase(status=run.status, state="done", begin=run.ended_at, end=run.ended_at, seconds=whole, is_end=True)


def _to_come(run: Timed, here: Phase, current: RunStatus, now: datetime, usual: Mapping[str, float]) -> list[Phase]:
    """Named, and with an estimated beginning as long as plan and typical times give one that is not past already."""
    later = [
        status for status in (RunStatus.RUNNING, RunStatus.PROCESSING) if ORDER.index(status) > ORDER.index(current)
    ]
    end = _estimate(here, run.planned_duration_s if current == RunStatus.RUNNING else usual.get(current), now)
    if run.status == RunStatus.STOPPING:
        end = None
    if current in (RunStatus.CREATED, RunStatus.QUEUED):
        # Whether there will be more waiting is not known: some providers have no such phases.
        end = None
    phases = []
    for status in later:
        planned = run.planned_duration_s if status == RunStatus.RUNNING else None
        phases.append(Phase(status=status, state="next", begin=end, planned_s=planned))
        length = planned if status == RunStatus.RUNNING else usual.get(status, 0.0)
        end = end + timedelta(seconds=length) if end and length is not None else None
    return [*phases, Phase(status=RunStatus.FINISHED, state="next", begin=end, is_end=True)]


def _estimate(here: Phase, length: float | None, now: datetime) -> datetime | None:
    """When a phase ends that takes so long; None where that is past or not known."""
    if here.begin is None or length is None:
        return None
    end = here.begin + timedelta(seconds=length)
    return end if end >= now else None
