"""Everything of an account or of a load test, as far as it can be stopped: what it is called and where it leads."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse

from runs.choices import UNSETTLED, IntentKind, IntentOutcome
from runs.models import Account, LoadTest, Run


@dataclass(frozen=True, slots=True)
class Scope:
    """`key` names it in an address: "account:retail-prod", "test:12"; `query` is that of its runs in the run list."""

    key: str
    name: str
    url: str
    query: str
    runs: QuerySet
    starts: QuerySet

    @property
    def live(self) -> QuerySet[Run]:
        return self.runs.live()

    @property
    def unanswered(self) -> int:
        """Starts of it that may still turn into a run."""
        open_starts = self.starts.filter(kind=IntentKind.START, outcome__in=UNSETTLED)
        return open_starts.exclude(outcome=IntentOutcome.CREATED).filter(run=None).count()


def scope_of(thing: Account | LoadTest) -> Scope:
    kind, mark = ("account", thing.slug) if isinstance(thing, Account) else ("test", str(thing.pk))
    query = QueryDict(mutable=True)
    query[kind] = mark
    url = reverse(f"{kind}_stop", args=[mark])
    return Scope(f"{kind}:{mark}", thing.name, url, query.urlencode(), thing.runs.all(), thing.intents.all())


def scope_named(key: str) -> Scope | None:
    """The scope of a key from an address; None for anything else."""
    kind, _, mark = key.partition(":")
    if kind == "account":
        found = Account.objects.filter(slug=mark).first()
    else:
        sound = kind == "test" and mark.isascii() and mark.isdecimal() and len(mark) < 18
        found = LoadTest.objects.filter(pk=int(mark)).first() if sound else None
    return scope_of(found) if found else None


@dataclass(frozen=True, slots=True)
class Rest:
    """Runs of a scope that a press did not take: those that came after it was shown, and those beyond its number."""

    since: int = 0
    beyond: int = 0


def rest_of(scope: Scope, shown: list[int], newest: int) -> Rest:
    """What of the scope has not ended and was not in the list of `shown` runs; `newest` is the last run known then."""
    others = scope.live.exclude(pk__in=shown).filter(gone_at=None)
    return Rest(others.filter(pk__gt=newest).count(), others.filter(pk__lte=newest).count())
