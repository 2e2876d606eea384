"""A start and a stop in a browser: pressed by a person, watched without a reload, and confirmed."""

import re
import time
from typing import Any, ClassVar

from playwright.sync_api import Page, expect

from tests.browser.test_start import press_start, run_on, start_dialog
from tests.browser.world import World
from tests.fault_matrix import ENDS_WELL
from tests.real_locust import own_csv
from tests.trust.providers import Proof, tree

STEP_S, STEPS = 2, 60
LONG_S = 90


class Hosted:
    """A provider in the sandbox, whose clock stands until it is told to go on."""

    def __init__(self, world: World, provider: str) -> None:
        self.world, self.provider = world, provider
        world.control("freeze", frozen=True)
        world.control("outcome", provider=provider, outcome=ENDS_WELL[provider])  # unless it is stopped
        past = world.run(account__provider=provider, status="finished")
        self.load_test = {"pk": past["load_test_id"], "name": past["load_test__name"]}

    def ids(self) -> set[str]:
        return {row["external_id"] for row in self.world.control(f"truth?provider={self.provider}")["runs"]}

    def later(self, seconds: float) -> None:
        self.world.later(self.provider, seconds)

    def prove_numbers(self, proof: Proof, run: dict[str, Any]) -> None:
        """Its numbers are compared with the truth where its runs are."""


class Local:
    """A Locust on this machine. It has one run, so what was pressed is its only one."""

    provider = "locust"
    COLUMNS: ClassVar = {"count": "Request Count", "failed": "Failure Count", "p95_ms": "95%"}

    def __init__(self, world: World, url: str, load_test: int) -> None:
        self.world, self.url = world, url
        [self.load_test] = world.tell("rows", model="LoadTest", values=["pk", "name"], pk=load_test)

    def ids(self) -> set[str]:
        return {run["external_id"] for run in self.world.runs(account__provider=self.provider)}

    def later(self, seconds: float) -> None:
        time.sleep(min(seconds, 1))
        self.world.sync(self.provider)

    def prove_numbers(self, proof: Proof, run: dict[str, Any]) -> None:
        """What we hold of the ended run is what Locust says itself; its failures are the tree."""
        held = self.world.tell("rows", model="RunMetric", run=run["pk"], values=["name", "numbers"])
        told, said = {row["name"] or "Aggregated": row["numbers"] for row in held}, own_csv(self.url)
        assert {name: [row[key] for key in self.COLUMNS] for name, row in told.items()} == {
            name: [float(row[column]) for column in self.COLUMNS.values()] for name, row in said.items()
        }
        errors = self.world.tell(
            "rows", model="RunError", run=run["pk"], values=["pk", "type", "subtype", "occurrences"]
        )
        proof.runs, proof.tree = "1 (numbers equal its own CSV)", tree(errors)
        assert errors


def prove_control(proof: Proof, page: Page, at: Hosted | Local) -> None:
    """Start… on the page of a load test, the run's page until it runs, Stop…, and the run's page until it has ended."""
    before = at.ids()
    press_start(start_dialog(page, at.load_test))
    run = run_on(page, at.world)
    status = page.locator("#run-head .status")
    for _ in range(STEPS):
        if at.world.run(pk=run["pk"])["status"] == "running":
            break
        at.later(STEP_S)
    expect(status).to_have_text("Running")
    proof.started = "yes, running"
    for _ in range(STEPS):
        # Now, not in a quarter of a minute: until then the run may have ended.
        at.world.tell("change", model="Run", where={"pk": run["pk"]}, details_at=None)
        at.later(STEP_S)
        drawn = at.world.tell("rows", model="RunSeries", run=run["pk"], values=["name", "points"])
        if max((len(series["points"]) for series in drawn), default=0) > 1:
            expect(page.locator("#run-figure svg").first).to_be_visible()
            proof.started += ", charts"
            break
    page.get_by_role("link", name="Stop…").click()
    page.locator("dialog[open]").get_by_role("button", name="Stop run").click()
    expect(page.locator("#messages")).to_contain_text("Stop asked for")
    at.later(LONG_S)
    expect(status).to_have_text(re.compile("Aborted"))
    page.goto(f"/runs/{run['pk']}/activity/")
    expect(page.get_by_role("row", name=re.compile("Stop asked"))).to_contain_text(re.compile("Confirmed .* after"))
    proof.stopped = "yes, confirmed"
    assert at.ids() - before == {run["external_id"]}, "One press makes one run."
    prove_tree_is_shown(proof, page, at)
    at.prove_numbers(proof, run)


def prove_tree_is_shown(proof: Proof, page: Page, at: Hosted | Local) -> None:
    """The errors of the provider's newest run that has any."""
    found = at.world.run(account__provider=at.provider, error_count__gt=0)
    page.goto(f"/runs/{found['pk']}/errors/")
    expect(page.get_by_role("treegrid").locator("tbody > tr").first).to_be_visible()
