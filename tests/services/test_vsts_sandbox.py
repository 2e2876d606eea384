"""The VSTS service against the sandbox: two readings of one contract, on a clock that is moved by hand."""

import gzip
import io
import zipfile
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from runs.choices import ENDED, LIVE, RunResult, RunStatus, StopReason
from runs.sandbox.server import Sandbox
from runs.services.base import NotFound, Refused, StartWish, Unauthorized
from runs.services.http import Http, parse_time
from runs.services.vsts import VstsService

NOON = 1_780_000_000.0


class Stage:
    """One sandbox, and what is asked of it behind the service's back."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.control = Http(sandbox.url, provider="Sandbox", hosts=(), extra_hosts=("127.0.0.1",))
        self.account = self.control.get("/__sandbox__/credentials").data["vsts"]

    def service(self, credentials="credentials", **options):
        options = {"extra_hosts": ("127.0.0.1",), "now": self.now, "waits": (0, 0), **options}
        return VstsService(self.account["base_url"], self.account[credentials], **options)

    def now(self):
        return datetime.fromtimestamp(self.sandbox.clock.now() / 1_000_000, UTC)

    def tell(self, what, **body):
        return self.control.send("POST", f"/__sandbox__/{what}", json=body).data

    def truth(self):
        rows = self.control.get("/__sandbox__/truth", {"provider": "vsts"}).data["runs"]
        return {row["external_id"]: row for row in rows}

    def sent(self, method):
        rows = self.control.get("/__sandbox__/ledger").data["requests"]
        return [row for row in rows if row["method"] == method and row["provider"] == "vsts"]


@pytest.fixture
def stage():
    with Sandbox(tests=8, runs=200, speed=1, clock=lambda: NOON) as sandbox:
        yield Stage(sandbox)


def runs_of(service, since=None):
    pages = list(service.iter_runs(since))
    assert [page.bad for page in pages if page.bad] == []
    return {run.external_id: run for page in pages for run in page.runs}


def wish_for(run, **values):
    values = {**run.start_values, **values}
    return StartWish(test_external_id=run.test_external_id, test_name=values["name"], values=values, token="press-7")


STATUS = {"pending": "created", "stopping": "stopping", "completed": "finished", "aborted": "aborted", "error": "error"}


def test_a_full_history_is_the_truth_field_for_field_though_the_cap_is_crossed(stage):
    runs = runs_of(stage.service(page_size=7))

    truth = stage.truth()
    assert set(runs) == set(truth)
    for external_id, true in truth.items():
        run = runs[external_id]
        assert (run.provider_status, run.provider_substatus) == (true["state"], true["subState"])
        assert run.status == STATUS.get(true["state"], run.status)
        assert (run.status in ENDED) is (true["ended"] is not None)
        assert (run.test_name, run.test_external_id) == (true["test"], true["test"].lower())
        assert (run.number, run.requested_by, run.note) == (true["number"], true["requested_by"], true["note"])
        assert (run.stopped_by or None) == true["stopped_by"]
        assert (run.planned_duration_s, run.virtual_users) == (true["duration_s"], true["virtual_users"])
        told = (run.created_at, run.queued_at, run.started_at, run.load_started_at, run.load_ended_at, run.ended_at)
        names = ("created", "queued", "started", "load_started", "load_ended", "ended")
        assert told == tuple(parse_time(true[name]) for name in names)
        assert run.error_message.startswith(true["error_detail"] or "")


@pytest.mark.parametrize("switch", ["vsts_wrapped_runs", "vsts_strict_version", "vsts_wrapped_counter_groups"])
def test_both_readings_of_the_list_give_the_same_runs(stage, switch):
    expected = set(stage.truth())
    stage.tell("switches", **{switch: True})

    assert set(runs_of(stage.service(page_size=50))) == expected


def test_an_incremental_pass_sees_what_changed(stage):
    service = stage.service()
    before = runs_of(service)
    live = next(run for run in before.values() if run.status == RunStatus.RUNNING)
    since = stage.now()
    stage.sandbox.advance(3600)

    after = runs_of(service, since)

    assert after[live.external_id].status not in (RunStatus.RUNNING,)
    assert len(after) < len(before) / 2


def test_verdict_errors_and_messages_are_the_truth(stage):
    service = stage.service()
    runs = runs_of(service)
    for external_id, true in stage.truth().items():
        run = runs[external_id]
        if run.status in LIVE:
            continue
        details = service.get_details(run)
        told = {}
        for error in details.errors:
            told[error.type] = told.get(error.type, 0) + error.occurrences
        assert told == true["errors"]
        assert len(details.messages) == true["messages"]
        finished = run.status == RunStatus.FINISHED
        judged = RunResult.FAILED if true["critical_threshold_errors"] else RunResult.PASSED
        assert details.result == (judged if finished else None)
        assert bool(details.thresholds) is bool(true["critical_threshold_errors"])
        assert details.has_archive is (run.load_started_at is not None)
        if run.load_started_at:
            assert {series.name for series in details.series} == {"vus", "avg_ms", "rate_per_s", "errors_per_s"}
            assert next(m for m in details.metrics if m.kind == "run").numbers["p95_ms"] > 0


def test_some_run_of_the_history_holds_a_stack_trace(stage):
    service = stage.service()
    ended = [run for run in runs_of(service).values() if run.status == RunStatus.FINISHED]

    assert any(error.stack_trace for run in ended for error in service.get_details(run).errors)


def test_a_start_creates_and_queues_then_runs_to_its_end(stage):
    service = stage.service()
    model = next(run for run in runs_of(service).values() if run.status == RunStatus.FINISHED)

    made = service.start_step("create", wish_for(model, description="by the test"), "")
    assert (made.status, made.test_external_id, made.start_token) == (
        RunStatus.CREATED,
        model.test_external_id,
        "press-7",
    )
    assert service.start_step("queue", wish_for(model), made.external_id) is None

    seen = []
    for _ in range(400):
        run = service.get_run(made.external_id)
        if not seen or seen[-1] != run.status:
            seen.append(run.status)
        if run.status in ENDED:
            break
        stage.sandbox.advance(20)
    assert seen[0] in (RunStatus.QUEUED, RunStatus.STARTING)
    assert RunStatus.RUNNING in seen
    assert seen[-1] in ENDED
    assert (run.note, run.start_token) == ("by the test", "press-7")
    assert len(stage.sent("POST")) == 1
    assert len(stage.sent("PATCH")) == 1


def test_a_run_of_a_new_name_can_be_started_as_x64(stage):
    service = stage.service()
    model = next(run for run in runs_of(service).values() if run.status == RunStatus.FINISHED)
    wish = wish_for(model, name="Brand new.loadtest", host_process_platform="x64", setup_command="prepare.cmd")

    made = service.start_step("create", wish, "")

    run = service.get_run(made.external_id)
    assert run.test_external_id == "brand new.loadtest"
    assert run.start_values["host_process_platform"] == "x64"
    assert run.start_values["setup_command"] == "prepare.cmd"
    assert made.external_id in runs_of(service, stage.now() - timedelta(minutes=1))


def test_an_unknown_drop_is_refused_with_the_service_s_reason(stage):
    service = stage.service()
    model = next(iter(runs_of(service).values()))

    with pytest.raises(Refused, match=r"test drop .* was not found"):
        service.start_step("create", wish_for(model, test_drop_id="nothing"), "")


def test_a_stop_is_confirmed_moments_later(stage):
    service = stage.service()
    running = next(run for run in runs_of(service).values() if run.status == RunStatus.RUNNING)

    service.stop(running.external_id)
    assert service.get_run(running.external_id).status == RunStatus.STOPPING
    stage.sandbox.advance(120)

    stopped = service.get_run(running.external_id)
    assert (stopped.status, stopped.stop_reason) == (RunStatus.ABORTED, StopReason.USER)
    assert stopped.stopped_by


def test_a_stop_of_an_ended_run_is_refused_in_a_sentence(stage):
    service = stage.service()
    ended = next(run for run in runs_of(service).values() if run.status in ENDED)

    with pytest.raises(Refused, match="cannot be changed") as caught:
        service.stop(ended.external_id)
    assert caught.value.maybe_done is False


def test_archives_can_be_downloaded_visual_studio_s_and_jmeter_s(stage):
    service = stage.service()
    with_load = [run for run in runs_of(service).values() if run.status == RunStatus.FINISHED]
    jmeter = next(run for run in with_load if run.test_name.endswith(".jmx"))
    studio = next(run for run in with_load if run.test_name.endswith(".loadtest"))

    download = service.open_archive(studio.external_id)
    assert (download.filename, download.content_type) == ("LoadTest.ltrar.gz", "application/gzip")
    assert f"run {studio.number} of" in gzip.decompress(b"".join(download.chunks)).decode()

    download = service.open_archive(jmeter.external_id)
    assert download.filename == "ResultsArchive.zip"
    names = zipfile.ZipFile(io.BytesIO(b"".join(download.chunks))).namelist()
    assert any(name.startswith("Results") for name in names)


def test_a_run_without_load_has_no_archive(stage):
    service = stage.service()
    aborted = next(
        run for run in runs_of(service).values() if run.status == RunStatus.ABORTED and not run.load_started_at
    )

    with pytest.raises(NotFound, match=r"no result archive|does not have"):
        b"".join(service.open_archive(aborted.external_id).chunks)


def test_the_account_s_connection_and_person(stage):
    service = stage.service()

    assert [(step.ok, step.sentence) for step in service.test_connection()] == [(True, "")] * 3
    person = service.whoami()
    assert person.name in {row["requested_by"] for row in stage.truth().values()}


def test_a_server_that_lists_only_our_own_runs_is_told_of(stage):
    stage.tell("switches", vsts_requested_by_defaults_to_me=True)

    last = stage.service().test_connection()[-1]
    assert last.ok is True
    assert last.sentence.startswith("All runs listed are by Maren Solberg. If others")


def test_a_wrong_token_and_a_read_only_one(stage):
    wrong = VstsService(stage.account["base_url"], {"token": "wrong"}, extra_hosts=("127.0.0.1",), now=stage.now)
    assert [step.ok for step in wrong.test_connection()] == [True, False, None]

    reader = stage.service("read_only_credentials")
    run = next(run for run in runs_of(reader).values() if run.status == RunStatus.RUNNING)
    assert reader.get_details(run).series
    with pytest.raises(Unauthorized):
        reader.stop(run.external_id)


def test_nothing_planted_is_in_any_record(stage):
    service = stage.service()
    kept = []
    for run in runs_of(service).values():
        kept.append(repr(run))
        kept.append(repr(service.get_details(run)))
    text = "\n".join(kept)
    secrets = {row["secret"] for row in stage.control.get("/__sandbox__/planted").data}
    assert stage.account["credentials"]["token"] in secrets
    assert len(secrets) > 100
    for secret in secrets:
        for form in (secret, quote(secret, safe=""), b64encode(secret.encode()).decode()):
            assert form not in text
