"""Grafana Cloud k6, /cloud/v6: one method per call, answers in k6's own words (see k6_v6_runs.py for ours)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from .base import BadRow, Download, Unauthorized
from .http import Http
from .k6_legacy_api import path_id
from .k6_payloads import Project, parse_all, rows_of, total_of, unreadable
from .k6_v6_payloads import LABEL, Limits, LoadTest, LoadZone, Run, Schedule
from .k6_v6_walk import Listing, rows_to_the_end

PORTS = {"http": 80, "https": 443}
LAST_RUNS = 5  # of a test, among which one has the options it ran with
MOST_SCRIPT = 200 * 2**20


class K6V6Api:
    def __init__(self, http: Http, stack_id: str, page_size: int):
        self._http, self._stack_id, self._page_size = http, stack_id, page_size

    @property
    def http(self) -> Http:
        """Unauthorized, before anything is sent, when the stack's id can be none."""
        if not (self._stack_id.isascii() and self._stack_id.isdecimal()):
            raise Unauthorized(
                f"The stack id of this {LABEL} account is not a whole number. Copy it from Grafana Cloud: Testing & "
                "synthetics, Performance, Settings, Access."
            )
        return self._http

    # -- lists ---------------------------------------------------------------------------------------------------------

    def projects(self) -> tuple[list[Project], list[BadRow]]:
        return parse_all(Project, self._all("projects", "the list of projects", orderby="created"))

    def tests(self) -> tuple[list[LoadTest], list[BadRow]]:
        return parse_all(LoadTest, self._all("load_tests", "the list of tests", orderby="id"))

    def schedules(self) -> tuple[list[Schedule], list[BadRow]]:
        return parse_all(Schedule, self._all("schedules", "the list of schedules"))

    def limits(self) -> list[Limits]:
        return parse_all(Limits, self._all("project-limits", "the limits"))[0]

    def load_zones(self) -> list[LoadZone]:
        data = self.http.get("/cloud/v6/load_zones").data
        return parse_all(LoadZone, rows_of(data, "value", "the load zones", LABEL))[0]

    def runs(self, created_after: datetime | None) -> Listing:
        """Runs of all tests, oldest first: this list takes no order."""
        return self._list("test_runs", "the list of runs", created_after=_iso(created_after))

    def follow(self, link: str) -> Listing:
        """The page that a link of a list leads to."""
        return _listing(self.http.get(own_link(link, self.http.base_url)).data, "the next page of a list")

    def _all(self, path: str, what: str, orderby: str = "") -> list[Any]:
        return rows_to_the_end(lambda: self._list(path, what, **{"$orderby": orderby}), self.follow)

    def _list(self, path: str, what: str, **more: str) -> Listing:
        params = {"$count": "true", "$top": str(self._page_size), **more}
        data = self.http.get(f"/cloud/v6/{path}", {key: value for key, value in params.items() if value}).data
        return _listing(data, what)

    def newest_runs(self, test_id: str) -> list[Run]:
        """The last few runs of a test, newest first."""
        params = {"$orderby": "created desc", "$top": str(LAST_RUNS)}
        data = self.http.get(f"/cloud/v6/load_tests/{path_id(test_id, LABEL)}/test_runs", params).data
        return parse_all(Run, rows_of(data, "value", "the runs of a test", LABEL))[0]

    # -- one of them ---------------------------------------------------------------------------------------------------

    def run(self, run_id: str) -> Mapping[str, Any]:
        data = self.http.get(f"/cloud/v6/test_runs/{path_id(run_id, LABEL)}").data
        if not isinstance(data, dict):
            raise unreadable("the run", LABEL)
        return data

    def schedule(self, schedule_id: str) -> Mapping[str, Any]:
        data = self.http.get(f"/cloud/v6/schedules/{path_id(schedule_id, LABEL)}").data
        return data if isinstance(data, dict) else {}

    def hours_of(self, options: Mapping[str, Any], project_id: str) -> Any:
        """What running with these options would cost: the answer's `vuh_usage`."""
        body: dict[str, Any] = {"options": options}
        if project_id.isdecimal():
            body["project_id"] = int(project_id)
        data = self.http.read("POST", "/cloud/v6/validate_options", json=body).data
        return data.get("vuh_usage") if isinstance(data, dict) else None

    def run_script(self, run_id: str) -> Download:
        return self._script(f"test_runs/{path_id(run_id, LABEL)}")

    def test_script(self, test_id: str) -> Download:
        return self._script(f"load_tests/{path_id(test_id, LABEL)}")

    def _script(self, path: str) -> Download:
        return self.http.open_own(f"/cloud/v6/{path}/script", filename="", max_bytes=MOST_SCRIPT)

    # -- writes, each sent once ----------------------------------------------------------------------------------------

    def start(self, test_id: str, key: str) -> Any:
        """Starts the test and costs money. For ten minutes the same key names the same start."""
        path = f"/cloud/v6/load_tests/{path_id(test_id, LABEL)}/start"
        return self.http.send("POST", path, headers={"K6-Idempotency-Key": key}).data

    def abort(self, run_id: str) -> None:
        self._post(f"test_runs/{path_id(run_id, LABEL)}/abort")

    def note(self, run_id: str, note: str) -> None:
        self.http.send("PATCH", f"/cloud/v6/test_runs/{path_id(run_id, LABEL)}", json={"note": note})

    def star(self, run_id: str, starred: bool) -> None:
        self._post(f"test_runs/{path_id(run_id, LABEL)}/{'star' if starred else 'unstar'}")

    def switch_schedule(self, schedule_id: str, active: bool) -> None:
        self._post(f"schedules/{path_id(schedule_id, LABEL)}/{'activate' if active else 'deactivate'}")

    def _post(self, path: str) -> None:
        self.http.send("POST", f"/cloud/v6/{path}")


def _listing(data: Any, what: str) -> Listing:
    rows = rows_of(data, "value", what, LABEL)
    link = data.get("@nextLink") if isinstance(data, dict) else None
    return Listing(rows, link if isinstance(link, str) else "", total_of(data))


def own_link(link: str, base_url: str) -> str:
    """A link of a list, at our own origin where it means that host: k6 is known to write http where it is called over
    https. Any other link stays as it is, and `Http` refuses it."""
    try:
        link = urljoin(f"{base_url}/", link)
        there, base = urlsplit(link), urlsplit(base_url)
        ports = {there.port or PORTS.get(there.scheme), base.port or PORTS.get(base.scheme)}
    except ValueError:
        raise unreadable("a readable link to the next page of a list", LABEL) from None
    usual = ports == set(PORTS.values()) and "https" in (there.scheme, base.scheme)
    if there.hostname != base.hostname or there.scheme not in PORTS or "@" in there.netloc:
        return link
    return there._replace(scheme=base.scheme, netloc=base.netloc).geturl() if len(ports) == 1 or usual else link


def _iso(time: datetime | None) -> str:
    return "" if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
