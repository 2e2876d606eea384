"""An hour of use: healthy, flaky and dead providers, people who start and stop, pages that are read all the while.

Nothing ends the trial but its time: what is wrong is written down when it is seen, and told in the end.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.trust.examiner import stuck_leases, wait_for_the_truth, wrong_presses
from tests.trust.kill import Report, start_workers, targets
from tests.trust.stage import Sandbox, Stage, dice_of, stage, wait_for
from tests.trust.trouble import Person, plan_presses
from tests.truth import expected_export

SAMPLE_S = 10
ENDED = ("finished", "aborted", "timed_out", "error")
WARM_UP_S = 300
INTERVAL_S = 60
LATE_S = 120  # of a live run that has ended, an intent, a lease
FLAKY = (
    "kind=429,retry_after=3,p=0.02", "kind=429,p=0.01", "kind=503,p=0.03", "kind=502,p=0.02", "kind=reset,p=0.02",
    "kind=lost,p=0.01", "kind=slow,delay=4,p=0.01", "kind=truncated,p=0.01", "kind=html,p=0.01",
    "kind=drip_body,p=0.003", "kind=empty,p=0.005", "kind=types,p=0.005",
    "kind=lost,method=POST,p=0.3", "kind=503,done=yes,method=POST,p=0.1", "kind=slow,delay=40,method=POST,p=0.05",
)  # fmt: skip
DEAD = ("kind=dead", "kind=503", "kind=slow,delay=20", "kind=429,retry_after=60", "kind=html")
# Of the whole time: when nobody can reach the dead provider.
DEAD_FROM_TO = ((0.1, 0.45), (0.5, 0.88))


class Reader(threading.Thread):
    """A person who looks at one page a second."""

    def __init__(self, address: str, cookie: list[str]) -> None:
        super().__init__(daemon=True)
        self.address, self.over = address, threading.Event()
        self.http = requests.Session()
        self.http.cookies.set(*cookie)
        self.took: dict[str, list[float]] = {}
        self.wrong: list[str] = []
        self.run_page = "/runs/"

    def run(self) -> None:
        turn = 0
        while not self.over.wait(1):
            for page in (("/runs/", self.run_page, "/history/")[turn % 3], "/readyz"):
                self.read(page)
            turn += 1

    def read(self, page: str) -> None:
        began = time.monotonic()
        try:
            answer = self.http.get(self.address + page, timeout=60)
        except requests.RequestException as problem:
            self.wrong.append(f"{page}: {type(problem).__name__}")
            return
        if page == "/runs/" and (found := answer.text.split('href="/runs/')[1:]):
            self.run_page = next((f"/runs/{part.split('/')[0]}/" for part in found if part[0].isdigit()), page)
        kind = "a run" if page.removeprefix("/runs/").strip("/").isdigit() else page
        self.took.setdefault(kind, []).append(time.monotonic() - began)
        if answer.status_code != 200 or "/sign-in/" in answer.url:
            self.wrong.append(f"{page}: {answer.status_code} {answer.text[:400] if page == '/readyz' else ''}")


@dataclass
class Soak:
    """The state of the trial, and what it has seen."""

    on: Stage
    dice: random.Random
    seconds: float
    healthy: Sandbox
    flaky: Sandbox
    dead: Sandbox
    began: float = field(default_factory=time.monotonic)
    wrong: Counter[str] = field(default_factory=Counter)
    rss: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    oldest: dict[str, float] = field(default_factory=dict)
    late_since: dict[str, float] = field(default_factory=dict)
    calls: list[float] = field(default_factory=list)
    is_dead: bool = False
    died_at: float = 0
    deaths: int = 0
    samples: int = 0
    _due: dict[str, float] = field(default_factory=dict)

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    def log(self, words: str) -> None:
        if path := os.environ.get("SOAK_LOG"):
            with Path(path).open("a") as file:
                file.write(f"{time.strftime('%H:%M:%S')} {self.now:6.0f} s  {words}\n")

    def violation(self, what: str) -> None:
        """Told in the end; the same words only once, with how often."""
        if what not in self.wrong:
            self.log(f"VIOLATION {what}")
        self.wrong[what] += 1

    def every(self, seconds: float, do: Callable[[], None]) -> None:
        """Do it if it was not done for so long; a failure is written down, and the hour goes on."""
        if time.monotonic() < self._due.get(do.__name__, 0):
            return
        self._due[do.__name__] = time.monotonic() + seconds
        try:
            do()
        except Exception as problem:
            self.violation(f"{do.__name__}: {type(problem).__name__}: {str(problem)[:200]}")

    def weather(self) -> None:
        """New faults for the flaky provider, or a while without any."""
        self.flaky.delete("faults")
        chosen = self.dice.sample(FLAKY, self.dice.randrange(2, 7)) if self.dice.random() < 0.8 else []
        if chosen:
            self.flaky.post("faults", {"faults": chosen})
        self.log(f"flaky: {' '.join(chosen) or 'well'}")

    def death(self) -> None:
        """The dead provider dies and comes back by the clock; what kind of dead it is changes now and then."""
        dead = any(start < self.now / self.seconds < end for start, end in DEAD_FROM_TO)
        if dead != self.is_dead:
            self.is_dead, self.died_at = dead, self.now
            self.deaths += dead
            self.log("dead: gone" if dead else "dead: back")
        self.dead.delete("faults")
        if dead:
            self.dead.post("faults", {"faults": [self.dice.choice(DEAD)]})

    def count_calls(self) -> None:
        for sandbox in (self.healthy, self.flaky):
            sandbox.read_ledger()
        read = self.dead.read_ledger()
        if self.is_dead and self.now - self.died_at > 90:
            self.calls.append(read)

    def sample(self) -> None:
        self.samples += 1
        for player in self.on.players:
            if player.name in ("worker", "web", "celery", "sandbox-healthy"):
                self.rss.setdefault(f"{player.name} {player.pid}", []).append((self.now, player.rss()))
            if player.name != "person" and not player.alive:
                self.violation(f"{player.name} {player.pid} ended by itself")
        seen = self.on.hand.ask("look")
        self._ages(seen)
        self._lateness(seen)
        ages = {slug: round(state["last_good"] or -1) for slug, state in seen["accounts"].items()}
        memory = " ".join(f"{name.split()[0]}={values[-1][1]:.0f}" for name, values in self.rss.items())
        self.log(f"{seen['runs']} runs, {seen['waiting']} wait; ages {ages}; {seen['intents']}; MB {memory}")

    def _ages(self, seen: dict[str, Any]) -> None:
        for slug, state in seen["accounts"].items():
            if state["last_good"] is None:
                continue
            self.oldest[slug] = max(self.oldest.get(slug, 0), state["last_good"])
            if self.on.accounts[slug] is self.healthy and state["last_good"] > 2 * INTERVAL_S:
                self.violation(f"the data of {slug} were older than {2 * INTERVAL_S} s")
            if state["paused"]:
                self.violation(f"{slug} is paused: {state['error']}")

    def _lateness(self, seen: dict[str, Any]) -> None:
        """What ought to be over and is not: runs, intents, leases. What is late may not stay so."""
        late = set(stuck_leases(seen))
        for sandbox in (self.healthy, self.flaky):
            ended = {run["external_id"] for run in sandbox.truth() if expected_export(run, "")["status"] in ENDED}
            slugs = [slug for slug, at in self.on.accounts.items() if at is sandbox]
            late |= {
                f"run {key} of {slug} is live here" for slug in slugs for key in seen["live"][slug] if key in ended
            }
        self.late_since = {what: self.late_since.get(what, self.now) for what in late}
        for what, since in self.late_since.items():
            patience = LATE_S if "flaky" not in what else 3 * LATE_S
            if self.now - since > patience:
                self.violation(f"for {patience} s: {what}")
        for slug, age in seen["open_intents"]:
            if self.on.accounts[slug] is self.healthy and age > LATE_S:
                self.violation(f"an intent of {slug} was open for {LATE_S} s")


def play(soak: Soak, people: list[Person], reader: Reader) -> None:
    while soak.now < soak.seconds:
        soak.every(SAMPLE_S, soak.sample)
        soak.every(min(90, soak.seconds / 10), soak.weather)
        soak.every(min(60, soak.seconds / 20), soak.death)
        soak.every(60, soak.count_calls)
        for person in people:
            person.act()
        seen, reader.wrong = reader.wrong, []
        for what in seen:
            soak.violation(f"page {what}")
        time.sleep(0.2)


def soak_trial(home: Path, minutes: float, *, runs: int = 300, workers: int = 4, **env: str) -> None:
    """So many minutes of it, then all is well again and everything must come to equal the truth."""
    dice, report = dice_of(f"{minutes:g} minutes of use"), Report()
    with stage(home, **env) as on:
        on.hand.ask("collect")
        names = ("healthy", "flaky", "dead")
        boxes = {name: on.sandbox(runs=runs, tests=40, name=f"sandbox-{name}") for name in names}
        before = {id(box): {run["external_id"] for run in box.truth()} for box in boxes.values()}
        slugs = {name: on.add_accounts(box, 1, name) for name, box in boxes.items()}
        start_workers(on, workers)
        _, address = on.web()
        reader = Reader(address, on.hand.ask("cookie"))
        wait_for("the first runs", lambda: on.hand.ask("progress")["runs"] >= 3 * runs, 180)
        soak = Soak(on, dice, minutes * 60, **boxes)
        people = [Person(on, presses) for presses in plans(soak, slugs)]
        reader.start()
        try:
            play(soak, people, reader)
        finally:
            reader.over.set()
            reader.join(timeout=65)
        for part in (settle, equal):
            try:
                part(soak, people, report)
            except AssertionError as problem:  # the table is wanted all the more
                soak.violation(str(problem))
        presses = [press for person in people for press in person.presses]
        wrong = [*wrong_presses(on, presses, before), *stuck_leases(on.hand.ask("look")), *on.hand.ask("oddities")]
        tell(soak, reader, people, report)
    report.show(f"{minutes:g} minutes of use, {workers} workers")
    wrong += [mishap for person in people for mishap in person.mishaps]
    wrong += [f"{what} ({times} times)" for what, times in soak.wrong.items()]
    print("\n".join(["What was wrong:", *wrong]) if wrong else "Nothing was wrong.")
    assert not wrong, "\n".join(wrong)


def plans(soak: Soak, slugs: dict[str, list[str]]) -> list[list[dict[str, Any]]]:
    """What one person presses at each provider: each test again and again, too far apart to be confused."""
    planned = []
    for name, sandbox in (("healthy", soak.healthy), ("flaky", soak.flaky), ("dead", soak.dead)):
        presses: list[dict[str, Any]] = []
        if name == "dead":  # a press may be settled only when it is back, so each test has its turn once
            some = targets(soak.on, sandbox, slugs[name], 30, soak.dice, name)
            planned.append(plan_presses(soak.dice, some, soak.seconds * 0.9, deadly=0.1))
            continue
        span = min(360.0, soak.seconds * 0.8)
        for turn in range(max(1, int(soak.seconds * 0.9 // 600))):
            some = targets(soak.on, sandbox, slugs[name], 30, soak.dice, f"{name} {turn}")
            more = plan_presses(soak.dice, some, span, deadly=0.1, stops=0.4)
            presses += [press | {"at": press["at"] + turn * 600} for press in more]
        planned.append(presses)
    return planned


def settle(soak: Soak, people: list[Person], report: Report) -> None:
    """All faults off, all presses through and settled."""
    soak.log("faults off")
    for sandbox in (soak.healthy, soak.flaky, soak.dead):
        sandbox.delete("faults")
    began = time.monotonic()

    def through() -> bool:
        for person in people:
            person.act()
        return all(person.through for person in people) and not soak.on.hand.ask("look")["open_intents"]

    wait_for("the end of presses and intents", through, 240)
    report("seconds until every press was settled", time.monotonic() - began)


def equal(soak: Soak, people: list[Person], report: Report) -> None:
    """The clocks stop, and everything must come to equal the truth.

    What was refused or garbled is asked for again hours later; that time is over at once here.
    """
    report("details garbled, to be asked for again later", soak.on.hand.ask("let_hours_pass"))
    for sandbox in (soak.healthy, soak.flaky, soak.dead):
        sandbox.post("freeze", {"frozen": True})
    report("seconds until the mirror equalled the truth", wait_for_the_truth(soak.on, 180))


def tell(soak: Soak, reader: Reader, people: list[Person], report: Report) -> None:
    seen = soak.on.hand.ask("look")
    report("runs in the mirror", seen["runs"])
    report("presses of Start", sum(len(person.presses) for person in people))
    report("  cut off by kill -9", sum(person.deaths for person in people))
    for outcome, number in sorted(seen["intents"].items()):
        report(f"  starts and stops: {outcome}", number)
    for slug, age in soak.oldest.items():
        report(f"oldest data of {slug}, s", age)
    report("times the dead provider died", soak.deaths)
    if soak.calls:
        report("calls a minute to the dead provider (2 accounts), mean", sum(soak.calls) / len(soak.calls))
        report("  most", max(soak.calls))
        if sum(soak.calls) / len(soak.calls) > 30:
            soak.violation("the dead provider was called more than 30 times a minute")
    for page, took in reader.took.items():
        took.sort()
        report(f"{page}: read {len(took)} times; 95 % within, ms", 1000 * took[int(len(took) * 0.95)])
        report("  slower than 1 s", sum(seconds > 1 for seconds in took))
    warm = min(WARM_UP_S, soak.seconds / 4)
    for name, values in soak.rss.items():
        start, middle, end = (_near(values, when) for when in (warm, (soak.seconds + warm) / 2, soak.seconds))
        report(f"MB of {name}: start {start:.0f}, middle {middle:.0f}, end", end)
        if end > 1.2 * middle and "sandbox" not in name:
            soak.violation(f"{name} grew from {middle:.0f} MB in the middle to {end:.0f} MB in the end")
    report("samples taken", soak.samples)


def _near(values: list[tuple[float, float]], when: float) -> float:
    """The median of the five values taken nearest to that moment."""
    nearest = sorted(values, key=lambda value: abs(value[0] - when))[:5]
    return sorted(megabytes for _, megabytes in nearest)[len(nearest) // 2]
