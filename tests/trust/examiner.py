"""What must be true in the end, whatever happened: the mirror equals the truth, every press came to one run or none.

Each check returns sentences about what is not so; an empty list is what a trial wants.
"""

import json
import time
from collections import Counter
from typing import Any

from tests.test_truth import same
from tests.trust.stage import Sandbox, Stage
from tests.truth import expected_export

SHOWN = 5  # of the differences of one account


def differences(stage: Stage, slugs: list[str] | None = None) -> list[str]:
    """Where the mirror of these accounts (all of them) is not the truth of their sandboxes."""
    found, pressed = [], _runs_of_presses(stage)
    truths = {id(sandbox): sandbox.truth() for sandbox in stage.accounts.values()}
    for slug in slugs or list(stage.accounts):
        provider = "k6-legacy" if "k6-legacy" in slug else "vsts"
        made = [run for run in truths[id(stage.accounts[slug])] if run["provider"] == provider]
        expected = {run["external_id"]: expected_export(run, slug) for run in made}
        for key, user in pressed.get(slug, {}).items():
            expected.get(key, {})["requested_by"] = user
        found += _differing(slug, exported(stage, slug), expected)
    return found


def wait_for_the_truth(stage: Stage, seconds: float) -> float:
    """Seconds until the mirror equals the truth; AssertionError with the differences that are left in the end."""
    began = time.monotonic()
    while found := differences(stage):
        assert time.monotonic() - began < seconds, f"After {seconds:.0f} s:\n" + "\n".join(found)
        time.sleep(1)
    return time.monotonic() - began


def exported(stage: Stage, slug: str) -> dict[str, dict[str, Any]]:
    path = stage.home / f"{slug}.json"
    stage.hand.ask("export", slug=slug, path=str(path))
    records = json.loads(path.read_text())
    assert len({record["external_id"] for record in records}) == len(records), f"{slug}: a run is exported twice"
    return {record["external_id"]: record for record in records}


def _differing(slug: str, found: dict[str, dict], expected: dict[str, dict]) -> list[str]:
    said = [f"{slug}: {key} is not here" for key in expected.keys() - found.keys()]
    said += [f"{slug}: {key} is nowhere else" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        wrong = {
            name: (found[key][name], value)
            for name, value in expected[key].items()
            if not same(found[key][name], value)
        }
        if wrong:
            said.append(f"{slug}: {key} here against there: {wrong}")
    return said if len(said) <= SHOWN else [*said[:SHOWN], f"{slug}: and {len(said) - SHOWN} more"]


def _runs_of_presses(stage: Stage) -> dict[str, dict[str, str]]:
    """Account -> run -> who asked for it here."""
    found: dict[str, dict[str, str]] = {}
    for intent in stage.hand.ask("intents"):
        if intent["kind"] == "start" and intent["external_id"]:
            found.setdefault(intent["account"], {})[intent["external_id"]] = intent["user"]
    return found


def wrong_presses(stage: Stage, presses: list[dict[str, Any]], before: dict[int, set[str]]) -> list[str]:
    """What is not so about these presses: one intent each, settled, and as many runs at the provider as it says.

    `before` holds for each sandbox (by `id`) the runs that existed before anybody pressed.
    """
    starts = [intent for intent in stage.hand.ask("intents") if intent["kind"] == "start"]
    by_token = Counter(intent["token"] for intent in starts)
    said = [f"press {p['token']} has {by_token[p['token']]} intents" for p in presses if by_token[p["token"]] != 1]
    for sandbox in set(stage.accounts.values()):
        ours = [intent for intent in starts if stage.accounts[intent["account"]] is sandbox]
        said += _wrong_starts(sandbox, ours, before[id(sandbox)])
    return said


def _wrong_starts(sandbox: Sandbox, intents: list[dict[str, Any]], before: set[str]) -> list[str]:
    sandbox.read_ledger()
    made = {run["external_id"]: run for run in sandbox.truth() if run["external_id"] not in before}
    claimed = [intent["external_id"] for intent in intents if intent["external_id"]]
    said = [f"run {key} was made, and no press accounts for it" for key in made.keys() - set(claimed)]
    said += [f"run {key} is said to be started, and was not" for key in set(claimed) - made.keys()]
    said += [f"run {key} is the answer to {n} presses" for key, n in Counter(claimed).items() if n > 1]
    for intent in intents:
        is_there = bool(intent["external_id"])
        if intent["outcome"] in ("done", "created") and not is_there:
            said.append(f"press {intent['token']} is {intent['outcome']} without a run")
        elif intent["outcome"] == "created" and made[intent["external_id"]].get("state") != "pending":
            said.append(f"press {intent['token']} says its run is not queued, and it is")
        elif intent["outcome"] not in ("done", "created", "not_started", "refused"):
            said.append(f"press {intent['token']} is {intent['outcome']}: {intent['message']}")
        elif is_there and intent["outcome"] in ("not_started", "refused"):
            said.append(f"press {intent['token']} is {intent['outcome']}, and has run {intent['external_id']}")
    sent = Counter(_start_of(row) for row in sandbox.writes)
    presses = Counter(_key_of(intent) for intent in intents)
    return said + [f"{key} was sent {n} times" for key, n in sent.items() if key and n > presses[key]]


def _start_of(row: dict[str, Any]) -> str:
    """Of a request in the ledger: what it starts; empty for any other."""
    if row["path"].endswith("/start-testrun"):
        return row["path"].split("/")[-2]
    if row["method"] == "POST" and row["path"].lower().endswith("/testruns"):
        return row["body"]["name"]
    return ""


def _key_of(intent: dict[str, Any]) -> str:
    return intent["test_external_id"] if "k6-legacy" in intent["account"] else intent["test"]


def stuck_leases(seen: dict[str, Any]) -> list[str]:
    """Accounts (as the hand saw them) whose lease ran out and was neither given back nor taken by another."""
    return [
        f"the lease of {slug} ran out with {state['owner']}"
        for slug, state in seen["accounts"].items()
        if (state["lease_over"] or -1) > 5
    ]
