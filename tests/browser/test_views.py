"""Views of the run list, by keyboard and without JavaScript."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE

VIEWS = "Views"


def tab(page: Page, name: str):
    return page.get_by_role("navigation", name=VIEWS).get_by_role("link", name=re.compile(name))


@pytest.fixture
def name(request) -> str:
    """Views outlive a test: each has a name of its own."""
    return request.node.name[5:45]


def test_a_view_is_saved_by_keyboard_then_changed_and_saved_again(viewer, name):
    viewer.goto("/runs/?status=finished")
    viewer.get_by_role("link", name="Save as view…").focus()
    viewer.keyboard.press("Enter")
    dialog = viewer.get_by_role("dialog", name="Save as view")
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    expect(dialog).to_contain_text("Finished")
    viewer.keyboard.press("Enter")  # without a name it cannot be
    expect(dialog).to_be_visible()
    viewer.keyboard.type(name)
    viewer.keyboard.press("Enter")
    expect(viewer).to_have_url(re.compile(r"/runs/\?view=\d+$"))
    expect(tab(viewer, f"{name}.*private")).to_have_attribute("aria-current", "page")
    address = viewer.url

    viewer.get_by_role("switch", name="Latest per test").press("Space")
    expect(viewer.locator(".token")).to_have_count(2)
    expect(viewer).to_have_url(re.compile(r"view=\d+&status=finished&latest=1$"))
    edited = viewer.get_by_text("Edited", exact=True)
    expect(edited).to_be_visible()
    viewer.reload()
    expect(viewer.get_by_role("switch", name="Latest per test")).to_be_checked()
    viewer.get_by_role("link", name=f"Discard the changes to {name}").click()
    expect(viewer).to_have_url(address)
    expect(viewer.locator(".token")).to_have_count(1)
    viewer.go_back()
    expect(edited).to_be_visible()
    viewer.get_by_role("button", name=f"Save the changes in {name}").press("Enter")
    expect(viewer).to_have_url(address)
    expect(viewer.locator(".token")).to_have_count(2)
    expect(edited).to_have_count(0)


def test_a_view_is_shared_and_deleted_from_its_menu(viewer, browse, name):
    viewer.goto("/runs/?result=failed")
    viewer.get_by_role("link", name="Save as view…").click()
    viewer.get_by_label("Name", exact=True).fill(name)
    viewer.get_by_role("button", name="Save view").click()
    expect(tab(viewer, name)).to_be_visible()
    address = viewer.url.partition("/runs/")[2]
    viewer.locator("#view-menu").click()
    viewer.get_by_role("link", name="Rename or share…").click()
    viewer.get_by_label("Share it with everybody").check()
    viewer.get_by_role("button", name="Save view").click()
    expect(tab(viewer, f"{name}.*shared")).to_be_visible()
    viewer.set_viewport_size(PHONE)  # the tabs scroll there, not the page
    assert viewer.evaluate("document.documentElement.scrollWidth") == PHONE["width"]

    admin = browse("admin")
    admin.goto(f"/runs/{address}")
    expect(tab(admin, f"{name}.*shared by")).to_have_attribute("aria-current", "page")
    admin.goto("/views/")
    admin.get_by_role("link", name=f"Delete {name}").click()
    dialog = admin.get_by_role("alertdialog")
    expect(dialog.get_by_role("link", name="Keep it")).to_be_focused()
    dialog.get_by_role("button", name="Delete view").click()
    expect(admin.get_by_role("row", name=name)).to_have_count(0)
    viewer.reload()
    expect(viewer.get_by_text("There is no such view, or its owner keeps it private.")).to_be_visible()


def test_without_javascript_views_are_pages_and_forms(browse: Callable[..., Page], name):
    page = browse("viewer", java_script_enabled=False)
    page.goto("/runs/")
    page.get_by_role("switch", name="Latest per test").check()
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.locator(".token")).to_have_text(re.compile("Latest.*per test"))
    page.get_by_role("link", name="Save as view…").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Save view").click()
    expect(tab(page, name)).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name=re.compile("Remove filter Latest")).click()
    expect(page.get_by_text("Edited", exact=True)).to_be_visible()
    expect(page.locator(".token")).to_have_count(0)
    page.get_by_role("button", name=f"Save the changes in {name}").click()
    expect(page.get_by_text(f"“{name}” is saved.")).to_be_visible()
    expect(page.get_by_text("Edited", exact=True)).to_have_count(0)


def test_failed_runs_are_marked_as_seen(operator):
    operator.goto("/runs/")
    tab(operator, "Failed, unseen").click()
    row = operator.locator("table.runs tbody tr").first
    first = row.get_attribute("id")
    row.locator("[data-row]").click()
    expect(operator).to_have_url(re.compile(r"/runs/\d+/$"))
    operator.goto("/runs/?view=failed")
    expect(operator.locator(f"#{first}")).to_have_count(0)
    operator.get_by_role("button", name="Mark these as seen").click()
    expect(operator.get_by_text(re.compile("marked as seen"))).to_be_visible()
    expect(operator.get_by_role("heading", name="You have seen every run that failed")).to_be_visible()
