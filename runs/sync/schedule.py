"""When an account is due again: faster while something is under way, slower at rest, later and later after failures."""

import random
from datetime import timedelta

from django.utils import timezone

from runs.choices import IntentOutcome, RunStatus
from runs.models import Account
from runs.services.base import Unavailable

BUSY_S = 5.0  # while runs are live or an intent is open
LATE_RESULTS_S = 15.0  # while results of a run that ended just now are still to come
LONG_LIVE = timedelta(days=1)  # a run live for longer is in no hurry, or stuck at its provider …
LONG_LIVE_S = 60.0  # … and looked at this often
AT_REST = timedelta(days=1)  # without a new run this long, an account is looked at less often …
AT_REST_FACTOR = 1.5  # … by this much: a run that somebody starts elsewhere is still seen within twice the interval
JITTER = 0.1
FORGOTTEN = timedelta(minutes=10)
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 300.0  # between two tries at a provider that is down: one call each, and its return is soon seen
LONGEST_ASKED_WAIT_S = 3600.0


def interval_of(account: Account) -> timedelta:
    """Until the next fresh pass. Jitter keeps accounts that were added together from being asked together."""
    now = timezone.now()
    # A run that was made and never queued, or a press that waits for a person, may wait for weeks.
    forgotten = {"status": RunStatus.CREATED, "created_at__lt": now - FORGOTTEN}
    live = account.runs.live().filter(gone_at=None).exclude(**forgotten)
    asked = account.intents.unsettled().exclude(outcome=IntentOutcome.CREATED)
    if live.filter(created_at__gte=now - LONG_LIVE).exists() or asked.exists():
        return timedelta(seconds=_jittered(BUSY_S))
    if account.runs.with_late_results().exists():
        return timedelta(seconds=_jittered(min(LATE_RESULTS_S, account.sync_interval_s)))
    if live.exists():
        return timedelta(seconds=_jittered(min(LONG_LIVE_S, account.sync_interval_s)))
    at_rest = not account.runs.filter(created_at__gte=now - AT_REST).exists()
    return timedelta(seconds=_jittered(account.sync_interval_s * (AT_REST_FACTOR if at_rest else 1)))


def after_failure(failures: int, problem: Exception | None = None) -> timedelta:
    """How long the account is left alone after so many failures in a row; what a provider asks for is kept to."""
    if isinstance(problem, Unavailable) and problem.retry_after is not None:
        return timedelta(seconds=max(1.0, min(LONGEST_ASKED_WAIT_S, problem.retry_after)))
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(failures, 10))
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 (spreads the load, hides nothing)


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
