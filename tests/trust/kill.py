"""The trial of the killed workers, in any size: test_kill.py here runs the long form, tests/test_kill.py the short."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.trust.examiner import stuck_leases, wait_for_the_truth, wrong_presses
from tests.trust.stage import Sandbox, Stage, dice_of, stage, wait_for
from tests.trust.trouble import Killer, Person, plan_presses


@dataclass
class Size:
    """How much of it: `runs` in all, `per_provider` accounts at each, `presses` of Start over `press_s` seconds."""

    runs: int = 20_000
    per_provider: int = 2
    workers: int = 4
    kills: int = 200
    pauses: int = 3
    presses: int = 48
    press_s: float = 420
    deadly: float = 0.5
    limit_s: float = 3600
    tests: int = 48
    blows: int = 0


@dataclass
class Report:
    rows: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, what: str, value: Any) -> None:
        self.rows.append((what, f"{value:,.0f}" if isinstance(value, (int, float)) else value))

    def show(self, title: str) -> None:
        print(f"\n{title}\n" + "\n".join(f"  {what:<58} {value:>12}" for what, value in self.rows))


def start_workers(on: Stage, number: int) -> None:
    """So many workers; Celery's with their beat where the stage has a broker."""
    if "CELERY_BROKER_URL" in on.env:
        on.beat()
    for _ in range(number):
        (on.celery_worker if "CELERY_BROKER_URL" in on.env else on.worker)()


def targets(
    on: Stage, sandbox: Sandbox, slugs: list[str], number: int, dice: random.Random, word: str = "trial"
) -> list[tuple[str, str]]:
    """So many different tests to start, half at each provider, over all accounts."""
    k6 = sorted({run["test_external_id"] for run in sandbox.truth() if run["provider"] == "k6-legacy"})
    dice.shuffle(k6)
    names = [f"{word} {n}" for n in range(number - number // 2)]
    by_provider = {"k6-legacy": k6[: number // 2], "vsts": names}
    return [
        (accounts[n % len(accounts)], test)
        for provider, tests in by_provider.items()
        for accounts in [[slug for slug in slugs if provider in slug]]
        for n, test in enumerate(tests)
    ]


def kill_trial(title: str, home: Path, size: Size, blow: Callable[[], None] | None = None, **env: str) -> None:
    """Sync while workers are killed and people press Start; `blow` is struck `size.blows` times, spread over the work.

    Prints what it measured; AssertionError with every sentence about what is not as it must be.
    """
    dice, report, began = dice_of(title), Report(), time.monotonic()
    with stage(home, **env) as on:
        sandbox = on.sandbox(runs=size.runs // size.per_provider, tests=size.tests)
        before = {id(sandbox): {run["external_id"] for run in sandbox.truth()}}
        slugs = on.add_accounts(sandbox, size.per_provider)
        presses = plan_presses(dice, targets(on, sandbox, slugs, size.presses, dice), size.press_s, deadly=size.deadly)
        person = Person(on, presses)
        killer = Killer(on, dice, kills=size.kills, work=size.runs, pauses=size.pauses)
        start_workers(on, size.workers)
        _play(on, sandbox, killer, person, size, blow)
        report("seconds until all was here, kills and presses through", time.monotonic() - began)
        calm = _calm_down(on, killer.last_kill)
        report("seconds from the last kill until every account was synced anew", calm)
        wait_for("the end of all intents", lambda: not on.hand.ask("look")["open_intents"], 150)
        sandbox.post("freeze", {"frozen": True})
        report("seconds from the stop of the clock until all was equal", wait_for_the_truth(on, 120))
        _tell(report, on, sandbox, killer, person)
        wrong = (
            person.mishaps
            + wrong_presses(on, presses, before)
            + stuck_leases(on.hand.ask("look"))
            + on.hand.ask("oddities")
        )
    report("seconds in all", time.monotonic() - began)
    report.show(title)
    assert not wrong, "\n".join(wrong)


def _play(
    on: Stage, sandbox: Sandbox, killer: Killer, person: Person, size: Size, blow: Callable[[], None] | None
) -> None:
    ledger_due, struck = 0.0, 0

    def scene() -> bool:
        nonlocal ledger_due, struck
        so_far = on.hand.ask("progress")
        # A row in the list is soon there; most of the work is what hangs below it.
        done = 0.1 * so_far["runs"] + 0.9 * (so_far["runs"] - so_far["waiting"])
        if struck < size.blows and done > size.runs * (struck + 1) / (size.blows + 1):
            blow()
            struck += 1
        killer.act(done)
        person.act()
        for worker in on.workers:
            assert worker.alive, f"A worker ended by itself:\n{worker.said()[-3000:]}"
        if time.monotonic() > ledger_due:
            sandbox.read_ledger()
            ledger_due = time.monotonic() + 20
        return (
            struck == size.blows
            and killer.through
            and person.through
            and so_far["runs"] >= size.runs
            and not so_far["waiting"]
        )

    wait_for("the sync to be through", scene, size.limit_s)


def _calm_down(on: Stage, last: float) -> float:
    """Seconds from the last kill (at `last`) until every account had a whole pass again."""

    def synced() -> bool:
        states = on.hand.ask("look")["accounts"].values()
        return all(state["last_good"] is not None and state["last_good"] < time.monotonic() - last for state in states)

    wait_for("every account to be synced again", synced, 150)
    return time.monotonic() - last


def _tell(report: Report, on: Stage, sandbox: Sandbox, killer: Killer, person: Person) -> None:
    seen = on.hand.ask("look")
    sandbox.read_ledger()
    report("runs in the mirror, equal to the truth", seen["runs"])
    report("workers killed", killer.killed)
    report("  of them holding an account's lease", killer.during)
    report("workers stopped for longer than a lease", killer.paused)
    report("writes fenced off after the lease was lost", on.workers_said("another worker took it over"))
    report("times the database began to refuse", on.workers_said("The database refuses what a sync stores"))
    report("presses of Start", len(person.presses))
    report("  cut off by kill -9", person.deaths)
    for outcome, number in sorted(seen["intents"].items()):
        report(f"  {outcome}", number)
    report("requests to the providers", sandbox.seen)
