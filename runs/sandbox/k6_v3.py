"""/v3: organizations, projects, the caller's own account."""

from typing import Any

from .clock import iso
from .k6_app import NOT_FOUND, legacy_error, page_of, routes
from .k6_make import ORGANIZATIONS, OWN_USER_ID, PROJECTS
from .store import Store
from .wire import Reply, Request
from .words import LOAD_ZONES, PEOPLE

_CREATED = 1_577_836_800_000_000


def _organization(store: Store, made: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": made["id"],
        "name": made["name"],
        "owner_id": OWN_USER_ID,
        "description": "",
        "billing_address": "",
        "billing_country": "",
        "billing_email": "",
        "vat_number": "",
        "created": iso(_CREATED),
        "updated": iso(_CREATED),
        "is_default": made["is_default"],
        "is_grafana_org": False,
        "data_retention_days": 180,
        "vuh_max": 50000,
    }


def project_row(made: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": made["id"],
        "name": made["name"],
        "description": "",
        "organization_id": made["organization_id"],
        "created": iso(_CREATED + made["id"]),
        "updated": iso(_CREATED + made["id"]),
        "is_default": made["is_default"],
    }


@routes.route("GET", "/v3/organizations")
def list_organizations(store: Store, request: Request) -> Reply:
    rows = [_organization(store, made) for made in ORGANIZATIONS]
    return Reply(200, {"organizations": rows})


@routes.route("GET", r"/v3/organizations/(?P<key>\d+)")
def read_organization(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, {"organization": _organization(store, _found(ORGANIZATIONS, key))})


@routes.route("GET", r"/v3/organizations/(?P<key>\d+)/projects")
def list_projects(store: Store, request: Request, key: str) -> Reply:
    organization = _found(ORGANIZATIONS, key)
    rows = [project_row(made) for made in PROJECTS if made["organization_id"] == organization["id"]]
    return Reply(200, {"projects": rows[page_of(request, default=1000)]})


@routes.route("GET", r"/v3/projects/(?P<key>\d+)")
def read_project(store: Store, request: Request, key: str) -> Reply:
    return Reply(200, {"project": project_row(_found(PROJECTS, key))})


@routes.route("GET", "/v3/account/me")
def read_account(store: Store, request: Request) -> Reply:
    first, last = PEOPLE[0].split(" ")
    user = {
        "id": OWN_USER_ID,
        "email": "maren.solberg@harbour.example",
        "first_name": first,
        "last_name": last,
        "status": "active",
        "country": "NO",
        "company": "Harbour Street",
        "industry": "Retail",
        "date_joined": iso(_CREATED),
        "time_zone": "Europe/Oslo",
        "organization_ids": [made["id"] for made in ORGANIZATIONS],
        "gravatar_url": "",
    }
    zones = [{"id": n, "name": zone, "k6_load_zone_id": zone, "public": True} for n, zone in enumerate(LOAD_ZONES, 1)]
    return Reply(
        200,
        {
            "user": user,
            "organizations": [_organization(store, made) for made in ORGANIZATIONS],
            "load_zones": zones,
            "token": {"key": store.secrets.k6_token},
        },
    )


def _found(rows: tuple[dict[str, Any], ...], key: str) -> dict[str, Any]:
    for row in rows:
        if row["id"] == int(key):
            return row
    raise legacy_error(404, NOT_FOUND, "Not found.")
