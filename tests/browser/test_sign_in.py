"""Who gets in, who is sent out, and what a page does when its session has ended."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import sign_in
from tests.browser.world import VSTS


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        ("viewer", ["Runs", "Tests", "History"]),
        ("operator", ["Runs", "Tests", "History"]),
        ("admin", ["Runs", "Tests", "History", "Accounts", "Users"]),
    ],
)
def test_each_role_signs_in_to_the_runs_and_sees_its_sections(stranger, name, sections):
    stranger.goto("/")
    expect(stranger).to_have_url(re.compile(r"/sign-in/\?next="))
    sign_in(stranger, name)
    expect(stranger).to_have_url(re.compile(r"/runs/$"))
    links = stranger.get_by_role("navigation", name="Main", exact=True).get_by_role("link")
    expect(links).to_contain_text(sections)


def test_a_wrong_password_is_explained_and_the_name_kept(stranger):
    stranger.goto("/sign-in/")
    stranger.get_by_label("Name").fill("viewer")
    stranger.get_by_label("Password").fill("not this")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.get_by_role("alert")).to_contain_text("No one can sign in with this name and password")
    expect(stranger.get_by_label("Name")).to_have_value("viewer")
    expect(stranger.get_by_label("Password")).to_have_value("")


def test_signing_out_closes_every_page(stranger):
    sign_in(stranger, "viewer")
    stranger.locator("summary[aria-label=viewer]").click()
    stranger.get_by_role("button", name="Sign out").click()
    expect(stranger).to_have_url(re.compile("/sign-in/"))
    stranger.goto("/history/")
    expect(stranger).to_have_url(re.compile(r"/sign-in/\?next=/history/"))


@pytest.mark.usefixtures("still")
def test_a_list_whose_session_ends_while_it_polls_becomes_the_sign_in_page(stranger, world):
    world.control("insert_run", provider=VSTS)
    world.sync(VSTS)
    sign_in(stranger, "viewer")
    stranger.clock.install()
    stranger.goto("/runs/?status=created&status=queued&status=starting&status=running")
    expect(stranger.locator("#live-rows")).to_have_attribute("data-poll", "")
    cookies = {cookie["name"]: cookie["value"] for cookie in stranger.context.cookies()}
    world.tell("end_session", key=cookies["sessionid"])
    stranger.clock.run_for(6_000)
    expect(stranger).to_have_url(re.compile(r"/sign-in/\?next=%2Fruns%2F%3Fstatus%3Dcreated"))
    expect(stranger.get_by_role("heading", name="Sign in to Plimsoll")).to_be_visible()
    expect(stranger.locator("table")).to_have_count(0)
    sign_in(stranger, "viewer")
    expect(stranger).to_have_url(re.compile(r"/runs/\?status=created&status=queued"))
