"""Locust's web interface, old and new: which run is which, what is read of it, what is sent."""

import json
from datetime import timedelta

import pytest

from runs.choices import ENDED, RunResult, RunStatus
from runs.services import locust
from runs.services.base import NotFound, Refused, StartWish, Unauthorized, Unavailable, UnexpectedAnswer
from runs.services.locust_pages import read_front, seconds_of

from .locust_stand_in import CLASSIC, MODERN, NEW, NOON, PASSWORD, TRACE, USERNAME, Fault, locust_stand_in

every_shape = pytest.mark.parametrize("shape", [NEW, MODERN, CLASSIC])
VALUES = {"users": "20", "spawn_rate": "2.5", "host": "http://shop.example", "run_time": "90s"}


@pytest.fixture
def shape():
    return NEW


@pytest.fixture
def stand_in(shape):
    with locust_stand_in(shape=shape) as stand_in:
        yield stand_in


def wish(**values):
    return StartWish(test_external_id="locustfile", test_name="Buyer", values={**VALUES, **values}, token="t")


def listed(stand_in):
    return [run for page in stand_in.service().iter_runs(None) for run in page.runs]


def asked(stand_in, method):
    return [(row["path"], row["body"]) for row in stand_in.log if row["method"] == method]


# -- what is read ------------------------------------------------------------------------------------------------------


@every_shape
def test_a_locust_that_has_run_nothing_has_a_load_test_and_no_run(stand_in):
    [[test]] = stand_in.service().iter_tests()
    assert (test.external_id, test.name) == ("locustfile", "Buyer, Browser")
    assert listed(stand_in) == []


@every_shape
def test_a_run_under_way_is_named_after_its_beginning(stand_in):
    stand_in.begin()
    stand_in.clock += timedelta(seconds=20)
    [run] = listed(stand_in)
    assert (run.external_id, run.status, run.result) == ("2026-06-01T12:00:00Z", RunStatus.RUNNING, RunResult.NONE)
    assert (run.created_at, run.load_started_at, run.ended_at, run.virtual_users) == (NOON, NOON, None, 10)
    assert (run.provider_status, run.test_name) == ("running", "Buyer, Browser")
    assert stand_in.service().get_run(run.external_id) == run


@every_shape
def test_a_run_that_ended_says_how_long_its_load_was(stand_in):
    stand_in.begin(state="stopped")
    [run] = listed(stand_in)
    assert (run.status, run.duration_s, run.end_unexplained) == (RunStatus.FINISHED, 10.0, True)
    assert run.load_ended_at == run.ended_at == NOON + timedelta(seconds=10)


@every_shape
def test_numbers_failures_and_exceptions_are_those_of_its_downloads(stand_in):
    stand_in.begin()
    service = stand_in.service()
    details = service.get_details(service.get_run("2026-06-01T12:00:00Z"))
    whole, pay, buy = details.metrics
    assert (whole.kind, pay.name, buy.name) == ("run", "GET /pay", "POST /buy")
    assert dict(whole.numbers) == {
        "count": 100, "failed": 8, "error_rate": 0.08, "rate_per_s": 10.0, "peak_rate_per_s": 9.5, "max_vus": 10,
        "min_ms": 3.25, "avg_ms": 52.5, "median_ms": 40, "p90_ms": 90, "p95_ms": 240, "p99_ms": 245, "max_ms": 480,
    }  # fmt: skip
    failure, exception = details.errors
    assert (failure.type, failure.subtype, failure.occurrences) == ("Failures", "GET /pay", 8)
    assert failure.message == "HTTPError('500 Server Error <b> for url: /pay')"
    assert (exception.type, exception.subtype, exception.occurrences) == ("Exceptions", "pay in lf.py", 3)
    assert (exception.message, exception.stack_trace) == ('no "stock" <left>', TRACE)


@every_shape
def test_its_history_becomes_charts_to_be_added_to(stand_in):
    stand_in.begin()
    stand_in.clock += timedelta(seconds=15)
    service = stand_in.service()
    series = {row.name: row for row in service.get_details(service.get_run("2026-06-01T12:00:00Z")).series}
    assert list(series["vus"].points) == [(4.0, 10.0), (9.0, 10.0), (14.0, 10.0)]
    assert list(series["p95_ms"].points) == [(4.0, 240.0), (9.0, 240.0), (14.0, 240.0)]
    assert (14.0, 0.5) in series["errors_per_s"].points
    assert all(row.added for row in series.values())


@pytest.mark.parametrize("shape", [MODERN, CLASSIC])
def test_a_history_that_tells_no_days_goes_over_midnight(stand_in):
    stand_in.clock = NOON.replace(hour=23, minute=59, second=50)
    stand_in.begin()
    stand_in.clock += timedelta(seconds=16)
    service = stand_in.service()
    [run] = listed(stand_in)
    vus = next(row for row in service.get_details(run).series if row.name == "vus")
    assert [at for at, _ in vus.points] == [4.0, 9.0, 14.0]


def test_a_word_nobody_knows_is_unknown(stand_in):
    stand_in.begin(state="dancing")
    [run] = listed(stand_in)
    assert (run.status, run.provider_status) == (RunStatus.UNKNOWN, "dancing")


def test_a_page_that_is_none_of_locusts_is_told(stand_in):
    with pytest.raises(UnexpectedAnswer, match="not the start page of Locust"):
        read_front("<html>Welcome to nginx!</html>", NOON)


def test_odd_values_are_left_out(stand_in):
    page = (
        'window.templateArgs = {"state": "running", "history": [7, {"time": "25:99:99"}, {"time": null}, '
        '{"time": "2026-06-01T11:59:00Z", "user_count": ["x", "many"], "current_rps": []}], "num_users": "?", '
        '"run_time": {}, "available_user_classes": [null, "A"]}'
    )
    front = read_front(page, NOON)
    assert (front.users, front.run_time_s, front.classes) == (None, None, ("A",))
    assert [(moment.at, dict(moment.numbers)) for moment in front.history] == [(NOON - timedelta(minutes=1), {})]


def test_what_has_run_and_only_raised_is_a_run_all_the_same(stand_in):
    stand_in.begin(state="stopped", requests=[])
    assert [run.ended_at for run in listed(stand_in)] == [NOON + timedelta(seconds=14)]


# -- which run is which ------------------------------------------------------------------------------------------------


@every_shape
def test_a_run_keeps_its_name_and_its_report_is_read_once(stand_in):
    stand_in.begin()
    names = set()
    for _ in range(4):
        stand_in.clock += timedelta(seconds=5)
        stand_in.moments += 1
        names |= {run.external_id for run in listed(stand_in)}
    stand_in.state = "stopped"
    names |= {run.external_id for run in listed(stand_in)}
    assert len(names) == 1
    assert [path for path, _ in asked(stand_in, "GET")].count("/stats/report") == 1


@every_shape
def test_a_start_elsewhere_is_another_run_and_the_last_one_is_not_known_any_more(stand_in):
    stand_in.begin(state="stopped")
    [first] = listed(stand_in)
    stand_in.clock += timedelta(seconds=30)
    stand_in.begin()
    [second] = listed(stand_in)
    assert second.external_id == "2026-06-01T12:00:30Z"
    with pytest.raises(NotFound):
        stand_in.service().get_run(first.external_id)
    assert stand_in.service().get_runs([first.external_id, second.external_id]) == [second]


@every_shape
def test_a_reset_of_the_statistics_begins_another_run_only_where_load_goes_on(stand_in):
    stand_in.begin()
    [first] = listed(stand_in)
    stand_in.clock += timedelta(seconds=60)
    stand_in.reset()
    [second] = listed(stand_in)
    assert (first.external_id, second.external_id) == ("2026-06-01T12:00:00Z", "2026-06-01T12:01:00Z")
    stand_in.state = "stopped"
    assert listed(stand_in) == []


def test_a_restarted_locust_knows_nothing_of_what_was_before(stand_in):
    stand_in.begin()
    [run] = listed(stand_in)
    stand_in.state, stand_in.began, stand_in.requests, stand_in.exceptions = "ready", None, [], []
    assert listed(stand_in) == []
    with pytest.raises(NotFound):
        stand_in.service().get_run(run.external_id)


def test_numbers_of_a_run_that_began_while_the_last_one_was_read_are_not_mixed_with_it(stand_in):
    stand_in.begin()
    service = stand_in.service()
    [run] = listed(stand_in)
    stand_in.clock += timedelta(seconds=30)
    stand_in.begin()
    with pytest.raises(NotFound):
        service.get_details(run)


def test_a_run_that_begins_while_its_predecessor_is_named_is_read_again_soon(stand_in, monkeypatch):
    stand_in.begin()
    report = stand_in.report

    def and_a_start():
        text = report()
        stand_in.clock += timedelta(seconds=30)
        stand_in.begin()
        return text

    monkeypatch.setattr(stand_in, "report", and_a_start)
    with pytest.raises(Unavailable, match="read again soon"):
        listed(stand_in)


def test_a_report_without_a_beginning_is_told(stand_in, monkeypatch):
    stand_in.begin()
    monkeypatch.setattr(stand_in, "report", lambda: "<html></html>")
    with pytest.raises(UnexpectedAnswer, match="when its run began"):
        listed(stand_in)


@every_shape
def test_with_workers_a_run_is_named_once_their_first_reports_are_in(stand_in):
    stand_in.workers = ["ready", "ready", "missing"]
    stand_in.begin()
    assert listed(stand_in) == []
    stand_in.clock += timedelta(seconds=8)
    [run] = listed(stand_in)
    service = stand_in.service()
    assert ("Workers", "2") in [(fact.name, fact.value) for fact in service.facts()]
    stand_in.state = "stopped"
    run = service.get_run(run.external_id)
    assert service.get_details(run).final is False
    stand_in.clock += timedelta(seconds=15)
    assert service.get_details(run).final is True


# -- what is sent ------------------------------------------------------------------------------------------------------


@every_shape
@pytest.mark.parametrize("before", ["ready", "stopped"])
def test_a_start_is_sent_once_with_its_settings_and_gives_the_run(stand_in, before):
    if before == "stopped":
        stand_in.begin(state="stopped")
    run = stand_in.service().start_step("start", wish(), "")
    assert (run.external_id, run.status) == ("2026-06-01T12:00:02Z", RunStatus.RUNNING)
    form = "user_count=20&spawn_rate=2.5&run_time=90s&host=http%3A%2F%2Fshop.example"
    assert asked(stand_in, "POST") == [("/swarm", form)]
    assert run.start_values["users"] == "20"


def test_without_host_and_run_time_it_keeps_its_host_and_runs_until_somebody_stops_it(stand_in):
    run = stand_in.service().start_step("start", wish(host="", run_time=""), "")
    assert asked(stand_in, "POST") == [("/swarm", "user_count=20&spawn_rate=2.5&run_time=0")]
    assert run.planned_duration_s is None


@every_shape
@pytest.mark.parametrize("state", ["running", "spawning", "stopping", "cleanup", "dancing"])
def test_nothing_is_sent_to_a_locust_that_is_busy(stand_in, state):
    stand_in.begin(state=state)
    with pytest.raises(Refused, match=f"busy \\({state}\\). It would change the users of that run"):
        stand_in.service().start_step("start", wish(), "")
    assert asked(stand_in, "POST") == []


def test_nothing_is_sent_to_a_master_without_workers(stand_in):
    stand_in.workers = ["missing"]
    with pytest.raises(Refused, match="No worker is connected"):
        stand_in.service().start_step("start", wish(), "")
    assert asked(stand_in, "POST") == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"users": "0"}, "Users is a whole number"), ({"users": "2.5"}, "Users"), ({"users": "many"}, "Users"),
        ({"spawn_rate": "0"}, "Spawn rate"), ({"spawn_rate": "nan"}, "Spawn rate"),
        ({"spawn_rate": "-1"}, "Spawn rate"), ({"run_time": "ten minutes"}, "Run time"),
        ({"run_time": "0"}, "Run time"),
        ({"host": "http://a b"}, "Host"), ({"host": "<x>"}, "Host"),
    ],
)  # fmt: skip
def test_settings_it_would_not_take_are_told_before_anything_is_sent(stand_in, values, said):
    with pytest.raises(Refused, match=said):
        stand_in.service().start_step("start", wish(**values), "")
    assert stand_in.log == []


def test_what_it_says_counts_and_not_its_status(stand_in):
    stand_in.swarm_answer = {"success": False, "message": "Invalid user_count value"}
    with pytest.raises(Refused, match="Locust refused to start: Invalid user_count value") as caught:
        stand_in.service().start_step("start", wish(), "")
    assert caught.value.maybe_done is False
    stand_in.swarm_answer = {"something": "else"}
    with pytest.raises(UnexpectedAnswer) as caught:
        stand_in.service().start_step("start", wish(), "")
    assert caught.value.maybe_done is True


def test_a_start_that_was_taken_and_makes_no_run_may_have_started(stand_in):
    stand_in.swarm_answer = {"success": True}
    with pytest.raises(UnexpectedAnswer, match="took the start, but no run began") as caught:
        stand_in.service().start_step("start", wish(), "")
    assert caught.value.maybe_done is True
    assert len(asked(stand_in, "POST")) == 1


@pytest.mark.parametrize(("shape", "method"), [(NEW, "POST"), (MODERN, "GET"), (CLASSIC, "GET")])
@pytest.mark.parametrize("options", [True, False])
def test_a_stop_is_sent_by_the_method_this_version_takes(stand_in, method, options):
    stand_in.begin()
    [run] = listed(stand_in)
    if not options:  # a proxy lets it not through: then the version tells
        stand_in.faults = [Fault("405", method="OPTIONS")]
    stand_in.service().stop(run.external_id)
    assert [path for path, _ in asked(stand_in, method)].count("/stop") == 1
    assert stand_in.state == "stopped"


def test_a_run_that_ended_or_is_not_the_present_one_is_not_stopped(stand_in):
    stand_in.begin()
    [run] = listed(stand_in)
    stand_in.clock += timedelta(seconds=30)
    stand_in.begin()
    with pytest.raises(NotFound, match="nothing was sent"):
        stand_in.service().stop(run.external_id)
    stand_in.state = "stopped"
    with pytest.raises(Refused, match="ended before"):
        stand_in.service().stop("2026-06-01T12:00:30Z")
    assert [row["path"] for row in stand_in.log if row["path"] == "/stop"] == []


# -- who we are --------------------------------------------------------------------------------------------------------


def test_a_locust_that_lets_everybody_in_is_warned_about(stand_in):
    steps = stand_in.service().test_connection()
    assert [step.ok for step in steps] == [True, True, True]
    assert "asks nobody who they are" in steps[1].sentence
    assert "--web-login" in steps[1].sentence


def test_its_form_is_filled_in_and_its_cookie_kept(stand_in):
    stand_in.login = "form"
    stand_in.begin()
    service = stand_in.service(USERNAME, PASSWORD)
    assert [(step.ok, step.sentence.partition(":")[0]) for step in service.test_connection()] == [
        (True, ""), (True, ""), (True, "Locust 2.47.0"),
    ]  # fmt: skip
    assert [run.external_id for page in service.iter_runs(None) for run in page.runs] == ["2026-06-01T12:00:00Z"]
    service.stop("2026-06-01T12:00:00Z")
    assert stand_in.state == "stopped"
    sent = [path for path, body in asked(stand_in, "POST") if "password" in body]
    assert sent == ["/login_submit"]
    assert not any(PASSWORD in row["path"] for row in stand_in.log)


@pytest.mark.parametrize("login", ["form", "basic"])
def test_without_credentials_or_with_wrong_ones_it_says_what_helps(stand_in, login):
    stand_in.login = login
    for username, password in (("", ""), (USERNAME, "wrong-wrong")):
        if login == "basic" and username:
            continue
        service = stand_in.service(username, password)
        with pytest.raises(Unauthorized, match=r"asks for a user name|did not accept") as caught:
            list(service.iter_tests())
        assert "wrong-wrong" not in str(caught.value)
        assert [step.ok for step in stand_in.service(username, password).test_connection()] == [True, False, None]


def test_basic_authentication_is_sent_where_there_are_credentials(stand_in):
    stand_in.login = "basic"
    [step, sign_in, _] = stand_in.service(USERNAME, PASSWORD).test_connection()
    assert (step.ok, sign_in.ok, sign_in.sentence) == (True, True, "")


def test_credentials_are_in_no_record(stand_in):
    stand_in.begin()
    stand_in.exceptions = [{"count": 1, "msg": f"who: {PASSWORD}", "nodes": "", "traceback": f"x?token={PASSWORD}1"}]
    stand_in.failures = [("GET", f"/pay?sig={PASSWORD}", f"at http://u:{PASSWORD}@shop.example/", 1, "")]
    service = stand_in.service(USERNAME, PASSWORD)
    run = service.get_run("2026-06-01T12:00:00Z")
    told = repr((run, service.get_details(run), service.facts(), service.test_connection(), service))
    assert PASSWORD not in told


def test_it_is_called_only_where_whoever_runs_plimsoll_listed_its_host(stand_in):
    service = stand_in.service(extra_hosts=())
    [reach, *_] = service.test_connection()
    assert (reach.ok, "PROVIDER_HOSTS" in reach.sentence) == (False, True)
    assert stand_in.log == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h1m1s", 3661), ("", None), ("m", None), ("-1", None)],
)
def test_time_spans_are_read_as_locust_reads_them(text, seconds):
    assert seconds_of(text) == seconds


def test_a_payload_holds_what_the_page_tells_and_can_be_stored(stand_in):
    stand_in.begin()
    [run] = listed(stand_in)
    assert json.loads(json.dumps(run.payload))["classes"] == ["Buyer", "Browser"]
    assert run.status not in ENDED
    assert set(locust.STATUS.values()) <= set(RunStatus)
