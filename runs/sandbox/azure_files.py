"""Files of Azure tests and runs: links that are a key by themselves, for a while, and what they open."""

import io
import zipfile
from typing import Any
from urllib.parse import quote

from .clock import SECOND, iso
from .models import AZURE, Run, Test
from .store import Store
from .wire import Reply, Request

_HOUR = 3600 * SECOND
_TEN_MINUTES = 600 * SECOND
_NAMES = {"config": "config.yaml", "properties": "user.properties", "results": "csv.zip", "logs": "logs.zip",
          "report": "reports.zip"}  # fmt: skip
_KINDS = {"JMX": "JMX_FILE", "Locust": "TEST_SCRIPT", "URL": "URL_TEST_CONFIG"}
_INPUTS = ("script", "config", "properties")


def _link(store: Store, owner: str, what: str, file: str, base_url: str, lasts: int) -> tuple[str, str]:
    """A link and when it ends."""
    ends = iso(store.clock.now() + lasts)[:19] + "Z"
    sig = quote(store.secrets.azure_sig(f"{owner}/{what}"), safe="")
    resource = "c&sp=rl" if what == "container" else "b&sp=r"
    path = f"{base_url}/__blob__/azure/{owner}/{what}/{quote(file)}"
    return f"{path}?skoid=713ccf3d&sv=2023-11-03&se={quote(ends, safe='')}&sr={resource}&sig={sig}", ends


def _file(
    store: Store, owner: str, made: dict[str, Any], what: str, base_url: str, *, lasts: int, kind: str
) -> dict[str, Any]:
    file = made["script"] if what == "script" else _NAMES.get(what, owner)
    url, ends = _link(store, owner, what, file, base_url, lasts)
    row = {"url": url, "fileName": file, "fileType": kind, "expireDateTime": ends}
    if what in _INPUTS:
        row["validationStatus"] = "VALIDATION_SUCCESS" if what == "script" else "VALIDATION_NOT_REQUIRED"
        if what == "script" and made.get("outcome") == "invalid_script":
            row |= {"validationStatus": "VALIDATION_FAILURE", "validationFailureDetails": "line 118: not closed"}
    return row


def _inputs(store: Store, owner: str, made: dict[str, Any], base_url: str, lasts: int) -> dict[str, Any]:
    def row(what: str, kind: str) -> dict[str, Any]:
        return _file(store, owner, made, what, base_url, lasts=lasts, kind=kind)

    script = "urlTestConfigFileInfo" if made["kind"] == "URL" else "testScriptFileInfo"
    return {
        "configFileInfo": row("config", "ADDITIONAL_ARTIFACTS"),
        script: row("script", _KINDS[made["kind"]]),
        "userPropFileInfo": row("properties", "USER_PROPERTIES"),
        "additionalFileInfo": [],
    }


def test_artifacts(store: Store, test: Test, base_url: str) -> dict[str, Any]:
    return _inputs(store, test.id, test.made, base_url, _TEN_MINUTES)


def artifacts(store: Store, run: Run, base_url: str) -> dict[str, Any]:
    """Of a run; its outputs once the results are there, if it had a load."""
    found: dict[str, Any] = {"inputArtifacts": _inputs(store, run.id, run.made, base_url, _HOUR)}
    if _has_outputs(run, store.clock.now()):
        outputs = (("resultFileInfo", "results"), ("logsFileInfo", "logs"), ("reportFileInfo", "report"))
        found["outputArtifacts"] = {
            name: _file(store, run.id, run.made, what, base_url, lasts=_HOUR, kind="ADDITIONAL_ARTIFACTS")
            for name, what in outputs
        }
        url, ends = _link(store, run.id, "container", run.id, base_url, _HOUR)
        found["outputArtifacts"]["artifactsContainerInfo"] = {"url": url, "expireDateTime": ends}
    return found


def _has_outputs(run: Run, now: int) -> bool:
    return run.date("results", now) is not None and run.date("load_started", now) is not None


def named(owner: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The file of this name among all that a test or a run shows."""
    for part in owner.values():
        if isinstance(part, dict):
            found = part if part.get("fileName") == name else named(part, name)
            if found:
                return found
    return None


def download(store: Store, request: Request, owner: str, what: str, file: str) -> Reply:
    """A blob. No token: the signature is the key, as long as it lasts."""
    known = store.runs[AZURE].get(owner) or store.tests[AZURE].get(owner)
    ends = request.arg("se") or ""
    fresh = ends > iso(store.clock.now())[:19] + "Z"
    if known is None or not fresh or request.arg("sig") != store.secrets.azure_sig(f"{owner}/{what}"):
        return _refused(403, "AuthenticationFailed")
    if what in _INPUTS:
        return Reply(200, content=f"# {file} of {owner}\n".encode(), content_type="application/octet-stream")
    if isinstance(known, Run) and what != "container" and _has_outputs(known, store.clock.now()):
        return Reply(200, content=_zip(known, what), content_type="application/zip")
    return _refused(404, "BlobNotFound")


def _refused(status: int, code: str) -> Reply:
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code></Error>'
    return Reply(status, content=text.encode(), content_type="application/xml")


def _zip(run: Run, what: str) -> bytes:
    csv = f"timeStamp,elapsed,label,responseCode\n{run.created // 1000},212,GET /cart,200\n"
    texts = {
        "results": ("engine1_results.csv", csv),
        "logs": ("engine1.log", "INFO o.a.j.JMeter: the load is over\n"),
        "report": ("report/index.html", "<!doctype html><title>Report</title>\n"),
    }
    name, text = texts[what]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    return out.getvalue()
