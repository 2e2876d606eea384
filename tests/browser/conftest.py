"""A real Chromium before a real server before real sandboxes of the providers.

`viewer`, `operator`, `admin`: a page in which that person is signed in. `stranger`: nobody is. `browse` makes more.
Every page is watched: a console error, an unexpected status, a policy violation or a foreign address fails its test.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright

from dashboard.demo import PASSWORD
from tests.browser.watch import Watch
from tests.browser.world import World

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 15_000

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def still(world: World) -> Iterator[None]:
    """The sandbox's clock stands, so that runs stay in the states a test looks at until it calls `world.later`."""
    world.control("freeze", frozen=True)
    yield
    world.control("freeze", frozen=False)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
    if path is None:
        pytest.fail(
            "The browser tests need Chromium. Install it (Debian: apt-get install chromium), or name the one you have: "
            "CHROMIUM=/path/to/chromium make test",
            pytrace=False,
        )
    # Playwright keeps an event loop in this thread, in which later tests of this process use the ORM.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def signed_in(chromium: Browser, world: World) -> Callable[[str], dict]:
    """Role -> the cookies of a person signed in through the page; once per role."""
    states: dict[str, dict] = {}

    def state_of(role: str) -> dict:
        if role not in states:
            context = chromium.new_context(base_url=world.url)
            sign_in(context.new_page(), role)
            states[role] = context.storage_state()
            context.close()
        return states[role]

    return state_of


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill the sign-in page in and send it; ends on the page that was asked for."""
    if "/sign-in/" not in page.url:
        page.goto("/sign-in/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main", exact=True)).to_be_attached()


def polled(page: Page, path: str) -> Response:
    """The answer to this page's next poll of an address with `path` in it, at once: `page.clock` is installed."""
    with page.expect_response(re.compile(re.escape(path))) as answer:
        page.clock.run_for(6_000)
    return answer.value


@pytest.fixture
def browse(chromium: Browser, world: World, signed_in: Callable[[str], dict]) -> Iterator[Callable[..., Page]]:
    """`browse(role="", **options of a Playwright context)` -> a new page; its `watch` is `page.watch`."""
    contexts = []

    def new_page(role: str = "", **options: object) -> Page:
        state = {"storage_state": signed_in(role)} if role else {}
        context = chromium.new_context(**{"base_url": world.url, "viewport": WIDE, **state, **options})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        watch = Watch(context, world.url)
        page = context.new_page()
        page.watch = watch
        watches.append(watch)
        return page

    watches: list[Watch] = []
    yield new_page
    problems = [problem for watch in watches for problem in watch.problems()]
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def stranger(browse: Callable[..., Page]) -> Page:
    return browse()


@pytest.fixture
def viewer(browse: Callable[..., Page]) -> Page:
    return browse("viewer")


@pytest.fixture
def operator(browse: Callable[..., Page]) -> Page:
    return browse("operator")


@pytest.fixture
def admin(browse: Callable[..., Page]) -> Page:
    return browse("admin")
