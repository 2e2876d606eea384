"""Load tests and their history: every number leads to the runs behind it, and the print holds no controls."""

import re

from playwright.sync_api import expect

from tests.browser.world import K6


def test_tests_are_found_by_name_and_show_how_they_did(viewer, world):
    test = world.tests(K6)[-1]
    viewer.goto("/tests/")
    viewer.get_by_label("Test name contains").fill(test["name"])
    viewer.get_by_role("button", name="Filter").click()
    expect(viewer).to_have_url(re.compile("name="))
    rows = viewer.locator("table.tests tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(test["name"])
    rows.get_by_role("link", name=test["name"]).click()
    expect(viewer.get_by_role("heading", level=1)).to_have_text(test["name"])
    viewer.get_by_role("link", name="All runs of this test").click()
    expect(viewer.locator(".token")).to_have_count(1)
    names = viewer.locator("table.runs td.c-test").all_inner_texts()
    assert names
    assert all(test["name"] in name for name in names)


def test_a_pass_rate_leads_to_exactly_the_runs_that_make_it(viewer):
    viewer.goto("/history/?days=90")
    passed_link = viewer.locator(".summary").get_by_role("link", name=re.compile(r"\d+ passed"))
    judged_link = viewer.locator(".summary dl, .summary").locator("a.big").nth(1)
    passed = int(re.match(r"[\d,]+", passed_link.inner_text())[0].replace(",", ""))
    judged = int(judged_link.inner_text().replace(",", ""))
    rate = viewer.locator(".summary a.big").first.inner_text()
    assert 0 < passed < judged
    assert float(rate.split()[0]) == round(100 * passed / judged, 1) or int(rate.split()[0]) == round(
        100 * passed / judged
    )
    judged_link.click()
    expect(viewer.locator(".filter-line b")).to_have_text(f"{judged:,}")
    viewer.go_back()
    passed_link.click()
    expect(viewer.locator(".filter-line b")).to_have_text(f"{passed:,}")
    results = viewer.locator("table.runs td.c-result").all_inner_texts()
    assert {text.strip() for text in results} == {"Passed"}


def test_one_tests_pass_rate_leads_to_its_own_runs(viewer):
    viewer.goto("/history/?days=28")
    row = viewer.locator("table.matrix tbody tr").filter(has=viewer.locator("td.after a.rate")).first
    name = row.locator("th a.name").inner_text()
    rate = row.locator("td.after a.rate").first
    of = int(re.search(r"of ([\d,]+)", rate.inner_text())[1].replace(",", ""))
    rate.click()
    expect(viewer.locator(".filter-line b")).to_have_text(str(of))
    assert all(name in text for text in viewer.locator("table.runs td.c-test").all_inner_texts())


def test_the_print_has_its_head_and_no_controls(viewer):
    viewer.goto("/history/?days=28")
    viewer.emulate_media(media="print")
    expect(viewer.locator(".print-head")).to_be_visible()
    expect(viewer.locator(".print-head")).to_contain_text("by viewer")
    expect(viewer.locator("table.matrix")).to_be_visible()
    for control in ("button", "summary", "input", ".topbar", ".pager", "nav"):
        assert [box for box in viewer.locator(control).all() if box.is_visible()] == [], control


def test_a_longer_time_keeps_the_filters(viewer):
    viewer.goto("/history/?days=28&name=checkout")
    viewer.get_by_role("navigation", name="How many days").get_by_role("link", name="90 days").click()
    expect(viewer).to_have_url(re.compile("days=90"))
    expect(viewer).to_have_url(re.compile("name=checkout"))
    names = viewer.locator("table.matrix th a.name").all_inner_texts()
    assert names
    assert all("checkout" in name.lower() for name in names)


def test_arrow_keys_walk_the_cells_which_are_one_stop_of_the_tab_key(viewer):
    viewer.goto("/history/?days=28")
    cells = viewer.locator("table.matrix td:not(.after) > a")
    stop = viewer.locator("table.matrix td:not(.after) > a[tabindex='0']")
    expect(stop).to_have_count(1)
    stop.focus()
    expect(stop).to_have_accessible_name(re.compile(r"^\d+ \w+, [\w ]+, \d+ runs?$"))
    viewer.keyboard.press("Control+Home")
    expect(cells.first).to_be_focused()
    viewer.keyboard.press("Control+End")
    expect(cells.last).to_be_focused()
    viewer.keyboard.press("Home")
    viewer.keyboard.press("ArrowUp")
    above = stop.evaluate("cell => [cell.closest('tr').rowIndex, cell.closest('td').cellIndex]")
    viewer.keyboard.press("ArrowDown")
    below = stop.evaluate("cell => [cell.closest('tr').rowIndex, cell.closest('td').cellIndex]")
    assert below[0] > above[0]
    assert below[1] == above[1]
    viewer.keyboard.press("ArrowRight")
    expect(stop).to_be_focused()
    viewer.keyboard.press("Enter")
    expect(viewer).to_have_url(re.compile("/runs/.*from="))


def test_a_phone_starts_at_today_with_the_tests_names_beside(browse):
    page = browse("viewer", viewport={"width": 390, "height": 844})
    page.goto("/history/?days=28")
    expect(page.locator("table.matrix th.today")).to_be_in_viewport(ratio=0.9)
    expect(page.locator("table.matrix tbody th.first").first).to_be_in_viewport(ratio=0.9)
