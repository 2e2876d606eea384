"""The run list in two tabs of one person, in a tab nobody looks at, and before a server that does not answer."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_list_live import facet, made
from tests.browser.test_views import tab

POLLS = re.compile("/runs/rows/")
LOOKS = "document.dispatchEvent(new Event('visibilitychange'))"
HIDE = "Object.defineProperty(document, 'hidden', {get: () => window.isHidden, configurable: true})"


def beside(page: Page) -> Page:
    """A second tab of the same person."""
    other = page.context.new_page()
    other.goto("/runs/")
    return other


def test_filters_of_one_tab_leave_the_other_alone_and_each_has_its_own_past(viewer):
    viewer.goto("/runs/?provider=vsts")
    other = beside(viewer)
    facet(other, "result").locator("summary").click()
    facet(other, "result").get_by_label("Failed", exact=True).check()
    facet(other, "result").get_by_role("button", name="Apply").click()
    expect(other).to_have_url(re.compile(r"\?result=failed$"))
    other.locator("[data-select]").first.check()
    viewer.reload()
    expect(viewer).to_have_url(re.compile(r"\?provider=vsts$"))
    expect(viewer.locator(".token")).to_have_count(1)
    expect(viewer.get_by_role("region", name="Selected runs")).to_be_hidden()
    other.go_back()
    expect(other.locator(".token")).to_have_count(0)
    other.go_forward()
    expect(other.locator(".token")).to_have_text(re.compile("Failed"))


def test_what_a_person_saves_in_one_tab_is_in_the_other_after_a_reload(viewer, request):
    viewer.goto("/runs/")
    other = beside(viewer)
    other.goto("/runs/?result=failed")
    other.get_by_role("link", name="Save as view…").click()
    other.get_by_label("Name", exact=True).fill(request.node.name[-40:])
    other.get_by_role("button", name="Save view").click()
    expect(other).to_have_url(re.compile(r"view=\d+"))
    expect(tab(viewer, request.node.name[-40:])).to_have_count(0)
    viewer.reload()
    expect(tab(viewer, request.node.name[-40:])).to_be_visible()
    expect(viewer.locator(".token")).to_have_count(0)


def test_a_theme_chosen_in_one_tab_is_that_of_the_other_after_a_reload(viewer):
    viewer.goto("/runs/")
    other = beside(viewer)
    names = [change_theme(other)]
    viewer.reload()
    expect(theme_button(viewer)).to_have_accessible_name(names[0])
    names += [change_theme(other), change_theme(other)]  # and back to what it was
    assert len(set(names)) == 3


def theme_button(page: Page):
    return page.get_by_role("button", name=re.compile("^Theme: "))


def change_theme(page: Page) -> str:
    """Press the button; what it is called then."""
    before = theme_button(page).get_attribute("aria-label")
    theme_button(page).click()
    expect(theme_button(page)).not_to_have_accessible_name(before)
    return theme_button(page).get_attribute("aria-label")


@pytest.mark.usefixtures("still")
def test_a_tab_nobody_looks_at_asks_for_nothing_until_somebody_does(viewer, world):
    made(world)
    viewer.clock.install()
    viewer.goto("/runs/")
    expect(viewer.locator("#live-rows[data-live]")).to_be_attached()
    asked = []
    viewer.on("request", lambda request: asked.append(request.url) if POLLS.search(request.url) else None)
    viewer.evaluate(f"window.isHidden = true; {HIDE}; {LOOKS}")
    viewer.clock.run_for(60_000)
    assert asked == []
    with viewer.expect_response(POLLS):
        viewer.evaluate(f"window.isHidden = false; {LOOKS}")
        viewer.clock.run_for(6_000)
    world.later()


@pytest.mark.usefixtures("still")
def test_three_polls_without_an_answer_say_how_old_the_list_is_and_the_next_answer_takes_it_back(viewer, world):
    made(world)
    viewer.clock.install()
    viewer.goto("/runs/")
    age = viewer.locator("#fresh")
    expect(age).to_contain_text("Live")
    viewer.watch.allow(503)
    viewer.route(POLLS, lambda route: route.fulfill(status=503))
    for _ in range(3):
        with viewer.expect_response(POLLS):
            viewer.clock.run_for(6_000)
    expect(age).to_contain_text(re.compile(r"No answer.*\d+ (s|min) ago"))
    expect(viewer.locator("#messages")).to_contain_text("What you see may be old.")
    viewer.unroute(POLLS)
    with viewer.expect_response(POLLS):
        viewer.clock.run_for(6_000)
    expect(age).to_contain_text("Live")
    world.later()
