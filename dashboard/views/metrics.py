"""What Prometheus reads. It names accounts, so it takes a token; without one set nobody reads it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from dashboard.request_watch import REQUESTS
from runs.metrics import TablesCollector

REGISTRY = CollectorRegistry()
REGISTRY.register(TablesCollector())
REGISTRY.register(REQUESTS)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics: those of the tables, and this process's own requests."""
    if not settings.METRICS_TOKEN:
        return _no(403, "Metrics are off. Set METRICS_TOKEN, and let Prometheus send it as a bearer token.\n")
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
        return _no(401, "This takes METRICS_TOKEN as a bearer token.\n", {"WWW-Authenticate": "Bearer"})
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(REGISTRY), content_type=content_type)


def _no(status: int, sentence: str, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8", headers=headers)
