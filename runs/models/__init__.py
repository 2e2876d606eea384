"""The tables of the domain. Each column has one writer: sync for what is mirrored, actions for what people did here."""

from .accounts import Account, SyncState
from .details import RunError, RunFile, RunMessage, RunMetric, RunPayload, RunSeries, RunThreshold, StatusEvent
from .engine import ProviderCalls, Worker
from .guards import FreezeWindow, Target
from .intents import ControlIntent
from .load_tests import DayResult, LoadTest, Person, Schedule
from .runs import Run

__all__ = [
    "Account",
    "ControlIntent",
    "DayResult",
    "FreezeWindow",
    "LoadTest",
    "Person",
    "ProviderCalls",
    "Run",
    "RunError",
    "RunFile",
    "RunMessage",
    "RunMetric",
    "RunPayload",
    "RunSeries",
    "RunThreshold",
    "Schedule",
    "StatusEvent",
    "SyncState",
    "Target",
    "Worker",
]
