"""Lines, scales and labels of a drawing, in pixels. Pure."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MOST_POINTS = 240  # more than a screen can show
LETTER = 6.2  # width of a letter of a label, about
LINE = 12  # height of a label
PLACES = 16  # tried for a label along its line

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Label:
    """Text in a drawing; `y` is its baseline, `anchor` which part of it stands at `x`: start, middle, end.

    `words_at`: where the words stand instead, beside a mark at `x`.
    """

    x: float
    y: float
    text: str
    anchor: str = "middle"
    words_at: float | None = None


def thinned(points: Sequence[Sequence[float]], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` points in time order, each the highest of its stretch, so that no peak disappears."""
    ordered = sorted((float(x), float(y)) for x, y in points if x is not None and y is not None)
    size = max(1, math.ceil(len(ordered) / most))
    return [max(ordered[i : i + size], key=lambda point: point[1]) for i in range(0, len(ordered), size)]


def scale(highest: float, steps: int = 4) -> list[float]:
    """Round values from 0 to at least `highest`, at most `steps` apart from 0."""
    if highest <= 0:
        return [0.0, 1.0]
    raw = highest / steps
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999999)
    return [step * i for i in range(math.ceil(highest / step - 1e-9) + 1)]


def time_marks(end: float, most: int) -> list[float]:
    """Moments to name on the time axis, at most `most` and 0."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
    step = next((step for step in steps if end / step <= most), math.ceil(end / most / 86400) * 86400)
    return [float(step * i) for i in range(int(end / step) + 1)]


def path_of(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{px(x)} {px(y)}" for x, y in points)


def above(points: Sequence[Point], level: float) -> str:
    """The area between the line and the limit, only where the line is above it (smaller y is higher)."""
    shapes: list[list[Point]] = []
    shape: list[Point] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 < level and not shape:
            shape = [(x0, level), (x0, y0)]
        if (y0 < level) != (y1 < level):
            crossing = x0 + (x1 - x0) * (level - y0) / (y1 - y0)
            if y1 < level:
                shape = [(crossing, level), (x1, y1)]
            else:
                shapes.append([*shape, (crossing, level)])
                shape = []
        elif y1 < level:
            shape.append((x1, y1))
    if shape:
        shapes.append([*shape, (shape[-1][0], level)])
    return "".join(f"{path_of(item)}Z" for item in shapes)


def px(value: float) -> float:
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded


def beside(text: str, line: Sequence[Point], others: Sequence[Sequence[Point]], box: tuple[float, ...]) -> Label | None:
    """A label next to its line, where it is furthest from all the others; `box` is left, top, right, bottom.

    None where the line has no place for it.
    """
    left, top, right, bottom = box
    width = LETTER * len(text)
    if width > right - left:
        return None
    best: tuple[float, Label] | None = None
    for place in range(PLACES):
        x = left + width / 2 + (right - left - width) * (place + 0.5) / PLACES
        own = _within(line, x, width)
        if len(own) < 2:
            continue
        for y in (min(own) - 5, max(own) + LINE + 2):
            if not top + LINE <= y <= bottom - 2:
                continue
            free = min((_gap(y, level) for other in others for level in _within(other, x, width)), default=math.inf)
            # Further than this nobody can see, and then the middle is the better place.
            score = min(free, 24.0) - abs(place - PLACES * 0.6) / PLACES
            if best is None or score > best[0]:
                best = score, Label(px(x), px(y), text)
    return best[1] if best and best[0] > 0 else None


def _within(line: Sequence[Point], x: float, width: float) -> list[float]:
    """The heights of a line under a label, its own points and five between them; [] where it does not reach so far."""
    low, high = x - width / 2 - 4, x + width / 2 + 4
    between = (level_at(line, low + (high - low) * part / 4) for part in range(5))
    return [y for y in between if y is not None] + [y for at, y in line if low <= at <= high]


def level_at(line: Sequence[Point], x: float) -> float | None:
    """The height of a line at `x`; None before its beginning and after its end."""
    place = bisect_left(line, (x, -math.inf))
    if place == len(line) or (place == 0 and line[0][0] > x):
        return None
    (x0, y0), (x1, y1) = line[max(place - 1, 0)], line[place]
    return y1 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def _gap(baseline: float, level: float) -> float:
    """How far a level is from a label standing on a baseline; 0 or less where they touch."""
    return max(level - baseline, baseline - LINE - level) if not baseline - LINE < level < baseline else 0.0
