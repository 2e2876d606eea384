"""The words that verdict sentences are made of: the facts of a run, and what may be said about each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from runs.choices import RunResult, RunStatus, StopReason
from runs.criteria import NBSP, Criterion, Words, part_of_limit, words
from runs.error_tree import short_address, split_request

Kind = Literal[
    "failing",
    "running",
    "waiting",
    "starting",
    "stopping",
    "processing",
    "passed",
    "failed",
    "error",
    "no_verdict",
    "no_criteria",
    "unknown",
]


FACT = "\x1f"  # around what is to be read first in a second line; no text of a provider keeps such a sign


class TopError(Protocol):
    """An error that may be named in a sentence: a `RunError`, or a record with the same names."""

    type: str
    subtype: str
    message: str
    request: str
    occurrences: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What is known of the same load test's runs before this one. "" and None: not known, or there is none."""

    run: str = ""  # the previous comparable run, "#213"
    new_error: TopError | None = None  # the most frequent error that run did not have
    results: Sequence[str] = ()  # of the last judged runs, the latest first
    measured: str = ""  # what both runs measure over time: "p95 of all requests"
    now: str = ""  # its latest value
    then: str = ""  # that run's at the same time since its start


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a sentence may be made of. `provider` is its label; people are names as shown; "" and None: not known."""

    status: str
    result: str
    provider: str
    stop_reason: str = ""
    provider_status: str = ""
    created_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    load_started_at: datetime | None = None
    load_ended_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    planned_duration_s: int | None = None
    error_code: str = ""
    error_message: str = ""
    stopped_by: str = ""
    stop_requested_at: datetime | None = None
    stop_requested_by: str = ""
    stop_words: str = ""  # the reason a person gave
    error_count: int | None = None
    details_read: bool = True
    results_incomplete: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a rule looks at."""

    facts: Facts
    thresholds: Sequence[Criterion]
    errors: Sequence[TopError]
    now: datetime
    before: Before = Before()
    broken: Sequence[Words] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "broken", [words(item) for item in self.thresholds if item.broken])

    @property
    def held(self) -> int:
        return sum(item.broken is False for item in self.thresholds)

    @property
    def undecided(self) -> int:
        return sum(item.broken is None for item in self.thresholds)


def clock(seconds: float) -> str:
    """m:ss or h:mm:ss, never negative."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def spoken(seconds: float) -> str:
    """ "25 min 48 s", "40 s", "2 h 5 min": for the running text, where m:ss could be a time of day."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours}{NBSP}h {minutes_left}{NBSP}min"
    return f"{minutes}{NBSP}min {rest}{NBSP}s" if minutes else f"{rest}{NBSP}s"


def ago(seconds: float) -> str:
    """ "12 s" under a minute, else m:ss."""
    return f"{max(0, int(seconds))}{NBSP}s" if seconds < 60 else clock(seconds)


def fact(text: str) -> str:
    return f"{FACT}{text.replace(FACT, '')}{FACT}"


def parted(marked: str) -> list[tuple[str, bool]]:
    """A marked text in its parts: each with whether it is a fact."""
    return [(text, bool(place % 2)) for place, text in enumerate(marked.split(FACT)) if text]


def was(said: Words) -> str:
    return f"{said.what} {said.past} {said.value}, {said.relation}" if said.value else broke(said)


def broke(said: Words) -> str:
    """For a broken criterion whose value nobody gave."""
    if said.is_told:
        return clipped(said.what)
    relation = f", {said.relation}" if said.relation else ""
    return f"{said.what} broke {'their' if said.verb == 'are' else 'its'} limit{relation}"


def held(case: Case) -> str:
    """How many thresholds held, of how many; those not judged are no part of the held ones."""
    whole = len(case.thresholds)
    said = "its one threshold held" if whole == 1 == case.held else f"{case.held} of {whole} thresholds held"
    return f"{said}, {case.undecided} not judged" if case.undecided else said


def also(said: Words, live: bool = False) -> str:
    verb = "failed" if not live else "fail" if said.verb == "are" else "fails"
    numbers = f": {fact(said.value)}, {said.relation}" if said.value else ""
    return f"{sentence_case(said.what)} also {verb}{numbers}."


def others_failed(case: Case) -> str:
    if len(case.broken) < 2:
        return ""
    rest = len(case.broken) - 2
    more = "" if not rest else " 1 more threshold failed." if rest == 1 else f" {rest} more thresholds failed."
    return also(case.broken[1]) + more


def closest(case: Case) -> str:
    parts = [(part, words(item)) for item in case.thresholds if (part := part_of_limit(item)) is not None]
    if not parts:
        return ""
    part, said = max(parts, key=lambda pair: pair[0])
    # Cut, not rounded: 99.7 % of a limit is not all of it.
    return f", closest {said.past} {said.what} at {int(part * 100)}{NBSP}% of its limit"


def largest_error(case: Case) -> str:
    """The largest error the previous comparable run did not have; the largest of all where it had them all."""
    top = case.before.new_error or (case.errors[0] if case.errors else None)
    if not top or not top.occurrences:
        return ""
    whole = case.facts.error_count
    of_all = (
        f" of {whole:,} errors" if whole and whole >= top.occurrences else f" time{'' if top.occurrences == 1 else 's'}"
    )
    said = f"{fact(error_name(top))}, {top.occurrences:,}{of_all}"
    if case.before.new_error:
        return f"Largest new error: {said}."
    return f"Most frequent error: {said}{f', no error is new since {case.before.run}' if case.before.run else ''}."


def error_name(error: TopError) -> str:
    """ "HTTP 503 on POST /checkout"."""
    method, address = split_request(error.request)
    place = f"{method} {short_address(address)}".strip()
    name = " ".join(part for part in (error.type, error.subtype) if part)
    return f"{name} on {clipped(place)}" if place else name


def streak(case: Case) -> str:
    """How the judged runs before a failed one ended, as far back as they all ended alike."""
    results = case.before.results
    if not results:
        return ""
    alike = next((place for place, result in enumerate(results) if result != results[0]), len(results))
    if results[0] == RunResult.FAILED:
        return "The run before it failed, too." if alike == 1 else f"The {alike} judged runs before it failed, too."
    return f"First failure after {alike} passed runs." if alike > 1 else ""


def same_time(case: Case) -> str:
    """Where a running run stands beside the previous one, of what both measure over time."""
    before = case.before
    if case.facts.status != RunStatus.RUNNING or not before.then:
        return ""
    what, was = sentence_case(before.measured), "the same" if before.now == before.then else fact(before.then)
    return f"{what} is {fact(before.now)} now; at the same time since start, {before.run} had {was}."


def stop_asked(case: Case) -> str:
    facts = case.facts
    if not facts.stop_requested_at:
        return ""
    who = facts.stop_requested_by or "somebody"
    return f"{who} asked {ago(since(case, facts.stop_requested_at))} ago, {facts.provider} has not confirmed."


def person_stopped(case: Case) -> str:
    facts = case.facts
    who = facts.stopped_by or facts.stop_requested_by
    return f"{who} stopped it{at(case)}" if who else f"a person stopped it{at(case)}"


def ended_early(case: Case) -> str:
    """For a verdict that stands although the run did not end by itself."""
    facts = case.facts
    if facts.status == RunStatus.TIMED_OUT:
        return f"It timed out{f' after {length(facts.duration_s)}' if facts.duration_s else ''}."
    if facts.status == RunStatus.ERROR:
        return f"{facts.provider} ended it with an error{detail(facts)}."
    if facts.status != RunStatus.ABORTED:
        return ""
    if facts.stop_reason == StopReason.USER:
        return f"{sentence_case(person_stopped(case))}. {quoted(facts.stop_words)}".strip()
    cause = {StopReason.LIMIT: "by a limit", StopReason.SCRIPT_ERROR: "by a script error"}.get(facts.stop_reason, "")
    return f"It was stopped{at(case)}{f' {cause}' if cause else f' by {facts.provider}'}{detail(facts)}."


def incomplete(case: Case) -> str:
    return "The results are incomplete." if case.facts.results_incomplete else ""


def kind_of(facts: Facts) -> tuple[Kind, str]:
    """The stored result in words, so that sentence and pill never disagree."""
    return {
        RunResult.PASSED: ("passed", "Passed"),
        RunResult.FAILED: ("failed", "Failed"),
        RunResult.ERROR: ("error", "Error"),
    }.get(RunResult(facts.result), ("no_verdict", "No verdict"))


def reason(facts: Facts) -> str:
    said = detail(facts).removeprefix(", ")
    return f"{sentence_case(said)}." if said else ""


def detail(facts: Facts) -> str:
    """ ", <what the provider said> (<its code>)", without the full stop it may end in."""
    text = clipped(facts.error_message)
    code = f" ({facts.error_code})" if facts.error_code and facts.error_code not in text else ""
    if not text:
        return f", code {facts.error_code}" if facts.error_code else ""
    return f", {text}{code}"


def clipped(text: str) -> str:
    flat = " ".join(text.replace(FACT, " ").split()).rstrip(".")
    return flat if len(flat) <= 200 else f"{flat[:199].rstrip()}…"


def told(message: str) -> str:
    text = clipped(message)
    return f"{text}." if text else ""


def no_load(case: Case) -> str:
    return "" if case.facts.load_started_at or case.facts.duration_s else "No load was made."


def at(case: Case) -> str:
    return f" at {clock(case.facts.duration_s)}" if case.facts.duration_s is not None else ""


def elapsed(case: Case) -> str:
    begin = case.facts.load_started_at or case.facts.started_at or case.facts.created_at
    so_far, planned = clock(since(case, begin)), case.facts.planned_duration_s
    return f"{so_far} of {clock(planned)}" if planned else f"{so_far} so far"


def not_final(case: Case) -> str:
    """What is left of the planned load, where there is a plan and the load has begun."""
    facts = case.facts
    if not facts.planned_duration_s or not facts.load_started_at or facts.load_ended_at:
        return "Not final."
    left = facts.planned_duration_s - since(case, facts.load_started_at)
    return f"Not final: {fact(spoken(left))} to go." if left > 0 else "Not final."


def ran(facts: Facts) -> str:
    return f"It ran {length_of(facts)}." if facts.duration_s is not None else ""


def length_of(facts: Facts) -> str:
    ran = facts.duration_s or 0
    if not facts.planned_duration_s:
        return clock(ran)
    # A second or two are lost between a provider's own clocks.
    early = ran < facts.planned_duration_s - 2
    return f"{clock(ran)} of {clock(facts.planned_duration_s)} planned" if early else f"{clock(ran)} as planned"


def length(seconds: float | None) -> str:
    whole = round(seconds or 0)
    return f"{whole // 60}{NBSP}min" if whole and whole % 60 == 0 else clock(whole)


def quoted(text: str) -> str:
    flat = clipped(text)
    return f'"{flat}"' if flat else ""


def since(case: Case, moment: datetime | None) -> float:
    return (case.now - moment).total_seconds() if moment else 0.0


def sentence_case(text: str) -> str:
    """With a capital, except for a percentile: "p95" is a name."""
    return text if text[:1] == "p" and text[1:2].isdigit() else text[:1].upper() + text[1:]


def joined(*sentences: str) -> str:
    return " ".join(item for item in sentences if item)
