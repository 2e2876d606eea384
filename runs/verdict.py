"""What happened, in one sentence: the first rule that fits, from facts we hold. Pure; never a guess at a cause."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from runs import verdict_words as say
from runs.choices import LIVE, RunResult, RunStatus, StopReason
from runs.criteria import Criterion
from runs.verdict_words import Before, Case, Facts, Kind, TopError, ago, clock


@dataclass(frozen=True, slots=True)
class Verdict:
    """`marked` is the second line with its facts marked; `more` without the marks, `parts` as (text, is a fact)."""

    kind: Kind
    sentence: str
    marked: str = ""

    @property
    def more(self) -> str:
        return "".join(text for text, _ in self.parts)

    @property
    def parts(self) -> list[tuple[str, bool]]:
        return say.parted(self.marked)


def sentence(
    facts: Facts,
    thresholds: Sequence[Criterion],
    errors: Sequence[TopError],
    now: datetime,
    before: Before | None = None,
) -> Verdict:
    """The verdict on a run: its kind, a first sentence, and perhaps a second ("more") from stored facts only.

    `errors` are the most frequent ones, first the most frequent. An unknown word never reads as passed.
    """
    case = Case(facts, thresholds, errors, now, before or Before())
    return next(found for rule in RULES if (found := rule(case)))


def _failing(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.status not in LIVE or not case.broken:
        return None
    first, *others = case.broken
    said = f"{first.what} {first.verb} {first.value}, {first.relation}" if first.value else say.broke(first)
    also = say.also(others[0], live=True) if others else ""
    asked = f"Stopping: {say.stop_asked(case)}" if facts.stop_requested_at else ""
    return Verdict("failing", f"Failing: {said}.", say.joined(also, asked or say.not_final(case), say.same_time(case)))


def _stopping(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.status not in LIVE or facts.status == RunStatus.PROCESSING:
        return None
    if not facts.stop_requested_at and facts.status != RunStatus.STOPPING:
        return None
    if asked := say.stop_asked(case):
        return Verdict("stopping", f"Stopping: {asked}", say.quoted(facts.stop_words))
    who = f"{facts.stopped_by} asked for it, " if facts.stopped_by else ""
    return Verdict("stopping", f"Stopping: {who}{facts.provider} has not ended it yet.")


def _running(case: Case) -> Verdict | None:
    if case.facts.status != RunStatus.RUNNING:
        return None
    if case.held and not case.undecided:
        few = {1: "its one threshold holds", 2: "both thresholds hold"}
        said = f"{few.get(case.held, f'all {case.held} thresholds hold')} so far"
    elif case.held:
        said = f"{case.held} of {len(case.thresholds)} thresholds hold so far, {case.undecided} not judged yet"
    elif case.thresholds:
        said = "its thresholds are not judged yet"
    else:
        said = say.elapsed(case)
    so_far = f"{say.sentence_case(say.elapsed(case))}." if case.thresholds else ""
    return Verdict("running", f"Running: {said}.", say.joined(so_far, say.same_time(case)))


def _waiting(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.status == RunStatus.CREATED:
        return Verdict("waiting", f"Created {ago(say.since(case, facts.created_at))} ago, not queued yet.")
    if facts.status == RunStatus.QUEUED:
        since = facts.queued_at or facts.created_at
        return Verdict("waiting", f"Waiting for capacity for {clock(say.since(case, since))}.")
    return None


def _starting(case: Case) -> Verdict | None:
    if case.facts.status != RunStatus.STARTING:
        return None
    since = case.facts.started_at or case.facts.queued_at or case.facts.created_at
    return Verdict(
        "starting", f"Starting: {case.facts.provider} gets it ready, {clock(say.since(case, since))} so far."
    )


def _processing(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.status != RunStatus.PROCESSING:
        return None
    if facts.load_ended_at is None:
        return Verdict("processing", "Processing: load is over, the results are not there yet.")
    since = clock(say.since(case, facts.load_ended_at))
    return Verdict("processing", f"Processing: load ended {since} ago, the results are not there yet.")


def _passed(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.result != RunResult.PASSED or facts.status in LIVE or facts.status == RunStatus.UNKNOWN:
        return None
    if case.broken:
        return Verdict(
            "passed", f"Passed: {facts.provider} says so, though {say.was(case.broken[0])}.", say.incomplete(case)
        )
    if not case.thresholds:
        said = (
            "no threshold was broken" if facts.details_read else f"{facts.provider} says so, details are not read yet"
        )
        return Verdict("passed", f"Passed: {said}.", say.joined(say.ended_early(case), say.largest_error(case)))
    more = say.joined(say.ended_early(case), say.incomplete(case))
    return Verdict("passed", f"Passed: {say.held(case)}{say.closest(case)}.", more)


def _stopped_by_threshold(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.status != RunStatus.ABORTED or facts.stop_reason not in (StopReason.THRESHOLD, StopReason.AUTO_STOP):
        return None
    cause = "threshold" if facts.stop_reason == StopReason.THRESHOLD else "auto-stop"
    why = f", {say.was(case.broken[0])}" if case.broken else ""
    kind, word = say.kind_of(facts)
    return Verdict(
        kind, f"{word}: stopped{say.at(case)} by {cause}{why}.", say.joined(say.others_failed(case), say.reason(facts))
    )


def _failed(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.result != RunResult.FAILED or facts.status in LIVE or facts.status == RunStatus.UNKNOWN:
        return None
    more = say.joined(
        say.others_failed(case),
        say.ended_early(case),
        say.incomplete(case),
        say.largest_error(case),
        say.streak(case),
    )
    if case.broken:
        return Verdict("failed", f"Failed: {say.was(case.broken[0])}.", more)
    messages = [item for item in case.errors if (item.type, item.subtype) == ("ThresholdMessage", "Critical")]
    if messages:
        times = sum(item.occurrences for item in messages)
        how_often = "once" if times == 1 else f"{times:,} times"
        return Verdict(
            "failed", f"Failed: a threshold was broken {how_often}.", say.joined(say.told(messages[0].message), more)
        )
    why = "no broken threshold was reported" if facts.details_read else "its details are not read yet"
    return Verdict("failed", f"Failed: {facts.provider} says so, {why}.", more)


def _stopped_by_person(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.status != RunStatus.ABORTED or facts.stop_reason != StopReason.USER:
        return None
    kind, word = say.kind_of(facts)
    return Verdict(
        kind, f"{word}: {say.person_stopped(case)}.", say.joined(say.quoted(facts.stop_words), say.no_load(case))
    )


def _limit(case: Case) -> Verdict | None:
    facts = case.facts
    kind, word = say.kind_of(facts)
    if facts.status == RunStatus.TIMED_OUT:
        after = facts.duration_s
        return Verdict(kind, f"{word}: timed out{f' after {say.length(after)}' if after else ''}.", say.reason(facts))
    if facts.status == RunStatus.ABORTED and facts.stop_reason == StopReason.LIMIT:
        return Verdict(kind, f"{word}: stopped by a limit{say.detail(facts) or say.at(case)}.", say.no_load(case))
    return None


def _script(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.stop_reason != StopReason.SCRIPT_ERROR or facts.status not in (RunStatus.ABORTED, RunStatus.ERROR):
        return None
    kind, word = say.kind_of(facts)
    return Verdict(kind, f"{word}: script error{say.detail(facts) or say.at(case)}.", say.no_load(case))


def _provider(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.status not in (RunStatus.ABORTED, RunStatus.ERROR) and facts.result != RunResult.ERROR:
        return None
    if facts.status in LIVE or facts.status == RunStatus.UNKNOWN:
        return None
    kind, word = say.kind_of(facts)
    did = (
        f"{facts.provider} aborted it{say.at(case)}"
        if facts.status == RunStatus.ABORTED
        else f"{facts.provider} failed"
    )
    said = f"{did}{say.detail(facts) or ' and gave no reason'}"
    tested = "The service was not tested." if say.no_load(case) else ""
    return Verdict(kind, f"{word}: {said}.", say.joined(tested, say.largest_error(case)))


def _nothing_to_judge(case: Case) -> Verdict | None:
    facts = case.facts
    if facts.status != RunStatus.FINISHED:
        return None
    if not facts.details_read:
        return Verdict("no_verdict", "No verdict yet: errors and thresholds are not read yet.", say.ran(facts))
    if facts.results_incomplete:
        return Verdict("no_verdict", f"No verdict: {facts.provider} could not process all results.", say.ran(facts))
    if case.thresholds:
        said = f"{say.held(case)}, but {facts.provider} gave no result"
        return Verdict("no_verdict", f"No verdict: {said}.", say.ran(facts))
    ran = f"it ran {say.length_of(facts)}, " if facts.duration_s is not None else ""
    return Verdict("no_criteria", f"No criteria: {ran}nothing was set to judge it.", say.largest_error(case))


def _unmapped(case: Case) -> Verdict:
    said = case.facts.provider_status
    return Verdict(
        "unknown", f'Unknown: the provider says "{said}".' if said else "Unknown: the provider gave no status."
    )


RULES: tuple[Callable[[Case], Verdict | None], ...] = (
    _failing,
    _stopping,
    _running,
    _waiting,
    _starting,
    _processing,
    _passed,
    _stopped_by_threshold,
    _failed,
    _stopped_by_person,
    _limit,
    _script,
    _provider,
    _nothing_to_judge,
    _unmapped,
)
