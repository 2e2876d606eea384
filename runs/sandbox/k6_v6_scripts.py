"""/cloud/v6: the scripts of tests, which are changed, and of runs, which stay what was run. Text, or a k6 archive."""

import io
import json
import tarfile

from .k6_make import script_of
from .k6_v6_app import KEY, invalid, reads_input, refused, routes, run_of, test_of
from .models import K6, Test
from .store import Store
from .wire import Reply, Request

_TEXT, _ARCHIVE = "text/javascript", "application/x-tar"
_OF_TEST = f"/cloud/v6/load_tests/{KEY}/script"


def _script(store: Store, test: Test, when: int) -> tuple[bytes, str]:
    """The script the test had then, and its type. Each upload is kept under its number: {test}/{n}."""
    for number, (since, kind) in reversed(list(enumerate(test.made.get("scripts", ())))):
        if since <= when:
            return store.blob(f"k6-scripts/{test.id}/{number}") or b"", kind
    text = script_of(test).encode()
    return (_archive(text), _ARCHIVE) if int(test.id) % 4 == 2 else (text, _TEXT)


def _archive(script: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        metadata = {"type": "js", "filename": "file:///scripts/main.js", "k6version": "1.3.0"}
        for name, content in (("metadata.json", json.dumps(metadata).encode()), ("data", script)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _kind(content: bytes) -> str:
    """A tar archive, packed or not; everything else is a script."""
    return _ARCHIVE if content[257:262] == b"ustar" or content[:2] == b"\x1f\x8b" else _TEXT


@routes.route("GET", f"/cloud/v6/test_runs/{KEY}/script")
def read_script_of_run(store: Store, request: Request, key: str) -> Reply:
    run = run_of(store, key)
    content, kind = _script(store, store.tests[K6][run.test], run.created)
    return Reply(200, content=content, content_type=kind)


@routes.route("GET", _OF_TEST)
def read_script_of_test(store: Store, request: Request, key: str) -> Reply:
    content, kind = _script(store, test_of(store, key), store.clock.now())
    if not _accepts(request.headers.get("Accept") or "*/*", kind):
        raise refused(406, f"The script is of the type {kind}.")
    return Reply(200, content=content, content_type=kind)


def _accepts(header: str, kind: str) -> bool:
    wanted = {part.partition(";")[0].strip().lower() for part in header.split(",")}
    return not wanted.isdisjoint(("*/*", kind, kind.partition("/")[0] + "/*"))


@routes.route("PUT", _OF_TEST)
@reads_input
def change_script(store: Store, request: Request, key: str) -> Reply:
    """The test's `updated` stays as it was: so it is with the service."""
    test = test_of(store, key)
    if not request.body:
        raise invalid("The script is empty.")
    given = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if given != "application/octet-stream":
        raise refused(415, f'Unsupported media type "{given}"')
    versions = test.made.setdefault("scripts", [])
    store.put_blob(f"k6-scripts/{test.id}/{len(versions)}", request.body)
    versions.append([store.clock.now(), _kind(request.body)])
    store.save_test(test)
    return Reply(204)
