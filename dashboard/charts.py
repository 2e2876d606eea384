"""The chart of a run: what it shows in one sentence, its drawings, and the same data as a table. Pure: series in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dashboard.chart_drawing import NARROW, SMALL, WIDE, Drawing, Series, Stage
from dashboard.chart_geometry import Point, thinned
from dashboard.words import clock
from runs.comparison import value_at
from runs.criteria import Criterion, limit_on, number, three_digits

TIME_UNITS = ("ms", "s", "sec", "seconds")


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
    before: tuple[str, Mapping[str, Series]] | None = None,
    mean_rate: float | None = None,
) -> Chart | None:
    """The figure of a run; None without a point. While it runs, `now_s` is the time since load start.

    `before` is a run to draw dashed behind the main line: its label and its series by name. `mean_rate`: requests per
    second of the whole run, where the provider gave it: points are samples, and their mean is a little off.
    """
    known = {item.name: item for item in series if len(thinned(item.points)) > 1}
    main = _main_of(known)
    small = [known[name] for name in SMALL if name in known]
    drawn = [*([main] if main else []), *_context_of(known, main), *small]
    if not drawn:
        return None
    points = {item.name: thinned(item.points) for item in drawn}
    end = max([line[-1][0] for line in points.values()] + ([planned_s or 0.0] if now_s is not None else []))
    limit = _limit_of(main, thresholds) if main else None
    reference = before[1].get(main.name) if before and main else None
    if reference and (reference.unit != main.unit or len(thinned(reference.points)) < 2):
        reference = None
    stage = Stage(drawn, points, main, limit, end, now_s, before[0] if reference else "", reference, mean_rate)
    head, rows = _table(drawn, points)
    if reference:
        head, rows = _with_reference(before[0], reference, drawn, points, head, rows)
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


def _main_of(known: dict[str, Series]) -> Series | None:
    if "p95_ms" in known:
        return known["p95_ms"]
    return next((item for item in known.values() if item.unit in TIME_UNITS), None)


def _context_of(known: dict[str, Series], main: Series | None) -> list[Series]:
    """Up to two other lines that share the unit of the first."""
    return [item for item in known.values() if main and item is not main and item.unit == main.unit][:2]


def _limit_of(main: Series, thresholds: Sequence[Criterion]) -> float | None:
    """The limit on what the main line shows, of all requests."""
    found = (limit_on(main.name, item) for item in thresholds)
    return next((limit for limit in found if limit is not None), None)


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


def _with_reference(
    label: str,
    reference: Series,
    drawn: Sequence[Series],
    points: dict[str, list[Point]],
    head: list[str],
    rows: list[list[str]],
) -> tuple[list[str], list[list[str]]]:
    """The table with one more column: the dashed line at the moment nearest to each of this run's."""
    moments = sorted({moment for item in drawn for moment, _ in points[item.name]})
    then = [value_at(reference.points, moment) for moment in moments]
    cells = ["–" if value is None else three_digits(value) for value in then]
    unit = f", {reference.unit}" if reference.unit else ""
    return [*head, f"{label}{unit}"], [[*row, cell] for row, cell in zip(rows, cells, strict=True)]


def _step_of(points: Sequence[Point]) -> str:
    gaps = sorted(round(later[0] - earlier[0], 1) for earlier, later in pairwise(points))
    usual = gaps[len(gaps) // 2] if gaps else 0
    return f"per {number(usual, 's')}" if usual else ""
