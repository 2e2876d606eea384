"""What people come for, from the run list on and by mouse alone: with JavaScript, and in the same steps without."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_errors import failed_run
from tests.browser.test_list_live import facet, made
from tests.browser.test_stop import stops_sent
from tests.browser.world import VSTS


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def page(request, browse) -> Page:
    return browse("operator", java_script_enabled=request.param)


def test_a_failed_run_is_found_opened_and_its_error_read(page, world):
    run = failed_run(world, VSTS)
    page.goto("/runs/")
    page.get_by_label("Test name or run number").click()
    page.keyboard.type(str(run["number"]))
    facet(page, "result").locator("summary").click()
    facet(page, "result").get_by_label("Failed", exact=True).click()
    facet(page, "result").get_by_role("button", name="Apply").click()
    expect(page.locator(".token")).to_have_count(2)
    page.locator(f"#run-{run['pk']}-name").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(run["load_test__name"])
    page.get_by_role("navigation", name="Parts of this run").get_by_role("link", name=re.compile("^Errors")).click()
    page.get_by_role("treegrid").locator("tbody > tr:not([aria-expanded]) a").first.click()
    expect(page.locator("#error-pane .pane-facts")).to_be_visible()


@pytest.mark.usefixtures("still")
def test_a_run_is_stopped_from_its_row(page, world):
    run = made(world)
    before = stops_sent(world, run)
    page.goto("/runs/")
    page.locator(f"#run-{run['pk']}-stop").click()
    page.get_by_role("button", name="Stop run").click()
    expect(page.locator("#messages")).to_contain_text("Stop asked for")
    assert stops_sent(world, run) == before + 1
    world.later(VSTS)


def test_a_run_is_started_again_from_its_row(page, world):
    run = world.run(account__provider=VSTS, status="finished", load_test__name__endswith=".loadtest")
    page.goto(f"/runs/?test={run['load_test_id']}&status=finished")
    page.locator(f"#run-{run['pk']}-again").click()
    page.get_by_role("button", name=re.compile("^Start ")).last.click()
    expect(page).to_have_url(re.compile(r"/runs/\d+/$"))
    assert page.url.split("/")[-2] != str(run["pk"])
    world.later(VSTS)
