"""Guard rails before a start: what it would break, as sentences. Read-only accounts and roles are in runs/actions.py.

Limits count what is under way: runs that load something or are about to, whoever started them, and starts from here
that are not settled. Whoever decides about a start calls `hold` first, and in the same transaction stores the intent:
of two people who press at once the second then sees the first.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from runs.choices import IntentKind, IntentOutcome, RunStatus
from runs.freezes import Span, span_next, span_now, windows_of
from runs.models import Account, ControlIntent, LoadTest, Run, Target
from runs.services import SERVICES

# A run that was created and never queued will hardly begin by itself.
CREATED_COUNTS = timedelta(minutes=10)
# What we know of a run is said to be old from here on; of runs under way there is news every few seconds.
OLD_AFTER = timedelta(minutes=2)
LOADING = (RunStatus.QUEUED, RunStatus.STARTING, RunStatus.RUNNING, RunStatus.STOPPING)
NOT_SETTLED = (IntentOutcome.OPEN, IntentOutcome.SENT, IntentOutcome.ACCEPTED)
MOST_NAMED = 3  # in one sentence
HOW = {
    RunStatus.CREATED: "was created {since} ago",
    RunStatus.QUEUED: "has been queued for {since}",
    RunStatus.STARTING: "has been starting for {since}",
    RunStatus.RUNNING: "has been running for {since}",
    RunStatus.STOPPING: "has been stopping for {since}",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a start is refused; `field` is target_name or override_reason where typing there helps, else ""."""

    sentence: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """One that counts against a limit: a run, or a start of which no run is known yet. `about` says it in words."""

    about: str
    run: Run | None = None
    intent: ControlIntent | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """Of an account or a target; `most` None: any number at once."""

    of: Account | Target
    most: int | None
    taken: list[UnderWay]

    @property
    def is_full(self) -> bool:
        return self.most is not None and len(self.taken) >= self.most

    @property
    def sentence(self) -> str:
        """What a refused person reads: the limit, what has taken its places, and what helps."""
        allows = f"{self.of} allows {_runs(self.most or 0)} at a time"
        if not self.most:
            return f"{allows}. An admin can change that."
        more = len(self.taken) - MOST_NAMED
        named = "; ".join(one.about for one in self.taken[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        return f"{allows}; {named}. Start again {self._when()}."

    def _when(self) -> str:
        if len(self.taken) == 1:
            return "once it has ended, or stop it" if self.taken[0].run else "once it is settled"
        too_many = len(self.taken) - self.most + 1
        return "once one of them has ended, or stop one" if too_many == 1 else f"once {too_many} of them have ended"


@dataclass(frozen=True, slots=True)
class Guards:
    """Everything that holds for a start on this account now. `frozen`: the spans that hold, the longest first."""

    account_limit: Limit
    target: Target | None = None
    target_limit: Limit | None = None
    frozen: list[Span] = field(default_factory=list)
    next_freeze: Span | None = None

    @property
    def full(self) -> list[Limit]:
        return [limit for limit in (self.account_limit, self.target_limit) if limit and limit.is_full]

    def frozen_sentence(self, may_override: bool) -> str:
        """ "" while no window holds. Times are in the zone that is active, the reader's."""
        if not self.frozen:
            return ""
        first, *others = self.frozen
        also = f" ({_and_more(others)})" if others else ""
        who = "To start all the same, say why." if may_override else "An admin may start all the same, with a reason."
        return f"Freeze window “{first.window}” holds until {local(first.ends)}{also}{_scope(first)}. {who}"

    def typed(self, name: str) -> bool:
        """Whether this is the target's name. Capitals and spaces around it do not matter."""
        return self.target is not None and name.strip().casefold() == self.target.name.casefold()

    def needs_name(self) -> bool:
        return self.target is not None and self.target.protected

    def blocked(self, may_override: bool) -> bool:
        """Whether nothing that could be typed would let this start through."""
        return bool(self.full or (self.frozen and not may_override))

    def refusal(self, *, may_override: bool, override_reason: str, target_name: str) -> Refusal | None:
        """The first rule that stands against it. Only a freeze window can be overridden, with a reason."""
        if self.full:
            return Refusal(" ".join(limit.sentence for limit in self.full))
        if self.frozen and not (may_override and override_reason.strip()):
            return Refusal(self.frozen_sentence(may_override), "override_reason" if may_override else "")
        if self.needs_name() and not self.typed(target_name):
            return Refusal(f"{self.target} is protected: type its name to start a run on it.", "target_name")
        return None


def hold(account: Account, load_test: LoadTest | None) -> tuple[Account, LoadTest | None]:
    """Both as they are now, while nobody else decides about a start on this account or on the test's target.

    It lasts until the transaction around it ends. Everybody takes the account's row first, then the target's.
    """
    account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if load_test is not None:
        load_test = LoadTest.objects.select_related("account").get(pk=load_test.pk)
        load_test.target = Target.objects.select_for_update(no_key=True).filter(pk=load_test.target_id).first()
    return account, load_test


def guards_for(account: Account, load_test: LoadTest | None, now: datetime, but: ControlIntent | None = None) -> Guards:
    """What holds for a start of this load test (None: a new one) on this account; `but` and its run count nowhere."""
    target = load_test.target if load_test else None
    limits = [Limit(account, account.max_running, under_way(now, account=account, but=but))]
    if target is not None:
        limits.append(Limit(target, target.max_running, under_way(now, target=target, but=but)))
    windows = list(windows_of(account, target))
    frozen = [span for window in windows if (span := span_now(window, now))]
    coming = [span for window in windows if (span := span_next(window, now))]
    return Guards(
        limits[0],
        target,
        limits[1] if target else None,
        sorted(frozen, key=lambda span: span.ends, reverse=True),
        min(coming, key=lambda span: span.begins, default=None),
    )


def under_way(
    now: datetime, *, account: Account | None = None, target: Target | None = None, but: ControlIntent | None = None
) -> list[UnderWay]:
    """What takes a place on this account, or on this target at any provider. Two queries.

    A run whose load is over (processing) and one that is gone take none.
    """
    where = Q(account=account) if account else Q(load_test__target=target)
    loading = Q(status__in=LOADING) | Q(status=RunStatus.CREATED, created_at__gt=now - CREATED_COUNTS)
    runs = list(Run.objects.for_list().filter(where, loading, gone_at=None).order_by("created_at", "id"))
    # With a run, a start counts as that run; an old created one may be just about to be queued.
    waiting = Q(run=None) | Q(run__status=RunStatus.CREATED)
    starts = ControlIntent.objects.filter(where, waiting, kind=IntentKind.START, outcome__in=NOT_SETTLED)
    counted = {run.pk for run in runs}
    open_starts = [
        start for start in starts.select_related("account", "load_test").order_by("created_at")
        if start.run_id not in counted
    ]  # fmt: skip
    if but is not None:
        runs = [run for run in runs if run.pk != but.run_id]
        open_starts = [start for start in open_starts if start.pk != but.pk]
    return [UnderWay(_about_run(run, now), run=run) for run in runs] + [
        UnderWay(_about_start(start, now), intent=start) for start in open_starts
    ]


def _about_run(run: Run, now: datetime) -> str:
    began = run.load_started_at if run.status == RunStatus.RUNNING else None
    how = HOW[RunStatus(run.status)].format(since=_long(now - (began or run.created_at)))
    by = f"started by {run.requested_by}" if run.requested_by else ""
    age = now - run.synced_at
    old = f"as of {_long(age)} ago" if age > OLD_AFTER else ""
    aside = ", ".join(part for part in (by, old) if part)
    return f"{_label(run.account)} “{run.load_test}” #{run.shown_number} {how}{f' ({aside})' if aside else ''}"


def _about_start(start: ControlIntent, now: datetime) -> str:
    since = _long(now - (start.sent_at or start.created_at))
    what = f"{_label(start.account)} “{start.test_name}”"
    said = f"a start of {what} by {start.user_name}, {since} ago, is not settled yet"
    return said if start.account.enabled else f"{said}, and {start.account} is switched off"


def local(moment: datetime) -> str:
    """ "Mon 30 Nov 06:00 CET" in the active zone; with the year where it is not this one."""
    here = timezone.localtime(moment)
    year = f" {here.year}" if here.year != timezone.localtime().year else ""
    return f"{here:%a} {here.day} {here:%b}{year} {here:%H:%M %Z}"


def _scope(span: Span) -> str:
    window = span.window
    if window.account_id or window.target_id:
        return f": nothing may be started on {window.account or window.target}"
    return ": nothing may be started"


def _and_more(others: list[Span]) -> str:
    return f"and {len(others)} more freeze window{'' if len(others) == 1 else 's'}"


def _label(account: Account) -> str:
    return SERVICES[account.provider].label if account.provider in SERVICES else account.provider


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _long(gap: timedelta) -> str:
    """ "40 s", "12 min", "3 h", "2 days": no more exact than a sentence needs."""
    seconds = max(0, int(gap.total_seconds()))
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size:
            count = seconds // size
            return f"{count}\u00a0{unit}{'s' if unit == 'day' and count > 1 else ''}"
    return f"{seconds}\u00a0s"
