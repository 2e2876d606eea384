"""VSTS Cloud Load Test: its endpoints as methods, below `{base}/_apis/clt`.

Manual: "Load test runs", "Test drops" and "Load test types" of the VSTS REST API reference. Paths, parameters and
bodies are its own; answers come back as parsed JSON and are read by the modules beside this one.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from .base import Download, Field
from .http import Answer, Http
from .vsts_payloads import LABEL, START_MARK

HOSTS = ("*.vsclt.visualstudio.com", "vsclt.dev.azure.com")
# Where results are kept: its links carry their own permission and get no credentials from us.
BLOB_HOSTS = ("*.blob.core.windows.net",)
API_VERSION = "1.0"
SIGN_IN_STATUSES = (203, 302)
DESCRIPTION_LIMIT = 1000

START_FIELDS = (
    Field(
        "name",
        "Name",
        help="Runs of the same name belong together. Visual Studio's end in .loadtest, JMeter's in .jmx.",
        max_length=300,
    ),
    Field("test_drop_id", "Test drop id", help="The drop that holds the load test's files.", max_length=100),
    Field("description", "Description", required=False, max_length=DESCRIPTION_LIMIT),
    Field("setup_command", "Set-up command", required=False, help="A script file in the drop, run before the load."),
    Field("cleanup_command", "Clean-up command", required=False, help="A script file in the drop, run after the load."),
    Field(
        "host_process_platform",
        "Host process platform",
        required=False,
        choices=(("x86", "x86"), ("x64", "x64"), ("MSIL", "MSIL")),
        default="x86",
    ),
)


def describe(status: int, data: Any) -> str:
    """The service's own words in the body of an error: wrapped exception, wrapped value, or unhandled error."""
    if not isinstance(data, Mapping):
        return ""
    inner = data.get("value") if isinstance(data.get("value"), Mapping) else data
    message = inner.get("message") or inner.get("Message")
    return message if isinstance(message, str) else ""


def time_text(time: datetime) -> str:
    """A time as .NET writes it for a round trip: UTC with seven fraction digits."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


class VstsApi:
    def __init__(self, base_url: str, token: str, *, extra_hosts: tuple[str, ...], **options: Any):
        basic = base64.b64encode(f":{token}".encode()).decode()  # the user part is ignored; empty is usual
        self.http = Http(
            base_url,
            provider=LABEL,
            hosts=HOSTS,
            extra_hosts=extra_hosts,
            download_hosts=BLOB_HOSTS,
            # The second header asks for a plain 401 instead of a redirect to a sign-in page.
            headers={"Authorization": f"Basic {basic}", "X-TFS-FedAuthRedirect": "Suppress"},
            secrets=(token, basic),
            describe=describe,
            sign_in_statuses=SIGN_IN_STATUSES,
            **options,
        )

    def list_runs(
        self,
        *,
        from_date: datetime,
        to_date: datetime,
        top: int,
        name: str = "",
        requested_by: str = "",
        status: str = "",
        detailed: bool = True,
    ) -> Any:
        """Runs modified between two times, in no order, at most `top`. There is no paging.

        Every filter is sent, empty where it shall not filter, because the defaults would hide runs. `requestedBy`
        left out is "@Me" by the manual and everybody by the API's published description; an empty one is a value, so
        the first default does not apply, and by the second it filters nothing. `runType` left out would hide JMeter's.
        """
        return self._get(
            "testruns",
            ("name", name),
            ("requestedBy", requested_by),
            ("status", status),
            ("fromDate", time_text(from_date)),
            ("toDate", time_text(to_date)),
            ("detailed", _flag(detailed)),
            ("top", str(top)),
            ("runType", "*"),
        )

    def run(self, run_id: str) -> Any:
        return self._get(_run(run_id))

    def errors(self, run_id: str, *, type: str = "", subtype: str = "", detailed: bool = True) -> Any:
        """The error tree, or its part of one type, or of one type and subtype (never a subtype alone)."""
        filters = [("type", type)] if type else []
        filters += [("subtype", subtype)] if type and subtype else []
        return self._get(f"{_run(run_id)}/errors", *filters, ("detailed", _flag(detailed)))

    def messages(self, run_id: str) -> Any:
        return self._get(f"{_run(run_id)}/messages")

    def results(self, run_id: str) -> Any:
        """The link to the archive, diagnostics and counter groups. Holds secrets."""
        return self._get(f"{_run(run_id)}/results")

    def counter_instances(self, run_id: str, groups: Sequence[str], *, summary: bool = True) -> Any:
        return self._get(
            f"{_run(run_id)}/counterinstances", ("groupNames", ",".join(groups)), ("includeSummary", _flag(summary))
        )

    def counter_samples(self, run_id: str, wanted: Mapping[str, int]) -> Any:
        """Samples of some counters, each from an interval number to the end: {instance id: first interval}."""
        items = [
            {"counterInstanceId": instance, "fromInterval": first, "toInterval": -1}
            for instance, first in wanted.items()
        ]
        path = f"_apis/clt/{_run(run_id)}/countersamples"
        return self.http.read("POST", path, params=_query(), json={"count": len(items), "value": items}).data

    def result_summary(self, run_id: str) -> Any:
        """Totals and percentiles per page, request, transaction. In no manual; Microsoft's pipeline tasks use it."""
        return self._get(f"{_run(run_id)}/ResultSummary")

    def test_drop(self, drop_id: str) -> Any:
        """A drop with a fresh key to its files. Holds secrets."""
        return self._get(f"testdrops/{quote(drop_id, safe='')}")

    def create_test_drop(self) -> Any:
        """An empty drop to upload a load test's files to. Holds secrets."""
        return self._send("POST", "testdrops", {"dropType": "TestServiceBlobDrop"}).data

    def create_run(self, values: Mapping[str, str], token: str) -> Any:
        """A pending run; None when it was made but the answer could not be read. `values`: those of START_FIELDS."""
        name = values["name"].strip()
        body: dict[str, Any] = {
            "name": name,
            "description": values.get("description", ""),
            # One table of the manual says testDropRef.Id; every sample and client sends this.
            "testDrop": {"id": values["test_drop_id"].strip()},
            "testSettings": {
                "cleanupCommand": values.get("cleanup_command", ""),
                "hostProcessPlatform": values.get("host_process_platform") or "x86",
                "setupCommand": values.get("setup_command", ""),
            },
            # Given back with the run, so that a start whose answer was lost can be recognised.
            "runSourceIdentifier": f"{START_MARK}{token}",
        }
        if name.lower().endswith(".jmx"):
            body["runType"] = "jMeterLoadTest"
        return self._send("POST", "testruns", body).data

    def change_state(self, run_id: str, state: str) -> None:
        """ "queued" starts a pending run, "aborted" stops one: 202 without a body, and the effect comes later."""
        self._send("PATCH", _run(run_id), {"state": state})

    def download(self, url: str, *, filename: str, content_type: str) -> Download:
        return self.http.download(url, filename=filename, content_type=content_type)

    def _get(self, path: str, *params: tuple[str, str]) -> Any:
        return self.http.get(f"_apis/clt/{path}", _query(*params)).data

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> Answer:
        return self.http.send(method, f"_apis/clt/{path}", params=_query(), json=body)


def _query(*params: tuple[str, str]) -> list[tuple[str, str]]:
    """With the version, which is mandatory, in the query, as Microsoft's own tasks send it: unlike a parameter of the
    Accept header, the other way, no proxy or cache drops it."""
    return [("api-version", API_VERSION), *params]


def _run(run_id: str) -> str:
    return f"testruns/{quote(run_id, safe='')}"


def _flag(value: bool) -> str:
    return "true" if value else "false"
