"""The loopback storage that signed links point at. No authorization header: the signature in the link is the key."""

import csv
import gzip
import io
import re
import zipfile

from . import azure_files, k6_load, k6_numbers
from .clock import iso
from .models import K6, VSTS, Run
from .store import Store
from .vsts_details import has_archive
from .wire import Reply, Request

_XML = "application/xml"
_RESULTS = re.compile(r"/__blob__/results/([^/]+)/TestResult/LoadTest\.ltrar\.zip")
_EXPORT = re.compile(r"/__blob__/k6-exports/(\d+)\.csv")
_AZURE = re.compile(r"/__blob__/azure/([^/]+)/([^/]+)/(.+)")
_DROP = re.compile(r"/__blob__/drops/([^/]+)/(.+)")


def handle(store: Store, request: Request) -> Reply:
    for pattern, answer in ((_RESULTS, _results), (_EXPORT, _export), (_DROP, _drop), (_AZURE, azure_files.download)):
        found = pattern.fullmatch(request.path)
        if found:
            return answer(store, request, *found.groups())
    return _refused(404, "ResourceNotFound")


def _refused(status: int, code: str) -> Reply:
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code></Error>'
    return Reply(status, content=text.encode(), content_type=_XML)


def _file(content: bytes, content_type: str = "application/octet-stream") -> Reply:
    return Reply(200, content=content, content_type=content_type)


def _results(store: Store, request: Request, run_id: str) -> Reply:
    run = store.runs[VSTS].get(run_id.lower())
    if run is None or request.arg("sig") != store.secrets.results_sig(run.id):
        return _refused(403, "AuthenticationFailed")
    if not has_archive(run, store.clock.now()):
        return _refused(404, "BlobNotFound")
    text = f"ltrar archive of run {run.number} of {run.test}\n" * 200
    return _file(gzip.compress(text.encode(), mtime=0))


def _export(store: Store, request: Request, run_id: str) -> Reply:
    run = store.runs[K6].get(run_id)
    if run is None or request.arg("sig") != store.secrets.export_sig(run.id):
        return _refused(403, "AuthenticationFailed")
    return _file(_csv(run, store.clock.now()).encode(), "text/csv")


def _csv(run: Run, now: int) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["metric_name", "timestamp", "metric_value", "method", "status", "url"])
    load = k6_load.load_of(run, now)
    for row in k6_numbers.urls(run, now):
        when = iso(load.end if load else now)
        writer.writerow(["http_reqs", when, row.count, row.method, row.status, row.url])
        writer.writerow(["http_req_duration", when, row.mean, row.method, row.status, row.url])
    return out.getvalue()


def _drop(store: Store, request: Request, container: str, name: str) -> Reply:
    """Files of a drop, and the JMeter archive of a run, which is reached with the key of the run's drop."""
    run = store.runs[VSTS].get(container)
    drop_id = run.made["drop_id"] if run else container
    if drop_id not in store.drops or request.arg("sig") != store.secrets.drop_sig(drop_id):
        return _refused(403, "AuthenticationFailed")
    path = f"{container}/{name}"
    if request.method == "PUT":
        store.put_blob(path, request.body)
        return Reply(201)
    if run and name == "TestResult/ResultsArchive.zip" and has_archive(run, store.clock.now()):
        return _file(_jmeter_archive(run), "application/zip")
    data = store.blob(path)
    return _refused(404, "BlobNotFound") if data is None else _file(data)


def _jmeter_archive(run: Run) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        member = zipfile.ZipInfo("Results1.csv", (2020, 1, 1, 0, 0, 0))
        archive.writestr(member, f"timeStamp,elapsed,label,responseCode\n{run.created // 1000},212,GET /cart,200\n")
    return out.getvalue()
