"""Every fault against each provider: a sync, a start and a stop, what is to come of each, and what came of it.

The expectations say what a person should see and what has to be kept. They are not taken from what the code does.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from runs import actions
from runs.choices import IntentOutcome, RunStatus
from runs.models import Account, ControlIntent, Run, SyncState
from runs.sandbox.models import home
from runs.sandbox.server import Sandbox
from runs.services import SERVICES
from runs.services.base import RunService
from runs.sync import sync_account
from tests.rows import make_account, make_user
from tests.test_truth import exported, same, truth
from tests.truth import expected_export

K6, VSTS, AZURE, V6 = "k6-legacy", "vsts", "azure", "k6"
PROVIDERS = (K6, VSTS)  # of the ordinary suite
ALL_PROVIDERS = (*PROVIDERS, AZURE, V6)
ACTIONS = ("sync", "start", "stop")
WRITES = {  # method and part of the path of the one request that starts or stops
    (K6, "start"): ("POST", "start-testrun"),
    (K6, "stop"): ("POST", "/stop"),
    (VSTS, "start"): ("POST", "/testruns?"),
    (VSTS, "stop"): ("PATCH", "/testruns/"),
    (AZURE, "start"): ("PATCH", "/test-runs/"),
    (AZURE, "stop"): ("POST", ":stop"),
    (V6, "start"): ("POST", "/start"),
    (V6, "stop"): ("POST", "/abort"),
}
# Part of the path of a list of runs.
LIST = {K6: "/test_runs?", VSTS: "/testruns?", AZURE: "/test-runs?", V6: "/test_runs?"}
# Few rows a page, so that lists have pages; at VSTS a full window is one that hides runs.
PAGE = {K6: 3, VSTS: 50, AZURE: 3, V6: 3}
ENDS_WELL = {K6: "passed", VSTS: "completed", AZURE: "passed", V6: "passed"}

# What is to come of a sync. PAUSED: nothing more is asked until an admin edits the account. WAITS: nothing more is
# asked for the seconds given. LATER: it is tried again later and later. WHOLE: nothing is amiss, or it is told apart.
WHOLE, LATER, PAUSED, WAITS = "whole", "later", "paused", "waits"
# What is to come of a write. NONE: certainly not done. LOST: it may have been done, and was not. FOUND: it may have
# been done, and was. DONE: answered as always. AGAIN: LOST or FOUND, where the same key names the same start: the sync
# sends it again, and either way there is one run.
NONE, LOST, FOUND, DONE, AGAIN = "certainly not", "unclear, was not", "unclear, was", "done", "sent again"
# Of a stop, whose answer needs no body: any 2xx accepts it, and only the run's status says that it was done. ASKED: it
# was not. STOPPED: it was, whether its answer got through or not.
ASKED, STOPPED = "accepted, was not", "accepted or unclear, was"


@dataclass(frozen=True)
class Fault:
    """`says` is part of the sentence that a person sees; `sync` and `write` what is to come of them; `waits` seconds.

    `lists`: the sync meets it in the lists of runs only. `at_k6` and so on: what differs there.
    """

    spec: str
    says: str
    sync: str = LATER
    write: str = LOST
    stop: str = ""  # what is to come of a stop, where that is not `write`
    waits: tuple[float, float] = (2.5, 10)
    lists: bool = False
    at_k6: dict[str, Any] = field(default_factory=dict)
    at_vsts: dict[str, Any] = field(default_factory=dict)
    at_azure: dict[str, Any] = field(default_factory=dict)
    at_v6: dict[str, Any] = field(default_factory=dict)

    @property
    def one_call(self) -> bool:
        """Whether one call meets it: within its deadline all is over."""
        return bool(self.says) and self.write != DONE

    def at(self, provider: str, name: str) -> Any:
        """One of our fields, as it is at this provider."""
        if name == "stop" and not self.stop:
            name = "write"
        there = {K6: self.at_k6, VSTS: self.at_vsts, AZURE: self.at_azure, V6: self.at_v6}[provider]
        return there.get(name, getattr(self, name))


LESS = "asks us to send less"
OWN = "had a fault of its own (HTTP {})"
BROKE = "The connection to {label} broke off"
SLOW = "did not answer within {deadline:g} s"
NO_LIST: Any = {
    "at_vsts": {"says": "without runs where they belong"},
    "at_azure": {"says": "without a list where it belongs"},
}
AWAY = "sent us on to another address"
SIGN_IN = "did not accept the credentials"

FAULTS = (
    Fault("kind=400", "refused this", write=NONE),
    Fault("kind=401", SIGN_IN, sync=PAUSED, write=NONE, at_azure={"lists": True}),
    Fault("kind=403", "does not allow this", sync=PAUSED, write=NONE),
    Fault("kind=404", "does not have this", write=NONE),
    Fault("kind=409", "refused this", write=NONE),
    Fault("kind=429", LESS, write=NONE),
    Fault("kind=429,retry_after=30", LESS, sync=WAITS, waits=(28, 30), write=NONE),
    Fault("kind=429,retry_after=date:90", LESS, sync=WAITS, waits=(85, 90), write=NONE),
    Fault("kind=429,retry_after=0", LESS, sync=WAITS, waits=(0, 1), write=NONE),
    Fault("kind=429,retry_after=-5", LESS, sync=WAITS, waits=(0, 1), write=NONE),
    Fault("kind=429,retry_after=1e9", LESS, sync=WAITS, waits=(3590, 3600), write=NONE),
    Fault("kind=429,retry_after=soon", LESS, write=NONE),
    Fault("kind=500", OWN.format(500)),
    Fault("kind=502", OWN.format(502)),
    Fault("kind=503", OWN.format(503)),
    Fault("kind=503,retry_after=60", "is not available now (HTTP 503)", sync=WAITS, waits=(57, 60)),
    Fault("kind=504", OWN.format(504)),
    Fault("kind=503,done=yes", OWN.format(503), write=FOUND),
    Fault("kind=410", "does not have this (any more)", write=NONE),
    Fault("kind=301", AWAY, write=NONE),
    Fault("kind=html", "was a web page instead of data", lists=True, stop=ASKED),
    Fault("kind=types", "without the list of runs", lists=True, write=FOUND, stop=DONE, **NO_LIST),
    Fault("kind=odd_rows", "", sync=WHOLE, write=DONE, lists=True),
    Fault("kind=empty", "without the list of runs", lists=True, write=FOUND, stop=DONE, **NO_LIST),
    Fault("kind=truncated", "could not be read", lists=True, write=FOUND, stop=DONE),
    Fault("kind=deep", "nested too deep", lists=True, stop=ASKED),
    Fault("kind=huge", "was larger than 32 MB", lists=True, stop=ASKED),
    Fault("kind=bomb", "was larger than 32 MB", lists=True, stop=ASKED),
    Fault("kind=slow", SLOW, write=FOUND),
    Fault("kind=drip_headers", SLOW, write=FOUND),
    Fault("kind=drip_body", SLOW, write=FOUND, stop=STOPPED),
    Fault("kind=reset", BROKE, write=FOUND, stop=STOPPED),
    Fault("kind=lost", BROKE, write=FOUND),
    Fault("kind=dead,seconds=3600", BROKE),
    Fault("kind=redirect", AWAY, at_vsts={"says": SIGN_IN, "sync": PAUSED, "write": NONE}),
    Fault("kind=redirect,status=307", AWAY, write=NONE),
    # Azure's pages are linked: one that brings the news up to date never comes to the end that is none.
    Fault(
        "kind=endless", "A list of", write=DONE, at_vsts={"says": "more runs of one second"},
        at_azure={"says": "", "sync": WHOLE},
    ),
    Fault(
        "kind=repeat", "the same page again and again", write=DONE, at_vsts={"says": "", "sync": WHOLE},
        at_azure={"says": "a page whose next is one already read"}, at_v6={"says": "goes round in circles"},
    ),
    Fault(
        "kind=flicker", "A list of", write=DONE, at_vsts={"says": "", "sync": WHOLE},
        at_azure={"says": "", "sync": WHOLE}, at_v6={"says": "", "sync": WHOLE},
    ),
    Fault("kind=shift", "", sync=WHOLE, write=DONE),
    Fault("kind=skew,hours=-5", "", sync=WHOLE, write=DONE),
    Fault("kind=skew,hours=-25", "", sync=WHOLE, write=DONE),
    Fault("kind=skew,hours=5", "", sync=WHOLE, write=DONE),
    Fault("kind=skew,hours=24", "", sync=WHOLE, write=DONE),
)  # fmt: skip


@dataclass
class Cell:
    """One fault, one provider, one action, and what came of it; `wrong` is empty when all is as it was designed."""

    fault: str
    provider: str
    action: str
    seen: str = ""
    kept: str = ""
    calls: int = 0
    seconds: float = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, right: bool, wrong: str) -> None:
        if not right:
            self.wrong.append(wrong)


class Stage:
    """A sandbox whose clock stands still, an account that is in step with it, and an operator."""

    def __init__(self, sandbox: Sandbox, account: Account, user: User, deadline_s: float) -> None:
        self.sandbox, self.account, self.user, self.deadline_s = sandbox, account, user, deadline_s
        self.provider = account.provider
        self.label = SERVICES[account.provider].label

    def sync(self, **options: Any) -> SyncState:
        sync_account(self.account, details_budget=None, page_size=PAGE[self.provider], **options)
        return SyncState.objects.get(account=self.account)

    @contextmanager
    def hurry(self, cell: "Cell") -> Iterator[None]:
        """What meets the fault: under the short deadline, measured and counted."""
        service, mark, began = SERVICES[self.provider], self.mark(), time.monotonic()
        service.seconds, patient = self.deadline_s, service.seconds
        try:
            yield
        finally:
            service.seconds = patient
            cell.seconds, cell.calls = time.monotonic() - began, len(self.requests_since(mark))

    def tell(self, page: str, **body: Any) -> Any:
        answer = requests.post(f"{self.sandbox.url}/__sandbox__/{page}", json=body, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def break_down(self, fault: Fault, action: str) -> None:
        spec = f"{fault.spec},provider={self.provider}"
        if fault.spec.startswith("kind=skew"):
            pass
        elif action != "sync":
            method, path = WRITES[self.provider, action]
            spec += f",method={method},path={path}"
        elif fault.at(self.provider, "lists"):
            spec += f",path={LIST[self.provider]}"
        self.tell("faults", faults=[spec])

    def lift(self) -> None:
        requests.delete(f"{self.sandbox.url}/__sandbox__/faults", timeout=20).raise_for_status()

    def elsewhere(self) -> list[Any]:
        return requests.get(f"{self.sandbox.url}/__sandbox__/faults", timeout=20).json()["elsewhere"]

    def requests_since(self, number: int) -> list[dict[str, Any]]:
        return self.sandbox.store.ledger.rows(number)

    def mark(self) -> int:
        rows = self.sandbox.store.ledger.rows()
        return rows[-1]["n"] if rows else 0

    def insert(self, count: int = 1) -> list[str]:
        return [self.tell("insert_run", provider=self.provider)["external_id"] for _ in range(count)]

    def differing(self) -> list[str]:
        """The ids of runs that our rows and the provider's truth do not agree about."""
        expected = {
            run["external_id"]: expected_export(run, self.account.slug) for run in truth(self.sandbox, self.provider)
        }
        found = exported(self.account)
        # Who asked for a run that was started here is our person, whatever the provider's token says.
        ours = set(ControlIntent.objects.filter(kind="start").values_list("external_id", flat=True))
        return [
            key
            for key in expected.keys() | found.keys()
            if key not in expected or key not in found or any(
                not same(found[key][name], value)
                for name, value in expected[key].items()
                if name != "requested_by" or key not in ours
            )
        ]  # fmt: skip


class Theatre:
    """What all cells of a provider begin with, made once: a sandbox's file, and an account in step with it."""

    def __init__(
        self, provider: str, deadline_s: float, patch: pytest.MonkeyPatch, made: Path, *, slack_s: float = 1
    ) -> None:
        """`slack_s`: how much longer than the deadline of one call a worker may be held."""
        self.deadline_s, self.slack_s, self.made, self.now = deadline_s, slack_s, made, time.time()
        self.provider, self._patch = provider, patch
        patch.setitem(SERVICES, provider, hasty(provider))
        with self._sandbox(made) as sandbox:
            given = requests.get(f"{sandbox.url}/__sandbox__/credentials", timeout=20).json()[provider]
            account = make_account(f"{provider} sandbox", provider=provider, base_url=sandbox.url)
            account.seal_credentials(given["credentials"])
            account.save()
            self.first = Stage(sandbox, account, make_user("operator", f"operator of {provider}"), deadline_s)
            self.credentials = given["credentials"]
            assert self.first.sync().error == ""
            assert self.first.differing() == []

    def _sandbox(self, path: Path) -> Sandbox:
        now = self.now
        sandbox = Sandbox(
            tests=2, runs=6, speed=1, clock=lambda: now, db_path=str(path), providers=(home(self.provider),)
        )  # fmt: skip
        self._patch.setattr(settings, "AZURE_LOGIN_URL", sandbox.url)
        return sandbox

    @contextmanager
    def stage(self) -> Iterator["Stage"]:
        """As at the beginning, at the time it is now; all that happens, here and at the provider, is taken back."""
        self.now = time.time()
        with TemporaryDirectory() as place, transaction.atomic():
            path = Path(shutil.copy(self.made, place))
            with self._sandbox(path) as sandbox:
                account = Account.objects.get(pk=self.first.account.pk)
                account.base_url = sandbox.url
                account.seal_credentials(self.credentials)
                account.save()
                here = Stage(sandbox, account, self.first.user, self.deadline_s)
                assert here.sync().error == ""
                yield here
            transaction.set_rollback(True)

    def play(self, fault: Fault, action: str) -> Cell:
        """One cell of the matrix."""
        with self.stage() as here:
            cell = Cell(fault.spec.removeprefix("kind="), here.provider, action)
            {"sync": play_sync, "start": play_start, "stop": play_stop}[action](here, fault, cell)
            cell.check(here.elsewhere() == [], f"reached the other host: {here.elsewhere()}")
            if fault.one_call:
                cell.check(cell.seconds <= self.deadline_s + self.slack_s, f"held the worker for {cell.seconds:.1f} s")
        return cell


def hasty(provider: str) -> type[RunService]:
    """The provider's service with a deadline that can be made short, for actions too."""

    class Hasty(SERVICES[provider]):
        seconds = 20.0

        def __init__(self, base_url: str, credentials: Any, **options: Any):
            # The other host is allowed, so that nothing but the rule against redirects keeps us from it.
            hosts = ("127.0.0.1", "127.0.0.2")
            super().__init__(base_url, credentials, **{**options, "deadline_s": self.seconds, "extra_hosts": hosts})

    return Hasty


# --- a sync ----------------------------------------------------------------------------------------------------------


def play_sync(here: Stage, fault: Fault, cell: Cell) -> None:
    """Runs are made at the provider, a sync meets the fault; it is lifted, and the next ends in step with the truth."""
    before = rows_of(here.account)
    cursor = SyncState.objects.get(account=here.account).cursor
    skewed = fault.spec.startswith("kind=skew")
    if skewed:
        here.break_down(fault, "sync")
    new = here.insert(4)
    if not skewed:
        here.break_down(fault, "sync")
    with here.hurry(cell):
        state = here.sync()
    cell.seen = state.error
    expected = fault.at(here.provider, "sync")
    if expected == WHOLE:
        held = Run.objects.filter(account=here.account, external_id__in=new).count()
        cell.kept = f"{held} of {len(new)} new runs"
        cell.check(state.error == "" and state.cursor > cursor, f"it did not end well: {state.error}")
        if "odd_rows" in fault.spec:
            cell.kept += f", {len(state.bad_rows)} named as unreadable"
            cell.check(bool(state.bad_rows), "nobody is told of the rows that could not be read")
        elif "flicker" not in fault.spec:
            cell.check(held == len(new), f"runs are missing: {cell.kept}")
    else:
        after = rows_of(here.account)
        # Of a walk that found no end, the pages that were good are kept; where one call fails, there are none.
        same_rows = after == before if fault.one_call else set(before) <= set(after)
        check_failed_sync(here, fault, cell, state, same_rows and state.cursor == cursor)
    cell.check(not negative(here.account), "a duration is negative")
    here.lift()
    requests_before_edit(here, cell, state)
    if "flicker" in fault.spec:
        here.sync()  # it goes on where it was left; a run that was missing above that place comes with the next
    after = here.sync()
    cell.check(after.error == "" and not after.paused, f"after the fault: {after.error}")
    wrong = here.differing()
    cell.check(wrong == [], f"after the fault {len(wrong)} runs differ from the truth")


def check_failed_sync(here: Stage, fault: Fault, cell: Cell, state: SyncState, kept: bool) -> None:
    says = fault.at(here.provider, "says").format(label=here.label, deadline=here.deadline_s)
    cell.check(here.label in state.error and says in state.error, f'"{says}" is not in "{state.error}"')
    cell.kept = "rows, cursor" if kept else "CHANGED"
    cell.check(kept, "rows or the cursor changed")
    expected = fault.at(here.provider, "sync")
    cell.check(state.paused == (expected == PAUSED), f"paused is {state.paused}")
    cell.check(cell.calls <= 150, f"{cell.calls} calls")
    cell.check(state.failures == 1 and state.last_good_at is not None, "it does not say since when it fails")
    if expected == PAUSED:
        cell.kept += "; paused"
    elif state.not_before is None:
        cell.check(False, "it does not say when it is tried again")
    else:
        wait = (state.not_before - state.error_at).total_seconds()
        least, most = fault.waits
        cell.check(least <= wait <= most + 0.1, f"waits {wait:.1f} s, not {least:g} to {most:g}")
        cell.kept += f"; tried again after {wait:.0f} s"


def requests_before_edit(here: Stage, cell: Cell, state: SyncState) -> None:
    """A worker that comes by asks nothing while the account is paused or has to wait."""
    if state.paused or (state.not_before and state.not_before > timezone.now()):
        mark = here.mark()
        report = sync_account(here.account, only_if_due=True)
        cell.check(report.busy and here.requests_since(mark) == [], "it was asked again too soon")
    if state.paused:
        SyncState.objects.filter(account=here.account).update(paused=False)


def rows_of(account: Account) -> list[tuple]:
    return list(Run.objects.filter(account=account).order_by("pk").values_list("pk", "external_id", "status"))


def negative(account: Account) -> bool:
    return any(run.duration_s is not None and run.duration_s < 0 for run in Run.objects.filter(account=account))


# --- a start ---------------------------------------------------------------------------------------------------------


def play_start(here: Stage, fault: Fault, cell: Cell) -> None:
    past = Run.objects.filter(account=here.account, status=RunStatus.FINISHED).select_related("load_test").first()
    token, known = uuid4(), {run["external_id"] for run in truth(here.sandbox, here.provider)}
    here.break_down(fault, "start")
    wish = {"user": here.user, "account": here.account, "load_test": past.load_test, "values": past.start_values}
    mark = here.mark()
    with here.hurry(cell):
        intent = actions.start_run(**wish, reason="", token=token)
    cell.seen = intent.message
    expected = fault.at(here.provider, "write")
    if expected in (LOST, FOUND) and SERVICES[here.provider].start_again_s:
        expected = AGAIN
    check_write(here, fault, cell, intent, expected)
    actions.start_run(**wish, reason="", token=token)
    here.lift()
    long_ago(intent)
    here.sync()
    made = {run["external_id"] for run in truth(here.sandbox, here.provider)} - known
    if "shift" in fault.spec:
        made = {run for run in made if run == intent.external_id}
    cell.check(len(made) == (expected in (FOUND, DONE, AGAIN)), f"{len(made)} runs were made")
    check_settled_start(here, cell, intent, expected, made)
    check_sent(here, cell, mark, times=2 if expected == AGAIN else 1)


def check_write(here: Stage, fault: Fault, cell: Cell, intent: ControlIntent, expected: str) -> None:
    """What the intent says right after the press."""
    done = IntentOutcome.DONE if cell.action == "start" else IntentOutcome.ACCEPTED
    first = {NONE: [IntentOutcome.REFUSED], DONE: [done], ASKED: [done], STOPPED: [done, IntentOutcome.SENT]}
    right = first.get(expected, [IntentOutcome.SENT])
    cell.check(intent.outcome in right, f"the press ended as {intent.outcome}, not as {right}: {intent.message}")
    if expected == NONE:
        says = fault.at(here.provider, "says").format(label=here.label, deadline=here.deadline_s)
        cell.check(says in intent.message, f'"{says}" is not in "{intent.message}"')


def check_settled_start(here: Stage, cell: Cell, intent: ControlIntent, expected: str, made: set[str]) -> None:
    intent.refresh_from_db()
    # A VSTS run is created first and queued by a second request, which is not sent when the first was not answered.
    found = IntentOutcome.CREATED if here.provider == VSTS else IntentOutcome.DONE
    last = {NONE: IntentOutcome.REFUSED, LOST: IntentOutcome.NOT_STARTED, FOUND: found}
    cell.kept = f"{intent.get_outcome_display().lower()}; {len(made)} run{'' if len(made) == 1 else 's'}"
    right = intent.outcome == last.get(expected, IntentOutcome.DONE)
    cell.check(right, f"it was settled as {intent.outcome}: {intent.message}")
    cell.check(not made or intent.external_id in made, f"it is not linked to {made}")
    wrong = here.differing()
    cell.check(wrong == [], f"{len(wrong)} runs differ from the truth")


def check_sent(here: Stage, cell: Cell, mark: int, times: int = 1) -> None:
    method, path = WRITES[here.provider, cell.action]
    sent = [
        row for row in here.requests_since(mark)
        if row["method"] == method and path.rstrip("?") in row["path"] and "countersamples" not in row["path"]
    ]  # fmt: skip
    if here.provider == AZURE and len(sent) == 2 and sent[0]["status"] == 401:
        sent = sent[1:]  # what is refused for its token is sent once more, with a new one
    cell.check(len(sent) == times, f"it was sent {len(sent)} times")


def long_ago(intent: ControlIntent) -> None:
    """As if it had been pressed a minute before: a list may lag behind a start for less than that."""
    minute = timedelta(seconds=60)
    if intent.sent_at:
        when = {"sent_at": intent.sent_at - minute, "created_at": intent.created_at - minute}
        ControlIntent.objects.filter(pk=intent.pk).update(**when)


# --- a stop ----------------------------------------------------------------------------------------------------------


def play_stop(here: Stage, fault: Fault, cell: Cell) -> None:
    if fault.spec.startswith("kind=skew"):
        here.break_down(fault, "stop")
    here.tell("outcome", provider=here.provider, outcome=ENDS_WELL[here.provider])
    [external_id] = here.insert()
    here.sandbox.advance(120)
    here.sync()
    run = Run.objects.get(account=here.account, external_id=external_id)
    if not fault.spec.startswith("kind=skew"):
        here.break_down(fault, "stop")
    token, mark = uuid4(), here.mark()
    with here.hurry(cell):
        intent = actions.stop_run(user=here.user, run=run, reason="", token=token)
    cell.seen = intent.message
    expected = fault.at(here.provider, "stop")
    check_write(here, fault, cell, intent, expected)
    actions.stop_run(user=here.user, run=run, reason="", token=token)
    check_sent(here, cell, mark)
    if not fault.spec.startswith("kind=skew"):  # there a run lives by the wrong clock
        here.lift()
    here.sandbox.advance(60)
    here.sync()
    stopped = expected in (FOUND, DONE, STOPPED)
    check_stopped(here, cell, run, intent, stopped)
    if not stopped:
        again = actions.stop_run(user=here.user, run=Run.objects.get(pk=run.pk), reason="", token=uuid4())
        cell.check(again.outcome == IntentOutcome.ACCEPTED, f"it cannot be asked for again: {again.message}")
        here.sandbox.advance(60)
        here.sync()
        check_stopped(here, cell, run, again, True)


def check_stopped(here: Stage, cell: Cell, run: Run, intent: ControlIntent, stopped: bool) -> None:
    run.refresh_from_db()
    intent.refresh_from_db()
    cell.kept = cell.kept or f"{run.get_status_display().lower()}; {intent.get_outcome_display().lower()}"
    cell.check((run.status == RunStatus.ABORTED) == stopped, f"the run is {run.status}")
    cell.check((intent.outcome == IntentOutcome.DONE) == stopped, f"the stop is {intent.outcome}: {intent.message}")
    wrong = here.differing()
    cell.check(wrong == [], f"{len(wrong)} runs differ from the truth")


# --- the table -------------------------------------------------------------------------------------------------------


def table(cells: list[Cell]) -> str:
    """The cells as aligned columns; what is wrong stands below its cell."""
    head = ("fault", "provider", "action", "what was seen", "kept", "calls", "seconds")
    rows = [
        (cell.fault, cell.provider, cell.action, clipped(cell.seen), cell.kept, str(cell.calls), f"{cell.seconds:.2f}")
        for cell in cells
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [aligned(head, widths), "  ".join("-" * width for width in widths)]
    for cell, row in zip(cells, rows, strict=True):
        lines.append(aligned(row, widths))
        lines += [f"    WRONG: {wrong}" for wrong in cell.wrong]
    return "\n".join(lines)


def aligned(row: tuple[str, ...], widths: list[int]) -> str:
    texts = [text.ljust(width) for text, width in zip(row[:-2], widths[:-2], strict=True)]
    return "  ".join([*texts, *(text.rjust(width) for text, width in zip(row[-2:], widths[-2:], strict=True))])


def clipped(text: str, length: int = 70) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
