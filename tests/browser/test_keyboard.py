"""Single keys: what they press is on the page too, and they never get in the way of typing."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import polled
from tests.browser.test_people import somebody  # noqa: F401 - a fixture
from tests.browser.test_stop import stops_sent
from tests.browser.world import VSTS


@pytest.fixture
def running(world, still) -> dict:
    """A run that somebody else started just now, first in the list."""
    made = world.control("insert_run", provider=VSTS)["external_id"]
    world.sync(VSTS)
    return {**world.run(external_id=made), "provider": VSTS}


def names(page: Page) -> Locator:
    return page.locator("table.runs [data-row]")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def no_dialog(page: Page) -> None:
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_j_and_k_walk_the_rows_and_enter_opens_the_current_one(viewer):
    viewer.goto("/runs/?status=finished")
    press(viewer, "j", "j", "k")
    expect(names(viewer).nth(0)).to_be_focused()
    press(viewer, "k")
    expect(names(viewer).nth(0)).to_be_focused()
    press(viewer, "j", "j")
    expect(names(viewer).nth(2)).to_be_focused()
    address = names(viewer).nth(2).get_attribute("href")
    press(viewer, "Enter")
    expect(viewer).to_have_url(re.compile(f"{address}$"))


def test_the_current_row_is_seen_and_comes_into_view(viewer):
    viewer.goto("/runs/?status=finished")
    last = names(viewer).count() - 1
    press(viewer, *["j"] * (last + 3))
    expect(names(viewer).nth(last)).to_be_focused()
    expect(names(viewer).nth(last)).to_be_in_viewport()
    ground = "cell => getComputedStyle(cell).backgroundColor"
    cells = viewer.locator("table.runs tbody td.c-test")
    assert cells.nth(last).evaluate(ground) != cells.nth(last - 1).evaluate(ground)


def test_the_walk_goes_on_from_where_it_was_left(viewer):
    viewer.goto("/runs/?status=finished")
    press(viewer, "j", "j")
    viewer.evaluate("document.activeElement.blur()")
    press(viewer, "j")
    expect(names(viewer).nth(2)).to_be_focused()


@pytest.mark.parametrize("path", ["/runs/", "/tests/"])
def test_a_slash_goes_to_the_search_field_and_keys_inside_it_are_letters(viewer, path):
    viewer.goto(path)
    press(viewer, "/")
    field = viewer.locator("[data-search]")
    expect(field).to_be_focused()
    viewer.keyboard.type("j/k?gtsr")
    expect(field).to_have_value("j/k?gtsr")
    expect(field).to_be_focused()
    no_dialog(viewer)


def test_s_asks_before_it_stops_the_current_row_and_ctrl_enter_confirms(operator, world, running):
    before = stops_sent(world, running)
    operator.goto("/runs/?status=running&status=queued&status=starting")
    row = operator.locator(f"#run-{running['pk']}")
    while row.locator("[data-row]:focus").count() == 0:
        press(operator, "j")
    press(operator, "s")
    dialog = operator.locator("dialog[open]")
    expect(dialog.get_by_role("heading")).to_contain_text(running["load_test__name"])
    expect(dialog.get_by_role("link", name="Keep running")).to_be_focused()
    press(operator, "j", "s", "?", "/")
    expect(dialog.get_by_role("link", name="Keep running")).to_be_focused()
    press(operator, "Escape")
    no_dialog(operator)
    expect(row.locator("[data-row]")).to_be_focused()
    assert stops_sent(world, running) == before

    press(operator, "s")
    expect(dialog.get_by_role("link", name="Keep running")).to_be_focused()
    press(operator, "Control+Enter")
    expect(operator.locator("#messages")).to_contain_text("Stop asked for")
    expect(operator).to_have_url(re.compile(f"/runs/{running['pk']}/$"))
    assert stops_sent(world, running) == before + 1


def test_s_then_ctrl_enter_stops_the_run_whose_page_it_is(operator, world, running):
    before = stops_sent(world, running)
    operator.goto(f"/runs/{running['pk']}/errors/")
    press(operator, "s")
    dialog = operator.locator("dialog[open]")
    expect(dialog.get_by_role("link", name="Keep running")).to_be_focused()
    dialog.get_by_label("Reason").fill("wrong target")
    operator.keyboard.down("Control")
    for _ in range(3):  # held down, it repeats
        operator.keyboard.down("Enter")
    operator.keyboard.up("Control")
    expect(operator.locator("#messages")).to_contain_text("Stop asked for")
    assert stops_sent(world, running) == before + 1


def test_ctrl_enter_stops_nothing_that_was_not_asked_about(operator, world, running):
    before = stops_sent(world, running)
    operator.goto(f"/runs/{running['pk']}/")
    press(operator, "Control+Enter")
    operator.goto(f"/runs/{running['pk']}/stop/")
    press(operator, "?")
    dialog = operator.locator("dialog[open]")
    expect(dialog).to_contain_text("Keyboard shortcuts")
    press(operator, "Control+Enter", "Escape")
    no_dialog(operator)
    expect(operator).to_have_url(re.compile("/stop/$"))
    assert stops_sent(world, running) == before


def test_without_a_current_row_s_and_r_do_nothing(operator, running):
    operator.goto("/runs/")
    asked = []
    operator.on("request", lambda request: asked.append(request.url))
    press(operator, "s", "r", "?")
    expect(operator.locator("dialog[open]")).to_contain_text("Keyboard shortcuts")
    assert [url for url in asked if "/stop/" in url or "/start-again/" in url] == []


def test_r_asks_to_start_the_current_row_or_the_page_s_run_again(operator, world):
    run = world.run(status="finished", account__provider=VSTS)
    for path, walk in (("/runs/?status=finished&provider=vsts", ["j"]), (f"/runs/{run['pk']}/", [])):
        operator.goto(path)
        press(operator, *walk, "r")
        expect(operator.locator("dialog[open]").get_by_role("heading").first).to_contain_text(run["load_test__name"])
        press(operator, "Escape")
        no_dialog(operator)


@pytest.mark.parametrize(("key", "path"), [("r", "/runs/"), ("t", "/tests/"), ("h", "/history/"), ("a", "/accounts/")])
def test_g_and_a_letter_go_to_a_page(admin, key, path):
    admin.goto("/me/")
    press(admin, "g", key)
    expect(admin).to_have_url(re.compile(f"{path}$"))


def test_a_key_after_g_is_not_taken_for_itself(viewer):
    viewer.goto("/runs/?status=finished")
    press(viewer, "g", "j", "g", '"')
    expect(names(viewer).nth(0)).not_to_be_focused()
    press(viewer, "j")
    expect(names(viewer).nth(0)).to_be_focused()


def test_a_viewer_s_keys_do_no_more_than_a_viewer_may(viewer, running):
    viewer.goto("/runs/")
    press(viewer, "j", "s", "r", "g", "a", "?")
    dialog = viewer.locator("dialog[open]")
    expect(dialog).to_contain_text("Keyboard shortcuts")
    expect(dialog).not_to_contain_text("Stop")
    expect(viewer).to_have_url(re.compile("/runs/$"))


def test_the_list_of_keys_opens_by_key_and_from_the_menu_and_gives_the_focus_back(viewer):
    viewer.goto("/runs/?status=finished")
    press(viewer, "j", "?")
    dialog = viewer.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("Next row, previous row")
    press(viewer, "Escape")
    no_dialog(viewer)
    expect(names(viewer).nth(0)).to_be_focused()
    person = viewer.locator(".topbar-end > details.menu").first.locator("summary")
    person.click()
    viewer.get_by_role("link", name="Keyboard shortcuts", exact=True).click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("link", name="Close").click()
    no_dialog(viewer)
    expect(person).to_be_focused()


def test_without_javascript_the_list_of_keys_is_a_page(browse):
    page = browse("viewer", java_script_enabled=False)
    page.goto("/me/")
    page.get_by_role("link", name="Which keys there are").click()
    expect(page).to_have_url(re.compile("/shortcuts/$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Keyboard shortcuts")


def test_keys_with_a_modifier_stay_the_browser_s(viewer):
    viewer.goto("/runs/?status=finished")
    press(viewer, "Control+j", "Alt+j", "Meta+j", "Control+/")
    expect(viewer.locator("body")).to_be_focused()


def test_a_current_row_that_changes_by_itself_stays_current(operator, world, running):
    operator.clock.install()
    operator.goto("/runs/")
    row = operator.locator(f"#run-{running['pk']}")
    while row.locator("[data-row]:focus").count() == 0:
        press(operator, "j")
    following = names(operator).nth(
        1 + operator.evaluate("[...document.querySelectorAll('table.runs [data-row]')].indexOf(document.activeElement)")
    )
    world.later(VSTS)
    polled(operator, "/runs/rows/")
    expect(row.locator(".c-status")).to_have_text(re.compile("Finished|Aborted|Error"))
    expect(row.locator("[data-row]")).to_be_focused()
    press(operator, "r")
    expect(operator.locator("dialog[open]")).to_contain_text(running["load_test__name"])
    press(operator, "Escape")
    no_dialog(operator)
    press(operator, "j")
    expect(following).to_be_focused()


def test_switched_off_in_ones_settings_single_keys_do_nothing(somebody):  # noqa: F811
    somebody.goto("/me/")
    somebody.get_by_label("Single-key shortcuts").uncheck()
    somebody.get_by_role("button", name="Save settings").click()
    expect(somebody.locator("#messages")).to_contain_text("Your settings are saved.")
    somebody.goto("/runs/?status=finished")
    press(somebody, "j", "/", "?", "g", "t")
    expect(somebody.locator("body")).to_be_focused()
    expect(somebody).to_have_url(re.compile("/runs/"))
    no_dialog(somebody)
    somebody.goto("/me/")
    somebody.get_by_label("Single-key shortcuts").check()
    somebody.get_by_role("button", name="Save settings").click()
    somebody.goto("/runs/?status=finished")
    press(somebody, "j")
    expect(names(somebody).nth(0)).to_be_focused()
