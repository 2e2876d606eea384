"""Servers that misbehave on purpose."""

from collections.abc import Iterator

import pytest

from .faults import FaultServer


def _serve() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.close()


faults = pytest.fixture(_serve, name="faults")
other_faults = pytest.fixture(_serve, name="other_faults")
