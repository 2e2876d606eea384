"""A failed run of each provider: what happened, every tab, the error tree down to a detail, the archive."""

import gzip
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.world import K6, VSTS

TABS = ["Summary", "Errors", "Thresholds", "Metrics", "Messages", "Config", "Activity", "Raw"]


def failed_run(world, provider: str) -> dict:
    """The newest failed run whose error tree is worth opening."""
    deepest = {"runerrors__stack_trace__gt": ""} if provider == VSTS else {"runerrors__isnull": False}
    return world.run(account__provider=provider, result="failed", **deepest)


@pytest.fixture(params=[K6, VSTS])
def failed(request, world) -> dict:
    return failed_run(world, request.param)


def test_a_failed_run_says_why_and_every_tab_opens(viewer, failed):
    viewer.goto("/runs/?result=failed")
    viewer.goto(f"/runs/{failed['pk']}/")
    expect(viewer.locator(".page-head .result")).to_have_text("Failed")
    expect(viewer.locator(".verdict")).to_have_text(re.compile(r"\S+ .*\S+\."))
    for name in TABS:
        tab = viewer.get_by_role("navigation", name="Parts of this run").get_by_role("link", name=re.compile(name))
        tab.click()
        expect(tab).to_have_attribute("aria-current", "page")
        expect(viewer.locator("h1")).to_contain_text(failed["load_test__name"])


def open_tree(page: Page, run: dict, query: str = "") -> Locator:
    page.goto(f"/runs/{run['pk']}/errors/{query}")
    return page.locator(".error-tree")


def test_the_error_tree_opens_by_mouse_down_to_a_detail(viewer, failed):
    tree = open_tree(viewer, failed)
    for branch in ("details.error-branch:not([open]) > summary.level-1", "details:not([open]) > summary.level-2"):
        while (closed := tree.locator(f"visible={branch}")).count():
            closed.first.click()
    detail = tree.locator("a[data-node]").first
    detail.click()
    pane = viewer.locator("#error-pane")
    expect(pane.locator(".pane-facts")).to_be_visible()
    expect(detail).to_have_attribute("aria-current", "true")
    expect(viewer).to_have_url(re.compile(f"node={detail.get_attribute('data-node')}"))
    occurrences = detail.locator(".error-times").inner_text().split()[0]
    expect(pane).to_contain_text(re.compile(rf"{re.escape(occurrences)}\s+times?, .* of errors"))


def test_the_error_tree_opens_by_keyboard_alone(viewer, failed):
    tree = open_tree(viewer, failed)
    expect(tree).to_be_visible()
    viewer.locator("#error-text").focus()
    focused = viewer.locator(":focus")
    for _ in range(40):
        viewer.keyboard.press("Tab")
        if focused.evaluate("element => element.matches('.error-tree summary') && !element.parentElement.open"):
            viewer.keyboard.press("Enter")
        if focused.evaluate("element => element.matches('.error-tree a[data-node]')"):
            break
    node = focused.get_attribute("data-node")
    viewer.keyboard.press("Enter")
    pane = viewer.locator("#error-pane")
    expect(pane.locator(".pane-facts")).to_be_visible()
    expect(pane).to_be_focused()
    viewer.keyboard.press("Escape")
    expect(viewer.locator(f"a[data-node='{node}']")).to_be_focused()


def test_a_vsts_detail_holds_its_request_and_stack_trace(viewer, world):
    run = failed_run(world, VSTS)
    [error] = world.tell(
        "rows", model="RunError", run=run["pk"], stack_trace__gt="",
        values=["fingerprint", "type", "subtype", "stack_trace", "scenario", "test_case"],
    )[:1]  # fmt: skip
    open_tree(viewer, run, f"?node={error['fingerprint']}")
    pane = viewer.locator("#error-pane")
    expect(pane.locator("#stack-trace")).to_have_text(error["stack_trace"])
    expect(pane).to_contain_text(error["scenario"])
    expect(pane).to_contain_text(error["test_case"])
    expect(viewer.locator(f"a[data-node='{error['fingerprint']}']")).to_be_visible()


def test_errors_are_filtered_by_type_subtype_and_text(viewer, world):
    run = failed_run(world, VSTS)
    errors = world.tell(
        "rows", model="RunError", run=run["pk"], values=["type", "subtype", "message", "occurrences", "fingerprint"]
    )
    chosen = next(error for error in errors if error["message"])
    open_tree(viewer, run)
    total = viewer.locator(".error-total b")
    viewer.get_by_role("combobox", name="Type", exact=True).select_option(chosen["type"])
    expect(total).to_have_text(counted(error for error in errors if error["type"] == chosen["type"]))
    viewer.get_by_role("combobox", name="Subtype").select_option(chosen["subtype"])
    both = [error for error in errors if (error["type"], error["subtype"]) == (chosen["type"], chosen["subtype"])]
    expect(total).to_have_text(counted(both))
    word = max(re.findall(r"\w+", chosen["message"]), key=len)
    viewer.locator("#error-text").press_sequentially(word)
    expect(viewer).to_have_url(re.compile(f"text={word}"))
    expect(viewer.locator(".error-total")).to_contain_text(f"of {counted(errors)} errors")
    address = viewer.url
    viewer.reload()
    assert viewer.url == address
    expect(viewer.locator("#error-text")).to_have_value(word)
    viewer.get_by_role("link", name="Clear filters").click()
    expect(total).to_have_text(counted(errors))


def counted(errors) -> str:
    return f"{sum(error['occurrences'] for error in errors):,}"


def test_a_text_that_fits_no_error_says_so_and_leads_back(viewer, world):
    run = failed_run(world, VSTS)
    open_tree(viewer, run, "?text=nothing+says+this")
    expect(viewer.get_by_role("heading", name="No error matches")).to_be_visible()


def test_the_archive_is_passed_through_and_its_secret_link_is_on_no_page(viewer, world, tmp_path):
    run = world.run(load_test__name__endswith=".loadtest", has_archive=True)
    viewer.goto(f"/runs/{run['pk']}/")
    with viewer.expect_download() as started:
        viewer.get_by_role("button", name="Download archive").click()
    target: Path = tmp_path / "archive"
    started.value.save_as(target)
    assert started.value.url.startswith(world.url)
    assert gzip.decompress(target.read_bytes()).decode().startswith(f"ltrar archive of run {run['number']} of ")
    planted = [item["secret"] for item in world.control("planted") if run["external_id"] in item["where"]]
    assert planted
    for tab in ("", "errors/", "metrics/", "messages/", "config/", "activity/", "raw/"):
        viewer.goto(f"/runs/{run['pk']}/{tab}")
        shown = viewer.content()
        assert not any(secret in shown for secret in planted)
        assert "sig=" not in shown.replace("sig=[redacted]", "").replace("sig=%5Bredacted%5D", "")


def test_an_archive_can_be_downloaded_twice(viewer, world):
    run = world.run(load_test__name__endswith=".loadtest", has_archive=True)
    viewer.goto(f"/runs/{run['pk']}/")
    for _ in range(2):
        with viewer.expect_download() as started:
            viewer.get_by_role("button", name="Download archive").click()
        assert started.value.failure() is None


def test_a_run_nobody_knows_is_a_page_with_a_way_on(viewer):
    viewer.watch.allow(404)
    viewer.goto("/runs/999999/")
    expect(viewer.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
    viewer.get_by_role("link", name="To the runs").click()
    expect(viewer).to_have_url(re.compile("/runs/$"))
