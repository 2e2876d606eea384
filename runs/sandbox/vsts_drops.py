"""/_apis/clt/testdrops: where a load test's files are put before a run is created."""

from .store import Store
from .vsts_app import error, folded, routes
from .vsts_view import drop
from .wire import Reply, Request


@routes.route("POST", "/_apis/clt/testdrops")
def create_drop(store: Store, request: Request) -> Reply:
    body = folded(request.json())
    made = store.add_drop(str(body.get("droptype") or "TestServiceBlobDrop"), body.get("loadtestdefinition"))
    return Reply(200, drop(store, made, request.base_url))


@routes.route("GET", "/_apis/clt/testdrops/(?P<drop_id>[^/]+)")
def read_drop(store: Store, request: Request, drop_id: str) -> Reply:
    made = store.drops.get(drop_id.lower())
    if made is None:
        raise error(404, f"VS1550002: The test drop {drop_id} was not found.", "TestDropNotFoundException")
    return Reply(200, drop(store, made, request.base_url))
