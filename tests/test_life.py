"""The life of a run: which phases it had, how long each took, what is still to come."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from runs.life import life_of, typical

T0 = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)


def at(seconds):
    return T0 + timedelta(seconds=seconds)


@dataclass
class Run:
    status: str
    created_at: datetime = field(default_factory=lambda: T0)
    queued_at: datetime | None = None
    started_at: datetime | None = None
    load_started_at: datetime | None = None
    load_ended_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    planned_duration_s: int | None = None


def shown(run, now=600):
    return [(phase.status, phase.state, phase.seconds) for phase in life_of(run, at(now))]


def test_a_run_with_every_time_has_every_phase():
    run = Run(
        "finished",
        queued_at=at(2),
        started_at=at(43),
        load_started_at=at(115),
        load_ended_at=at(1915),
        ended_at=at(2001),
        duration_s=1800,
        planned_duration_s=1800,
    )
    assert shown(run) == [
        ("created", "done", 2),
        ("queued", "done", 41),
        ("starting", "done", 72),
        ("running", "done", 1800),
        ("processing", "done", 86),
        ("finished", "done", 2001),
    ]
    load, end = life_of(run, at(3000))[3], life_of(run, at(3000))[-1]
    assert (load.as_planned, load.begin, load.end) == (True, at(115), at(1915))
    assert (end.is_end, end.begin) == (True, at(2001))


def test_phases_of_no_length_are_left_out():
    run = Run("finished", started_at=at(5), load_started_at=at(5), load_ended_at=at(65), ended_at=at(65), duration_s=60)
    assert shown(run) == [("created", "done", 5), ("running", "done", 60), ("finished", "done", 65)]


def test_a_run_stopped_before_its_load_has_none():
    run = Run("aborted", queued_at=at(1), ended_at=at(31))
    assert shown(run) == [("created", "done", 1), ("queued", "done", 30), ("aborted", "done", 31)]


def test_an_ended_run_without_times_claims_none():
    assert shown(Run("error")) == [("created", "done", None), ("error", "done", None)]


def test_a_run_shorter_than_planned_is_not_as_planned():
    run = Run("aborted", load_started_at=at(1), load_ended_at=at(138), ended_at=at(139), planned_duration_s=1800)
    assert [phase.as_planned for phase in life_of(run, at(200)) if phase.status == "running"] == [False]


def test_a_running_run_grows_and_says_what_is_to_come():
    run = Run("running", queued_at=at(2), load_started_at=at(100), planned_duration_s=1000)
    assert shown(run, 600) == [
        ("created", "done", 2),
        ("queued", "done", 98),
        ("running", "now", 500),
        ("processing", "next", None),
        ("finished", "next", None),
    ]
    phases = life_of(run, at(600))
    assert phases[2].share == 0.5
    assert phases[-1].begin == at(1100)


def test_a_run_longer_than_its_plan_is_not_more_than_full():
    run = Run("running", load_started_at=at(0), planned_duration_s=100)
    assert life_of(run, at(5000))[0].share == 1.0


def test_without_a_plan_no_end_is_promised():
    assert life_of(Run("running", load_started_at=at(0)), at(10))[-1].begin is None


def test_a_run_that_is_being_stopped_promises_no_planned_end():
    phases = life_of(Run("stopping", load_started_at=at(1), planned_duration_s=100), at(10))
    assert [phase.status for phase in phases] == ["created", "stopping", "processing", "finished"]
    assert phases[-1].begin is None


def test_a_status_ahead_of_its_times_begins_with_the_last_time_known():
    assert shown(Run("queued"), 60)[:1] == [("queued", "now", 60)]
    assert [status for status, _, _ in shown(Run("queued"))] == ["queued", "running", "processing", "finished"]


def test_times_ahead_of_the_status_win():
    run = Run("running", load_started_at=at(10), load_ended_at=at(70))
    assert shown(run, 80)[:3] == [("created", "done", 10), ("running", "done", 60), ("processing", "now", 10)]


def test_times_that_run_backwards_make_no_negative_phase():
    run = Run("finished", queued_at=at(20), started_at=at(10), load_started_at=at(30), ended_at=at(90))
    assert all(seconds >= 0 for _, _, seconds in shown(run))
    assert [status for status, _, _ in shown(run)] == ["created", "queued", "running", "finished"]


def test_a_clock_behind_the_provider_counts_from_nought():
    assert shown(Run("running", load_started_at=at(100)), 90)[1] == ("running", "now", 0)


def test_an_unknown_status_has_the_phases_its_times_tell():
    assert shown(Run("unknown", load_started_at=at(5))) == [("created", "done", 5), ("running", "done", None)]


def ended(queued, waited, processed):
    """A finished run whose load took 100 s."""
    load = queued + waited
    return Run(
        "finished",
        queued_at=at(queued),
        load_started_at=at(load),
        load_ended_at=at(load + 100),
        ended_at=at(load + 100 + processed),
    )


def test_what_is_typical_is_the_median_of_at_least_three_runs():
    runs = [ended(2, 30, 80), ended(2, 35, 90), ended(2, 400, 100)]
    assert typical(runs) == {"created": 2, "queued": 35, "processing": 90}
    assert typical(runs[:2]) == {}


def test_a_phase_that_few_of_the_runs_had_is_not_typical():
    without = Run("finished", load_started_at=at(2), load_ended_at=at(102), ended_at=at(102))
    assert typical([ended(2, 30, 80), ended(2, 30, 80), without]) == {"created": 2}


def test_the_phases_carry_what_is_typical_except_the_load():
    phases = life_of(ended(2, 41, 86), at(600), {"queued": 35, "processing": 90})
    assert [(phase.status, phase.typical_s) for phase in phases] == [
        ("created", None),
        ("queued", 35),
        ("running", None),
        ("processing", 90),
        ("finished", None),
    ]


def test_the_end_is_estimated_from_the_plan_and_the_usual_processing():
    run = Run("running", load_started_at=at(100), planned_duration_s=1000)
    *_, processing, end = life_of(run, at(600), {"processing": 90})
    assert (processing.begin, processing.typical_s, end.begin) == (at(1100), 90, at(1190))


def test_from_starting_on_the_usual_time_tells_when_the_load_begins():
    run = Run("starting", started_at=at(10), planned_duration_s=100)
    assert [phase.begin for phase in life_of(run, at(20), {"starting": 60, "processing": 5})[2:]] == [
        at(70),
        at(170),
        at(175),
    ]
    assert all(phase.begin is None for phase in life_of(run, at(20))[2:])


def test_nothing_is_promised_for_a_moment_that_has_passed():
    run = Run("running", load_started_at=at(0), planned_duration_s=100)
    assert life_of(run, at(101))[-1].begin is None
    processing = Run("processing", load_started_at=at(0), load_ended_at=at(100))
    assert life_of(processing, at(110), {"processing": 60})[-1].begin == at(160)
    assert life_of(processing, at(190), {"processing": 60})[-1].begin is None
