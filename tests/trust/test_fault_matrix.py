"""Every fault of the sandbox, each provider, a sync, a start and a stop each: what came of it, in a table."""

import pytest

from tests.fault_matrix import ACTIONS, ALL_PROVIDERS, FAULTS, Theatre, table


@pytest.mark.trust
@pytest.mark.django_db
def test_every_fault_ends_as_it_was_designed(monkeypatch, tmp_path):
    theatres = [Theatre(provider, 1, monkeypatch, tmp_path / provider) for provider in ALL_PROVIDERS]
    cells = [theatre.play(fault, action) for fault in FAULTS for theatre in theatres for action in ACTIONS]
    print(table(cells))
    wrong = [cell for cell in cells if cell.wrong]
    longest = max(cell.seconds for cell in cells)
    print(f"{len(cells)} cells, {len(wrong)} of them wrong; the worker was free after at most {longest:.2f} s")
    assert not wrong, table(wrong)
