"""Work for one account, and the count of the calls to its provider, which every machine adds to one table."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error, transaction
from django.db.models import F

from runs.models import Account, ProviderCalls
from runs.services.calls import Count, Tally, counting
from runs.trace import at_work

log = logging.getLogger(__name__)

COLUMNS = ("upto_100ms", "upto_300ms", "upto_1s", "upto_3s", "upto_10s")  # as services.calls.BOUNDS


@contextmanager
def counted_calls(account: Account) -> Iterator[None]:
    """Inside it log lines name the account, the provider is told an id, and what it is asked is counted.

    The count is stored at the end, also after an error. If it cannot be stored it is lost, and nothing else is.
    """
    with at_work(account=account.slug), counting() as tally:
        try:
            yield
        finally:
            if tally:
                _store(account, tally)


def _store(account: Account, tally: Tally) -> None:
    try:
        with transaction.atomic():
            for (kind, outcome), count in sorted(tally.items()):  # in one order: writers never wait for each other
                _add(ProviderCalls(account=account, kind=kind, outcome=outcome), count)
    except Error as problem:
        log.warning("The calls to the provider could not be counted: %s", problem)


def _add(row: ProviderCalls, count: Count) -> None:
    more = {"calls": count.calls, "seconds": count.seconds, **dict(zip(COLUMNS, count.upto, strict=True))}
    mine = ProviderCalls.objects.filter(account=row.account, kind=row.kind, outcome=row.outcome)
    if not mine.update(**{name: F(name) + value for name, value in more.items()}):
        ProviderCalls.objects.bulk_create([row], ignore_conflicts=True)  # another worker may do so at the same time
        mine.update(**{name: F(name) + value for name, value in more.items()})
