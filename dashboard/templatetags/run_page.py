"""The few words that only a run's page writes: `{% load run_page %}`."""

from urllib.parse import urlencode

from django import template

from dashboard import words
from runs.criteria import three_digits
from runs.error_tree import short_address, split_request
from runs.models import Run, RunError

register = template.Library()


@register.filter
def outcome_word(run: Run) -> str:
    """The result of another run in one small word, or its status while there is none: "failed", "running"."""
    pill = words.result_of(run)
    return (words.status_of(run).word if run.is_live else pill.word).lower()


@register.filter
def where(error: RunError) -> str:
    """Where an error happened and what it said, in one line: "POST /checkout · upstream connect error"."""
    method, address = split_request(error.request)
    place = f"{method} {short_address(address)}".strip()
    message = error.message if error.message != error.request else ""
    return " · ".join(part for part in (place, message[:200]) if part) or error.test_case


@register.filter
def share_of(part: int, whole: int) -> str:
    """ "68.6 %" of a whole; a dash where there is none."""
    return share_words(part / whole) if whole else words.DASH


def share_words(share: float) -> str:
    """ "77.4 %"; what is there is never 0 %, what is not all never 100 %."""
    percent = round(100 * share, 1)
    if share and not percent:
        return f"<{words.NARROW}0.1{words.NARROW}%"
    shown = 99.9 if percent == 100 and share < 1 else percent
    return f"{words.number(shown, 1)}{words.NARROW}%"


@register.filter
def width_of(share: float) -> str:
    """A share 0..1 as the number of an SVG width in per cent."""
    return f"{min(1.0, max(0.0, share)) * 100:.1f}"


@register.filter
def digits(value: float | None) -> str:
    """A measured number of any size with three digits; a dash when there is none."""
    return words.DASH if value is None else three_digits(value)


@register.filter
def is_web_address(address: str) -> bool:
    """Whether a provider's address may become a link: http and https only."""
    return address.startswith(("https://", "http://"))


@register.filter
def levels_query(levels: list[str]) -> str:
    """The chosen levels as the beginning of a query: "?level=error&", or "?"."""
    return f"?{urlencode([('level', level) for level in levels])}&" if levels else "?"
