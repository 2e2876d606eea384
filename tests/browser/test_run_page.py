"""A failed run of each provider: what happened, every tab, the archive."""

import gzip
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.world import K6, VSTS

TABS = ["Summary", "Errors", "Thresholds", "Metrics", "Messages", "Config", "Activity", "Raw"]


@pytest.fixture(params=[K6, VSTS])
def failed(request, world) -> dict:
    return world.run(account__provider=request.param, result="failed", runerrors__isnull=False)


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
