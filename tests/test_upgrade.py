"""From the previous release's database to this one's, back, and forward again: no row changes."""

import json

import pytest

from tests.machine import Machine


@pytest.mark.slow
def test_rows_are_the_same_after_the_upgrade_and_after_going_back(tmp_path):
    machine = Machine(tmp_path)
    before = machine.step("previous")
    now = machine.step("upgraded", json.dumps(before))
    seen = now["state"]
    assert seen["opened"] == {"k6-legacy": {"token": "tok_of_shop"}}
    assert (seen["runs"], seen["unsettled"], seen["read whole"]) == (40, 2, 1)
    # Where a first sync that was under way goes on is written in other words; it begins anew.
    assert {table for table, rows in before.items() if now["digest"][table] != rows} == {"runs_syncstate"}
    assert now["digest"]["runs_syncstate"]["rows"] == 2
    again = machine.step("back_and_forth", json.dumps(before))
    assert again["digest"] == now["digest"]
    assert again["state"]["opened"] == seen["opened"]
