"""Starts and stops whose end is not known yet. Nothing is ever sent from here: we look, and say what we found.

A start whose answer was lost is asked for by its run's id where we chose that (named_starts.py), else looked for among
the runs of its test (lost_starts.py); the answer is "this one", "none", or "cannot tell: these". Should a run turn up
after "none", the intent says so from then on.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from runs.choices import ENDED, IntentKind, IntentOutcome, RunStatus
from runs.models import Account, ControlIntent, Person, Run
from runs.services.base import Person as RemotePerson
from runs.services.base import RunService, ServiceError

from .lease import CLOCK_WRONG
from .lost_starts import LIST_LAG, Finding, clock_ahead, fits, look_for, may_still_be_made, rivals_of
from .mirror import hold
from .named_starts import ask_for_named

LATE = timedelta(days=1)  # so long after a start was lost a run that fits is still noticed
PATIENCE = timedelta(seconds=90)  # for a provider that does not tell who we are
# A stop whose run was read this long after it, and goes on, is waited for no more; one that is stopping gets a day.
NO_EFFECT_AFTER = timedelta(minutes=10)
NEVER_SENT = "It was never sent: Plimsoll was interrupted before."
FOUND = "the run was found afterwards, the only one of this test by our credentials since it was sent."
UNSURE = (IntentOutcome.NOT_STARTED, IntentOutcome.CANNOT_TELL)


def link_run(intent: ControlIntent, run: Run) -> None:
    """This run is what the intent started: it was asked for by our person, whatever the provider's token says."""
    ours, _ = Person.objects.update_or_create(
        account=None, key=str(intent.user_id or intent.user_name),
        defaults={"name": intent.user_name, "display": intent.user_name, "user": intent.user},
    )  # fmt: skip
    if run.requested_by_id != ours.pk:
        run.provider_requested_by_id, run.requested_by = run.requested_by_id, ours
        run.save(update_fields=["requested_by", "provider_requested_by"])
    intent.run, intent.external_id, intent.load_test = run, run.external_id, run.load_test


def settle(intent: ControlIntent, outcome: IntentOutcome, message: str, now: datetime) -> None:
    """Write how an intent stands; a final outcome gets its time."""
    intent.outcome, intent.message = outcome, message
    if intent.is_settled:
        intent.settled_at = now
    intent.save(
        update_fields=["outcome", "message", "settled_at", "run", "external_id", "load_test", "candidates", "step"]
    )


def settle_unsent(now: datetime) -> int:
    """Close what was never sent, as an interrupted process leaves it; no provider is asked. Returns how many."""
    never_sent = ControlIntent.objects.filter(outcome=IntentOutcome.OPEN, sent_at=None, created_at__lt=now - LIST_LAG)
    return never_sent.update(outcome=IntentOutcome.NOT_STARTED, message=NEVER_SENT, settled_at=now, external_id="")


def settle_intents(account: Account, service: RunService, pass_began: datetime, now: datetime) -> None:
    """Settle what a complete pass that began at `pass_began` can tell about this account's open intents."""
    settle_unsent(now)
    # Sent by a machine whose clock was wrong: from now on its time is reckoned by ours.
    account.intents.unsettled().filter(sent_at__gt=now + CLOCK_WRONG).update(sent_at=now)
    ask_for_named(account, service, pass_began, now)
    sent = account.intents.filter(sent_at__lt=pass_began)
    open_intents, unsure = sent.unsettled(), sent.filter(_may_turn_up(now))
    lost = Q(kind=IntentKind.START, external_id="")
    us = None
    if not service.hands_token_back and (open_intents.filter(lost).exists() or unsure.exists()):
        try:
            us = service.whoami()  # asked before any transaction: an answer may take its time
        except ServiceError:
            open_intents = open_intents.exclude(lost & Q(sent_at__gt=now - PATIENCE))
            unsure = unsure.none()
    for intents in (open_intents, unsure):
        for pk in list(intents.order_by("sent_at").values_list("pk", flat=True)):
            with transaction.atomic():
                hold(account)
                # Read again inside: what a button has sent meanwhile must not be written over.
                intent = intents.select_for_update().filter(pk=pk).first()
                if intent is not None:
                    _look_at(intent, service, us, pass_began, now)


def _may_turn_up(now: datetime) -> Q:
    """Starts whose run may still turn up, though we have said how they stand."""
    return Q(kind=IntentKind.START, outcome__in=UNSURE, sent_at__gte=now - LATE)


def _look_at(
    intent: ControlIntent, service: RunService, us: RemotePerson | None, pass_began: datetime, now: datetime
) -> None:
    if intent.kind == IntentKind.STOP:
        _settle_stop(intent, service, now)
    elif intent.external_id:
        _settle_made(intent, service, pass_began, now)
    elif intent.is_settled:
        _look_again(intent, service, us, now)
    else:
        _settle_lost_start(intent, service, us, pass_began, now)


def _settle_stop(intent: ControlIntent, service: RunService, now: datetime) -> None:
    run = intent.run
    if run.status not in ENDED:
        _settle_vain_stop(intent, service, now)
    elif run.status == RunStatus.ABORTED:
        seconds = max(0, round((now - intent.sent_at).total_seconds()))
        settle(intent, IntentOutcome.DONE, f"Stopped. Confirmed {seconds} s after it was asked for.", now)
    else:
        settle(intent, IntentOutcome.DONE, "The run ended by itself before the stop took effect.", now)


def _settle_vain_stop(intent: ControlIntent, service: RunService, now: datetime) -> None:
    """A stop whose run has not ended. One that nobody heeds must not be waited for, and asked about, for ever."""
    run, seen_after = intent.run, intent.run.synced_at - intent.sent_at
    if run.gone_at:
        message = f"Cannot tell whether it stopped: {service.label} does not know the run any more."
        settle(intent, IntentOutcome.CANNOT_TELL, message, now)
    elif seen_after >= (NO_EFFECT_AFTER if run.is_stoppable else LATE):
        how = "was still going on" if run.is_stoppable else f"had still not ended ({run.get_status_display().lower()})"
        message = f"It {how} {_long(seen_after)} after it was asked to stop. Ask again, or look at {service.label}."
        settle(intent, IntentOutcome.NO_EFFECT, message, now)
    elif now - intent.sent_at >= LATE:
        message = f"Cannot tell whether it stopped: {service.label} shows nothing of the run any more that can be read."
        settle(intent, IntentOutcome.CANNOT_TELL, message, now)


def _long(gap: timedelta) -> str:
    minutes = round(gap.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _settle_made(intent: ControlIntent, service: RunService, pass_began: datetime, now: datetime) -> None:
    """We know which run it is; what became of it is in its status. A queueing may still be under way for a moment."""
    run = Run.objects.filter(account=intent.account, external_id=intent.external_id).first()
    if run is None:
        return
    late = "It was started after all: its run" if intent.outcome in UNSURE else ""
    link_run(intent, run)
    intent.candidates = []
    if run.status != RunStatus.CREATED:
        settle(intent, IntentOutcome.DONE, f"{late} turned up later." if late else "Started.", now)
    elif intent.outcome == IntentOutcome.CREATED:
        return
    elif intent.step != service.start_steps[-1] or pass_began >= intent.sent_at + LIST_LAG:
        message = f"{late} turned up later, created but not queued." if late else ""
        settle(intent, IntentOutcome.CREATED, message or "The run was created, but it is not queued.", now)


def _settle_lost_start(
    intent: ControlIntent, service: RunService, us: RemotePerson | None, pass_began: datetime, now: datetime
) -> None:
    found = look_for(intent, service, us, now)
    if pass_began < intent.sent_at + LIST_LAG or (
        not found.is_certain and may_still_be_made(intent, service, pass_began)
    ):
        # Not yet: the list may show a second one in a moment, or the start be sent again.
        _name(intent, found)
    elif found.is_certain:
        _found(intent, service, found.runs[0], f"It was started: {FOUND}", now)
    elif found.runs:
        _cannot_tell(intent, found, now)
    else:
        seconds = round((pass_began - intent.sent_at).total_seconds())
        message = (
            f"It was not started: {service.label} shows no such run {seconds} s after it was sent. You can start it "
            "again. Should a run turn up all the same, this page will say so."
        )
        intent.candidates = []
        settle(intent, IntentOutcome.NOT_STARTED, message, now)


def _look_again(intent: ControlIntent, service: RunService, us: RemotePerson | None, now: datetime) -> None:
    """Correct what was said when a run turns up that fits and that nothing else explains."""
    found = look_for(intent, service, us, now)
    ahead = clock_ahead(intent.account, service)
    known = set(intent.candidates)
    new = [run for run in found.runs if run.external_id not in known and fits(run, intent, ahead)]
    if not new or rivals_of(intent, IntentOutcome.SENT).exists():
        return
    if intent.outcome == IntentOutcome.NOT_STARTED and found.is_certain:
        _found(intent, service, new[0], f"It was started after all: {FOUND}", now)
        return
    kept = Run.objects.filter(account=intent.account, external_id__in=known).order_by("created_at", "pk")
    _cannot_tell(intent, Finding([*kept, *new], found.doubt), now)


def _found(intent: ControlIntent, service: RunService, run: Run, message: str, now: datetime) -> None:
    link_run(intent, run)
    intent.candidates = []
    if intent.step != service.start_steps[-1] and run.status == RunStatus.CREATED:
        settle(intent, IntentOutcome.CREATED, "The run was created, but it is not queued.", now)
    else:
        settle(intent, IntentOutcome.DONE, message, now)


def _name(intent: ControlIntent, found: Finding) -> None:
    names = [run.external_id for run in found.runs]
    if names != intent.candidates:
        intent.candidates = names
        intent.save(update_fields=["candidates"])


def _cannot_tell(intent: ControlIntent, found: Finding, now: datetime) -> None:
    names = ", ".join(f"#{run.shown_number}" for run in found.runs)
    which = f"It may be one of these: {names}." if len(found.runs) > 1 else f"It may be {names}."
    intent.candidates = [run.external_id for run in found.runs]
    message = f"Cannot tell whether it started. {which} {found.doubt}".rstrip()
    settle(intent, IntentOutcome.CANNOT_TELL, message, now)
