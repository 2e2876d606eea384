"""The k6 legacy APIs as one application: who may call, how each family says no, and which module answers."""

from typing import Any

from .models import K6, Run, Test
from .store import Store
from .wire import BadBody, MethodNotRouted, NotRouted, Refusal, Reply, Request, Router

routes = Router()

# Ids of a test and a run that exist but belong to an organization this caller is not in.
FOREIGN_TEST = "1001"
FOREIGN_RUN = "100001"

# Codes of the v2 and v3 error body.
VALIDATION, NOT_FOUND, NOT_ALLOWED, NOT_AUTHENTICATED, AUTHENTICATION_FAILED, METHOD_NOT_ALLOWED = 2, 3, 4, 5, 6, 7

_MASKED = "Authentication error - could not find or access requested resource."


def owns(path: str) -> bool:
    return path.startswith(("/loadtests/", "/cloud/v5/", "/v3/"))


def is_list_of_runs(request: Request) -> bool:
    return request.method == "GET" and (request.path.endswith("/test_runs") or request.path == "/loadtests/v2/runs")


def handle(store: Store, request: Request) -> Reply:
    v5 = request.path.startswith("/cloud/v5/")
    try:
        _check_token(store, request, v5)
        handler, arguments = routes.find(request.method, request.path)
        return handler(store, request, **arguments)
    except Refusal as refusal:
        return refusal.reply
    except BadBody as error:
        return legacy_error(400, VALIDATION, str(error)).reply
    except MethodNotRouted:
        if v5:
            return v5_error(405, "Error").reply
        return legacy_error(405, METHOD_NOT_ALLOWED, f'Method "{request.method}" not allowed.').reply
    except NotRouted:
        return (v5_error(404, "Resource not found") if v5 else legacy_error(404, NOT_FOUND, "Not found.")).reply


def _check_token(store: Store, request: Request, v5: bool) -> None:
    scheme, _, token = (request.headers.get("Authorization") or "").strip().partition(" ")
    if not scheme:
        message = "Authentication required" if v5 else "Authentication credentials were not provided."
        raise v5_error(401, message) if v5 else legacy_error(401, NOT_AUTHENTICATED, message)
    read_only = (store.secrets.k6_read_token, store.secrets.v6_read_token)
    known = token.strip() in (store.secrets.k6_token, store.secrets.v6_token, *read_only)
    if scheme.lower() not in ("token", "bearer") or not known:
        raise v5_error(401, "Invalid token") if v5 else legacy_error(401, AUTHENTICATION_FAILED, "Invalid token.")
    if request.method != "GET" and not v5 and token.strip() in read_only:
        raise legacy_error(403, NOT_ALLOWED, "You do not have permission to perform this action.")


def legacy_error(status: int, code: int, message: str, fields: dict[str, list[str]] | None = None) -> Refusal:
    """The error body of v2, v3 and loadtests/v3."""
    error: dict[str, Any] = {"message": message, "code": code}
    if fields:
        error["field_errors"] = fields
    return Refusal(Reply(status, {"error": error}))


def v5_error(status: int, message: str, *, target: str = "", param: str = "", detail: str = "") -> Refusal:
    """The error body of v5; with a target, the one about an argument of the wrong type."""
    error: dict[str, Any] = {"code": "error", "message": message}
    if target:
        details = [{"code": "validation_error", "message": detail or message, "target": param}]
        error = {"code": "validation_error", "message": message, "target": target, "details": details}
    return Refusal(Reply(status, {"error": error}))


def test_or_refuse(store: Store, test_id: str | int) -> Test:
    """v2: 404 for a test that is not there, 403 for somebody else's."""
    key = str(int(test_id))
    if key == FOREIGN_TEST:
        raise legacy_error(403, NOT_ALLOWED, "You do not have permission to perform this action.")
    test = store.tests[K6].get(key)
    if test is None:
        raise legacy_error(404, NOT_FOUND, "Not found.")
    return test


def run_or_refuse(store: Store, run_id: str | int) -> Run:
    """v2: 404 for a run that is not there, 403 for somebody else's."""
    key = str(int(run_id))
    if key == FOREIGN_RUN:
        raise legacy_error(403, NOT_ALLOWED, "You do not have permission to perform this action.")
    run = store.runs[K6].get(key)
    if run is None:
        raise legacy_error(404, NOT_FOUND, "Not found.")
    return run


def v5_test(store: Store, test_id: str) -> Test:
    """v5: what is not there and what is somebody else's are the same 403."""
    test = store.tests[K6].get(test_id)
    if test is None:
        raise v5_error(403, _MASKED)
    return test


def v5_run(store: Store, run_id: str) -> Run:
    run = store.runs[K6].get(run_id)
    if run is None:
        raise v5_error(403, _MASKED)
    return run


def masked() -> Refusal:
    return v5_error(403, _MASKED)


def whole_number(request: Request, *names: str) -> int | None:
    """A query argument as a number; None where it is absent. v2: 400 where it is not a number."""
    text = request.arg(*names)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise legacy_error(
            400, VALIDATION, "Validation failed.", {names[0]: ["A valid integer is required."]}
        ) from None


def page_of(request: Request, default: int = 25, cap: int = 1000) -> slice:
    """The rows a v2 list is asked for: `page` counts from 1, `page_size` is cut at the cap."""
    page = whole_number(request, "page")
    size = whole_number(request, "page_size")
    page = 1 if page is None else page
    size = default if size is None else min(size, cap)
    if page < 1 or size < 1:
        raise legacy_error(
            400, VALIDATION, "Invalid page.", {"page": ["Ensure this value is greater than or equal to 1."]}
        )
    return slice((page - 1) * size, page * size)


def selected(row: dict[str, Any], names: str | None) -> dict[str, Any]:
    """Only the named members; unknown names are passed over."""
    if not names:
        return row
    return {name: row[name] for name in (part.strip() for part in names.split(",")) if name in row}
