"""Our own Locust as a stage for the suite of every service. It has one run, so that it has to be told which."""

from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from runs.choices import RunStatus
from runs.services import locust
from runs.services.base import RunService

from .locust_stand_in import PASSWORD, USERNAME, Fault, LocustStandIn, locust_stand_in


class LocustStage:
    provider = "locust"
    start_path, stop_path = "/swarm", "/stop"

    def __init__(self, stand_in: LocustStandIn) -> None:
        self.stand_in = stand_in
        self.account = {"credentials": {"username": USERNAME, "password": PASSWORD}}
        self.show(RunStatus.FINISHED)
        stand_in.failures.append(("GET", f"/pay?token={PASSWORD}", f"at http://u:{PASSWORD}@shop.example", 1, ""))
        self.seen = 0

    def show(self, status: RunStatus) -> None:
        self.stand_in.begin(state="stopped" if status == RunStatus.FINISHED else "running")

    def service(self, page_size: int = 0, **options: Any) -> RunService:
        locust._BEGAN.clear()
        return self.stand_in.service(USERNAME, PASSWORD, **options)

    def ids(self) -> set[str]:
        return {self.stand_in.began.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def advance(self, seconds: float) -> None:
        self.stand_in.clock += timedelta(seconds=seconds)

    def break_(self, fault: str) -> None:
        self.stand_in.faults.append(Fault.parse(fault))

    def requests(self) -> list[dict[str, Any]]:
        seen, self.seen = self.seen, len(self.stand_in.log)
        return self.stand_in.log[seen:]

    def is_write(self, row: dict[str, Any]) -> bool:
        return row["method"] == "POST" and row["path"] in (self.start_path, self.stop_path)

    def secrets(self) -> set[str]:
        return {PASSWORD}


@contextmanager
def locust_stage():
    with locust_stand_in(login="basic") as stand_in:
        yield LocustStage(stand_in)
