"""A provider that knows its last run only and judges nothing: what we saw is kept, and the verdict is ours."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs.choices import RunResult, RunStatus, StopReason
from runs.models import DayResult, Run
from runs.services.base import Capability, RemoteDetails, RemoteMetric, RemoteSeries
from runs.sync import sync_account
from runs.sync.details import read_details
from tests.fake_service import remote

WHOLE = {"count": 100, "failed": 2, "p95_ms": 300.0, "error_rate": 0.02, "rate_per_s": 10.0}


@pytest.fixture
def account(fake_account, fake, monkeypatch):
    monkeypatch.setattr(type(fake), "keeps_history", False)
    monkeypatch.setattr(type(fake), "capabilities", frozenset({Capability.START, Capability.OWN_THRESHOLDS}))
    return fake_account


def shows(fake, status=RunStatus.RUNNING, points=((5.0, 1.0),), external_id="1", **numbers):
    now = timezone.now()
    fake.runs.clear()
    fake.has(
        remote(
            external_id, status=status, result=RunResult.NONE, created_at=now - timedelta(minutes=1),
            load_started_at=now - timedelta(minutes=1), end_unexplained=status == RunStatus.FINISHED,
        )
    )  # fmt: skip
    fake.details[external_id] = RemoteDetails(
        metrics=[RemoteMetric(kind="run", name="", numbers={**WHOLE, **numbers})],
        series=[RemoteSeries(name="vus", label="Users", unit="", points=points, added=True)],
    )


def synced(account) -> Run:
    Run.objects.update(details_at=None)
    assert sync_account(account).error == ""
    return Run.objects.select_related("load_test").order_by("pk").last()


def limit(run: Run, **limits: float) -> None:
    run.load_test.own_thresholds = limits
    run.load_test.save()


def points(run):
    return run.series.get(name="vus").points


def test_points_join_those_we_hold_each_second_once(account, fake):
    shows(fake, points=[(0, 1.0), (5, 2.0)])
    assert points(synced(account)) == [[0.0, 1.0], [5.0, 2.0]]
    shows(fake, points=[(5, 2.5), (10.0, 3.0)])
    run = synced(account)
    assert points(run) == [[0.0, 1.0], [5.0, 2.5], [10.0, 3.0]]
    assert points(synced(account)) == points(run)
    shows(fake, points=[])
    assert points(synced(account)) == points(run)


def test_a_live_run_that_breaks_a_threshold_is_failing_and_then_failed(account, fake):
    shows(fake)
    limit(synced(account), p95_ms=200, rate_per_s=50)
    run = synced(account)
    assert (run.result, Run.objects.with_failing().get().failing) == (RunResult.NONE, True)
    assert {row.condition: row.broken for row in run.runthresholds.all()} == {"p(95)<=200": True, "rate>=50": None}
    shows(fake, status=RunStatus.FINISHED)
    run = synced(account)
    assert (run.status, run.result) == (RunStatus.FINISHED, RunResult.FAILED)
    assert [row.broken for row in run.runthresholds.all()] == [True, True]


def test_a_run_that_held_them_all_has_passed_and_one_without_any_has_no_verdict(account, fake):
    shows(fake, status=RunStatus.FINISHED)
    run = synced(account)
    assert run.result == RunResult.NONE
    limit(run, p95_ms=300)
    assert synced(account).result == RunResult.PASSED
    assert DayResult.objects.get().passed == 1


def test_an_end_nobody_explains_was_our_stop_where_we_asked_for_one(account, fake):
    shows(fake)
    run = synced(account)
    Run.objects.update(stop_requested_at=timezone.now())
    limit(run, p95_ms=300)
    shows(fake, status=RunStatus.FINISHED)
    run = synced(account)
    assert (run.status, run.stop_reason, run.result) == (RunStatus.ABORTED, StopReason.USER, RunResult.NONE)
    limit(run, p95_ms=299)
    assert synced(account).result == RunResult.FAILED


@pytest.mark.parametrize(("most", "result"), [(300, RunResult.NONE), (299, RunResult.FAILED)])
def test_a_live_run_that_is_forgotten_ended_as_it_was_last_seen_and_never_passed(account, fake, most, result):
    shows(fake, points=[(0, 1.0), (40, 7.0)])
    limit(synced(account), p95_ms=most)
    synced(account)
    shows(fake, external_id="2")
    synced(account)
    old, new = Run.objects.order_by("pk")
    assert (old.status, old.stop_reason, old.result) == (RunStatus.ABORTED, StopReason.SYSTEM, result)
    assert (old.results_incomplete, old.duration_s, old.p95_ms) == (True, 40.0, 300.0)
    assert "knows nothing of this run any more" in old.error_message
    assert points(old) == [[0.0, 1.0], [40.0, 7.0]]
    assert (new.status, new.results_incomplete) == (RunStatus.RUNNING, False)
    assert [event.status for event in old.statusevents.all()] == [RunStatus.RUNNING, RunStatus.ABORTED]


def test_forgotten_between_its_end_and_its_numbers_it_keeps_what_was_seen(account, fake):
    shows(fake)
    run = synced(account)
    Run.objects.update(status=RunStatus.FINISHED)
    limit(run, p95_ms=300)
    run = Run.objects.get()
    fake.runs.clear()
    read_details(fake, run, timezone.now())
    run.refresh_from_db()
    assert (run.status, run.result, run.results_incomplete) == (RunStatus.FINISHED, RunResult.NONE, True)
    assert (run.gone_at, run.error_message) == (None, "")
    assert list(Run.objects.without_details()) == []
