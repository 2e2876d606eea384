"""The sandbox's own pages: what its runs were made with, what it was asked, what it may be told to do."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from runs.sandbox.server import Sandbox

NOON = 1_780_000_000.0


def make(**changes):
    options = {"tests": 4, "runs": 60, "speed": 60, "clock": lambda: NOON} | changes
    return Sandbox(**options)


@pytest.fixture
def sandbox():
    with make() as sandbox:
        yield sandbox


@pytest.fixture
def http():
    with requests.Session() as session:
        yield session


def control(http, sandbox, page, body=None):
    url = f"{sandbox.url}/__sandbox__/{page}"
    response = http.get(url) if body is None else http.post(url, json=body)
    response.raise_for_status()
    return response.json()


def k6_token(http, sandbox):
    token = control(http, sandbox, "credentials")["k6-legacy"]["credentials"]["token"]
    return {"Authorization": f"Token {token}"}


def vsts_auth(http, sandbox):
    return ("", control(http, sandbox, "credentials")["vsts"]["credentials"]["token"])


def test_the_same_seed_makes_the_same_runs_and_another_seed_others(http):
    with make() as first, make() as second, make(seed=2) as other:
        truths = [control(http, sandbox, "truth") for sandbox in (first, second, other)]
    assert truths[0] == truths[1]
    assert truths[0] != truths[2]


def test_runs_and_tests_are_split_in_half_and_k6_gets_the_odd_one(http):
    with make(tests=5, runs=41) as sandbox:
        runs = control(http, sandbox, "truth")["runs"]
        tests = [len(sandbox.store.tests[provider]) for provider in ("k6-legacy", "vsts")]
    assert [sum(run["provider"] == key for run in runs) for key in ("k6-legacy", "vsts")] == [21, 20]
    assert tests == [3, 2]


def test_the_truth_can_be_asked_for_one_provider(sandbox, http):
    runs = control(http, sandbox, "truth?provider=vsts")["runs"]
    assert len(runs) == 30
    assert {run["provider"] for run in runs} == {"vsts"}


def test_a_small_history_already_shows_every_k6_status(sandbox, http):
    runs = control(http, sandbox, "truth?provider=k6-legacy")["runs"]
    assert {run["run_status"] for run in runs} == {*range(-2, 11), 42}
    assert {run["processing_status"] for run in runs} == {0, 1, 2, 3}
    assert {run["thresholds"] == 0 for run in runs} == {True, False}


def test_a_small_history_already_shows_every_vsts_state(sandbox, http):
    runs = control(http, sandbox, "truth?provider=vsts")["runs"]
    expected = {"pending", "queued", "inProgress", "stopping", "completed", "aborted", "error"}
    assert {run["state"] for run in runs} == expected
    verdicts = {(run["state"], run["critical_threshold_errors"] > 0) for run in runs}
    assert {("completed", True), ("completed", False), ("inProgress", True)} <= verdicts


def test_a_second_start_on_the_same_file_keeps_everything_that_was_done(tmp_path, http):
    path = str(tmp_path / "sandbox.sqlite3")
    with make(db_path=path) as sandbox:
        url = f"{sandbox.url}/loadtests/v2/tests/3535/start-testrun"
        assert http.post(url, headers=k6_token(http, sandbox)).status_code == 200
        control(http, sandbox, "advance", {"seconds": 5})
        before = control(http, sandbox, "truth")
    with make(db_path=path, seed=9, runs=10) as sandbox:
        after = control(http, sandbox, "truth")
    assert len(before["runs"]) == 61
    assert after == before


def test_advancing_the_clock_moves_live_runs_on(sandbox, http):
    live = [run["external_id"] for run in control(http, sandbox, "truth")["runs"] if run["ended"] is None]
    control(http, sandbox, "advance", {"seconds": 7200})
    runs = {run["external_id"]: run for run in control(http, sandbox, "truth")["runs"]}
    assert len(live) > 10
    still = [runs[key]["state"] for key in live if runs[key]["ended"] is None]
    assert still == ["pending"]


def test_a_frozen_clock_stands_until_it_is_let_go(http):
    seconds = itertools.count(int(NOON))
    with make(clock=lambda: float(next(seconds))) as sandbox:
        control(http, sandbox, "freeze", {"frozen": True})
        first, second = (control(http, sandbox, "now")["now"] for _ in range(2))
        control(http, sandbox, "freeze", {"frozen": False})
        third = control(http, sandbox, "now")["now"]
    assert first == second < third


def test_the_ledger_holds_each_request_but_no_headers(sandbox, http):
    headers = k6_token(http, sandbox)
    http.get(f"{sandbox.url}/loadtests/v2/runs", params={"test_id": 3535, "ids[]": [1, 2]}, headers=headers)
    http.post(f"{sandbox.url}/loadtests/v2/runs/5/stop", json={}, headers=headers)
    first, second = control(http, sandbox, "ledger")["requests"]
    assert first["path"] == "/loadtests/v2/runs"
    assert first["query"] == [["test_id", "3535"], ["ids[]", "1"], ["ids[]", "2"]]
    assert (first["method"], first["status"], first["provider"], first["body"]) == ("GET", 200, "k6-legacy", None)
    assert (second["method"], second["status"], second["body"]) == ("POST", 404, {})
    assert headers["Authorization"].split()[1] not in str([first, second])
    assert control(http, sandbox, f"ledger?since={first['n']}")["requests"] == [second]


def test_a_cleared_ledger_is_empty_and_goes_on_counting(sandbox, http):
    headers = k6_token(http, sandbox)
    http.get(f"{sandbox.url}/v3/organizations", headers=headers)
    assert http.delete(f"{sandbox.url}/__sandbox__/ledger").status_code == 204
    http.get(f"{sandbox.url}/v3/account/me", headers=headers)
    rows = control(http, sandbox, "ledger")["requests"]
    assert [(row["n"], row["path"]) for row in rows] == [(2, "/v3/account/me")]


def test_a_lost_answer_is_carried_out_once_and_never_sent(sandbox, http):
    control(http, sandbox, "lose_answer", {"method": "POST", "path_contains": "start-testrun", "times": 1})
    url, headers = f"{sandbox.url}/loadtests/v2/tests/3535/start-testrun", k6_token(http, sandbox)
    with pytest.raises(requests.ConnectionError):
        http.post(url, headers=headers)
    assert len(control(http, sandbox, "truth?provider=k6-legacy")["runs"]) == 31
    assert control(http, sandbox, "ledger")["requests"][-1]["status"] == 0
    assert http.post(url, headers=headers).status_code == 200


def test_a_refused_call_does_nothing_and_carries_the_headers_asked_for(sandbox, http):
    rule = {"method": "GET", "path_contains": "/v2/runs", "status": 429, "times": 2, "after": 1}
    control(http, sandbox, "fail", rule | {"headers": {"Retry-After": "30"}})
    url, headers = f"{sandbox.url}/loadtests/v2/runs?test_id=3535", k6_token(http, sandbox)
    answers = [http.get(url, headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "30"


@pytest.mark.parametrize("provider", ["k6-legacy", "vsts"])
def test_a_run_is_inserted_right_after_the_page_asked_for(sandbox, http, provider):
    control(http, sandbox, "insert_between_pages", {"provider": provider, "after_pages": 2})
    pages = {
        "k6-legacy": (f"{sandbox.url}/loadtests/v2/runs?test_id=3535", {"headers": k6_token(http, sandbox)}),
        "vsts": (f"{sandbox.url}/_apis/clt/testruns", {"auth": vsts_auth(http, sandbox)}),
    }
    url, access = pages[provider]
    counts = []
    for _ in range(4):
        http.get(url, **access).raise_for_status()
        counts.append(len(control(http, sandbox, f"truth?provider={provider}")["runs"]))
    assert counts == [30, 31, 31, 31]


def test_the_next_outcome_can_be_chosen(sandbox, http):
    control(http, sandbox, "outcome", {"provider": "k6-legacy", "outcome": "threshold"})
    http.post(f"{sandbox.url}/loadtests/v2/tests/3535/start-testrun", headers=k6_token(http, sandbox))
    sandbox.advance(3600)
    run = control(http, sandbox, "truth?provider=k6-legacy")["runs"][-1]
    assert (run["run_status"], run["result_status"]) == (8, 1)


def test_every_planted_secret_is_different(sandbox, http):
    planted = control(http, sandbox, "planted")
    assert len({row["secret"] for row in planted}) == len(planted) > 200
    assert all(row["where"] for row in planted)


def test_a_body_that_makes_no_sense_is_a_sentence(sandbox, http):
    for page, body in (("advance", {}), ("advance", {"seconds": -1}), ("outcome", {"provider": "k6", "outcome": "x"})):
        answer = http.post(f"{sandbox.url}/__sandbox__/{page}", json=body)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("The body is not right")


def test_many_clients_at_once_get_runs_of_their_own(sandbox, http):
    headers, gate = k6_token(http, sandbox), threading.Barrier(8)

    def start(_):
        gate.wait(5)
        answer = requests.post(f"{sandbox.url}/loadtests/v2/tests/3535/start-testrun", headers=headers, timeout=10)
        return answer.json()["k6-run"]["id"]

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(start, range(8)))
    assert len(set(ids)) == 8


def test_a_stopped_sandbox_answers_nobody_not_even_on_an_open_connection(http):
    sandbox = make().start()
    url = sandbox.url
    control(http, sandbox, "now")
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        http.get(f"{url}/__sandbox__/now", timeout=2)
