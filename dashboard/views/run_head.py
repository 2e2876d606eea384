"""What every tab of a run's page shows above the tab: title, verdict, life, key numbers, counts, actions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone

from dashboard import words
from dashboard.context import preference_of
from dashboard.freshness import SHORTEST_S, Freshness, freshness_of_run
from dashboard.key_numbers import KeyNumber, key_numbers
from runs import actions, run_details
from runs.abilities import can, label_of
from runs.choices import RunResult, RunStatus
from runs.comparison import Reference, judged_before, largest_new_error, previous_comparable, runs_before
from runs.criteria import three_digits
from runs.health import health_of
from runs.life import Phase, life_of, typical
from runs.models import Run, RunError, RunThreshold
from runs.services.base import Capability
from runs.stop_several import ASK_AGAIN_AFTER
from runs.verdict import Verdict, sentence
from runs.verdict_words import Before, ago

VERDICT_LOOK = {
    "failing": ("square-x", "failed"),
    "running": ("player-play-filled", "running"),
    "waiting": ("clock", "none"),
    "starting": ("rocket", "none"),
    "stopping": ("hand-stop", "error"),
    "processing": ("stack-2", "busy"),
    "passed": ("circle-check-filled", "passed"),
    "failed": ("square-x-filled", "failed"),
    "error": ("alert-triangle-filled", "error"),
    "no_verdict": ("circle-minus", "none"),
    "no_criteria": ("circle-minus", "none"),
    "unknown": ("help-circle", "none"),
}
PHASE_TONE = {"running": "", "stopping": "error", "processing": "busy"}
POLL_S = 2  # for whoever chose the shortest interval: one run is asked for more often than a list
PANELS_EVERY = 4  # such polls
DETAILS_WITHIN = timedelta(minutes=10)  # of a run's end; later they are not to be waited for
TABS = ("summary", "errors", "thresholds", "metrics", "messages", "config", "activity", "raw")


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    label: str
    url: str
    count: str = ""
    said: str = ""  # what the count means, for people who cannot see its colour
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class ShownPhase:
    """A phase with how it is drawn."""

    phase: Phase
    word: str
    icon: str
    tone: str
    percent: float


@dataclass
class Head:
    """Everything above the tabs. Made once per request; the polled part and the page share it."""

    run: Run
    now: datetime
    user: User
    tab: str
    provider: str
    thresholds: Sequence[RunThreshold]
    verdict: Verdict
    tabs: Sequence[Tab]
    may: Mapping[str, bool]  # capability -> whether its viewer may ask for it
    offers: Mapping[str, bool]  # capability -> whether anybody could
    before: Reference | None  # the previous comparable run
    to_see: RunError | None  # the error that the verdict's second line names
    seconds: int  # the interval its viewer has chosen; 0 pauses
    turn: int = 0  # how often this page has asked for news

    @property
    def icon(self) -> str:
        return VERDICT_LOOK[self.verdict.kind][0]

    @property
    def tone(self) -> str:
        return VERDICT_LOOK[self.verdict.kind][1]

    @property
    def solid(self) -> str:
        """The class that colours the verdict's sign."""
        return f"solid-{self.tone}" if self.tone in ("passed", "failed", "error") else f"tone-{self.tone}"

    @property
    def tab_url(self) -> str:
        return next(tab.url for tab in self.tabs if tab.name == self.tab)

    @property
    def may_stop(self) -> bool:
        return self.may["stop"] and self.run.is_stoppable

    @property
    def may_start_again(self) -> bool:
        return self.may["start"] and not self.run.is_live

    @property
    def may_repeat(self) -> bool:
        """Whether the provider can start this very run once more, as it was."""
        return self.may_start_again and self.may["rerun"] and not self.run.gone_at

    @property
    def may_note(self) -> bool:
        return self.may["note"] and not self.run.gone_at

    @property
    def may_star(self) -> bool:
        return self.may["star"] and not self.run.gone_at

    @property
    def poll_url(self) -> str:
        """Where to ask for news; "" once nothing can change. On the summary the turn is counted, see `has_panels`."""
        if self.run.account.archive or (not self.run.is_live and not self._waits_for_details):
            return ""
        turn = f"&turn={self.turn + 1}" if self.tab == "summary" else ""
        return f"{reverse('run_live', args=[self.run.pk])}?tab={self.tab}{turn}"

    @property
    def has_panels(self) -> bool:
        """Whether chart and lists come with this answer: they change more slowly than the head, and are large."""
        often = self.poll_s == POLL_S and self.turn % PANELS_EVERY
        return self.tab == "summary" and (not often or not self.poll_url)

    @property
    def poll_s(self) -> int:
        return POLL_S if self.seconds == SHORTEST_S else self.seconds

    @property
    def fresh(self) -> Freshness | None:
        """What the menu beside the title says; None once nothing can change."""
        return freshness_of_run(self.run, self.seconds, bool(self.sync_trouble)) if self.poll_url else None

    @property
    def told(self) -> str:
        """Changes when something is worth an announcement: a criterion broke, a stop had no effect, the run ended."""
        if not self.run.is_live:
            return f"ended {self.verdict.kind}"
        return f"live {self.run.threshold_broken}" + (" still" if self.unstopped else "")

    @property
    def unstopped(self) -> str:
        """How long ago a stop was asked for that had no effect, "1:42"; "" where none was, or it may still come."""
        asked = self.run.stop_requested_at
        if not asked or not self.run.is_stoppable or self.now - asked < ASK_AGAIN_AFTER:
            return ""
        return ago((self.now - asked).total_seconds())

    @property
    def _waits_for_details(self) -> bool:
        """Ended just now: its last numbers come with one of the next syncs."""
        ended = self.run.ended_at
        return self.run.is_ended and not self.run.details_at and bool(ended) and self.now - ended < DETAILS_WITHIN

    @cached_property
    def neighbours(self) -> tuple[Run | None, Run | None]:
        return run_details.neighbours(self.run)

    @property
    def sync_trouble(self) -> str:
        """Why what is shown may be old, as a sentence; "" while the account's sync is well."""
        if self.run.account.archive:
            return ""
        if not self.run.account.enabled:
            return f"{self.run.account.name} is switched off: nothing is read from {self.provider}."
        if not hasattr(self.run.account, "sync"):
            return ""
        health = health_of(self.run.account, self.now)
        # What has ended was read for good: a sync that is only late takes nothing from it.
        return health.sentence if health.kind == "failing" or (health.is_bad and self.run.is_live) else ""

    @property
    def details_missing(self) -> str:
        """Why errors, thresholds and messages may be missing; "" once they were read."""
        if self.run.details_at:
            return ""
        if self.run.account.archive:
            return "not in the file this archive came from"
        if self.run.status == RunStatus.UNKNOWN:
            return "not read while the run's status is not known"
        return "not read yet"

    @property
    def see_label(self) -> str:
        """The button to the error that the verdict names: "See the 503s"."""
        subtype = self.to_see.subtype if self.to_see else ""
        return f"See the {subtype}s" if subtype.isdigit() and len(subtype) == 3 else "See this error"

    @property
    def sees_error(self) -> bool:
        """Where errors decided, or may have."""
        return bool(self.to_see) and self.verdict.kind in ("failed", "failing", "error")

    def phases(self) -> list[ShownPhase]:
        usual = typical(runs_before(self.run))
        return [shown_phase(phase, self.run) for phase in life_of(self.run, self.now, usual)]

    def key_numbers(self) -> list[KeyNumber]:
        return key_numbers(self.run, self.thresholds, self.before)


MEASURED = {"p95_ms": "p95 of all requests", "avg_ms": "mean response time"}


def what_was_before(run: Run, reference: Reference | None) -> Before:
    """What a verdict may say about the runs before; only what its rules look at is asked for."""
    results = judged_before(run) if run.is_ended and run.result == RunResult.FAILED else []
    if reference is None:
        return Before(results=results)
    name = f"#{reference.run.shown_number}"
    if run.status == RunStatus.RUNNING:
        latest = run_details.latest_points(run)
        for key, measured in MEASURED.items():
            if key in latest and (then := reference.at(key, latest[key][0])) is not None:
                now = three_digits(latest[key][1], "ms")
                return Before(run=name, measured=measured, now=now, then=three_digits(then, "ms"))
    return Before(run=name, new_error=largest_new_error(run, reference.run), results=results)


def find_run(pk: int) -> Run:
    """The run with all its page needs beside it, or a 404."""
    run = run_details.runs_with_counts().filter(pk=pk).first()
    if run is None:
        raise Http404("No such run.")
    return run


def head_of(run: Run, request: HttpRequest, tab: str) -> Head:
    now = timezone.now()
    provider = label_of(run.account)
    thresholds = run_details.thresholds_of(run)
    facts = run_details.facts_of(run, provider, run_details.latest_stop(run))
    errors = run_details.top_errors(run, 1)
    previous = previous_comparable(run)
    reference = Reference(previous) if previous else None
    before = what_was_before(run, reference)
    return Head(
        run=run,
        now=now,
        user=request.user,
        tab=tab,
        provider=provider,
        thresholds=thresholds,
        verdict=sentence(facts, thresholds, errors, now, before),
        to_see=before.new_error or next(iter(errors), None),
        tabs=_tabs(run),
        may={need: not actions.may_control(request.user, run.account, need) for need in Capability},
        offers={need: can(run.account, need) for need in Capability},
        seconds=preference_of(request).live_seconds,
        before=reference,
    )


def shown_phase(phase: Phase, run: Run) -> ShownPhase:
    """The last phase of a run that ended is drawn as its status."""
    word, icon = words.RunStatus(phase.status).label, words.STATUS_ICON.get(phase.status, "flag")
    if phase.is_end and phase.state == "done":
        pill = words.status_of(run)
        word, icon = pill.word, pill.icon
    return ShownPhase(phase, word, icon, PHASE_TONE.get(phase.status, "none"), round(100 * phase.share, 1))


def _tabs(run: Run) -> list[Tab]:
    read = run.details_at is not None
    thresholds, bad = run.threshold_total, run.threshold_broken
    counts = {
        "errors": (words.number(run.error_total) if read or run.error_total else "", "errors", run.error_total > 0),
        "thresholds": (
            (f"{bad}/{thresholds}" if bad else str(thresholds)) if read or thresholds else "",
            f"{bad} of {thresholds} failed",
            bad > 0,
        ),
        "messages": (words.number(run.message_total) if read or run.message_total else "", "messages", False),
        "activity": (words.number(run.activity_total) if run.activity_total else "", "entries", False),
    }
    return [
        Tab(
            name,
            name.capitalize(),
            reverse("run_page" if name == "summary" else f"run_{name}", args=[run.pk]),
            *counts.get(name, ()),
        )
        for name in TABS
    ]
