"""One node of the error tree in full, for the pane beside the tree."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.templatetags.run_page import share_words
from runs import run_details
from runs.error_tree import Node, Tree, short_address, split_request
from runs.first_seen import Sightings, sightings
from runs.models import Run, RunError
from runs.stack_trace import around_own_line

LONG = 200


@dataclass(frozen=True, slots=True)
class Pane:
    """`error` is the node's row with its stack trace when it is a detail, and `seen` which runs had it."""

    node: Node
    path: Sequence[Node]
    error: RunError | None
    seen: Sightings | None
    method: str
    place: str  # path and query of the request, or what it is called
    host: str
    trace: tuple[str, str, str]  # before, in and after the first line of the tester's own code
    requests: float | None  # of the whole run

    @property
    def title(self) -> str:
        return self.node.name

    @property
    def is_long(self) -> bool:
        """Too long for a heading: it is shown whole in a place of its own."""
        return len(self.title) > LONG

    @property
    def percent(self) -> str:
        return share_words(self.node.share)

    @property
    def per_thousand(self) -> str:
        """How many there were for each 1,000 requests: "1.5"; "" where the requests are not known."""
        if not self.requests:
            return ""
        rate = 1000 * self.node.occurrences / self.requests
        return "under 0.1" if 0 < rate < 0.1 else f"{rate:,.1f}"

    @property
    def earlier_runs(self) -> int:
        """How many other runs of the test had it."""
        return self.seen.count - 1 if self.seen else 0


def pane_of(run: Run, tree: Tree, fingerprint: str, requests: float | None) -> Pane | None:
    path = tree.path_to(fingerprint) if fingerprint else ()
    if not path:
        return None
    node = path[-1]
    error = run_details.error_detail(run, fingerprint) if node.level == "detail" else None
    method, address = split_request(error.request) if error else ("", "")
    place = short_address(address)
    return Pane(
        node=node,
        path=path[:-1],
        error=error,
        seen=sightings(run, fingerprint) if error else None,
        method=method,
        place=place,
        host=address.removesuffix(place) if place != "/" else address.removesuffix("/"),
        trace=around_own_line(error.stack_trace) if error else ("", "", ""),
        requests=requests,
    )
