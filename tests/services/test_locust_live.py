"""A real Locust, started and stopped from here: what we read equals what it says itself."""

import urllib.request
from uuid import uuid4

import pytest

from runs.choices import RunStatus
from runs.services.base import Refused, StartWish
from runs.services.locust import LocustService
from tests.real_locust import own_csv, real_locust, wait_until

WISH = {"users": "20", "spawn_rate": "20", "host": "", "run_time": "30s"}
COLUMNS = {
    "count": "Request Count", "failed": "Failure Count", "rate_per_s": "Requests/s", "avg_ms": "Average Response Time",
    "median_ms": "50%", "p90_ms": "90%", "p95_ms": "95%", "p99_ms": "99%", "max_ms": "Max Response Time",
}  # fmt: skip


@pytest.mark.slow
def test_a_run_from_its_start_to_its_numbers():
    with real_locust() as url:
        service = LocustService(url, {}, extra_hosts=("127.0.0.1",))
        wish = StartWish(test_external_id="", test_name="", values=WISH, token=str(uuid4()))
        run = service.start_step("start", wish, "")
        assert (run.status, run.planned_duration_s, run.virtual_users) == (RunStatus.RUNNING, 30, 20)
        with pytest.raises(Refused, match="busy"):
            service.start_step("start", wish, "")

        # Each person who cannot pay raises: a failure and an exception.
        wait_until(
            lambda: len({error.type for error in service.get_details(service.get_run(run.external_id)).errors}) == 2
        )
        service.stop(run.external_id)

        ended = service.get_run(run.external_id)
        assert (ended.status, ended.external_id) == (RunStatus.FINISHED, run.external_id)
        details, said = service.get_details(ended), own_csv(url)
        told = {metric.name or "Aggregated": metric.numbers for metric in details.metrics}
        assert set(told) == set(said) == {"GET /", "GET /search", "POST /pay", "Aggregated"}
        for name, numbers in told.items():
            assert {key: numbers[key] for key in COLUMNS} == {
                key: float(said[name][column]) for key, column in COLUMNS.items()
            }
        failures, exceptions = details.errors
        assert failures.occurrences == exceptions.occurrences == int(said["POST /pay"]["Failure Count"])
        assert "demo_locustfile.py" in exceptions.stack_trace

        # Started elsewhere, it is another run, and this one is not known any more.
        form = b"user_count=1&spawn_rate=1&run_time=30s"
        urllib.request.urlopen(f"{url}/swarm", data=form).close()  # noqa: S310 (our own)
        wait_until(lambda: service.get_runs([run.external_id]) == [])
        [page] = service.iter_runs(None)
        assert page.runs[0].created_at >= ended.load_ended_at
