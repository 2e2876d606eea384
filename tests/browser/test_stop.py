"""Stopping a run: asked first, said honestly, confirmed by the provider."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_start import post
from tests.browser.world import K6, VSTS


@pytest.fixture(params=[K6, VSTS])
def running(request, world, still) -> dict:
    """A run that somebody else started just now."""
    made = world.control("insert_run", provider=request.param)["external_id"]
    world.sync(request.param)
    return {**world.run(external_id=made), "provider": request.param}


def stop_dialog(page: Page, run: dict) -> Locator:
    page.goto(f"/runs/{run['pk']}/")
    page.get_by_role("link", name="Stop…").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_be_visible()
    return dialog


def stops_sent(world, run: dict) -> int:
    return len(world.sent("POST", f"/runs/{run['external_id']}/stop")) + len(world.sent("PATCH", run["external_id"]))


def test_an_operator_stops_a_run_and_sees_it_confirmed(operator, world, running):
    operator.clock.install()
    dialog = stop_dialog(operator, running)
    expect(dialog.get_by_role("heading", name=re.compile(r"^Stop .*\?$"))).to_contain_text(running["load_test__name"])
    expect(dialog.get_by_role("link", name="Keep running")).to_be_focused()
    before = stops_sent(world, running)
    dialog.get_by_label("Reason").fill("wrong target")
    dialog.get_by_role("button", name="Stop run").click()
    expect(operator.locator("#messages")).to_contain_text(re.compile("Stop asked for .* Waiting for .* to confirm it."))
    expect(operator.locator("#run-head .status")).not_to_have_text(re.compile("Aborted"))
    expect(operator.locator("#run-head")).to_contain_text(re.compile("[Ss]top.*operator|operator.*stop"))
    world.later(running["provider"], seconds=60)
    operator.clock.run_for(6_000)
    expect(operator.locator("#run-head .status")).to_have_text(re.compile("Aborted"))
    assert stops_sent(world, running) == before + 1
    operator.goto(f"/runs/{running['pk']}/activity/")
    asked = operator.get_by_role("row", name=re.compile("Stop asked"))
    expect(asked).to_contain_text("wrong target")
    expect(asked).to_contain_text(re.compile(r"Stopped\. Confirmed \d+ s after it was asked for\."))


def test_escape_keeps_the_run_running(operator, world, running):
    before = stops_sent(world, running)
    dialog = stop_dialog(operator, running)
    operator.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(operator.get_by_role("link", name="Stop…")).to_be_visible()
    dialog = stop_dialog(operator, running)
    dialog.get_by_role("link", name="Keep running").click()
    expect(dialog).to_have_count(0)
    assert stops_sent(world, running) == before


def test_a_double_click_on_stop_asks_once(operator, world, running):
    before = stops_sent(world, running)
    dialog = stop_dialog(operator, running)
    dialog.get_by_role("button", name="Stop run").dblclick()
    expect(operator.locator("#messages")).to_contain_text("Stop asked for")
    assert stops_sent(world, running) == before + 1


def test_stopping_a_run_that_ended_meanwhile_is_explained(operator, world, running):
    before = stops_sent(world, running)
    dialog = stop_dialog(operator, running)
    world.later(running["provider"])
    dialog.get_by_role("button", name="Stop run").click()
    expect(operator.locator("#messages")).to_contain_text("had already ended")
    assert stops_sent(world, running) == before
    operator.goto(f"/runs/{running['pk']}/stop/")
    expect(operator.locator("main")).to_contain_text("there is nothing left to stop")
    expect(operator.get_by_role("button", name="Stop run")).to_have_count(0)


def test_a_run_can_be_stopped_without_javascript(browse, world, running):
    page = browse("operator", java_script_enabled=False)
    page.goto(f"/runs/{running['pk']}/")
    page.get_by_role("link", name="Stop…").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(running["load_test__name"])
    page.get_by_role("button", name="Stop run").click()
    expect(page).to_have_url(re.compile(f"/runs/{running['pk']}/$"))
    expect(page.locator("#messages")).to_contain_text("Stop asked for")


def test_a_viewer_is_offered_no_stop_and_refused_one(viewer, world, running):
    before = stops_sent(world, running)
    viewer.goto(f"/runs/{running['pk']}/")
    expect(viewer.locator("#run-head .status")).to_be_visible()
    expect(viewer.locator("#run-head .run-actions a")).to_have_count(0)
    assert post(viewer, f"/runs/{running['pk']}/stop/").status == 403
    assert stops_sent(world, running) == before
