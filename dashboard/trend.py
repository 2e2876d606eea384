"""The p95 of a test's recent runs as a small drawing: where each point lies. The template draws it."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.words import milliseconds
from runs.history import mark
from runs.models import Run

WIDTH, HEIGHT, PAD = 460, 96, 10


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    mark: str
    run: Run

    @property
    def shape(self) -> str:
        """The path of its mark: square failed, triangle error, circle otherwise (hollow without a verdict)."""
        x, y = self.x, self.y
        if self.mark == "failed":
            return f"M{x - 4} {y - 4}h8v8h-8z"
        if self.mark == "error":
            return f"M{x} {y - 5}l5 9h-10z"
        return f"M{x - 4} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0"


@dataclass(frozen=True, slots=True)
class Trend:
    """`points` oldest first; `line` is the polyline through them; `sentence` says what it shows."""

    points: Sequence[Point]
    most_ms: float
    sentence: str
    width: int = WIDTH
    height: int = HEIGHT
    base: int = HEIGHT - PAD

    @property
    def line(self) -> str:
        return " ".join(f"{point.x},{point.y}" for point in self.points)


def trend_of(newest_first: Sequence[Run]) -> Trend | None:
    """None with fewer than two runs that have a p95."""
    runs = [run for run in reversed(newest_first) if run.p95_ms is not None]
    if len(runs) < 2:
        return None
    most = max(run.p95_ms for run in runs) or 1.0
    step = (WIDTH - 2 * PAD) / (len(runs) - 1)
    points = [
        Point(
            round(PAD + place * step, 1),
            round(HEIGHT - PAD - (HEIGHT - 2 * PAD) * run.p95_ms / most, 1),
            mark(run.status, run.result),
            run,
        )
        for place, run in enumerate(runs)
    ]
    lowest = min(run.p95_ms for run in runs)
    sentence = (
        f"p95 of the last {len(runs)} runs that have one: {milliseconds(runs[-1].p95_ms)} ms in the newest, "
        f"{milliseconds(lowest)} to {milliseconds(most)} ms in all"
    )
    return Trend(points, most, sentence)
