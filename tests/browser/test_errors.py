"""The error tree in a browser: by mouse, by keyboard, without JavaScript, with ten thousand details, of a live run."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, WIDE, polled
from tests.browser.test_every_page import Inspector
from tests.browser.world import K6, VSTS


def failed_run(world, provider: str) -> dict:
    """The newest failed run whose error tree is worth opening."""
    deepest = {"runerrors__stack_trace__gt": ""} if provider == VSTS else {"runerrors__isnull": False}
    return world.run(account__provider=provider, result="failed", **deepest)


@pytest.fixture(params=[K6, VSTS])
def failed(request, world) -> dict:
    return failed_run(world, request.param)


@pytest.fixture(scope="session")
def large(world) -> dict:
    """A run with ten thousand details of two types."""
    run = world.runs(status="finished", runerrors__isnull=True)[-1]
    world.tell("add_errors", run=run["pk"], type="Alpha", subtype="many", count=9_700)
    world.tell("add_errors", run=run["pk"], type="Beta", subtype="some", count=300)
    return run


def open_tree(page: Page, run: dict, query: str = "") -> Locator:
    page.goto(f"/runs/{run['pk']}/errors/{query}")
    return page.get_by_role("treegrid")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def row_named(tree: Locator, name: str) -> Locator:
    return tree.locator("tbody > tr").filter(has_text=re.compile(rf"^\s*{re.escape(name)}"))


def test_the_tree_opens_by_mouse_down_to_a_detail(viewer, failed):
    tree = open_tree(viewer, failed, "?open=none")
    closed, detail = tree.locator("tr[aria-expanded=false]"), tree.locator("tbody > tr:not([aria-expanded])")
    level = 1
    while not detail.count():
        closed.and_(tree.locator(f"[aria-level='{level}']")).first.click()
        level += 1
        expect(tree.locator(f"tr[aria-level='{level}']").first).to_be_visible()
    detail.first.click()
    pane = viewer.locator("#error-pane")
    expect(pane.locator(".pane-facts")).to_be_visible()
    expect(detail.first).to_have_attribute("aria-current", "true")
    expect(viewer).to_have_url(re.compile(f"node={detail.first.get_attribute('data-node')}"))
    occurrences = detail.first.locator(".c-times").inner_text().split()[0]
    expect(pane).to_contain_text(re.compile(rf"{re.escape(occurrences)}\s+times?, .* of errors"))
    viewer.go_back()
    expect(pane).to_be_hidden()
    expect(detail.first).to_be_visible()
    viewer.go_forward()
    expect(pane.locator(".pane-facts")).to_be_visible()
    viewer.get_by_role("link", name="Close this error").click()
    expect(pane).to_be_hidden()


def test_the_tree_is_walked_by_keyboard_with_one_tab_stop(viewer, large):
    tree = open_tree(viewer, large)
    alpha, beta = row_named(tree, "Alpha 1 subtype"), row_named(tree, "Beta 1 subtype")
    viewer.locator("#error-export").focus()
    press(viewer, "Tab")
    expect(alpha).to_be_focused()
    press(viewer, "Tab", "Shift+Tab", "ArrowDown")
    expect(beta).to_be_focused()
    press(viewer, "Home")
    expect(alpha).to_be_focused()
    press(viewer, "b")
    expect(beta).to_be_focused()
    press(viewer, "*")
    expect(tree.locator("tr[aria-expanded=true]")).to_have_count(2)
    press(viewer, "ArrowRight")
    expect(row_named(tree, "some")).to_be_focused()
    press(viewer, "ArrowRight")
    expect(row_named(tree, "some")).to_have_attribute("aria-expanded", "true")
    press(viewer, "ArrowRight")
    detail = row_named(tree, "Beta 00000")
    expect(detail).to_be_focused()
    press(viewer, "Enter")
    expect(viewer.locator("#error-pane")).to_be_focused()
    expect(viewer.locator("#error-pane .pane-facts")).to_be_visible()
    press(viewer, "Escape")
    expect(detail).to_be_focused()
    press(viewer, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    expect(beta).to_be_focused()
    expect(beta).to_have_attribute("aria-expanded", "false")
    expect(detail).to_be_hidden()
    press(viewer, "s")  # a letter of the tree, not the page's key for stopping
    expect(beta).to_be_focused()


def test_ten_thousand_details_come_a_hundred_at_a_time(viewer, large):
    tree = open_tree(viewer, large)
    row_named(tree, "Alpha 1 subtype").click()
    row_named(tree, "many").click()
    expect(tree.locator("tr[aria-level='3']")).to_have_count(11)
    row_named(tree, "other").click()
    rows = tree.locator("tr[aria-level='4']")
    expect(rows).to_have_count(101)
    expect(rows.last).to_contain_text("9,590 of 9,690 are not shown yet")
    press(viewer, "ArrowDown")
    expect(rows.first).to_be_focused()
    rows.last.click()
    expect(rows).to_have_count(201)
    expect(rows.nth(100)).to_be_focused()
    expect(rows.nth(100)).to_have_attribute("aria-posinset", "101")
    expect(rows.nth(100)).to_have_attribute("aria-setsize", "9690")
    press(viewer, "ArrowUp")
    expect(rows.nth(99)).to_be_focused()


def test_a_deep_link_opens_the_way_to_a_node_and_focuses_it(viewer, world):
    run = failed_run(world, VSTS)
    [error] = world.tell(
        "rows", model="RunError", run=run["pk"], stack_trace__gt="",
        values=["fingerprint", "type", "subtype", "stack_trace", "scenario", "test_case"],
    )[:1]  # fmt: skip
    tree = open_tree(viewer, run, f"?node={error['fingerprint']}")
    pane = viewer.locator("#error-pane")
    expect(pane.locator("#stack-trace")).to_have_text(error["stack_trace"])
    expect(pane).to_contain_text(error["scenario"])
    expect(pane).to_contain_text(error["test_case"])
    expect(tree.locator(f"tr[data-node='{error['fingerprint']}']")).to_be_focused()


def test_all_is_expanded_collapsed_and_kept_when_the_page_is_loaded_again(viewer, failed):
    tree = open_tree(viewer, failed, "?open=none")
    rows = tree.locator("tbody > tr:visible")
    types = rows.count()
    viewer.locator("#error-expand").click()
    viewer.get_by_role("link", name="Expand all").click()
    expect(viewer.locator("#error-expand")).to_be_focused()
    expect(tree.locator("tr[aria-level='3']").first).to_be_visible()
    expect(tree.locator("tr[aria-level='1']").first).to_have_attribute("aria-expanded", "true")
    shown = rows.count()
    viewer.reload()
    expect(rows).to_have_count(shown)
    viewer.locator("#error-expand").click()
    viewer.get_by_role("link", name="Collapse all").click()
    expect(rows).to_have_count(types)


def counted(errors) -> str:
    return f"{sum(error['occurrences'] for error in errors):,}"


def choose(page: Page, menu: str, value: str) -> None:
    page.locator(f"#error-{menu}").click()
    page.get_by_role("checkbox", name=value, exact=True).check()
    page.locator("details[open]").get_by_role("button", name="Apply").click()
    expect(page.locator(f"#error-{menu} .count")).to_have_text("1")


def test_errors_are_filtered_by_type_subtype_and_text(viewer, world):
    run = failed_run(world, VSTS)
    errors = world.tell(
        "rows", model="RunError", run=run["pk"], values=["type", "subtype", "message", "occurrences", "fingerprint"]
    )
    chosen = next(error for error in errors if error["message"])
    open_tree(viewer, run)
    total = viewer.locator(".error-count b")
    choose(viewer, "type", chosen["type"])
    expect(total).to_have_text(counted(error for error in errors if error["type"] == chosen["type"]))
    choose(viewer, "subtype", chosen["subtype"])
    both = [error for error in errors if (error["type"], error["subtype"]) == (chosen["type"], chosen["subtype"])]
    expect(total).to_have_text(counted(both))
    word = max(re.findall(r"\w+", chosen["message"]), key=len)
    press(viewer, "/")
    viewer.keyboard.type(word)
    expect(viewer).to_have_url(re.compile(f"text={word}"))
    expect(viewer.locator("#error-text")).to_be_focused()
    expect(viewer.locator(".error-count")).to_contain_text(f"of {counted(errors)} errors")
    address = viewer.url
    viewer.reload()
    assert viewer.url == address
    expect(viewer.locator("#error-text")).to_have_value(word)
    viewer.locator("#error-text").fill("nothing says this")
    expect(viewer.get_by_role("heading", name="No error matches")).to_be_visible()
    viewer.locator("#errors").get_by_role("link", name="Clear filters").click()
    expect(total).to_have_text(counted(errors))


def test_the_list_shows_details_with_the_same_pane_and_exports_them(viewer, failed):
    open_tree(viewer, failed)
    viewer.get_by_role("link", name="List", exact=True).click()
    first = viewer.get_by_role("table").locator("tbody > tr").first
    first.get_by_role("link").click()
    expect(viewer.locator("#error-pane .pane-facts")).to_be_visible()
    expect(first).to_have_attribute("aria-current", "true")
    viewer.locator("#error-export").click()
    with viewer.expect_download() as started:
        viewer.get_by_role("link", name="CSV").click()
    assert started.value.suggested_filename.startswith(f"plimsoll-errors-of-run-{failed['pk']}-")


def test_everything_works_without_javascript(browse, failed):
    page = browse("viewer", java_script_enabled=False)
    tree = open_tree(page, failed, "?open=none")
    for level in (1, 2):
        tree.locator(f"tr[aria-level='{level}'][aria-expanded=false] button").first.click()
        expect(tree.locator(f"tr[aria-level='{level}'][aria-expanded=true]")).to_have_count(1)
    tree.locator("tbody > tr:not([aria-expanded]) a").first.click()
    expect(page.locator("#error-pane .pane-facts")).to_be_visible()
    page.get_by_role("link", name="Close this error").click()
    expect(page.locator("#error-pane")).to_be_hidden()
    page.locator("#error-text").fill("nothing says this")
    page.locator(".error-filter").get_by_role("button", name="Apply").last.click()
    expect(page.get_by_role("heading", name="No error matches")).to_be_visible()


@pytest.mark.usefixtures("still")
def test_a_live_run_leaves_the_tree_as_it_is_until_it_is_refreshed(viewer, world):
    made = world.control("insert_run", provider=VSTS)["external_id"]
    world.sync(VSTS)
    run = world.run(external_id=made)
    world.tell("add_errors", run=run["pk"], type="Alpha", subtype="many", count=30)
    viewer.clock.install()
    tree = open_tree(viewer, run)
    expect(viewer.locator(".error-count")).to_contain_text("300 errors so far")
    row_named(tree, "many").focus()
    press(viewer, "ArrowRight")
    detail = row_named(tree, "Alpha 00000")
    expect(detail).to_be_focused()
    polled(viewer, "/live/")
    expect(detail).to_be_focused()
    world.tell("add_errors", run=run["pk"], type="Beta", subtype="some", count=2)
    viewer.get_by_role("link", name="Refresh").click()
    expect(row_named(tree, "Beta").first).to_be_visible()
    expect(detail).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_open_trees_lists_and_menus_are_sound(browse, failed, size):
    inspector = Inspector()
    page = browse("viewer", viewport=size)
    for query in ("?open=all", "?layout=list", "?text=nothing+says+this"):
        page.goto(f"/runs/{failed['pk']}/errors/{query}")
        inspector.ask_axe(page, query)
    page.goto(f"/runs/{failed['pk']}/errors/")
    page.locator("#error-type").click()
    inspector.ask_axe(page, "menu of types")
    assert inspector.faults == []
