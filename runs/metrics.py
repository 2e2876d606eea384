"""What the tables tell about accounts, workers and calls, in the words of Prometheus: the same from any process.

docs/operations.md says what each means and what to do when; a test keeps the two alike.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import Error
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from runs.choices import LIVE, IntentOutcome, RunStatus
from runs.models import Account, ControlIntent, ProviderCalls, Run, SyncState, Worker
from runs.provider_calls import COLUMNS
from runs.services.calls import BOUNDS
from runs.vitals import SILENT_AFTER, waiting_since

log = logging.getLogger(__name__)

Rows = Iterable[tuple[tuple[str, ...], float]]  # label values, value


class TablesCollector(Collector):
    """Reads the tables anew each time it is asked: a handful of queries, however many accounts and runs there are."""

    def collect(self) -> Iterator[Metric]:
        try:
            found, up = list(_families(timezone.now())), 1.0
        except Error as problem:
            log.warning("The tables could not be read for metrics: %s", problem)
            found, up = [], 0.0
        yield _gauge(
            "database_up", "1 while the database answers; 0: every other metric of the tables is left out.", up
        )
        yield from found


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"plimsoll_{name}", text, value=value)


def _gauges(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = GaugeMetricFamily(f"plimsoll_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, float(value))
    return family


def _families(now: datetime) -> Iterator[Metric]:
    accounts = list(Account.objects.select_related("sync").order_by("pk"))
    slugs = {account.pk: account.slug for account in accounts}
    yield from _engine(accounts, now)
    yield from _syncs([account for account in accounts if account.enabled and not account.archive], now)
    yield from _runs(slugs, {account.pk for account in accounts if account.archive})
    yield from _intents(slugs, now)
    yield _calls(slugs)


def _engine(accounts: list[Account], now: datetime) -> Iterator[Metric]:
    alive = Worker.objects.filter(seen_at__gte=now - SILENT_AFTER).values_list("kind").annotate(Count("pk"))
    kinds = {"embedded": 0, "celery": 0} | dict(alive)
    rows = [((kind,), count) for kind, count in kinds.items()]
    yield _gauges("workers", "Workers seen within the last two minutes.", ("kind",), rows)
    waiting = [since for account in accounts if (since := waiting_since(account, now))]
    yield _gauge("sync_due_accounts", "Accounts that are due and wait for a worker.", len(waiting))
    longest = (now - min(waiting)).total_seconds() if waiting else 0
    yield _gauge("sync_due_seconds", "How long the account that waits longest has been due.", longest)
    rows = [((account.slug,), account.enabled and not account.archive) for account in accounts]
    text = "1 for an account that is to be synced, 0 for a disabled one and for an archive."
    yield _gauges("account_enabled", text, ("account",), rows)


def _syncs(accounts: list[Account], now: datetime) -> Iterator[Metric]:
    """Of each enabled account; one without a state yet has never been looked at."""
    states = [(account, getattr(account, "sync", None) or SyncState(account=account)) for account in accounts]
    values: dict[tuple[str, str], list[float]] = {
        ("sync_age_seconds", "Since the last complete sync, or since the account was added."): [
            (now - (state.last_good_at or account.created_at)).total_seconds() for account, state in states
        ],
        ("sync_failures", "Failed syncs in a row."): [state.failures for _, state in states],
        ("sync_error", "1 while the account shows the error of its last sync."): [
            bool(state.error) for _, state in states
        ],
        ("sync_paused", "1 while it waits for an admin to enter credentials."): [state.paused for _, state in states],
        ("sync_held_back_seconds", "For how long it is still left alone, after failures or at its provider's wish."): [
            max(0.0, (state.not_before - now).total_seconds()) if state.not_before else 0 for _, state in states
        ],
        ("sync_bad_rows", "Records of the last sync that could not be read and were left out."): [
            len(state.bad_rows) for _, state in states
        ],
        ("sync_duration_seconds", "How long the last complete sync took."): [
            state.last_pass_s or 0 for _, state in states
        ],
        ("history_complete", "1 once all runs of the past were read."): [
            state.history_at is not None for _, state in states
        ],
    }
    for (name, text), column in values.items():
        rows = [((account.slug,), value) for account, value in zip(accounts, column, strict=True)]
        yield _gauges(name, text, ("account",), rows)


def _runs(slugs: dict[int, str], archives: set[int]) -> Iterator[Metric]:
    watched = Run.objects.filter(status__in=(*LIVE, RunStatus.UNKNOWN))
    found = list(watched.values_list("account_id", "status").annotate(Count("pk"), Count("gone_at")))
    live = [((slugs.get(pk, ""), status), n - gone) for pk, status, n, gone in found if status in LIVE and n > gone]
    yield _gauges("runs_live", "Runs that have not ended, by status.", ("account", "status"), live)
    unknown = {pk: n for pk, status, n, _gone in found if status == RunStatus.UNKNOWN}
    rows = [((slug,), unknown.get(pk, 0)) for pk, slug in slugs.items()]
    yield _gauges("runs_unknown_status", "Runs whose status Plimsoll does not know.", ("account",), rows)
    left = dict(Run.objects.without_details().order_by().values_list("account_id").annotate(Count("pk")))
    rows = [((slug,), 0 if pk in archives else left.get(pk, 0)) for pk, slug in slugs.items()]
    yield _gauges("details_left_runs", "Ended runs whose details are still to be read.", ("account",), rows)


def _intents(slugs: dict[int, str], now: datetime) -> Iterator[Metric]:
    found = ControlIntent.objects.unsettled().values_list("account_id", "outcome")
    rows = list(found.annotate(Count("pk"), Min("created_at")))
    counts = [((slugs.get(pk, ""), outcome), n) for pk, outcome, n, _oldest in rows]
    yield _gauges("intents_unsettled", "Starts and stops whose end is not known.", ("account", "outcome"), counts)
    oldest = dict.fromkeys(slugs.values(), 0.0)
    for pk, outcome, _n, since in rows:
        if outcome != IntentOutcome.CREATED and pk in slugs:  # that one waits for a person
            oldest[slugs[pk]] = max(oldest[slugs[pk]], (now - since).total_seconds())
    ages = [((slug,), age) for slug, age in oldest.items()]
    yield _gauges("intents_oldest_seconds", "Age of the oldest that the sync has to settle.", ("account",), ages)


def _calls(slugs: dict[int, str]) -> Metric:
    labels = ("account", "kind", "outcome")
    family = HistogramMetricFamily(
        "plimsoll_provider_call_duration_seconds",
        "Calls to providers, of all workers and web processes.",
        labels=labels,
    )
    for row in ProviderCalls.objects.order_by("pk"):
        buckets = [(str(bound), getattr(row, column)) for bound, column in zip(BOUNDS, COLUMNS, strict=True)]
        values = (slugs.get(row.account_id, ""), row.kind, row.outcome)
        family.add_metric(values, [*buckets, ("+Inf", row.calls)], sum_value=row.seconds)
    return family
