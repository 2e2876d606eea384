"""The run list's filter menus and what changes by itself: numbers that come, polls that take nothing away."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, polled, sign_in
from tests.browser.world import VSTS


def facet(page: Page, key: str):
    return page.locator("#facets details.menu").filter(has=page.locator(f"#filter-{key}"))


def made(world) -> dict:
    """A run that has just been started at the provider, synced."""
    run = world.control("insert_run", provider=VSTS)["external_id"]
    world.sync(VSTS)
    return world.run(external_id=run)


def test_a_menu_counts_finds_and_is_walked_by_keyboard(viewer):
    viewer.goto("/runs/?provider=vsts")
    viewer.locator("#filter-result").press("Enter")
    menu = facet(viewer, "result")
    expect(menu.locator("[data-find]")).to_be_focused()
    expect(menu.locator(".option-count").first).to_have_text(re.compile(r"^\d+$"))
    viewer.keyboard.type("fail")
    expect(menu.locator("div.option:visible")).to_have_count(1)
    viewer.keyboard.press("ArrowDown")
    expect(menu.get_by_label("Failed", exact=True)).to_be_focused()
    viewer.keyboard.press("Space")
    failed = menu.locator("div.option:visible .option-count").inner_text()
    expect(menu.locator("#foot-result")).to_have_text(re.compile(rf"^{failed} of \d+ runs"))
    viewer.keyboard.press("Escape")
    expect(viewer.locator("#filter-result")).to_be_focused()
    expect(menu).not_to_have_attribute("open", "")
    viewer.locator("#filter-result").click()
    menu.get_by_role("link", name="Exclude Failed").focus()
    viewer.keyboard.press("Enter")
    expect(viewer.locator(".token")).to_have_count(2)
    expect(viewer).to_have_url(re.compile("result=!failed"))


def test_enter_in_a_menu_applies_it_and_the_focus_is_at_its_button(viewer):
    viewer.goto("/runs/?provider=vsts")
    viewer.locator("#filter-result").press("Enter")
    facet(viewer, "result").get_by_label("Failed", exact=True).press("Space")
    with viewer.expect_response(re.compile("result=failed")):
        viewer.keyboard.press("Enter")
    expect(viewer.locator(".token")).to_have_count(2)
    expect(viewer.locator("#filter-result")).to_be_focused()
    expect(viewer.locator("#filter-result")).to_contain_text("1")
    expect(facet(viewer, "result")).not_to_have_attribute("open", "")


def test_what_is_ticked_while_the_list_is_on_its_way_is_not_lost(viewer):
    viewer.goto("/runs/")
    held = []
    viewer.route(re.compile(r"/runs/\?name=checkout"), lambda route: route.continue_() if held else held.append(route))
    with viewer.expect_request(re.compile(r"/runs/\?name=checkout")):
        viewer.locator("#name").press_sequentially("checkout")
    facet(viewer, "result").locator("summary").click()
    failed = facet(viewer, "result").get_by_label("Failed", exact=True)
    failed.check()
    held[0].continue_()
    expect(viewer.locator(".token")).to_have_count(1)
    expect(failed).to_be_checked()
    facet(viewer, "result").get_by_role("button", name="Apply").click()
    expect(viewer.locator(".token")).to_have_count(2)
    expect(viewer).to_have_url(re.compile("name=checkout&result=failed$"))
    expect(facet(viewer, "result")).not_to_have_attribute("open", "")


def test_on_a_phone_the_filters_are_a_sheet(browse):
    page = browse("viewer", viewport=PHONE, has_touch=True)
    page.goto("/runs/?provider=vsts")
    expect(page.locator("#facets")).to_be_hidden()
    page.get_by_role("button", name=re.compile("Filters")).click()
    page.locator("#filter-status").click()
    facet(page, "status").get_by_label("Finished", exact=True).check()
    everything = page.locator(".filter-line b").first.inner_text()
    expect(page.locator("#sheet-count")).not_to_have_text(f"Show {everything} runs")
    shown = page.locator("#sheet-count").inner_text().split()[1]
    page.locator("#sheet-count").click()
    expect(page.locator("#facets")).to_be_hidden()
    expect(page.locator(".filter-line b").first).to_have_text(shown)
    page.get_by_label("Order").select_option(label="Longest first")
    expect(page).to_have_url(re.compile("sort=-duration"))


@pytest.mark.usefixtures("still")
def test_a_poll_keeps_what_is_in_use_says_who_ended_and_offers_new_runs(viewer, world):
    run = made(world)
    viewer.clock.install()
    viewer.goto("/runs/?provider=vsts")
    row = viewer.locator(f"#run-{run['pk']}")
    viewer.locator("#filter-status").click()
    ticked = facet(viewer, "status").get_by_label("Error", exact=True)
    ticked.check()
    first = viewer.locator("#runs tbody tr").first.get_attribute("id")
    world.later(VSTS)
    newer = made(world)
    polled(viewer, "/runs/rows/")
    expect(row.locator(".c-status")).to_have_text(re.compile("Finished|Aborted|Error"))
    expect(viewer.locator("#messages")).to_contain_text(re.compile(rf"#{run['number']} |runs have ended"))
    expect(ticked).to_be_checked()
    expect(ticked).to_be_focused()
    expect(viewer.locator(f"#run-{newer['pk']}")).to_have_count(0)
    assert viewer.locator("#runs tbody tr").first.get_attribute("id") == first
    viewer.keyboard.press("Escape")
    viewer.get_by_role("link", name=re.compile("new run.* show")).click()
    expect(viewer.locator(f"#run-{newer['pk']}")).to_be_visible()
    expect(viewer.locator("#new-runs a")).to_have_count(0)
    expect(viewer.locator("#runs [data-row]").first).to_be_focused()
    world.later(VSTS)


@pytest.mark.usefixtures("still")
def test_an_answer_about_a_list_that_is_gone_changes_nothing(viewer, world):
    run = made(world)
    held = []
    viewer.clock.install()
    viewer.route("**/runs/rows/**", lambda route: held.append(route))
    viewer.goto("/runs/")
    with viewer.expect_request("**/runs/rows/**"):
        viewer.clock.run_for(6_000)
    viewer.locator("#latest").check()
    expect(viewer).to_have_url(re.compile("latest=1"))
    with viewer.expect_response("**/runs/rows/**") as answer:
        held[0].continue_()
    answer.value.finished()
    expect(viewer.locator(f"#run-{run['pk']} .c-status")).to_be_visible()  # and the console stays empty
    world.later(VSTS)


@pytest.mark.usefixtures("still")
def test_paused_nothing_is_asked_for_and_that_is_remembered(viewer, world):
    made(world)
    viewer.clock.install()
    viewer.goto("/runs/")
    viewer.locator("#freshness-button").click()
    viewer.get_by_role("button", name="Pause").click()
    expect(viewer.locator("#fresh")).to_contain_text("Paused")
    expect(viewer.locator("#freshness-button")).to_be_focused()
    viewer.reload()
    expect(viewer.locator("#fresh")).to_contain_text("Paused")
    viewer.locator("#freshness-button").click()
    viewer.get_by_role("button", name="Every 5 s").click()
    polled(viewer, "/runs/rows/")
    world.later(VSTS)


@pytest.mark.parametrize("what", ["menu", "dialog"])
def test_a_part_asked_for_after_the_session_ended_becomes_the_sign_in_page(stranger, world, what):
    sign_in(stranger, "operator")
    stranger.goto("/runs/?status=finished")
    cookies = {cookie["name"]: cookie["value"] for cookie in stranger.context.cookies()}
    world.tell("end_session", key=cookies["sessionid"])
    if what == "menu":
        stranger.locator("#filter-result").click()
    else:
        stranger.locator("#runs tbody tr").first.locator("[data-key=r]").click()
    expect(stranger).to_have_url(re.compile(r"/sign-in/\?next=%2Fruns%2F%3Fstatus%3Dfinished"))
    sign_in(stranger, "operator")
    expect(stranger).to_have_url(re.compile(r"/runs/\?status=finished$"))
