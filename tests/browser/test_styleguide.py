"""Every part in every state, in each look: what a change of the style sheets would break shows here first."""

from playwright.sync_api import expect

from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_every_page import COLOURS, OVERFLOW, RULES, Inspector

NARROWEST = {"width": 320, "height": 640}
PARTS = "/styleguide/"


def test_axe_has_nothing_to_say_about_any_part_in_either_theme(admin):
    inspector = Inspector()
    for theme in ("light", "dark"):
        for size in (WIDE, PHONE):
            admin.emulate_media(color_scheme=theme)
            admin.set_viewport_size(size)
            admin.goto(PARTS)
            rules = RULES if theme == "light" else COLOURS
            inspector.ask_axe(admin, f"{theme}, {size['width']} px", rules=rules)
    assert not inspector.faults, "\n".join(inspector.faults)


def test_no_part_sticks_out_of_any_window(admin):
    admin.goto(PARTS)
    for size in (WIDE, {"width": 1024, "height": 800}, {"width": 768, "height": 800}, PHONE, NARROWEST):
        admin.set_viewport_size(size)
        faults = admin.evaluate(OVERFLOW)
        assert not faults, "\n".join(faults)


def test_colours_follow_the_theme_and_every_mark_stays_in_forced_colours(admin):
    admin.goto(PARTS)
    ground = "getComputedStyle(document.body).backgroundColor"
    admin.emulate_media(color_scheme="light")
    light = admin.evaluate(ground)
    admin.emulate_media(color_scheme="dark")
    assert admin.evaluate(ground) != light

    admin.emulate_media(forced_colors="active")
    strip = admin.locator("svg.strip").first
    expect(strip).to_be_visible()
    paints = strip.evaluate(
        "svg => [...svg.children].map(mark => { const {fill, stroke} = getComputedStyle(mark); return fill + stroke })"
    )
    assert "nonenone" not in paints
    outlines = admin.locator(".result").evaluate_all("pills => pills.map(pill => getComputedStyle(pill).borderStyle)")
    assert set(outlines) == {"solid"}


def test_nothing_moves_for_those_who_asked_for_that(admin):
    admin.emulate_media(reduced_motion="reduce")
    admin.goto(PARTS)
    moving = """[...document.querySelectorAll("*")].filter((element) => {
      const style = getComputedStyle(element);
      return style.animationName !== "none" || style.transitionDuration.split(",").some((time) => parseFloat(time) > 0);
    }).map((element) => element.outerHTML.slice(0, 80))"""
    assert admin.evaluate(moving) == []
