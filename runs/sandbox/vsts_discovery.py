"""What Microsoft's own clients ask first: the resource locations and the resource areas."""

from typing import Any

from .store import Store
from .vsts_app import routes
from .wire import Reply, Request

CLT_AREA = "7ae6d0a6-cda5-44cf-a261-28c392bed25c"

# (location id, area, resource, route template, revision)
_LOCATIONS = (
    ("b41a84ff-ff03-4ac1-b76e-e7ea25c92aba", "clt", "testRuns", "_apis/clt/testRuns/{testRunId}", 1),
    ("b52025a7-3fb4-4283-8825-7079e75bd402", "clt", "errors", "_apis/clt/testRuns/{testRunId}/errors", 2),
    ("2e7ba122-f522-4205-845b-2d270e59850a", "clt", "messages", "_apis/clt/testRuns/{testRunId}/messages", 1),
    ("5ed69bd8-4557-4cec-9b75-1ad67d0c257b", "clt", "results", "_apis/clt/testRuns/{testRunId}/results", 1),
    (
        "29265ea4-b5a5-4b2e-b054-47f5f6f00183",
        "clt",
        "counterInstances",
        "_apis/clt/testRuns/{testRunId}/counterinstances",
        1,
    ),
    (
        "bad18480-7193-4518-992a-37289c5bb92d",
        "clt",
        "counterSamples",
        "_apis/clt/testRuns/{testRunId}/countersamples",
        1,
    ),
    ("d89d0e08-505c-4357-96f6-9729311ce8ad", "clt", "testDrops", "_apis/clt/testdrops/{testDropId}", 1),
    (
        "a8f9b135-f604-41ea-9d74-d9a5fd32fcd8",
        "clt",
        "testDefinitions",
        "_apis/clt/testdefinitions/{testDefinitionId}",
        1,
    ),
    ("ab8d91c1-12d9-4ec5-874d-1ddb23e17720", "clt", "agentGroups", "_apis/clt/agentgroups/{agentGroupId}", 1),
    ("87e4b63d-7142-4b50-801e-72ba9ff8ee9b", "clt", "agents", "_apis/clt/agentGroups/{agentGroupId}/agents", 1),
    ("7dcb0bb2-42d5-4729-9958-c0401d5e7693", "clt", "plugins", "_apis/clt/apm/plugins/{type}", 1),
    ("2c986dce-8e8d-4142-b541-d016d5aff764", "clt", "applications", "_apis/clt/apm/applications/{applicationId}", 1),
    ("c1275ce9-6d26-4bc6-926b-b846502e812d", "clt", "counters", "_apis/clt/apm/counters", 1),
    ("e81700f7-3be2-46de-8624-2eb35882fcaa", "Location", "resourceAreas", "_apis/resourceAreas/{areaId}", 1),
)


@routes.route("OPTIONS", "/_apis")
def list_locations(store: Store, request: Request) -> Reply:
    rows: list[dict[str, Any]] = [
        {
            "id": key,
            "area": area,
            "resourceName": resource,
            "routeTemplate": template,
            "resourceVersion": revision,
            "minVersion": 1.0,
            "maxVersion": 6.1,
            "releasedVersion": "5.1",
        }
        for key, area, resource, template, revision in _LOCATIONS
    ]
    return Reply(200, {"count": len(rows), "value": rows})


@routes.route("GET", "/_apis/resourceAreas")
def list_areas(store: Store, request: Request) -> Reply:
    """The one area there is, at this very address, so that no client goes looking for it elsewhere."""
    prefix = request.path[: request.path.lower().index("/_apis")]
    area = {"id": CLT_AREA, "name": "clt", "locationUrl": f"{request.base_url}{prefix}/"}
    return Reply(200, {"count": 1, "value": [area]})
