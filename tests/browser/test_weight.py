"""What a visit costs: bytes over the wire, headers included, as Chromium counts them."""

from collections import Counter
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

KB = 1000


class Scales:
    """Bytes of each answer of a page, by its kind ("Document", "Script" …), since the last `empty`."""

    def __init__(self, page: Page) -> None:
        self.weights: Counter[str] = Counter()
        self._kinds: dict[str, str] = {}
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.responseReceived", lambda event: self._kinds.update({event["requestId"]: event["type"]}))
        session.on("Network.loadingFinished", self._add)

    def _add(self, event: dict) -> None:
        self.weights[self._kinds.get(event["requestId"], "Other")] += event["encodedDataLength"]

    def weigh(self, page: Page, path: str) -> Counter[str]:
        """Go there; what came until nothing more did."""
        self.weights.clear()
        page.goto(path)
        page.wait_for_load_state("networkidle")
        return Counter(self.weights)


@pytest.fixture
def weigh(browse: Callable[..., Page]) -> Callable[[str], Counter[str]]:
    page = browse("operator")
    scales = Scales(page)
    return lambda path: scales.weigh(page, path)


def test_a_first_visit_to_the_run_list_is_light_and_the_next_ones_are_lighter(weigh):
    first, later = weigh("/runs/"), weigh("/runs/")
    for name, weights in (("first visit", first), ("later visit", later)):
        parts = ", ".join(f"{kind} {size / KB:.1f}" for kind, size in weights.most_common() if size)
        print(f"/runs/, {name}: {weights.total() / KB:.1f} kB ({parts})")
    assert first.total() <= 150 * KB
    assert first["Script"] <= 60 * KB
    assert 0 < later.total() <= 30 * KB


@pytest.mark.parametrize("path", ["/sign-in/", "/history/", "/tests/"])
def test_other_first_pages_are_light_too(weigh, path):
    assert weigh(path).total() <= 150 * KB
