"""What keeps the mirror going, as it can be seen from any machine: workers alive, and calls to the providers."""

from django.db import models

from .accounts import Account


class Worker(models.Model):
    """A process that syncs accounts: a row of its own, touched every few seconds as long as it lives."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20)  # "embedded" or "celery"
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name


class ProviderCalls(models.Model):
    """How many calls an account's provider answered how, and how long they took. Only ever added to.

    `upto_…` count the calls that took at most so long, each including those before it, as a Prometheus histogram wants.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="calls")
    kind = models.CharField(max_length=5)  # "read" or "write"
    outcome = models.CharField(max_length=20)  # "ok", or the kind of error
    calls = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    upto_100ms = models.BigIntegerField(default=0)
    upto_300ms = models.BigIntegerField(default=0)
    upto_1s = models.BigIntegerField(default=0)
    upto_3s = models.BigIntegerField(default=0)
    upto_10s = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("account", "kind", "outcome"), name="one_row_per_call_outcome")]

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome} of account {self.account_id}"
