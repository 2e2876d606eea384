"""Starts whose run has an id that we chose: one without an answer is asked for by it, and there is nothing to guess."""

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from runs.choices import IntentKind, IntentOutcome
from runs.models import Account, ControlIntent, Run
from runs.services.base import NotFound, RunService, ServiceError

from .lost_starts import LIST_LAG
from .mirror import hold, save_runs

log = logging.getLogger(__name__)


def ask_for_named(account: Account, service: RunService, pass_began: datetime, now: datetime) -> None:
    """Store the run of each such start, or settle that it was not started: with certainty once nothing that was sent
    can be under way any more. Call it outside of any transaction.
    """
    lost = account.intents.unsettled().filter(kind=IntentKind.START, run=None, sent_at__lt=pass_began)
    for intent in lost.exclude(external_id="").order_by("sent_at"):
        if intent.external_id != service.run_id_of(str(intent.token)):
            continue  # the provider has named it, so it is there
        if Run.objects.filter(account=account, external_id=intent.external_id).exists():
            continue
        asked_at = timezone.now()
        try:
            remote = service.get_run(intent.external_id)
        except NotFound:
            if pass_began >= intent.sent_at + LIST_LAG:
                _not_started(intent, service, pass_began, now)
        except ServiceError as problem:
            log.info("The run of a start without an answer could not be read: %s", problem)
        else:
            save_runs(account, [remote], timezone.now(), asked_at)


def _not_started(intent: ControlIntent, service: RunService, pass_began: datetime, now: datetime) -> None:
    seconds = round((pass_began - intent.sent_at).total_seconds())
    message = (
        f"It was not started: {service.label} does not know its run {seconds} s after it was sent. You can start it "
        "again. Should the run turn up all the same, this page will say so."
    )
    with transaction.atomic():
        hold(intent.account)
        # Unless it was settled, or sent anew, while we asked.
        mine = ControlIntent.objects.unsettled().filter(pk=intent.pk, sent_at=intent.sent_at, run=None)
        mine.update(outcome=IntentOutcome.NOT_STARTED, message=message, settled_at=now, external_id="")
