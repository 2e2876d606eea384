"""Locust: what its pages and downloads say. There is no documented API, so several shapes are read.

The start page of its web interface holds what it knows of the present run, as a JSON value that its script takes over,
or (2.20 and before, unless started with --modern-ui) written into the page. Only its report says when a run began.
"""

import csv
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from .answers import amount_of, clean_text, number_of, parse_time
from .base import RemoteError, RemoteMetric, RemoteSeries, UnexpectedAnswer

LABEL = "Locust"
MOST_ROWS = 5000  # requests, failures or exceptions kept of a run
PERCENTILE = "response_time_percentile_"
# Column of requests.csv -> key of `RemoteMetric.numbers`.
COLUMNS = {
    "Request Count": "count",
    "Failure Count": "failed",
    "Requests/s": "rate_per_s",
    "Min Response Time": "min_ms",
    "Average Response Time": "avg_ms",
    "50%": "median_ms",
    "90%": "p90_ms",
    "95%": "p95_ms",
    "99%": "p99_ms",
    "Max Response Time": "max_ms",
}
# Charts: name, label, unit, and where a moment of the history has its value.
SERIES = (
    ("p95_ms", "p95", "ms", f"{PERCENTILE}0.95"),
    ("p50_ms", "Median", "ms", f"{PERCENTILE}0.5"),
    ("rate_per_s", "Requests per second", "1/s", "current_rps"),
    ("errors_per_s", "Failures per second", "1/s", "current_fail_per_sec"),
    ("vus", "Users", "", "user_count"),
)
_ARGS = re.compile(r"window\.(?:template|auth)Args\s*=\s*(?=\{)")
_ESCAPED = re.compile(r"&(?:amp|lt|gt|quot|#x27|#39|#34);")
_RAW = re.compile(r"[<>\"']")
_FRAME = re.compile(r'File "(?:[^"]*[/\\])?([^"/\\]+)", line \d+, in (\S+)')


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of the history that Locust keeps of its present run, one every few seconds."""

    at: datetime
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Front:
    """The start page. `users`, `spawn_rate` and `run_time_s`: as last asked for, where it tells."""

    state: str
    version: str = ""
    locustfile: str = ""
    classes: tuple[str, ...] = ()
    host: str = ""
    users: int | None = None
    spawn_rate: float | None = None
    run_time_s: int | None = None
    workers: int | None = None  # None: it needs none
    history: Sequence[Moment] = ()
    told: Mapping[str, Any] = field(default_factory=dict)  # what may be kept as the run's payload


def args_of(page: str) -> dict[str, Any]:
    """What a page of the newer interface hands its script; {} where it has none of it."""
    for found in reversed(list(_ARGS.finditer(page))):
        try:
            value, _ = json.JSONDecoder().raw_decode(page, found.end())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return {}


def read_front(page: str, now: datetime) -> Front:
    """The start page, at a time by Locust's own clock; UnexpectedAnswer for any other page."""
    args = args_of(page) or _old_args(page)
    if not isinstance(args.get("state"), str):
        raise UnexpectedAnswer(
            "This is not the start page of Locust. Check the account's address: it is that of Locust's web interface, "
            "with its --web-base-path if it has one."
        )
    workers = amount_of(args.get("worker_count")) or 0
    run_time = args.get("run_time")
    front = Front(
        state=clean_text(args["state"], 60),
        version=clean_text(args.get("version"), 60),
        locustfile=clean_text(args.get("locustfile"), 300),
        classes=tuple(clean_text(name, 300) for name in args.get("available_user_classes") or () if name),
        host=clean_text(args.get("host"), 1000),
        users=amount_of(args.get("num_users")),
        spawn_rate=number_of(args.get("spawn_rate")),
        run_time_s=seconds_of(run_time) if isinstance(run_time, str) else amount_of(run_time),
        workers=workers if args.get("is_distributed") else None,
        history=_history(args.get("history"), now),
    )
    names = ("state", "version", "locustfile", "classes", "host", "users", "spawn_rate", "run_time_s", "workers")
    told = {name: getattr(front, name) for name in names}
    object.__setattr__(front, "told", {**told, "classes": list(front.classes)})
    return front


def seconds_of(text: str) -> int | None:
    """A time span as Locust takes it (90, 90s, 3m, 1h20m); None for another, and for none at all."""
    match = re.fullmatch(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?", text.strip())
    if not match or not any(match.groups()):
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def read_start(page: str) -> datetime | None:
    """When the run of a report began; None where it does not say."""
    told = args_of(page).get("start_time")
    if told is None:
        match = re.search(r"During:\s*<[^>]+>\s*([\d-]+[ T][\d:]+)", page)
        told = match and match[1]
    return parse_time(told)


def _old_args(page: str) -> dict[str, Any]:
    """The same from the page of the old interface; {} for another page."""
    state = re.search(r'<body class="([a-z]+)"', page)
    version = re.search(r"releases/tag/[^>]*>([\w.]+)<", page)
    if not state or not version:
        return {}
    host = re.search(r'<input[^>]* name="host"[^>]* value="([^"]*)"', page)
    return {
        "state": state[1],
        "version": version[1],
        "host": html.unescape(host[1]) if host else "",
        "history": _old_history(page),
    }


def _old_history(page: str) -> list[dict[str, Any]]:
    """The columns that the old interface writes into a script, as rows."""
    columns = {}
    for name in ("time", "user_count", "current_rps", "current_fail_per_sec", f"{PERCENTILE}1", f"{PERCENTILE}2"):
        match = re.search(rf'"{name}": (\[.*?\])[.,]', page)
        try:
            columns[name] = json.loads(match[1]) if match else []
        except ValueError:
            columns[name] = []
    for number in ("1", "2"):
        which = re.search(rf"var percentile{number} = ([\d.]+);", page)
        columns[f"{PERCENTILE}{which[1] if which else '?'}"] = columns.pop(f"{PERCENTILE}{number}")
    rows = [{"time": time} for time in columns.pop("time")]
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=False):
            row[name] = value.get("value") if isinstance(value, Mapping) else value
    return rows


def _history(told: Any, now: datetime) -> list[Moment]:
    """Each moment with its numbers; values are bare, or (from about 2.27 on) each with its time."""
    moments = []
    latest = now + timedelta(minutes=1)
    for row in reversed(told if isinstance(told, list) else []):
        if not isinstance(row, Mapping):
            continue
        at = _moment(row.get("time"), latest)
        if at is None:
            continue
        latest = at
        nested = row.get("current_response_time_percentiles")
        values = {**row, **(nested if isinstance(nested, Mapping) else {})}
        values = {name: value[-1] if isinstance(value, list) and value else value for name, value in values.items()}
        numbers = {name: number_of(value) for name, value in values.items()}
        moments.append(Moment(at, {name: number for name, number in numbers.items() if number is not None}))
    return moments[::-1]


def _moment(text: Any, latest: datetime) -> datetime | None:
    """A time of the history. Old versions give that of the day (UTC) only: it is the last such before `latest`."""
    if isinstance(text, str) and re.fullmatch(r"\d\d:\d\d:\d\d", text):
        try:
            of_day = time.fromisoformat(text)
        except ValueError:
            return None
        at = datetime.combine(latest.astimezone(UTC).date(), of_day, UTC)
        return at if at <= latest else at - timedelta(days=1)
    return parse_time(text)


# -- downloads ---------------------------------------------------------------------------------------------------------


def csv_rows(text: str, column: str) -> list[dict[str, str]]:
    """The rows of a download with such a column; UnexpectedAnswer for anything else."""
    reader = csv.DictReader(text.replace("\0", "").splitlines(keepends=True), restval="")
    try:
        if column in (reader.fieldnames or ()):
            return [row for row, _ in zip(reader, range(MOST_ROWS), strict=False)]
    except csv.Error:
        pass
    raise UnexpectedAnswer(
        f"A download of {LABEL} was not in the shape Plimsoll knows. Report it to Plimsoll's maintainers, with the "
        "version of Locust."
    )


def numbers_of(row: Mapping[str, str]) -> dict[str, float]:
    """A row of requests.csv as `RemoteMetric.numbers`; "N/A" is left out."""
    found = {key: number_of(row.get(column)) for column, key in COLUMNS.items()}
    numbers = {key: value for key, value in found.items() if value is not None}
    if numbers.get("count"):
        numbers["error_rate"] = numbers.get("failed", 0) / numbers["count"]
    return numbers


def split_total(rows: Sequence[Mapping[str, str]]) -> tuple[Mapping[str, str], list[Mapping[str, str]]]:
    """The row of all requests, which comes last and has no method, and the others."""
    if rows and rows[-1].get("Name") == "Aggregated" and not rows[-1].get("Type"):
        return rows[-1], list(rows[:-1])
    return {}, list(rows)


def request_name(row: Mapping[str, str], method: str) -> str:
    return clean_text(f"{row.get(method) or ''} {row.get('Name') or ''}".strip(), 1000)


def read_metrics(rows: Sequence[Mapping[str, str]], history: Sequence[Moment]) -> list[RemoteMetric]:
    """The run as a whole, then each request; peaks are those of the history."""
    total, requests = split_total(rows)
    whole = numbers_of(total)
    for key, name in (("peak_rate_per_s", "current_rps"), ("max_vus", "user_count")):
        values = [moment.numbers[name] for moment in history if name in moment.numbers]
        if values:
            whole[key] = max(values)
    metrics = [RemoteMetric(kind="run", name="", numbers=whole)] if whole else []
    return metrics + [
        RemoteMetric(kind="request", name=request_name(row, "Type"), numbers=numbers_of(row)) for row in requests
    ]


def read_series(history: Sequence[Moment], began: datetime) -> list[RemoteSeries]:
    """What the history holds of the run that began then; to be added to what was read before."""
    series = []
    for name, label, unit, key in SERIES:
        points = [
            ((moment.at - began).total_seconds(), moment.numbers[key])
            for moment in history
            if key in moment.numbers and moment.at >= began
        ]
        series.append(RemoteSeries(name=name, label=label, unit=unit, points=points, added=True))
    return series


def read_failures(rows: Sequence[Mapping[str, str]]) -> list[RemoteError]:
    """failures.csv: requests that failed, as Failures -> method and name -> error."""
    return [
        RemoteError(
            type="Failures",
            subtype=clean_text(request_name(row, "Method"), 300),
            occurrences=amount_of(row.get("Occurrences")) or 0,
            message=clean_text(row.get("Error")),
            request=request_name(row, "Method"),
            last_at=parse_time(row.get("Last Seen")),
        )
        for row in rows
    ]


def read_exceptions(data: Any) -> list[RemoteError]:
    """What users raised, as Exceptions -> where -> message, each with its traceback."""
    rows = data.get("exceptions") if isinstance(data, Mapping) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer(f"The exceptions of {LABEL} were not in the shape Plimsoll knows. Try again later.")
    return [_exception(row) for row in rows[:MOST_ROWS] if isinstance(row, Mapping)]


def _exception(row: Mapping[str, Any]) -> RemoteError:
    message, trace = clean_text(row.get("msg")), clean_text(row.get("traceback"), 100_000)
    # Old versions escape both for HTML. A traceback quotes its files, so a bare quote tells that this one does not.
    if not _RAW.search(trace + message) and _ESCAPED.search(trace + message):
        message, trace = html.unescape(message), html.unescape(trace)
    frames = _FRAME.findall(trace)
    file, function = frames[-1] if frames else ("", "")
    return RemoteError(
        type="Exceptions",
        subtype=clean_text(f"{function} in {file}" if frames else "Elsewhere", 300),
        occurrences=amount_of(row.get("count")) or 0,
        message=message or "(without a message)",
        stack_trace=trace,
    )
