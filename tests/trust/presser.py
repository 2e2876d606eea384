"""A person who presses Start, as a web process would carry it out: `python -m tests.trust.presser PLAN DONE`.

PLAN is JSON: a list of presses, {"token", "account", "test", "at", "die_after", "twice", "stop_after"}. `test` is the
external id of a test that exists, or where a run's name is its test a new name. `at` is when (seconds since 1970).
With `die_after` the process is killed so many seconds after the press began, wherever it then is; when it is started
anew it presses the same button again, as a person would who saw no answer. What is through is noted in DONE.
"""

import json
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import InterfaceError, OperationalError, close_old_connections, connections  # noqa: E402

from runs.actions import NotAllowed, start_run, stop_run  # noqa: E402
from runs.choices import IntentOutcome  # noqa: E402
from runs.models import Account, ControlIntent, LoadTest  # noqa: E402
from runs.services import SERVICES  # noqa: E402
from tests.trust.hand import PERSON  # noqa: E402


def known_test(press: dict[str, Any]) -> LoadTest | None:
    """The test to press Start for; None as long as the sync has not brought it, or nothing to fill the form with."""
    tests = LoadTest.objects.filter(account__slug=press["account"])
    if not SERVICES[Account.objects.get(slug=press["account"]).provider].starts_new_tests:
        return tests.filter(external_id=press["test"]).first()
    return next((test for test in tests.exclude(start_values={}) if test.start_values.get("test_drop_id")), None)


def press_start(press: dict[str, Any], test: LoadTest) -> bool:
    """Whether the press is through; it is not where the database was away or locked: then the same button again."""
    account, user = Account.objects.get(slug=press["account"]), User.objects.get(username=PERSON)
    new = SERVICES[account.provider].starts_new_tests
    values = {**test.start_values, "name": press["test"]} if new else {}
    try:
        start_run(
            user=user, account=account, load_test=None if new else test, values=values, reason="a trial",
            token=uuid.UUID(press["token"]),
        )  # fmt: skip
    except Exception as problem:  # a page would answer "that went wrong"
        print(f"press {press['token']}: {type(problem).__name__}: {problem}", flush=True)
        return not isinstance(problem, (OperationalError, InterfaceError))
    else:
        return True
    finally:
        connections.close_all()  # this thread's own


def press_stop(press: dict[str, Any]) -> bool:
    """Whether the stop is through: asked for, or there is nothing to stop."""
    intent = ControlIntent.objects.filter(token=press["token"]).select_related("run").first()
    if intent is None or intent.outcome in (IntentOutcome.OPEN, IntentOutcome.SENT):
        return False
    if intent.outcome != IntentOutcome.DONE:
        return True  # it did not start
    run = intent.run
    try:
        token = uuid.uuid5(uuid.UUID(press["token"]), "stop")
        stop_run(user=User.objects.get(username=PERSON), run=run, reason="a trial", token=token)
    except NotAllowed as sentence:
        print(f"stop of {press['token']}: {sentence}", flush=True)
        return run.is_ended
    except Exception as problem:
        print(f"stop of {press['token']}: {type(problem).__name__}: {problem}", flush=True)
    return True


def carry_out(press: dict[str, Any], marks: Path) -> bool:
    """Whether the press is through; it is not as long as its test is not known here."""
    test = known_test(press)
    if test is None:
        return False
    mark = marks / f"died-{press['token']}"
    if press.get("die_after") is not None and not mark.exists():
        mark.touch()
        threading.Timer(press["die_after"], os.kill, (os.getpid(), signal.SIGKILL)).start()
    times = 1 + bool(press.get("twice"))
    with ThreadPoolExecutor(times) as pool:
        return all(pool.map(press_start, [press] * times, [test] * times))


def _tried(do: Callable[..., bool], *given: Any) -> bool:
    """Whether it is through; it is not while the database is away."""
    close_old_connections()
    try:
        return do(*given)
    except (OperationalError, InterfaceError) as problem:
        print(f"{type(problem).__name__}: {problem}", flush=True)
        return False


def main(plan: Path, done: Path) -> None:
    done.touch()
    through = set(done.read_text().split())
    waiting = [(press["at"], "start", press) for press in json.loads(plan.read_text())]
    stops = [p for _, _, p in waiting if p.get("stop_after") is not None]
    waiting += [(press["at"] + press["stop_after"], "stop", press) for press in stops]
    waiting = [entry for entry in waiting if f"{entry[1]}-{entry[2]['token']}" not in through]
    while waiting:
        now = time.time()
        for at, what, press in sorted(waiting, key=lambda entry: entry[0]):
            if at > now:
                break
            if _tried(carry_out, press, done.parent) if what == "start" else _tried(press_stop, press):
                waiting.remove((at, what, press))
                with done.open("a") as file:
                    file.write(f"{what}-{press['token']}\n")
        time.sleep(0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
