"""A QA engineer's day with no mouse: find, filter, keep a view, open, read an error, start, stop, look back."""

import re

from playwright.sync_api import Locator, Page, expect

from dashboard.demo import PASSWORD
from tests.browser.test_errors import failed_run
from tests.browser.world import K6, VSTS

MOST_TABS = 120


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus, and see that it is shown."""
    for _ in range(MOST_TABS):
        press(page, "Tab")
        if target.evaluate("element => element === document.activeElement"):
            expect(target).to_be_visible()
            return
    raise AssertionError(f"{target} is not reached with {MOST_TABS} tabs")


def sign_in(page: Page, name: str) -> None:
    page.goto("/sign-in/")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(name)
    press(page, "Tab")
    page.keyboard.type(PASSWORD)
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    page.wait_for_load_state()  # the keys work once the scripts are there


def current(page: Page) -> Locator:
    return page.locator("table.runs tr:has([data-row]:focus)")


def test_find_filter_keep_a_view_and_read_an_error(stranger, world):
    page, run = stranger, failed_run(world, VSTS)
    sign_in(page, "viewer")

    press(page, "/")
    page.keyboard.type(run["load_test__name"])
    expect(page.get_by_role("button", name="Remove filter Name")).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("Remove filter Name contains"))).to_be_attached()

    tab_to(page, page.locator("#filter-result"))
    press(page, "Enter")
    failed = page.locator("details[open] input[name=result][value=failed]")
    tab_to(page, failed)
    press(page, "Space")
    expect(failed).to_be_checked()
    press(page, "Enter")
    expect(page.get_by_role("link", name=re.compile("Remove filter Result is Failed"))).to_be_attached()
    expect(page.locator("#filter-result")).to_be_focused()
    expect(page).to_have_url(re.compile("result=failed"))

    press(page, "g", "r")
    expect(page).to_have_url(re.compile("/runs/$"))
    page.go_back()
    expect(page.get_by_role("link", name=re.compile("Remove filter Result is Failed"))).to_be_attached()

    tab_to(page, page.locator("#save-view"))
    press(page, "Enter")
    dialog = page.get_by_role("dialog", name="Save as view")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Failures to look at")
    press(page, "Enter")
    tab = page.get_by_role("navigation", name="Views").get_by_role("link", name=re.compile("Failures to look at"))
    expect(tab).to_have_attribute("aria-current", "page")

    press(page, "j")
    while current(page).get_attribute("id") != f"run-{run['pk']}":
        press(page, "j")
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(run["load_test__name"])
    expect(page.locator(".verdict")).to_contain_text("Failed")

    tab_to(page, page.locator(".tabs a", has_text="Errors"))
    press(page, "Enter")
    tree = page.get_by_role("treegrid")
    tab_to(page, tree.locator("tbody > tr").first)
    with_trace = world.tell("rows", model="RunError", values=["fingerprint"], run=run["pk"], stack_trace__gt="")[0]
    detail = tree.locator(f"tr[data-node='{with_trace['fingerprint']}']")
    for _ in range(MOST_TABS):
        if detail.count() and detail.evaluate("row => row === document.activeElement"):
            break
        press(page, "ArrowRight", "ArrowDown") if closed(page) else press(page, "ArrowDown")
    expect(detail).to_be_focused()
    press(page, "Enter")
    pane = page.locator("#error-pane")
    expect(pane).to_be_focused()
    expect(pane.locator(".trace").first).to_be_visible()
    press(page, "Escape")
    expect(detail).to_be_focused()


def closed(page: Page) -> bool:
    return page.evaluate("document.activeElement.getAttribute('aria-expanded') === 'false'")


def test_start_a_load_test_stop_its_run_and_look_at_the_runs_before(stranger, world, still):
    page, test = stranger, next(test for test in world.tests(K6) if "Login" in test["name"])
    world.control("outcome", provider=K6, outcome="passed")
    sign_in(page, "operator")

    press(page, "Control+k")
    expect(page.get_by_role("combobox", name=re.compile("^Jump to"))).to_be_focused()
    page.keyboard.type(test["name"])
    found = page.get_by_role("option", name=re.compile(re.escape(test["name"]))).and_(
        page.locator(f"[href='/tests/{test['pk']}/']")
    )
    expect(found).to_be_attached()
    while found.get_attribute("aria-selected") != "true":
        press(page, "ArrowDown")
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(test["name"])
    tab_to(page, page.locator(".page-actions").get_by_role("link", name="Start…"))
    press(page, "Enter")
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading", name=f"Start {test['name']}")).to_be_visible()
    tab_to(page, dialog.locator("button[type=submit]"))
    press(page, "Enter")
    expect(page).to_have_url(re.compile(r"/runs/\d+/$"))
    run = world.run(pk=int(page.url.split("/")[-2]))

    expect(page.get_by_role("link", name="Stop…")).to_be_visible()
    page.wait_for_load_state()
    press(page, "s")
    expect(dialog.get_by_role("link", name="Keep running")).to_be_focused()
    press(page, "Shift+Tab")
    page.keyboard.type("enough seen")
    press(page, "Control+Enter")
    expect(page.locator("#messages")).to_contain_text("Stop asked for")

    page.goto(f"/runs/?test={test['pk']}")
    strip = page.locator(f"#run-{run['pk']} .c-strip a")
    press(page, "j")
    expect(current(page)).to_have_id(f"run-{run['pk']}")
    tab_to(page, strip)
    expect(strip).to_have_accessible_name(re.compile(r"Last \d+ runs, oldest first: .* not ended"))
    press(page, "Enter")
    expect(page).to_have_url(re.compile(f"/tests/{test['pk']}/"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(test["name"])
