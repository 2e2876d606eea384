"""The run list's address as a form: the page, its export and `manage.py export_runs` read filters only here."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from dashboard.forms.columns import ColumnsField
from runs.choices import RunResult, RunStatus
from runs.listing import DEFAULT_SORT, BadCursor, Order, RunFilters, Wanted
from runs.models import Account, LoadTest
from runs.services import PROVIDER_CHOICES

MOST_VALUES = 50
LONGEST = 200
MOVING = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "28d": timedelta(days=28)}
MOVING_LABELS = {"24h": "last 24 hours", "7d": "last 7 days", "28d": "last 28 days"}
FILTER_KEYS = (
    "name", "test", "requested_by", "status", "result", "provider", "account", "started", "from", "to", "latest",
    "starred", "unseen",
)  # fmt: skip


class WantedField(forms.Field):
    """A repeated key: any of the values; those with a leading "!" are excluded. Cleans to `Wanted`."""

    widget = forms.SelectMultiple

    def __init__(self, label: str, choices: Sequence[tuple[str, str]] | None = None):
        super().__init__(label=label, required=False)
        self.known = choices

    def clean(self, value: Sequence[str] | None) -> Wanted:
        texts = [text.strip() for text in value or () if text.strip() not in ("", "!")]
        if len(texts) > MOST_VALUES:
            raise forms.ValidationError(f"{len(texts)} values are too many; {MOST_VALUES} is the most.")
        any_of, none_of = [], []
        for text in texts:
            excluded = text.startswith("!")
            bare = self.one(text.removeprefix("!").strip())
            (none_of if excluded else any_of).append(bare)
        return Wanted(tuple(dict.fromkeys(any_of)), tuple(dict.fromkeys(none_of)))

    def one(self, text: str) -> str:
        """A single value, checked; ValidationError with a sentence otherwise."""
        if len(text) > LONGEST:
            raise forms.ValidationError(f"Longer than {LONGEST} characters. Shorten it.")
        # Invisible marks (of direction, of joining) are part of real names; control characters are of none.
        if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text):
            raise forms.ValidationError("It holds characters that cannot be typed. Write it again.")
        if self.known is not None and text not in dict(self.known):
            named = ", ".join(value for value, _ in self.known)
            raise forms.ValidationError(f"There is no “{text}”." + (f" There are: {named}." if named else ""))
        return text


class SwitchField(forms.Field):
    """On with "1", off without. Cleans to a bool."""

    def __init__(self, label: str):
        super().__init__(label=label, required=False)

    def clean(self, value: str | None) -> bool:
        text = (value or "").strip()
        if text not in ("", "1"):
            raise forms.ValidationError(f"It is 1 or left out, not “{text[:40]}”.")
        return text == "1"


class MomentField(forms.Field):
    """A date (a whole day in the viewer's zone) or an ISO time. Cleans to the moment, or None."""

    def __init__(self, label: str, *, end_of_day: bool = False):
        super().__init__(label=label, required=False)
        self.end_of_day = end_of_day

    def clean(self, value: str | None) -> datetime | None:
        text = (value or "").strip()
        if not text:
            return None
        try:
            day = parse_date(text)
            moment = None if day else parse_datetime(text.replace(" ", "+"))
        except ValueError:
            day = moment = None
        if not (day or moment) or not 1970 <= (day or moment).year <= 9000:
            raise forms.ValidationError("Write it as a date, 2026-11-21, or a time, 2026-11-21T14:30:00Z.")
        if moment is None:
            moment = self._midnight(day + timedelta(days=1) if self.end_of_day else day)
        return moment if timezone.is_aware(moment) else timezone.make_aware(moment)

    @staticmethod
    def _midnight(day: date) -> datetime:
        return datetime.combine(day, time.min)  # made aware in the viewer's zone by the caller


def known_accounts() -> list[Account]:
    return list(Account.objects.order_by("name").only("name", "slug", "provider", "enabled", "read_only", "archive"))


def known_tests(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Those of these ids (with or without a leading "!") that are load tests, with their names."""
    ids = [text.strip().removeprefix("!") for text in texts]
    ids = [text for text in ids if text.isascii() and text.isdecimal() and len(text) < 18]
    tests = LoadTest.objects.filter(pk__in=ids).values_list("pk", "name") if ids else ()
    return [(str(pk), name) for pk, name in tests]


class RunFilterForm(forms.Form):
    """Filters, order and place in the run list. `RunFilterForm.of("status=running&name=checkout")`.

    It knows no views: `run_views.choose` turns one into filters first, so that none is ever dropped unread.
    `seen`: what the reader has seen, as `RunFilters.seen`. Without it nobody can ask for what is unseen.
    `accounts` and `tests`: the known ones, where somebody reads many addresses and looks them up once.
    """

    name = WantedField("Name")
    test = WantedField("Load test")
    requested_by = WantedField("Requested by")
    status = WantedField("Status", RunStatus.choices)
    result = WantedField("Result", [*RunResult.choices[:-1], (RunResult.NONE, "No verdict")])
    provider = WantedField("Provider", PROVIDER_CHOICES)
    account = WantedField("Account")
    started = forms.CharField(label="Started", required=False)
    latest = SwitchField("Latest")
    starred = SwitchField("Starred")
    unseen = SwitchField("Unseen")
    sort = forms.CharField(label="Sort", required=False)
    cols = ColumnsField(label="Columns", required=False)
    after = forms.CharField(label="Page", required=False)
    before = forms.CharField(label="Page", required=False)

    def __init__(
        self, data: QueryDict, *, seen: QuerySet | None = None, now: datetime | None = None,
        accounts: list[Account] | None = None, tests: list[tuple[str, str]] | None = None,
    ):  # fmt: skip
        super().__init__(data)
        self.seen = seen
        self.now = now or timezone.now()
        # "from" is no name for a class attribute.
        self.fields["from"] = MomentField("From")
        self.fields["to"] = MomentField("To", end_of_day=True)
        self.accounts = known_accounts() if accounts is None else accounts
        self.fields["account"].known = [(account.slug, account.name) for account in self.accounts]
        self.fields["test"].known = known_tests(data.getlist("test")[:MOST_VALUES]) if tests is None else tests

    @classmethod
    def of(cls, query: str, *, seen: QuerySet | None = None) -> "RunFilterForm":
        return cls(QueryDict(query), seen=seen)

    def clean_started(self) -> timedelta | None:
        text = self.cleaned_data["started"]
        if text and text not in MOVING:
            raise forms.ValidationError(f"There is no “{text[:40]}”. There are: {', '.join(MOVING)}.")
        return MOVING.get(text)

    def clean_unseen(self) -> bool:
        if self.cleaned_data["unseen"] and self.seen is None:
            raise forms.ValidationError(
                "Who has seen which run is known only of people on the pages. Leave it out here."
            )
        return self.cleaned_data["unseen"]

    def clean_sort(self) -> Order:
        text = self.cleaned_data["sort"] or DEFAULT_SORT
        try:
            return Order.parse(text)
        except KeyError:
            raise forms.ValidationError(f"Runs cannot be sorted by “{text[:40]}”.") from None

    def clean(self) -> Mapping[str, object]:
        cleaned = super().clean()
        self._check_keys()
        start, end = cleaned.get("from"), cleaned.get("to")
        if cleaned.get("started") and (start or end):
            self.add_error("started", "Choose either a moving time or dates, not both.")
        if start and end and start >= end:
            self.add_error("to", "It ends before it begins. Swap the dates.")
        self._check_place(cleaned)
        return cleaned

    def _check_keys(self) -> None:
        for key in self.data:
            if key not in self.fields:
                self.add_error(None, f"There is no filter “{key[:40]}”. There are: {', '.join(FILTER_KEYS)}.")
        for key in ("started", "from", "to", "latest", "starred", "unseen", "sort", "after", "before"):
            if len([value for value in self.data.getlist(key) if value]) > 1:
                self.add_error(key, "Give it once.")

    def _check_place(self, cleaned: Mapping[str, object]) -> None:
        cursor = cleaned.get("after") or cleaned.get("before")
        if cursor and isinstance(cleaned.get("sort"), Order):
            if cleaned.get("after") and cleaned.get("before"):
                self.add_error("before", "A page is either after or before a run.")
            try:
                cleaned["sort"].read(cursor)
            except BadCursor:
                self.add_error("after" if cleaned.get("after") else "before", "This place in the list cannot be read.")

    def filters(self) -> RunFilters:
        """What to look for; only after `is_valid()`."""
        cleaned = self.cleaned_data
        moving = cleaned["started"]
        return RunFilters(
            **{
                key: cleaned[key] for key in ("name", "test", "requested_by", "status", "result", "provider", "account")
            },
            start=self.now - moving if moving else cleaned["from"],
            end=None if moving else cleaned["to"],
            latest=cleaned["latest"],
            starred=cleaned["starred"],
            seen=self.seen if cleaned["unseen"] else None,
        )

    def problems_of_choice(self) -> list[str]:
        """Why it chooses no runs, also where it says more than that: an order, a page."""
        others = [f"{key} does not choose runs." for key in self.data if key in self.fields and key not in FILTER_KEYS]
        return others or self.sentences()

    def sentences(self) -> list[str]:
        """Every complaint as "Status: There is no …", for places without fields."""
        return [
            f"{self.fields[key].label}: {error}" if key in self.fields else error
            for key, errors in self.errors.items()
            for error in errors
        ]
