"""The drawings of a run's chart as geometry for inline SVG: series in, coordinates out.

One figure: response time on top, then small panels for errors, rate and virtual users over one time axis. Each is drawn
twice, for wide and for narrow pages, as text must not shrink with the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dashboard.chart_geometry import LETTER, Label, Point, above, beside, path_of, px, scale, thinned, time_marks
from dashboard.words import clock
from runs.criteria import number, three_digits

WIDE, NARROW = 948, 358
LEFT, TOP = 44, 26
BAND = 24  # above the first panel, for the words of ramp-up, first errors and now: no line runs through them
MAIN_HEIGHT, SMALL_HEIGHT, GAP = 154, 40, 17
SMALL = {
    "errors_per_s": ("bars", "Errors/s", "peak"),
    "rate_per_s": ("line", "Requests/s", "mean"),
    "vus": ("area", "VUs", "max"),
}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One set of axes. Coordinates are pixels of the drawing."""

    kind: str  # main, line, bars, area
    top: float
    bottom: float
    label: str
    note: str
    ticks: Sequence[Tick]
    at: Label | None = None  # where label and note stand
    line: str = ""
    context: Sequence[str] = ()
    reference: str = ""  # the run before, at the same time since its start
    labels: Sequence[Label] = ()
    area: str = ""
    bars: Sequence[Bar] = ()
    limit: Tick | None = None
    over: str = ""


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
    first: Label | None  # where requests began to fail

    @property
    def top(self) -> float:
        return self.panels[0].top - BAND

    @property
    def text_y(self) -> float:
        return self.top + 12

    @property
    def ramp_height(self) -> float:
        return self.panels[0].bottom - self.top

    @property
    def bottom(self) -> float:
        return self.panels[-1].bottom

    @property
    def ramp_width(self) -> float:
        return px((self.ramp_to or self.left) - self.left)

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


@dataclass(frozen=True, slots=True)
class Stage:
    """All that the two drawings have in common."""

    drawn: Sequence[Series]
    points: dict[str, list[Point]]
    main: Series | None
    limit: float | None
    end: float
    now_s: float | None
    reference_label: str
    reference: Series | None
    mean_rate: float | None = None

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
        times = [Tick(px(LEFT + at * across), clock(at)) for at in time_marks(self.end, 6 if width == WIDE else 3)]
        now = Tick(px(LEFT + self.now_s * across), f"now {clock(self.now_s)}") if self._shows_now() else None
        ramp = self._ramp_end()
        return Drawing(
            width=width,
            height=panels[-1].bottom + 22,
            left=LEFT,
            right=right,
            times=times,
            panels=panels,
            ramp_to=px(LEFT + ramp * across) if ramp else None,
            now=now,
            first=self._first_errors(across, right, panels[0].top - BAND + 12, now, ramp),
        )

    def _first_errors(
        self, across: float, right: float, y: float, now: Tick | None, ramp: float | None
    ) -> Label | None:
        """Where the requests began to fail, if not with the load itself; its text stands clear of the others."""
        errors = next((item for item in self.drawn if item.name == "errors_per_s"), None)
        at = min((at for at, value in errors.points if value), default=None) if errors else None
        if at is None or not 0.02 * self.end < at <= self.end:
            return None
        x, text = LEFT + at * across, f"{clock(at)} first errors"
        width = LETTER * len(text) + 12
        words_at = max(x, LEFT + 54) if ramp else x
        if now and abs(now.at - words_at) < width:
            y += 14
        return Label(px(x), y, text, "start" if x + width < right else "end", px(words_at))

    def _place_of(
        self, text: str, place: tuple[float, float], across: float, kind: str, line: Sequence[Point]
    ) -> Label:
        """Of a small panel's name: at its left, or right of the ramp-up or of now where that runs through it."""
        top, bottom = place
        ramp, width = self._ramp_end() or 0.0, LETTER * len(text)
        x, right = LEFT + ramp * across + 16, LEFT + self.end * across
        if kind != "bars" and ramp and self.now_s is None and x + width <= right:
            return Label(px(x), bottom - 7, text, "start")
        x = LEFT + (self.now_s or 0.0) * across + 6
        is_free = all(y > top + 16 for at, y in line if at < LEFT + 10 + width)
        if is_free or self.now_s is None or x + width > right:
            x = LEFT + 6
        return Label(px(x), top + 12, text, "start")

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
        then = (
            []
            if self.reference is None
            else [point for point in thinned(self.reference.points) if point[0] <= self.end]
        )
        lines = [self.points[item.name] for item in self.drawn if item.name not in SMALL]
        highest = max([value for line in [*lines, then] for _, value in line] + [self.limit or 0.0])
        marks = scale(highest * 1.04)
        bottom = top + MAIN_HEIGHT
        up = MAIN_HEIGHT / marks[-1]
        main, *context = ([(LEFT + x * across, bottom - y * up) for x, y in line] for line in lines)
        reference = [(LEFT + x * across, bottom - y * up) for x, y in then]
        level = None if self.limit is None else bottom - self.limit * up
        limit = [] if level is None else [(float(LEFT), level), (LEFT + self.end * across, level)]
        box = (LEFT + 4.0, top, LEFT + self.end * across, bottom)
        return Panel(
            kind="main",
            top=top,
            bottom=bottom,
            label=self.main.label,
            note="",
            ticks=[Tick(px(bottom - mark * up), number(round(mark, 6))) for mark in marks],
            line=path_of(main),
            context=[path_of(line) for line in context],
            reference=path_of(reference) if reference else "",
            labels=self._labels(main, context, reference, limit, box, across),
            limit=None if level is None else Tick(px(level), f"limit {number(self.limit, self.main.unit)}"),
            over="" if level is None else above(main, level),
        )

    def _labels(
        self,
        main: Sequence[Point],
        context: Sequence[Sequence[Point]],
        reference: Sequence[Point],
        limit: Sequence[Point],
        box: tuple[float, float, float, float],
        across: float,
    ) -> list[Label]:
        """What each line is, next to it; nothing where there is only one."""
        if not context and not reference and self.now_s is None:
            return []
        names = [item.label for item in self.drawn[1:] if item.name not in SMALL]
        others = [*context, *([reference] if reference else [])]
        found: list[Label | None] = []
        if self.now_s is None:
            name = "this run" if reference and not context else self.main.label
            found.append(beside(name, main, [*others, limit], box))
        else:
            value = three_digits(self.points[self.main.name][-1][1], self.main.unit)
            x, y = max(main[-1][0], LEFT + self.now_s * across), main[-1][1]
            fits = x + 8 + LETTER * (len(value) + 4) < box[2]
            at = px(x + 6) if fits else px(main[-1][0])
            found.append(Label(at, px(max(box[1] + 10, y - 8)), f"{value} now", "start" if fits else "end"))
        for name, line in zip(names, context, strict=True):
            found.append(beside(name, line, [main, limit, *(other for other in others if other is not line)], box))
        if reference:
            found.append(beside(self.reference_label, reference, [main, limit, *context], box))
        return [label for label in found if label]

    def _small_panel(self, item: Series, top: float, across: float) -> Panel:
        kind, label, kind_of_note = SMALL[item.name]
        points = self.points[item.name]
        values = [value for _, value in points]
        mean = sum(values) / len(values) if self.mean_rate is None else self.mean_rate
        note = mean if kind_of_note == "mean" else max(values)
        if self.now_s is not None and kind != "bars":
            kind_of_note, note = "now", values[-1]
        said = f"{kind_of_note} {three_digits(note)}"
        most = scale(max(values), 2)[-1]
        bottom = top + SMALL_HEIGHT
        up = SMALL_HEIGHT / most
        placed = [(LEFT + x * across, bottom - y * up) for x, y in points]
        area = f"{path_of(placed)}V{px(bottom)}H{px(placed[0][0])}Z" if kind == "area" else ""
        return Panel(
            kind=kind,
            top=top,
            bottom=bottom,
            label=label,
            note=said,
            ticks=[Tick(px(top), number(round(most, 6))), Tick(px(bottom), "0")],
            at=self._place_of(f"{label} {said}", (top, bottom), across, kind, placed),
            line=path_of(placed) if kind == "line" else "",
            area=area,
            bars=_bars(placed, bottom) if kind == "bars" else [],
        )


def _bars(placed: Sequence[Point], bottom: float) -> list[Bar]:
    """A bar from each point on, none over another; the last one ends where the axis does."""
    end, bars = placed[-1][0], []
    usual = max(1.0, 0.72 * (end - placed[0][0]) / len(placed))
    for place, (x, y) in enumerate(placed):
        if place < len(placed) - 1:
            width = min(usual, max(1.0, placed[place + 1][0] - x - 1))
        else:
            x = min(max(bars[-1].x + bars[-1].width + 1 if bars else x, end - usual), end - 1)
            width = end - x
        if y < bottom:
            bars.append(Bar(px(x), px(y), px(width), px(bottom - y)))
    return bars
