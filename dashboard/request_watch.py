"""Each request has an id, which its answer, its log lines and the calls it makes carry; it is logged and counted."""

import logging
import re
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import Histogram, disable_created_metrics

from runs import trace

log = logging.getLogger("dashboard.requests")

GetResponse = Callable[[HttpRequest], HttpResponse]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Asked every few seconds by machines: no news.
QUIET = ("livez", "readyz", "metrics")
disable_created_metrics()
# Of this process alone; dashboard/views/metrics.py shows it.
REQUESTS = Histogram(
    "plimsoll_http_request_duration_seconds",
    "Requests to this web process, by view, method and class of status.",
    ("view", "method", "status"),
    buckets=(0.03, 0.1, 0.3, 1, 3, 10),
    registry=None,
)
_TAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def watch_requests(get_response: GetResponse) -> GetResponse:
    """Names the request, logs and counts how it ended: method, view, status and time, never its address."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        with trace.at_work(id=_given_id(request) or trace.new_id()):
            response = get_response(request)
            response["X-Request-ID"] = trace.work().id
            _tell(request, response.status_code, time.monotonic() - began)
        return response

    return middleware


def name_the_person(get_response: GetResponse) -> GetResponse:
    """From here on log lines say who is signed in."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            trace.note(person=str(request.user.pk))
        return get_response(request)

    return middleware


def _given_id(request: HttpRequest) -> str:
    """The id that our proxy gave it; "" when there is no such proxy, or the id could be anything else than an id."""
    given = request.headers.get("X-Request-ID", "") if settings.TRUST_PROXY else ""
    return given if _TAME.fullmatch(given) else ""


def _tell(request: HttpRequest, status: int, seconds: float) -> None:
    match = request.resolver_match
    view = (match and match.view_name) or "none"
    method = request.method if request.method in METHODS else "OTHER"
    REQUESTS.labels(view, method, f"{status // 100}xx").observe(seconds)
    facts = {"method": method, "view": view, "status": status, "ms": round(seconds * 1000)}
    level = logging.DEBUG if view in QUIET else logging.INFO
    log.log(level, "%(method)s %(view)s %(status)s %(ms)s ms", facts, extra=facts)
