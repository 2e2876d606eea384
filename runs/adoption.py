"""One account takes over another's history, where both show the same runs under the same ids: two APIs of a provider.

What the new account does not have moves over with all that hangs below it. A run that both have becomes one: in the row
people have had longer, with what the provider now says, what people did here, and the richer of the two details.
Interrupted anywhere it can be run again, and run twice it does nothing the second time.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet

from runs.models import (
    Account,
    ControlIntent,
    FreezeWindow,
    LoadTest,
    Person,
    Run,
    RunError,
    RunFile,
    RunMessage,
    RunMetric,
    RunPayload,
    RunSeries,
    RunThreshold,
    Schedule,
    StatusEvent,
)
from runs.services import SERVICES
from runs.services.base import Capability
from runs.sync.lease import Lease
from runs.sync.mirror import COPIED, hold, refresh_days

Item = TypeVar("Item")
BATCH = 100
DETAILS = (RunError, RunMessage, RunThreshold, RunMetric, RunSeries, RunFile)
KEY_NUMBERS = ("p95_ms", "error_rate", "error_count", "details_at", "details_error", "judged_result", "result")
# What the provider says of a run; who asked for it, and whether people here did, is settled apart.
SAID = (*COPIED, "status", "stopped_by_id", "start_values", "synced_at", "gone_at", "has_archive")
WRITTEN = (
    *dict.fromkeys((*SAID, *KEY_NUMBERS)), "requested_by_id", "provider_requested_by_id", "stop_requested_at",
    "stop_requested_by", "account_id", "load_test_id",
)  # fmt: skip


class CannotAdopt(Exception):
    """A sentence saying why, and what to do."""


def check(old: Account, new: Account) -> None:
    """CannotAdopt unless `new` shows the runs of `old` under the same ids, and nothing is under way on `old`."""
    service = SERVICES.get(new.provider)
    if old.pk == new.pk or service is None or old.provider not in service.takes_over or old.archive or new.archive:
        raise CannotAdopt(
            f"{new.name} cannot take over {old.name}: name an account of a provider's older API first, then one of its "
            "present API."
        )
    if count := old.intents.unsettled().count():
        raise CannotAdopt(
            f"{count} starts or stops on {old.name} are not settled yet. Wait until they are (a minute at most while a "
            "worker runs), then try again."
        )


def what_would_happen(old: Account, new: Account) -> Counter[str]:
    """What `adopt` would count now."""
    check(old, new)
    both = _twins(old.runs.all(), new).count()
    same = old.load_tests.filter(external_id__in=new.load_tests.values("external_id")).count()
    return Counter(
        {
            "runs moved": old.runs.count() - both, "runs joined": both, "tests moved": old.load_tests.count() - same,
            "tests joined": same, "people": old.people.count(), "starts and stops": old.intents.count(),
            "freeze windows": old.freeze_windows.count(),
        }
    )  # fmt: skip


def adopt(old: Account, new: Account, leases: Iterable[Lease], report: Callable[[str], None]) -> Counter[str]:
    """Carry it out in batches, holding the leases of both accounts; returns what was done, by what it is called."""

    def fence() -> None:
        for lease in leases:
            lease.write(phase="adopt")

    with transaction.atomic():
        hold(old)  # a start decides under the same lock whether the account is enabled
        check(old, new)
        Account.objects.filter(pk=old.pk).update(enabled=False)
    done: Counter[str] = Counter()
    same_people = _same_people(old, new)
    for pks in _batches(list(_twins(old.runs.all(), new).values_list("pk", flat=True)), BATCH):
        with transaction.atomic():
            hold(new)
            done["runs joined"] += _join_runs(pks, new)
            fence()
        report(f"{done['runs joined']:,} runs joined")
    for test in old.load_tests.order_by("pk"):
        with transaction.atomic():
            hold(new)
            _take_test(test, new, done)
            fence()
        report(f"{done['runs moved']:,} runs moved")
    with transaction.atomic():
        hold(new)
        done["starts and stops"] = ControlIntent.objects.filter(account=old).update(account=new)
        done["freeze windows"] = FreezeWindow.objects.filter(account=old).update(account=new)
        done["people"] = _take_people(old, new, same_people)
        fence()
    return +done


def _twins(runs: QuerySet[Run], new: Account) -> QuerySet[Run]:
    """Those of these runs that the new account has as well."""
    return runs.filter(external_id__in=new.runs.values("external_id")).order_by("pk")


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


# -- runs that both have -----------------------------------------------------------------------------------------------


def _join_runs(pks: Iterable[int], new: Account) -> int:
    olds = list(Run.objects.filter(pk__in=pks).select_related("requested_by"))
    theirs = new.runs.filter(external_id__in=[run.external_id for run in olds]).select_related("requested_by")
    pairs = {run.external_id: run for run in theirs}
    rows = _detail_rows([*olds, *pairs.values()])
    for old in olds:
        _join(old, pairs[old.external_id], rows)
    refresh_days(olds)
    return len(olds)


def _join(old: Run, twin: Run, rows: Counter[int]) -> None:
    """`old` becomes the run of the new account, and `twin` goes."""
    outdated = old.status != twin.status or not old.details_at
    if outdated or (twin.details_at and rows[twin.pk] >= rows[old.pk]):
        for model in DETAILS:
            model.objects.filter(run=old).delete()
            model.objects.filter(run=twin).update(run=old)
        numbers = twin
    else:
        numbers = old
    if RunPayload.objects.filter(run=twin).exists():
        RunPayload.objects.filter(run=old).delete()
        RunPayload.objects.filter(run=twin).update(run=old)
    seen = StatusEvent.objects.filter(run=old).values("status")
    StatusEvent.objects.filter(run=twin).exclude(status__in=list(seen.values_list("status", flat=True))).update(run=old)
    ControlIntent.objects.filter(Q(run=twin) | Q(run=old)).update(
        run=old, account=twin.account_id, load_test=twin.load_test_id
    )
    _take_the_rest(twin, old)
    requesters = _requesters(old, twin)
    result, account, test = twin.result, twin.account_id, twin.load_test_id
    twin.delete()
    for name in (*SAID, *KEY_NUMBERS):
        setattr(old, name, getattr(twin, name) if name in SAID else getattr(numbers, name))
    old.result = old.judged_result or result
    old.requested_by_id, old.provider_requested_by_id = requesters
    old.stop_requested_at = old.stop_requested_at or twin.stop_requested_at
    old.stop_requested_by = old.stop_requested_by or twin.stop_requested_by
    old.account_id, old.load_test_id = account, test
    old.save(update_fields=[_field(name) for name in WRITTEN])


def _field(column: str) -> str:
    return Run._meta.get_field(column).name


def _requesters(old: Run, twin: Run) -> tuple[int | None, int | None]:
    """Our own person where the run was started here, and the provider's as the new account tells it."""
    told = twin.provider_requested_by_id or (None if _is_ours(twin) else twin.requested_by_id)
    told = told or old.provider_requested_by_id or (None if _is_ours(old) else old.requested_by_id)
    ours = next((run.requested_by_id for run in (old, twin) if _is_ours(run)), None)
    return (ours, told) if ours else (told, None)


def _is_ours(run: Run) -> bool:
    return run.requested_by is not None and run.requested_by.account_id is None


def _detail_rows(runs: list[Run]) -> Counter[int]:
    """How many rows hang below each run."""
    found: Counter[int] = Counter()
    for model in DETAILS:
        counted = model.objects.filter(run__in=runs).values_list("run").annotate(Count("pk"))
        found.update(dict(counted.order_by()))
    return found


def _take_the_rest(twin: Run, old: Run) -> None:
    """Whatever else refers to a run, such as who has seen it; what there is of `old` already, stays behind."""
    known = {*DETAILS, RunPayload, StatusEvent, ControlIntent}
    for relation in Run._meta.get_fields(include_hidden=True):
        if not relation.auto_created or relation.concrete or relation.related_model in known:
            continue
        name = relation.field.name
        for row in relation.related_model._base_manager.filter(**{name: twin}):
            try:
                with transaction.atomic():
                    relation.related_model._base_manager.filter(pk=row.pk).update(**{name: old})
            except IntegrityError:
                continue


# -- tests, and the runs only the old account has ----------------------------------------------------------------------


def _take_test(test: LoadTest, new: Account, done: Counter[str]) -> None:
    """The test and what is left of its runs; the new account's test of the same id becomes one with it."""
    twin = new.load_tests.filter(external_id=test.external_id).first()
    if twin is not None:
        _join_tests(test, twin)
    done["tests moved" if twin is None else "tests joined"] += 1
    left = Run.objects.filter(load_test=test).exclude(account=new)
    archive = Capability.ARCHIVE in SERVICES[new.provider].capabilities
    done["runs moved"] += left.update(account=new, **({} if archive else {"has_archive": False}))
    test.account = new
    test.save(update_fields=["account", "name", "project", "last_run_at", "start_values", "target", "own_thresholds"])
    test.days.all().delete()
    for runs in _batches(test.runs.only("load_test_id", "created_at").iterator(), 5000):
        refresh_days(runs)


def _join_tests(test: LoadTest, twin: LoadTest) -> None:
    Run.objects.filter(load_test=twin).update(load_test=test)
    ControlIntent.objects.filter(load_test=twin).update(load_test=test)
    known = list(test.schedules.values_list("external_id", flat=True))
    Schedule.objects.filter(load_test=twin).exclude(external_id__in=known).update(load_test=test)
    newer = twin.last_run_at and (not test.last_run_at or twin.last_run_at >= test.last_run_at)
    test.name, test.project = twin.name or test.name, twin.project or test.project
    test.last_run_at = twin.last_run_at if newer else test.last_run_at
    test.start_values = (newer and twin.start_values) or test.start_values
    test.target_id = test.target_id or twin.target_id
    test.own_thresholds = test.own_thresholds or twin.own_thresholds
    twin.delete()


# -- people ------------------------------------------------------------------------------------------------------------


def _same_people(old: Account, new: Account) -> dict[int, int]:
    """Requesters of the old account and who they are in the new one, where all runs that both have agree on it."""
    seen: dict[int, set[int]] = defaultdict(set)
    theirs = dict(new.runs.values_list("external_id", "pk"))
    columns = ("external_id", "requested_by", "requested_by__account", "provider_requested_by")
    told = {row[0]: _told(row) for row in new.runs.values_list(*columns).iterator()}
    for row in _twins(old.runs.all(), new).values_list(*columns).iterator():
        if row[0] in theirs and (mine := _told(row)) and (other := told[row[0]]):
            seen[mine].add(other)
    return {mine: others.pop() for mine, others in seen.items() if len(others) == 1}


def _told(row: tuple) -> int | None:
    """The requester as the provider tells it, out of the columns of `_same_people`."""
    _, requested_by, account, by_provider = row
    return by_provider or (requested_by if account is not None else None)


def _take_people(old: Account, new: Account, same: dict[int, int]) -> int:
    """Each requester of the old account becomes the one it is in the new account, or moves there."""
    by_key = dict(new.people.values_list("key", "pk"))
    people = list(old.people.all())
    for person in people:
        other = Person.objects.filter(pk=by_key.get(person.key) or same.get(person.pk), account=new).first()
        if other is None:
            Person.objects.filter(pk=person.pk).update(account=new)
            continue
        if person.given_name and not other.given_name:
            other.given_name = person.given_name
            other.display = other.display_name()
            other.save(update_fields=["given_name", "display"])
        for column in ("requested_by", "provider_requested_by", "stopped_by"):
            Run.objects.filter(**{column: person}).update(**{column: other})
        person.delete()
    return len(people)
