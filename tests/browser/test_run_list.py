"""The run list as people use it: filters that add up, an address that says all, rows that change by themselves."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import polled
from tests.browser.world import VSTS


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def tokens(page: Page) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(".token").all_inner_texts()]


def open_facet(page: Page, label: str):
    menu = page.locator("#facets details.menu").filter(has=page.locator("summary", has_text=label))
    menu.locator("summary").click()
    return menu


@pytest.fixture
def wanted(world):
    """A failed run whose test, requester, status and day together find it."""
    # Runs started here are found by the owner of the account's token, too, but show who pressed the button.
    owners = world.tell("rows", model="Run", values=["provider_requested_by__display"])
    owned = {row["provider_requested_by__display"] for row in owners}
    runs = world.runs(account__provider=VSTS, result="failed", status="finished")
    return next(run for run in runs if run["requested_by__display"] not in owned)


def filter_by_all(page: Page, wanted: dict) -> None:
    """Name typed; requester, status and date chosen."""
    word = wanted["load_test__name"][:7]
    page.get_by_label("Test name or run number").fill(word)
    expect(page).to_have_url(re.compile(r"\?name="))
    menu = open_facet(page, "Requested by")
    menu.get_by_label(wanted["requested_by__display"], exact=True).check()
    menu.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("requested_by="))
    menu = open_facet(page, "Status")
    menu.get_by_label("Finished", exact=True).check()
    menu.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("status=finished"))
    menu = open_facet(page, "Started")
    menu.get_by_label("From").fill("2020-01-01")
    menu.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("from=2020-01-01"))


def test_name_requester_status_and_date_filter_at_once_and_survive_back_forward_and_reload(viewer, wanted):
    viewer.goto("/runs/")
    filter_by_all(viewer, wanted)
    assert query(viewer) == {
        "name": [wanted["load_test__name"][:7]],
        "requested_by": [wanted["requested_by__display"]],
        "status": ["finished"],
        "from": ["2020-01-01"],
    }
    rows = viewer.locator("table.runs tbody tr")
    row = viewer.locator(f"#run-{wanted['pk']}")
    expect(row).to_be_visible()
    for cells, word in ((".c-status", "Finished"), (".c-person", wanted["requested_by__display"])):
        assert all(word in text for text in rows.locator(cells).all_inner_texts())
    found, full = rows.count(), viewer.url
    assert len(tokens(viewer)) == 4

    viewer.go_back()
    expect(viewer).not_to_have_url(re.compile("from="))
    expect(viewer.locator(".token")).to_have_count(3)
    viewer.go_forward()
    expect(viewer).to_have_url(full)
    expect(viewer.locator(".token")).to_have_count(4)
    viewer.reload()
    expect(viewer.locator(".token")).to_have_count(4)
    expect(rows).to_have_count(found)
    expect(viewer.get_by_label("Test name or run number")).to_have_value(wanted["load_test__name"][:7])


def test_a_token_takes_only_its_own_filter_away(viewer):
    viewer.goto("/runs/?status=finished&result=failed&provider=vsts")
    viewer.get_by_role("link", name="Remove filter Result is Failed").click()
    expect(viewer.locator(".token")).to_have_count(2)
    assert query(viewer) == {"status": ["finished"], "provider": ["vsts"]}
    viewer.get_by_role("link", name="Clear all", exact=True).click()
    expect(viewer.locator(".token")).to_have_count(0)
    assert query(viewer) == {}


def test_a_value_clicked_in_a_row_adds_to_the_filters(viewer, wanted):
    viewer.goto("/runs/?status=finished&result=failed")
    viewer.locator(f"#run-{wanted['pk']}").get_by_title(f"Only runs of {wanted['requested_by__display']}").click()
    expect(viewer.locator(".token")).to_have_count(3)
    assert query(viewer) == {
        "requested_by": [wanted["requested_by__display"]],
        "status": ["finished"],
        "result": ["failed"],
    }


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("status=broken", "Status: There is no “broken”. There are: created, queued"),
        ("from=tomorrow", "From: Write it as a date"),
        ("colour=red", "There is no filter “colour”"),
        ("sort=luck", "Runs cannot be sorted by “luck”"),
    ],
)
def test_a_value_nobody_knows_is_a_sentence_and_no_runs(viewer, address, sentence):
    viewer.goto(f"/runs/?{address}")
    expect(viewer.get_by_role("alert")).to_contain_text(sentence)
    expect(viewer.locator("table")).to_have_count(0)
    viewer.get_by_role("link", name="Clear all filters").click()
    expect(viewer.locator("table.runs")).to_be_visible()


def test_a_column_sorts_both_ways_and_keeps_the_filters(viewer):
    viewer.goto("/runs/?provider=vsts&status=finished")
    head = viewer.get_by_role("columnheader", name="Duration")
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    falling = seconds(viewer)
    assert falling == sorted(falling, reverse=True)
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    rising = seconds(viewer)
    assert rising == sorted(rising)
    assert len(set(rising)) > 2
    assert query(viewer) == {"provider": ["vsts"], "status": ["finished"], "sort": ["duration"]}


def seconds(page: Page) -> list[int]:
    """The durations shown, `h:mm:ss` as seconds."""
    shown = page.locator("table.runs .c-duration").all_inner_texts()
    times = [text.strip().split(":") for text in shown if ":" in text]
    return [sum(60**place * int(part) for place, part in enumerate(reversed(time))) for time in times]


def test_pages_lead_on_and_back_without_losing_or_repeating_a_run(viewer):
    viewer.goto("/runs/?provider=k6-legacy&provider=vsts")
    total = int(viewer.locator(".filter-line b").inner_text().replace(",", ""))
    pages, names = [], "table.runs [data-row]"
    while True:
        pages.append([row.get_attribute("id") for row in viewer.locator(names).all()])
        following = viewer.get_by_role("link", name="Older", exact=True)
        if not following.count():
            break
        following.click()
        expect(viewer.locator(f"#{pages[-1][0]}")).to_have_count(0)
        viewer.wait_for_load_state()  # a page that is only half there has few rows and no link to older ones
    seen = [name for page in pages for name in page]
    assert len(pages) > 2
    assert len(seen) == len(set(seen)) == total
    viewer.get_by_role("link", name="Newer", exact=True).click()
    expect(viewer.locator(f"#{pages[-2][0]}")).to_be_visible()
    viewer.wait_for_load_state()
    assert [row.get_attribute("id") for row in viewer.locator(names).all()] == pages[-2]


@pytest.mark.usefixtures("still")
def test_a_live_row_changes_by_itself_and_keeps_the_focus(viewer, world):
    made = world.control("insert_run", provider=VSTS)["external_id"]
    world.sync(VSTS)
    run = world.run(external_id=made)
    viewer.clock.install()
    viewer.goto("/runs/")
    row = viewer.locator(f"#run-{run['pk']}")
    expect(row.locator(".c-status")).to_have_text(re.compile("Queued|Starting|Running"))
    row.locator("[data-row]").focus()
    viewer.evaluate("window.notReloaded = true")
    world.later(VSTS)
    polled(viewer, "/runs/rows/")
    expect(row.locator(".c-status")).to_have_text(re.compile("Finished|Aborted|Error"))
    assert viewer.evaluate("window.notReloaded")
    expect(row.locator("[data-row]")).to_be_focused()


def test_without_javascript_the_same_filters_are_a_form(browse, wanted):
    page = browse("viewer", java_script_enabled=False)
    page.goto("/runs/")
    page.get_by_label("Test name or run number").fill(wanted["load_test__name"][:7])
    open_facet(page, "Requested by").get_by_label(wanted["requested_by__display"], exact=True).check()
    open_facet(page, "Status").get_by_label("Finished", exact=True).check()
    menu = open_facet(page, "Started")
    menu.get_by_label("From").fill("2020-01-01")
    menu.get_by_role("button", name="Apply").click()
    expect(page.locator(f"#run-{wanted['pk']}")).to_be_visible()
    assert sorted(tokens(page)) == sorted(tokens_of_all(wanted))
    page.get_by_role("link", name=re.compile("Remove filter Status")).click()
    expect(page.locator(".token")).to_have_count(3)


def tokens_of_all(wanted: dict) -> list[str]:
    return [
        f"Name contains {wanted['load_test__name'][:7]}",
        f"Requested by is {wanted['requested_by__display']}",
        "Status is Finished",
        "Started from 1 Jan 2020",
    ]


def test_forward_pressed_before_the_scripts_are_there_shows_the_list_of_its_address(viewer):
    viewer.goto("/runs/")
    menu = open_facet(viewer, "Result")
    menu.get_by_label("Failed", exact=True).check()
    menu.get_by_role("button", name="Apply").click()
    expect(viewer).to_have_url(re.compile("result=failed"))
    held, holds = [], {"on": True}
    viewer.route(re.compile(r"/static/.*\.js"), lambda route: held.append(route) if holds["on"] else route.continue_())
    with viewer.expect_request(re.compile(r"/static/.*\.js")):
        viewer.evaluate("history.back()")
    expect(viewer.locator(".token")).to_have_count(0)
    viewer.evaluate("history.forward()")
    expect(viewer).to_have_url(re.compile("result=failed"))
    holds["on"] = False
    for route in held:
        route.continue_()
    expect(viewer.locator(".token")).to_have_text(re.compile("Failed"))
