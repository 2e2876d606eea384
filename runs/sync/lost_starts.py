"""Which run did a start make whose answer was lost? What may be it, and why we cannot be certain.

A wrong "this one" hides a run from the person who has to look after it, and a wrong "none" makes them start a second
one, so both need proof; whatever is in between is "cannot tell: these". What counts as proof:

- the provider hands our token back: its run is the one that carries it, and no other is;
- else first seen: a run that was stored before the press was sent is not its run, whatever any clock says;
- who asked for it: only runs by our own credentials, and those of which the provider does not say whose they are;
- when, by the provider's clock, which may be hours off: a time that fits makes a single run the one. One that does not
  fit makes it doubtful, never nothing, unless the clock is shown to be right.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from runs.choices import UNSETTLED, IntentKind, IntentOutcome
from runs.models import Account, ControlIntent, Run
from runs.services.base import Person, RunService

SKEW = timedelta(seconds=30)  # a provider's clock this far from ours is right
# The longest a request may still be under way, and a new run may take to show up in the provider's list.
LIST_LAG = timedelta(seconds=45)
WRONG_CLOCK = timedelta(minutes=2)  # from here on an answered start shows that the provider's clock is off
OLDEST = timedelta(days=1)  # no clock is further behind than that: the history read for the first time is no candidate
MOST = 10  # candidates named


@dataclass(frozen=True, slots=True)
class Finding:
    """`runs` may be what the press made, oldest first. A single one without a `doubt` is it."""

    runs: list[Run] = field(default_factory=list)
    doubt: str = ""

    @property
    def is_certain(self) -> bool:
        return len(self.runs) == 1 and not self.doubt


def look_for(intent: ControlIntent, service: RunService, us: Person | None, now: datetime) -> Finding:
    """What the mirror shows of the run of a start that was sent and never answered. `us`: None when nobody knows."""
    if service.hands_token_back:
        return Finding()  # a run with our token has been named by the mirror
    ahead = clock_ahead(intent.account, service)
    runs = _unexplained(intent, us, ahead)
    if any(fits(run, intent, ahead) for run in runs):
        runs = [run for run in runs if fits(run, intent, ahead) or _misdated(run, intent, ahead, now)]
    if not runs:
        return Finding()
    return Finding(runs[:MOST], _doubt(intent, service, us, runs, ahead))


def _doubt(intent: ControlIntent, service: RunService, us: Person | None, runs: list[Run], ahead: timedelta) -> str:
    if rivals := rivals_of(intent).count():
        return f"{rivals + 1} starts of this test went without an answer at about the same time."
    if us is None or any(run.requested_by_id is None for run in runs):
        return f"{service.label} does not say who asked for it."
    if not all(fits(run, intent, ahead) for run in runs):
        return f"The time that {service.label} gives does not fit: its clock may be wrong."
    return ""


def may_be_sent_again(intent: ControlIntent, service: RunService, now: datetime) -> bool:
    """Whether the provider still takes the press's token for the same start. Reckoned from before it was first sent;
    never where a clock was wrong."""
    waited = now - intent.created_at
    return timedelta(0) <= waited < timedelta(seconds=service.start_again_s)


def may_still_be_made(intent: ControlIntent, service: RunService, pass_began: datetime) -> bool:
    """Whether a pass that began then may have missed a run which the start made when it was sent again."""
    if intent.step != service.start_steps[0]:
        return False
    return may_be_sent_again(intent, service, pass_began - LIST_LAG)


def fits(run: Run, intent: ControlIntent, ahead: timedelta) -> bool:
    """Whether the run was made, by the provider's clock, when the press was under way."""
    sent = intent.sent_at + ahead
    return sent - SKEW <= run.created_at <= sent + LIST_LAG + SKEW


def _misdated(run: Run, intent: ControlIntent, ahead: timedelta, now: datetime) -> bool:
    """Whether a run that does not fit may be the one although another does.

    That one is there by now, so the clock is no further behind than its age; and a clock that is ahead shows times
    that are still to come.
    """
    sent = intent.sent_at + ahead
    return sent - (now - intent.sent_at) - SKEW <= run.created_at < sent or run.created_at > now + ahead + SKEW


def clock_ahead(account: Account, service: RunService) -> timedelta:
    """How far the provider's clock is ahead of ours, as the last answered start shows; zero when it is about right."""
    answered = account.intents.filter(
        kind=IntentKind.START, outcome=IntentOutcome.DONE, run__isnull=False, step=service.start_steps[0]
    )
    last = answered.select_related("run").order_by("-sent_at").first()
    ahead = last.run.created_at - last.sent_at if last and last.sent_at else timedelta(0)
    return ahead if abs(ahead) > WRONG_CLOCK else timedelta(0)


def same_test(intent: ControlIntent) -> Q:
    return Q(load_test=intent.load_test_id) if intent.load_test_id else Q(test_name__iexact=intent.test_name)


def rivals_of(intent: ControlIntent, *outcomes: str):
    """Other presses without an answer that may claim the same runs; by default the unsettled and the unclear ones."""
    around = LIST_LAG + SKEW
    return (
        ControlIntent.objects.filter(
            same_test(intent), account=intent.account, kind=IntentKind.START, external_id="",
            outcome__in=outcomes or (*UNSETTLED, IntentOutcome.CANNOT_TELL),
            sent_at__range=(intent.sent_at - around, intent.sent_at + around),
        )
        .exclude(pk=intent.pk)
        .order_by()
    )  # fmt: skip


def _unexplained(intent: ControlIntent, us: Person | None, ahead: timedelta) -> list[Run]:
    """Runs of the intent's test by our credentials, first seen after it was sent, that no other intent accounts for."""
    oldest = intent.sent_at + min(ahead, timedelta(0)) - OLDEST
    runs = Run.objects.filter(account=intent.account, pk__gt=intent.known_up_to, created_at__gte=oldest)
    if intent.load_test_id:
        runs = runs.filter(load_test=intent.load_test)
    else:
        runs = runs.filter(load_test__name__iexact=intent.test_name)
    if us is not None:
        ours = Q(requested_by__account=intent.account, requested_by__key__in=[us.external_id or us.name, us.name])
        runs = runs.filter(ours | Q(requested_by=None))
    others = ControlIntent.objects.filter(account=intent.account).exclude(pk=intent.pk).exclude(external_id="")
    return list(runs.exclude(external_id__in=others.values("external_id")).order_by("created_at", "pk"))
