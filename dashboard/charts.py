"""Charts of a run as geometry for inline SVG, and the same data as a table. Pure: series in, coordinates out.

One figure: response time on top, then small panels for errors, rate and virtual users over one time axis. Each is drawn
twice, for wide and for narrow pages, as text must not shrink with the picture.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from dashboard.words import clock
from runs.criteria import Criterion, is_of_all, number, statistic, three_digits

WIDE, NARROW = 948, 358
MOST_POINTS = 240  # more than a screen can show
LEFT, TOP = 44, 18
MAIN_HEIGHT, SMALL_HEIGHT, GAP = 162, 40, 17
TIME_UNITS = ("ms", "s", "sec", "seconds")
SMALL = {
    "errors_per_s": ("bars", "Errors/s", "peak"),
    "rate_per_s": ("line", "Requests/s", "mean"),
    "vus": ("area", "VUs", "max"),
}

Point = tuple[float, float]


class Series(Protocol):
    """A `RunSeries`: `points` are [seconds since load start, value]."""

    name: str
    label: str
    unit: str
    points: Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    path: str
    label: str = ""
    label_y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One set of axes. Coordinates are pixels of the drawing."""

    kind: str  # main, line, bars, area
    top: float
    bottom: float
    label: str
    note: str
    ticks: Sequence[Tick]
    line: Line | None = None
    context: Sequence[Line] = ()
    area: str = ""
    bars: Sequence[Bar] = ()
    limit: Tick | None = None
    over: str = ""

    @property
    def text_y(self) -> float:
        return self.top + 12

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    width: int
    height: float
    left: int
    right: float
    times: Sequence[Tick]
    panels: Sequence[Panel]
    ramp_to: float | None  # x where the ramp-up ends
    now: Tick | None

    @property
    def top(self) -> float:
        return self.panels[0].top

    @property
    def bottom(self) -> float:
        return self.panels[-1].bottom

    @property
    def ramp_width(self) -> float:
        return _px((self.ramp_to or self.left) - self.left)

    @property
    def tick_x(self) -> int:
        return self.left - 6

    @property
    def mark_x(self) -> int:
        """The load-line circle stands on the limit, near its left end."""
        return self.left + 12

    @property
    def mark_text_x(self) -> int:
        return self.left + 24

    @property
    def label_x(self) -> int:
        return self.left + 6

    @property
    def last_x(self) -> float:
        """Past this a label must end where its mark is, or it would leave the picture."""
        return self.right - 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The figure: what it shows in one sentence, its drawings, its table (head, then rows of text)."""

    title: str
    unit: str
    finding: str
    wide: Drawing
    narrow: Drawing
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    step: str  # "per 10 s"


def chart(
    series: Iterable[Series],
    thresholds: Sequence[Criterion],
    *,
    planned_s: float | None = None,
    now_s: float | None = None,
) -> Chart | None:
    """The figure of a run; None without a point. While it runs, `now_s` is the time since load start."""
    known = {item.name: item for item in series if len(thinned(item.points)) > 1}
    main = _main_of(known)
    small = [known[name] for name in SMALL if name in known]
    drawn = [*([main] if main else []), *_context_of(known, main), *small]
    if not drawn:
        return None
    points = {item.name: thinned(item.points) for item in drawn}
    end = max([line[-1][0] for line in points.values()] + ([planned_s or 0.0] if now_s is not None else []))
    limit = _limit_of(main, thresholds) if main else None
    stage = _Stage(drawn, points, main, limit, end, now_s)
    head, rows = _table(drawn, points)
    return Chart(
        title=main.label if main else "Load",
        unit=main.unit if main else "",
        finding=_finding(main, points, limit) if main else _load_finding(small[0], points),
        wide=stage.draw(WIDE),
        narrow=stage.draw(NARROW),
        head=head,
        rows=rows,
        step=_step_of(points[drawn[0].name]),
    )


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


@dataclass(frozen=True, slots=True)
class _Stage:
    """All that the two drawings have in common."""

    drawn: Sequence[Series]
    points: dict[str, list[Point]]
    main: Series | None
    limit: float | None
    end: float
    now_s: float | None

    def draw(self, width: int) -> Drawing:
        right = width - 6
        across = (right - LEFT) / (self.end or 1.0)
        panels, top = [], float(TOP)
        if self.main:
            panels.append(self._main_panel(top, across))
            top += MAIN_HEIGHT + GAP + 4
        for item in self.drawn:
            if item.name in SMALL:
                panels.append(self._small_panel(item, top, across))
                top += SMALL_HEIGHT + GAP
        times = [Tick(_px(LEFT + at * across), clock(at)) for at in time_marks(self.end, 6 if width == WIDE else 3)]
        now = Tick(_px(LEFT + self.now_s * across), f"now {clock(self.now_s)}") if self._shows_now() else None
        ramp = self._ramp_end()
        return Drawing(
            width=width,
            height=panels[-1].bottom + 22,
            left=LEFT,
            right=right,
            times=times,
            panels=panels,
            ramp_to=_px(LEFT + ramp * across) if ramp else None,
            now=now,
        )

    def _shows_now(self) -> bool:
        return self.now_s is not None and self.now_s < 0.97 * self.end

    def _ramp_end(self) -> float | None:
        """When the most virtual users were first reached; None where that is no ramp-up (at once, or near the end)."""
        users = self.points.get("vus")
        if not users:
            return None
        most = max(value for _, value in users)
        reached = next(at for at, value in users if value >= most)
        return reached if 0.02 * self.end < reached < 0.6 * self.end else None

    def _main_panel(self, top: float, across: float) -> Panel:
        lines = [self.points[item.name] for item in self.drawn if item.name not in SMALL]
        highest = max([value for line in lines for _, value in line] + [self.limit or 0.0])
        marks = scale(highest * 1.04)
        bottom = top + MAIN_HEIGHT
        up = MAIN_HEIGHT / marks[-1]
        main = [(LEFT + x * across, bottom - y * up) for x, y in lines[0]]
        context = []
        for item in self.drawn[1:]:
            if item.name not in SMALL:
                line = [(LEFT + x * across, bottom - y * up) for x, y in self.points[item.name]]
                context.append(Line(_path(line), item.label, _px(line[-1][1])))
        level = None if self.limit is None else bottom - self.limit * up
        return Panel(
            kind="main",
            top=top,
            bottom=bottom,
            label=self.main.label,
            note="",
            ticks=[Tick(_px(bottom - mark * up), number(round(mark, 6))) for mark in marks],
            line=Line(_path(main), self.main.label, _px(main[-1][1])),
            context=context,
            limit=None if level is None else Tick(_px(level), f"limit {number(self.limit, self.main.unit)}"),
            over="" if level is None else _above(main, level),
        )

    def _small_panel(self, item: Series, top: float, across: float) -> Panel:
        kind, label, kind_of_note = SMALL[item.name]
        points = self.points[item.name]
        values = [value for _, value in points]
        note = {"peak": max(values), "mean": sum(values) / len(values), "max": max(values)}[kind_of_note]
        if self.now_s is not None and kind != "bars":
            kind_of_note, note = "now", values[-1]
        most = scale(max(values), 2)[-1]
        bottom = top + SMALL_HEIGHT
        up = SMALL_HEIGHT / most
        placed = [(LEFT + x * across, bottom - y * up) for x, y in points]
        bars: list[Bar] = []
        if kind == "bars":
            width = max(1.0, 0.72 * (placed[-1][0] - placed[0][0]) / len(placed))
            last = placed[-1][0] - width
            bars = [Bar(_px(min(x, last)), _px(y), _px(width), _px(bottom - y)) for x, y in placed if y < bottom]
        area = f"{_path(placed)}V{_px(bottom)}H{_px(placed[0][0])}Z" if kind == "area" else ""
        return Panel(
            kind=kind,
            top=top,
            bottom=bottom,
            label=label,
            note=f"{kind_of_note} {three_digits(note)}",
            ticks=[Tick(_px(top), number(round(most, 6))), Tick(_px(bottom), "0")],
            line=Line(_path(placed)) if kind == "line" else None,
            area=area,
            bars=bars,
        )


def _main_of(known: dict[str, Series]) -> Series | None:
    if "p95_ms" in known:
        return known["p95_ms"]
    return next((item for item in known.values() if item.unit in TIME_UNITS), None)


def _context_of(known: dict[str, Series], main: Series | None) -> list[Series]:
    """Up to two other lines that share the unit of the first."""
    return [item for item in known.values() if main and item is not main and item.unit == main.unit][:2]


def _limit_of(main: Series, thresholds: Sequence[Criterion]) -> float | None:
    """The limit on what the main line shows, of all requests."""
    if main.name != "p95_ms":
        return None
    for item in thresholds:
        if item.limit is not None and statistic(item) == "p95" and is_of_all(item, "http_req_duration"):
            return item.limit
    return None


def _finding(main: Series, points: dict[str, list[Point]], limit: float | None) -> str:
    at, highest = max(points[main.name], key=lambda point: point[1])
    said = f"{main.label}: highest {three_digits(highest, main.unit)} at {clock(at)}"
    if limit is None:
        return f"{said}."
    over = next((moment for moment, value in points[main.name] if value > limit), None)
    bound = number(limit, main.unit)
    return (
        f"{said}, first over its limit of {bound} at {clock(over)}." if over is not None else f"{said}, limit {bound}."
    )


def _load_finding(item: Series, points: dict[str, list[Point]]) -> str:
    at, highest = max(points[item.name], key=lambda point: point[1])
    return f"{item.label}: highest {three_digits(highest, item.unit)} at {clock(at)}."


def _table(drawn: Sequence[Series], points: dict[str, list[Point]]) -> tuple[list[str], list[list[str]]]:
    head = ["Time", *(f"{item.label}{f', {item.unit}' if item.unit else ''}" for item in drawn)]
    columns = [dict(points[item.name]) for item in drawn]
    moments = sorted({moment for column in columns for moment in column})
    rows = [
        [clock(moment), *("–" if moment not in column else three_digits(column[moment]) for column in columns)]
        for moment in moments
    ]
    return head, rows


def _step_of(points: Sequence[Point]) -> str:
    gaps = sorted(round(later[0] - earlier[0], 1) for earlier, later in pairwise(points))
    usual = gaps[len(gaps) // 2] if gaps else 0
    return f"per {number(usual, 's')}" if usual else ""


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{_px(x)} {_px(y)}" for x, y in points)


def _above(points: Sequence[Point], level: float) -> str:
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
    return "".join(f"{_path(item)}Z" for item in shapes)


def _px(value: float) -> float:
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded
