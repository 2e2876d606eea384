"""The small tables that lists join: load tests, requesters, and results per day."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from .accounts import Account
from .guards import Target


class LoadTestQuerySet(models.QuerySet):
    def matching(self, text: str) -> "LoadTestQuerySet":
        """Tests whose name contains `text`, without regard to case."""
        return self.filter(name__icontains=text)


class LoadTest(models.Model):
    """What can be started. Mirrored from the provider, or one per run name where the provider has no tests."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="load_tests")
    external_id = models.CharField(max_length=300)
    name = models.CharField(max_length=300)
    project = models.CharField(max_length=300, blank=True)
    # The settings with which it was last run: values for its service's `start_fields`.
    start_values = models.JSONField(default=dict, blank=True)
    last_run_at = models.DateTimeField(null=True, blank=True)
    # The system it puts under load, given by an admin.
    target = models.ForeignKey(Target, models.SET_NULL, null=True, blank=True, related_name="load_tests")
    # What an operator set, where the provider judges nothing: {"p95_ms": 500, "error_rate": 0.01, "rate_per_s": 100};
    # the first two are the most, the last is the least.
    own_thresholds = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = LoadTestQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("account", "external_id"), name="one_load_test_per_id")]
        indexes = [models.Index(fields=("name", "id"), name="load_test_by_name")]
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name


class Schedule(models.Model):
    """When the provider starts a load test by itself, as it was last read."""

    load_test = models.ForeignKey(LoadTest, models.CASCADE, related_name="schedules")
    external_id = models.CharField(max_length=200)
    active = models.BooleanField()
    starts_at = models.DateTimeField(null=True, blank=True)
    next_run_at = models.DateTimeField(null=True, blank=True, db_index=True)
    rule = models.CharField(max_length=500, blank=True)
    created_by = models.CharField(max_length=300, blank=True)
    synced_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("load_test", "external_id"), name="one_schedule_per_id")]
        ordering = ("next_run_at", "id")

    def __str__(self) -> str:
        return f"schedule {self.external_id} of {self.load_test_id}"


class PersonQuerySet(models.QuerySet):
    def named(self, names: list[str]) -> "PersonQuerySet":
        """People shown under one of these names (case-insensitive)."""
        wanted = Q()
        for name in names:
            wanted |= Q(display__iexact=name)
        return self.filter(wanted) if names else self.none()


class Person(models.Model):
    """A requester: the provider's id or name for one, or (account empty) one of our own people."""

    account = models.ForeignKey(Account, models.CASCADE, null=True, blank=True, related_name="people")
    key = models.CharField(max_length=300)
    name = models.CharField(max_length=300, blank=True)  # the provider's word
    given_name = models.CharField(max_length=300, blank=True)  # an admin's word for a bare number
    display = models.CharField(max_length=300, db_index=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="requester"
    )

    objects = PersonQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("account", "key"), name="one_person_per_key"),
            models.UniqueConstraint(fields=("key",), condition=Q(account=None), name="one_own_person_per_key"),
        ]
        ordering = ("display",)

    def __str__(self) -> str:
        return self.display

    def display_name(self) -> str:
        """The name an admin gave, else the provider's, else "user 703"."""
        return self.given_name or self.name or f"user {self.key}"


class DayResult(models.Model):
    """How many runs of a test, created on a day (UTC), ended how. Kept by the transaction that writes the runs."""

    load_test = models.ForeignKey(LoadTest, models.CASCADE, related_name="days")
    day = models.DateField()
    runs = models.PositiveIntegerField(default=0)
    passed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    error = models.PositiveIntegerField(default=0)
    none = models.PositiveIntegerField(default=0)
    live = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("load_test", "day"), name="one_result_per_test_and_day")]
        indexes = [models.Index(fields=("day", "load_test"), name="day_result_by_day")]

    def __str__(self) -> str:
        return f"{self.load_test_id} on {self.day}"
