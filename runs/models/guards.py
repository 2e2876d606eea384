"""What is looked at before a start: the systems under test and the times in which nothing may be started."""

import zoneinfo

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from .accounts import Account


class Target(models.Model):
    """A named system under test. Load tests of any provider may share it, and with it its limit."""

    name = models.CharField(max_length=100)
    max_running = models.PositiveSmallIntegerField(
        null=True, blank=True, default=1, help_text="Runs against it at the same time, over all accounts."
    )
    protected = models.BooleanField(default=False, help_text="A start needs its name typed.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = [models.UniqueConstraint(Lower("name"), name="one_target_per_name")]

    def __str__(self) -> str:
        return self.name


class FreezeWindow(models.Model):
    """A time in which starts are refused: once (`starts_at` to `ends_at`), or every week on `weekdays`.

    A weekly one lasts from `from_time` to `to_time` in `zone`; one that ends before it begins ends the next day.
    It holds for one account, for one target, or (both empty) for every start.
    """

    name = models.CharField(max_length=100, help_text="Why nothing may be started; people read it.")
    account = models.ForeignKey(Account, models.CASCADE, null=True, blank=True, related_name="freeze_windows")
    target = models.ForeignKey(Target, models.CASCADE, null=True, blank=True, related_name="freeze_windows")
    weekly = models.BooleanField(default=False)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    weekdays = models.JSONField(default=list, blank=True)  # 0 is Monday
    from_time = models.TimeField(null=True, blank=True)
    to_time = models.TimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    enabled = models.BooleanField(default=True)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(weekly=True, from_time__isnull=False, to_time__isnull=False)
                | Q(weekly=False, starts_at__isnull=False, ends_at__isnull=False),
                name="freeze_window_has_its_times",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)
