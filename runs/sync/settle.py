"""Starts and stops whose end is not known yet. Nothing is ever sent from here: we look, and say what we found.

A start whose answer was lost is looked for among the runs of its test that our credentials made since; the answer is
"this one", "none", or "cannot tell: these".
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from runs.choices import ENDED, UNSETTLED, IntentKind, IntentOutcome, RunStatus
from runs.models import Account, ControlIntent, Person, Run
from runs.services.base import Person as RemotePerson
from runs.services.base import RunService

from .mirror import hold

SKEW = timedelta(seconds=30)  # how far a provider's clock may be behind ours
# The longest a request may still be under way, and a new run may take to show up in the provider's list.
LIST_LAG = timedelta(seconds=45)


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


def settle_intents(account: Account, service: RunService, pass_began: datetime, now: datetime) -> None:
    """Settle what a complete pass that began at `pass_began` can tell about this account's open intents."""
    never_sent = Q(outcome=IntentOutcome.OPEN, created_at__lt=now - LIST_LAG)
    open_intents = account.intents.unsettled().filter(never_sent | Q(sent_at__lt=pass_began))
    lost = open_intents.filter(kind=IntentKind.START, external_id="", sent_at__lt=pass_began)
    us = service.whoami() if lost.exists() else None  # asked before any transaction: an answer may take its time
    for pk in list(open_intents.order_by("sent_at").values_list("pk", flat=True)):
        with transaction.atomic():
            hold(account)
            # Read again inside: what a button has sent meanwhile must not be written over.
            intent = open_intents.select_for_update().filter(pk=pk).first()
            if intent is not None:
                _look_at(intent, service, us, pass_began, now)


def _look_at(
    intent: ControlIntent, service: RunService, us: RemotePerson | None, pass_began: datetime, now: datetime
) -> None:
    if intent.outcome == IntentOutcome.OPEN:
        settle(intent, IntentOutcome.NOT_STARTED, "It was never sent: Plimsoll was interrupted before.", now)
    elif intent.kind == IntentKind.STOP:
        _settle_stop(intent, service, now)
    elif intent.external_id:
        _settle_made(intent, service, pass_began, now)
    else:
        _settle_lost_start(intent, service, us, pass_began, now)


def _settle_stop(intent: ControlIntent, service: RunService, now: datetime) -> None:
    run = intent.run
    if run.status not in ENDED:
        if run.gone_at:
            message = f"Cannot tell whether it stopped: {service.label} does not know the run any more."
            settle(intent, IntentOutcome.CANNOT_TELL, message, now)
        return
    if run.status == RunStatus.ABORTED:
        seconds = max(0, round((now - intent.sent_at).total_seconds()))
        settle(intent, IntentOutcome.DONE, f"Stopped. Confirmed {seconds} s after it was asked for.", now)
    else:
        settle(intent, IntentOutcome.DONE, "The run ended by itself before the stop took effect.", now)


def _settle_made(intent: ControlIntent, service: RunService, pass_began: datetime, now: datetime) -> None:
    """We know which run it is; what became of it is in its status. A queueing may still be under way for a moment."""
    run = Run.objects.filter(account=intent.account, external_id=intent.external_id).first()
    if run is None:
        return
    link_run(intent, run)
    if run.status != RunStatus.CREATED:
        settle(intent, IntentOutcome.DONE, "Started.", now)
    elif intent.outcome == IntentOutcome.CREATED:
        return
    elif intent.step != service.start_steps[-1] or pass_began >= intent.sent_at + LIST_LAG:
        settle(intent, IntentOutcome.CREATED, "The run was created, but it is not queued.", now)


def _settle_lost_start(
    intent: ControlIntent, service: RunService, us: RemotePerson | None, pass_began: datetime, now: datetime
) -> None:
    waited = pass_began >= intent.sent_at + LIST_LAG
    found = _made_since(intent, us)
    # As many runs as presses without an answer: each press made one, the earliest the earliest.
    if len(found) == (presses := _lost_presses(intent)):
        link_run(intent, found[0])
        if intent.step != service.start_steps[-1] and found[0].status == RunStatus.CREATED:
            settle(intent, IntentOutcome.CREATED, "The run was created, but it is not queued.", now)
        else:
            settle(intent, IntentOutcome.DONE, "It was started: the run was found afterwards.", now)
    elif len(found) > presses or (found and waited):
        intent.candidates = [run.external_id for run in found]
        which = ", ".join(f"#{run.shown_number}" for run in found)
        message = f"Cannot tell whether this press started a run. It may be one of these: {which}."
        settle(intent, IntentOutcome.CANNOT_TELL, message, now)
    elif waited:
        message = f"It was not started: {service.label} shows no such run. You can start it again."
        settle(intent, IntentOutcome.NOT_STARTED, message, now)


def _lost_presses(intent: ControlIntent) -> int:
    """How many starts of the intent's test may claim the same runs: sent, this one included, and never answered."""
    unclear = Q(outcome__in=UNSETTLED) | Q(outcome=IntentOutcome.CANNOT_TELL, settled_at__gte=intent.sent_at)
    same = {"account": intent.account, "kind": IntentKind.START, "test_name": intent.test_name, "external_id": ""}
    return ControlIntent.objects.filter(unclear, sent_at__isnull=False, **same).count()


def _made_since(intent: ControlIntent, us: RemotePerson | None) -> list[Run]:
    """Runs of the intent's test made by our credentials since it was sent, less those other intents account for."""
    runs = Run.objects.filter(account=intent.account, created_at__gte=intent.sent_at - SKEW)
    runs = runs.exclude(statusevents__seen_at__lt=intent.sent_at)  # those we saw before it was sent
    if intent.load_test_id:
        runs = runs.filter(load_test=intent.load_test)
    else:
        runs = runs.filter(load_test__name__iexact=intent.test_name)
    if us is not None:
        runs = runs.filter(requested_by__key__in=[us.external_id or us.name, us.name])
    others = ControlIntent.objects.filter(account=intent.account).exclude(pk=intent.pk).exclude(external_id="")
    return list(runs.exclude(external_id__in=others.values("external_id")).order_by("created_at")[:10])
