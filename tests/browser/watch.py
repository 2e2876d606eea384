"""What a page must not do while a test looks at it, collected as it happens."""

import re
from collections.abc import Iterable

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response

REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.effectiveDirective} forbids ${event.blockedURI} ${event.sample}`))"""


class Watch:
    """Console errors, uncaught exceptions, answers from 400 up, policy violations and foreign addresses of a context.

    `allowed` are the statuses that the test provokes on purpose.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.allowed: set[int] = set()
        self._origin = origin + "/"
        self._statuses: list[tuple[int, str]] = []
        self._problems: list[str] = []
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self._problems.append(f"uncaught: {error.error}"))
        context.on("request", self._on_request)
        context.on("response", self._on_response)

    def allow(self, *statuses: int) -> None:
        self.allowed.update(statuses)

    def problems(self) -> Iterable[str]:
        """What went wrong so far, less what was allowed."""
        refused = [f"{status} from {url}" for status, url in self._statuses if status not in self.allowed]
        return self._problems + refused

    def _on_console(self, message: ConsoleMessage) -> None:
        # An answer from 400 up is listed by its status; the browser's and htmx's words about it would be a second time.
        # A request given up for a newer one (hx-sync) is meant; one that failed is also reported as htmx:sendError.
        expected = re.search(
            r"Failed to load resource|Response Status Error Code|^htmx:(afterRequest|sendAbort)\b", message.text
        )
        if message.type == "error" and not expected:
            self._problems.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self._origin, "data:", "blob:")):
            self._problems.append(f"asked another origin: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self._statuses.append((response.status, response.url))
