"""Stopping several runs at once: what would become of each, and asking for one after the other within a deadline."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from runs.abilities import can, label_of
from runs.actions import NotAllowed, stop_run
from runs.choices import RunStatus
from runs.models import Run
from runs.services.base import Capability
from runs.verdict_words import ago, clock

log = logging.getLogger(__name__)

MOST = 100  # runs stopped by one press, and lines shown for it
LOOKED_AT = 500  # runs that have not ended
DEADLINE_S = 45.0  # for all of them together; one call may outlast it by its own deadline
ASK_AGAIN_AFTER = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Fate:
    """What a stop means for a run: `text` says it, `why` is short for why not, "" where it can be stopped."""

    text: str
    why: str = ""

    @property
    def stops(self) -> bool:
        return not self.why


def fate_of(run: Run, now: datetime) -> Fate:
    """By the run's status and its account. Whether the person may stop runs at all is not asked here."""
    account, asked = run.account, run.stop_requested_at
    if run.gone_at:
        return Fate(f"skipped, {label_of(account)} no longer knows it", "no longer known")
    if run.is_ended:
        return Fate("skipped, already ended", "already ended")
    if account.archive:
        return Fate("skipped, an archive", "in an archive")
    if run.status == RunStatus.PROCESSING:
        return Fate("skipped, load has ended", "whose load has ended")
    if run.status == RunStatus.STOPPING or (asked and now - asked < ASK_AGAIN_AFTER):
        by = f"{run.stop_requested_by} asked {ago((now - asked).total_seconds())} ago" if asked else "stopping already"
        return Fate(f"skipped, {by}", "stopping already")
    if not run.is_stoppable:
        return Fate("skipped, its status is not known", "of unknown status")
    if not can(account, Capability.STOP):
        return Fate(f"skipped, {label_of(account)} offers no way to stop it", "that cannot be stopped from here")
    if not account.enabled:
        return Fate("skipped, the account is switched off", "on an account that is switched off")
    if account.read_only:
        return Fate("skipped, read only", "read only")
    again = f"; asked {ago((now - asked).total_seconds())} ago without effect" if asked else ""
    return Fate(_what_happens(run, now) + again)


def _what_happens(run: Run, now: datetime) -> str:
    if run.status == RunStatus.STARTING:
        return "will be cancelled before load"
    if run.status == RunStatus.CREATED:
        return "not queued yet; the provider may refuse"
    if run.status != RunStatus.RUNNING:
        return "will leave the queue"
    if not run.load_started_at:
        return "will stop"
    planned = f" of {clock(run.planned_duration_s)}" if run.planned_duration_s else ""
    return f"will stop at {clock((now - run.load_started_at).total_seconds())}{planned}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one press would do. `lines` are at most MOST; the numbers say what they leave out."""

    lines: list[tuple[Run, Fate]] = field(default_factory=list)
    total: int = 0  # runs meant
    not_taken: int = 0  # that have not ended, beyond what one press takes
    not_listed: int = 0  # that are skipped and have no line

    @property
    def stops(self) -> list[Run]:
        return [run for run, fate in self.lines if fate.stops]


def plan_of(runs: QuerySet[Run], now: datetime) -> Plan:
    """Newest first, those that can be stopped before those that are skipped. A handful of queries, whatever `runs`."""
    total = runs.count()
    rows = runs.for_list().order_by("-created_at", "-id")
    live = [(run, fate_of(run, now)) for run in rows.live()[: LOOKED_AT + 1]]
    beyond = runs.live().count() - LOOKED_AT if len(live) > LOOKED_AT else 0
    live = live[:LOOKED_AT]
    stopping = [(run, fate) for run, fate in live if fate.stops]
    lines = [*stopping[:MOST], *((run, fate) for run, fate in live if not fate.stops)][:MOST]
    if len(lines) < MOST:
        others = rows.exclude(pk__in=[run.pk for run, _ in live])[: MOST - len(lines)]
        lines += [(run, fate_of(run, now)) for run in others]
    not_taken = max(0, len(stopping) - MOST) + beyond
    return Plan(lines, total, not_taken, total - len(lines) - not_taken)


def token_for(press: UUID, run_id: int) -> UUID:
    """The token of one run's stop in a press of the button: the same press never sends it twice."""
    return uuid5(press, str(run_id))


def stop_several(
    *,
    user: User,
    run_ids: Iterable[int],
    reason: str,
    press: UUID,
    deadline_s: float = DEADLINE_S,
    seconds: Callable[[], float] = time.monotonic,
) -> None:
    """Ask for a stop of each that can be stopped now; what came of it is in the intents of `token_for(press, …)`.

    Accounts take turns by the time they took, so that a slow provider does not use up the others'. Whoever is not
    reached in time gets no intent: nothing was sent for it.
    """
    ends = seconds() + deadline_s
    spent: Counter[int] = Counter()
    waiting = list(Run.objects.filter(pk__in=list(run_ids)).order_by("-created_at", "-id")[:MOST])
    while waiting and seconds() < ends:
        began = seconds()
        next_one = min(waiting, key=lambda run: spent[run.account_id])
        waiting.remove(next_one)
        run = Run.objects.for_list().get(pk=next_one.pk)  # as it is by now
        try:
            if fate_of(run, timezone.now()).stops:
                stop_run(user=user, run=run, reason=reason, token=token_for(press, run.pk))
        except NotAllowed as why:
            log.info("A run of several was not stopped: %s", why)
        spent[run.account_id] += seconds() - began
    if waiting:
        log.warning("%s of several runs were not asked to stop within %g s.", len(waiting), deadline_s)
