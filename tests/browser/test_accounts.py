"""Accounts as an admin keeps them: tested before they are saved, and their secrets never shown again."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.world import K6, SLUGS, VSTS


@pytest.fixture
def given(world) -> dict:
    return world.control("credentials")


def fill_new_account(page: Page, provider: str, name: str, url: str, token: str) -> None:
    page.goto("/accounts/")
    page.get_by_role("link", name="Add account").first.click()
    page.locator(f"a[href='?provider={provider}']").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Address").fill(url)
    page.locator("input[type=password]").fill(token)


@pytest.mark.parametrize("provider", [K6, VSTS])
def test_a_wrong_token_is_explained_and_a_right_one_is_added(admin, world, given, provider):
    url, token = given[provider]["base_url"], given[provider]["credentials"]["token"]
    name = f"added by a browser, {provider}"
    fill_new_account(admin, provider, name, url, "wrong-token-of-a-browser")
    admin.get_by_role("button", name="Test connection").click()
    steps = admin.locator(".steps li")
    expect(steps.filter(has=admin.locator("b"))).to_have_count(1)
    expect(admin.locator(".steps .is-failed")).to_contain_text("did not accept the")
    expect(admin.get_by_label("Name", exact=True)).to_have_value(name)
    assert "wrong-token-of-a-browser" not in admin.content()

    admin.locator("input[type=password]").fill(token)
    admin.get_by_role("button", name="Test connection").click()
    expect(admin.locator(".steps .is-failed")).to_have_count(0)
    expect(steps.first).to_have_class(re.compile("is-ok"))
    admin.locator("input[type=password]").fill(token)
    admin.get_by_role("button", name="Add account").click()
    expect(admin.locator("#messages")).to_contain_text(f"{name} is added.")
    assert token not in admin.content()
    slug = admin.url.rstrip("/").split("/")[-1]
    # Its runs are those of the first account a second time; other tests shall not meet them.
    world.tell("change", model="Account", where={"slug": slug}, enabled=False)


def test_a_changed_address_asks_for_the_credentials_again(admin, world):
    admin.goto(f"/accounts/{SLUGS[VSTS]}/")
    before = world.tell("rows", model="Account", values=["base_url"], slug=SLUGS[VSTS])
    admin.get_by_label("Address").fill("http://127.0.0.1:9")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_role("alert")).to_contain_text("The address leads elsewhere now, so enter it again.")
    assert world.tell("rows", model="Account", values=["base_url"], slug=SLUGS[VSTS]) == before


@pytest.mark.parametrize("provider", [K6, VSTS])
def test_the_stored_credentials_can_be_tested_and_are_on_no_page(admin, given, provider):
    admin.goto(f"/accounts/{SLUGS[provider]}/")
    expect(admin.locator("input[type=password]")).to_have_value("")
    admin.get_by_role("button", name="Test connection").click()
    expect(admin.locator("#connection-test")).to_contain_text("with the stored credentials")
    expect(admin.locator(".steps .is-ok")).not_to_have_count(0)
    expect(admin.locator(".steps .is-failed")).to_have_count(0)
    assert given[provider]["credentials"]["token"] not in admin.content()
    admin.goto("/accounts/")
    assert given[provider]["credentials"]["token"] not in admin.content()


def test_a_sync_is_asked_for_from_the_list(admin):
    admin.goto("/accounts/")
    admin.get_by_role("button", name="Sync VSTS Cloud Load Test, sandbox now").click()
    expect(admin.locator("#messages")).to_contain_text("is synced now.")


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_accounts_and_users_are_closed_to_everybody_else(browse, role):
    page = browse(role)
    page.watch.allow(403)
    for path in ("/accounts/", "/accounts/new/", f"/accounts/{SLUGS[K6]}/", "/users/", "/users/new/"):
        page.goto(path)
        expect(page.get_by_role("heading", name="You may not do this")).to_be_visible()
