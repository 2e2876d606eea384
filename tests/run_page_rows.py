"""Rows and helpers for the run page: failed k6 and VSTS runs, a live one, and what hangs below them."""

import math
import re
from datetime import datetime, timedelta

from django.test import Client
from django.urls import reverse

from runs.choices import IntentKind, IntentOutcome, MessageLevel, RunResult, RunStatus
from runs.error_tree import fingerprint
from runs.models import (
    ControlIntent,
    Person,
    Run,
    RunError,
    RunMessage,
    RunMetric,
    RunPayload,
    RunSeries,
    RunThreshold,
    StatusEvent,
    SyncState,
)
from tests.rows import NOW, make_account, make_run, make_test

TABS = ("page", "errors", "thresholds", "metrics", "messages", "config", "activity", "raw")
SCRIPT = "<script>alert(1)</script>"
TRACE = "   at Shop.Checkout.PlaceOrder(Cart cart) in C:\\src\\Checkout.cs:line 148\n   at Shop.Flow.Run() in Flow.cs"


def add_error(run: Run, type: str, subtype: str, occurrences: int, **detail: object) -> RunError:
    """A detail of the tree; its fingerprint is made as the sync makes it."""
    texts = {key: detail.get(key, "") for key in ("message", "request", "test_case", "scenario", "stack_trace")}
    return RunError.objects.create(
        run=run,
        type=type,
        subtype=subtype,
        occurrences=occurrences,
        last_at=detail.get("last_at"),
        fingerprint=fingerprint(type, subtype, **texts),
        **texts,
    )


def add_threshold(
    run: Run, metric: str, condition: str, broken: bool | None, value: float | None, limit: float, unit=""
):
    return RunThreshold.objects.create(
        run=run, metric=metric, condition=condition, broken=broken, value=value, limit=limit, unit=unit
    )


def make_person(account, name: str) -> Person:
    return Person.objects.get_or_create(account=account, key=name.lower(), defaults={"name": name, "display": name})[0]


def times(begin: datetime, *, queued: float, started: float, load: float, load_s: float, ended: float) -> dict:
    """The times of a run in seconds after it was requested."""

    def after(seconds: float) -> datetime:
        return begin + timedelta(seconds=seconds)

    return {
        "created_at": begin,
        "queued_at": after(queued),
        "started_at": after(started),
        "load_started_at": after(load),
        "load_ended_at": after(load + load_s),
        "ended_at": after(ended),
        "duration_s": load_s,
    }


def add_series(run: Run, seconds: int, *, slow_after: int = 760) -> None:
    moments = range(0, seconds + 1, 10)

    def wave(moment: int, size: float) -> float:
        return size * (math.sin(moment / 37) + 0.6 * math.sin(moment / 11 + 1))

    def rise(moment: int, begin: int = 0, length: int = 300) -> float:
        return min(1.0, max(0.0, (moment - begin) / length))

    shapes = {
        "p95_ms": (
            "Response time p95",
            "ms",
            lambda t: 250 + 100 * rise(t) + 420 * rise(t, slow_after, 240) + wave(t, 28),
        ),
        "rate_per_s": ("Requests", "1/s", lambda t: max(0.0, 250 * rise(t) + wave(t, 4))),
        "errors_per_s": (
            "Failed requests",
            "1/s",
            lambda t: round(max(0.0, 9 * rise(t, slow_after, 200) + wave(t, 2))) if t > slow_after else 0,
        ),
        "vus": ("Virtual users", "", lambda t: round(400 * rise(t))),
    }
    for name, (label, unit, shape) in shapes.items():
        points = [[moment, round(shape(moment), 2)] for moment in moments]
        RunSeries.objects.create(run=run, name=name, label=label, unit=unit, points=points)


def failed_k6_run(begin: datetime = NOW - timedelta(hours=1)) -> Run:
    account = make_account("retail-prod")
    SyncState.objects.create(account=account, last_good_at=NOW)
    load_test = make_test(account, "Checkout API – peak hour")
    run = make_run(
        load_test,
        214,
        status=RunStatus.FINISHED,
        result=RunResult.FAILED,
        provider_status="3",
        provider_result="1",
        requested_by=make_person(account, "Maya Lindqvist"),
        external_id="4731902",
        planned_duration_s=1800,
        virtual_users=400,
        synced_at=begin + timedelta(minutes=40),
        details_at=begin + timedelta(minutes=40),
        start_values={"note": "before the sale"},
        web_url="https://app.k6.io/runs/4731902",
        **times(begin, queued=2, started=43, load=115, load_s=1800, ended=2001),
    )
    add_threshold(run, "http_req_duration{name:POST /checkout}", "p(95)<500", True, 812.3, 500, "ms")
    add_threshold(run, "http_req_failed", "rate<0.01", True, 0.0184, 0.01)
    add_threshold(run, "http_req_duration", "p(95)<600", False, 438, 600, "ms")
    add_threshold(run, "http_req_duration", "p(99)<1500", False, 1212, 1500, "ms")
    add_threshold(run, "http_req_duration{name:GET /cart}", "p(95)<300", False, 188, 300, "ms")
    add_threshold(run, "checks", "rate>0.97", False, 0.981, 0.97)
    shop = "https://shop.staging.example.com/api/v2"
    at = begin + timedelta(seconds=1900)
    for type, subtype, occurrences, request, message in (
        ("HTTP", "503", 4870, f"POST {shop}/checkout", "upstream connect error, reset reason: connection overflow"),
        ("HTTP", "503", 344, f"POST {shop}/payment-intent", "upstream connect error, reset reason: overflow"),
        ("HTTP", "500", 471, f"POST {shop}/checkout", "could not obtain connection from pool within 5 s"),
        ("HTTP", "500", 5, f"GET {shop}/cart", "nil pointer"),
        ("HTTP", "500", 4, f"GET {shop}/search", "nil pointer"),
        ("HTTP", "500", 2, f"GET {shop}/a", "nil pointer"),
        ("HTTP", "429", 187, f"GET {shop}/search", ""),
        ("RequestError", "request timeout", 1040, f"POST {shop}/checkout", "request timeout after 60 s"),
        ("RequestError", "request timeout", 62, f"GET {shop}/cart", "request timeout after 60 s"),
        ("Check", "order has a token", 611, "", "Cannot read property 'token' of undefined"),
    ):
        add_error(run, type, subtype, occurrences, request=request, message=message, last_at=at)
    RunMetric.objects.create(
        run=run,
        kind="run",
        name="",
        numbers={
            "count": 412806,
            "failed": 7596,
            "error_rate": 0.0184,
            "p95_ms": 438,
            "avg_ms": 204.2,
            "rate_per_s": 229.3,
            "peak_rate_per_s": 251,
            "max_vus": 400,
        },
    )
    RunMetric.objects.bulk_create(
        RunMetric(
            run=run,
            kind="request",
            name=f"GET {shop}/cart/{number}/shipping (200)",
            numbers={
                "count": 1000 + number,
                "failed": 0,
                "min_ms": 12.5,
                "avg_ms": 100 + number,
                "p95_ms": 188 + number,
            },
        )
        for number in range(30)
    )
    RunMetric.objects.create(
        run=run,
        kind="check",
        name="status is 200",
        numbers={"count": 100, "passed": 98, "failed": 2, "error_rate": 0.02},
    )
    add_series(run, 1800)
    for number, (level, text) in enumerate(
        (
            (MessageLevel.INFO, "Load started, 240 VUs in Frankfurt, 160 in Dublin"),
            (MessageLevel.WARNING, "Threshold crossed"),
            (MessageLevel.ERROR, "Script line 148 failed"),
        )
    ):
        RunMessage.objects.create(
            run=run,
            external_id=str(number),
            level=level,
            text=text,
            source="engine",
            logged_at=begin + timedelta(seconds=120 + number),
        )
    RunPayload.objects.create(run=run, payload={"id": 4731902, "run_status": 3, "token": "[redacted]"})
    return run


def passed_before(run: Run, number: int = 213) -> Run:
    """A passed run of the same test a day before, with some of the other's errors, numbers and charts."""
    begin = run.created_at - timedelta(days=1)
    before = make_run(
        run.load_test,
        number,
        planned_duration_s=run.planned_duration_s,
        virtual_users=run.virtual_users,
        details_at=begin + timedelta(minutes=40),
        **times(begin, queued=2, started=40, load=105, load_s=1800, ended=1995),
    )
    add_threshold(before, "http_req_duration{name:POST /checkout}", "p(95)<500", False, 441, 500, "ms")
    shop, message = "https://shop.staging.example.com/api/v2", "request timeout after 60 s"
    add_error(before, "RequestError", "request timeout", 260, request=f"POST {shop}/checkout", message=message)
    RunMetric.objects.create(
        run=before,
        kind="run",
        name="",
        numbers={
            "count": 425_573,
            "failed": 894,
            "error_rate": 0.0021,
            "p95_ms": 301,
            "rate_per_s": 236.4,
            "max_vus": 400,
        },
    )
    RunMetric.objects.create(
        run=before,
        kind="request",
        name=f"GET {shop}/cart/29/shipping (200)",
        numbers={"p95_ms": 118},
    )
    add_series(before, 1800, slow_after=9999)
    return before


def failed_vsts_run(begin: datetime = NOW - timedelta(hours=3)) -> Run:
    account = make_account("contoso-clt", "vsts", base_url="https://contoso.vsclt.visualstudio.com")
    SyncState.objects.create(account=account, last_good_at=NOW)
    load_test = make_test(account, "WebShop.loadtest")
    run = make_run(
        load_test,
        1083,
        status=RunStatus.FINISHED,
        result=RunResult.FAILED,
        provider_status="completed",
        provider_substatus="success",
        requested_by=make_person(account, "Jonas Weber"),
        external_id="6f2b1c1e-0f0b-4f7a-9c0e-5a1d2b3c4d5e",
        planned_duration_s=600,
        virtual_users=250,
        has_archive=True,
        synced_at=NOW,
        details_at=NOW,
        start_values={"name": "WebShop.loadtest", "test_drop": "d1", "set_up": "setup.cmd"},
        **times(begin, queued=1, started=13, load=32, load_s=600, ended=654),
    )
    add_threshold(run, "LoadTest:Page / Avg. Page Time / _Total", "<= 1.5", True, 2.25, 1.5)
    add_error(
        run, "ThresholdMessage", "Critical", 12, message="The value 2.25 exceeds the critical threshold value of 1.5."
    )
    for number, occurrences in enumerate((840, 310, 9, 3)):
        add_error(
            run,
            "Exception",
            "WebException",
            occurrences,
            message=f"The remote name could not be resolved: 'shop{number}.contoso.example'",
            request=f"http://shop{number}.contoso.example/checkout----{{POST}}",
            test_case="PlaceOrder",
            scenario="Peak",
            stack_trace=TRACE,
            last_at=begin + timedelta(seconds=600 - number),
        )
    add_error(
        run,
        "HttpError",
        "503 - ServiceUnavailable",
        95,
        message="503 - ServiceUnavailable",
        request="http://shop.contoso.example/----{GET}",
        last_at=begin + timedelta(seconds=300),
    )
    RunMetric.objects.create(
        run=run,
        kind="counter",
        name="Controller / LoadTest:Request / Avg. Response Time",
        unit="ms",
        numbers={"min_ms": 12.5, "avg_ms": 2250, "max_ms": 9000},
    )
    RunMetric.objects.create(
        run=run,
        kind="counter",
        name="Controller / LoadTest:Scenario / User Load",
        unit="vusers",
        numbers={"min": 0, "value": 240.5, "max": 250},
    )
    for number in range(3):
        RunMessage.objects.create(
            run=run,
            external_id=f"m{number}",
            level=MessageLevel.INFO,
            text=f"Agent {number} is ready",
            agent=f"Agent{number}",
            logged_at=begin + timedelta(seconds=number),
        )
    return run


def live_run(now: datetime, load_test=None, number: int = 215) -> Run:
    """Running for 252 s of 1,800, one criterion broken already."""
    load_test = load_test or make_test(make_account("retail-prod"), "Checkout API – peak hour")
    begin = now - timedelta(seconds=367)
    run = make_run(
        load_test,
        number,
        status=RunStatus.RUNNING,
        result=RunResult.NONE,
        provider_status="2",
        requested_by=make_person(load_test.account, "Maya Lindqvist"),
        external_id="4731958",
        planned_duration_s=1800,
        virtual_users=400,
        created_at=begin,
        queued_at=begin + timedelta(seconds=2),
        started_at=begin + timedelta(seconds=40),
        load_started_at=now - timedelta(seconds=252),
        synced_at=now - timedelta(seconds=2),
    )
    add_threshold(run, "http_req_duration", "p(95)<300", True, 334.2, 300, "ms")
    add_threshold(run, "http_req_failed", "rate<0.01", None, 0.0031, 0.01)
    add_series(run, 250)
    StatusEvent.objects.create(run=run, status=RunStatus.QUEUED, provider_status="0", seen_at=begin)
    StatusEvent.objects.create(
        run=run, status=RunStatus.RUNNING, provider_status="2", seen_at=begin + timedelta(seconds=116)
    )
    return run


def ask_to_stop(run: Run, name: str, at: datetime, reason: str = "wrong target") -> ControlIntent:
    """A stop that was asked here and accepted, not confirmed yet."""
    Run.objects.filter(pk=run.pk).update(stop_requested_at=at, stop_requested_by=name)
    intent = ControlIntent.objects.create(
        kind=IntentKind.STOP,
        account=run.account,
        run=run,
        user_name=name,
        reason=reason,
        outcome=IntentOutcome.ACCEPTED,
        message="Stop asked.",
    )
    ControlIntent.objects.filter(pk=intent.pk).update(created_at=at)
    return intent


def page(client: Client, run: Run, part: str = "page", /, **query: object) -> str:
    response = client.get(reverse(f"run_{part}", args=[run.pk]), query)
    assert response.status_code in (200, 286)
    return response.content.decode()


def text(html: str) -> str:
    """What a person reads: without tags, spaces collapsed."""
    html = re.sub(r"</?b>", "", html)
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace("\u00a0", " ").replace("&#x27;", "'").split())
