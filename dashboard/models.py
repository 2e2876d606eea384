"""What belongs to a person of the dashboard."""

import zoneinfo

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models


class Theme(models.TextChoices):
    SYSTEM = "system", "As the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class Preference(models.Model):
    """How one person wants to see the pages. Nobody needs a row: the defaults are the model's."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="preference")
    theme = models.CharField(max_length=6, choices=Theme, default=Theme.SYSTEM)
    time_zone = models.CharField(max_length=64, default="UTC")
    shortcuts = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"preference of user {self.user_id}"

    @classmethod
    def of(cls, user: User | AnonymousUser) -> "Preference":
        """The person's preference, or an unsaved one with the defaults."""
        if not user.is_authenticated:
            return cls()
        return cls.objects.filter(user=user).first() or cls(user=user)

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone; UTC when the stored name is none that this machine knows."""
        try:
            return zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            return zoneinfo.ZoneInfo("UTC")
