"""Azure Load Testing: the calls of its data plane as methods.

Manual: "Azure Load Testing", REST API reference, data plane (Load Test Administration and Load Test Run). Answers come
back as parsed JSON and are read by the modules beside this one.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from .addresses import AddressRefused
from .azure_token import TokenRefused, Tokens
from .base import Download, Forbidden, Refused, Unauthorized, UnexpectedAnswer
from .http import Answer, Http

LABEL = "Azure Load Testing"
HOSTS = ("*.*.cnt-prod.loadtesting.azure.com", "*.*.cnt-prod.loadtesting.azure.us")
# Where files lie: links to them carry their own permission and get no token from us.
BLOB_HOSTS = (
    "*.blob.core.windows.net",
    "*.*.blob.storage.azure.net",
    "*.blob.core.usgovcloudapi.net",
    "*.*.blob.storage.azure.us",
)
VERSIONS = ("2026-04-01", "2025-03-01-preview", "2022-11-01")
# Only the newest version sorts by it; "executed" is when a run was asked for, in all of them.
SORTED_BY_CREATED = VERSIONS[:1]
MOST_PAGES = 10_000
MERGE = {"Content-Type": "application/merge-patch+json"}
NAMESPACE = "LoadTestRunMetrics"

# Which version each address spoke last, in this process. Whoever does not know tries the newest first.
_spoken: dict[str, str] = {}
_spoken_lock = threading.Lock()


def forget_versions() -> None:
    """Agree on every version anew."""
    with _spoken_lock:
        _spoken.clear()


def describe(status: int, data: Any) -> str:
    """The service's own words in the body of an error."""
    error = data.get("error") if isinstance(data, Mapping) else None
    if not isinstance(error, Mapping):
        return ""
    code, message = (text if isinstance(text := error.get(key), str) else "" for key in ("code", "message"))
    return f"{message.rstrip('. ')} ({code})" if code and message and code not in message else message or code


def time_text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class AzureApi:
    def __init__(self, base_url: str, tokens: Tokens, *, most_pages: int = MOST_PAGES, **options: Any):
        """`options` go to `http.Http`."""
        self._tokens = tokens
        self._most_pages = most_pages
        self._signed_with = ""
        self.http = Http(
            base_url,
            provider=LABEL,
            hosts=HOSTS,
            download_hosts=BLOB_HOSTS,
            authorization=self._sign,
            describe=describe,
            **options,
        )

    def _sign(self) -> str:
        self._signed_with = self._tokens.header()
        return self._signed_with

    # -- the version ---------------------------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        return _spoken.get(self.http.base_url, VERSIONS[0])

    def agree_on_version(self) -> str:
        """Try the versions we know, newest first, and remember the first that the service takes."""
        version: str | None = VERSIONS[0]
        while version:
            try:
                self._signed(lambda chosen=version: self.http.get("tests", _query(chosen, ("maxpagesize", "1"))))
            except Refused as problem:
                if not _is_about_version(problem):
                    raise
                version = self._next_version(version)
                continue
            with _spoken_lock:
                _spoken[self.http.base_url] = version
            return version
        raise Refused(
            f"{LABEL} takes none of the API versions that Plimsoll knows ({', '.join(VERSIONS)}). Look for a newer "
            "Plimsoll."
        )

    def _next_version(self, refused: str) -> str | None:
        """The one to try after `refused`: the next that the service says it takes, or just the next."""
        left = VERSIONS[VERSIONS.index(refused) + 1 :]
        told = [text.strip() for text in self.http.told.get("api-supported-versions", "").split(",")]
        return next((version for version in left if version in told), left[0] if left else None)

    # -- one call ------------------------------------------------------------------------------------------------------

    def _signed(self, call: Callable[[], Answer]) -> Answer:
        """The call; once more with a new token where the service does not take the one we kept.

        That is as safe for a write: who refuses the token has done nothing.
        """
        try:
            return call()
        except TokenRefused:
            raise
        except Unauthorized as problem:
            if isinstance(problem, Forbidden):
                raise
            self._tokens.refused(self._signed_with)
        return call()

    def _ask(self, call: Callable[[str], Answer]) -> Answer:
        """The call by the version the service took last; once more by another where that is what it refuses."""
        try:
            return self._signed(lambda: call(self.version))
        except Refused as problem:
            if not _is_about_version(problem):
                raise
        version = self.agree_on_version()
        return self._signed(lambda: call(version))

    def _get(self, path: str, *params: tuple[str, str]) -> Any:
        return self._ask(lambda version: self.http.get(path, _query(version, *params))).data

    def _patch(self, path: str, body: Mapping[str, str], *params: tuple[str, str]) -> Any:
        return self._ask(
            lambda version: self.http.send("PATCH", path, params=_query(version, *params), json=body, headers=MERGE)
        ).data

    def pages(self, path: str, params: Sequence[tuple[str, str]], link: str = "") -> Iterator[tuple[list[Any], str]]:
        """(items, link to the next page or "") page by page, from `link` on; UnexpectedAnswer rather than a silent end.

        Links are followed as they are, and only at the account's own address.
        """
        data = self._signed(lambda: self.http.get(link)).data if link else self._get(path, *params)
        seen = {link}
        for _ in range(self._most_pages):
            items = data.get("value") if isinstance(data, Mapping) else None
            if not isinstance(items, list) or (items and not any(isinstance(item, Mapping) for item in items)):
                raise unexpected("a list")
            link = text if isinstance(text := data.get("nextLink"), str) else ""
            yield items, link
            if not link:
                return
            if link in seen:
                raise UnexpectedAnswer(
                    f"{LABEL} sent a page whose next is one already read, so its list was not read to the end. Try "
                    "again; if it lasts, report it to Plimsoll's maintainers."
                )
            seen.add(link)
            data = self._signed(lambda page=link: self.http.get(page)).data
        raise UnexpectedAnswer(
            f"{LABEL} has more than {self._most_pages:,} pages in a list, and it was not read to the end. Report this "
            "to Plimsoll's maintainers."
        )

    # -- tests and runs ------------------------------------------------------------------------------------------------

    def tests(self, page_size: int) -> Iterator[tuple[list[Any], str]]:
        return self.pages("tests", [("orderby", "lastModifiedDateTime desc"), ("maxpagesize", str(page_size))])

    def runs(
        self,
        page_size: int,
        *,
        link: str = "",
        test_ids: Sequence[str] = (),
        statuses: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[tuple[list[Any], str]]:
        """Newest first. `since` and `until` are about when a run was executed, which may leave out those that wait."""
        if not link and self.http.base_url not in _spoken:
            self.agree_on_version()
        key = "createdDateTime" if self.version in SORTED_BY_CREATED else "executedDateTime"
        params = [("orderby", f"{key} desc"), ("maxpagesize", str(page_size))]
        params += [("testIds", ",".join(test_ids))] if test_ids else []
        params += [("status", ",".join(statuses))] if statuses else []
        params += [("executionFrom", time_text(since))] if since else []
        params += [("executionTo", time_text(until))] if until else []
        return self.pages("test-runs", params, link)

    def run(self, run_id: str) -> Any:
        return self._get(_run(run_id))

    def start(self, run_id: str, body: Mapping[str, str], old_run_id: str = "") -> Any:
        """A run that begins at once. The same id again is the same run; with `old_run_id` it repeats that one."""
        return self._patch(_run(run_id), body, *([("oldTestRunId", old_run_id)] if old_run_id else []))

    def edit(self, run_id: str, body: Mapping[str, str]) -> Any:
        """Change a run that exists. `body` must hold no testId: with one, an id unknown by now would start a test."""
        return self._patch(_run(run_id), body)

    def stop(self, run_id: str) -> Any:
        path = f"{_run(run_id)}:stop"
        return self._ask(lambda version: self.http.send("POST", path, params=_query(version))).data

    # -- numbers and files ---------------------------------------------------------------------------------------------

    def metric_definitions(self, run_id: str) -> Any:
        return self._get(f"{_run(run_id)}/metric-definitions", ("metricNamespace", NAMESPACE))

    def metrics(self, run_id: str, name: str, *, timespan: str, interval: str, aggregation: str = "") -> Any:
        """One metric's values over time: a read, though the service wants it as a POST."""
        params = [("metricname", name), ("metricNamespace", NAMESPACE), ("timespan", timespan), ("interval", interval)]
        params += [("aggregation", aggregation)] if aggregation else []
        path = f"{_run(run_id)}/metrics"
        return self._ask(lambda version: self.http.read("POST", path, params=_query(version, *params), json={})).data

    def download(self, url: str, *, filename: str, content_type: str) -> Download:
        return self.http.download(url, filename=filename, content_type=content_type)


def _query(version: str, *params: tuple[str, str]) -> list[tuple[str, str]]:
    return [("api-version", version), *params]


def _run(run_id: str) -> str:
    return f"test-runs/{quote(run_id, safe='')}"


def _is_about_version(problem: Refused) -> bool:
    """Whether the service refused the version, by its code or its words: how it says so is in no manual."""
    text = str(problem).lower().replace("-", "").replace(" ", "")
    return not isinstance(problem, Unauthorized | AddressRefused) and "apiversion" in text


def unexpected(what: str, *, maybe_done: bool = False) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"{LABEL} answered without {what} where it belongs. Check the account's address; if it is right, report this "
        "to Plimsoll's maintainers.",
        maybe_done=maybe_done,
    )
