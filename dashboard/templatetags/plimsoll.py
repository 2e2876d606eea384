"""The presentational helpers of the templates: `{% load plimsoll %}`."""

from datetime import datetime, timedelta
from functools import cache

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, mark_safe
from django.utils.safestring import SafeString

from dashboard import words
from runs.history import Strip
from runs.models import Account, Run

register = template.Library()

STALE_AFTER = timedelta(minutes=10)


@register.simple_tag
@cache
def icon(name: str, classes: str = "") -> SafeString:
    """`{% icon "flag" %}`: a symbol of the sprite (Tabler's name, "-filled" for the filled one, or "load-line")."""
    return format_html(
        '<svg class="{}" width="16" height="16" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        f"icon {classes}".strip(),
        static("vendor/sprite.svg"),
        name,
    )


@register.simple_tag
def status_pill(run: Run) -> SafeString:
    """Where the run is: icon, word, cause. The provider's words are in the tooltip."""
    pill = words.status_of(run)
    cause = format_html('<span class="cause">{}</span>', pill.cause) if pill.cause else ""
    title = words.provider_words(run)
    return format_html(
        '<span class="status is-{}" title="{}">{}<span>{}</span>{}</span>',
        pill.kind,
        title,
        icon(pill.icon),
        pill.word,
        cause,
    )


@register.simple_tag
def result_pill(run: Run) -> SafeString:
    """The verdict as a pill; needs `run.failing` (with_failing()) to say "Failing"."""
    pill = words.result_of(run)
    return format_html(
        '<span class="result is-{}" title="{}">{}{}</span>',
        pill.kind,
        words.provider_words(run),
        icon(pill.icon),
        pill.word,
    )


@register.simple_tag
def reltime(moment: datetime | None, alone: bool = False) -> SafeString:
    """`<time>` with the relative time, and the absolute one in the viewer's zone and UTC as its title.

    `alone`: it stands in no link and in no long list, so it can be focused, which shows its title too.
    """
    if not moment:  # a template gives "" for what is not there
        return format_html('<span class="ink-3">{}</span>', words.DASH)
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        moment.isoformat(),
        words.absolute(moment),
        mark_safe(' tabindex="0"') if alone else "",
        words.relative(moment),
    )


@register.simple_tag
def abstime(moment: datetime | None) -> SafeString:
    """`<time>` with the absolute time: for audit tables, tooltips' twins and prints."""
    if moment is None:
        return format_html('<span class="ink-3">{}</span>', words.DASH)
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), words.absolute(moment))


@register.simple_tag
def daytime(moment: datetime) -> SafeString:
    """`<time>` with the day and the minute; the absolute time is its title and shown on focus."""
    shown = words.daytime(moment)
    return format_html(
        '<time datetime="{}" title="{}" tabindex="0">{}</time>', moment.isoformat(), words.absolute(moment), shown
    )


@register.simple_tag
def freshness(moment: datetime | None, live: bool = False) -> SafeString:
    """A chip that says how old what is shown is; stale after ten minutes."""
    if not moment:
        return format_html('<span class="chip is-stale">{}Never synced</span>', icon("clock-exclamation"))
    if timezone.now() - moment > STALE_AFTER:
        return format_html(
            '<span class="chip is-stale">{}<span>Synced {}</span></span>', icon("clock-exclamation"), reltime(moment)
        )
    if live:
        return format_html(
            '<span class="chip"><span class="dot is-live"></span><span>Synced {}</span></span>', reltime(moment)
        )
    return format_html('<span class="chip">{}<span>Synced {}</span></span>', icon("circle-check"), reltime(moment))


@cache
def _tile(provider: str) -> SafeString:
    from runs.services import SERVICES

    service = SERVICES.get(provider)
    tile, label = (service.tile, service.label) if service else (provider[:2].upper(), provider)
    return format_html('<span class="tile" title="{}" aria-label="{}" role="img">{}</span>', label, label, tile)


@register.simple_tag
def provider_tile(account: Account | str) -> SafeString:
    """Two letters for the provider of an account (or for a provider key), its full name as the title."""
    return _tile(account if isinstance(account, str) else account.provider)


@register.filter
def provider_label(provider: str) -> str:
    """The provider's name as people know it."""
    from runs.services import SERVICES

    return SERVICES[provider].label if provider in SERVICES else provider


@register.simple_tag
def provider_names() -> str:
    """All of them, as a list in a sentence."""
    from runs.services import SERVICES

    *others, last = sorted(service.label for service in SERVICES.values())
    return f"{', '.join(others)} and {last}" if others else last


@register.simple_tag
def bar(value: float | None, most: float | None, tone: str = "", label: str = "") -> SafeString:
    """A thin bar, `value` of `most`; `tone`: passed, failed, error, busy, none or "" (running)."""
    share = min(100.0, max(0.0, 100 * (value or 0) / most)) if most else 0.0
    name = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="bar" height="3" {}><rect class="track" width="100%" height="100%"/>'
        '<rect class="fill {}" width="{}%" height="100%"/></svg>',
        name,
        f"is-{tone}" if tone else "",
        f"{share:.1f}",
    )


_SHAPES = {
    "passed": '<rect class="passed" x="{x}" y="11" width="7" height="7" rx="1"/>',
    "failed": '<rect class="failed" x="{x}" y="0" width="7" height="18" rx="1"/>',
    "error": '<rect class="error" x="{inner}" y="0.75" width="5.5" height="16.5" rx="1"/>',
    "none": '<rect class="none" x="{inner}" y="11.75" width="5.5" height="5.5" rx="1"/>',
    "live": '<path class="live" d="M{x} 0h7v3h-7zM{x} 5h7v3h-7zM{x} 10h7v3h-7zM{x} 15h7v3h-7z"/>',
    "": '<rect class="stub" x="{x}" y="16" width="7" height="2"/>',
}


@register.simple_tag
def strip(runs: Strip) -> SafeString:
    """The last runs of a test, oldest left; height and fill say it without colour."""
    drawn = "".join(
        _SHAPES[mark].format(x=10 * place, inner=10 * place + 0.75) for place, mark in enumerate(runs.marks)
    )
    return format_html(
        '<svg class="strip" width="97" height="18" role="img" aria-label="{}">{}</svg>',
        runs.sentence,
        mark_safe(drawn),  # noqa: S308 (made of the constants above and numbers)
    )


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, hint: str = "") -> dict[str, object]:
    """A labelled form field with its help and its errors under it."""
    return {"field": bound, "hint": hint or bound.help_text}


@register.inclusion_tag("components/error_summary.html")
def error_summary(form: object) -> dict[str, object]:
    """All errors of a form at its top, with links to the fields; takes focus."""
    return {"form": form}


register.filter("clock", words.clock)
register.filter("ms", words.milliseconds)
register.filter("daytime", words.daytime)
register.filter("vu_hours", words.vu_hours)
register.filter("percent", words.percent)
register.filter("initials", words.initials)
register.filter("number", words.number)
register.filter("day", words.day)
register.filter("span", words.span)


@register.filter
def plural(count: int, noun: str) -> str:
    """`{{ 1284|plural:"run" }}` → 1,284 runs; irregular ones as "person,people"."""
    one, _, many = noun.partition(",")
    return f"{words.number(count)} {one if count == 1 else many or one + 's'}"
