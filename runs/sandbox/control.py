"""`/__sandbox__`: what a test or a person may ask the sandbox itself. No authorization, JSON in and out."""

from collections.abc import Iterator
from typing import Any

from . import azure_make, truth
from .azure_lives import OUTCOMES as AZURE_OUTCOMES
from .clock import iso
from .faults import parse
from .k6_v6_app import STACK_ID, STACK_URL
from .lives import K6_OUTCOMES, VSTS_OUTCOMES
from .models import AZURE, K6, SPOKEN, V6, VSTS, home
from .store import Store
from .wire import BadBody, MethodNotRouted, NotRouted, Reply, Request, Router

routes = Router()
_HERE = "/__sandbox__"


def handle(store: Store, request: Request) -> Reply:
    try:
        handler, arguments = routes.find(request.method, request.path.rstrip("/"))
        return handler(store, request, **arguments)
    except MethodNotRouted:
        return Reply(405, {"message": "This page does not take that method."})
    except NotRouted:
        return Reply(404, {"message": "There is no such page."})
    except (BadBody, KeyError, TypeError, ValueError) as error:
        return Reply(400, {"message": f"The body is not right: {error}"})


@routes.route("GET", f"{_HERE}/now")
def read_now(store: Store, request: Request) -> Reply:
    return Reply(200, {"now": iso(store.clock.now()), "speed": store.speed})


@routes.route("POST", f"{_HERE}/advance")
def advance(store: Store, request: Request) -> Reply:
    seconds = float(request.json()["seconds"])
    if seconds < 0:
        raise ValueError("time does not go back")
    store.advance(seconds)
    return read_now(store, request)


@routes.route("POST", f"{_HERE}/freeze")
def freeze(store: Store, request: Request) -> Reply:
    store.clock.freeze(bool(request.json().get("frozen", True)))
    return read_now(store, request)


@routes.route("GET", f"{_HERE}/truth")
def read_truth(store: Store, request: Request) -> Reply:
    return Reply(200, {"now": iso(store.clock.now()), "runs": truth.rows(store, request.arg("provider"))})


@routes.route("GET", f"{_HERE}/ledger")
def read_ledger(store: Store, request: Request) -> Reply:
    return Reply(200, {"requests": store.ledger.rows(int(request.arg("since") or 0))})


@routes.route("DELETE", f"{_HERE}/ledger")
def clear_ledger(store: Store, request: Request) -> Reply:
    store.ledger.clear()
    return Reply(204)


@routes.route("GET", f"{_HERE}/credentials")
def read_credentials(store: Store, request: Request) -> Reply:
    """Of each provider that has load tests here."""
    tokens = {
        K6: (store.secrets.k6_token, store.secrets.k6_read_token),
        VSTS: (store.secrets.vsts_pat, store.secrets.vsts_read_pat),
    }
    shown: dict[str, Any] = {
        provider: {
            "base_url": request.base_url,
            "credentials": {"token": full},
            "read_only_credentials": {"token": read_only},
        }
        for provider, (full, read_only) in tokens.items()
    }
    shown[V6] = {
        "base_url": request.base_url,
        "credentials": {"token": store.secrets.v6_token, "stack_id": STACK_ID},
        "read_only_credentials": {"token": store.secrets.v6_read_token, "stack_id": STACK_ID},
        "stack_url": STACK_URL,
    }
    shown[AZURE] = _azure_credentials(store, request)
    return Reply(200, {key: access for key, access in shown.items() if store.tests[home(key)]})


def _azure_credentials(store: Store, request: Request) -> dict[str, Any]:
    """`login_url`: where the token endpoint is, `/{tenant}/oauth2/v2.0/token` below it."""
    tenant, secrets = {"tenant_id": store.secrets.azure_tenant}, store.secrets
    return {
        "base_url": request.base_url,
        "login_url": request.base_url,
        "credentials": tenant | dict(zip(("client_id", "client_secret"), secrets.azure_client, strict=True)),
        "read_only_credentials": tenant | dict(zip(("client_id", "client_secret"), secrets.azure_reader, strict=True)),
    }


@routes.route("GET", f"{_HERE}/planted")
def read_planted(store: Store, request: Request) -> Reply:
    return Reply(200, [{"secret": secret, "where": where} for secret, where in _planted(store)])


def _planted(store: Store) -> Iterator[tuple[str, str]]:
    secrets = store.secrets
    yield secrets.k6_token, "k6: the token of the credentials; /v3/account/me token.key"
    yield secrets.k6_read_token, "k6: the read-only token"
    yield secrets.v6_token, "k6 v6: the token of the credentials"
    yield secrets.v6_read_token, "k6 v6: the read-only token"
    yield secrets.vsts_pat, "VSTS: the token of the credentials"
    yield secrets.vsts_read_pat, "VSTS: the read-only token"
    for run_id in store.runs[K6]:
        yield secrets.agent_token(run_id), f"k6 run {run_id}: config.agent_access_token"
        yield secrets.options_token(run_id), f"k6 run {run_id}: config.options.cloud.token; v6: options.cloud.token"
        for name, value in secrets.environment(run_id).items():
            yield value, f"k6 run {run_id}: config.env.{name}"
        yield secrets.export_sig(run_id), f"k6 run {run_id}: sig of export.export_file"
    for run_id in store.runs[VSTS]:
        yield secrets.results_sig(run_id), f"VSTS run {run_id}: sig of results.resultsUrl"
        yield secrets.diagnostics_sig(run_id), f"VSTS run {run_id}: sig of results.diagnostics"
    for drop_id in store.drops:
        yield secrets.drop_sig(drop_id), f"VSTS drop {drop_id}: sig in accessData.sasKey"
    yield from azure_make.planted(store)


@routes.route("GET", f"{_HERE}/faults")
def read_faults(store: Store, request: Request) -> Reply:
    return Reply(200, {"faults": store.faults.rows(), "elsewhere": store.elsewhere.seen})


@routes.route("POST", f"{_HERE}/faults")
def add_faults(store: Store, request: Request) -> Reply:
    """`{"faults": [SPEC, …]}`, or one fault as an object: `{"kind": "429", "path": "/runs"}`. All or none of them."""
    body = request.json()
    specs = body.get("faults", [body])
    for spec in specs:
        parse(spec)
    for spec in specs:
        store.faults.add(spec)
    return read_faults(store, request)


@routes.route("DELETE", f"{_HERE}/faults")
@routes.route("DELETE", f"{_HERE}/hooks")
def clear_faults(store: Store, request: Request) -> Reply:
    store.faults.clear()
    return Reply(204)


@routes.route("POST", f"{_HERE}/fail")
@routes.route("POST", f"{_HERE}/lose_answer")
@routes.route("POST", f"{_HERE}/insert_between_pages")
def add_fault_by_its_old_name(store: Store, request: Request) -> Reply:
    """Before there was `faults`: one request refused, one answer lost, one run inserted after a page."""
    body = request.json()
    kind = {"fail": str(body.get("status", 503)), "lose_answer": "lost"}.get(request.path.split("/")[-1], "shift")
    fault: dict[str, Any] = {"kind": kind, "times": body.get("times", 1), "after": body.get("after", 0)}
    if kind == "shift":
        fault |= {"provider": _provider(body), "after": int(body.get("after_pages", 1)) - 1}
    else:
        fault |= {"method": body.get("method", ""), "path": body.get("path_contains", "")}
    if "Retry-After" in body.get("headers", {}):
        fault["retry_after"] = body["headers"]["Retry-After"]
    store.faults.add(fault)
    return Reply(200, {})


@routes.route("POST", f"{_HERE}/insert_run")
def insert_run(store: Store, request: Request) -> Reply:
    return Reply(200, {"external_id": store.insert_run(_provider(request.json())).id})


@routes.route("POST", f"{_HERE}/outcome")
def add_outcome(store: Store, request: Request) -> Reply:
    """How the next runs that are started will end: one of the outcome names in lives.py or azure_lives.py."""
    body = request.json()
    provider, outcome = _provider(body), str(body["outcome"])
    known: dict[str, Any] = {K6: K6_OUTCOMES, AZURE: AZURE_OUTCOMES}.get(home(provider), VSTS_OUTCOMES)
    if outcome not in known:
        raise ValueError(f"outcome is one of {', '.join(known)}")
    store.outcomes[home(provider)] += [outcome] * int(body.get("times", 1))
    return Reply(200, {})


@routes.route("GET", f"{_HERE}/switches")
def read_switches(store: Store, request: Request) -> Reply:
    return Reply(200, store.switches)


@routes.route("POST", f"{_HERE}/switches")
def set_switches(store: Store, request: Request) -> Reply:
    body: dict[str, Any] = request.json()
    unknown = set(body) - set(store.switches)
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(store.switches)}")
    store.switches |= {name: bool(value) for name, value in body.items()}
    return Reply(200, store.switches)


def _provider(body: dict[str, Any]) -> str:
    provider = str(body["provider"])
    if provider not in SPOKEN:
        raise ValueError(f"provider is one of {', '.join(SPOKEN)}")
    return provider
