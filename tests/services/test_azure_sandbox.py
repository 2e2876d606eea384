"""The service of Azure Load Testing against the sandbox: two readings of one contract, on a clock moved by hand."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest
import time_machine

from runs import actions
from runs.choices import ENDED, IntentOutcome, RunResult, RunStatus, StopReason
from runs.models import Run, RunFile, RunPayload
from runs.sandbox.server import Sandbox
from runs.services.azure import AzureService
from runs.services.azure_api import VERSIONS, forget_versions
from runs.services.azure_token import forget_tokens
from runs.services.base import Forbidden, NotFound, Refused, StartWish, Unauthorized, UnexpectedAnswer
from runs.services.http import Http, parse_time
from runs.sync import sync_account
from runs.sync.lost_starts import LIST_LAG
from tests.rows import make_account, make_user

NOON = 1_780_000_000.0


class Stage:
    """One sandbox, and what is asked of it behind the service's back."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.control = Http(sandbox.url, provider="Sandbox", hosts=(), extra_hosts=("127.0.0.1",))
        self.account = self.control.get("/__sandbox__/credentials").data["azure"]

    def service(self, credentials="credentials", **options):
        own = {"extra_hosts": ("127.0.0.1",), "now": self.now, "waits": (0, 0), "login_url": self.account["login_url"]}
        return AzureService(self.account["base_url"], self.account[credentials], **own | options)

    def now(self):
        return datetime.fromtimestamp(self.sandbox.clock.now() / 1_000_000, UTC)

    def tell(self, what, **body):
        return self.control.send("POST", f"/__sandbox__/{what}", json=body).data

    def truth(self):
        rows = self.control.get("/__sandbox__/truth", {"provider": "azure"}).data["runs"]
        return {row["external_id"]: row for row in rows}

    def one(self, **values):
        return next(key for key, row in self.truth().items() if values.items() <= row.items())

    def sent(self, *methods):
        rows = self.control.get("/__sandbox__/ledger").data["requests"]
        return [row for row in rows if row["method"] in methods and not row["path"].startswith("/__sandbox__")]

    def start(self, outcome, token="press-7", **wish):
        """A run started just now that will end that way."""
        self.tell("outcome", provider="azure", outcome=outcome)
        return self.service().start_step("start", self.wish(token=token, **wish), "")

    def wish(self, token="press-7", values=(), **changes):
        test = next(iter(self.truth().values()))
        fields = {"test_external_id": test["test_external_id"], "test_name": test["test"], "values": dict(values)}
        return StartWish(token=token, **fields | changes)

    def until(self, service, run, status):
        """The run, read at the moment it has come to this status."""
        steps = self.sandbox.store.runs["azure"][run.external_id].steps
        moment = next(when for when, word, _ in steps if STATUS.get(word, "starting") == status)
        self.sandbox.advance((moment - self.sandbox.clock.now()) / 1_000_000 + 0.001)
        return service.get_run(run.external_id)


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_versions()
    forget_tokens()


@pytest.fixture
def stage():
    with Sandbox(tests=3, runs=40, speed=1, clock=lambda: NOON, providers=("azure",)) as sandbox:
        yield Stage(sandbox)


def runs_of(service, since=None):
    pages = list(service.iter_runs(since))
    assert [page.bad for page in pages if page.bad] == []
    return {run.external_id: run for page in pages for run in page.runs}


STATUS = {
    "ACCEPTED": "queued", "NOTSTARTED": "queued", "EXECUTING": "running", "EXECUTED": "processing",
    "DEPROVISIONING": "processing", "DEPROVISIONED": "processing", "DONE": "finished", "CANCELLING": "stopping",
    "CANCELLED": "aborted", "FAILED": "error", "VALIDATION_FAILURE": "error", "ARCHIVING": "unknown",
}  # fmt: skip


def test_a_full_history_in_small_pages_is_the_truth_field_for_field(stage):
    runs = runs_of(stage.service(page_size=7))

    truth = stage.truth()
    assert set(runs) == set(truth)
    for external_id, true in truth.items():
        run = runs[external_id]
        assert (run.provider_status, run.status) == (true["status"], STATUS.get(true["status"], "starting"))
        assert run.test_external_id == true["test_external_id"]
        assert (run.requested_by, run.note) == (true["requested_by"], true["note"] or "")
        assert run.start_values["display_name"] == true["name"]
        assert run.planned_duration_s == true["planned_duration_s"]
        assert run.virtual_users == (true["virtual_users"] or None)
        load = (run.created_at, run.queued_at, run.load_started_at)
        assert load == tuple(parse_time(true[name]) for name in ("created", "queued", "load_started"))
        if run.status in ENDED:
            assert (run.ended_at, run.load_ended_at) == (parse_time(true["ended"]), parse_time(true["load_ended"]))
            assert run.duration_s == pytest.approx(true["duration_s"]) if true["duration_s"] else not run.duration_s
            given = {"PASSED": "passed", "FAILED": "failed"}.get(true["testResult"])
            assert run.result == (given or ("error" if run.status == RunStatus.ERROR else "none"))
        assert run.error_message.startswith(true["error_detail"] or "")


def test_tests_have_the_names_of_the_truth(stage):
    told = {test.external_id: test.name for tests in stage.service(page_size=2).iter_tests() for test in tests}

    assert {row["test_external_id"]: row["test"] for row in stage.truth().values()}.items() <= told.items()


@pytest.mark.parametrize(
    ("switch", "version"),
    [({}, 0), ({"azure_without_2026_04_01": True}, 1), ({"azure_only_2022_11_01": True}, 2)],
)
def test_every_version_of_the_service_shows_the_same_runs(stage, switch, version):
    stage.tell("switches", **switch)
    service = stage.service(page_size=20)

    steps = service.test_connection()
    assert [step.ok for step in steps] == [True] * 3
    assert VERSIONS[version] in steps[1].sentence
    truth = stage.truth()
    runs = runs_of(service)
    assert {key: run.provider_status for key, run in runs.items()} == {key: row["status"] for key, row in truth.items()}
    done = runs[stage.one(status="DONE", results_ready=True)]
    assert service.get_details(done).metrics


def test_a_version_that_goes_away_is_replaced_without_a_word(stage):
    service = stage.service()
    assert service.api.agree_on_version() == VERSIONS[0]
    stage.tell("switches", azure_only_2022_11_01=True)

    assert runs_of(service).keys() == stage.truth().keys()
    assert service.api.version == VERSIONS[2]


def test_an_incremental_pass_ends_early_and_misses_no_new_run(stage):
    service = stage.service(page_size=5)
    runs_of(service)
    since = stage.now() - timedelta(minutes=15)
    made = stage.start("passed").external_id

    found = runs_of(service, since)

    truth = stage.truth()
    assert {key for key, row in truth.items() if parse_time(row["created"]) >= since} <= set(found)
    assert made in found
    assert len(found) < len(truth) / 2


def test_criteria_numbers_errors_and_charts_are_the_truth(stage):
    service = stage.service()
    runs = runs_of(service)
    seen = set()
    for external_id, true in stage.truth().items():
        if runs[external_id].status not in ENDED or not true["results_ready"] or true["status"] in seen:
            continue
        seen.add(true["status"])
        details = service.get_details(runs[external_id])
        assert sum(threshold.broken is True for threshold in details.thresholds) == true["breached"]
        assert len(details.thresholds) >= true["criteria"]
        failed = {error.subtype: error.occurrences for error in details.errors if error.type == "Request"}
        assert failed == true["errors"]
        whole = [metric.numbers for metric in details.metrics if metric.kind == "run"]
        assert (whole[0].get("count", 0) if whole else 0) == true["requests"]
        if true["requests"]:
            assert {series.name for series in details.series} >= {"vus", "p95_ms", "rate_per_s"}
    assert {"DONE", "CANCELLED"} <= seen


def test_the_rate_of_the_chart_adds_up_to_the_requests_of_the_run(stage):
    service = stage.service()
    external_id, true = next(
        (key, row) for key, row in stage.truth().items() if row["status"] == "DONE" and row["requests"] > 1000
    )
    run = service.get_run(external_id)

    [rate] = [series for series in service.get_details(run).series if series.name == "rate_per_s"]

    step = rate.points[1][0] - rate.points[0][0]
    assert sum(value * step for _, value in rate.points) == pytest.approx(true["requests"], rel=0.02)


def test_a_run_under_way_is_drawn_up_to_the_service_s_time_even_where_our_clock_is_behind_it(stage):
    made = stage.start("passed")
    hour_behind = stage.service(now=lambda: stage.now() - timedelta(hours=1))
    stage.until(hour_behind, made, RunStatus.RUNNING)
    stage.sandbox.advance(12)
    run = hour_behind.get_run(made.external_id)

    assert run.status == RunStatus.RUNNING
    drawn = {series.name: len(series.points) for series in hour_behind.get_details(run).series}
    assert drawn["vus"] == drawn["rate_per_s"] >= 3


def test_a_start_runs_to_its_end_and_passes(stage):
    made = stage.start("passed", values={"display_name": "Rehearsal", "description": "by the test"})
    service = stage.service()
    assert (made.external_id, made.status) == ("press-7", RunStatus.QUEUED)

    stage.until(service, made, RunStatus.RUNNING)
    stage.until(service, made, RunStatus.FINISHED)
    stage.sandbox.advance(60)

    run = service.get_run("press-7")
    assert (run.result, run.note, run.start_values["display_name"]) == (RunResult.PASSED, "by the test", "Rehearsal")
    assert run.duration_s == pytest.approx(run.planned_duration_s, abs=1)
    assert len(stage.sent("PATCH")) == 1


def test_numbers_and_verdict_come_after_the_end(stage):
    made = stage.start("late_results")
    service = stage.service()

    run = stage.until(service, made, RunStatus.FINISHED)
    details = service.get_details(run)
    assert (run.result, run.results_incomplete, details.result, details.final) == (RunResult.NONE, True, None, False)
    stage.sandbox.advance(260)

    run = service.get_run(made.external_id)
    details = service.get_details(run)
    assert (run.result, run.results_incomplete, details.final) == (RunResult.PASSED, False, True)


def test_a_run_is_repeated_as_it_was(stage):
    old = stage.one(status="DONE")
    true = stage.truth()[old]
    made = stage.service().start_step("start", stage.wish(rerun_of=old, test_external_id=true["test_external_id"]), "")

    assert stage.truth()[made.external_id]["planned_duration_s"] == true["planned_duration_s"]
    assert ["oldTestRunId", old] in stage.sent("PATCH")[0]["query"]


def test_a_stop_is_confirmed_moments_later(stage):
    made = stage.start("passed")
    service = stage.service()
    stage.until(service, made, RunStatus.RUNNING)

    service.stop(made.external_id)
    assert service.get_run(made.external_id).status == RunStatus.STOPPING
    stage.sandbox.advance(60)

    stopped = service.get_run(made.external_id)
    assert (stopped.status, stopped.stop_reason) == (RunStatus.ABORTED, StopReason.USER)
    assert stopped.result != RunResult.PASSED


def test_a_stop_of_an_ended_run_is_refused_in_a_sentence(stage):
    with pytest.raises(Refused) as caught:
        stage.service().stop(stage.one(status="DONE"))
    assert caught.value.maybe_done is False


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [("auto_stop", StopReason.AUTO_STOP), ("user", StopReason.USER), ("user_early", StopReason.USER)],
)
def test_what_ended_a_run_early_is_told(stage, outcome, reason):
    service = stage.service()
    made = stage.start(outcome)

    run = stage.until(service, made, RunStatus.ABORTED)

    assert run.stop_reason == reason
    assert (run.result == RunResult.PASSED) is False


def test_a_note_is_written_to_the_run_and_never_starts_one(stage):
    service = stage.service()
    external_id, before = stage.one(status="DONE"), len(stage.truth())

    service.set_note(external_id, "seen by the test")
    with pytest.raises(NotFound):
        service.set_note("no-such-run", "seen by the test")

    assert service.get_run(external_id).note == "seen by the test"
    assert len(stage.truth()) == before


def test_files_are_fetched_afresh_though_their_links_have_ended(stage):
    service = stage.service()
    run = service.get_run(stage.one(status="DONE", results_ready=True))
    files = [file.name for file in service.get_details(run).files]
    stage.sandbox.advance(7200)

    assert files
    for name in files:
        download = service.open_file(run.external_id, name)
        assert (download.filename, bool(b"".join(download.chunks))) == (name, True)


def test_a_token_that_has_ended_by_their_clock_is_renewed(stage):
    service = stage.service()
    runs_of(service)
    stage.sandbox.advance(4000)

    assert runs_of(service)
    assert len([row for row in stage.sent("POST") if row["path"].endswith("/token")]) == 2


def test_a_link_to_another_host_is_not_followed(stage):
    stage.tell("switches", azure_next_link_elsewhere=True)

    with pytest.raises(UnexpectedAnswer, match="another host"):
        runs_of(stage.service(page_size=5))


def test_a_wrong_secret_and_the_role_of_a_reader(stage):
    wrong = {**stage.account["credentials"], "client_secret": "none-of-its-own"}
    stage.account["wrong"] = wrong
    steps = stage.service("wrong").test_connection()
    assert [step.ok for step in steps] == [False, None, None]
    assert "AADSTS7000215" in steps[0].sentence

    reader = stage.service("read_only_credentials")
    assert reader.get_details(reader.get_run(stage.one(status="DONE", results_ready=True))).series
    with pytest.raises(Forbidden):
        reader.start_step("start", stage.wish(), "")
    with pytest.raises(Unauthorized):
        stage.service("wrong").get_run("x1")


def test_nothing_planted_is_in_any_record(stage):
    service = stage.service()
    kept = []
    for run in runs_of(service).values():
        kept.append(repr(run))
        if len(kept) < 60:
            kept.append(repr(service.get_details(run)))
    text = "\n".join(kept)
    secrets = {row["secret"] for row in stage.control.get("/__sandbox__/planted").data}
    assert stage.account["credentials"]["client_secret"] in secrets
    assert len(secrets) > 50
    for secret in secrets:
        for form in (secret, quote(secret, safe=""), b64encode(secret.encode()).decode()):
            assert form not in text


# -- through the sync --------------------------------------------------------------------------------------------------


class Mirror:
    """An account that is synced from the stage, both on one clock."""

    def __init__(self, stage, clock):
        self.stage, self.clock = stage, clock
        given = stage.account
        self.account = make_account("Harbour", provider="azure", base_url=given["base_url"])
        self.account.seal_credentials(given["credentials"])
        self.account.save()

    def sync(self, **options):
        report = sync_account(self.account, details_budget=2, waits=(), **options)
        assert report.error == ""
        return report

    def advance(self, seconds):
        self.stage.sandbox.advance(seconds)
        self.clock.shift(seconds)

    def press(self, token):
        test = self.account.load_tests.first()
        values = {"display_name": "", "description": "by a press"}
        wish = {"load_test": test, "values": values, "reason": "", "token": token}
        return actions.start_run(user=make_user("operator", "maya"), account=self.account, **wish)


@pytest.fixture
def mirror(stage, settings, db):
    settings.AZURE_LOGIN_URL = stage.account["login_url"]
    with time_machine.travel(stage.now(), tick=False) as clock:
        yield Mirror(stage, clock)


def test_a_full_sync_in_small_pages_is_the_truth_and_keeps_no_link(mirror, stage):
    mirror.sync(page_size=7)

    truth = stage.truth()
    rows = {run.external_id: run for run in Run.objects.select_related("load_test")}
    assert {key: run.provider_status for key, run in rows.items()} == {key: row["status"] for key, row in truth.items()}
    assert {key: run.load_test.name for key, run in rows.items()} == {key: row["test"] for key, row in truth.items()}
    assert RunFile.objects.exists()
    kept = repr(list(RunPayload.objects.values_list("payload", flat=True)))
    for never in ("sig=", "blob.core.windows.net", "blob.storage.azure.net", "/__blobs__/"):
        assert never not in kept


def test_a_press_starts_one_run_with_the_id_it_noted(mirror, stage):
    mirror.sync()
    token = uuid4()
    intent = mirror.press(token)

    assert (intent.outcome, intent.run.external_id) == (IntentOutcome.DONE, str(token))
    assert stage.truth()[str(token)]["note"] == "by a press"
    assert len(stage.sent("PATCH")) == 1


@pytest.mark.parametrize("arrives", [True, False])
def test_a_press_whose_answer_is_lost_is_told_for_certain(mirror, stage, arrives):
    mirror.sync()
    token, before = uuid4(), len(stage.truth())
    fault = "kind=lost" if arrives else "kind=503"
    stage.tell("faults", faults=[f"{fault},method=PATCH,path=/test-runs/,times=1"])
    intent = mirror.press(token)
    assert (intent.outcome, intent.external_id) == (IntentOutcome.SENT, str(token))

    mirror.advance(5)
    mirror.sync()
    intent.refresh_from_db()
    assert (intent.outcome, intent.run is not None) == (
        (IntentOutcome.DONE, True) if arrives else (IntentOutcome.SENT, False)
    )
    mirror.advance(LIST_LAG.total_seconds() + 5)
    mirror.sync()
    intent.refresh_from_db()
    assert intent.outcome == (IntentOutcome.DONE if arrives else IntentOutcome.NOT_STARTED)
    assert len(stage.truth()) == before + arrives
    assert len(stage.sent("PATCH")) == 1


def test_results_that_come_late_are_waited_for_and_no_longer_than_five_minutes(mirror, stage):
    mirror.sync()
    for outcome in ("late_results", "results_after_hours"):
        stage.start(outcome, token=outcome.replace("_", "-"))
    runs = Run.objects.filter(external_id__in=("late-results", "results-after-hours"))
    ends = [stage.sandbox.store.runs["azure"][key].dates["ended"] for key in ("late-results", "results-after-hours")]
    mirror.advance((max(ends) - stage.sandbox.clock.now()) / 1_000_000 + 1)
    mirror.sync()
    assert {(run.status, run.result, run.details_at, run.results_incomplete) for run in runs} == {
        ("finished", "none", None, True)
    }

    for seconds in (270, 60):
        mirror.advance(seconds)
        mirror.sync()
    late, never = runs.order_by("external_id")
    assert (late.result, late.results_incomplete, late.details_again_at) == ("passed", False, None)
    assert late.p95_ms
    assert (never.result, never.results_incomplete, bool(never.details_at)) == ("none", True, True)

    mirror.advance(7200)
    mirror.sync(full=True)
    never.refresh_from_db()
    assert (never.result, never.results_incomplete, never.p95_ms is not None) == ("failed", False, True)
