"""Grafana Cloud k6, "Legacy API": one method per endpoint, answers in k6's own words (see k6_legacy.py for ours).

/v3 organizations, projects and the account; /loadtests/v2 tests, runs, thresholds; /cloud/v5 runs; and the undocumented
/loadtests/v3 checks and urls, /loadtests/v4 summaries that Grafana's own tools call. `select`: the keys wanted, or all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .answers import clean_text
from .base import BadRow, NotFound
from .http import Http
from .k6_metrics import http_summary
from .k6_payloads import (
    LABEL,
    Account,
    Check,
    Export,
    HttpSummary,
    LoadTest,
    Organization,
    Overview,
    Project,
    Threshold,
    ThresholdMetric,
    Url,
    object_of,
    parse,
    parse_all,
    rows_of,
    total_of,
    unreadable,
)

# Rows as they came, and how many the whole list has (None: not said).
Listing = tuple[list[Any], int | None]


def describe(status: int, data: Any) -> str:
    """The reason in an error's body: v2 and v3 name fields and a list of errors, v5 names details."""
    error = data.get("error") if isinstance(data, dict) else None
    if not isinstance(error, dict):
        return clean_text(error)
    reasons = [error.get("message")]
    reasons += error["errors"] if isinstance(error.get("errors"), list) else []
    if isinstance(error.get("field_errors"), dict):
        for name, problems in error["field_errors"].items():
            reasons += [
                f"{name}: {clean_text(text)}" for text in (problems if isinstance(problems, list) else [problems])
            ]
    if isinstance(error.get("details"), list):
        reasons += [detail.get("message") for detail in error["details"] if isinstance(detail, dict)]
    return "; ".join(dict.fromkeys(filter(None, map(clean_text, reasons))))


def path_id(external_id: str, label: str = LABEL) -> str:
    """An id fit for a path; NotFound for what can be no id of k6."""
    if external_id.isascii() and external_id.isdecimal():
        return external_id
    raise NotFound(f'{label} has nothing with the id "{clean_text(external_id, 40)}". Its ids are whole numbers.')


class K6LegacyApi:
    def __init__(self, http: Http):
        self.http = http

    # -- /v3: who and what there is ------------------------------------------------------------------------------------

    def account(self) -> Account:
        """Whose token this is. Undocumented, yet called by Grafana's own tools."""
        item = parse(Account, object_of(self.http.get("/v3/account/me").data, "user", "the account"))
        if isinstance(item, BadRow):
            raise unreadable("the account's id")
        return item

    def organizations(self) -> tuple[list[Organization], list[BadRow]]:
        data = self.http.get("/v3/organizations").data
        return parse_all(Organization, rows_of(data, "organizations", "the list of organizations"))

    def projects(self, organization_id: str) -> tuple[list[Project], list[BadRow]]:
        data = self.http.get(f"/v3/organizations/{path_id(organization_id)}/projects").data
        return parse_all(Project, rows_of(data, "projects", "the list of projects"))

    # -- /loadtests/v2: tests and runs ---------------------------------------------------------------------------------

    def tests(self, project_id: str, page: int, page_size: int) -> Listing:
        params = {"project_id": project_id, "order_by": "id", "page": str(page), "page_size": str(page_size)}
        data = self.http.get("/loadtests/v2/tests", params).data
        return rows_of(data, "k6-tests", "the list of tests"), total_of(data)

    def test(self, test_id: str) -> LoadTest:
        data = self.http.get(f"/loadtests/v2/tests/{path_id(test_id)}").data
        item = parse(LoadTest, object_of(data, "k6-test", "the test"))
        if isinstance(item, BadRow):
            raise unreadable("the test's id")
        return item

    def runs_v2(
        self,
        *,
        test_id: str = "",
        ids: Sequence[str] = (),
        public_id: str = "",
        select: Sequence[str] = (),
        page: int | None = None,
        page_size: int | None = None,
    ) -> Listing:
        """Runs of one test, some of them by id, or the one that was shared as `public_id`."""
        params = [("test_id", test_id), ("public_id", public_id), ("$select", ",".join(select))]
        params += [("ids[]", external_id) for external_id in ids]
        params += [("page", str(page or "")), ("page_size", str(page_size or ""))]
        data = self.http.get("/loadtests/v2/runs", [(key, value) for key, value in params if value]).data
        return rows_of(data, "k6-runs", "the list of runs"), total_of(data)

    def run_v2(self, run_id: str, select: Sequence[str] = ()) -> Mapping[str, Any]:
        data = self.http.get(f"/loadtests/v2/runs/{path_id(run_id)}", _select(select)).data
        return object_of(data, "k6-run", "the run")

    def start(self, test_id: str) -> Any:
        """Starts the test and costs money: sent once. The answer's body, which should hold "k6-run"."""
        return self.http.send("POST", f"/loadtests/v2/tests/{path_id(test_id)}/start-testrun").data

    def stop(self, run_id: str) -> None:
        self.http.send("POST", f"/loadtests/v2/runs/{path_id(run_id)}/stop")

    def thresholds(self, run_id: str) -> tuple[list[Threshold], dict[str, ThresholdMetric]]:
        """The run's thresholds, and the metrics they watch by metric id."""
        data = self.http.get("/loadtests/v2/thresholds", {"test_run_id": path_id(run_id)}).data
        thresholds, _ = parse_all(Threshold, rows_of(data, "k6-thresholds", "the thresholds"))
        rows = data.get("k6-metrics") if isinstance(data, dict) else None
        metrics, _ = parse_all(ThresholdMetric, rows if isinstance(rows, list) else [])
        return thresholds, {metric.id: metric for metric in metrics}

    def overview(self, run_id: str) -> Overview | None:
        data = self.http.get("/loadtests/v2/run-overviews", {"test_run_id": path_id(run_id)}).data
        found, _ = parse_all(Overview, rows_of(data, "k6-run-overviews", "the overview")[:1])
        return found[0] if found else None

    def export(self, run_id: str) -> Export:
        """Which files of the run there are."""
        item = parse(Export, self.run_v2(run_id, ("id", "export", "k6_archive")))
        return item if isinstance(item, Export) else Export.model_validate({})

    def ask_for_export(self, run_id: str) -> None:
        """Has k6 write the run's numbers into a file; its address appears in the run some time later."""
        self.http.send("POST", f"/loadtests/v2/runs/{path_id(run_id)}/export")

    # -- /loadtests/v3 and v4: undocumented siblings -------------------------------------------------------------------

    def checks(self, run_id: str) -> list[Check]:
        data = self.http.get("/loadtests/v3/checks", {"test_run_id": path_id(run_id)}).data
        return parse_all(Check, rows_of(data, "k6-checks", "the checks"))[0]

    def urls(self, run_id: str) -> list[Url]:
        data = self.http.get("/loadtests/v3/urls", {"test_run_id": path_id(run_id)}).data
        return parse_all(Url, rows_of(data, "k6-urls", "the requests"))[0]

    def summary_v4(self, run_id: str) -> HttpSummary | None:
        select = ("http_metric_summary", "thresholds_summary", "checks_metric_summary")
        return http_summary(self.http.get(f"/loadtests/v4/test_runs({path_id(run_id)})", _select(select)).data)

    # -- /cloud/v5: runs as OData --------------------------------------------------------------------------------------

    def runs_v5(
        self, test_id: str, *, top: int, skip: int = 0, orderby: str = "", select: Sequence[str] = (), filter: str = ""
    ) -> Listing:
        params = [("$top", str(top)), ("$skip", str(skip)), ("$count", "true"), ("$orderby", orderby)]
        params += [("$select", ",".join(select)), ("$filter", filter)]
        path = f"/cloud/v5/load_tests/{path_id(test_id)}/test_runs"
        data = self.http.get(path, [(key, value) for key, value in params if value]).data
        return rows_of(data, "value", "the list of runs"), total_of(data)

    def run_v5(self, run_id: str, select: Sequence[str] = ()) -> Mapping[str, Any]:
        data = self.http.get(f"/cloud/v5/test_runs/{path_id(run_id)}", _select(select)).data
        if not isinstance(data, dict):
            raise unreadable("the run")
        return data


def _select(keys: Sequence[str]) -> list[tuple[str, str]]:
    return [("$select", ",".join(keys))] if keys else []
