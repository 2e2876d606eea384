"""What hangs below a run: never joined by a list, read for one run at a time."""

from django.db import models

from runs.choices import MessageLevel, RunStatus


class OfRun(models.Model):
    run = models.ForeignKey("runs.Run", models.CASCADE, related_name="%(class)ss")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} of run {self.run_id}"


class RunPayload(models.Model):
    """The provider's own words on a run, redacted before they came here."""

    run = models.OneToOneField("runs.Run", models.CASCADE, related_name="payload")
    payload = models.JSONField()

    def __str__(self) -> str:
        return f"payload of run {self.run_id}"


class RunError(OfRun):
    """One distinct detail of the error tree."""

    fingerprint = models.CharField(max_length=16)  # of type, subtype and detail: the same in every run
    type = models.CharField(max_length=300)
    subtype = models.CharField(max_length=300)
    occurrences = models.PositiveBigIntegerField()
    message = models.TextField(blank=True)
    request = models.TextField(blank=True)
    test_case = models.CharField(max_length=300, blank=True)
    scenario = models.CharField(max_length=300, blank=True)
    stack_trace = models.TextField(blank=True)
    last_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("run", "fingerprint"), name="one_error_per_fingerprint")]
        indexes = [models.Index(fields=("fingerprint",), name="error_by_fingerprint")]


class RunMessage(OfRun):
    external_id = models.CharField(max_length=200)
    level = models.CharField(max_length=8, choices=MessageLevel)
    text = models.TextField()
    source = models.CharField(max_length=60, blank=True)
    agent = models.CharField(max_length=200, blank=True)
    logged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("run", "external_id"), name="one_message_per_id")]


class RunThreshold(OfRun):
    """A criterion of a run; `broken` is None while it is not judged."""

    metric = models.CharField(max_length=300)
    condition = models.CharField(max_length=300)
    broken = models.BooleanField(null=True)
    value = models.FloatField(null=True, blank=True)
    limit = models.FloatField(null=True, blank=True)
    unit = models.CharField(max_length=20, blank=True)

    class Meta:
        indexes = [models.Index(fields=("run", "broken"), name="threshold_by_broken")]


class RunMetric(OfRun):
    """A row of summary numbers; its keys are those of `services.base.RemoteMetric.numbers`."""

    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=1000)
    unit = models.CharField(max_length=20, blank=True)
    numbers = models.JSONField(default=dict)


class RunSeries(models.Model):
    """The points of one chart: [[seconds since load start, value], …]."""

    run = models.ForeignKey("runs.Run", models.CASCADE, related_name="series")
    name = models.CharField(max_length=100)
    label = models.CharField(max_length=200)
    unit = models.CharField(max_length=20, blank=True)
    points = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("run", "name"), name="one_series_per_name")]

    def __str__(self) -> str:
        return f"{self.name} of run {self.run_id}"


class RunFile(OfRun):
    """A file that the provider keeps of a run: what to ask for, never where it lies."""

    name = models.CharField(max_length=300)
    label = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("run", "name"), name="one_file_per_name")]
        ordering = ("id",)


class StatusEvent(OfRun):
    """A change of status as the sync saw it."""

    status = models.CharField(max_length=12, choices=RunStatus)
    provider_status = models.CharField(max_length=60, blank=True)
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("seen_at", "id")
