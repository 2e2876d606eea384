"""A number against the one before it, in words: "84 % worse, was 441", "3 % fewer", "same". Pure."""

from dataclasses import dataclass

from dashboard.words import NARROW, number

NOTABLE = 0.05  # within this nobody could say that it is more than chance
TIMES = 2.0  # from here on "2.4 times" is easier to picture than "140 %"


@dataclass(frozen=True, slots=True)
class Change:
    """`tone` is worse, better or "" (a matter of fact); `arrow` is up, down or "": which way the number went."""

    text: str
    tone: str = ""
    arrow: str = ""


def less_is_better(now: float, before: float, was: str = "") -> Change:
    """Of a response time or an error rate: worse when it went up. `was` is the number before, as people write it."""
    said = f", was {was}" if was else ""
    if now == before:
        return Change("same")
    if _is_small(now, before):
        return Change(f"was {was}" if was else _percent(now, before))
    tone, arrow = ("worse", "up") if now > before else ("better", "down")
    if before <= 0:
        return Change(f"{tone}{said}", tone, arrow)
    if now / before >= TIMES:
        return Change(f"{number(now / before, 1)} times{said}", tone, arrow)
    return Change(f"{_percent(now, before)} {tone}{said}", tone, arrow)


def more_or_fewer(now: float, before: float) -> Change:
    """Of an amount that is neither good nor bad: "3 % fewer"."""
    if now == before:
        return Change("same")
    if before <= 0 or now / before >= TIMES:
        return Change(f"was {number(before)}")
    share = _percent(now, before)
    return Change(f"{share} {'more' if now > before else 'fewer'}") if share[0] != "0" else Change("nearly the same")


def as_it_was(now: str, before: str) -> Change:
    """Of a number whose change says nothing by itself: "was 236", or "same" where both read alike."""
    return Change("same" if now == before else f"was {before}")


def _is_small(now: float, before: float) -> bool:
    return before > 0 and abs(now - before) <= NOTABLE * before


def _percent(now: float, before: float) -> str:
    return f"{number(100 * abs(now - before) / before)}{NARROW}%"
