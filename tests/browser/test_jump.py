"""Jump to…: from anywhere by Ctrl K, found while typing, walked by the arrow keys, and the focus comes back."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.world import K6, VSTS


def field(page: Page):
    return page.get_by_role("combobox", name=re.compile("^Jump to"))


def test_a_run_number_typed_after_ctrl_k_opens_that_run_even_when_enter_comes_at_once(viewer, world):
    run = world.run(account__provider=K6, status="finished")
    viewer.goto("/history/")
    viewer.keyboard.press("Control+k")
    expect(field(viewer)).to_be_focused()
    viewer.keyboard.type(f"#{run['external_id']}")
    viewer.keyboard.press("Enter")
    expect(viewer).to_have_url(re.compile(f"/runs/{run['pk']}/$"))


def test_enter_waits_for_the_answer_to_all_letters(viewer, world):
    run = world.run(account__provider=K6, status="finished")
    viewer.goto("/history/")
    viewer.keyboard.press("Control+k")
    expect(field(viewer)).to_be_focused()
    held = []
    viewer.route(re.compile(r"/jump/\?q="), lambda route: route.continue_() if held else held.append(route))
    with viewer.expect_request(re.compile(r"/jump/\?q=")):
        viewer.keyboard.type("#")
    viewer.keyboard.type(run["external_id"])
    viewer.keyboard.press("Enter")
    held[0].continue_()  # what "#" alone finds comes only now
    expect(viewer).to_have_url(re.compile(f"/runs/{run['pk']}/$"))


def test_arrows_walk_the_places_while_the_letters_stay_in_the_field(viewer):
    viewer.goto("/runs/")
    search = viewer.locator("[data-search]")
    search.fill("half typ")
    viewer.keyboard.press("Control+k")
    expect(field(viewer)).to_be_focused()
    viewer.keyboard.type("t")
    expect(viewer.locator("#jump-count")).to_contain_text("place")
    chosen = viewer.locator("#jump-results [aria-selected=true]")
    seen = []
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        viewer.keyboard.press(key)
        expect(chosen).to_have_count(1)
        seen.append(chosen.get_attribute("id"))
        expect(field(viewer)).to_have_attribute("aria-activedescendant", seen[-1])
    assert seen[0] == seen[2] != seen[1]
    expect(field(viewer)).to_have_value("t")
    viewer.keyboard.press("Escape")
    expect(viewer.locator("dialog[open]")).to_have_count(0)
    expect(search).to_be_focused()
    expect(search).to_have_value("half typ")


def test_without_javascript_it_is_a_page_with_links(browse):
    page = browse("viewer", java_script_enabled=False)
    page.goto("/me/")
    page.get_by_role("link", name="Jump to…").click()
    page.get_by_role("textbox").fill("history")
    page.get_by_role("button", name="Find").click()
    page.locator("main").get_by_role("link", name="History").click()
    expect(page).to_have_url(re.compile("/history/$"))


@pytest.mark.usefixtures("still")
def test_ctrl_k_leaves_a_dialog_that_asks_before_it_acts_alone(operator, world):
    made = world.control("insert_run", provider=VSTS)["external_id"]
    world.sync(VSTS)
    operator.goto(f"/runs/{world.run(external_id=made)['pk']}/")
    operator.keyboard.press("s")
    keep = operator.locator("dialog[open]").get_by_role("link", name="Keep running")
    expect(keep).to_be_focused()
    operator.keyboard.press("Control+k")
    operator.keyboard.press("ArrowDown")
    expect(keep).to_be_focused()
    expect(field(operator)).to_have_count(0)
