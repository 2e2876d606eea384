"""Starts without an answer, sent again: only where the provider takes the same key for the same start, for so long as
it does (`RunService.start_again_s`). It then names the run that the first one made, or makes it now: there is never a
second one, also when two workers send it. Whatever else is not certain stays with settle.py.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from runs.choices import IntentKind, IntentOutcome
from runs.freezes import span_now, windows_of
from runs.models import Account, ControlIntent
from runs.services.base import RemoteRun, RunService, ServiceError, Unavailable

from .lost_starts import LIST_LAG, may_be_sent_again
from .mirror import hold, save_runs
from .settle import link_run, settle
from .wishes import wish_of

log = logging.getLogger(__name__)
AGAIN = "Started. The first answer was lost; asked again with the same key, {provider} named the run."
NOT_NOW = (
    "It may or may not have started. No answer came, nor when it was sent again with the same key, by which {provider} "
    "starts it once at most. ({reason})"
)


def send_again(account: Account, service: RunService, now: datetime, fence: Callable[[], None] = lambda: None) -> int:
    """Send the starts of this account again that may be; returns how many now have their run.

    `fence` raises when another worker has the account. An answer that is none leaves the start as it is. To be called
    outside of any transaction.
    """
    named = 0
    for intent in _due(account, service, now):
        fence()
        asked_at = timezone.now()
        if not may_be_sent_again(intent, service, asked_at):
            continue  # the ones before it took their time
        try:
            remote = service.start_step(intent.step, wish_of(intent), "")
        except ServiceError as problem:
            log.warning("A start of %s could not be sent again: %s", account.slug, problem)
            message = NOT_NOW.format(provider=service.label, reason=problem)
            ControlIntent.objects.filter(pk=intent.pk, outcome=IntentOutcome.SENT).update(message=message)
            if isinstance(problem, Unavailable):
                break
            continue
        if remote is not None:
            named += 1
            _store(intent, service, remote, asked_at, fence)
    return named


def _store(
    intent: ControlIntent, service: RunService, remote: RemoteRun, asked_at: datetime, fence: Callable[[], None]
) -> None:
    with transaction.atomic():
        hold(intent.account)
        fence()
        [run] = save_runs(intent.account, [remote], timezone.now(), asked_at)
        # Read again inside: the first answer may have come after all.
        mine = ControlIntent.objects.unsettled().select_for_update().filter(pk=intent.pk, run=None).first()
        if mine is None:
            return
        link_run(mine, run)
        mine.candidates = []
        if mine.step == service.start_steps[-1]:
            settle(mine, IntentOutcome.DONE, AGAIN.format(provider=service.label), timezone.now())
        else:
            settle(mine, IntentOutcome.CREATED, "The run was created, but it is not queued.", timezone.now())


def _due(account: Account, service: RunService, now: datetime) -> list[ControlIntent]:
    """Those whose first sending is over, oldest first; none that people would not be let start now."""
    if not service.start_again_s or account.read_only or not account.enabled:
        return []
    lost = account.intents.filter(
        kind=IntentKind.START, outcome=IntentOutcome.SENT, run=None, external_id="", step=service.start_steps[0]
    )
    return [
        intent
        for intent in lost.select_related("account", "load_test__target").order_by("sent_at")
        if may_be_sent_again(intent, service, now)
        and (intent.message or now - intent.sent_at >= LIST_LAG)  # else its sender may still wait for the answer
        and not _is_frozen(intent, now)
    ]


def _is_frozen(intent: ControlIntent, now: datetime) -> bool:
    """Whether a freeze window has begun since; what an admin started in one all the same is sent again."""
    target = intent.load_test.target if intent.load_test else None
    held = any(span_now(window, now) for window in windows_of(intent.account, target))
    return held and not intent.override_reason
