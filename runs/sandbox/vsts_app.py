"""The VSTS Cloud Load Test API as one application: who may call, how it says no, and which module answers."""

import base64
import binascii
import re
from typing import Any

from .models import VSTS, Run
from .store import Store
from .wire import BadBody, MethodNotRouted, NotRouted, Refusal, Reply, Request, Router

# Microsoft matches paths and query names in any case.
routes = Router(any_case=True)

_VERSION = re.compile(r"\d+\.\d+(-preview(\.\d+)?)?")
_READS = ("GET", "OPTIONS")


def owns(path: str) -> bool:
    return "/_apis" in path.lower()


def is_list_of_runs(request: Request) -> bool:
    return request.method == "GET" and request.path.lower().rstrip("/").endswith("/_apis/clt/testruns")


def local_path(path: str) -> str:
    """The path from `/_apis` on: an organization segment before it is allowed and means nothing here."""
    return path[path.lower().index("/_apis") :].rstrip("/")


def handle(store: Store, request: Request) -> Reply:
    try:
        path = local_path(request.path)
        _check_token(store, request, path)
        _check_version(store, request)
        handler, arguments = routes.find(request.method, path)
        return handler(store, request, **arguments)
    except Refusal as refusal:
        return refusal.reply
    except BadBody as problem:
        return error(400, f"TF400898: {problem}", "VssPropertyValidationException").reply
    except MethodNotRouted:
        message = f"The requested resource does not support http method '{request.method}'."
        return error(405, message, "UnsupportedHttpMethodException").reply
    except NotRouted:
        return error(404, f"The resource cannot be found: {request.path}", "VssResourceNotFoundException").reply


def error(status: int, message: str, type_key: str) -> Refusal:
    """The wrapped exception that is the body of every refusal."""
    body: dict[str, Any] = {
        "$id": "1",
        "innerException": None,
        "message": message,
        "typeName": f"Microsoft.VisualStudio.TestService.WebApi.{type_key}, Microsoft.VisualStudio.TestService.WebApi",
        "typeKey": type_key,
        "errorCode": 0,
        "eventId": 3000,
    }
    return Refusal(Reply(status, body))


def bad(message: str) -> Refusal:
    return error(400, message, "TestServiceBadRequestException")


def _check_token(store: Store, request: Request, path: str) -> None:
    scheme, _, value = (request.headers.get("Authorization") or "").strip().partition(" ")
    token = value.strip()
    if scheme.lower() == "basic":
        try:
            token = base64.b64decode(token, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            token = ""
    elif scheme.lower() != "bearer":
        token = ""
    if token not in (store.secrets.vsts_pat, store.secrets.vsts_read_pat) or not token:
        refusal = error(
            401, "TF400813: The user is not authorized to access this resource.", "UnauthorizedRequestException"
        )
        refusal.reply.headers = [("WWW-Authenticate", 'Basic realm="sandbox"')]
        raise refusal
    # Reading counter samples is a POST, and a reader may do it.
    if (
        request.method not in _READS
        and token == store.secrets.vsts_read_pat
        and not path.lower().endswith("countersamples")
    ):
        raise error(403, "TF50309: The token does not have the scope vso.loadtest_write.", "AccessCheckException")


def _check_version(store: Store, request: Request) -> None:
    version = request.arg_any_case("api-version")
    if version is None:
        found = re.search(r"api-version=([^;,\s]+)", request.headers.get("Accept") or "")
        version = found[1] if found else None
    if version is None:
        if store.switches["vsts_strict_version"] and request.method != "OPTIONS":
            raise error(400, "No api-version was supplied for the request.", "VssVersionNotSpecifiedException")
    elif not _VERSION.fullmatch(version):
        raise error(400, f"The api-version '{version}' is not valid.", "VssInvalidApiVersionException")


def run_or_refuse(store: Store, run_id: str) -> Run:
    run = store.runs[VSTS].get(run_id.lower())
    if run is None:
        raise error(404, f"VS1550001: The test run {run_id} was not found.", "TestRunNotFoundException")
    return run


def folded(value: Any) -> Any:
    """A JSON value with all its member names in lower case."""
    if isinstance(value, dict):
        return {key.lower(): folded(member) for key, member in value.items()}
    return [folded(member) for member in value] if isinstance(value, list) else value


def word_of(value: Any, words: tuple[str, ...]) -> str | None:
    """An enum value sent as a word in any case, a number, or a number as text. None where it is none of the words."""
    if isinstance(value, bool) or value is None:
        return None
    text = str(value).strip()
    if text.isdecimal():
        return words[int(text)] if int(text) < len(words) else None
    for word in words:
        if word.lower() == text.lower():
            return word
    return None


def flag(request: Request, name: str) -> bool:
    """A boolean query argument; 400 for a word that is none."""
    text = (request.arg_any_case(name) or "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise bad(f"The value '{text}' is not valid for {name}.")
    return text in ("true", "1")
