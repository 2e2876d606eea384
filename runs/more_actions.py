"""What people ask of a provider besides starts and stops: notes, stars, schedules, scripts, files, what a start costs.

Each says by an exception why nothing came of it: NotAllowed before anything was sent, ServiceError afterwards. None of
these writes makes load, and each says how a thing is to be: pressed again, it changes nothing more.
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.models import User

from runs.abilities import cannot, label_of
from runs.actions import NotAllowed, named_test, opened_service, require
from runs.fields import CredentialsUnusable
from runs.models import Account, LoadTest, Run, Schedule
from runs.provider_calls import counted_calls
from runs.services.base import Capability, Download, RunService, StartWish, UnexpectedAnswer
from runs.sync import request_sync

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
LONGEST_NOTE = 2000
ESTIMATE_WITHIN_S = 8.0  # a start does not wait for it


def _ask(account: Account, question: Callable[[RunService], Answer], **options: Any) -> Answer:
    try:
        with counted_calls(account):
            return question(opened_service(account, **options))
    except CredentialsUnusable as problem:
        raise NotAllowed(str(problem)) from None


def how_it_failed(problem: Exception, done: str) -> str:
    """A sentence about a write that did not succeed for certain. `done`: "saved", "switched off"."""
    if isinstance(problem, UnexpectedAnswer) or getattr(problem, "maybe_done", False):
        return f"It may or may not be {done}: {problem} Do it again; twice does no harm."
    return f"Not {done}. {problem}"


def _require_known(run: Run) -> None:
    if run.gone_at:
        raise NotAllowed(f"{run.title} is no longer known to {label_of(run.account)}.")


def set_note(*, user: User, run: Run, note: str) -> None:
    """Write the note of a run at its provider, and here as soon as that has taken it."""
    require(user, run.account, Capability.NOTE)
    _require_known(run)
    _ask(run.account, lambda service: service.set_note(run.external_id, note))
    Run.objects.filter(pk=run.pk).update(note=note)
    log.info("The note of run %s was changed.", run.pk)


def set_star(*, user: User, run: Run, starred: bool) -> None:
    """Mark a run with a star at its provider, or take it off, and then here."""
    require(user, run.account, Capability.STAR)
    _require_known(run)
    _ask(run.account, lambda service: service.set_star(run.external_id, starred))
    Run.objects.filter(pk=run.pk).update(starred=starred)
    log.info("The star of run %s was %s.", run.pk, "set" if starred else "taken off")


def switch_schedule(*, user: User, schedule: Schedule, active: bool) -> None:
    """Let a schedule of the provider start runs from now on, or keep it from that."""
    account = schedule.load_test.account
    require(user, account, Capability.SCHEDULES)
    _ask(account, lambda service: service.set_schedule(schedule.external_id, active))
    Schedule.objects.filter(pk=schedule.pk).update(active=active)
    log.info("Schedule %s was switched %s.", schedule.pk, "on" if active else "off")
    request_sync(account, everything=True)  # its next run is known to the provider alone


def estimate_start(
    *, user: User, account: Account, load_test: LoadTest | None, values: dict[str, str], rerun_of: str = ""
) -> float | None:
    """About how many virtual-user hours such a start would cost; None when the provider cannot tell."""
    require(user, account, Capability.START, Capability.ESTIMATE)
    load_test, test_name = named_test(account, load_test, values)
    external_id = load_test.external_id if load_test else ""
    wish = StartWish(test_external_id=external_id, test_name=test_name, values=values, token="", rerun_of=rerun_of)
    return _ask(account, lambda service: service.estimate(wish), deadline_s=ESTIMATE_WITHIN_S)


def fetch_archive(*, user: User, run: Run) -> Download:
    """The run's result file, fetched afresh and passed through."""
    _require_reader(user, run.account, Capability.ARCHIVE)
    return _ask(run.account, lambda service: service.open_archive(run.external_id))


def fetch_file(*, user: User, run: Run, name: str) -> Download:
    """One of the files that the provider listed for the run, fetched afresh and passed through."""
    _require_reader(user, run.account, Capability.FILES)
    if not run.runfiles.filter(name=name).exists():
        raise NotAllowed(f"{label_of(run.account)} listed no such file for {run.title}.")
    return _ask(run.account, lambda service: service.open_file(run.external_id, name))


def fetch_script(*, user: User, of: Run | LoadTest) -> Download:
    """What a run ran, or what a load test would run now."""
    _require_reader(user, of.account, Capability.SCRIPT)
    which = {"run": of.external_id} if isinstance(of, Run) else {"test": of.external_id}
    return _ask(of.account, lambda service: service.open_script(**which))


def _require_reader(user: User, account: Account, need: Capability) -> None:
    if not user.has_perm("runs.view_run"):
        raise NotAllowed("Downloading from a provider takes the viewer role. Ask an admin for it.")
    if sentence := cannot(account, need):
        raise NotAllowed(sentence)
