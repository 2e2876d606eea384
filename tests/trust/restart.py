"""PostgreSQL crashes and comes back, again and again, under a web server that is in use and a worker that syncs."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests import servers
from tests.trust.examiner import wait_for_the_truth
from tests.trust.kill import Report
from tests.trust.stage import Player, Stage, stage, wait_for

PAUSE_S = 0.05  # between two looks of a person at the run list
SYNCED_WITHIN_S = 150  # a lease of 60 s may have to run out first


@dataclass
class Visitor:
    """Somebody signed in who reloads the run list all the time, in a thread of its own."""

    url: str
    cookie: list[str]
    answers: list[tuple[float, float, int]] = field(default_factory=list)  # asked at, answered at, status
    left: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        with requests.Session() as browser:
            browser.cookies.set(*self.cookie)
            while not self.left.wait(PAUSE_S):
                asked = time.monotonic()
                status = browser.get(f"{self.url}/runs/", timeout=60, allow_redirects=False).status_code
                self.answers.append((asked, time.monotonic(), status))

    def errors_between(self, start: float, end: float) -> list[tuple[float, float, int]]:
        return [one for one in self.answers if one[2] != 200 and one[0] < end and one[1] > start]

    def first_page_after(self, moment: float) -> float:
        """When the first whole page was there that was asked for after `moment`; 0 if none is yet."""
        return next((done for asked, done, status in self.answers if asked > moment and status == 200), 0)


@dataclass
class Outage:
    down: float
    up: float
    web_s: float = 0
    worker_s: float = 0


def restart_trial(home: Path, *, restarts: int, runs: int) -> None:
    """Crash PostgreSQL so many times; both processes live on, pages fail only meanwhile, and nothing is lost."""
    report = Report()
    with servers.needed(servers.postgres) as server, stage(home, DATABASE_URL=server.url) as on:
        sandbox = on.sandbox(runs=runs // 2, tests=5)
        on.add_accounts(sandbox, 1)
        on.hand.ask("collect")
        web, url = on.web()
        worker = on.worker()
        visitors = [Visitor(url, on.hand.ask("cookie")) for _ in range(2)]
        threads = [threading.Thread(target=visitor.look) for visitor in visitors]
        for thread in threads:
            thread.start()
        try:
            outages = [_outage(on, server, web, worker, visitors) for _ in range(restarts)]
        finally:
            for visitor in visitors:
                visitor.left.set()
            for thread in threads:
                thread.join()
        alive = web.alive + worker.alive
        sandbox.post("freeze", {"frozen": True})
        on.hand.ask("ask_for_sync")
        report("seconds until all was equal in the end", f"{wait_for_the_truth(on, SYNCED_WITHIN_S):.1f}")
        _tell(report, visitors, outages)
        outside = _errors_outside(visitors, outages)
        report("pages that failed while it was up", len(outside))
        wrong = on.hand.ask("oddities")
    report.show(f"PostgreSQL crashed {restarts} times under a web server and a worker")
    assert alive == 2
    assert outside == []
    assert wrong == []


def _outage(on: Stage, server: servers.Postgres, web: Player, worker: Player, visitors: list[Visitor]) -> Outage:
    """One crash: down until somebody saw it, then up again until pages and syncs are whole."""
    on.hand.ask("ask_for_sync")
    down = time.monotonic()
    server.stop("immediate")
    wait_for("a page to fail", lambda: any(one.errors_between(down, time.monotonic()) for one in visitors), 60)
    server.start()
    outage = Outage(down, time.monotonic())
    pages = wait_for("pages", lambda: web.alive and min(v.first_page_after(outage.up) for v in visitors), 60)
    outage.web_s = pages - outage.up
    on.hand.ask("ask_for_sync")

    def synced() -> bool:
        accounts = on.hand.ask("look")["accounts"].values()
        good = [state["last_good"] for state in accounts]
        return worker.alive and all(age is not None and age < time.monotonic() - outage.up for age in good)

    wait_for("both accounts to be synced", synced, SYNCED_WITHIN_S)
    outage.worker_s = time.monotonic() - outage.up
    return outage


def _errors_outside(visitors: list[Visitor], outages: list[Outage]) -> list[tuple[float, float, int]]:
    return [
        (asked, done, status)
        for visitor in visitors
        for asked, done, status in visitor.answers
        if status != 200 and not any(asked < outage.up and done > outage.down for outage in outages)
    ]


def _tell(report: Report, visitors: list[Visitor], outages: list[Outage]) -> None:
    answers = [answer for visitor in visitors for answer in visitor.answers]
    report("crashes that web server and worker outlived", len(outages))
    report("seconds down, each time, at most", f"{max(one.up - one.down for one in outages):.1f}")
    report("seconds until the next whole page, at most", f"{max(one.web_s for one in outages):.1f}")
    report("seconds until every account was synced, at most", f"{max(one.worker_s for one in outages):.1f}")
    report("pages asked for", len(answers))
    report("pages that failed while it was down", sum(status != 200 for _, _, status in answers))
    report("longest wait for an answer, in seconds", f"{max(done - asked for asked, done, _ in answers):.1f}")
