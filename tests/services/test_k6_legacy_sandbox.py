"""The legacy k6 service against the sandbox: two readings of one contract, on a clock that is moved by hand."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from runs.sandbox.server import Sandbox
from runs.services.answers import parse_time
from runs.services.base import NotFound, Refused, StartWish, Unauthorized, Unavailable
from runs.services.http import Http
from runs.services.k6_legacy import K6LegacyService

WORDS = {
    -2: "CREATED",
    -1: "VALIDATED",
    0: "QUEUED",
    1: "INITIALIZING",
    2: "RUNNING",
    3: "FINISHED",
    4: "TIMED_OUT",
    5: "ABORTED_BY_USER",
    6: "ABORTED_BY_SYSTEM",
    7: "ABORTED_BY_SCRIPT_ERROR",
    8: "ABORTED_BY_THRESHOLD",
    9: "ABORTED_BY_LIMIT",
}


class Stage:
    """One sandbox and what is asked of it behind the service's back."""

    def __init__(self, sandbox, began):
        self.sandbox, self.began = sandbox, began
        self.control = Http(sandbox.url, provider="Sandbox", hosts=(), extra_hosts=("127.0.0.1",))
        self.account = self.control.get("/__sandbox__/credentials").data["k6-legacy"]

    def service(self, credentials="credentials", **options):
        options = {
            "extra_hosts": ("127.0.0.1",),
            "sleep": lambda seconds: self.tell("advance", seconds=seconds * 60),
            **options,
        }
        return K6LegacyService(self.account["base_url"], self.account[credentials], waits=(0, 0), **options)

    def tell(self, what, **body):
        return self.control.send("POST", f"/__sandbox__/{what}", json=body).data

    def truth(self):
        rows = self.control.get("/__sandbox__/truth", {"provider": "k6-legacy"}).data["runs"]
        return {row["external_id"]: row for row in rows}

    def sent(self, method, part=""):
        rows = self.control.get("/__sandbox__/ledger").data["requests"]
        return [
            row for row in rows if row["method"] == method and part in row["path"] and row["provider"] == "k6-legacy"
        ]


@pytest.fixture
def stage():
    began = datetime(2026, 3, 2, 9, tzinfo=UTC)
    with Sandbox(seed=7, tests=8, runs=120, speed=1, clock=lambda: began.timestamp()) as sandbox:
        yield Stage(sandbox, began)


def runs_of(pages):
    return {run.external_id: run for page in pages for run in page.runs}


@pytest.mark.parametrize("page_size", [2, 7, 1000])
def test_a_full_pass_finds_every_run_and_none_twice(stage, page_size):
    pages = list(stage.service(page_size=page_size).iter_runs(None))
    assert [row for page in pages for row in page.bad] == []
    assert sum(len(page.runs) for page in pages) == len(runs_of(pages))
    assert runs_of(pages).keys() == stage.truth().keys()


def test_every_field_of_every_run_is_as_it_was_made(stage):
    runs = runs_of(stage.service().iter_runs(None))
    for external_id, made in stage.truth().items():
        run = runs[external_id]
        assert run.test_external_id == made["test_external_id"]
        assert run.test_name == made["test"]
        assert run.provider_status == WORDS.get(made["run_status"], str(made["run_status"]))
        assert run.requested_by_id == made["requested_by"]
        assert run.requested_by == (made["requested_by_name"] or "")
        assert run.stopped_by_id == (made["stopped_by"] or "")
        assert run.created_at == parse_time(made["created"])
        assert run.started_at == run.load_started_at == parse_time(made["load_started"])
        assert run.ended_at == run.load_ended_at == parse_time(made["ended"])
        assert run.planned_duration_s == made["duration_s"]
        assert run.virtual_users == made["virtual_users"]
        assert run.note == made["note"]
        assert run.error_code == ("" if made["error_code"] is None else str(made["error_code"]))
        assert run.error_message == (made["error_detail"] or "")


def test_no_run_that_is_not_over_is_passed(stage):
    runs = runs_of(stage.service().iter_runs(None)).values()
    live = [run for run in runs if run.provider_status in list(WORDS.values())[:5] or run.status == "processing"]
    assert len({run.status for run in live}) == 5
    assert {run.result for run in live} == {"none"}


def test_both_addresses_and_the_list_show_the_same_run(stage):
    service = stage.service()
    listed = runs_of(service.iter_runs(None))
    older = {external_id: service.get_run(external_id) for external_id in listed}
    by_ids = service.get_runs([*listed], next(iter(listed.values())).test_external_id)
    stage.tell("fail", path_contains="/loadtests/v2/runs/", times=1000, status=404)
    newer = {external_id: service.get_run(external_id) for external_id in listed}
    assert len(by_ids) > 5
    for run in (*older.values(), *newer.values(), *by_ids):
        assert _without_payload(run) == _without_payload(listed[run.external_id])


def _without_payload(run):
    return {name: getattr(run, name) for name in run.__slots__ if name not in ("payload", "test_name")}


def test_a_run_started_between_two_pages_hides_none(stage):
    before = stage.truth().keys()
    stage.tell("insert_between_pages", provider="k6-legacy", after_pages=2)
    found = runs_of(stage.service(page_size=3).iter_runs(None)).keys()
    assert before <= found
    assert len(stage.truth()) == len(before) + 1


def test_an_incremental_pass_asks_only_the_test_with_a_new_run(stage):
    service = stage.service()
    held = runs_of(service.iter_runs(None))
    known = {}
    for run in held.values():
        known[run.test_external_id] = str(max(int(known.get(run.test_external_id, 0)), int(run.external_id)))
    stage.tell("advance", seconds=3600)
    new = stage.tell("insert_run", provider="k6-legacy")["external_id"]
    asked = len(stage.sent("GET", "/cloud/v5/load_tests"))
    found = runs_of(service.iter_runs(stage.began + timedelta(minutes=30), None, known))
    assert new in found
    assert len(found) < 5
    assert len(stage.sent("GET", "/cloud/v5/load_tests")) == asked + 1


def test_a_pass_goes_on_where_it_was_left(stage):
    service = stage.service(page_size=4)
    pages = service.iter_runs(None)
    first = [next(pages) for _ in range(5)]
    resume = json.loads(json.dumps(dict(first[-1].resume)))
    rest = list(service.iter_runs(None, resume))
    assert runs_of(first).keys() | runs_of(rest).keys() == stage.truth().keys()
    assert not runs_of(first).keys() & runs_of(rest).keys()


def test_where_the_newer_address_is_closed_the_older_one_has_every_run(stage):
    stage.tell("fail", path_contains="/cloud/v5/load_tests", times=1000, status=404)
    assert runs_of(stage.service(page_size=4).iter_runs(None)).keys() == stage.truth().keys()


def test_tests_come_with_their_projects(stage):
    tests = {test.external_id: test for page in stage.service(page_size=2).iter_tests() for test in page}
    assert {row["test_external_id"]: row["test"] for row in stage.truth().values()}.items() <= {
        external_id: test.name for external_id, test in tests.items()
    }.items()
    assert all(test.project for test in tests.values())


def test_a_started_run_goes_through_its_life_to_a_verdict(stage):
    service = stage.service()
    test = next(iter(stage.truth().values()))
    stage.tell("outcome", provider="k6-legacy", outcome="failed")
    wish = StartWish(test_external_id=test["test_external_id"], test_name=test["test"], values={}, token="press")
    run = service.start_step("start", wish, "")
    assert (run.status, run.result, run.requested_by_id) == ("created", "none", "703")
    seen = [run.status]
    for _ in range(2000):
        run = service.get_run(run.external_id)
        if run.status != seen[-1]:
            seen.append(run.status)
        if run.status == "finished":
            break
        stage.tell("advance", seconds=20 if run.status == "running" else 3)
    assert seen == ["created", "queued", "starting", "running", "processing", "finished"]
    assert run.result == "failed"
    assert len(stage.sent("POST", "start-testrun")) == 1
    assert any(threshold.broken for threshold in service.get_details(run).thresholds)


def test_a_stopped_run_is_aborted_by_its_user_moments_later(stage):
    service = stage.service()
    test = next(iter(stage.truth().values()))
    wish = StartWish(test_external_id=test["test_external_id"], test_name="", values={}, token="press")
    external_id = service.start_step("start", wish, "").external_id
    while service.get_run(external_id).status != "running":
        stage.tell("advance", seconds=15)
    service.stop(external_id)
    assert service.get_run(external_id).status == "running"
    stage.tell("advance", seconds=3600)
    run = service.get_run(external_id)
    assert (run.status, run.stop_reason, run.stopped_by_id) == ("aborted", "user", "703")
    assert run.stopped_by == service.whoami().name


def test_a_start_whose_answer_is_lost_is_not_sent_again(stage):
    test = next(iter(stage.truth().values()))
    before = len(stage.truth())
    stage.tell("lose_answer", method="POST", path_contains="start-testrun")
    wish = StartWish(test_external_id=test["test_external_id"], test_name="", values={}, token="press")
    with pytest.raises(Unavailable) as caught:
        stage.service().start_step("start", wish, "")
    assert caught.value.maybe_done is True
    assert len(stage.truth()) == before + 1
    assert len(stage.sent("POST", "start-testrun")) == 1


def test_a_token_that_may_only_read_cannot_start(stage):
    test = next(iter(stage.truth().values()))
    wish = StartWish(test_external_id=test["test_external_id"], test_name="", values={}, token="press")
    with pytest.raises(Unauthorized) as caught:
        stage.service("read_only_credentials").start_step("start", wish, "")
    assert caught.value.maybe_done is False


def test_a_run_or_a_test_that_does_not_exist_is_not_found_or_refused(stage):
    with pytest.raises(NotFound):
        stage.service().get_run("999999999")
    wish = StartWish(test_external_id="999999999", test_name="", values={}, token="press")
    with pytest.raises((NotFound, Refused)):
        stage.service().start_step("start", wish, "")


def test_details_agree_with_what_each_run_was_made_with(stage):
    service = stage.service()
    truth = stage.truth()
    kinds = {}
    for run in runs_of(service.iter_runs(None)).values():
        kinds.setdefault((run.provider_status, run.provider_substatus, run.result), run)
    for run in kinds.values():
        made, found = truth[run.external_id], service.get_details(run)
        assert len(found.thresholds) == made["thresholds"]
        assert sum(threshold.broken is True for threshold in found.thresholds) == made["breached"]
        assert all(threshold.metric and threshold.condition for threshold in found.thresholds)
        counts = dict.fromkeys(made["errors"], 0)
        for error in found.errors:
            if error.type in counts:
                counts[error.type] += error.occurrences
        assert counts == made["errors"]


def test_a_run_without_thresholds_passed_nothing(stage):
    service = stage.service()
    made = [
        row
        for row in stage.truth().values()
        if row["thresholds"] == 0 and (row["run_status"], row["processing_status"]) == (3, 2)
    ]
    run = service.get_run(made[0]["external_id"])
    assert run.result == "passed"
    assert service.get_details(run).result == "none"


@pytest.mark.parametrize("closed", ["/loadtests/v3/", "/loadtests/v4/"])
def test_details_stay_complete_where_an_undocumented_address_is_gone(stage, closed):
    service = stage.service()
    made = next(row for row in stage.truth().values() if row["run_status"] == 3 and row["result_status"] == 1)
    run = service.get_run(made["external_id"])
    usual = service.get_details(run)
    stage.tell("fail", path_contains=closed, times=1000, status=404)
    found = service.get_details(run)
    assert {metric.kind for metric in found.metrics} == {"run", "request", "check"}
    assert {(error.type, error.subtype) for error in found.errors} == {
        (error.type, error.subtype) for error in usual.errors
    }
    assert {series.name for series in found.series} == {"p95_ms", "rate_per_s", "errors_per_s", "vus"}


def test_the_results_of_an_ended_run_can_be_downloaded(stage):
    service = stage.service()
    made = next(row for row in stage.truth().values() if (row["run_status"], row["processing_status"]) == (3, 2))
    download = service.open_archive(made["external_id"])
    assert download.filename == f"k6-run-{made['external_id']}.csv"
    assert len(b"".join(download.chunks)) > 100
    assert len(stage.sent("POST", "/export")) <= 1


def test_nothing_planted_is_in_a_record(stage):
    service = stage.service()
    planted = [row["secret"] for row in stage.control.get("/__sandbox__/planted").data]
    shown = []
    for run in list(runs_of(service.iter_runs(None)).values()):
        shown += [repr(run), repr(service.get_run(run.external_id))]
    text = "\n".join(shown)
    assert "agent_access_token" in text
    assert [secret for secret in planted if secret in text] == []


def test_every_parameter_of_the_manual_is_sent_where_the_service_has_use_for_it(stage):
    service = stage.service(page_size=5)
    runs = runs_of(service.iter_runs(None))
    external_id, run = next((key, run) for key, run in runs.items() if run.result == "passed")
    list(service.iter_runs(stage.began - timedelta(days=1), None, {run.test_external_id: external_id}))
    service.get_runs([external_id], run.test_external_id)
    service.find_shared("ab12")
    assert b"".join(service.open_archive(external_id).chunks)
    stage.tell("fail", path_contains="/loadtests/v2/runs/", times=1, status=404)
    service.get_run(external_id)
    stage.tell("fail", path_contains="/cloud/v5/load_tests", times=1, status=404)
    list(service.iter_runs(None))
    sent: dict[str, set[str]] = {}
    for row in stage.sent("GET"):
        shape = "/".join("{id}" if part.isdecimal() else part for part in row["path"].split("/"))
        sent.setdefault(shape, set()).update(name for name, _ in row["query"])
    assert sent["/loadtests/v2/runs"] >= {"test_id", "$select", "ids[]", "public_id"}
    assert sent["/loadtests/v2/runs/{id}"] == {"$select"}
    assert sent["/cloud/v5/test_runs/{id}"] == {"$select"}
    assert sent["/cloud/v5/load_tests/{id}/test_runs"] == {"$select", "$orderby", "$top", "$skip", "$count", "$filter"}


def test_the_connection_test_is_green(stage):
    assert [(step.name, step.ok) for step in stage.service().test_connection()] == [
        ("reach", True),
        ("sign-in", True),
        ("organizations", True),
        ("tests", True),
    ]
