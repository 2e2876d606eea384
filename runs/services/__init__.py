"""The registry: provider key -> service class."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from .azure import AzureService
from .base import RunService
from .k6 import K6Service
from .k6_legacy import K6LegacyService
from .locust import LocustService
from .vsts import VstsService

SERVICES: dict[str, type[RunService]] = {
    cls.provider: cls for cls in (K6Service, K6LegacyService, AzureService, VstsService, LocustService)
}
PROVIDER_CHOICES = [(key, cls.label) for key, cls in SERVICES.items()]


def service_class(provider: str) -> type[RunService]:
    """The class for a provider key; KeyError for an unknown one."""
    return SERVICES[provider]


def service_for(provider: str, base_url: str, credentials: Mapping[str, str], **options: Any) -> RunService:
    """A service ready to call. The hosts it may reach are the provider's own and those of PROVIDER_HOSTS."""
    return SERVICES[provider](base_url, credentials, extra_hosts=tuple(settings.PROVIDER_HOSTS), **options)
