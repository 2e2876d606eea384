"""A run that has not ended, looked at: its parts move, what is in use does not, and it becomes final by itself."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import polled
from tests.browser.test_start import ENDED
from tests.browser.world import K6


@pytest.fixture
def running(world, still) -> dict:
    """A k6 run under way, with points in its charts: the sandbox decides how soon a run begins and how it goes."""
    for seconds in (4, 5, 6, 4, 5, 6, 8):
        made = world.control("insert_run", provider=K6)["external_id"]
        world.later(K6, seconds)
        run = world.run(external_id=made)
        drawn = world.tell("rows", model="RunSeries", run=run["pk"], values=["name", "points"])
        if run["status"] == "running" and any(len(series["points"]) > 1 for series in drawn):
            return run
    raise AssertionError("No run was under way with a chart.")


def poll_until_the_chart(page: Page) -> None:
    """Each fourth answer brings it."""
    while int(re.search(r"turn=(\d+)", polled(page, "/live/").url)[1]) % 4:
        pass


def test_a_live_page_leaves_alone_what_is_in_use_and_becomes_final_by_itself(viewer, world, running):
    viewer.clock.install()
    viewer.goto(f"/runs/{running['pk']}/")
    expect(viewer.locator("#run-head .status")).to_have_text("Running")
    menu, table = viewer.locator("#run-menu"), viewer.locator("#chart-table")
    table.locator("summary").click()
    menu.locator("summary").click()
    viewer.evaluate("getSelection().selectAllChildren(document.querySelector('.verdict'))")
    chosen = viewer.evaluate("getSelection().toString()")
    viewer.locator("#run-figure").evaluate("figure => figure.dataset.old = 'yes'")

    poll_until_the_chart(viewer)
    expect(viewer.locator("#run-figure:not([data-old])")).to_be_attached()
    expect(table).to_have_attribute("open", "")
    expect(menu).to_have_attribute("open", "")
    assert viewer.evaluate("getSelection().toString()") == chosen

    viewer.evaluate("getSelection().removeAllRanges()")
    world.later(K6)
    expect(viewer.locator("#run-head .status")).to_have_text(ENDED)
    expect(viewer.locator(".chip")).to_contain_text(["Final"])
    expect(viewer.locator("#messages .message")).to_have_text(viewer.locator(".verdict").inner_text())
    expect(viewer.locator("#run-stop")).to_have_count(0)
    expect(viewer.locator("#run-ended")).to_be_hidden()
    expect(table).to_have_attribute("open", "")
    expect(viewer.locator("[data-poll][hx-get*='/live/']")).to_have_count(0)


def test_its_menu_stays_open_while_numbers_move_and_pauses_them(viewer, running):
    viewer.clock.install()
    viewer.goto(f"/runs/{running['pk']}/")
    menu, number = viewer.locator("#freshness"), viewer.locator(".key-number").first
    menu.locator("summary").click()
    number.evaluate("number => { number.textContent = 'another' }")
    polled(viewer, "/live/")
    expect(number).to_have_class(re.compile("is-changed"))
    expect(menu).to_have_attribute("open", "")
    menu.get_by_role("button", name="Pause").click()
    expect(menu).to_contain_text("Paused")
    expect(viewer.locator("#run-poll")).to_have_count(0)
    menu.locator("summary").click()
    menu.get_by_role("button", name="Every 2 s").click()
    expect(menu).to_contain_text("Live")
