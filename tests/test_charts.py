"""Charts: coordinates that say what the points say, a limit with its sign, a table with the same data."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from dashboard.chart_drawing import LEFT, NARROW, WIDE
from dashboard.chart_geometry import MOST_POINTS, beside, scale, thinned, time_marks
from dashboard.charts import chart


@dataclass
class Series:
    name: str
    label: str
    unit: str
    points: list = field(default_factory=list)


@dataclass
class Threshold:
    metric: str
    condition: str
    limit: float
    broken: bool | None = True
    value: float | None = None
    unit: str = "ms"


P95 = Series("p95_ms", "Response time p95", "ms", [[0, 200], [60, 300], [120, 900], [180, 700], [240, 400]])
RATE = Series("rate_per_s", "Requests", "1/s", [[0, 10], [60, 20], [120, 20], [180, 20], [240, 20]])
ERRORS = Series("errors_per_s", "Failed requests", "1/s", [[0, 0], [60, 0], [120, 4], [180, 2], [240, 0]])
USERS = Series("vus", "Virtual users", "", [[0, 1], [60, 400], [120, 400], [180, 400], [240, 400]])
LIMIT = Threshold("http_req_duration", "p(95)<500", 500)
ALL = [P95, RATE, ERRORS, USERS]


def coordinates(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path)]


def test_no_points_no_chart():
    assert chart([], []) is None
    assert chart([Series("p95_ms", "p95", "ms", [])], []) is None
    assert chart([Series("p95_ms", "p95", "ms", [[0, 5]])], []) is None
    assert chart([Series("p95_ms", "p95", "ms", [[0, None], [1, None]])], []) is None


def test_the_line_spans_the_plot_and_is_higher_where_the_value_is():
    drawing = chart(ALL, []).wide
    line = coordinates(drawing.panels[0].line)
    assert line[0][0] == LEFT
    assert line[-1][0] == pytest.approx(drawing.right, abs=0.1)
    heights = [y for _, y in line]
    assert heights.index(min(heights)) == 2
    assert all(drawing.panels[0].top <= y <= drawing.panels[0].bottom for y in heights)


def test_panels_stand_below_each_other_without_overlap():
    panels = chart(ALL, []).wide.panels
    assert [panel.kind for panel in panels] == ["main", "bars", "line", "area"]
    assert all(upper.bottom < lower.top for upper, lower in pairwise(panels))


def test_both_widths_are_drawn_from_the_same_points():
    drawn = chart(ALL, [])
    assert (drawn.wide.width, drawn.narrow.width) == (WIDE, NARROW)
    assert len(coordinates(drawn.narrow.panels[0].line)) == len(coordinates(drawn.wide.panels[0].line))
    assert max(x for x, _ in coordinates(drawn.narrow.panels[0].line)) <= NARROW
    assert len(drawn.narrow.times) <= 4


def test_the_limit_stands_at_its_height_and_only_what_is_over_it_is_tinted():
    panel = chart(ALL, [LIMIT]).wide.panels[0]
    assert panel.limit.label == "limit 500\u00a0ms"
    ticks = {tick.label: tick.at for tick in panel.ticks}
    assert panel.limit.at == pytest.approx(ticks["500"], abs=0.1)
    tinted = coordinates(panel.over)
    assert all(y <= panel.limit.at for _, y in tinted)
    xs = [x for x, _ in tinted]
    line = coordinates(panel.line)
    assert line[1][0] < min(xs) < line[2][0]
    assert line[3][0] < max(xs) < line[4][0]


def test_a_limit_in_seconds_is_drawn_on_a_line_in_ms():
    mean = Series("avg_ms", "Avg. response time", "ms", [[0, 200], [60, 900], [120, 700]])
    limit = Threshold("ELSCONTROLLER / LoadTest:Request / Avg. Response Time / _Total", "<= 0.8", 0.8, unit="")
    panel = chart([mean], [limit]).wide.panels[0]
    assert panel.limit.label == "limit 800\u00a0ms"
    assert panel.over
    one_page = Threshold("ELSCONTROLLER / LoadTest:Request / Avg. Response Time / /cart", "<= 0.8", 0.8, unit="")
    assert chart([mean], [one_page]).wide.panels[0].limit is None


def test_a_limit_that_was_kept_is_drawn_without_a_tint_and_stays_inside():
    panel = chart(ALL, [Threshold("http_req_duration", "p(95)<2000", 2000)]).wide.panels[0]
    assert panel.over == ""
    assert panel.limit.at >= panel.top


def test_a_line_that_ends_over_its_limit_is_tinted_to_its_end():
    rising = Series("p95_ms", "p95", "ms", [[0, 600], [10, 700], [20, 400], [30, 800]])
    panel = chart([rising], [LIMIT]).wide.panels[0]
    assert panel.over.count("Z") == 2
    assert max(x for x, _ in coordinates(panel.over)) == coordinates(panel.line)[-1][0]


@pytest.mark.parametrize(
    "other",
    [
        Threshold("http_req_duration{name:x}", "p(95)<500", 500),
        Threshold("http_req_duration", "p(99)<500", 500),
        Threshold("http_req_failed", "rate<0.01", 0.01, unit=""),
    ],
)
def test_a_limit_on_something_else_is_not_drawn(other):
    assert chart(ALL, [other]).wide.panels[0].limit is None


def test_the_finding_is_one_sentence():
    assert chart(ALL, [LIMIT]).finding == (
        "Response time p95: highest 900\u00a0ms at 2:00, first over its limit of 500\u00a0ms at 2:00."
    )
    assert chart(ALL, []).finding == "Response time p95: highest 900\u00a0ms at 2:00."
    kept = Threshold("http_req_duration", "p(95)<2000", 2000, broken=False)
    assert chart(ALL, [kept]).finding.endswith("at 2:00, limit 2,000\u00a0ms.")


def test_only_errors_are_bars_and_none_is_drawn_for_nothing():
    panel = chart(ALL, []).wide.panels[1]
    assert len(panel.bars) == 2
    assert panel.bars[0].height == pytest.approx(2 * panel.bars[1].height, abs=0.2)
    assert panel.note == "peak 4"


def test_no_bar_covers_another_at_the_end_of_the_axis():
    errors = Series("errors_per_s", "Errors/s", "/s", [[0, 0], [60, 3], [120, 4], [180, 2], [190, 5]])
    bars = chart([P95, errors], []).wide.panels[1].bars
    assert len(bars) == 4
    assert all(bar.x + bar.width <= after.x for bar, after in pairwise(bars))
    assert bars[-1].x + bars[-1].width <= WIDE


def test_words_over_the_chart_stand_above_its_lines_and_beside_each_other():
    def first_at(second: int):
        errors = Series("errors_per_s", "Errors/s", "/s", [[0, 0], [second, 3], [240, 4]])
        return chart([P95, errors, USERS], [], planned_s=950, now_s=250).wide

    drawing = first_at(20)
    assert drawing.first.words_at >= drawing.label_x + 40  # right of "ramp-up"
    assert drawing.text_y == drawing.first.y < drawing.panels[0].top
    assert drawing.panels[0].labels[0].x > drawing.now.at
    assert first_at(150).first.y > drawing.text_y  # under "now", which it would run into


def test_the_name_of_a_small_panel_stands_right_of_now_where_its_bars_would_be_in_its_way():
    early = Series("errors_per_s", "Errors/s", "/s", [[0, 0], [20, 4], [240, 4]])
    late = Series("errors_per_s", "Errors/s", "/s", [[0, 0], [200, 0], [240, 4]])
    drawing = chart([P95, early], [], planned_s=2400, now_s=250).wide
    assert drawing.panels[1].at.x > drawing.now.at
    assert chart([P95, late], []).wide.panels[1].at.x == drawing.label_x


def test_the_mean_rate_is_the_providers_own_where_it_gave_one():
    assert chart(ALL, []).wide.panels[2].note != "mean 73.3"
    assert chart(ALL, [], mean_rate=73.348).wide.panels[2].note == "mean 73.3"
    assert chart(ALL, [], mean_rate=73.348, now_s=250).wide.panels[2].note.startswith("now ")


def test_the_ramp_up_ends_where_all_users_were_there():
    drawing = chart(ALL, []).wide
    assert drawing.ramp_to == pytest.approx(coordinates(drawing.panels[0].line)[1][0], abs=0.1)
    at_once = Series("vus", "VUs", "", [[0, 400], [60, 400]])
    assert chart([P95, at_once], []).wide.ramp_to is None


def test_while_it_runs_the_axis_is_as_long_as_the_plan_and_now_is_marked():
    drawn = chart(ALL, [], planned_s=480, now_s=250)
    assert drawn.wide.now.label == "now 4:10"
    assert coordinates(drawn.wide.panels[0].line)[-1][0] == pytest.approx((LEFT + drawn.wide.right) / 2, abs=0.2)
    assert drawn.wide.panels[-1].note == "now 400"
    assert chart(ALL, [], planned_s=480).wide.now is None


def test_the_table_holds_every_drawn_point():
    drawn = chart(ALL, [])
    assert drawn.head == ["Time", "Response time p95, ms", "Failed requests, 1/s", "Requests, 1/s", "Virtual users"]
    assert drawn.rows[2] == ["2:00", "900", "4", "20", "400"]
    assert len(drawn.rows) == 5
    assert drawn.step == "per 60\u00a0s"


def test_a_moment_one_series_lacks_is_a_dash_not_a_zero():
    assert chart([P95, Series("vus", "VUs", "", [[0, 1], [61, 2]])], []).rows[1] == ["1:00", "300", "–"]


def test_without_p95_any_time_is_the_main_line_and_its_siblings_are_context():
    page = Series("page", "Avg. Page Time", "sec", [[0, 1], [15, 2]])
    test = Series("test", "Avg. Test Time", "sec", [[0, 3], [15, 2]])
    panel = chart([page, test, USERS], []).wide.panels[0]
    assert panel.label == "Avg. Page Time"
    assert len(panel.context) == 1
    assert "Avg. Test Time" in [label.text for label in panel.labels]


def test_a_run_with_load_but_no_times_still_has_a_chart():
    drawn = chart([RATE], [])
    assert [panel.kind for panel in drawn.wide.panels] == ["line"]
    assert drawn.finding == "Requests: highest 20\u00a0/s at 1:00."
    assert chart([Series("x", "Something", "bytes", [[0, 1], [1, 2]])], []) is None


def test_thinning_keeps_the_order_and_every_peak():
    points = [[i, 1000 if i == 777 else i % 7] for i in range(2000)]
    thin = thinned(points)
    assert len(thin) <= MOST_POINTS
    assert (777.0, 1000.0) in thin
    assert thin == sorted(thin)


def test_points_that_arrive_in_any_order_are_drawn_in_time_order():
    assert thinned([[60, 2], [0, 1]]) == [(0.0, 1.0), (60.0, 2.0)]


@pytest.mark.parametrize(
    ("highest", "marks"),
    [
        (900, [0, 250, 500, 750, 1000]),
        (1, [0, 0.25, 0.5, 0.75, 1]),
        (0, [0, 1]),
        (0.03, [0, 0.01, 0.02, 0.03]),
        (4000, [0, 1000, 2000, 3000, 4000]),
    ],
)
def test_scales_are_round_and_reach_the_highest_value(highest, marks):
    assert scale(highest) == pytest.approx(marks)


@pytest.mark.parametrize("end", [3, 59, 240, 1800, 4000, 90_000, 1_000_000])
def test_time_marks_are_few_and_inside(end):
    marks = time_marks(end, 6)
    assert marks[0] == 0
    assert 2 <= len(marks) <= 7
    assert marks[-1] <= end


def test_a_chart_where_nothing_ever_happened_has_no_division_by_zero():
    flat = chart([Series("p95_ms", "p95", "ms", [[0, 0], [0, 0]]), Series("vus", "VUs", "", [[0, 0], [0, 0]])], [])
    assert flat.wide.panels[0].line.startswith("M")


def test_the_run_before_is_dashed_on_the_same_axes_and_named():
    then = Series("p95_ms", "Response time p95", "ms", [[0, 200], [120, 250], [240, 2000], [360, 9000]])
    drawn = chart(ALL, [LIMIT], before=("#213, passed", {"p95_ms": then}))
    panel = drawn.wide.panels[0]
    line = coordinates(panel.reference)
    assert len(line) == 3
    assert max(x for x, _ in line) <= drawn.wide.right
    assert all(panel.top <= y <= panel.bottom for _, y in line)
    assert {label.text for label in panel.labels} == {"this run", "#213, passed"}
    assert drawn.head[-1] == "#213, passed, ms"
    assert [row[-1] for row in drawn.rows] == ["200", "200", "250", "250", "2,000"]


IN_SECONDS = Series("p95_ms", "p95", "s", [[0, 1], [9, 2]])


@pytest.mark.parametrize("then", [{}, {"p95_ms": IN_SECONDS}, {"p95_ms": Series("p95_ms", "p95", "ms", [])}])
def test_a_run_before_that_measured_something_else_is_not_drawn(then):
    drawn = chart(ALL, [], before=("#213, passed", then))
    assert (drawn.wide.panels[0].reference, drawn.wide.panels[0].labels) == ("", [])
    assert len(drawn.head) == 5


def test_where_the_errors_began_is_marked_unless_that_was_at_once():
    drawing = chart(ALL, []).wide
    assert drawing.first.text == "2:00 first errors"
    assert drawing.first.x == pytest.approx(coordinates(drawing.panels[0].line)[2][0], abs=0.1)
    at_once = Series("errors_per_s", "Failed requests", "1/s", [[0, 1], [60, 1], [240, 0]])
    none = Series("errors_per_s", "Failed requests", "1/s", [[0, 0], [240, 0]])
    assert chart([P95, at_once], []).wide.first is None
    assert chart([P95, none], []).wide.first is None


def test_while_it_runs_the_line_ends_in_its_latest_value():
    [label] = chart(ALL, [], planned_s=480, now_s=250).wide.panels[0].labels
    assert (label.text, label.anchor) == ("400\u00a0ms now", "start")
    [label] = chart(ALL, [], planned_s=240, now_s=240).wide.panels[0].labels
    assert label.anchor == "end"


def test_a_label_keeps_away_from_the_other_lines_and_inside_its_box():
    box = (0.0, 0.0, 300.0, 100.0)
    flat = [(0.0, 50.0), (300.0, 50.0)]
    above = beside("x" * 5, flat, [[(0.0, 60.0), (300.0, 60.0)]], box)
    below = beside("x" * 5, flat, [[(0.0, 40.0), (300.0, 40.0)]], box)
    assert above.y < 50 < below.y
    assert beside("x" * 5, flat, [], (0.0, 45.0, 300.0, 55.0)) is None
    assert beside("x" * 60, flat, [], box) is None
