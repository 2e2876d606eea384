"""Records -> rows, a page at a time, each page in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, Count, Model, Q
from django.db.models.functions import TruncDate

from runs.choices import ENDED, LIVE, IntentKind, RunResult, RunStatus, StopReason
from runs.models import Account, DayResult, LoadTest, Person, Run, RunPayload, StatusEvent
from runs.services.base import RemoteRun, RemoteTest

Row = TypeVar("Row", bound=Model)
LONGEST_KEY = 300  # of a person, who is found by it again
# Columns a list may overwrite. All others belong to the details or to what people did here.
MIRRORED = (
    "load_test", "name", "number", "status", "result", "judged_result", "stop_reason", "provider_status",
    "provider_substatus", "provider_result", "results_incomplete", "requested_by", "provider_requested_by",
    "stopped_by", "created_at", "queued_at", "started_at", "load_started_at", "load_ended_at", "ended_at",
    "duration_s", "planned_duration_s", "virtual_users", "note", "web_url", "error_code", "error_message",
    "start_values", "synced_at", "details_at", "gone_at", "starred", "cost_vuh",
)  # fmt: skip
COPIED = (
    "name", "number", "stop_reason", "provider_status", "provider_substatus", "provider_result", "results_incomplete",
    "created_at", "queued_at", "started_at", "load_started_at", "load_ended_at", "ended_at", "duration_s",
    "planned_duration_s", "virtual_users", "note", "web_url", "error_code", "error_message", "starred", "cost_vuh",
)  # fmt: skip
# How far a run is; it only ever goes on. An unknown status tells nothing.
_PROGRESS = {RunStatus.UNKNOWN: -1, **{status: at for at, status in enumerate(LIVE)}, **dict.fromkeys(ENDED, len(LIVE))}
# A change in one of these means that what was read below the run may be out of date.
TELLING = ("status", "provider_status", "provider_substatus", "provider_result", "ended_at", "results_incomplete")


def save_tests(account: Account, tests: Iterable[RemoteTest]) -> None:
    """Store load tests by their external id; an empty name keeps the one we have."""
    found = {test.external_id: test for test in tests}
    with transaction.atomic():
        hold(account)
        names = dict(account.load_tests.filter(external_id__in=found).values_list("external_id", "name"))
        LoadTest.objects.bulk_create(
            [
                fitted(
                    LoadTest(
                        account=account, external_id=key, project=test.project,
                        name=test.name or names.get(key) or f"test {key}",
                    )
                )
                for key, test in found.items()
            ],
            update_conflicts=True, unique_fields=("account", "external_id"), update_fields=("name", "project"),
        )  # fmt: skip


def hold(account: Account) -> None:
    """Let no other transaction write runs or settle intents of this account until ours ends.

    SQLite, which has one writer anyway, ignores it.
    """
    list(Account.objects.select_for_update(no_key=True).filter(pk=account.pk).values_list("pk"))


def fitted(row: Row) -> Row:
    """The same row, with texts cut to their columns: a provider may say more than PostgreSQL would take."""
    for field in row._meta.concrete_fields:
        if isinstance(field, CharField) and field.max_length and len(getattr(row, field.attname)) > field.max_length:
            setattr(row, field.attname, getattr(row, field.attname)[: field.max_length - 1] + "…")
    return row


def save_runs(
    account: Account, remotes: Sequence[RemoteRun], now: datetime, asked_at: datetime | None = None
) -> list[Run]:
    """Upsert a page of runs with all that depends on them: tests, people, payloads, status events, day results.

    `asked_at`: when the provider was asked. A run that somebody has stored since then, further on in its life, is left
    as it is: an answer that was under way for long must not bring an ended run back to life.
    """
    page = {remote.external_id: remote for remote in remotes}
    if not page:
        return []
    with transaction.atomic():
        hold(account)
        held = Run.objects.filter(account=account, external_id__in=page).select_related("requested_by")
        known = {run.external_id: run for run in held}
        overtaken = [run for key, run in known.items() if asked_at and _is_overtaken(page[key], run, asked_at)]
        for run in overtaken:
            del page[run.external_id]
        tests = _tests_for(account, page.values())
        people = _people_for(account, page.values())
        rows = [_row(account, remote, known.get(remote.external_id), tests, people, now) for remote in page.values()]
        saved = Run.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=("account", "external_id"), update_fields=MIRRORED
        )
        _save_payloads(saved, page)
        _save_events(saved, known, now)
        _name_started(account, page)
        _touch_tests(saved, page)
        changed = [run for run in saved if _counted_as(run) != _counted_as(known.get(run.external_id))]
        refresh_days(changed + [known[run.external_id] for run in changed if run.external_id in known])
    return [*saved, *overtaken]


def _is_overtaken(remote: RemoteRun, run: Run, asked_at: datetime) -> bool:
    return run.synced_at > asked_at and progress_of(remote.status) < progress_of(run.status)


def progress_of(status: str) -> int:
    """How far in its life a run of this status is: higher is later."""
    return _PROGRESS[RunStatus(status)]


def _counted_as(run: Run | None) -> tuple | None:
    """What a day's results know of a run."""
    return run and (run.load_test_id, run.created_at, run.status in LIVE, run.result)


def _row(
    account: Account, remote: RemoteRun, old: Run | None, tests: dict[str, LoadTest], people: dict[str, Person],
    now: datetime,
) -> Run:  # fmt: skip
    row = Run(account=account, external_id=remote.external_id, load_test=tests[remote.test_external_id], synced_at=now)
    for name in COPIED:
        setattr(row, name, getattr(remote, name))
    row.status, row.result = remote.status, remote.result
    row.requested_by = people.get((remote.requested_by_id or remote.requested_by)[:LONGEST_KEY])
    row.stopped_by = people.get((remote.stopped_by_id or remote.stopped_by)[:LONGEST_KEY])
    row.start_values = dict(remote.start_values) or (old.start_values if old else {})
    fitted(row)
    if old is None:
        return row
    if remote.end_unexplained and old.stop_requested_at and row.status in ENDED:
        row.status, row.stop_reason = RunStatus.ABORTED, StopReason.USER
    started_here = old.requested_by is not None and old.requested_by.account_id is None
    if started_here:  # whatever the provider says, or does not say, of who asked for it
        row.provider_requested_by, row.requested_by_id = row.requested_by, old.requested_by_id
    if old.status in LIVE and row.status in LIVE:
        row.details_at = old.details_at
    elif old.status in ENDED and all(getattr(old, name) == getattr(row, name) for name in TELLING):
        row.details_at, row.judged_result = old.details_at, old.judged_result
        row.result = old.judged_result or remote.result
    return row


def _tests_for(account: Account, remotes: Iterable[RemoteRun]) -> dict[str, LoadTest]:
    wanted = {remote.test_external_id: remote.test_name for remote in remotes}
    tests = {test.external_id: test for test in account.load_tests.filter(external_id__in=wanted)}
    for external_id, name in wanted.items():
        if external_id not in tests:
            test = LoadTest(account=account, external_id=external_id, name=name or f"test {external_id}")
            fitted(test).save(force_insert=True)
            tests[external_id] = test
    return tests


def _people_for(account: Account, remotes: Iterable[RemoteRun]) -> dict[str, Person]:
    """Requesters and stoppers by their key (the provider's id, else the name), made or renamed where needed."""
    names: dict[str, str] = {}
    for remote in remotes:
        for key, name in ((remote.requested_by_id, remote.requested_by), (remote.stopped_by_id, remote.stopped_by)):
            if key or name:
                names[(key or name)[:LONGEST_KEY]] = name or names.get(key, "")
    people = {person.key: person for person in Person.objects.filter(account=account, key__in=names)}
    for key, name in names.items():
        person = people.get(key)
        if person is None:
            person = people[key] = Person(account=account, key=key)
        elif not name or person.name == name:
            continue
        person.name = name or person.name
        person.display = person.display_name()
        fitted(person).save()
    return people


def _save_payloads(saved: Sequence[Run], page: dict[str, RemoteRun]) -> None:
    RunPayload.objects.bulk_create(
        [RunPayload(run=run, payload=page[run.external_id].payload) for run in saved if page[run.external_id].payload],
        update_conflicts=True, unique_fields=("run",), update_fields=("payload",),
    )  # fmt: skip


def _save_events(saved: Sequence[Run], known: dict[str, Run], now: datetime) -> None:
    """Note what changed before our eyes; the past of a run first seen when it had ended is the provider's to tell."""
    events = []
    for run in saved:
        old = known.get(run.external_id)
        if (old is None and run.status in LIVE) or (old is not None and old.status != run.status):
            events.append(StatusEvent(run=run, status=run.status, provider_status=run.provider_status, seen_at=now))
    StatusEvent.objects.bulk_create(events)


def _name_started(account: Account, page: dict[str, RemoteRun]) -> None:
    """A run that carries the token of one of our button presses is what that press started, beyond doubt."""
    for remote in page.values():
        try:
            token = UUID(remote.start_token)
        except ValueError:
            continue  # none, or somebody else's word
        account.intents.filter(token=token, kind=IntentKind.START, external_id="").update(
            external_id=remote.external_id
        )


def _touch_tests(saved: Sequence[Run], page: dict[str, RemoteRun]) -> None:
    newest: dict[int, Run] = {}
    for run in saved:
        if run.load_test_id not in newest or run.created_at > newest[run.load_test_id].created_at:
            newest[run.load_test_id] = run
    for run in newest.values():
        test, remote = run.load_test, page[run.external_id]
        if test.last_run_at is None or run.created_at >= test.last_run_at:
            test.last_run_at = run.created_at
            test.name = remote.test_name or test.name
            fitted(test)
            test.start_values = run.start_values or test.start_values
            test.save(update_fields=["last_run_at", "name", "start_values"])


def refresh_days(runs: Iterable[Run]) -> None:
    """Count the days of these runs anew. Call it in the transaction that changed them."""
    pairs = {(run.load_test_id, run.created_at.astimezone(UTC).date()) for run in runs}
    if not pairs:
        return
    days = [day for _, day in pairs]
    counted = (
        Run.objects.filter(
            load_test__in={test for test, _ in pairs},
            created_at__gte=_midnight(min(days)),
            created_at__lt=_midnight(max(days) + timedelta(days=1)),
        )
        .annotate(day=TruncDate("created_at", tzinfo=UTC))
        .values("load_test", "day")
        .annotate(
            runs=Count("pk"),
            live=Count("pk", filter=Q(status__in=LIVE)),
            **{result: Count("pk", filter=~Q(status__in=LIVE) & Q(result=result)) for result in RunResult.values},
        )
    )
    found = {(row.pop("load_test"), row.pop("day")): row for row in counted}
    rows = [DayResult(load_test_id=test, day=day, **found.get((test, day), {})) for test, day in pairs]
    DayResult.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=("load_test", "day"),
        update_fields=("runs", "live", *RunResult.values),
    )  # fmt: skip


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
