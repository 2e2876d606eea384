"""Counter instances, and their samples in the doubled `values` of the service."""

from dataclasses import dataclass
from typing import Any

from .clock import iso_seven
from .models import Run
from .store import Store
from .vsts_app import bad, flag, folded, routes, run_or_refuse
from .vsts_load import Interval, interval_length, past
from .wire import Reply, Request

_RUN = "/_apis/clt/testruns/(?P<run_id>[^/]+)"
_BATCH = 2000
_FREQUENCY = 3312793


@dataclass(frozen=True)
class _Counter:
    id: str
    category: str
    name: str
    units: str
    groups: tuple[str, ...]
    kind: str = "AverageTimer32"


_ALL = ("Performance", "Throughput", "Application")
_COUNTERS = (
    _Counter("Els~-2020039322", "LoadTest:Test", "Avg. Test Time", "sec", ("Performance",)),
    _Counter("Els~-1543222480", "LoadTest:Page", "Avg. Page Time", "sec", ("Performance",)),
    _Counter("Els~-1854500553", "LoadTest:Request", "Avg. Response Time", "sec", ("Performance",)),
    _Counter("Els~-1828439162", "LoadTest:Scenario", "User Load", "vusers", _ALL, "NumberOfItems32"),
    _Counter("Els~-46855952", "LoadTest:Test", "Tests/Sec", "-", ("Throughput",)),
    _Counter("Els~424850519", "LoadTest:Page", "Pages/Sec", "-", ("Throughput",)),
    _Counter("Els~1226640887", "LoadTest:Request", "Requests/Sec", "-", ("Throughput",)),
    _Counter("Els~-1525400324", "LoadTest:Errors", "Errors/Sec", "-", ("Throughput",)),
)
_BY_ID = {counter.id: counter for counter in _COUNTERS}


@routes.route("GET", _RUN + "/counterinstances")
def list_instances(store: Store, request: Request, run_id: str) -> Reply:
    """`groupNames` is required; the word Default means all groups."""
    run = run_or_refuse(store, run_id)
    groups = {part.strip().lower() for part in (request.arg_any_case("groupNames") or "").split(",") if part.strip()}
    if not groups:
        raise bad("VS1550020: groupNames is missing.")
    summary = flag(request, "includeSummary")
    now = store.clock.now()
    rows = []
    for counter in _COUNTERS:
        if "default" in groups or groups & {group.lower() for group in counter.groups}:
            rows.append(_instance(run, counter, summary, now))
    return Reply(200, {"count": len(rows), "value": rows})


def _instance(run: Run, counter: _Counter, summary: bool, now: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "counterInstanceId": counter.id,
        "machineName": "ELSCONTROLLER",
        "categoryName": counter.category,
        "counterName": counter.name,
        "counterUnits": counter.units,
        "instanceName": "_Total",
        "uniqueName": None,
        "isPreselectedCounter": counter.name == "User Load",
        "partOfCounterGroups": list(counter.groups),
    }
    if summary:
        had = past(run, now)
        values = [_value(counter, interval) for interval in had.intervals] or [0.0]
        # The average time is that of a request, not of an interval: the busier ones weigh more.
        timer = counter.kind == "AverageTimer32" and counter.units == "sec"
        average = had.mean_time * _FACTORS[counter.name] if timer else sum(values) / len(values)
        row["summaryData"] = {"min": min(values), "max": max(values), "average": round(average, 4)}
    return row


# How much longer a test or a page takes than one request, and how many of them there are for one.
_FACTORS = {"Avg. Test Time": 4.0, "Avg. Page Time": 1.6, "Avg. Response Time": 1.0}
_SHARES = {"Tests/Sec": 0.25, "Pages/Sec": 0.625, "Requests/Sec": 1.0}


def _value(counter: _Counter, interval: Interval) -> float:
    """The computed value of an interval; the same whenever it is asked for."""
    if counter.name == "User Load":
        return float(interval.users)
    if counter.name == "Errors/Sec":
        return interval.errors
    if counter.name in _FACTORS:
        return round(interval.time * _FACTORS[counter.name], 4)
    return round(interval.requests * _SHARES[counter.name], 4)


@routes.route("POST", _RUN + "/countersamples")
def read_samples(store: Store, request: Request, run_id: str) -> Reply:
    """Samples of the counters asked for, 2000 at most: a client goes on by raising fromInterval."""
    run = run_or_refuse(store, run_id)
    now = store.clock.now()
    asked = folded(request.json()).get("value")
    if not isinstance(asked, list) or not all(isinstance(item, dict) for item in asked):
        raise bad("VS1550021: The counter instances are missing.")
    left, groups = _BATCH, []
    for item in asked:
        group = _samples(run, item, left, now)
        left -= group["count"]
        groups.append(group)
    body = {"totalSamplesCount": _BATCH - left, "maxBatchSize": _BATCH, "count": len(groups), "values": groups}
    return Reply(200, body)


def _samples(run: Run, item: dict[str, Any], most: int, now: int) -> dict[str, Any]:
    counter = _BY_ID.get(str(item.get("counterinstanceid")))
    if counter is None:
        raise bad(f"VS1550022: The counter instance '{item.get('counterinstanceid')}' was not found.")
    first, last, had = int(item.get("frominterval") or 0), item.get("tointerval"), past(run, now).intervals
    stop = len(had) if last is None or int(last) < 0 else min(len(had), int(last) + 1)
    rows = [_sample(run, counter, number, had[number]) for number in range(first, min(stop, first + most))]
    return {
        "counterInstanceId": counter.id,
        "nextRefreshTime": iso_seven(now + interval_length(run)),
        "count": len(rows),
        "values": rows,
    }


def _sample(run: Run, counter: _Counter, number: int, interval: Interval) -> dict[str, Any]:
    value = _value(counter, interval)
    timer = counter.kind == "AverageTimer32"
    return {
        "counterInstanceId": counter.id,
        "intervalNumber": number,
        "intervalEndDate": iso_seven(run.dates["load_started"] + (number + 1) * interval_length(run)),
        "rawValue": int(value * _FREQUENCY * 25) if timer else int(value),
        "baseValue": 25 if timer else 0,
        "counterFrequency": _FREQUENCY,
        "systemFrequency": _FREQUENCY,
        "timeStamp": number * 15 * _FREQUENCY,
        "counterType": counter.kind,
        "computedValue": value,
    }
