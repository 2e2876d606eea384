"""Guard rails before a start: what it would break, as sentences. Read-only accounts and roles are in runs/actions.py.

Limits count what is under way: runs that load something or are about to, whoever started them, and starts from here
that are not settled. Whoever decides about a start calls `hold` first, and in the same transaction stores the intent:
of two people who press at once the second then sees the first.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Min, Q

from runs.abilities import label_of
from runs.choices import IntentKind, IntentOutcome, RunStatus
from runs.freezes import Span, local, span_next, span_now, windows_of
from runs.models import Account, ControlIntent, LoadTest, Run, SyncState, Target

# A run that was created and never queued will hardly begin by itself.
CREATED_COUNTS = timedelta(minutes=10)
# What we know of a run is said to be old from here on; of runs under way there is news every few seconds.
OLD_AFTER = timedelta(minutes=2)
OLD_SYNC = timedelta(minutes=5)  # and that there are no others, from here on
LOADING = (RunStatus.QUEUED, RunStatus.STARTING, RunStatus.RUNNING, RunStatus.STOPPING)
# Starts with no run yet, or with one that was created and may be just about to be queued.
NOT_SETTLED = Q(kind=IntentKind.START, outcome__in=[IntentOutcome.OPEN, IntentOutcome.SENT, IntentOutcome.ACCEPTED]) & (
    Q(run=None) | Q(run__status=RunStatus.CREATED)
)
MOST_NAMED = 3  # in one sentence
HOW = {
    RunStatus.CREATED: "was created {since} ago",
    RunStatus.QUEUED: "has been queued for {since}",
    RunStatus.STARTING: "is starting",
    RunStatus.RUNNING: "has been running for {since}",
    RunStatus.STOPPING: "is stopping",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a start is refused; `field` is target_name or override_reason where typing there helps, else ""."""

    sentence: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """One that counts against a limit: a run, or a start of which no run is known yet. `what` and `how` say it."""

    what: str
    how: str
    run: Run | None = None
    intent: ControlIntent | None = None

    @property
    def about(self) -> str:
        return f"{self.what} {self.how}"


@dataclass(frozen=True, slots=True)
class Limit:
    """Of an account or a target; `most` None: any number at once."""

    of: Account | Target
    most: int | None
    taken: list[UnderWay]
    known_at: datetime | None = None  # when the accounts it rests on were last read, where that is too long ago

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
    def limits(self) -> list[Limit]:
        """Those a start has to keep."""
        return [limit for limit in (self.target_limit, self.account_limit) if limit and limit.most is not None]

    @property
    def full(self) -> list[Limit]:
        return [limit for limit in self.limits if limit.is_full]

    def frozen_sentence(self, may_override: bool) -> str:
        """ "" while no window holds. Times are in the zone that is active, the reader's."""
        if not self.frozen:
            return ""
        first, *others = self.frozen
        also = f" ({_and_more(others)})" if others else ""
        asks = may_override and not self.full
        who = "To start all the same, say why." if asks else "An admin may start all the same, with a reason."
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
    limits = [Limit(account, account.max_running, under_way(now, account=account, but=but), _known(now, pk=account.pk))]
    if target is not None:
        known = _known(now, load_tests__target=target)
        limits.append(Limit(target, target.max_running, under_way(now, target=target, but=but), known))
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


def beside(guards: Guards, load_test: LoadTest | None, now: datetime) -> list[UnderWay]:
    """What is under way of the same test or on its target, save what a full limit names. It is no refusal."""
    if load_test is None:
        return []
    same = guards.target_limit.taken if guards.target_limit else under_way(now, load_test=load_test)
    named = [(one.run, one.intent) for limit in guards.full for one in limit.taken[:MOST_NAMED]]
    return [one for one in same if (one.run, one.intent) not in named]


def under_way(
    now: datetime, *, account: Account | None = None, target: Target | None = None, load_test: LoadTest | None = None,
    but: ControlIntent | None = None,
) -> list[UnderWay]:  # fmt: skip
    """What takes a place on this account, on this target at any provider, or is of this load test. Two queries.

    A run whose load is over (processing) and one that is gone take none.
    """
    about = {"account": account, "load_test__target": target, "load_test": load_test}
    where = Q(**{name: given for name, given in about.items() if given is not None})
    runs = list(Run.objects.for_list().filter(where, _loading(now)).order_by("created_at", "id"))
    starts = ControlIntent.objects.filter(where, NOT_SETTLED).select_related("account", "load_test")
    # With a run, a start counts as that run.
    counted = {run.pk for run in runs}
    open_starts = [start for start in starts.order_by("created_at") if start.run_id not in counted]
    if but is not None:
        runs = [run for run in runs if run.pk != but.run_id]
        open_starts = [start for start in open_starts if start.pk != but.pk]
    return [_run_under_way(run, now) for run in runs] + [_start_under_way(start, now) for start in open_starts]


def _loading(now: datetime) -> Q:
    created = Q(status=RunStatus.CREATED, created_at__gt=now - CREATED_COUNTS)
    # What an archive holds of a run under way is how it was when the file was made.
    return (Q(status__in=LOADING) | created) & Q(gone_at=None, account__archive=False)


def count_under_way(now: datetime) -> tuple[Counter[int], Counter[int]]:
    """How many are under way by account and by target, for all of them. Two queries."""
    runs = Run.objects.filter(_loading(now)).order_by().values_list("pk", "account", "load_test__target")
    counted = {pk for pk, _, _ in runs}
    starts = ControlIntent.objects.filter(NOT_SETTLED).order_by().values_list("run", "account", "load_test__target")
    rows = [*runs, *(start for start in starts if start[0] not in counted)]
    return Counter(row[1] for row in rows), Counter(row[2] for row in rows if row[2] is not None)


def _known(now: datetime, **which: object) -> datetime | None:
    """When the last read of these accounts was, for the one longest ago; None where all were read lately enough."""
    accounts = Account.objects.syncable().filter(**which)
    oldest = SyncState.objects.filter(account__in=accounts).aggregate(at=Min("last_good_at"))["at"]
    return oldest if oldest and now - oldest > OLD_SYNC else None


def _run_under_way(run: Run, now: datetime) -> UnderWay:
    began = {RunStatus.RUNNING: run.load_started_at, RunStatus.QUEUED: run.queued_at}.get(run.status)
    how = HOW[RunStatus(run.status)].format(since=_long(now - (began or run.created_at)))
    by = f"started by {run.requested_by}" if run.requested_by else ""
    age = now - run.synced_at
    old = f"as of {_long(age)} ago" if age > OLD_AFTER else ""
    aside = ", ".join(part for part in (by, old) if part)
    what = f"{label_of(run.account)} “{run.load_test}” #{run.shown_number}"
    return UnderWay(what, f"{how} ({aside})" if aside else how, run=run)


def _start_under_way(start: ControlIntent, now: datetime) -> UnderWay:
    since = _long(now - (start.sent_at or start.created_at))
    what = f"a start of {label_of(start.account)} “{start.test_name}” by {start.user_name}, {since} ago,"
    off = "" if start.account.enabled else f", and {start.account} is switched off"
    return UnderWay(what, f"is not settled yet{off}", intent=start)


def _scope(span: Span) -> str:
    window = span.window
    if window.account_id or window.target_id:
        return f": nothing may be started on {window.account or window.target}"
    return ": nothing may be started"


def _and_more(others: list[Span]) -> str:
    return f"and {len(others)} more freeze window{'' if len(others) == 1 else 's'}"


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
