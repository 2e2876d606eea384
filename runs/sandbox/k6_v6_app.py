"""/cloud/v6 as one application: who may call, how it says no, how it reads requests, and which module answers."""

import re
from collections.abc import Callable
from typing import Any

from .k6_app import FOREIGN_RUN, FOREIGN_TEST
from .k6_make import PROJECTS
from .models import K6, Run, Test
from .store import Store
from .wire import BadBody, MethodNotRouted, NotRouted, Refusal, Reply, Request, Router

routes = Router()

STACK_ID = "481516"
STACK_URL = "https://harbourshop.grafana.net"
KEY = "(?P<key>[0-9]+)"

# A project that exists, but not for this caller.
_FOREIGN_PROJECT = "1002"
_WHOLE = re.compile("[0-9]+")
_invalid_input_is_400: set[Callable[..., Reply]] = set()


def owns(path: str) -> bool:
    return path.startswith("/cloud/v6/")


def is_list_of_runs(request: Request) -> bool:
    return request.method == "GET" and request.path.endswith("/test_runs")


def reads_input(handler: Callable[..., Reply]) -> Callable[..., Reply]:
    """Marks what may answer 400. The others know no such answer: they refuse a stack id that is no number with 403."""
    _invalid_input_is_400.add(handler)
    return handler


def handle(store: Store, request: Request) -> Reply:
    try:
        _check_token(store, request)
        handler, arguments = routes.find(request.method, request.path)
        if request.path != "/cloud/v6/auth":
            _check_stack(request, handler in _invalid_input_is_400)
        return handler(store, request, **arguments)
    except Refusal as refusal:
        return refusal.reply
    except BadBody as error:
        return invalid(str(error)).reply
    except MethodNotRouted:
        return refused(405, f'Method "{request.method}" not allowed.').reply
    except NotRouted:
        return not_found().reply


def uses_token(store: Store, request: Request) -> bool:
    """Whether the caller came with one of the tokens that are handed out for v6."""
    return _token(request)[1] in (store.secrets.v6_token, store.secrets.v6_read_token)


def _token(request: Request) -> tuple[str, str]:
    scheme, _, token = (request.headers.get("Authorization") or "").strip().partition(" ")
    return scheme.lower(), token.strip()


def _check_token(store: Store, request: Request) -> None:
    scheme, token = _token(request)
    if not scheme:
        raise refused(401, "Authentication required")
    secrets = store.secrets
    read_only = (secrets.k6_read_token, secrets.v6_read_token)
    if scheme != "bearer" or token not in (secrets.k6_token, secrets.v6_token, *read_only):
        raise refused(401, "Invalid token")
    if request.method != "GET" and token in read_only:
        raise forbidden()


def _check_stack(request: Request, knows_400: bool) -> None:
    given = (request.headers.get("X-Stack-Id") or "").strip()
    if given and not _WHOLE.fullmatch(given) and knows_400:
        raise invalid("The header X-Stack-Id is not a number.", "X-Stack-Id")
    if given != STACK_ID:
        raise refused(403, "Name a stack that you are a member of in the header X-Stack-Id.")


# --- refusals --------------------------------------------------------------------------------------------------------


def refused(status: int, message: str, code: str = "error", target: str | None = None) -> Refusal:
    error: dict[str, Any] = {"message": message, "code": code}
    if target:
        error |= {"target": target, "details": [{"message": message, "code": code, "target": target}]}
    return Refusal(Reply(status, {"error": error}))


def invalid(message: str, target: str | None = None) -> Refusal:
    return refused(400, message, "validation_error", target)


def conflict(message: str) -> Refusal:
    return refused(409, message, "conflict")


def forbidden() -> Refusal:
    return refused(403, "You do not have permission to perform this action.")


def not_found() -> Refusal:
    return refused(404, "Not found.")


# --- what is asked for -----------------------------------------------------------------------------------------------


def project_of(key: str) -> dict[str, Any]:
    for project in PROJECTS:
        if str(project["id"]) == key:
            return project
    raise forbidden() if key == _FOREIGN_PROJECT else not_found()


def test_of(store: Store, key: str) -> Test:
    if key in store.tests[K6]:
        return store.tests[K6][key]
    raise forbidden() if key == FOREIGN_TEST else not_found()


def run_of(store: Store, key: str) -> Run:
    run = store.runs[K6].get(key)
    if run and is_shown(run):
        return run
    raise forbidden() if key == FOREIGN_RUN else not_found()


def is_shown(run: Run) -> bool:
    """What was only archived, never run, is no run here."""
    return run.steps[-1][1] != 10


def json_body(request: Request, *only: str) -> dict[str, Any]:
    """The body, an object. `only`: the members it may have; any others are refused."""
    kind = (request.headers.get("Content-Type") or "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise refused(415, f'Unsupported media type "{kind}"')
    body = request.json()
    for name in body:
        if only and name not in only:
            raise invalid("Extra inputs are not permitted", name)
    return body


def text_of(body: dict[str, Any], name: str) -> str:
    """A text the body must have, and that can be sent out again."""
    value = body.get(name)
    if not isinstance(value, str):
        raise invalid("Input should be a valid string" if name in body else "Field required", name)
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise invalid("Input should be a valid string, unable to parse raw data as a unicode string", name)
    return value
