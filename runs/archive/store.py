"""Lines of an archive -> rows, a batch in one transaction, merged with what is there: what is newer here stays."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from runs.choices import ENDED, LIVE, RunStatus
from runs.models import Account, ControlIntent, LoadTest, Person, Run, RunPayload, Schedule, StatusEvent
from runs.sync.mirror import TELLING, fitted, hold, refresh_days

from .columns import BELOW, LOAD_TEST, RUN, SCHEDULE
from .lines import ROLES, IntentLine, RunLine, TestLine

# What is only known once the run's details were read; `result` goes along.
OF_DETAILS = ("p95_ms", "error_rate", "error_count", "has_archive", "details_at", "details_error", "judged_result")
_WRITTEN = (*(column.name for column in RUN if column.name != "external_id"), "load_test", *ROLES)
_DETAILS = tuple(name for name in BELOW if name != "events")
# A file that somebody made by hand may name one thing twice; the first is kept.
_UNIQUE = ("errors", "messages", "series", "files")


# -- what runs refer to ------------------------------------------------------------------------------------------------


@transaction.atomic
def save_tests(account: Account, lines: Sequence[TestLine]) -> None:
    """Add load tests and their schedules; one that is here takes over what a later run of it told."""
    hold(account)
    brought = {line.columns["external_id"]: line for line in lines}
    known = {test.external_id: test for test in account.load_tests.filter(external_id__in=brought)}
    rows = []
    for key, line in brought.items():
        test = known.get(key)
        if test is None:
            rows.append(fitted(LoadTest(account=account, **line.columns)))
        elif _later(line.columns.get("last_run_at"), test.last_run_at):
            ours = test.own_thresholds
            for name, value in line.columns.items():
                setattr(test, name, value)
            test.own_thresholds = ours or test.own_thresholds
            rows.append(fitted(test))
    saved = LoadTest.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=("account", "external_id"),
        update_fields=[column.name for column in LOAD_TEST if column.name != "external_id"],
    )  # fmt: skip
    ids = {test.external_id: test.pk for test in (*known.values(), *saved)}
    _save_schedules({ids[key]: line.schedules for key, line in brought.items() if line.schedules})


def _save_schedules(brought: Mapping[int, Sequence[dict[str, Any]]]) -> None:
    known = Schedule.objects.filter(load_test__in=brought).values_list("load_test", "external_id", "synced_at")
    read_at = {(test, key): at for test, key, at in known}
    rows = [fitted(Schedule(load_test_id=test, **row)) for test, rows in brought.items() for row in rows]
    fresh = {(row.load_test_id, row.external_id): row for row in rows}
    Schedule.objects.bulk_create(
        [row for key, row in fresh.items() if _later(row.synced_at, read_at.get(key))],
        update_conflicts=True, unique_fields=("load_test", "external_id"),
        update_fields=[column.name for column in SCHEDULE if column.name != "external_id"],
    )  # fmt: skip


@transaction.atomic
def save_people(account: Account, rows: Sequence[dict[str, Any]]) -> None:
    """Add people; one that is here gets the names it has not got."""
    hold(account)
    brought = {row["key"]: row for row in rows}
    known = {person.key: person for person in account.people.filter(key__in=brought)}
    for key, row in brought.items():
        person = known.setdefault(key, Person(account=account, key=key))
        person.name = person.name or row.get("name", "")
        person.given_name = person.given_name or row.get("given_name", "")
        person.display = person.display_name()
    Person.objects.bulk_create(
        map(fitted, known.values()),
        update_conflicts=True, unique_fields=("account", "key"), update_fields=("name", "given_name", "display"),
    )  # fmt: skip


def _later(one: datetime | None, other: datetime | None) -> bool:
    return other is None or (one is not None and one > other)


# -- runs --------------------------------------------------------------------------------------------------------------


@transaction.atomic
def save_runs(account: Account, lines: Sequence[RunLine]) -> Counter[str]:
    """Store a batch; how many were "added", "updated", "filled" (a part that was missing) or the "same" as before."""
    hold(account)
    lines = list({line.key: line for line in lines}.values())
    known = {run.external_id: run for run in account.runs.filter(external_id__in=[line.key for line in lines])}
    refs = _Refs(account, lines)
    plans = [_Plan(line, known.get(line.key), refs, account) for line in lines]
    written = [plan for plan in plans if plan.takes_columns]
    saved = Run.objects.bulk_create(
        [plan.row for plan in written],
        update_conflicts=True, unique_fields=("account", "external_id"), update_fields=_WRITTEN,
    )  # fmt: skip
    for plan, run in zip(written, saved, strict=True):
        plan.row = run
    filled = [plan for plan in plans if plan.takes_details and not plan.takes_columns]
    Run.objects.bulk_update([plan.row for plan in filled], (*OF_DETAILS, "result"))
    _save_below([plan for plan in plans if plan.takes_details])
    payloads, events = _save_payloads(plans), _save_events(plans)
    refresh_days([*(plan.row for plan in (*written, *filled)), *(plan.old for plan in written if plan.old)])
    ends = Counter()
    for plan in plans:
        more = plan.takes_details or plan.line.key in payloads or plan.line.key in events
        ends["added" if plan.old is None else "updated" if plan.takes_columns else "filled" if more else "same"] += 1
    return ends


class _Refs:
    """Rows that a batch refers to, by what the file calls them; those that it does not bring are made."""

    def __init__(self, account: Account, lines: Sequence[RunLine]):
        tests, people = {line.test for line in lines}, {key for line in lines for key in line.people.values()}
        self.tests = {test.external_id: test for test in account.load_tests.filter(external_id__in=tests)}
        self.people = {person.key: person for person in account.people.filter(key__in=people)}
        lost = sorted(tests - self.tests.keys())
        made = [fitted(LoadTest(account=account, external_id=key, name=f"test {key}")) for key in lost]
        self.tests |= dict(zip(lost, LoadTest.objects.bulk_create(made), strict=True))
        lost = sorted(people - self.people.keys())
        made = [Person(account=account, key=key, display=Person(key=key).display_name()) for key in lost]
        self.people |= dict(zip(lost, Person.objects.bulk_create(map(fitted, made)), strict=True))


class _Plan:
    """What is done with one line: `row` is the run as it will be, `old` the one that was there."""

    def __init__(self, line: RunLine, old: Run | None, refs: _Refs, account: Account):
        self.line, self.old = line, old
        self.row = Run(account=account, load_test=refs.tests[line.test], **line.columns)
        for role in ROLES:
            setattr(self.row, role, refs.people.get(line.people.get(role, "")))
        if self.row.status in LIVE:  # no archive that we write holds such a run
            self.row.status = RunStatus.UNKNOWN
        ended_here = old is not None and old.status in ENDED and self.row.status == RunStatus.UNKNOWN
        self.takes_columns = old is None or (self.row.synced_at > old.synced_at and not ended_here)
        alike = old is not None and all(getattr(old, name) == getattr(self.row, name) for name in TELLING)
        read_at, had_at = self.row.details_at, old and old.details_at
        self.takes_details = old is None or bool(
            read_at and (self.takes_columns or alike) and (had_at is None or read_at > had_at)
        )
        if old is not None:
            self._merge(old, alike)

    def _merge(self, old: Run, alike: bool) -> None:
        row = self.row
        if not self.takes_columns:
            if self.takes_details:
                for name in OF_DETAILS:
                    setattr(old, name, getattr(row, name))
                old.result = row.judged_result or old.result
            self.row = old
            return
        row.pk = old.pk
        if alike and not self.takes_details:
            for name in OF_DETAILS:
                setattr(row, name, getattr(old, name))
            row.result = old.judged_result or row.result
        if old.provider_requested_by_id:  # it was started here, by somebody who is known here
            row.provider_requested_by_id = row.provider_requested_by_id or row.requested_by_id
            row.requested_by_id = old.requested_by_id
        row.stop_requested_at = old.stop_requested_at or row.stop_requested_at
        row.stop_requested_by = old.stop_requested_by or row.stop_requested_by


def _save_below(plans: Sequence[_Plan]) -> None:
    """Put what the lines bring in the place of what hung below these runs."""
    replaced = [plan.row.pk for plan in plans if plan.old is not None]
    for name in _DETAILS:
        model = BELOW[name]
        if replaced:
            model.objects.filter(run__in=replaced).delete()
        rows = [fitted(model(run=plan.row, **row)) for plan in plans for row in plan.line.below[name]]
        model.objects.bulk_create(rows, batch_size=500, ignore_conflicts=name in _UNIQUE)


def _save_payloads(plans: Sequence[_Plan]) -> set[str]:
    """The ids of the runs that had none before."""
    had = set(
        RunPayload.objects.filter(run__in=[plan.row.pk for plan in plans if plan.old]).values_list("run", flat=True)
    )
    bring = [plan for plan in plans if plan.line.payload and (plan.takes_columns or plan.row.pk not in had)]
    RunPayload.objects.bulk_create(
        [RunPayload(run=plan.row, payload=plan.line.payload) for plan in bring],
        update_conflicts=True, unique_fields=("run",), update_fields=("payload",),
    )  # fmt: skip
    return {plan.line.key for plan in bring if plan.row.pk not in had}


def _save_events(plans: Sequence[_Plan]) -> set[str]:
    """Add those that are not known; the ids of their runs."""
    rows = [StatusEvent(run=plan.row, **row) for plan in plans for row in plan.line.below["events"]]
    known = defaultdict(set)
    for event in StatusEvent.objects.filter(run__in=[plan.row.pk for plan in plans if plan.old]):
        known[event.run_id].add((event.status, event.seen_at))
    fresh = [fitted(row) for row in rows if (row.status, row.seen_at) not in known[row.run_id]]
    StatusEvent.objects.bulk_create(fresh, batch_size=500)
    return {row.run.external_id for row in fresh}


# -- what was done here ------------------------------------------------------------------------------------------------


@transaction.atomic
def save_intents(account: Account, lines: Sequence[IntentLine]) -> int:
    """Add starts and stops that are not known here, and the end of those that had none when they came; how many."""
    hold(account)
    runs = {run.external_id: run for run in account.runs.filter(external_id__in=[line.run for line in lines])}
    tests = {
        test.external_id: test for test in account.load_tests.filter(external_id__in=[line.test for line in lines])
    }
    there = account.intents.filter(created_at__in=[line.columns["created_at"] for line in lines])
    known = {_mark(intent): intent for intent in there}
    added, ended = [], []
    for line in lines:
        row = ControlIntent(account=account, run=runs.get(line.run), load_test=tests.get(line.test), **line.columns)
        old = known.setdefault(_mark(row), row)
        if old is row:
            added.append((fitted(row), row.created_at))
        elif old.is_settled and old.settled_at is None and row.settled_at:
            row.pk, row.token = old.pk, old.token
            ended.append(fitted(row))
    ControlIntent.objects.bulk_create([row for row, _ in added])
    for row, created_at in added:
        row.created_at = created_at  # storing it has put today in its place
    ControlIntent.objects.bulk_update([row for row, _ in added], ["created_at"])
    ControlIntent.objects.bulk_update(ended, ["outcome", "message", "settled_at", "external_id", "run", "step"])
    return len(added) + len(ended)


def _mark(intent: ControlIntent) -> tuple[object, ...]:
    """Two presses differ in one of these."""
    return intent.created_at, intent.kind, intent.user_name, intent.test_name
