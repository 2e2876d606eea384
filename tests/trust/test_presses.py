"""No path makes two runs of one press: many presses at once, answers lost, web servers killed while they send."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.pages import entered
from tests.servers import needed, postgres
from tests.trust.stage import Player, Sandbox, Stage, dice_of, stage, wait_for

pytestmark = pytest.mark.trust

PRESSES, CLIENTS = 500, 50
TESTS = 50
KILLS = 30
SETTLED_WITHIN_S = 120
FINAL = ("done", "created", "not_started", "cannot_tell", "refused", "left")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> Iterator[Stage]:
    with ExitStack() as stack:
        env = {}
        if request.param == "postgres":
            env["DATABASE_URL"] = stack.enter_context(needed(postgres)).url
        yield stack.enter_context(stage(tmp_path, **env))


class Browser(requests.Session):
    """Closed when nobody holds it any more: a socket that is only forgotten is a warning in some later test."""

    def __del__(self) -> None:
        self.close()


@dataclass
class Floor:
    """What stands on the stage: a sandbox, two web servers, a worker, a person's cookie; and what was pressed."""

    stage: Stage
    sandbox: Sandbox
    before: set[str]
    webs: list[tuple[Player, str]]
    cookie: dict[str, str]
    drop: str

    def session(self) -> requests.Session:
        session = Browser()
        session.cookies.update(self.cookie)
        return session

    def open(self, path: str, at: int = 0) -> tuple[requests.Session, dict[str, str]]:
        """A browser in which a start dialog is open, and what its form sends."""
        session = self.session()
        page = session.get(self.webs[at][1] + path, timeout=60)
        assert page.status_code == 200, page.text[:500]
        return session, entered(page)

    def starts(self) -> list[dict[str, Any]]:
        return [intent for intent in self.stage.hand.ask("intents") if intent["kind"] == "start"]

    def settled(self) -> bool:
        return all(intent["outcome"] in FINAL for intent in self.starts())

    def made(self) -> dict[str, dict[str, Any]]:
        return {run["external_id"]: run for run in self.sandbox.truth() if run["external_id"] not in self.before}

    def sent(self) -> int:
        self.sandbox.read_ledger()
        paths = [row["path"] for row in self.sandbox.writes if row["method"] == "POST"]
        return sum(path.endswith(("/start-testrun", "/testruns")) for path in paths)


def floor(place: Stage, tests: int, webs: int = 2) -> Floor:
    sandbox = place.sandbox(runs=tests * 2, tests=tests, speed=1)
    before = {run["external_id"] for run in sandbox.truth()}
    place.add_accounts(sandbox, 1)
    place.hand.ask("collect")
    place.worker()
    wait_for("the first sync", lambda: place.hand.ask("progress")["runs"] >= len(before), 120)
    name, value = place.hand.ask("cookie")
    started = [place.web() for _ in range(webs)]
    drop = place.hand.ask("a_drop")
    return Floor(place, sandbox, before, started, {name: value}, drop)


def at_once(work: Callable[[Any], Any], jobs: list[Any], threads: int) -> list[Any]:
    """All of them, as near to the same moment as so many threads can."""
    ready = threading.Barrier(min(threads, len(jobs)))
    first = threading.local()

    def one(job: Any) -> Any:
        if not hasattr(first, "done"):
            first.done = True
            ready.wait(60)
        return work(job)

    with ThreadPoolExecutor(min(threads, len(jobs))) as pool:
        return list(pool.map(one, jobs))


def test_500_presses_of_the_same_start_are_one_run(place):
    here = floor(place, tests=4)
    [test] = here.stage.hand.ask("tests", provider="k6-legacy")[:1]
    path = f"/tests/{test['pk']}/start/"
    session, values = here.open(path)

    def press(number: int) -> tuple[int, str]:
        own = Browser()
        own.cookies.update(session.cookies)
        answer = own.post(here.webs[number % 2][1] + path, data=values, allow_redirects=False, timeout=120)
        return answer.status_code, answer.headers.get("Location", "")

    began = time.monotonic()
    answers = Counter(at_once(press, list(range(PRESSES)), CLIENTS))
    took = time.monotonic() - began
    wait_for("the end of it", here.settled, SETTLED_WITHIN_S)
    [intent] = here.starts()
    print(f"{PRESSES} presses by {CLIENTS} clients at 2 web servers in {took:.1f} s: sent {here.sent()}, "
          f"runs made {len(here.made())}, intents 1 ({intent['outcome']}), answers {dict(answers)}")  # fmt: skip
    assert set(here.made()) == {intent["external_id"]}
    assert here.sent() == 1
    assert {status for status, _ in answers} == {302}
    assert {where for _, where in answers} <= {f"/intents/{intent['token']}/", f"/runs/{intent['run']}/"}


def jobs_of(here: Floor, number: int) -> list[dict[str, Any]]:
    """Starts of different tests, half of them at each provider: where to press, and what is sent."""
    tests = here.stage.hand.ask("tests", provider="k6-legacy")
    assert len(tests) >= number // 2
    jobs = [{"path": f"/tests/{test['pk']}/start/", "key": test["external_id"]} for test in tests[: number // 2]]
    slug = next(slug for slug in here.stage.accounts if "vsts" in slug)
    for _ in range(number - len(jobs)):
        name = f"press-{uuid4()}"
        more = {"name": name, "test_drop_id": here.drop}
        jobs.append({"path": f"/accounts/{slug}/start/", "key": name, "more": more})
    return jobs


def wrong(here: Floor, intents: list[dict[str, Any]]) -> list[str]:
    """What an intent says against what is true, in sentences."""
    made = here.made()
    said = []
    by_key: dict[str, list[str]] = {}
    for key, run in made.items():
        by_key.setdefault(run["test_external_id"], []).append(key)
    for intent in intents:
        key = intent["test"] if "vsts" in intent["account"] else intent["test_external_id"]
        runs = by_key.get(key, [])
        told = [intent["external_id"]] if intent["external_id"] else []
        if intent["outcome"] == "cannot_tell":
            continue
        if told != runs:
            said.append(f"{key}: {intent['outcome']} with {told}, and the truth has {runs}")
        elif intent["outcome"] == "created" and made[runs[0]]["state"] != "pending":
            said.append(f"{key}: said to be not queued, and is {made[runs[0]]['state']}")
        elif intent["outcome"] == "done" and made[runs[0]].get("state") == "pending":
            said.append(f"{key}: said to be started, and waits to be queued")
    return said


def report(here: Floor, name: str, pressed: int, seconds: float) -> dict[str, int]:
    """Print the table and return its numbers."""
    intents = here.starts()
    outcomes = Counter(intent["outcome"] for intent in intents)
    tests = Counter(run["test_external_id"] for run in here.made().values())
    keys = Counter(i["test"] if "vsts" in i["account"] else i["test_external_id"] for i in intents)
    numbers = {
        "pressed": pressed, "intents": len(intents), "sent": here.sent(), "runs made": len(here.made()),
        "found": outcomes["done"], "created, not queued": outcomes["created"],
        "not started": outcomes["not_started"] + outcomes["refused"], "cannot tell": outcomes["cannot_tell"],
        "doubled": sum(max(0, n - keys[key]) for key, n in tests.items()),
        "longest until settled": round(max((i["took_s"] or 0 for i in intents), default=0)),
        "until the last was settled": round(seconds),
    }  # fmt: skip
    print(f"{name}: " + ", ".join(f"{what} {number}" for what, number in numbers.items()))
    return numbers


def test_starts_of_50_tests_with_lost_answers_are_settled_rightly(place):
    here = floor(place, tests=TESTS + 2)
    jobs = jobs_of(here, TESTS)
    forms = [(*here.open(job["path"]), job) for job in jobs]
    lost = [f"kind={kind},method={method},path={path},p=0.15"
            for kind in ("lost", "dead")
            for method, path in (("POST", "start-testrun"), ("POST", "testruns"), ("PATCH", "testruns"))]  # fmt: skip
    here.sandbox.post("faults", {"faults": lost})

    def press(form: tuple) -> int:
        session, values, job = form
        url = here.webs[random.randrange(2)][1] + job["path"]  # noqa: S311 (which server)
        values |= job.get("more", {})
        return session.post(url, data=values, allow_redirects=False, timeout=120).status_code

    began = time.monotonic()
    assert set(at_once(press, forms, 10)) == {302}
    wait_for("the last to be settled", here.settled, SETTLED_WITHIN_S + 60)
    numbers = report(here, "50 starts, 30 % of the answers lost", TESTS, time.monotonic() - began)
    assert wrong(here, here.starts()) == []
    assert (numbers["intents"], numbers["doubled"], numbers["cannot tell"]) == (TESTS, 0, 0)
    assert numbers["sent"] <= TESTS
    assert numbers["longest until settled"] <= SETTLED_WITHIN_S


def test_web_servers_killed_while_they_start_runs_double_nothing(place):
    dice = dice_of("kills of web servers")
    here = floor(place, tests=2 * KILLS + 2, webs=1)
    here.sandbox.post("faults", {"faults": [f"kind=slow,method={method},delay=0.15" for method in ("POST", "PATCH")]})
    jobs = jobs_of(here, 2 * KILLS)
    dice.shuffle(jobs)
    unanswered = 0

    def press(form: tuple) -> bool:
        session, values, job = form
        url = here.webs[0][1] + job["path"]
        with suppress(requests.RequestException):
            data = values | job.get("more", {})
            return session.post(url, data=data, allow_redirects=False, timeout=60).status_code == 302
        return False

    began = time.monotonic()
    for number in range(KILLS):
        forms = [(*here.open(job["path"]), job) for job in jobs[2 * number : 2 * number + 2]]
        timer = threading.Timer(dice.uniform(0, 0.7), here.webs[0][0].kill)
        timer.start()
        unanswered += at_once(press, forms, 2).count(False)
        timer.join()
        here.webs[0] = here.stage.web()
        # As a person would who saw no answer: the same button once more.
        at_once(press, forms, 2)
    wait_for("the last to be settled", here.settled, SETTLED_WITHIN_S + 60)
    name = f"{KILLS} kills of the web server ({unanswered} presses without an answer, each pressed once more)"
    numbers = report(here, name, 2 * KILLS, time.monotonic() - began)
    assert wrong(here, here.starts()) == []
    assert (numbers["doubled"], numbers["intents"]) == (0, 2 * KILLS)
    assert numbers["longest until settled"] <= SETTLED_WITHIN_S
