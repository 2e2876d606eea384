"""Messages: good news goes by itself, the rest stays, and none is hidden behind a dialog."""

import re

from playwright.sync_api import expect


def test_good_news_goes_by_itself_unless_somebody_points_at_it(viewer):
    viewer.clock.install()
    viewer.goto("/me/")
    viewer.get_by_role("button", name="Save settings").click()
    message = viewer.locator("#messages .message")
    expect(message).to_contain_text("Your settings are saved.")
    message.hover()
    viewer.clock.run_for(10_000)
    expect(message).to_be_visible()
    viewer.mouse.move(700, 60)
    viewer.clock.run_for(7_000)
    expect(message).to_have_count(0)


def test_what_goes_wrong_in_a_dialog_is_said_there_and_what_was_typed_stays(operator, world):
    [test, *_] = world.tests("vsts")
    operator.goto(f"/tests/{test['pk']}/")
    operator.locator(".page-actions").get_by_role("link", name="Start…").click()
    dialog = operator.locator("dialog[open]")
    dialog.get_by_label("Reason").fill("after the fix")
    operator.route(re.compile("/start/$"), lambda route: route.fulfill(status=503))
    operator.watch.allow(503)
    dialog.get_by_role("button", name=re.compile("^Start")).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Plimsoll could not do that (503)")
    expect(dialog.get_by_label("Reason")).to_have_value("after the fix")
    dialog.get_by_role("button", name="Dismiss this message").click()
    expect(dialog.get_by_role("alert")).to_have_count(0)
