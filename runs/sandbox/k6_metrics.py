"""/loadtests/v2 and v3: thresholds, metrics, series, run overviews, URLs, checks."""

from typing import Any

from .clock import SECOND, iso
from .k6_app import NOT_FOUND, VALIDATION, legacy_error, routes
from .k6_load import Load, load_of
from .k6_numbers import UrlNumbers, calculated, checks, hex_id, overall_trend, thresholds_summary, urls
from .k6_series import METHODS, Group, parts, series
from .k6_v2 import required_run
from .k6_view import tainted
from .models import K6, Run
from .store import Store
from .wire import Reply, Request

_POINTS = 60


@routes.route("GET", "/loadtests/v2/thresholds")
def list_thresholds(store: Store, request: Request) -> Reply:
    run, now = required_run(store, request), store.clock.now()
    wanted = {int(value) for value in request.args("ids[]") if value.isdecimal()}
    rows = [row for row in run.made["thresholds"] if not wanted or row["id"] in wanted]
    metrics = [_threshold_metric(store, run, row) for row in rows]
    thresholds = [_threshold(run, row, now) | {"testrun_id": int(run.id)} for row in rows]
    return Reply(200, {"k6-metrics": metrics, "k6-thresholds": thresholds})


@routes.route("GET", r"/loadtests/v2/thresholds/(?P<key>\d+)")
def read_threshold(store: Store, request: Request, key: str) -> Reply:
    run = required_run(store, request)
    for row in run.made["thresholds"]:
        if row["id"] == int(key):
            shown = _threshold(run, row, store.clock.now()) | {"test_run_id": int(run.id)}
            return Reply(200, {"k6-threshold": shown})
    raise legacy_error(404, NOT_FOUND, "Not found.")


def _threshold(run: Run, row: dict[str, Any], now: int) -> dict[str, Any]:
    load = load_of(run, now)
    broken, value = tainted(row, now), calculated(run, row, now)
    state = {
        "max_created_at": _spaced(load.end) if load else None,
        "max_time": _spaced(load.end) if load else None,
        "min_time": _spaced(load.start) if load else None,
        "tainted_value": value if broken else None,
    }
    return {
        "calc_state": state,
        "calculated_value": value,
        "id": row["id"],
        "metric_id": f"threshold_{row['id']}",
        "name": row["name"],
        "stat": row["stat"],
        "tainted": broken,
        "tainted_at": iso(row["tainted_at"]) if broken else None,
        "value": row["value"],
    }


def _spaced(us: int) -> str:
    return iso(us).replace("T", " ").replace("Z", "+00:00")


def _threshold_metric(store: Store, run: Run, row: dict[str, Any]) -> dict[str, Any]:
    name = row["name"].partition(":")[0]
    kind = {"http_req_duration": "trend", "http_reqs": "counter"}.get(name, "rate")
    return _metric(store, run, f"threshold_{row['id']}", name, kind)


def _metric(store: Store, run: Run, key: str, name: str, kind: str, **links: str) -> dict[str, Any]:
    return {
        "check_id": links.get("check_id"),
        "contains": {"trend": "time", "rate": "percent"}.get(kind, "default"),
        "group_id": hex_id(run.id, "group"),
        "id": key,
        "name": name,
        "project_id": store.tests[K6][run.test].made["project_id"],
        "tags": {},
        "test_run_id": int(run.id),
        "type": kind,
        "url_id": links.get("url_id"),
    }


def _metrics(store: Store, run: Run, now: int) -> list[dict[str, Any]]:
    """One row per URL × method × status, one per check, and the run's own."""
    if load_of(run, now) is None:
        return []
    rows = [_metric(store, run, hex_id(run.id, name), name, kind) for name, kind in _OWN]
    for url in urls(run, now):
        for name, kind in (("http_req_duration", "trend"), ("http_reqs", "counter")):
            rows.append(_metric(store, run, hex_id(run.id, name, url.id), name, kind, url_id=url.id))
    for check in checks(run, now):
        rows.append(_metric(store, run, hex_id(run.id, "checks", check["id"]), "checks", "rate", check_id=check["id"]))
    return rows + [_threshold_metric(store, run, row) for row in run.made["thresholds"]]


_OWN = (
    ("vus", "gauge"),
    ("http_reqs", "counter"),
    ("http_req_duration", "trend"),
    ("http_req_failed", "rate"),
    ("iterations", "counter"),
    ("data_received", "counter"),
)


@routes.route("GET", "/loadtests/v2/metrics")
def list_metrics(store: Store, request: Request) -> Reply:
    return Reply(200, {"k6-metrics": _metrics(store, required_run(store, request), store.clock.now())})


@routes.route("GET", "/loadtests/v2/metrics/(?P<key>[0-9a-z_]+)")
def read_metric(store: Store, request: Request, key: str) -> Reply:
    run, now = required_run(store, request), store.clock.now()
    metric = _metric_or_refuse(store, run, key, now)
    body: dict[str, Any] = {"k6-metric": metric}
    include = request.args("include[]")
    if "check" in include:
        names = {row["id"]: row["name"] for row in checks(run, now)}
        body["k6-check"] = {"id": metric["check_id"], "name": names.get(metric["check_id"])}
    if "group" in include:
        body["k6-group"] = {"id": metric["group_id"], "name": ""}
    if "url" in include:
        found = {url.id: url for url in urls(run, now)}.get(metric["url_id"])
        body["k6-url"] = found and {"id": found.id, "method": found.method, "status": found.status, "url": found.url}
    return Reply(200, body)


def _metric_or_refuse(store: Store, run: Run, key: str, now: int) -> dict[str, Any]:
    for metric in _metrics(store, run, now):
        if metric["id"] == key:
            return metric
    raise legacy_error(404, NOT_FOUND, "Not found.")


@routes.route("GET", "/loadtests/v2/series")
def list_series(store: Store, request: Request) -> Reply:
    run, now = required_run(store, request), store.clock.now()
    wanted = request.args("ids[]")
    if not wanted:
        raise legacy_error(400, VALIDATION, "Validation failed.", {"ids[]": ["This field is required."]})
    load = load_of(run, now)
    rows = []
    for metric in _metrics(store, run, now):
        if metric["id"] in wanted and load:
            rows.append(_serie(run, metric, request.arg("method"), load, now))
    return Reply(200, {"k6-serie": rows})


_DEFAULTS = {"trend": "avg", "counter": "rps", "gauge": "max", "rate": "rate"}
_FIGURES = {"rps": "rate", "0.95": "p95", "std": "histogram_stddev"}


def _serie(run: Run, metric: dict[str, Any], method: str | None, load: Load, now: int) -> dict[str, Any]:
    method = method or _DEFAULTS[metric["type"]]
    known = METHODS[metric["type"]]
    figure = known.get(_FIGURES.get(method, method)) or known[_FIGURES.get(_DEFAULTS[metric["type"]], "avg")]
    group, values = _group(run, metric, now), []
    moments = _moments(load)
    for when, part in zip(moments[1:], parts(run, now, moments), strict=True):
        value = figure(group, part) if group else None
        if value is not None:
            values.append({"timestamp": iso(when), "value": round(value, 3)})
    return {
        "agg": {},
        "id": f"{metric['id']}_{method}",
        "method": method,
        "metric_id": metric["id"],
        "test_run_id": int(run.id),
        "values": values,
    }


def _moments(load: Load) -> range:
    step = max(SECOND // 10, (load.end - load.start) // _POINTS)
    return range(load.start, load.end + 1, step)


def _group(run: Run, metric: dict[str, Any], now: int) -> Group | None:
    """The series this metric takes together: all of its name, or those of its URL or check."""
    wanted: dict[str, str] = {}
    if metric["url_id"]:
        url = next(row for row in urls(run, now) if row.id == metric["url_id"])
        wanted = {"url": url.url, "method": url.method, "status": str(url.status)}
    if metric["check_id"]:
        wanted = {"check": next(row["name"] for row in checks(run, now) if row["id"] == metric["check_id"])}
    rows = [row for row in series(run, metric["name"], now) if wanted.items() <= row.labels.items()]
    return Group(rows) if rows else None


@routes.route("GET", "/loadtests/v2/run-overviews")
def list_overviews(store: Store, request: Request) -> Reply:
    run, now = required_run(store, request), store.clock.now()
    load, rows, held = load_of(run, now), urls(run, now), checks(run, now)
    if load is None:
        return Reply(200, {"k6-run-overviews": []})
    total = sum(row.count for row in rows)
    thresholds = thresholds_summary(run, now)
    overview = {
        "checks_hits_successes": sum(row["success"] for row in held),
        "checks_hits_total": sum(row["total"] for row in held),
        "checks_successes": sum(row["success"] == row["total"] for row in held),
        "checks_total": len(held),
        "http_req_duration_avg": overall_trend(rows)["mean"],
        "http_reqs_avg": round(total / load.seconds, 3) if load.seconds else 0,
        "test_run_id": int(run.id),
        "thresholds_successes": thresholds["successes"],
        "thresholds_total": thresholds["total"],
        "urls_hits_successes": sum(row.count for row in rows if row.ok),
        "urls_hits_total": total,
        "urls_successes": sum(row.ok for row in rows),
        "urls_total": len(rows),
    }
    return Reply(200, {"k6-run-overviews": [overview]})


@routes.route("GET", "/loadtests/v3/urls")
def list_urls(store: Store, request: Request) -> Reply:
    run, now = required_run(store, request), store.clock.now()
    rows = [_url(store, run, row) for row in urls(run, now)]
    return Reply(200, {"k6-urls": rows})


def _url(store: Store, run: Run, row: UrlNumbers) -> dict[str, Any]:
    figures = row.trend
    return {
        "id": row.id,
        "project_id": store.tests[K6][run.test].made["project_id"],
        "test_run_id": int(run.id),
        "group_id": hex_id(run.id, "group"),
        "name": row.url,
        "method": row.method,
        "status": row.status,
        "http_status": row.status,
        "is_web_socket": False,
        "load_time": figures["mean"],
        **figures,
    }


@routes.route("GET", "/loadtests/v3/checks")
def list_checks(store: Store, request: Request) -> Reply:
    run, now = required_run(store, request), store.clock.now()
    load = load_of(run, now)
    rows = [
        {
            "id": row["id"],
            "project_id": store.tests[K6][run.test].made["project_id"],
            "test_run_id": int(run.id),
            "group_id": hex_id(run.id, "group"),
            "name": row["name"],
            "first_seen": iso(load.start) if load else None,
            "success": row["success"] == row["total"],
            "success_count": row["success"],
            "total_count": row["total"],
        }
        for row in checks(run, now)
    ]
    return Reply(200, {"k6-checks": rows})
