"""How a start or a stop stands, in words: what is known, what is not, and whether looking again may tell more."""

from dataclasses import dataclass, replace
from datetime import datetime

from runs.choices import IntentKind, IntentOutcome
from runs.models import ControlIntent
from runs.stop_several import ASK_AGAIN_AFTER


@dataclass(frozen=True, slots=True)
class End:
    """`tone`: ok, error, warning or info. `polls`: it can still change by itself."""

    headline: str
    text: str
    tone: str
    icon: str
    polls: bool = False


CHECKING = "No answer came; Plimsoll is checking with {provider}, and nothing is sent that could start a second run."
NOT_QUEUED = "{provider} holds the run, but it does not begin until it is queued."
WHICH = "The runs that fit may be somebody else's. Nothing is sent again."

START_ENDS = {
    IntentOutcome.OPEN: End("Not sent yet", "It is about to be sent to {provider}.", "info", "hourglass", True),
    IntentOutcome.SENT: End("It may or may not have started", CHECKING, "warning", "help-circle", True),
    IntentOutcome.ACCEPTED: End("Accepted", "Waiting for {provider} to show the run.", "info", "hourglass", True),
    IntentOutcome.CREATED: End("Created, but not queued", NOT_QUEUED, "warning", "alert-triangle"),
    IntentOutcome.DONE: End("Started", "{provider} started it.", "ok", "circle-check"),
    IntentOutcome.REFUSED: End("Not started", "{provider} refused it.", "error", "ban"),
    IntentOutcome.NOT_STARTED: End("Not started", "{provider} shows no such run.", "error", "ban"),
    IntentOutcome.CANNOT_TELL: End("Cannot tell whether it started", WHICH, "warning", "help-circle"),
    IntentOutcome.LEFT: End("Left as it is", "It was created and never queued.", "info", "circle-minus"),
}  # fmt: skip
STOP_ENDS = {
    IntentOutcome.OPEN: End("Not sent yet", "It is about to be sent to {provider}.", "info", "hourglass", True),
    IntentOutcome.SENT: End("It may or may not stop", CHECKING, "warning", "help-circle", True),
    IntentOutcome.ACCEPTED: End("Stop asked for", "Waiting for {provider} to confirm it.", "info", "hand-stop", True),
    IntentOutcome.DONE: End("The run has ended", "", "ok", "circle-check"),
    IntentOutcome.REFUSED: End("Not stopped", "{provider} refused it.", "error", "ban"),
    IntentOutcome.NOT_STARTED: End("Not sent", "The stop was never sent.", "error", "ban"),
    IntentOutcome.NO_EFFECT: End(
        "The stop had no effect", "Ask again, or look at {provider}.", "error", "square-x-filled"
    ),
    IntentOutcome.CANNOT_TELL: End("Cannot tell whether it stopped", "{provider} lost it.", "warning", "help-circle"),
}
UNHEEDED = (IntentOutcome.SENT, IntentOutcome.ACCEPTED, IntentOutcome.NO_EFFECT)
STILL_RUNNING = End(
    f"Still running {ASK_AGAIN_AFTER.seconds} s after the stop",
    "{provider} has not confirmed the stop, and the run goes on. You can ask again.",
    "error", "square-x-filled", True,
)  # fmt: skip


def is_unheeded(intent: ControlIntent, now: datetime) -> bool:
    """Whether a stop was sent long enough ago, and its run goes on as if it had not been. Reads `intent.run`."""
    waits = intent.kind == IntentKind.STOP and intent.outcome in UNHEEDED
    return waits and intent.run.is_stoppable and now - intent.sent_at >= ASK_AGAIN_AFTER


def end_of(intent: ControlIntent, provider: str, now: datetime | None = None) -> End:
    """The end of an intent; its own message, where it has one, says more than the general sentence.

    `text` does not repeat the headline; it is "" when there is no more to say.

    With `now` a stop that has no effect is called that.
    """
    if now and is_unheeded(intent, now) and not intent.is_settled:
        return replace(STILL_RUNNING, text=STILL_RUNNING.text.format(provider=provider))
    ends = START_ENDS if intent.kind == IntentKind.START else STOP_ENDS
    end = ends.get(intent.outcome)
    if end is None:
        return End(intent.get_outcome_display(), intent.message, "info", "info-circle")
    text = intent.message or end.text.format(provider=provider)
    more = f"{text} ".removeprefix(f"{end.headline}. ").strip()
    return End(end.headline, more, end.tone, end.icon, end.polls)
