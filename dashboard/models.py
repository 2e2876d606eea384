"""What belongs to a person of the dashboard."""

import zoneinfo

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models


class Theme(models.TextChoices):
    SYSTEM = "system", "As the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class Density(models.TextChoices):
    ROOMY = "roomy", "Roomy"
    COMPACT = "compact", "Compact"


class Preference(models.Model):
    """How one person wants to see the pages. Nobody needs a row: the defaults are the model's."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="preference")
    theme = models.CharField(max_length=6, choices=Theme, default=Theme.SYSTEM)
    time_zone = models.CharField(max_length=64, default="UTC")
    shortcuts = models.BooleanField(default=True)
    # Of the run list: keys of its columns, separated by commas ("" for the usual ones), and how far apart its rows are.
    columns = models.CharField(max_length=200, blank=True)
    density = models.CharField(max_length=7, choices=Density, default=Density.ROOMY)
    # How often rows that have not ended are asked for; 0 while paused.
    live_seconds = models.PositiveSmallIntegerField(default=5)
    # What /runs/ opens with: the key of a built-in view or the number of a saved one; "" for all runs.
    default_view = models.CharField(max_length=20, blank=True)

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


class SavedView(models.Model):
    """A name for filters and an order of the run list: an address that somebody often wants."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    shared = models.BooleanField(default=False)
    # As in the address after "?", without the place in the list.
    query = models.CharField(max_length=4000, blank=True)

    class Meta:
        ordering = ("name", "id")
        constraints = [models.UniqueConstraint(fields=("owner", "name"), name="one_view_per_name")]

    def __str__(self) -> str:
        return self.name


class SeenRun(models.Model):
    """Somebody opened the page of a run."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="seen_runs")
    run = models.ForeignKey("runs.Run", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=("user", "run"), name="seen_once_by_each")]

    def __str__(self) -> str:
        return f"run {self.run_id} seen by user {self.user_id}"
