"""People: added and changed by an admin; and each one's own theme, time zone and password."""

import re
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import sign_in

PASSWORD = "a long enough pass phrase"


def add_person(admin: Page, role: str = "Viewer") -> str:
    """A person of this test's own, who may be changed; returns the name to sign in with."""
    name = f"browser-{uuid4().hex[:8]}"
    admin.goto("/users/")
    admin.get_by_role("link", name="Add person").click()
    admin.get_by_label("Name to sign in with").fill(name)
    admin.get_by_label("Role").select_option(label=role)
    admin.get_by_label("New password").fill(PASSWORD)
    admin.get_by_role("button", name="Add person").click()
    expect(admin.locator("#messages")).to_contain_text(f"{name} can sign in now.")
    return name


@pytest.fixture
def somebody(admin, browse) -> Page:
    """Signed in as a person of this test's own."""
    page = browse()
    page.name = add_person(admin)
    sign_in(page, page.name, PASSWORD)
    return page


def test_an_admin_adds_a_person_who_can_sign_in_until_switched_off(admin, browse):
    name = add_person(admin, "Operator")
    person = browse()
    sign_in(person, name, PASSWORD)
    person.goto("/tests/")
    expect(person.get_by_role("link", name="New load test…")).to_be_visible()
    admin.get_by_role("link", name=name).click()
    admin.get_by_label("May sign in").uncheck()
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("row", name=re.compile(name))).to_contain_text("No")
    person.reload()
    expect(person).to_have_url(re.compile("/sign-in/"))


def test_an_admin_cannot_take_the_role_from_themselves(admin):
    admin.goto("/users/")
    admin.locator("table.people").get_by_role("link", name="admin", exact=True).click()
    admin.get_by_label("Role").select_option(label="Viewer")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("alert")).to_contain_text("You cannot take this from yourself.")


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_a_theme_is_in_the_first_html_and_nothing_flashes(somebody, theme):
    somebody.goto("/me/")
    somebody.get_by_label("Theme", exact=True).select_option(label=theme)
    somebody.get_by_role("button", name="Save settings").click()
    expect(somebody.locator("html")).to_have_attribute("data-bs-theme", theme.lower())
    first_html = somebody.request.get("/runs/").text()
    assert f'data-bs-theme="{theme.lower()}"' in first_html[: first_html.index("<head>")]
    somebody.goto("/runs/")
    dark = somebody.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 19, 23)"
    assert dark == (theme == "Dark")


def test_the_top_bars_button_goes_through_the_themes_and_stays_on_the_page(somebody):
    somebody.goto("/history/?days=28")
    for theme in ("light", "dark"):
        somebody.get_by_role("button", name=re.compile("^Theme: ")).click()
        expect(somebody.locator("html")).to_have_attribute("data-bs-theme", theme)
        expect(somebody).to_have_url(re.compile(r"/history/\?days=28$"))
    somebody.get_by_role("button", name=re.compile("^Theme: ")).click()
    expect(somebody.locator("html:not([data-bs-theme])")).to_have_count(1)


def test_a_time_zone_changes_the_times_shown(somebody, world):
    run = world.run(status="finished")
    address = f"/runs/{run['pk']}/config/"
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        somebody.goto("/me/")
        somebody.get_by_label("Time zone").select_option(zone)
        somebody.get_by_role("button", name="Save settings").click()
        expect(somebody.locator("#messages")).to_contain_text("Your settings are saved.")
        somebody.goto(address)
        shown = somebody.locator("dl.facts time").first
        moment = datetime.fromisoformat(shown.get_attribute("datetime")).astimezone(ZoneInfo(zone))
        expect(shown).to_contain_text(f"{moment:%H:%M}")


def test_a_changed_password_ends_other_sessions_and_keeps_this_one(somebody, browse):
    other = browse()
    sign_in(other, somebody.name, PASSWORD)
    somebody.goto("/me/")
    somebody.get_by_label("Present password").fill(PASSWORD)
    somebody.get_by_label("New password", exact=True).fill("another long pass phrase")
    somebody.get_by_label("New password once more").fill("another long pass phrase")
    somebody.get_by_role("button", name="Change password").click()
    expect(somebody.locator("#messages")).to_contain_text("Your password is changed.")
    other.reload()
    expect(other).to_have_url(re.compile("/sign-in/"))
    sign_in(other, somebody.name, "another long pass phrase")
