"""How statuses, results, times and numbers are written. Pure functions; the template tags wrap them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from runs import verdict_words
from runs.choices import RunResult, RunStatus, StopReason
from runs.models import Run

DASH = "–"  # a missing value is never 0
NARROW = "\u00a0"  # between a number and its unit

STATUS_ICON = {
    RunStatus.CREATED: "circle-dotted",
    RunStatus.QUEUED: "clock",
    RunStatus.STARTING: "rocket",
    RunStatus.RUNNING: "player-play-filled",
    RunStatus.STOPPING: "hand-stop",
    RunStatus.PROCESSING: "stack-2",
    RunStatus.FINISHED: "flag",
    RunStatus.TIMED_OUT: "clock-x",
    RunStatus.ERROR: "alert-octagon",
    RunStatus.UNKNOWN: "help-circle",
}
ABORT_ICON = {
    StopReason.USER: "user-x",
    StopReason.THRESHOLD: "bolt",
    StopReason.AUTO_STOP: "bolt",
    StopReason.LIMIT: "gauge",
    StopReason.SCRIPT_ERROR: "code-off",
    StopReason.SYSTEM: "server-off",
}
RESULTS = {
    RunResult.PASSED: ("passed", "Passed", "circle-check-filled"),
    RunResult.FAILED: ("failed", "Failed", "square-x-filled"),
    RunResult.ERROR: ("error", "Error", "alert-triangle-filled"),
}


@dataclass(frozen=True, slots=True)
class Pill:
    """`kind` is the class (`is-<kind>`), `icon` a name in the sprite, `cause` small text after the word."""

    kind: str
    word: str
    icon: str
    cause: str = ""


def status_of(run: Run, now: datetime | None = None) -> Pill:
    """Where the run is. The provider's status, never an optimistic one; a stop we asked for is said beside it."""
    if run.status == RunStatus.UNKNOWN:
        return Pill("unknown", run.provider_status or "Unknown", STATUS_ICON[RunStatus.UNKNOWN])
    cause = ""
    if run.status == RunStatus.ABORTED:
        icon = ABORT_ICON.get(run.stop_reason, "ban")
        cause = StopReason(run.stop_reason).label if run.stop_reason in StopReason.values else ""
        return Pill(run.status, "Aborted", icon, cause)
    if run.stop_requested_at and run.is_live:
        waited = clock(((now or timezone.now()) - run.stop_requested_at).total_seconds())
        cause = waited if run.status == RunStatus.STOPPING else f"stop asked {waited} ago"
    return Pill(run.status, RunStatus(run.status).label, STATUS_ICON[run.status], cause)


def result_of(run: Run) -> Pill:
    """The verdict. `run.failing` (`with_failing()`) marks a live run whose criterion is broken already."""
    if run.result in RESULTS:
        return Pill(*RESULTS[run.result])
    if run.is_live:
        if getattr(run, "failing", False):
            return Pill("failing", "Failing", "square-x")
        return Pill("not-yet", "Not yet", "circle-dashed")
    if run.status == RunStatus.FINISHED and run.details_at is None:
        return Pill("not-yet", "Not yet", "circle-dashed")  # ended, but what judges it was not read yet
    if run.status == RunStatus.FINISHED and not run.results_incomplete and not run.details_error:
        return Pill("none", "No criteria", "circle-minus")
    return Pill("none", "No verdict", "circle-minus")


def ended_sentence(run: Run) -> str:
    """ "#215 Checkout API finished: failed."; after a stop asked for here "#215 … stopped at 4:38: no verdict." """
    how = {RunStatus.FINISHED: "finished", RunStatus.ABORTED: "was aborted", RunStatus.TIMED_OUT: "timed out"}
    said = how.get(run.status, "ended")
    if run.stop_requested_at and run.status == RunStatus.ABORTED:
        said = "stopped" if run.duration_s is None else f"stopped at {clock(run.duration_s)}"
    return f"#{run.shown_number} {run.load_test.name} {said}: {result_of(run).word.lower()}."


def failing_sentence(run: Run) -> str:
    """Of a run that has not ended."""
    return f"#{run.shown_number} {run.load_test.name} is failing: a criterion broke."


def provider_words(run: Run) -> str:
    """The provider's own words on status and result, for a tooltip; empty when it said nothing."""
    words = [run.provider_status, run.provider_substatus, run.provider_result]
    said = ", ".join(word for word in words if word)
    return f"The provider says: {said}" if said else ""


def clock(seconds: float | None) -> str:
    """A duration as m:ss or h:mm:ss; a dash when there is none."""
    return DASH if seconds is None else verdict_words.clock(seconds)


def relative(moment: datetime, now: datetime | None = None) -> str:
    """ "6 min ago", "yesterday", "in 40 s"; the date when it is long ago. Days are the viewer's."""
    now = now or timezone.now()
    gap = now - moment
    ahead = gap < timedelta(0)
    seconds = abs(gap.total_seconds())
    if seconds < 5:
        return "just now"
    days = abs((timezone.localdate(now) - timezone.localdate(moment)).days)
    if seconds < 60:
        text = f"{int(seconds)} s"
    elif seconds < 3600:
        text = f"{int(seconds // 60)} min"
    elif seconds < 12 * 3600 or (days == 0 and seconds < 86400):
        text = f"{int(seconds // 3600)} h"
    elif days == 1:
        return "tomorrow" if ahead else "yesterday"
    elif days < 28:
        text = f"{days} days"
    else:
        return day(moment)
    return f"in {text}" if ahead else f"{text} ago"


def day(moment: datetime) -> str:
    """ "12 Jan 2020" in the viewer's zone."""
    local = timezone.localtime(moment)
    return f"{local.day} {local:%b %Y}"


def absolute(moment: datetime) -> str:
    """The whole time in the viewer's zone, and in UTC where that differs."""
    local = timezone.localtime(moment)
    text = f"{local.day} {local:%b %Y, %H:%M:%S %Z}"
    if local.utcoffset():
        text += f" · {moment.astimezone(UTC):%H:%M:%S} UTC"
    return text


def daytime(moment: datetime) -> str:
    """ "today 13:04 CET", "16 Nov 04:55 UTC": to the minute, in the viewer's zone, the year where it is another one."""
    local, now = timezone.localtime(moment), timezone.localtime()
    year = f" {local.year}" if local.year != now.year else ""
    day = "today" if local.date() == now.date() else f"{local.day} {local:%b}{year}"
    return f"{day} {local:%H:%M %Z}"


def number(value: float | None, decimals: int = 0) -> str:
    """1,234 with a real minus; a dash when there is none."""
    if value is None:
        return DASH
    return f"{value:,.{decimals}f}".replace("-", "\u2212")


def vu_hours(value: float | None) -> str:
    """ "267 VU hours", "12.5 VU hours", "0.42 VU hours"; a dash when nobody gave any."""
    if value is None:
        return DASH
    places = 0 if value >= 100 or float(value).is_integer() else 1 if value >= 10 else 2
    return f"{number(value, places)}{NARROW}VU hour{'' if value == 1 else 's'}"


def milliseconds(value: float | None) -> str:
    """Whole milliseconds without a unit, more digits where rounding would hide something (499.6, 0.42)."""
    if value is None:
        return DASH
    return number(value, 0 if value >= 1000 or float(value).is_integer() else 1 if value >= 1 else 2)


def percent(share: float | None) -> str:
    """A share 0..1 as "1.84" (without the sign); never rounded down to 0.00 or up to 100.00."""
    if share is None:
        return DASH
    text = number(share * 100, 2)
    if text == "0.00" and share > 0:
        return "<\u20090.01"
    return "99.99" if text == "100.00" and share < 1 else text


def initials(name: str) -> str:
    """Up to two letters for a person; of "user 760" one, since half a number names nobody."""
    words = [word for word in name.replace(".", " ").replace("-", " ").split() if word[0].isalnum()]
    words = [word for word in words if word[0].isalpha()] or words
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper() or "?"


def span(seconds: float) -> str:
    """A planned time in words: "45 s", "20 min", "1 h 30 min"; seconds only where there are some."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (left, "s"))
    return " ".join(f"{count}\u00a0{unit}" for count, unit in parts if count) or "0\u00a0s"


def load(virtual_users: int | None, seconds: int | None) -> str:
    """ "800 VUs for 20 min"; "" unless both are known."""
    return f"{number(virtual_users)} VUs for {span(seconds)}" if virtual_users and seconds else ""
