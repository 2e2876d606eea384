"""The narrow row of a run, with the queries that pages ask for, by name."""

import re
from datetime import datetime

from django.db import models
from django.db.models import Exists, OuterRef, Q

from runs.choices import ENDED, LIVE, STOPPABLE, RunResult, RunStatus, StopReason

from .accounts import Account
from .details import RunThreshold
from .load_tests import LoadTest, Person

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class RunQuerySet(models.QuerySet):
    def live(self) -> "RunQuerySet":
        return self.filter(status__in=LIVE)

    def ended(self) -> "RunQuerySet":
        return self.filter(status__in=ENDED)

    def without_details(self) -> "RunQuerySet":
        """Ended runs whose errors, messages and thresholds were not read yet, newest first."""
        return self.ended().filter(details_at=None, gone_at=None).order_by("-created_at", "-id")

    def with_late_results(self) -> "RunQuerySet":
        """Those of them whose details were read, though not all was there yet: they are read again soon."""
        return self.without_details().filter(details_error="", details_again_at__isnull=False)

    def created_between(self, start: datetime | None, end: datetime | None) -> "RunQuerySet":
        """Requested at or after `start` and before `end`."""
        runs = self.filter(created_at__gte=start) if start else self
        return runs.filter(created_at__lt=end) if end else runs

    def with_failing(self) -> "RunQuerySet":
        """Adds `failing`: not ended, and a criterion is broken already."""
        broken = RunThreshold.objects.filter(run=OuterRef("pk"), broken=True)
        return self.annotate(failing=Q(status__in=LIVE) & Exists(broken))

    def for_list(self) -> "RunQuerySet":
        return self.select_related("account", "load_test", "requested_by")


class Run(models.Model):
    """One execution of a load test, as the provider shows it, and what was asked of it here."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="runs")
    load_test = models.ForeignKey(LoadTest, models.PROTECT, related_name="runs")
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=300, blank=True)  # its own, where it has one besides its number
    number = models.BigIntegerField(null=True, blank=True, db_index=True)

    status = models.CharField(max_length=12, choices=RunStatus)
    result = models.CharField(max_length=6, choices=RunResult)
    # The verdict after the details were read; outranks what the list says as long as the run stays ended.
    judged_result = models.CharField(max_length=6, choices=RunResult, blank=True)
    stop_reason = models.CharField(max_length=12, choices=StopReason, blank=True)
    provider_status = models.CharField(max_length=60, blank=True)
    provider_substatus = models.CharField(max_length=60, blank=True)
    provider_result = models.CharField(max_length=60, blank=True)
    results_incomplete = models.BooleanField(default=False)
    starred = models.BooleanField(default=False)
    cost_vuh = models.FloatField(null=True, blank=True)  # virtual-user hours; an estimate while the run is live

    requested_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="requested_runs")
    # Only where it differs: runs started here are asked for by our person, with the account's token.
    provider_requested_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    stopped_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")

    created_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    load_started_at = models.DateTimeField(null=True, blank=True)
    load_ended_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    duration_s = models.FloatField(null=True, blank=True)
    planned_duration_s = models.PositiveIntegerField(null=True, blank=True)
    virtual_users = models.PositiveIntegerField(null=True, blank=True)
    note = models.TextField(blank=True)
    web_url = models.CharField(max_length=500, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    start_values = models.JSONField(default=dict, blank=True)

    # Key numbers of the list, from the details.
    p95_ms = models.FloatField(null=True, blank=True)
    error_rate = models.FloatField(null=True, blank=True)
    error_count = models.PositiveBigIntegerField(null=True, blank=True)
    has_archive = models.BooleanField(default=False)

    synced_at = models.DateTimeField()
    details_at = models.DateTimeField(null=True, blank=True)
    details_error = models.TextField(blank=True)
    # It ended just now, and not all was there when they were read: when to read them again.
    details_again_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    # Written by actions only.
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stop_requested_by = models.CharField(max_length=150, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("account", "external_id"), name="one_run_per_id")]
        indexes = [
            models.Index(fields=("created_at", "id"), name="run_by_created"),
            models.Index(fields=("load_test", "created_at", "id"), name="run_by_test"),
            models.Index(fields=("account", "created_at", "id"), name="run_by_account"),
            models.Index(fields=("status", "created_at", "id"), name="run_by_status"),
            models.Index(fields=("result", "created_at", "id"), name="run_by_result"),
            models.Index(fields=("requested_by", "status", "created_at", "id"), name="run_by_requester_status"),
            models.Index(fields=("requested_by", "created_at", "id"), name="run_by_requester"),
            models.Index(fields=("created_at", "id"), name="run_by_star", condition=Q(starred=True)),
            models.Index(
                fields=("account", "created_at", "id"),
                name="run_details_open",
                condition=Q(details_at=None, status__in=[str(status) for status in ENDED]),
            ),
        ]
        permissions = [("control_run", "Can start and stop runs")]

    def __str__(self) -> str:
        return self.title

    @property
    def shown_number(self) -> str:
        """What people call it: the provider's run number, else its id; of a GUID its first eight digits."""
        if self.number is not None:
            return str(self.number)
        return self.external_id.partition("-")[0] if GUID.fullmatch(self.external_id) else self.external_id

    @property
    def title(self) -> str:
        return f"{self.load_test.name} #{self.shown_number}"

    @property
    def own_name(self) -> str:
        """The run's own name where the provider gives it one: in words, or its test's name with the run number."""
        return self.name or (self.title if self.number is not None else "")

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED

    @property
    def is_stoppable(self) -> bool:
        return self.status in STOPPABLE and self.gone_at is None
