"""Workers on many machines: a queue tells them which account is due, and they do what `manage.py worker` does.

Nothing rests on the queue. A message only says "look at this account now"; whether it is due, and who may write, is
decided by the account's lease (runs/sync/lease.py). A lost message is sent again by a later tick, a second one finds
the account taken or no longer due.

    celery -A dashboard.celery worker -n worker1@%h
    celery -A dashboard.celery beat
"""

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import heartbeat_sent, worker_ready, worker_shutdown
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
TICK_S = 1.0

log = logging.getLogger(__name__)
_alive: dict[str, Any] = {}

if not settings.CELERY_BROKER_URL:
    raise ImproperlyConfigured("Set CELERY_BROKER_URL to your RabbitMQ or Redis; without a queue use manage.py worker.")

app = Celery("plimsoll")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    # What a killed worker had in hand comes back to the queue, once it has shown itself to be dead.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    # Nothing in the queue is worth writing to the broker's disk.
    task_default_delivery_mode="transient",
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    beat_schedule={"tick": {"task": "dashboard.tick", "schedule": TICK_S, "options": {"expires": 5}}},
)


@app.task(name="dashboard.tick")
def tick() -> None:
    """Tell the queue which accounts are due."""
    from runs.tasks import RESEND_AFTER, claim_messages, ticks_refused

    try:
        due = claim_messages()
    except Error as problem:
        ticks_refused.began(problem)
        connection.close()
        return
    ticks_refused.over()
    for pk in due:
        run_account.apply_async((pk,), expires=RESEND_AFTER.total_seconds())


@app.task(name="dashboard.run_account")
def run_account(pk: int) -> None:
    """One turn over an account, if it is due."""
    from runs import tasks

    tasks.run_account(pk)


@worker_ready.connect(weak=False)
@heartbeat_sent.connect(weak=False)
def _note_alive(**_: Any) -> None:
    """In the worker's main process, with each heartbeat: its children come and go."""
    from runs.tasks import Alive

    alive = _alive.setdefault("here", Alive("celery"))
    try:
        alive.note()
    except Error:
        log.warning("The database does not answer.")
    finally:
        connection.close()


@worker_shutdown.connect(weak=False)
def _end(**_: Any) -> None:
    for alive in _alive.values():
        alive.end()
    connection.close()
