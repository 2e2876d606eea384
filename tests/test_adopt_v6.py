"""An account of k6 v6 takes over the history of one of the legacy API: each run once, nothing people did lost."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from dashboard.models import SeenRun
from runs.choices import IntentKind, IntentOutcome, RunResult, RunStatus
from runs.models import (
    Account,
    ControlIntent,
    DayResult,
    FreezeWindow,
    LoadTest,
    Person,
    Run,
    RunError,
    RunPayload,
    RunSeries,
    RunThreshold,
    Schedule,
    StatusEvent,
    SyncState,
    Target,
)
from runs.services.base import RemoteDetails, RemoteError, RemoteRun, RemoteTest, RemoteThreshold
from runs.sync import mirror
from runs.sync.details import save_details
from runs.sync.lease import claim
from tests.rows import NOW, make_account, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def old():
    return make_account("Old k6")


@pytest.fixture
def new():
    return make_account("New k6", provider="k6")


def has(account, *ids, test="31", **fields):
    """The account's runs of these ids, as its own sync stores them."""
    legacy = account.provider == "k6-legacy"
    mirror.save_tests(account, [RemoteTest(external_id=test, name=f"Test {test}", project="Shop")])
    told = {"requested_by_id": "703", "requested_by": "Mara Lind"} if legacy else {"requested_by": "mara@shop.example"}
    remotes = [
        RemoteRun(
            external_id=str(number), test_external_id=test, created_at=NOW + timedelta(minutes=number),
            **{
                "status": RunStatus.FINISHED, "result": RunResult.PASSED, "payload": {"by": account.provider},
                "provider_status": "FINISHED" if legacy else "completed", **told, **fields,
            },
        )
        for number in ids
    ]  # fmt: skip
    return mirror.save_runs(account, remotes, timezone.now())


def read(run, *names, **fields):
    """The run's details, with an error and a threshold of each name."""
    details = RemoteDetails(
        result=RunResult.FAILED,
        errors=[RemoteError(type="HTTP", subtype=name, occurrences=3, message=name) for name in names],
        thresholds=[RemoteThreshold(metric=name, condition="count<1", broken=True) for name in names],
        **fields,
    )
    save_details(run, details, timezone.now())


def adopt(*options):
    call_command("adopt_v6", "old-k6", "New k6", *options)


def dump():
    """Everything that could change, as it stands."""
    models = (Account, LoadTest, Run, RunPayload, RunError, RunThreshold, StatusEvent, ControlIntent, Person, DayResult)
    return {model: list(model.objects.order_by("pk").values()) for model in (*models, SeenRun, Schedule, FreezeWindow)}


def said(capsys):
    return capsys.readouterr().out.splitlines()[0]


def test_runs_that_only_the_old_account_has_move_over_with_all_below_them(old, new, capsys):
    [moved] = has(old, 1)
    Run.objects.update(has_archive=True)
    read(moved, "500", "404")
    has(new, 2)
    adopt()
    assert said(capsys).startswith("Done: runs moved 1, runs joined 0, tests moved 0, tests joined 1, people 1")
    run = Run.objects.get(external_id="1")
    assert (run.account, run.load_test.account, run.pk) == (new, new, moved.pk)
    assert (run.runerrors.count(), run.runthresholds.count(), run.payload.payload) == (2, 2, {"by": "k6-legacy"})
    assert (run.requested_by.account, run.requested_by.display) == (new, "Mara Lind")
    assert run.has_archive is False
    assert not old.runs.exists()
    assert not old.load_tests.exists()


def test_the_old_account_is_disabled_and_kept(old, new):
    has(old, 1)
    adopt()
    old.refresh_from_db()
    assert (old.enabled, Account.objects.count()) == (False, 2)
    assert set(SyncState.objects.values_list("lease_until", flat=True)) == {None}
    assert SyncState.objects.get(account=new).due_at <= timezone.now()


def test_tests_are_matched_by_their_id_and_others_move(old, new):
    has(old, 1)
    has(old, 2, test="32")
    has(new, 3)
    target = Target.objects.create(name="Shop")
    LoadTest.objects.filter(account=old).update(target=target)
    kept = LoadTest.objects.get(account=old, external_id="31").pk
    twin = LoadTest.objects.get(account=new)
    LoadTest.objects.filter(pk=twin.pk).update(name="Checkout", own_thresholds={"p95_ms": 5})
    Schedule.objects.create(load_test=twin, external_id="7", active=True, synced_at=NOW)
    adopt()
    tests = {test.external_id: test for test in LoadTest.objects.all()}
    assert {key: test.account for key, test in tests.items()} == {"31": new, "32": new}
    assert (tests["31"].pk, tests["31"].name, tests["31"].target) == (kept, "Checkout", target)
    assert tests["31"].own_thresholds == {"p95_ms": 5}
    assert [schedule.external_id for schedule in tests["31"].schedules.all()] == ["7"]
    assert tests["31"].runs.count() == 2
    assert tests["31"].last_run_at == NOW + timedelta(minutes=3)


def test_a_run_that_both_have_becomes_one_in_the_row_people_have_had_longer(old, new, capsys):
    [mine] = has(old, 1)
    has(new, 1, note="said by v6", starred=True)
    adopt()
    assert said(capsys).startswith("Done: runs moved 0, runs joined 1, tests moved 0, tests joined 1")
    run = Run.objects.get()
    assert (run.pk, run.account) == (mine.pk, new)
    assert (run.note, run.starred, run.provider_status) == ("said by v6", True, "completed")
    assert run.payload.payload == {"by": "k6"}
    assert run.requested_by.display == "mara@shop.example"


def test_of_two_details_the_richer_ones_stay_and_what_was_read_is_not_read_again(old, new):
    [rich, poor, _, late] = has(old, 1, 2, 3, 4)
    read(rich, "500", "404")
    read(poor, "500")
    read(late, "500")
    RunSeries.objects.create(run=rich, name="vus", label="VUs", points=[[0, 1]])
    theirs = {run.external_id: run for run in has(new, 1, 2, 3, 4)}
    for external_id in ("1", "2", "3"):
        read(theirs[external_id], "503", *(["502"] if external_id == "2" else []))
    adopt()
    errors = {run.external_id: {error.subtype for error in run.runerrors.all()} for run in Run.objects.all()}
    assert errors == {"1": {"500", "404"}, "2": {"503", "502"}, "3": {"503"}, "4": {"500"}}
    assert {run.external_id: run.error_count for run in Run.objects.all()} == {"1": 6, "2": 6, "3": 3, "4": 3}
    assert not Run.objects.filter(details_at=None).exists()
    assert Run.objects.get(external_id="1").series.get().name == "vus"
    assert {run.result for run in Run.objects.all()} == {RunResult.FAILED}


def test_details_of_a_run_that_has_ended_since_are_read_anew(old, new):
    [live] = has(old, 1, status=RunStatus.RUNNING, result=RunResult.NONE)
    read(live, "500", "404")
    has(new, 1)
    adopt()
    run = Run.objects.get()
    assert (run.status, run.details_at, run.result) == (RunStatus.FINISHED, None, RunResult.PASSED)


def test_what_people_did_here_is_kept(old, new):
    maya, ida = make_user("operator", "maya"), make_user("viewer", "ida")
    ours = Person.objects.create(key=str(maya.pk), name="maya", display="maya", user=maya)
    [started, seen] = has(old, 1, 2)
    has(new, 1, 2)
    twin = Run.objects.get(account=new, external_id="2")
    Run.objects.filter(pk=started.pk).update(requested_by=ours, provider_requested_by=started.requested_by)
    Run.objects.filter(pk=twin.pk).update(stop_requested_at=NOW, stop_requested_by="ida")
    start = intent(old, started, maya, kind=IntentKind.START)
    stop = intent(new, twin, ida, kind=IntentKind.STOP)
    refused = intent(old, None, maya, kind=IntentKind.START, outcome=IntentOutcome.REFUSED, load_test=seen.load_test)
    for user, run in ((maya, seen), (maya, twin), (ida, twin)):
        SeenRun.objects.create(user=user, run=run)
    FreezeWindow.objects.create(name="Sale", account=old, starts_at=NOW, ends_at=NOW + timedelta(hours=1))
    adopt()
    first, second = Run.objects.order_by("external_id")
    assert first.requested_by == ours
    assert first.provider_requested_by.display == "mara@shop.example"
    assert (second.stop_requested_at, second.stop_requested_by) == (NOW, "ida")
    assert sorted(SeenRun.objects.values_list("user__username", "run")) == [("ida", second.pk), ("maya", second.pk)]
    for one, run in ((start, first), (stop, second), (refused, None)):
        one.refresh_from_db()
        assert (one.account, one.run, one.load_test.account) == (new, run, new)
    assert FreezeWindow.objects.get().account == new


def intent(account, run, user, **fields):
    fields = {"load_test": run.load_test if run else None, "outcome": IntentOutcome.DONE, **fields}
    return ControlIntent.objects.create(
        account=account, run=run, user=user, user_name=user.username, external_id=run.external_id if run else "",
        sent_at=NOW, settled_at=NOW, **fields,
    )  # fmt: skip


def test_a_requester_who_is_known_by_the_runs_that_both_have_is_one_person_from_now_on(old, new):
    has(old, 1, 2, 3)
    has(old, 4, requested_by_id="704", requested_by="")
    Person.objects.filter(key="703").update(given_name="Mara", display="Mara")
    has(new, 1, 2)
    adopt()
    assert {run.external_id: run.requested_by.display for run in Run.objects.all()} == dict.fromkeys("123", "Mara") | {
        "4": "user 704"
    }
    assert sorted(Person.objects.values_list("key", "account")) == [("704", new.pk), ("mara@shop.example", new.pk)]


def test_requesters_on_whom_those_runs_do_not_agree_stay_two(old, new):
    has(old, 1, 2, 3)
    has(new, 1)
    has(new, 2, requested_by="ida@shop.example")
    adopt()
    assert Run.objects.get(external_id="3").requested_by.display == "Mara Lind"


def test_days_count_each_run_once_afterwards(old, new):
    has(old, 1, 2, 3)
    has(new, 2, 3, 4, result=RunResult.FAILED)
    adopt()
    day = DayResult.objects.get()
    assert (day.load_test.account, day.runs, day.passed, day.failed) == (new, 4, 1, 3)


def test_the_sync_that_follows_finds_everything_in_place(old, new):
    has(old, 1, 2)
    has(new, 2)
    adopt()
    before = {run.external_id: run.pk for run in Run.objects.all()}
    has(new, 1, 2)
    assert {run.external_id: run.pk for run in Run.objects.all()} == before
    assert LoadTest.objects.count() == 1


def test_a_second_time_changes_nothing(old, new, capsys):
    has(old, 1, 2)
    has(new, 2, 3)
    adopt()
    before = dump()
    capsys.readouterr()
    adopt()
    assert dump() == before
    assert said(capsys).startswith("Done: runs moved 0, runs joined 0, tests moved 0, tests joined 0, people 0")


def test_one_that_was_interrupted_is_finished_by_the_next(old, new, monkeypatch):
    has(old, *range(1, 8))
    has(old, 20, test="32")
    has(new, *range(4, 12))
    monkeypatch.setattr("runs.adoption.BATCH", 2)
    real, left = mirror.refresh_days, [3]

    def falls(runs):
        left[0] -= 1
        if not left[0]:
            raise RuntimeError("the machine went down")
        real(runs)

    monkeypatch.setattr("runs.adoption.refresh_days", falls)
    with pytest.raises(RuntimeError):
        adopt()
    adopt()
    assert sorted(Run.objects.values_list("external_id", flat=True), key=int) == [*map(str, range(1, 12)), "20"]
    assert {run.account for run in Run.objects.all()} == {run.load_test.account for run in Run.objects.all()} == {new}
    assert sum(DayResult.objects.values_list("runs", flat=True)) == 12


def test_a_dry_run_says_the_same_and_changes_nothing(old, new, capsys):
    has(old, 1, 2)
    has(new, 2, 3)
    before = dump()
    adopt("--dry-run")
    assert said(capsys) == (
        "Would be done: runs moved 1, runs joined 1, tests moved 0, tests joined 1, people 1, starts and stops 0, "
        "freeze windows 0."
    )
    assert dump() == before


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("New k6", "Old k6"), "cannot take over"),
        (("Old k6", "Old k6"), "cannot take over"),
        (("Old k6", "VSTS"), "cannot take over"),
        (("Old k6", "Nowhere"), "There is no account “Nowhere”"),
    ],
)
def test_only_accounts_that_show_the_same_runs_are_joined(old, new, names, reason):
    make_account("VSTS", provider="vsts")
    with pytest.raises(CommandError, match=reason):
        call_command("adopt_v6", *names)
    assert Account.objects.filter(enabled=True).count() == 3


def test_nothing_begins_while_a_start_or_a_stop_is_open(old, new):
    [run] = has(old, 1)
    intent(old, run, make_user("operator"), kind=IntentKind.STOP, outcome=IntentOutcome.SENT)
    with pytest.raises(CommandError, match="1 starts or stops on Old k6 are not settled yet"):
        adopt()
    old.refresh_from_db()
    assert old.enabled


def test_a_worker_that_is_at_work_on_one_of_them_is_waited_for(old, new, monkeypatch):
    has(old, 1)
    claim(new, "a worker", timezone.now())
    monkeypatch.setattr("runs.management.commands.adopt_v6.WAIT_FOR_LEASE_S", -1)
    with pytest.raises(CommandError, match="New k6 is being synced by a worker"):
        adopt()
    assert old.runs.count() == 1
    SyncState.objects.filter(account=new).update(lease_until=None)
    adopt()
    assert new.runs.count() == 1
