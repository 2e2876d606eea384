"""A real Locust below the dashboard: started, watched, stopped, failed by a threshold of ours, its exceptions told."""

import re

import pytest
from playwright.sync_api import expect

from tests.real_locust import own_csv, real_locust, wait_until


@pytest.mark.slow
def test_load_is_started_watched_stopped_and_judged(operator, world):
    with real_locust() as url, world.load_account(url) as test:
        world.sync("locust")
        operator.goto(f"/tests/{test}/")
        operator.get_by_role("link", name="Change…").click()
        operator.get_by_label("p95 of all requests, at most (ms)").fill("1")
        operator.get_by_role("button", name="Save thresholds").click()
        expect(operator.locator("#messages")).to_contain_text("pass or fail by them")

        operator.locator(".page-actions").get_by_role("link", name="Start…").click()
        dialog = operator.locator("dialog[open]")
        for label, value in {"Users": "20", "Spawn rate": "20", "Run time": "60s"}.items():
            dialog.get_by_label(label).fill(value)
        dialog.locator("button[type=submit]").click()
        expect(operator).to_have_url(re.compile(r"/runs/\d+/$"))
        run = int(operator.url.split("/")[-2])

        def looks() -> list[dict]:
            world.tell("change", model="Run", where={"pk": run}, details_at=None)  # now, not in a quarter of a minute
            world.sync("locust")
            return world.tell("rows", model="RunError", values=["type"], run=run)

        wait_until(lambda: len(looks()) == 2)  # somebody could not pay, and raised
        expect(operator.locator("#run-verdict")).to_contain_text(
            re.compile("Failing: p95 of all requests is .* limit 1")
        )

        operator.get_by_role("link", name="Stop…").click()
        operator.locator("dialog[open]").get_by_role("button", name="Stop run").click()
        expect(operator.locator("#messages")).to_contain_text("Stop asked for")
        looks()
        operator.goto(f"/runs/{run}/")
        expect(operator.get_by_text("Aborted").first).to_be_visible()
        expect(operator.get_by_text("Failed").first).to_be_visible()
        [kept] = world.tell("rows", model="Run", values=["status", "stop_reason", "result"], pk=run)
        assert kept == {"status": "aborted", "stop_reason": "user", "result": "failed"}

        operator.goto(f"/runs/{run}/errors/")
        expect(operator.get_by_text("The basket was not paid for.").first).to_be_visible()
        operator.goto(f"/runs/{run}/metrics/")
        said = own_csv(url)
        rows = world.tell("rows", model="RunMetric", values=["name", "numbers"], run=run)
        told = {row["name"] or "Aggregated": row["numbers"] for row in rows}
        assert set(told) == set(said)
        for name, numbers in told.items():
            counted = (numbers["count"], numbers["failed"], numbers["rate_per_s"], numbers["avg_ms"], numbers["p95_ms"])
            columns = ("Request Count", "Failure Count", "Requests/s", "Average Response Time", "95%")
            assert counted == tuple(float(said[name][column]) for column in columns)
            if name != "Aggregated":
                head = operator.get_by_role("rowheader", name=name, exact=True)
                row = operator.get_by_role("row").filter(has=head)
                expect(row).to_contain_text(said[name]["Request Count"])
