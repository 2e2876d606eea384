"""The browser of tests/browser, before a world in which every provider of the sandbox has an account."""

from collections.abc import Iterator

import pytest

from runs.sandbox.models import SPOKEN
from tests.browser.conftest import browse, chromium, operator, signed_in  # noqa: F401
from tests.browser.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), SPOKEN) as world:
        yield world
