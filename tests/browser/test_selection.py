"""Ticking runs: across pages, by keyboard, without JavaScript; and what is done with them."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import polled
from tests.browser.test_keyboard import names, press
from tests.browser.test_stop import stops_sent
from tests.browser.world import VSTS


@pytest.fixture
def running(world, still) -> list[dict]:
    """Two runs that somebody else started just now, first in the list."""
    made = [world.control("insert_run", provider=VSTS)["external_id"] for _ in range(2)]
    world.sync(VSTS)
    return [world.run(external_id=external_id) for external_id in made]


def bar(page: Page):
    return page.get_by_role("region", name="Selected runs")


def tick(page: Page, run: dict):
    return page.locator(f"#run-{run['pk']}-select")


def test_runs_ticked_on_two_pages_are_stopped_by_keyboard_each_with_its_outcome(operator, world, running):
    before = [stops_sent(world, run) for run in running]
    operator.clock.install()
    operator.goto("/runs/")
    while operator.locator(f"#run-{running[0]['pk']} [data-row]:focus").count() == 0:
        press(operator, "j")
    press(operator, "x")
    expect(tick(operator, running[0])).to_be_checked()
    tick(operator, running[1]).check()
    world.sync(VSTS)
    polled(operator, "/runs/rows/")  # the live rows are swapped, with their boxes
    expect(bar(operator)).to_contain_text("2 selected")
    expect(tick(operator, running[0])).to_be_checked()
    operator.get_by_role("link", name="Older", exact=True).click()
    operator.wait_for_url("**after=**")
    press(operator, "j", "x", "j", "j", "Shift+X")
    expect(bar(operator)).to_contain_text("5 selected · 2 on other pages, until the filters change")
    expect(bar(operator)).to_contain_text("3 already ended")
    press(operator, "b", "Tab")
    expect(operator.get_by_role("button", name="Stop 2…")).to_be_focused()
    press(operator, "Enter")
    dialog = operator.locator("dialog[open]")
    expect(dialog.get_by_role("heading")).to_have_text("Stop 2 of 5 selected runs?")
    expect(dialog.get_by_role("link", name="Keep running")).to_be_focused()
    press(operator, "Escape")
    expect(dialog).to_have_count(0)
    expect(operator.get_by_role("button", name="Stop 2…")).to_be_focused()
    assert [stops_sent(world, run) for run in running] == before

    press(operator, "Enter")
    dialog.get_by_label("Reason").fill("staging is down")
    press(operator, "Control+Enter")
    expect(operator.get_by_role("heading", level=1)).to_have_text("Stop asked for 2 runs")
    lines = operator.get_by_role("row").filter(has_text="Stop asked for.")
    expect(lines).to_have_count(2)
    expect(operator.get_by_role("row").filter(has_text="Skipped. Already ended.")).to_have_count(3)
    assert [stops_sent(world, run) for run in running] == [count + 1 for count in before]
    world.later(VSTS, seconds=60)
    operator.clock.run_for(6_000)
    expect(operator.get_by_role("row").filter(has_text="Confirmed")).to_have_count(2)
    expect(operator.locator("[data-poll]")).to_have_count(0)


def test_all_on_the_page_all_that_match_and_none(viewer):
    viewer.goto("/runs/?status=finished")
    shown = names(viewer).count()
    everything = viewer.get_by_label("Select all runs on this page")
    everything.check()
    expect(bar(viewer)).to_contain_text(f"{shown} selected")
    viewer.locator("[data-select]").nth(1).uncheck()
    assert everything.evaluate("box => box.indeterminate")
    bar(viewer).get_by_role("button", name=re.compile("Select all")).click()
    expect(bar(viewer)).to_contain_text(re.compile(r"All \d+ selected"))
    viewer.locator("[data-select]").nth(2).uncheck()
    expect(bar(viewer)).to_contain_text(re.compile(r"All \d+ but 1 selected"))
    expect(bar(viewer).get_by_role("button", name=re.compile("Stop"))).to_have_count(0)
    bar(viewer).get_by_text("Export").click()
    with viewer.expect_download() as download:
        bar(viewer).get_by_role("button", name="JSON").click()
    assert download.value.suggested_filename.endswith(".json")
    viewer.keyboard.press("Escape")
    viewer.goto("/runs/?status=finished&result=passed")
    expect(bar(viewer)).to_be_hidden()
    viewer.go_back()
    expect(bar(viewer)).to_contain_text("but 1 selected")
    bar(viewer).get_by_role("button", name="Clear the selection").click()
    expect(bar(viewer)).to_be_hidden()
    expect(names(viewer).first).to_be_focused()


def test_without_javascript_ticked_runs_are_stopped_and_exported(browse, world, running):
    page = browse("operator", java_script_enabled=False)
    page.goto("/runs/?status=running&status=queued&status=starting")
    tick(page, running[0]).check()
    page.get_by_text("Export selected").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.path().read_text().count("\n") == 2
    page.get_by_role("button", name="Stop selected…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Stop 1 run?")
    page.get_by_label("Reason").fill("staging is down")
    page.get_by_role("button", name="Stop 1 run").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Stop asked for 1 run")
    page.get_by_role("link", name="Back to the runs").click()
    expect(page).to_have_url(re.compile(r"/runs/\?status=running"))


def test_the_menu_of_a_row_stays_open_while_the_row_is_swapped(viewer, running):
    viewer.goto("/runs/")
    menu = viewer.locator(f"#run-{running[0]['pk']}-menu")
    menu.locator("summary").click()
    viewer.keyboard.press("Tab")
    link = menu.locator("a").first
    expect(link).to_be_focused()
    with viewer.expect_response(re.compile("/runs/rows/")):
        pass
    expect(menu).to_have_attribute("open", "")
    expect(link).to_be_focused()
