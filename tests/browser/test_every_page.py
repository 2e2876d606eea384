"""Every page at both widths in both themes: nothing overflows, nothing is reported, and axe finds nothing to say.

A new page fails here until it is walked: what each test walks is written down, and compared with the routes there are.
"""

from collections.abc import Callable
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.template.loader import render_to_string
from django.urls import resolve
from playwright.sync_api import Page, expect

from dashboard.urls import urlpatterns
from tests.browser.conftest import PHONE, WIDE
from tests.browser.world import K6, SLUGS, VSTS

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# The one rule of wcag22aa, the size of targets, is off in axe itself.
RULES = {
    "runOnly": TAGS, "rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"], "preload": False,
}  # fmt: skip
# All that the other theme can change.
COLOURS = {**RULES, "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}, "rules": {}}
# The rows of a long table are alike; all of them are looked at once, the first ones in every look.
FIRST_ROWS = {"exclude": ["tbody > tr:nth-child(n+16)"]}
AXE = Axe()
NARROW = {"width": 320, "height": 640}
RUN_TABS = {"page", "errors", "thresholds", "metrics", "messages", "config", "activity", "raw"}
# Test -> the routes whose pages it looks at.
WALKS = {
    "test_lists_and_history": {"run_list", "test_list", "history", "view_list", "view_new"},
    "test_each_tab_of_a_failed_run": {f"run_{tab}" for tab in RUN_TABS},
    "test_a_live_run_its_load_test_and_their_dialogs": {
        "run_page", "runs_stop", "runs_stopped", "run_stop", "test_start", "account_start", "test_page", "intent_page",
        "intent_list", "test_stop", "account_stop",
    },
    "test_what_follows_an_ended_run": {"run_start_again", "run_note"},
    "test_schedules": {"schedule_list", "test_page"},
    "test_thresholds_of_our_own": {"test_page", "test_thresholds"},
    "test_a_saved_view_and_its_dialogs": {"view_list", "view_page", "view_delete"},
    "test_accounts_people_and_own_page": {
        "account_list", "account_new", "account_page", "user_list", "user_new", "user_page", "me", "shortcuts", "jump",
    },
    "test_an_archive_leaves_and_comes_in": {"account_archive", "account_import"},
    "test_guard_rails": {
        "guard_list", "target_new", "target_page", "target_delete", "test_target", "freeze_new", "freeze_page",
        "freeze_delete", "test_start",
    },
    "test_the_sign_in_page_and_pages_that_say_no": {"sign_in", "account_list", "run_page"},
}  # fmt: skip
# Routes that lead on, send a file or a part of a page; the styleguide has tests of its own.
NO_PAGES = {
    "livez", "readyz", "metrics", "home", "sign_out", "styleguide", "run_rows", "list_live", "run_export",
    "selection_export", "run_columns", "run_facet", "run_live", "run_errors_export", "run_archive", "runs_seen",
    "view_default", "view_save", "intent_queue", "intent_leave", "run_star", "run_file", "run_script",
    "test_script", "schedule_switch", "account_test", "account_sync", "freeze_switch",
}  # fmt: skip
TABS = ("", "errors/", "thresholds/", "metrics/", "messages/", "config/", "activity/", "raw/")
# The first elements that stick out of the window, if the document can be scrolled sideways.
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [`${document.documentElement.scrollWidth} of ${width} px`, ...[...document.querySelectorAll("body *")]
    .filter((element) => !element.closest("details:not([open])") && element.getBoundingClientRect().right > width + 1)
    .slice(0, 4).map((element) => element.outerHTML.slice(0, 120))];
}"""

# What a thumb misses on a phone; a button that copies has room around it instead.
TOO_LOW = """() => [...document.querySelectorAll(".btn:not(.copy), .form-control, .form-select")]
  .filter((part) => part.checkVisibility() && part.getBoundingClientRect().height < 35.5)
  .slice(0, 4).map((part) => part.outerHTML.slice(0, 120))"""


class Inspector:
    """Goes through pages and writes down what is wrong; `path` names a place in the report."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.walked: set[str] = set()

    def visit(self, page: Page, *paths: str) -> None:
        for path in paths:
            page.goto(path)
            self.walked.add(resolve(urlsplit(path).path).url_name)
            self.look(page, path)

    def look(self, page: Page, what: str) -> None:
        """The page as it is now, in each look: either theme at either width."""
        self._fit(page, what, "light", NARROW)
        self._fit(page, what, "light", PHONE)
        self.ask_axe(page, f"{what} (phone, light)", FIRST_ROWS)
        self.faults += [f"{what} (390 px) is too low for a thumb: {part}" for part in page.evaluate(TOO_LOW)]
        self._fit(page, what, "dark", PHONE)
        self.ask_axe(page, f"{what} (phone, dark)", FIRST_ROWS, COLOURS)
        self._fit(page, what, "dark", WIDE)
        self.ask_axe(page, f"{what} (wide, dark)", FIRST_ROWS, COLOURS)
        self._fit(page, what, "light", WIDE)
        self.ask_axe(page, f"{what} (wide, light)")

    def _fit(self, page: Page, what: str, theme: str, size: dict[str, int]) -> None:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(size)
        self.faults += [f"{what} ({theme}, {size['width']} px) overflows: {part}" for part in page.evaluate(OVERFLOW)]

    def ask_axe(
        self, page: Page, what: str, within: str | dict[str, list[str]] | None = None, rules: dict = RULES
    ) -> None:
        """`within`: a selector, or a context of axe; None is the whole page."""
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE.axe_script)
        found = page.evaluate("([context, rules]) => axe.run(context ?? document, rules)", [within, rules])
        for violation in found["violations"]:
            self.faults += [f"{what}: {violation['id']} {node['html'][:150]}" for node in violation["nodes"][:3]]


@pytest.fixture
def inspector(request):
    inspector = Inspector()
    yield inspector
    assert not inspector.faults, "\n".join(inspector.faults)
    assert inspector.walked == WALKS.get(request.node.originalname, set())


def test_no_page_is_left_out():
    walked = set().union(*WALKS.values())
    assert walked | NO_PAGES == {route.name for route in urlpatterns}
    assert not walked & NO_PAGES


def test_lists_and_history(admin, inspector):
    inspector.visit(
        admin, "/runs/", "/runs/?view=failed&status=finished&name=checkout", "/runs/?status=broken&name=checkout"
    )
    inspector.visit(admin, "/runs/?name=nothing+has+this+name", "/tests/", "/history/?days=28", "/history/?days=90")
    inspector.visit(admin, "/runs/?view=999&name=nothing+has+this+name", "/views/new/?status=finished", "/views/")


@pytest.mark.parametrize("provider", [K6, VSTS])
def test_each_tab_of_a_failed_run(admin, inspector, world, provider):
    run = world.run(account__provider=provider, result="failed", runerrors__isnull=False)
    node = world.tell("rows", model="RunError", values=["fingerprint"], run=run["pk"])[0]["fingerprint"]
    inspector.visit(admin, *(f"/runs/{run['pk']}/{tab}" for tab in (*TABS, f"errors/?node={node}")))


@pytest.mark.usefixtures("still")
def test_a_live_run_its_load_test_and_their_dialogs(admin, inspector, world):
    made = world.control("insert_run", provider=VSTS)["external_id"]
    world.sync(VSTS)
    run = world.run(external_id=made)
    page, test = f"/runs/{run['pk']}/", f"/tests/{run['load_test_id']}/"
    admin.goto(f"/runs/?test={run['load_test_id']}")
    admin.locator(f"#run-{run['pk']}-select").check()
    inspector.look(admin, "a selection")
    inspector.visit(admin, f"/runs/stop/?id={run['pk']}", f"/runs/stop/{uuid4()}/?id={run['pk']}&stop={run['pk']}")
    inspector.visit(admin, f"{page}stop/", f"{test}start/", f"/accounts/{SLUGS[VSTS]}/start/", test, page)
    for path, link in ((page, "Stop…"), (test, "Start…")):
        admin.goto(path)
        admin.locator(".page-actions").get_by_role("link", name=link).click()
        expect(admin.locator("dialog[open]")).to_be_visible()
        inspector.look(admin, f"{link} dialog")
    admin.get_by_role("button", name="Start", exact=False).last.click()
    expect(admin.locator("dialog[open]")).to_have_count(0)
    intent = world.tell("rows", model="ControlIntent", values=["token"], load_test=run["load_test_id"])[-1]["token"]
    inspector.visit(admin, f"/intents/{intent}/", "/intents/", "/intents/?state=open&kind=stop&name=nothing")
    inspector.visit(admin, f"{test}stop/", f"/accounts/{SLUGS[VSTS]}/stop/")


def test_what_follows_an_ended_run(operator, inspector, world):
    run = world.run(status="finished", account__provider=K6)
    inspector.visit(operator, f"/runs/{run['pk']}/start-again/")
    operator.goto(f"/runs/{run['pk']}/")
    operator.locator(".page-actions").get_by_role("link", name="Start again…").click()
    expect(operator.locator("dialog[open]")).to_be_visible()
    inspector.look(operator, "start again dialog")
    inspector.visit(operator, f"/runs/{run['pk']}/note/")


def test_schedules(admin, inspector, world):
    """None, and two of a test: one that is on, one that is off."""
    inspector.visit(admin, "/schedules/")
    test = world.tests(K6)[0]["pk"]
    when = {"rule": "every Monday, Tuesday and Friday at 03:00", "created_by": "maya@example.com"}
    for number, active in enumerate((True, False)):
        world.tell("add_schedule", load_test=test, external_id=str(number), active=active, **when)
    inspector.visit(admin, "/schedules/", f"/tests/{test}/")


def test_a_saved_view_and_its_dialogs(viewer, inspector):
    viewer.goto("/views/new/?status=finished&result=!passed&requested_by=Schedule&sort=-duration")
    viewer.get_by_label("Name").fill("Looked at from every side")
    viewer.get_by_role("button", name="Save view").click()
    expect(viewer.get_by_role("link", name="Looked at from every side")).to_have_attribute("aria-current", "page")
    key = viewer.url.partition("view=")[2]
    inspector.look(viewer, "a saved view")
    inspector.visit(viewer, f"/views/{key}/", f"/views/{key}/delete/", "/views/")
    for link in ("Rename or share", "Delete"):
        viewer.goto("/views/")
        viewer.get_by_role("link", name=f"{link} Looked at from every side").click()
        expect(viewer.locator("dialog[open]")).to_be_visible()
        inspector.look(viewer, f"{link} dialog")


def test_thresholds_of_our_own(admin, inspector, world):
    with world.load_account("http://127.0.0.1:9") as test:
        inspector.visit(admin, f"/tests/{test}/", f"/tests/{test}/thresholds/")


def test_accounts_people_and_own_page(admin, inspector):
    inspector.visit(admin, "/accounts/", "/accounts/new/", "/accounts/new/?provider=vsts", f"/accounts/{SLUGS[K6]}/")
    inspector.visit(admin, "/users/", "/users/new/", "/users/1/", "/me/", "/shortcuts/", "/jump/?q=e")
    admin.keyboard.press("Control+k")
    expect(admin.get_by_role("combobox")).to_be_focused()
    inspector.look(admin, "jump dialog")


def test_an_archive_leaves_and_comes_in(admin, inspector, tmp_path):
    """Into the account it left: all of it is there already, and nothing changes for the other tests."""
    inspector.visit(admin, f"/accounts/{SLUGS[VSTS]}/archive/?result=failed&latest=1")
    with admin.expect_download() as download:
        admin.get_by_role("button", name="Export").click()
    download.value.save_as(tmp_path / "archive.zip")
    inspector.visit(admin, "/accounts/import/")
    admin.get_by_label("File").set_input_files(tmp_path / "archive.zip")
    admin.get_by_label("Into").select_option(SLUGS[VSTS])
    admin.get_by_role("button", name="Import").click()
    expect(admin.get_by_role("heading", name="Imported into")).to_be_visible()
    inspector.look(admin, "the report of an import")


def test_guard_rails(admin, inspector, world):
    """Their pages with something on them, and a start that they stand against."""
    test, name = world.tests(VSTS)[0]["pk"], "Checkout API of the shop in the north"
    admin.goto("/guards/targets/new/")
    admin.get_by_label("Name").fill(name)
    admin.get_by_label("Protected").check()
    admin.get_by_role("button", name="Add target").click()
    target = world.tell("rows", model="Target", values=["pk"], name=name)[0]["pk"]
    world.tell("change", model="LoadTest", where={"pk": test}, target=target)
    admin.goto("/guards/freezes/new/")
    admin.get_by_label("Name").fill("Release of the shop, every night of the working week")
    admin.get_by_label("Holds for").select_option(label=name)
    admin.get_by_label("Every week").check()
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"):
        admin.get_by_label(day).check()
    admin.locator("[name=from_time]").fill("00:00")
    admin.locator("[name=to_time]").fill("00:00")
    admin.get_by_role("button", name="Add freeze window").click()
    expect(admin.get_by_role("heading", name="Guard rails")).to_be_visible()
    freeze = world.tell("rows", model="FreezeWindow", values=["pk"])[0]["pk"]
    try:
        inspector.visit(admin, "/guards/", "/guards/targets/new/", "/guards/freezes/new/")
        inspector.visit(admin, f"/guards/targets/{target}/?name=", f"/guards/targets/{target}/delete/")
        inspector.visit(admin, f"/guards/freezes/{freeze}/", f"/guards/freezes/{freeze}/delete/")
        inspector.visit(admin, f"/tests/{test}/target/", f"/tests/{test}/start/")
    finally:
        admin.goto(f"/guards/targets/{target}/delete/")
        admin.get_by_role("button", name="Delete target").click()
        expect(admin.get_by_role("heading", name="Guard rails")).to_be_visible()


def test_the_sign_in_page_and_pages_that_say_no(stranger, viewer, inspector):
    viewer.watch.allow(403, 404)
    inspector.visit(stranger, "/sign-in/?next=/runs/")
    inspector.visit(viewer, "/accounts/", "/runs/999999/")
    viewer.context.clear_cookies(name="csrftoken")
    viewer.goto("/me/")
    viewer.context.clear_cookies(name="csrftoken")
    viewer.get_by_role("button", name="Save settings").click()
    expect(viewer.get_by_role("heading", name="This form can no longer be sent")).to_be_visible()
    inspector.look(viewer, "403, sent too late")
    viewer.route("**/broken/", lambda route: route.fulfill(body=render_to_string("500.html"), content_type="text/html"))
    viewer.goto("/broken/")
    inspector.look(viewer, "500")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_open_menus(browse: Callable[..., Page], inspector, size):
    page = browse("admin", viewport=size)
    page.goto("/runs/?name=checkout")
    menus = page.locator("details.menu:visible:not(tr + tr *)")  # of the rows' menus one is enough
    for index in range(menus.count()):
        menu = menus.nth(index)
        menu.locator("summary").click()
        expect(menu).to_have_attribute("open", "")
        what = f"menu {menu.locator('summary').inner_text() or index}"
        inspector.faults += [f"{what} overflows: {part}" for part in page.evaluate(OVERFLOW)]
        inspector.ask_axe(page, what, within="details.menu[open]")
        page.keyboard.press("Escape")
        expect(menu).not_to_have_attribute("open", "")
