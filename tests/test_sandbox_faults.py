"""The sandbox misbehaves as it is told: which requests a fault strikes, and what each kind does on the wire."""

import gzip
import json
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

from runs.sandbox.faults import KINDS, BadFault, parse
from runs.sandbox.server import Sandbox
from tests.processes import ROOT

NOON = 1_780_000_000.0
LIST = "/loadtests/v2/runs?test_id=3535"
START = "/loadtests/v2/tests/3535/start-testrun"


class Caller:
    """Somebody with k6's token; every call is a connection of its own."""

    def __init__(self, sandbox):
        self.url = sandbox.url
        token = self.control("GET", "credentials")["k6-legacy"]["credentials"]["token"]
        self.headers = {"Authorization": f"Token {token}"}

    def call(self, method, path, **options):
        options = {"headers": self.headers, "allow_redirects": False} | options
        return requests.request(method, self.url + path, timeout=5, **options)

    def get(self, path=LIST, **options):
        return self.call("GET", path, **options)

    def control(self, method, page, **body):
        answer = requests.request(method, f"{self.url}/__sandbox__/{page}", json=body or None, timeout=5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def faults(self, *specs):
        return self.control("POST", "faults", faults=list(specs))["faults"]

    def struck(self):
        return [row["struck"] for row in self.control("GET", "faults")["faults"]]

    def runs(self):
        return len(self.control("GET", "truth?provider=k6-legacy")["runs"])


@pytest.fixture
def sandbox():
    with Sandbox(tests=4, runs=60, clock=lambda: NOON) as sandbox:
        yield sandbox


@pytest.fixture
def caller(sandbox):
    return Caller(sandbox)


def statuses(caller, count, path=LIST):
    return [caller.get(path).status_code for _ in range(count)]


# --- which requests --------------------------------------------------------------------------------------------------


def test_a_fault_strikes_by_provider_path_and_method_and_nothing_else(caller):
    caller.faults("kind=503,provider=k6-legacy,path=/V2/RUNS,method=get")
    assert caller.get().status_code == 503
    assert caller.get("/loadtests/v2/tests").status_code == 200
    assert caller.call("POST", START).status_code == 200
    assert caller.get("/_apis/clt/testruns?x=/v2/runs").status_code == 401
    assert caller.struck() == [1]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("nth=2", [200, 503, 200, 200, 200, 200]),
        ("after=2", [200, 200, 503, 503, 503, 503]),
        ("after=1,times=2", [200, 503, 503, 200, 200, 200]),
        ("every=3", [200, 200, 503, 200, 200, 503]),
        ("seconds=0", [200] * 6),
    ],
)
def test_a_fault_strikes_when_it_is_told_to(caller, which, expected):
    caller.faults(f"kind=503,{which}")
    assert statuses(caller, 6) == expected


def test_chance_falls_the_same_way_for_the_same_seed():
    seen = []
    for seed in (1, 1, 2):
        with Sandbox(tests=4, runs=20, seed=seed, clock=lambda: NOON, faults=["kind=503,p=0.5"]) as sandbox:
            seen.append(statuses(Caller(sandbox), 20))
    assert seen[0] == seen[1] != seen[2]
    assert {200, 503} == set(seen[0])


def test_the_first_fault_that_takes_a_request_has_it(caller):
    caller.faults("kind=503,nth=1", "kind=404,times=1")
    assert statuses(caller, 3) == [503, 404, 200]


def test_faults_are_listed_and_cleared_and_never_strike_the_sandbox_itself(caller):
    spec = "kind=dead,times=2"
    assert caller.faults(spec) == [{"spec": spec, "kind": "dead", "struck": 0, "over": False}]
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            caller.get()
    assert caller.control("GET", "faults")["faults"] == [{"spec": spec, "kind": "dead", "struck": 2, "over": True}]
    caller.control("DELETE", "faults")
    assert caller.struck() == []


def test_a_fault_may_be_given_as_an_object(caller):
    caller.control("POST", "faults", kind=429, retry_after=30, times=1)
    answer = caller.get()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("status=503", "needs kind=…"),
        ("kind=teapot", "needs kind=…: a status from 300 to 599"),
        ("kind=200", "needs kind=…"),
        ("kind=503,colour=red", "has no colour"),
        ("kind=503,path", 'holds "path"'),
        ("kind=503,provider=k7", "provider is one of k6-legacy, vsts, azure, k6"),
        ("kind=503,method=FETCH", "method is one of"),
        ("kind=503,p=2", 'p is a number from 0 to 1, not "2"'),
        ("kind=503,times=0", 'times is a whole number from 1 on, not "0"'),
        ("kind=503,hours=1", "hours means nothing for kind=503"),
        ("kind=skew,path=/runs", "path means nothing for kind=skew"),
        ("kind=lost,retry_after=3", "retry_after means nothing for kind=lost"),
    ],
)
def test_a_spec_that_makes_no_sense_is_a_sentence(caller, spec, part):
    with pytest.raises(BadFault) as problem:
        parse(spec)
    assert part in str(problem.value)
    answer = requests.post(f"{caller.url}/__sandbox__/faults", json={"faults": ["kind=503", spec]}, timeout=5)
    assert answer.status_code == 400
    assert part in answer.json()["message"]
    assert caller.struck() == []  # none of them


def test_a_bad_spec_on_the_command_line_ends_it_with_the_sentence():
    command = [sys.executable, "-m", "runs.sandbox", "--port", "0", "--db", ":memory:", "--faults", "kind=teapot"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith('The fault "kind=teapot" needs kind=')
    assert ended.stderr.count("\n") == 1


def test_the_readme_names_every_kind():
    text = (ROOT / "runs/sandbox/README.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sent"), [("30", "30"), ("0", "0"), ("-5", "-5"), ("1e9", "1e9"), ("soon", "soon"), (None, None)]
)
def test_a_refusal_carries_the_retry_after_it_was_given(caller, given, sent):
    caller.faults("kind=429" + (f",retry_after={given}" if given else ""))
    answer = caller.get()
    assert answer.headers.get("Retry-After") == sent
    assert answer.json()["error"]["message"] == "The service cannot answer now."


def test_retry_after_can_be_a_date(caller):
    caller.faults("kind=429,retry_after=date:90")
    when = parsedate_to_datetime(caller.get().headers["Retry-After"])
    assert 80 < (when - datetime.now(UTC)).total_seconds() <= 90


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_is_carried_out_when_another_answer_is_given_instead(caller, method):
    before = caller.runs()
    caller.faults("kind=500,times=1", "kind=html,times=1", "kind=deep,times=1", "kind=redirect,times=1")
    answers = [caller.call(method, START if method == "POST" else LIST) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [500, 200, 200, 302]
    assert caller.runs() == before


@pytest.mark.parametrize("kind", ["lost", "503,done=yes", "dead,done=yes", "empty", "truncated", "types", "reset"])
def test_some_are_carried_out_once_all_the_same(caller, kind):
    before = caller.runs()
    caller.faults(f"kind={kind},times=1")
    try:
        assert caller.call("POST", START).status_code in (200, 503)
    except requests.RequestException:
        assert kind.startswith(("lost", "dead", "reset"))
    assert caller.runs() == before + 1


def test_bodies_are_spoiled(caller):
    right = caller.get().json()
    caller.faults(*(f"kind={kind},times=1" for kind in ("empty", "truncated", "types", "odd_rows", "html")))
    caller.faults("kind=html,status=502,times=1")
    empty, truncated, types, odd, html, gateway = (caller.get() for _ in range(6))
    assert (empty.status_code, empty.content) == (200, b"")
    assert len(truncated.content) == int(truncated.headers["Content-Length"])
    with pytest.raises(json.JSONDecodeError):
        truncated.json()
    assert types.json() == {"k6-runs": "surprise", "meta": "surprise"}
    rows, middle = odd.json()["k6-runs"], len(right["k6-runs"]) // 2
    assert rows[middle]["id"] == [None]
    assert rows[:middle] + rows[middle + 1 :] == right["k6-runs"][:middle] + right["k6-runs"][middle + 1 :]
    assert html.headers["Content-Type"].startswith("text/html")
    assert (html.status_code, gateway.status_code, gateway.text) == (200, 502, html.text)


def test_a_body_is_cut_by_a_reset(caller):
    caller.faults("kind=reset")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        caller.get()


def test_a_huge_body_and_a_bomb_are_as_large_as_they_were_told(caller):
    caller.faults("kind=huge,mb=2,times=1", "kind=bomb,mb=3,times=1")
    assert len(caller.get().content) == 2 * 2**20 + 2
    with caller.get(stream=True) as bomb:
        packed = bomb.raw.read(decode_content=False)
    assert len(packed) < 10_000
    assert json.loads(gzip.decompress(packed)) == []


@pytest.mark.parametrize("kind", ["drip_headers,delay=20", "drip_body,delay=20", "slow,delay=20"])
def test_a_slow_answer_holds_no_other_connection_up(caller, kind):
    caller.faults(f"kind={kind},nth=1")
    with socket.create_connection(("127.0.0.1", int(caller.url.rpartition(":")[2]))) as slow:
        slow.sendall(f"GET {LIST} HTTP/1.1\r\nAuthorization: {caller.headers['Authorization']}\r\n\r\n".encode())
        while not caller.struck()[0]:
            time.sleep(0.01)
        assert [caller.get().status_code for _ in range(3)] == [200, 200, 200]
        slow.settimeout(0.2)
        with pytest.raises(TimeoutError):
            while slow.recv(1):
                continue


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_leads_to_another_host_that_remembers_what_reaches_it(caller, method):
    caller.faults("kind=redirect,status=307,times=1")
    answer = caller.call(method, START if method == "POST" else LIST)
    assert answer.headers["Location"].startswith("http://127.0.0.2:")
    assert caller.control("GET", "faults")["elsewhere"] == []
    requests.request(method, answer.headers["Location"], headers=caller.headers, timeout=5)
    [seen] = caller.control("GET", "faults")["elsewhere"]
    assert (seen["method"], seen["credentials"]) == (method, True)


# --- lists -----------------------------------------------------------------------------------------------------------


def ids(caller, query):
    answer = caller.get(f"/cloud/v5/load_tests/3535/test_runs?$count=true&$orderby=id desc&$top=4&{query}").json()
    return [row["id"] for row in answer["value"]], int(answer["@count"])


def test_an_endless_list_begins_again_and_a_repeating_one_stands_still(caller):
    first, total = ids(caller, "$skip=0")
    second, _ = ids(caller, "$skip=4")
    caller.faults("kind=endless,times=2", "kind=repeat,times=1")
    assert ids(caller, f"$skip={total * 3}") == (first, 1_000_000)
    assert ids(caller, f"$skip={total * 3 + 4}") == (second, 1_000_000)
    assert ids(caller, "$skip=4") == (first, total)


def test_a_flickering_list_loses_its_newest_run_every_other_time(caller):
    first, total = ids(caller, "$skip=0")
    caller.faults("kind=flicker")
    assert ids(caller, "$skip=0")[1] == total - 1
    assert ids(caller, "$skip=0") == (first, total)
    assert caller.runs() == 30


def test_a_list_shifts_by_a_run_that_somebody_starts(caller):
    first, total = ids(caller, "$skip=0")
    caller.faults("kind=shift,times=1", "kind=503,nth=2")
    assert ids(caller, "$skip=0") == (first, total)
    assert caller.get().status_code == 503
    moved, more = ids(caller, "$skip=0")
    assert (moved[1:], more) == (first[:-1], total + 1)


def test_a_skewed_clock_dates_everything_the_provider_says(caller):
    caller.faults("kind=skew,provider=k6-legacy,hours=-5")
    answer = caller.call("POST", START)
    created = datetime.fromisoformat(answer.json()["k6-run"]["created"])
    assert created.timestamp() == NOON - 5 * 3600
    assert parsedate_to_datetime(answer.headers["Date"]) == created
    caller.control("DELETE", "faults")
    assert parsedate_to_datetime(caller.get().headers["Date"]).timestamp() == NOON
