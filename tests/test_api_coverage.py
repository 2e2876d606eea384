"""Every endpoint, parameter and value of the two manuals is sent by a service, or read by it: docs/api-coverage.md.

Each test proves some rows of the document from what the sandbox's ledger saw. `make api-coverage` writes it anew.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runs.sandbox.server import Sandbox
from runs.services.azure import AzureService
from runs.services.base import Refused, RemoteRun, StartWish
from runs.services.http import Http, parse_time
from runs.services.k6 import K6Service
from runs.services.k6_legacy import K6LegacyService
from runs.services.vsts import VstsService
from tests import api_calls
from tests.api_calls import CALL, DOCUMENT, DOCUMENTED, PLATFORMS, PROCESSING_STATUS, RESULT_STATUS, RUN_STATUS, Row

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WRITING = os.environ.get("API_COVERAGE") == "write"
START, STOP = "Start load test run", "Stop load test run"
READ, READ_V5 = "Read load test run", "Read load test run, v5"
LIST, LIST_V5 = "List load test runs", "List load test runs, v5"
V6_RUNS = "List test runs"
VSTS_LIST, ERRORS, CREATE = "Get a list of test runs", "Errors", "Create a test run"


class Stage:
    """A sandbox with a clock moved by hand, a service for one of its accounts, and what was proved with them."""

    provider = ""

    def __init__(self, sandbox: Sandbox, prove: Callable[[list[Row]], None], test: str):
        self.sandbox, self.test, self._prove = sandbox, test, prove
        self.control = Http(sandbox.url, provider="Sandbox", hosts=(), extra_hosts=("127.0.0.1",))
        self.token = self.control.get("/__sandbox__/credentials").data[self.provider]["credentials"]
        self.truth = {row["external_id"]: row for row in self._ask("truth", provider=self.provider)["runs"]}

    def _ask(self, what: str, **params: str) -> dict:
        return self.control.get(f"/__sandbox__/{what}", params).data

    def tell(self, what: str, **body: object) -> None:
        self.control.send("POST", f"/__sandbox__/{what}", json=body)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.clock.now() / 1_000_000, UTC)

    def one(self, **values: object) -> str:
        """The id of the first run made with these values."""
        return next(external_id for external_id, row in self.truth.items() if values.items() <= row.items())

    def proves(self, items: dict[str, list[str]], **seen: str) -> None:
        """Compare the document's rows of this test with what the ledger has seen of each item. Called once, last.

        `seen` holds by item what an answer showed, for the values of answers.
        """
        requests = self._ask("ledger")["requests"]
        self._prove(
            [
                Row(title, item, seen.get(item) or api_calls.evidence(title, item, requests), self.test)
                for title, names in items.items()
                for item in names
            ]
        )


class K6(Stage):
    provider = "k6-legacy"

    def service(self, **options: object) -> K6LegacyService:
        options = {"extra_hosts": ("127.0.0.1",), "waits": (0, 0), "sleep": self.wait, **options}
        return K6LegacyService(self.sandbox.url, self.token, **options)

    def wait(self, seconds: float) -> None:
        """A minute of the sandbox for every second the service waits."""
        self.sandbox.advance(seconds * 60)

    def started(self, outcome: str) -> RemoteRun:
        """A run started just now that will end that way."""
        self.tell("outcome", provider=self.provider, outcome=outcome)
        test = next(iter(self.truth.values()))["test_external_id"]
        wish = StartWish(test_external_id=test, test_name="", values={}, token="")
        return self.service().start_step("start", wish, "")

    def read_when(self, run: RemoteRun, run_status: int, processing_status: int) -> RemoteRun:
        """The run, read at the moment it has come to these two."""
        life = self.sandbox.store.runs[self.provider][run.external_id]
        moment = next(when for when, *states in life.steps if states == [run_status, processing_status])
        self.sandbox.advance((moment - self.sandbox.clock.now()) / 1_000_000 + 0.001)
        return self.service().get_run(run.external_id)


class K6V6(Stage):
    provider = "k6"

    def service(self, **options: object) -> K6Service:
        options = {"extra_hosts": ("127.0.0.1",), "waits": (0, 0), **options}
        return K6Service(self.sandbox.url, self.token, **options)

    def wish(self) -> StartWish:
        run = self.truth[self.one(status="completed")]
        return StartWish(test_external_id=run["test_external_id"], test_name=run["test"], values={}, token="press-1")


class Azure(Stage):
    provider = "azure"

    def service(self, **options: object) -> AzureService:
        options = {"extra_hosts": ("127.0.0.1",), "waits": (0, 0), "now": self.now, **options}
        return AzureService(self.sandbox.url, self.token, login_url=self.sandbox.url, **options)


class Vsts(Stage):
    provider = "vsts"
    account = "harbour"

    def service(self, **options: object) -> VstsService:
        options = {"extra_hosts": ("127.0.0.1",), "waits": (0, 0), "now": self.now, **options}
        return VstsService(f"{self.sandbox.url}/{self.account}", self.token, **options)

    def modified(self, row: dict) -> datetime:
        return max(
            parse_time(row[name]) for name in ("created", "queued", "started", "load_started", "ended") if row[name]
        )

    def wish(self, **values: str) -> StartWish:
        model = self.service().get_run(self.one(state="completed"))
        values = {**model.start_values, **values}
        return StartWish(
            test_external_id=model.test_external_id, test_name=values["name"], values=values, token="press"
        )


@pytest.fixture(scope="module")
def written() -> Iterator[list[Row]]:
    """The rows proved so far; with API_COVERAGE=write they become the document."""
    rows: list[Row] = []
    yield rows
    if WRITING:
        DOCUMENT.write_text(api_calls.render(rows), encoding="utf-8")


@pytest.fixture
def prove(request: pytest.FixtureRequest, written: list[Row]) -> Callable[[list[Row]], None]:
    def compare(rows: list[Row]) -> None:
        written.extend(rows)
        if not WRITING:
            documented = api_calls.parse(DOCUMENT.read_text(encoding="utf-8"))
            of_this_test = [row for row in documented if row.test == request.node.name]
            assert Counter(of_this_test) == Counter(rows), "docs/api-coverage.md is out of date: make api-coverage"

    return compare


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=5, tests=8, runs=120, speed=1, clock=NOON.timestamp) as sandbox:
        yield sandbox


@pytest.fixture
def k6(sandbox: Sandbox, prove: Callable, request: pytest.FixtureRequest) -> K6:
    return K6(sandbox, prove, request.node.name)


@pytest.fixture
def k6_v6(sandbox: Sandbox, prove: Callable, request: pytest.FixtureRequest) -> K6V6:
    return K6V6(sandbox, prove, request.node.name)


@pytest.fixture
def azure(prove: Callable, request: pytest.FixtureRequest) -> Iterator[Azure]:
    with Sandbox(seed=5, tests=2, runs=12, speed=1, clock=NOON.timestamp, providers=("azure",)) as sandbox:
        yield Azure(sandbox, prove, request.node.name)


@pytest.fixture
def vsts(sandbox: Sandbox, prove: Callable, request: pytest.FixtureRequest) -> Vsts:
    return Vsts(sandbox, prove, request.node.name)


# -- Grafana Cloud k6 --------------------------------------------------------------------------------------------------


def test_k6_start(k6: K6):
    assert k6.started("passed").provider_status == "CREATED"
    k6.proves({START: [CALL, "path id"]})


def test_k6_stop(k6: K6):
    external_id = k6.one(run_status=2)
    k6.service().stop(external_id)
    k6.sandbox.advance(600)
    assert k6.service().get_run(external_id).status == "aborted"
    k6.proves({STOP: [CALL, "path id"]})


def test_k6_read(k6: K6):
    external_id = k6.one(run_status=3)
    assert k6.service().get_run(external_id).external_id == external_id
    k6.proves({READ: [CALL, "path id"]})


def test_k6_read_some_fields(k6: K6):
    """What may be downloaded of a run is asked for by name."""
    download = k6.service().open_archive(k6.one(run_status=3, processing_status=2))
    assert b"".join(download.chunks).startswith(b"metric_name")
    k6.proves({READ: ["query $select"]})


def test_k6_read_v5(k6: K6):
    """The newer address is asked where the older one does not know a run."""
    external_id = k6.one(run_status=3)
    k6.tell("fail", path_contains="/loadtests/v2/runs/", status=404)
    assert k6.service().get_run(external_id).external_id == external_id
    k6.proves({READ_V5: [CALL, "path id", "query $select"]})


def test_k6_list_of_a_test(k6: K6):
    """The older list is read where the newer address is closed."""
    k6.tell("fail", path_contains="/cloud/v5/load_tests", times=1000, status=404)
    found = [run.external_id for page in k6.service().iter_runs(None) for run in page.runs]
    assert sorted(found) == sorted(k6.truth)
    k6.proves({LIST: [CALL, "query test_id", "query $select"]})


def test_k6_list_of_some_runs(k6: K6):
    test = k6.truth[k6.one(run_status=2)]["test_external_id"]
    ids = [external_id for external_id, row in k6.truth.items() if row["test_external_id"] == test][:3]
    assert sorted(run.external_id for run in k6.service().get_runs(ids, test)) == sorted(ids)
    k6.proves({LIST: ["query ids[]"]})


def test_k6_list_of_a_shared_run(k6: K6):
    external_id = k6.one(run_status=3)
    k6.sandbox.store.runs["k6-legacy"][external_id].made["public_id"] = "ab12cd34"
    assert k6.service().find_shared("ab12cd34").external_id == external_id
    k6.proves({LIST: ["query public_id"]})


def test_k6_list_v5(k6: K6):
    found = [run.external_id for page in k6.service(page_size=10).iter_runs(None) for run in page.runs]
    assert sorted(found) == sorted(k6.truth)
    sent = ["$select", "$orderby", "$top", "$skip", "$count"]
    k6.proves({LIST_V5: [CALL, "path loadTestId", *(f"query {name}" for name in sent)]})


def test_k6_list_v5_of_what_is_new(k6: K6):
    service = k6.service()
    held = [run for page in service.iter_runs(None) for run in page.runs]
    newest = {run.test_external_id: run.external_id for run in sorted(held, key=lambda run: int(run.external_id))}
    started = k6.started("passed")
    since = k6.now() - timedelta(minutes=1)
    found = [run.external_id for page in service.iter_runs(since, None, newest) for run in page.runs]
    assert started.external_id in found
    assert len(found) < len(held) / 4
    k6.proves({LIST_V5: ["query $filter"]})


# The outcome that leads a started run through each value, and the processing_status it has there.
BY_RUN_STATUS = {
    -2: ("passed", 0),
    -1: ("passed", 0),
    0: ("passed", 0),
    1: ("passed", 0),
    2: ("passed", 0),
    3: ("passed", 2),
    4: ("timed_out", 3),
    5: ("user", 2),
    6: ("system", 2),
    7: ("script_error", 2),
    8: ("threshold", 2),
    9: ("limit", 2),
}


def shown(run: RemoteRun) -> str:
    """The three numbers of an answer, and what became of them."""
    names = ("run_status", "processing_status", "result_status")
    answered = ", ".join(f"{json.dumps(name)}: {run.payload[name]}" for name in names)
    return f"{answered} → {run.status}, {run.result}" + (", results incomplete" if run.results_incomplete else "")


@pytest.mark.parametrize("value", RUN_STATUS)
def test_k6_run_status(k6: K6, value: int):
    outcome, processing = BY_RUN_STATUS[value]
    run = k6.read_when(k6.started(outcome), value, processing)
    word, status, *results = RUN_STATUS[value]
    assert (run.payload["run_status"], run.provider_status, run.status) == (value, word, status)
    assert run.result == results[run.payload["result_status"]]
    item = f"value run_status {value} {word}"
    k6.proves({READ: [item]}, **{item: shown(run)})


@pytest.mark.parametrize(("outcome", "value"), [("user_failed", 5), ("system_failed", 6), ("threshold", 8)])
def test_a_broken_threshold_of_a_run_that_was_aborted_is_a_failure(k6: K6, outcome: str, value: int):
    run = k6.read_when(k6.started(outcome), value, 2)
    assert run.payload["result_status"] == 1
    assert run.result == RUN_STATUS[value][3] == "failed"


@pytest.mark.parametrize("value", PROCESSING_STATUS)
def test_k6_processing_status(k6: K6, value: int):
    run = k6.read_when(k6.started("incomplete" if value == 3 else "passed"), 3, value)
    word, status, incomplete = PROCESSING_STATUS[value]
    assert run.payload["processing_status"] == value
    assert (run.provider_substatus, run.status, run.results_incomplete) == (word, status, incomplete)
    item = f"value processing_status {value} {word}"
    k6.proves({READ: [item]}, **{item: shown(run)})


@pytest.mark.parametrize("value", RESULT_STATUS)
def test_k6_result_status(k6: K6, value: int):
    run = k6.read_when(k6.started("failed" if value else "passed"), 3, 2)
    word, result = RESULT_STATUS[value]
    assert (run.payload["result_status"], run.provider_result, run.result) == (value, word, result)
    item = f"value result_status {value} {word}"
    k6.proves({READ: [item]}, **{item: shown(run)})


# -- Grafana Cloud k6, v6 ----------------------------------------------------------------------------------------------


def everything_of(*titles: str) -> dict[str, list[str]]:
    """All that is documented of these endpoints."""
    return {title: [item for of, item in DOCUMENTED if of == title] for title in titles}


def test_k6_v6_lists(k6_v6: K6V6):
    service = k6_v6.service(page_size=2)
    tests = [test for page in service.iter_tests() for test in page]
    assert {test.external_id for test in tests} >= {row["test_external_id"] for row in k6_v6.truth.values()}
    found = [run.external_id for page in service.iter_runs(None) for run in page.runs]
    assert sorted(found) == sorted(k6_v6.truth)
    assert [schedule for page in service.iter_schedules() for schedule in page]
    assert service.facts()
    titles = ("List projects", "List load tests", V6_RUNS, "List schedules", "List project limits", "List load zones")
    k6_v6.proves(everything_of(*titles))


def test_k6_v6_control(k6_v6: K6V6):
    service = k6_v6.service()
    run = service.start_step("start", k6_v6.wish(), "")
    k6_v6.sandbox.advance(60)
    service.stop(run.external_id)
    k6_v6.sandbox.advance(600)
    assert service.get_run(run.external_id).stop_reason == "user"
    k6_v6.proves(everything_of("Start a load test", "Abort a test run", "Read a test run"))


def test_k6_v6_notes_stars_and_scripts(k6_v6: K6V6):
    service, external_id = k6_v6.service(), k6_v6.one(status="completed")
    service.set_note(external_id, "slow since Monday")
    service.set_star(external_id, True)
    assert (service.get_run(external_id).note, service.get_run(external_id).starred) == ("slow since Monday", True)
    service.set_star(external_id, False)
    for script in (service.open_script(run=external_id), service.open_script(test=k6_v6.wish().test_external_id)):
        assert b"".join(script.chunks)
    titles = ("Change a test run", "Star a test run", "Unstar a test run", "Script of a test run")
    k6_v6.proves(everything_of(*titles, "Script of a load test"))


def test_k6_v6_costs_and_schedules(k6_v6: K6V6):
    service = k6_v6.service()
    assert service.estimate(k6_v6.wish()) > 0
    schedules = [schedule for page in service.iter_schedules() for schedule in page]
    on, off = (next(one for one in schedules if one.active is active and one.next_run_at) for active in (True, False))
    over = next(one for one in schedules if one.next_run_at is None)
    service.set_schedule(on.external_id, False)
    service.set_schedule(off.external_id, True)
    with pytest.raises(Refused, match="This schedule is over"):
        service.set_schedule(over.external_id, True)
    titles = ("Validate options", "Activate a schedule", "Deactivate a schedule", "Read a schedule")
    k6_v6.proves(everything_of(*titles, "List test runs of a load test"))


# -- Azure Load Testing ------------------------------------------------------------------------------------------------


def test_azure_lists(azure: Azure):
    service = azure.service()
    assert {test.external_id for tests in service.iter_tests() for test in tests}
    assert {run.external_id for page in service.iter_runs(None) for run in page.runs} == set(azure.truth)
    tests = sorted({row["test_external_id"] for row in azure.truth.values()})
    assert service.find_runs(test_ids=tests, statuses=["DONE", "CANCELLED"], since=NOON - timedelta(3650), until=NOON)
    filters = ["testIds", "status", "executionFrom", "executionTo"]
    names = ["orderby", "maxpagesize", *filters, "api-version"]
    azure.proves(
        {
            "List Tests": [CALL, "query orderby", "query maxpagesize"],
            "List Test Runs": [CALL, *(f"query {name}" for name in names)],
        }
    )


def test_azure_control(azure: Azure):
    """A run is started, and repeated, by a PATCH of an id of our own; a PATCH of a known one changes it."""
    service, test = azure.service(), next(iter(azure.truth.values()))
    wish = StartWish(
        test_external_id=test["test_external_id"],
        test_name=test["test"],
        values={"description": "why"},
        token="press-1",
    )
    old = service.start_step("start", wish, "").external_id
    run = service.start_step("start", replace(wish, token="press-2", rerun_of=old), "")
    service.set_note(run.external_id, "seen")
    assert service.get_run(run.external_id).note == "seen"
    service.stop(run.external_id)
    start = [CALL, "path testRunId", "query oldTestRunId", "body testId", "body displayName", "body description"]
    azure.proves(
        {
            "Get Test Run": [CALL, "path testRunId"],
            "Create Or Update Test Run, of a new id": start,
            "Create Or Update Test Run, of a known id": [CALL, "path testRunId", "body description"],
            "Stop": [CALL, "path testRunId"],
        }
    )


def test_azure_metrics(azure: Azure):
    service = azure.service()
    assert service.get_details(service.get_run(azure.one(status="DONE"))).series
    names = ["metricname", "metricNamespace", "timespan", "interval", "aggregation"]
    azure.proves(
        {
            "List Metric Definitions": [CALL, "path testRunId", "query metricNamespace"],
            "List Metrics": [CALL, "path testRunId", *(f"query {name}" for name in names)],
        }
    )


# -- VSTS Cloud Load Test ----------------------------------------------------------------------------------------------


def ids(runs: list[RemoteRun]) -> set[str]:
    return {run.external_id for run in runs}


def test_vsts_list(vsts: Vsts):
    assert ids(vsts.service().find_runs()) == set(vsts.truth)
    vsts.proves({VSTS_LIST: [CALL, "path account"]})


def test_vsts_list_by_name(vsts: Vsts):
    name = next(iter(vsts.truth.values()))["test"]
    found = vsts.service().find_runs(name=name)
    assert ids(found) == {external_id for external_id, row in vsts.truth.items() if row["test"] == name}
    assert len(found) < len(vsts.truth)
    vsts.proves({VSTS_LIST: ["query name"]})


def test_vsts_list_by_person(vsts: Vsts):
    service = vsts.service()
    by_person = Counter(row["requested_by"] for row in vsts.truth.values())
    assert len(by_person) > 1
    for person, count in by_person.items():
        assert len(service.find_runs(requested_by=person)) == count
    vsts.sandbox.store.ledger.clear()
    me = service.whoami().name
    assert len(service.find_runs(requested_by="@Me")) == len(service.find_runs(requested_by=me)) == by_person[me]
    vsts.proves({VSTS_LIST: ["query requestedBy"]})


def test_vsts_list_by_status(vsts: Vsts):
    """By every word the service has for where a run is in its life."""
    service = vsts.service()
    by_state = Counter(row["state"] for row in vsts.truth.values())
    for state in ("pending", "queued", "inProgress", "stopping", "completed", "aborted", "error"):
        found = service.find_runs(status=state)
        assert {run.provider_status for run in found} <= {state}
        assert len(found) == by_state[state]
    vsts.proves({VSTS_LIST: ["query status"]})


def test_vsts_list_by_date(vsts: Vsts):
    """By when the runs were last modified: the later half, and the earlier one."""
    service = vsts.service()
    times = sorted(vsts.modified(row) for row in vsts.truth.values() if row["ended"])
    middle = times[len(times) // 2]
    later, earlier = service.find_runs(since=middle), service.find_runs(until=middle)
    assert ids(later) | ids(earlier) == set(vsts.truth)
    assert not ids(later) & ids(earlier)
    assert all(run.ended_at <= middle for run in earlier if run.ended_at)
    assert all(run.ended_at > middle for run in later if run.ended_at)
    vsts.proves({VSTS_LIST: ["query fromDate", "query toDate"]})


def test_vsts_list_detailed_or_not(vsts: Vsts):
    service = vsts.service()
    whole, short = service.find_runs(), service.find_runs(detailed=False)
    assert ids(whole) == ids(short)
    assert any(run.start_values["test_drop_id"] for run in whole)
    assert not any(run.start_values["test_drop_id"] for run in short)
    vsts.proves({VSTS_LIST: ["query detailed"]})


def test_vsts_list_up_to_a_number(vsts: Vsts):
    assert len(vsts.service(page_size=7).find_runs()) == 7
    vsts.proves({VSTS_LIST: ["query top"]})


def test_vsts_get(vsts: Vsts):
    external_id = vsts.one(state="completed")
    assert vsts.service().get_run(external_id).external_id == external_id
    vsts.proves({"Get a test run": [CALL, "path account", "path testRunId"]})


def test_vsts_results(vsts: Vsts):
    external_id = next(key for key, row in vsts.truth.items() if row["state"] == "completed" and "load" in row["test"])
    assert b"".join(vsts.service().open_archive(external_id).chunks)
    vsts.proves({"Get test run results": [CALL, "path account", "path testRunId"]})


def with_errors(vsts: Vsts) -> str:
    """The run with errors of the most types."""
    return max(vsts.truth, key=lambda external_id: len(vsts.truth[external_id]["errors"]))


def test_vsts_errors(vsts: Vsts):
    service, external_id = vsts.service(), with_errors(vsts)
    detailed, counted = service.get_errors(external_id), service.get_errors(external_id, detailed=False)
    assert any(error.stack_trace for error in detailed)
    assert not any(error.message or error.stack_trace for error in counted)
    for errors in (detailed, counted):
        occurrences = Counter()
        for error in errors:
            occurrences[error.type] += error.occurrences
        assert occurrences == vsts.truth[external_id]["errors"]
    vsts.proves({ERRORS: [CALL, "path account", "path testRunId", "query detailed"]})


def test_vsts_errors_of_a_type_and_subtype(vsts: Vsts):
    service, external_id = vsts.service(), with_errors(vsts)
    every = service.get_errors(external_id)
    kind, subtype = next((error.type, error.subtype) for error in every if error.stack_trace)
    of_type = service.get_errors(external_id, type=kind)
    assert of_type == [error for error in every if error.type == kind]
    assert len(of_type) < len(every)
    of_subtype = service.get_errors(external_id, type=kind, subtype=subtype)
    assert of_subtype == [error for error in of_type if error.subtype == subtype]
    vsts.proves({ERRORS: ["query type", "query subtype"]})


def test_vsts_messages(vsts: Vsts):
    service, external_id = vsts.service(), vsts.one(state="completed")
    details = service.get_details(service.get_run(external_id))
    assert len(details.messages) == vsts.truth[external_id]["messages"] > 0
    vsts.proves({"Messages": [CALL, "path account", "path testRunId"]})


def test_vsts_create(vsts: Vsts):
    values = {
        "name": "spring sale.loadtest",
        "description": "after the cache change",
        "setup_command": "prepare.cmd",
        "cleanup_command": "tidy.cmd",
        "host_process_platform": "x86",
    }
    service = vsts.service()
    made = service.start_step("create", vsts.wish(**values), "")
    run = service.get_run(made.external_id)
    assert run.provider_status == "pending"
    assert run.start_values.items() >= values.items()
    body = ("name", "description", "testDrop.id")
    settings = ("cleanupCommand", "hostProcessPlatform", "setupCommand")
    sent = [f"body {name}" for name in body] + [f"body testSettings.{name}" for name in settings]
    vsts.proves({CREATE: [CALL, "path account", *sent]})


@pytest.mark.parametrize("platform", PLATFORMS)
def test_vsts_create_on_a_platform(vsts: Vsts, platform: str):
    service = vsts.service()
    made = service.start_step("create", vsts.wish(host_process_platform=platform), "")
    assert service.get_run(made.external_id).start_values["host_process_platform"] == platform
    [sent] = [row for row in vsts.sandbox.store.ledger.rows() if row["method"] == "POST"]
    seen = f'"hostProcessPlatform": {json.dumps(sent["body"]["testSettings"]["hostProcessPlatform"])}'
    item = f"value hostProcessPlatform {platform}"
    vsts.proves({CREATE: [item]}, **{item: seen})


def test_vsts_start(vsts: Vsts):
    service, wish = vsts.service(), vsts.wish()
    vsts.tell("outcome", provider="vsts", outcome="completed")
    made = service.start_step("create", wish, "")
    service.start_step("queue", wish, made.external_id)
    assert service.get_run(made.external_id).provider_status == "queued"
    vsts.proves({"Start a test run": [CALL, "path account", "path testRunId", "body state"]})


def test_vsts_stop(vsts: Vsts):
    service, external_id = vsts.service(), vsts.one(state="inProgress")
    service.stop(external_id)
    vsts.sandbox.advance(600)
    assert service.get_run(external_id).status == "aborted"
    vsts.proves({"Stop a test run": [CALL, "path account", "path testRunId", "body state"]})


# -- the document itself -----------------------------------------------------------------------------------------------


@pytest.fixture
def document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def test_the_document_has_exactly_one_row_for_everything_documented(document: str):
    rows = Counter((row.endpoint, row.item) for row in api_calls.parse(document))
    assert rows == dict.fromkeys(DOCUMENTED, 1)


def test_the_document_is_what_would_be_written_of_its_rows(document: str):
    """With each test's rows compared by that test, this makes the whole of it what `make api-coverage` would write."""
    assert api_calls.render(api_calls.parse(document)) == document


def test_the_document_names_tests_of_this_module(document: str):
    assert {row.test.partition("[")[0] for row in api_calls.parse(document)} <= globals().keys()


def test_the_document_s_evidence_is_a_request_and_nothing_less():
    request = {
        "method": "GET",
        "path": "/loadtests/v2/runs",
        "query": [["test_id", "3535"]],
        "body": None,
        "status": 200,
    }
    assert api_calls.evidence(LIST, "query test_id", [request]) == "test_id={number}"
    with pytest.raises(AssertionError, match="No request shows query public_id"):
        api_calls.evidence(LIST, "query public_id", [request])
    with pytest.raises(AssertionError, match="No request shows query test_id"):
        api_calls.evidence(LIST, "query test_id", [{**request, "status": 403}])
