"""Entra ID's token endpoint, as far as client credentials go. A token says itself how long it holds."""

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qsl

from .clock import SECOND, iso
from .store import Store
from .wire import Refusal, Reply, Request

LASTS = 3599
_PATH = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
_RESOURCES = ("https://cnt-prod.loadtesting.azure.com", "https://cnt-prod.loadtesting.azure.us")


def owns(path: str) -> bool:
    return bool(_PATH.fullmatch(path))


def handle(store: Store, request: Request) -> Reply:
    try:
        return _answer(store, request)
    except Refusal as refusal:
        refusal.reply.payload |= {"timestamp": iso(store.clock.now())[:19].replace("T", " ") + "Z"}
        return refusal.reply


def error(status: int, word: str, code: int, sentence: str) -> Refusal:
    trace, correlation = "0f2c5a52-7e4d-4c1b-9a43-5b8b6b0f1a00", "8d9a1c1e-52f3-4a6e-8f0e-4d2a7c9b3e11"
    body: dict[str, Any] = {
        "error": word,
        "error_description": f"AADSTS{code}: {sentence} Trace ID: {trace} Correlation ID: {correlation}",
        "error_codes": [code],
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }
    return Refusal(Reply(status, body))


def unasked(status: int) -> Refusal:
    """What a fault says: a secret that is no longer good, or trouble that will pass."""
    if status == 401:
        return error(401, "invalid_client", 7000222, "The provided client secret keys for the app are expired.")
    return error(status, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again.")


def _answer(store: Store, request: Request) -> Reply:
    if request.method != "POST":
        raise error(405, "invalid_request", 900561, "The endpoint only accepts POST requests.")
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    _check_form(request, form)
    found = _PATH.fullmatch(request.path)
    tenant = found[1] if found else ""
    if tenant != store.secrets.azure_tenant:
        raise error(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
    clients = dict((store.secrets.azure_client, store.secrets.azure_reader))
    client = form["client_id"]
    if client not in clients:
        sentence = f"Application with identifier '{client}' was not found in the directory 'harbour'."
        raise error(400, "unauthorized_client", 700016, sentence)
    if form["client_secret"] != clients[client]:
        raise error(401, "invalid_client", 7000215, "Invalid client secret provided.")
    _check_scope(form["scope"])
    answer = {"token_type": "Bearer", "expires_in": LASTS, "ext_expires_in": LASTS}
    return Reply(200, answer | {"access_token": _issue(store, client)})


def _check_form(request: Request, form: dict[str, str]) -> None:
    if (request.headers.get("Content-Type") or "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        form.clear()
    for name in ("grant_type", "client_id", "scope"):
        if not form.get(name):
            sentence = f"The request body must contain the following parameter: '{name}'."
            raise error(400, "invalid_request", 900144, sentence)
    if form["grant_type"] != "client_credentials":
        raise error(400, "unsupported_grant_type", 70003, f"The grant type '{form['grant_type']}' is not supported.")
    if not form.get("client_secret"):
        sentence = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise error(401, "invalid_client", 7000218, sentence)


def _check_scope(scope: str) -> None:
    if not scope.endswith("/.default"):
        sentence = f"The provided value for scope {scope} is not valid. It must end with /.default."
        raise error(400, "invalid_scope", 1002012, sentence)
    if scope.removesuffix("/.default") not in _RESOURCES:
        sentence = f"The resource principal named {scope.removesuffix('/.default')} was not found in the tenant."
        raise error(400, "invalid_resource", 500011, sentence)


def _issue(store: Store, client: str) -> str:
    """A token in three parts, as a JWT looks. It is remembered, so that a search for leaks knows it."""
    now = store.clock.now()
    claims = {"aud": _RESOURCES[0], "tid": store.secrets.azure_tenant, "appid": client, "uti": now}
    claims["exp"] = now // SECOND + LASTS
    text = ".".join(_packed(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "HS256"}, claims))
    token = f"{text}.{_packed(store.secrets.seal(text))}"
    store.issued.append(token)
    return token


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def client_of(store: Store, token: str) -> str | None:
    """Whom a token was given to; None where it is none of ours or its time is over."""
    text, _, seal = token.rpartition(".")
    if not text or seal != _packed(store.secrets.seal(text)):
        return None
    part = text.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims["appid"] if claims["exp"] * SECOND > store.clock.now() else None
