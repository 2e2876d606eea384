"""/cloud/v5 metrics: lists, labels, and the two query functions of a run and of a test."""

import uuid
from typing import Any

from .clock import SECOND
from .k6_app import routes, v5_error, v5_run, v5_test
from .k6_load import load_of
from .k6_query import BadCall, BadQuery, BadSelector, BadType, Query, arguments, query, selector
from .k6_series import TYPES, Series, evaluate, figure_of, grouped, parts, series
from .models import K6, Run
from .store import Store
from .wire import Reply, Request

_RUN = r"/cloud/v5/test_runs[/(](?P<key>\d+)\)?"
_TEST = r"/cloud/v5/load_tests[/(](?P<key>\d+)\)?"
_LAST_RUNS = 30


@routes.route("GET", _RUN + r"/(metrics|ms)")
def list_run_metrics(store: Store, request: Request, key: str) -> Reply:
    run = v5_run(store, key)
    rows = []
    for name, kind in TYPES.items() if load_of(run, store.clock.now()) else ():
        metric_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run.id}/{name}"))
        rows.append({"id": metric_id, "name": name, "origin": "builtin", "test_run_id": int(run.id), "type": kind})
    return Reply(200, {"value": rows})


@routes.route("GET", _TEST + r"/(metrics|ms)(\((?P<call>.*)\))?")
def list_test_metrics(store: Store, request: Request, key: str, call: str | None) -> Reply:
    test = v5_test(store, key)
    if request.query:
        raise v5_error(404, "Resource not found")
    runs = _runs_of_test(store, test.id, _called(call or "", "metrics", _WHICH_RUNS))
    now = store.clock.now()
    names = sorted(TYPES) if any(load_of(run, now) for run in runs) else []
    rows = [{"name": name, "type": TYPES[name], "labels": sorted(_labels(runs, now, f"{name}"))} for name in names]
    return Reply(200, {"value": rows})


_WHICH_RUNS = {"test_run_count": "int", "test_run_ids": "ints"}
_OF_QUERY = {"query": "string", "metric": "string", "start": "date", "end": "date"}


def _called(text: str, function: str, known: dict[str, str]) -> dict[str, Any]:
    """The arguments of a call in the path, or the refusal the service gives."""
    try:
        return arguments(text, known)
    except BadCall as error:
        raise v5_error(404, str(error)) from None
    except BadType as error:
        name = str(error.args[0])
        word = {"int": "Edm.Int32", "date": "Edm.DateTimeOffset"}.get(known[name], known[name])
        message = f"Expected value of type {known[name]} for {word}"
        raise v5_error(400, message, target=function, param=name) from None


def _runs_of_test(store: Store, test_id: str, args: dict[str, Any]) -> list[Run]:
    runs = store.by_test.get((K6, test_id), [])
    if "test_run_ids" in args:
        return [run for run in runs if int(run.id) in args["test_run_ids"]]
    count = args.get("test_run_count", 0)
    if count < 0:
        raise v5_error(403, "Validation failed")
    return runs[-(count or _LAST_RUNS) :]


@routes.route("GET", _RUN + "/series")
def list_series(store: Store, request: Request, key: str) -> Reply:
    run = v5_run(store, key)
    if not request.args("match[]"):
        raise v5_error(400, "At least one match[] is required")
    rows = _matched(store, run, request.args("match[]"))
    return Reply(200, {"status": "success", "data": [row.labels for row in rows]})


@routes.route("GET", _RUN + "/labels")
def list_labels(store: Store, request: Request, key: str) -> Reply:
    run = v5_run(store, key)
    _only_match(request)
    names = {name for row in _matched(store, run, request.args("match[]")) for name in row.labels}
    return Reply(200, {"status": "success", "data": sorted(names)})


@routes.route("GET", _RUN + r"/label/(?P<label>\w+)/values")
def list_label_values(store: Store, request: Request, key: str, label: str) -> Reply:
    run = v5_run(store, key)
    _only_match(request)
    rows = _matched(store, run, request.args("match[]"))
    values = {row.labels[label] for row in rows if label in row.labels}
    return Reply(200, {"status": "success", "data": sorted(values)})


def _only_match(request: Request) -> None:
    if any(name != "match[]" for name, _ in request.query):
        raise v5_error(404, "Resource not found")


def _matched(store: Store, run: Run, selectors: list[str]) -> list[Series]:
    """Every series of the run, or those that one of the selectors takes."""
    return [row for text in selectors or list(TYPES) for row in _selected(run, text, store.clock.now())]


def _selected(run: Run, text: str, now: int) -> list[Series]:
    try:
        metric, test = selector(text)
    except BadSelector:
        raise v5_error(400, "Failed to parse vector selector") from None
    return [row for row in series(run, metric, now) if test(row.labels)]


def _labels(runs: list[Run], now: int, metric: str) -> set[str]:
    return {name for run in runs for row in series(run, metric, now) for name in row.labels}


@routes.route("GET", _RUN + r"/query_range_k6\((?P<call>.*)\)")
def query_range(store: Store, request: Request, key: str, call: str) -> Reply:
    """A value every `step` seconds, of the step before it; none where nothing was measured."""
    run = v5_run(store, key)
    args = _called(call, "query_range_k6", _OF_QUERY | {"step": "int"})
    step = args.get("step", 15)
    if step <= 0:
        raise v5_error(500, "Unknown error")
    now = store.clock.now()
    asked, rows, kind = _asked(run, args, now)
    load = load_of(run, now)
    found: dict[str, dict[str, Any]] = {}
    if load and rows:
        figure, groups = figure_of(asked, kind), grouped(rows, asked.by)
        first, last = max(load.start, args.get("start", load.start)), min(load.end, args.get("end", load.end))
        moments = range(first, last + 1, step * SECOND)
        stretches = parts(run, now, [max(load.start, first - step * SECOND), *moments])
        for when, part in zip(moments, stretches, strict=True):
            for labels, value in evaluate(groups, asked, figure, part):
                entry = found.setdefault(str(labels), _entry(run, args, labels))
                entry["values"].append([when / SECOND, round(value, 4)])
    return _result("matrix", list(found.values()))


@routes.route("GET", _RUN + r"/query_aggregate_k6\((?P<call>.*)\)")
def query_aggregate(store: Store, request: Request, key: str, call: str) -> Reply:
    run = v5_run(store, key)
    args = _called(call, "query_aggregate_k6", _OF_QUERY)
    return _result("vector", _aggregated(run, args, store.clock.now()))


@routes.route("GET", _TEST + r"/query_aggregate_k6\((?P<call>.*)\)")
def query_test_aggregate(store: Store, request: Request, key: str, call: str) -> Reply:
    """One row per run and group. A method that does not fit the metric's type gives no rows here, not a refusal."""
    test = v5_test(store, key)
    args = _called(call, "query_aggregate_k6", _OF_QUERY | _WHICH_RUNS)
    if len(set(args) & set(_WHICH_RUNS)) != 1:
        raise v5_error(404, "No overload found for function 'query_aggregate_k6'")
    rows: list[dict[str, Any]] = []
    for run in _runs_of_test(store, test.id, args):
        rows += _aggregated(run, args, store.clock.now(), strict=False)
    return _result("matrix", rows)


def _aggregated(run: Run, args: dict[str, Any], now: int, strict: bool = True) -> list[dict[str, Any]]:
    asked, rows, kind = _asked(run, args, now, strict)
    load = load_of(run, now)
    if not load or not rows:
        return []
    start, end = max(load.start, args.get("start", load.start)), min(load.end, args.get("end", load.end))
    [part] = parts(run, now, [min(start, end), end])
    entries = []
    for labels, value in evaluate(grouped(rows, asked.by), asked, figure_of(asked, kind), part):
        entries.append(_entry(run, args, labels) | {"values": [[end / SECOND, round(value, 4)]]})
    return entries


def _asked(run: Run, args: dict[str, Any], now: int, strict: bool = True) -> tuple[Query, list[Series], str]:
    """The query and the series it is about; none for a metric the run does not have, whatever the method."""
    if "query" not in args or "metric" not in args:
        raise v5_error(404, "No overload found for function: query and metric are required")
    rows = _selected(run, args["metric"], now)
    kind = TYPES.get(selector(args["metric"])[0], "")
    try:
        asked = query(args["query"])
        if kind == "gauge" and asked.method == "last_time":
            raise v5_error(500, "Unknown error")
        if kind:
            figure_of(asked, kind)
    except BadQuery:
        if strict and kind:
            message = f"Metric query expression not found: {args['query']} for metric type {kind}"
            raise v5_error(400, message) from None
        return Query("", None, ()), [], kind
    return asked, rows, kind


def _entry(run: Run, args: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    name = selector(args["metric"])[0]
    return {"metric": {"__name__": name, "test_run_id": run.id} | labels, "values": []}


def _result(kind: str, rows: list[dict[str, Any]]) -> Reply:
    return Reply(200, {"status": "success", "data": {"resultType": kind, "result": rows}})
