"""The k6 service (v6) against the sandbox: two readings of one contract, and one run seen through both of k6's APIs."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from runs.actions import start_run
from runs.choices import ENDED, STOPPABLE, IntentOutcome
from runs.models import SyncState
from runs.sandbox.server import Sandbox
from runs.services.answers import parse_time
from runs.services.base import Refused, StartWish, Unauthorized, Unavailable
from runs.services.http import Http
from runs.services.k6 import K6Service
from runs.services.k6_legacy import K6LegacyService
from runs.sync import sync_account
from tests.rows import make_account, make_user

KEY = "9e107d9d-372b-4826-9d53-6a3d1f9d7c11"


class Stage:
    """One sandbox and what is asked of it behind the service's back."""

    def __init__(self, sandbox, began):
        self.sandbox, self.began = sandbox, began
        self.control = Http(sandbox.url, provider="Sandbox", hosts=(), extra_hosts=("127.0.0.1",))
        self.accounts = self.control.get("/__sandbox__/credentials").data

    def service(self, provider=K6Service, credentials="credentials", **options):
        given = self.accounts[provider.provider]
        options = {"extra_hosts": ("127.0.0.1",), "waits": (0, 0), **options}
        return provider(given["base_url"], given[credentials], **options)

    def tell(self, what, **body):
        return self.control.send("POST", f"/__sandbox__/{what}", json=body).data

    def truth(self):
        rows = self.control.get("/__sandbox__/truth", {"provider": "k6"}).data["runs"]
        return {row["external_id"]: row for row in rows}

    def sent(self, method, part=""):
        rows = self.control.get("/__sandbox__/ledger").data["requests"]
        return [row for row in rows if row["method"] == method and part in row["path"] and row["provider"] == "k6"]


@pytest.fixture
def stage():
    began = datetime(2026, 3, 2, 9, tzinfo=UTC)
    with Sandbox(seed=7, tests=8, runs=120, speed=1, clock=lambda: began.timestamp()) as sandbox:
        yield Stage(sandbox, began)


def runs_of(pages):
    return {run.external_id: run for page in pages for run in page.runs}


def wish_for(stage):
    test = next(iter(stage.truth().values()))
    return StartWish(test_external_id=test["test_external_id"], test_name=test["test"], values={}, token=KEY)


@pytest.mark.parametrize("page_size", [2, 7, 1000])
def test_a_full_pass_finds_every_run_and_none_twice(stage, page_size):
    pages = list(stage.service(page_size=page_size).iter_runs(None))
    assert [row for page in pages for row in page.bad] == []
    assert sum(len(page.runs) for page in pages) == len(runs_of(pages))
    assert runs_of(pages).keys() == stage.truth().keys()


def test_every_field_of_every_run_is_as_it_was_made(stage):
    service = stage.service()
    tests = {test.external_id: test.name for page in service.iter_tests() for test in page}
    runs = runs_of(service.iter_runs(None))
    for external_id, made in stage.truth().items():
        run = runs[external_id]
        assert (run.test_external_id, tests[run.test_external_id]) == (made["test_external_id"], made["test"])
        assert (run.provider_status, run.provider_result) == (made["status"], made["result"] or "")
        assert run.requested_by == (made["requested_by"] or "")
        assert run.stopped_by == (made["stopped_by"] or "")
        assert run.created_at == parse_time(made["created"])
        assert run.queued_at == parse_time(made["queued"])
        assert run.started_at == run.load_started_at == parse_time(made["load_started"])
        assert run.load_ended_at == parse_time(made["load_ended"])
        assert run.planned_duration_s == made["planned_duration_s"]
        assert run.virtual_users == made["virtual_users"]
        assert (run.note, run.starred) == (made["note"], made["is_starred"])


def test_a_run_is_the_same_seen_through_the_legacy_api(stage):
    legacy = runs_of(stage.service(K6LegacyService).iter_runs(None))
    v6 = runs_of(stage.service().iter_runs(None))
    older, newer = stage.service(K6LegacyService), stage.service()
    assert len(v6) > 50
    for external_id, run in v6.items():
        other = legacy[external_id]
        limit = other.provider_status == "ABORTED_BY_LIMIT"  # v6 has no word for it: the system ended it
        assert (run.status, run.test_external_id) == (other.status, other.test_external_id)
        assert run.stop_reason == ("system" if limit else other.stop_reason)
        for time in ("created_at", "started_at", "load_started_at", "load_ended_at", "ended_at"):
            assert getattr(run, time) == getattr(other, time), (external_id, time)
        judged = run.result
        if run.result != other.result:  # only the details of the legacy API tell that nothing was asked of a run
            judged = older.get_details(other).result
        assert run.result == judged
        assert (run.note, run.results_incomplete) == (other.note, other.results_incomplete) or run.result == "failed"
    kinds = {(run.provider_status, run.provider_result, run.stop_reason): key for key, run in v6.items()}
    for external_id in kinds.values():
        mine, theirs = newer.get_details(v6[external_id]), older.get_details(legacy[external_id])
        assert tree(mine) - {("Run", "")} == tree(theirs) - {("Run", "")}
        assert [(one.metric, one.condition, one.broken) for one in mine.thresholds] == [
            (one.metric, one.condition, one.broken) for one in theirs.thresholds
        ]
        assert {one.name for one in mine.series} == {one.name for one in theirs.series}


def tree(details):
    """What the error tree holds; the text of an aborted run's error is each API's own."""
    return {(error.type, error.message if error.type != "Run" else "") for error in details.errors}


def test_details_agree_with_what_each_run_was_made_with(stage):
    service, truth = stage.service(), stage.truth()
    kinds = {
        (run.provider_status, run.result, run.error_code): run for run in runs_of(service.iter_runs(None)).values()
    }
    for run in kinds.values():
        made, found = truth[run.external_id], service.get_details(run)
        counts = dict.fromkeys(made["errors"], 0)
        for error in found.errors:
            if error.type in counts:
                counts[error.type] += error.occurrences
        assert counts == made["errors"], run.external_id


def test_thresholds_are_judged_without_the_older_list(stage):
    service, truth = stage.service(), stage.truth()
    stage.tell("fail", path_contains="/loadtests/v2", times=1000, status=404)
    judged = 0
    for run in runs_of(service.iter_runs(None)).values():
        made = truth[run.external_id]
        if run.status == "finished" and made["thresholds"] and judged < 8:
            thresholds = service.get_details(run).thresholds
            judged += 1
            assert len(thresholds) == made["thresholds"]
            assert {one.broken for one in thresholds} == {None} or (
                sum(one.broken is True for one in thresholds) == made["breached"]
            )
    assert judged == 8


def test_a_pass_goes_on_where_it_was_left(stage):
    service = stage.service(page_size=6)
    pages = service.iter_runs(None)
    first = [next(pages) for _ in range(5)]
    rest = list(service.iter_runs(None, json.loads(json.dumps(dict(first[-1].resume)))))
    assert runs_of(first).keys() | runs_of(rest).keys() == stage.truth().keys()
    assert not runs_of(first).keys() & runs_of(rest).keys()


def test_an_incremental_pass_is_one_call_for_all_tests(stage):
    service = stage.service()
    list(service.iter_runs(None))
    stage.tell("advance", seconds=3600)
    new = stage.tell("insert_run", provider="k6-legacy")["external_id"]
    before = len(stage.sent("GET"))
    found = runs_of(service.iter_runs(stage.began + timedelta(minutes=30)))
    assert new in found
    assert len(found) < 5
    assert len(stage.sent("GET")) == before + 1


# -- control -----------------------------------------------------------------------------------------------------------


def test_a_started_run_goes_through_its_life_to_a_verdict(stage):
    service = stage.service()
    stage.tell("outcome", provider="k6", outcome="failed")
    run = service.start_step("start", wish_for(stage), "")
    assert (run.status, run.result) == ("created", "none")
    seen = [run.status]
    for _ in range(2000):
        run = service.get_run(run.external_id)
        if run.status != seen[-1]:
            seen.append(run.status)
        if run.status in ENDED:
            break
        stage.tell("advance", seconds=20 if run.status == "running" else 3)
    assert seen[0] == "created"
    assert seen[-4:] == ["starting", "running", "processing", "finished"]
    assert run.result == "failed"
    assert len(stage.sent("POST", "/start")) == 1
    assert any(threshold.broken for threshold in service.get_details(run).thresholds)


def test_a_stopped_run_is_aborted_by_its_user_and_cannot_be_stopped_again(stage):
    service = stage.service()
    external_id = service.start_step("start", wish_for(stage), "").external_id
    while service.get_run(external_id).status != "running":
        stage.tell("advance", seconds=15)
    service.stop(external_id)
    stage.tell("advance", seconds=3600)
    run = service.get_run(external_id)
    assert (run.status, run.result, run.stop_reason) == ("aborted", "none", "user")
    assert run.stopped_by
    with pytest.raises(Refused) as caught:
        service.stop(external_id)
    assert "over already" in str(caught.value)


def test_a_start_whose_answer_is_lost_names_its_run_when_it_is_sent_again_with_the_same_key(stage):
    service, before = stage.service(), stage.truth().keys()
    stage.tell("lose_answer", method="POST", path_contains="/start")
    with pytest.raises(Unavailable) as caught:
        service.start_step("start", wish_for(stage), "")
    assert caught.value.maybe_done is True
    stage.tell("advance", seconds=K6Service.start_again_s)
    run = service.start_step("start", wish_for(stage), "")
    assert stage.truth().keys() - before == {run.external_id}
    assert len(stage.sent("POST", "/start")) == 2


def test_credentials_that_may_only_read_cannot_start(stage):
    with pytest.raises(Unauthorized) as caught:
        stage.service(credentials="read_only_credentials").start_step("start", wish_for(stage), "")
    assert caught.value.maybe_done is False


def test_a_note_and_a_star_are_seen_in_the_run_and_through_the_legacy_api(stage):
    service = stage.service()
    external_id = next(key for key, run in stage.truth().items() if run["status"] == "completed")
    service.set_note(external_id, "slow since Monday")
    for starred in (True, False):
        service.set_star(external_id, starred)
        assert service.get_run(external_id).starred is starred
    assert service.get_run(external_id).note == "slow since Monday"
    assert stage.service(K6LegacyService).get_run(external_id).note == "slow since Monday"


def test_the_script_of_a_run_and_of_its_test_can_be_read(stage):
    service = stage.service()
    run = next(row for row in stage.truth().values() if row["status"] == "completed")
    for download in (service.open_script(run=run["external_id"]), service.open_script(test=run["test_external_id"])):
        assert download.filename.startswith("k6-")
        assert len(b"".join(download.chunks)) > 50


def test_the_connection_test_is_green(stage):
    assert [(step.name, step.ok) for step in stage.service().test_connection()] == [
        ("reach", True), ("sign-in", True), ("projects", True), ("tests", True),
    ]  # fmt: skip


def test_no_live_run_has_a_verdict_and_live_ones_can_be_stopped(stage):
    runs = runs_of(stage.service().iter_runs(None)).values()
    live = [run for run in runs if run.status not in ENDED and run.status != "unknown"]
    assert {run.result for run in live} == {"none"}
    assert any(run.status in STOPPABLE for run in live)


# -- what else there is ------------------------------------------------------------------------------------------------


def test_schedules_are_read_and_switched(stage):
    service = stage.service(page_size=2)
    schedules = {one.external_id: one for page in service.iter_schedules() for one in page}
    assert {one.test_external_id for one in schedules.values()} <= {
        test.external_id for page in service.iter_tests() for test in page
    }
    assert {bool(one.rule) for one in schedules.values()} == {True, False}
    active = next(key for key, one in schedules.items() if one.active)
    service.set_schedule(active, False)
    assert not {one.external_id: one for page in service.iter_schedules() for one in page}[active].active
    service.set_schedule(active, True)


def test_limits_zones_and_costs_are_told(stage):
    service = stage.service()
    groups = {fact.group.partition(" of ")[0] for fact in service.facts()}
    assert groups == {"Limits", "Load zones"}
    assert service.estimate(wish_for(stage)) > 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fault", ["kind=lost,method=POST,path=/start,times=2", "kind=dead,method=POST,path=/start,times=1"]
)
def test_a_press_whose_answer_is_lost_makes_one_run_and_the_sync_names_it(stage, fault):
    given = stage.accounts["k6"]
    account = make_account("v6", provider="k6", base_url=given["base_url"])
    account.seal_credentials(given["credentials"])
    account.save()
    sync_account(account, turn_s=0.1)
    before = stage.truth().keys()
    stage.tell("faults", faults=[fault])
    load_test = account.load_tests.get(external_id=wish_for(stage).test_external_id)
    wish = {"user": make_user("operator"), "account": account, "load_test": load_test, "values": {}, "reason": ""}
    intent = start_run(**wish, token=uuid4())
    assert (intent.outcome, intent.run) == (IntentOutcome.SENT, None)
    for _ in range(2):
        sync_account(account, turn_s=0.1)
    intent.refresh_from_db()
    assert {intent.external_id} == stage.truth().keys() - before
    assert (intent.outcome, intent.run.requested_by.display) == (IntentOutcome.DONE, "operator")
    assert account.load_tests.filter(schedules__isnull=False).exists()
    assert SyncState.objects.get().facts
