"""What a person wanted done at a provider: written before anything is sent, kept for good."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from runs.choices import UNSETTLED, IntentKind, IntentOutcome

from .accounts import Account
from .load_tests import LoadTest
from .runs import Run


class IntentQuerySet(models.QuerySet):
    def unsettled(self) -> "IntentQuerySet":
        return self.filter(outcome__in=UNSETTLED)

    def for_list(self) -> "IntentQuerySet":
        return self.select_related("account", "load_test", "run__load_test")

    def about(self, run: Run) -> "IntentQuerySet":
        """Everything done here to this run, oldest first."""
        return self.filter(Q(run=run)).order_by("created_at")


class ControlIntent(models.Model):
    """A start or a stop: who, what, why, how far it came. Its token is unique per button press."""

    token = models.UUIDField(default=uuid.uuid4, unique=True)
    kind = models.CharField(max_length=5, choices=IntentKind)
    account = models.ForeignKey(Account, models.PROTECT, related_name="intents")
    load_test = models.ForeignKey(LoadTest, models.PROTECT, null=True, blank=True, related_name="intents")
    run = models.ForeignKey(Run, models.PROTECT, null=True, blank=True, related_name="intents")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="intents")
    user_name = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    # Of a start in a freeze window: why an admin started all the same.
    override_reason = models.TextField(blank=True)
    test_name = models.CharField(max_length=300, blank=True)
    values = models.JSONField(default=dict, blank=True)
    rerun_of = models.CharField(max_length=200, blank=True)  # external id of the run that a start repeats as it was
    step = models.CharField(max_length=20, blank=True)  # the step last sent
    external_id = models.CharField(max_length=200, blank=True)  # of the run, once the provider named it
    outcome = models.CharField(max_length=12, choices=IntentOutcome, default=IntentOutcome.OPEN)
    message = models.TextField(blank=True)
    candidates = models.JSONField(default=list, blank=True)  # external ids, when we cannot tell which is ours
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    # The newest row of any run when it was last sent: a higher one was first seen afterwards, whatever clocks say.
    known_up_to = models.BigIntegerField(default=0)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = IntentQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = [models.Index(fields=("account", "outcome"), name="intent_by_outcome")]

    def __str__(self) -> str:
        return f"{self.kind} by {self.user_name}: {self.outcome}"

    @property
    def is_settled(self) -> bool:
        return self.outcome not in UNSETTLED
