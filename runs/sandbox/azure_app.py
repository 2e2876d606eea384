"""The Azure Load Testing data plane as one application: who may call, how it says no, and which module answers."""

import re
from http import HTTPStatus
from typing import Any

from . import azure_login
from .models import AZURE, Run, Test
from .store import Store
from .wire import BadBody, MethodNotRouted, NotRouted, Refusal, Reply, Request, Router

routes = Router()

# Oldest first. `/triggers` is younger than the rest.
VERSIONS = (
    "2022-11-01", "2023-04-01-preview", "2024-03-01-preview", "2024-05-01-preview", "2024-07-01-preview",
    "2024-12-01-preview", "2025-03-01-preview", "2025-11-01-preview", "2026-04-01",
)  # fmt: skip
_FIRST = {"triggers": "2024-07-01-preview"}
_OWN = re.compile(r"/(tests|test-runs|triggers|notification-rules|test-profiles|test-profile-runs)(/.*)?")
# Reading a series is a POST, and a reader may do it.
_READS = re.compile(r"/test-runs/[^/]+/metrics")
_ID = re.compile(r"[a-z0-9_-]{2,50}")


def owns(path: str) -> bool:
    return bool(_OWN.fullmatch(path)) or azure_login.owns(path)


def is_list_of_runs(request: Request) -> bool:
    return request.method == "GET" and request.path.rstrip("/") == "/test-runs"


def handle(store: Store, request: Request) -> Reply:
    if azure_login.owns(request.path):
        return azure_login.handle(store, request)
    supported = _supported(store, request.path)
    try:
        _check_token(store, request)
        handler, arguments = routes.find(request.method, request.path.rstrip("/"))
        _check_version(request, supported)
        reply = handler(store, request, **arguments)
    except Refusal as refusal:
        reply = refusal.reply
    except BadBody as problem:
        reply = bad(str(problem)).reply
    except MethodNotRouted:
        reply = error(405, "MethodNotAllowed", f"The method {request.method} is not allowed here.").reply
    except NotRouted:
        reply = error(404, "ResourceNotFound", f"There is nothing at {request.path}.").reply
    reply.headers.append(("api-supported-versions", ", ".join(supported)))
    return reply


def error(status: int, code: str, message: str) -> Refusal:
    body: dict[str, Any] = {"error": {"code": code, "message": message, "target": None, "details": None}}
    return Refusal(Reply(status, body, [("x-ms-error-code", code)]))


def bad(message: str) -> Refusal:
    return error(400, "InvalidRequest", message)


def unasked(path: str, status: int) -> Refusal:
    """A refusal that a fault asked for, in the words of whoever owns the path."""
    if azure_login.owns(path):
        return azure_login.unasked(status)
    try:
        code = HTTPStatus(status).phrase.title().replace(" ", "")
    except ValueError:
        code = "Error"
    return error(status, code, "The service cannot answer now.")


def test_or_refuse(store: Store, test_id: str) -> Test:
    check_id("testId", test_id)
    test = store.tests[AZURE].get(test_id)
    if test is None:
        raise error(404, "TestNotFound", f"Test couldn't find with given identifier {test_id}.")
    return test


def run_or_refuse(store: Store, run_id: str) -> Run:
    check_id("testRunId", run_id)
    run = store.runs[AZURE].get(run_id)
    if run is None:
        raise error(404, "TestRunNotFound", f"Test run couldn't find with given identifier {run_id}.")
    return run


def check_id(name: str, value: str) -> None:
    if not _ID.fullmatch(value):
        raise bad(f"{name} is 2 to 50 characters of a-z, 0-9, underscore and hyphen.")


def merge_patch(request: Request) -> dict[str, Any]:
    """The body of a PATCH, which must say that it is a merge patch."""
    kind = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if kind != "application/merge-patch+json":
        raise error(415, "UnsupportedMediaType", "The body of a PATCH is application/merge-patch+json.")
    return request.json()


def version_of(request: Request) -> str:
    return request.arg("api-version") or VERSIONS[0]


def _supported(store: Store, path: str) -> list[str]:
    last = VERSIONS[-1]
    if store.switches["azure_without_2026_04_01"]:
        last = VERSIONS[-2]
    if store.switches["azure_only_2022_11_01"]:
        last = VERSIONS[0]
    first = _FIRST.get(path.split("/")[1], VERSIONS[0])
    return [version for version in VERSIONS if first <= version <= last]


def _check_version(request: Request, supported: list[str]) -> None:
    version = request.arg("api-version")
    if not version:
        raise error(400, "ApiVersionUnspecified", "An api-version is required, but was not specified.")
    if version not in supported:
        message = f"The HTTP resource that matches {request.path} does not support the API version '{version}'."
        raise error(400, "UnsupportedApiVersion", message)


def _check_token(store: Store, request: Request) -> None:
    """401 without a token that still holds; 403 where a reader wants to change something."""
    scheme, _, token = (request.headers.get("Authorization") or "").strip().partition(" ")
    client = azure_login.client_of(store, token.strip()) if scheme.lower() == "bearer" else None
    if client is None:
        refusal = error(401, "Unauthorized", "The access token is missing, is not valid here, or has expired.")
        refusal.reply.headers.append(("WWW-Authenticate", 'Bearer error="invalid_token"'))
        raise refusal
    reads = request.method == "GET" or (request.method == "POST" and _READS.fullmatch(request.path))
    if client == store.secrets.azure_reader[0] and not reads:
        message = "The client does not have permission for this: it needs the role Load Test Contributor."
        raise error(403, "Forbidden", message)
