"""Accounts and the state of their sync."""

import uuid
from collections.abc import Mapping

from django.db import models
from django.utils.text import slugify

from runs.choices import SyncInterval
from runs.fields import Sealed, SealedField, origin_of, seal


class AccountQuerySet(models.QuerySet):
    def syncable(self) -> "AccountQuerySet":
        """Those of which more can be asked: switched on, and no archives."""
        return self.filter(enabled=True, archive=False)


def free_slug(name: str, taken: models.QuerySet) -> str:
    """A slug of `name` that no row of `taken` has yet."""
    stem = slugify(name)[:50] or "account"
    slug, n = stem, 1
    while taken.filter(slug=slug).exists():
        n += 1
        slug = f"{stem}-{n}"
    return slug


class Account(models.Model):
    """One set of credentials at one provider, configured by an admin."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    provider = models.CharField(max_length=20)
    base_url = models.URLField(max_length=300)
    credentials = SealedField(blank=True, default="", editable=False)
    credentials_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    credentials_set_by = models.CharField(max_length=150, blank=True, editable=False)
    enabled = models.BooleanField(default=True)
    read_only = models.BooleanField(default=False, help_text="Nobody can start or stop runs on a read-only account.")
    # Its runs came from a file: there is nobody to ask for more.
    archive = models.BooleanField(default=False)
    # How many of its runs may be under way at once; None: as many as the provider allows.
    max_running = models.PositiveSmallIntegerField(null=True, blank=True)
    sync_interval_s = models.PositiveIntegerField(choices=SyncInterval, default=SyncInterval.MINUTE)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        permissions = [("manage_accounts", "Can add, edit, test and disable accounts")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, **kwargs: object) -> None:
        if not self.slug:
            self.slug = free_slug(self.name, Account.objects.exclude(pk=self.pk))
        super().save(*args, **kwargs)

    def seal_credentials(self, credentials: Mapping[str, str]) -> None:
        """Encrypt credentials for this account at its present base URL; the caller saves."""
        self.credentials = seal(self.uuid, self.base_url, credentials)

    def open_credentials(self) -> dict[str, str]:
        """The credentials in the clear; raises CredentialsUnusable rather than anything doubtful."""
        return (self.credentials or Sealed("")).open(self.uuid, self.base_url)

    def needs_credentials_for(self, base_url: str) -> bool:
        """Whether pointing this account at `base_url` needs its credentials entered again."""
        return not self.credentials or origin_of(base_url) != origin_of(self.base_url)


class SyncState(models.Model):
    """Lease, cursor and health of one account's sync. Written by sync only, each write fenced by `epoch`.

    Fresh runs and the history have a place each: `resume` is where an unfinished fresh pass goes on, `history` where
    reading the past does. Neither waits for the other.
    """

    account = models.OneToOneField(Account, models.CASCADE, related_name="sync")
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    # Between fresh passes there is more to read: history or details.
    backlog = models.BooleanField(default=False)
    # When a worker last took it up, or a queue was last told of it: backlogs take turns.
    queued_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=100, blank=True)
    epoch = models.BigIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    # Up to here everything is stored; only a complete pass moves it.
    cursor = models.DateTimeField(null=True, blank=True)
    # Where an unfinished pass goes on: {"began", "since", "pages", "runs", "service": {…}}.
    resume = models.JSONField(default=dict, blank=True)
    history = models.JSONField(default=dict, blank=True)
    # When the whole history was last read to its end.
    history_at = models.DateTimeField(null=True, blank=True)
    phase = models.CharField(max_length=20, blank=True)
    progress = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    error_at = models.DateTimeField(null=True, blank=True)
    # Set by a refused sign-in; only an admin's edit clears it.
    paused = models.BooleanField(default=False)
    last_good_at = models.DateTimeField(null=True, blank=True)
    last_pass_s = models.FloatField(null=True, blank=True)
    bad_rows = models.JSONField(default=list, blank=True)
    # What the provider says of the account itself: [[group, name, value], …].
    facts = models.JSONField(default=list, blank=True)
    facts_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sync of account {self.account_id}"
