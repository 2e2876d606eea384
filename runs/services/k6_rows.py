"""What the details of a k6 run are made of, whichever API told them: the error tree and the rows of numbers."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from .base import NotFound, Refused, RemoteError, RemoteMetric, RemoteRun, ServiceError, Unauthorized, UnexpectedAnswer
from .k6_metrics import known
from .k6_payloads import Check, Url

T = TypeVar("T")

NO_ANSWER = "no answer"
# A condition as scripts write it: a statistic, an operator, a number.
CONDITION = re.compile(
    r"^\s*(?P<stat>[a-z]+\s*(?:\([\d.]+\))?)\s*(?P<sign><=|>=|===?|!=|<|>)\s*(?P<limit>-?[\d.]+)\s*$"
)


class Parts:
    """Asks for one part after the other. `refusals`: why the missing ones are missing."""

    def __init__(self) -> None:
        self.answered = 0
        self.refusals: list[ServiceError] = []

    def read(self, ask: Callable[[], T]) -> T | None:
        """The part, or None when it is refused, missing or in no known shape; an outage is raised."""
        try:
            value = ask()
        except (NotFound, Refused, UnexpectedAnswer) as error:
            self.refusals.append(error)
            return None
        self.answered += 1
        return value

    def insist(self) -> None:
        """Raise when not one part was answered for want of rights: empty details would look like a run without any."""
        if not self.answered and self.refusals and all(isinstance(error, Unauthorized) for error in self.refusals):
            raise self.refusals[0]


def group_id(path: str) -> str:
    """k6 names a group by the MD5 of its path."""
    return hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()


def failures_of(check: Check) -> int:
    return max((check.total_count or 0) - (check.success_count or 0), 0) if check.success_count is not None else 0


# -- the error tree ----------------------------------------------------------------------------------------------------


def run_errors(run: RemoteRun) -> Iterator[RemoteError]:
    if run.error_code or run.error_message:
        subtype = run.error_code or run.provider_status
        yield RemoteError(type="Run", subtype=subtype, occurrences=1, message=run.error_message, last_at=run.ended_at)


def check_errors(checks: Sequence[Check], groups: dict[str, str], clean: Callable[[str], str]) -> Iterator[RemoteError]:
    counts: dict[tuple[str, str], int] = {}
    for check in checks:
        key = clean(check.name), clean(groups.get(check.group_id, ""))
        counts[key] = counts.get(key, 0) + failures_of(check)
    for (name, group), count in counts.items():
        if count:
            yield RemoteError(type="Check", subtype=name, occurrences=count, message=group)


def http_errors(
    urls: Sequence[Url], lost: Sequence[tuple[str, str, str, int]], clean: Callable[[str], str]
) -> Iterator[RemoteError]:
    """Per status or, where no answer came, per k6's own error code: METHOD url."""
    counts: dict[tuple[str, str], int] = {}
    coded = {(method, name) for name, method, code, _ in lost if code}
    rows = [(name, method, code, count) for name, method, code, count in lost if code]
    for url in urls:
        if url.status is None or 0 < url.status < 400 or (url.status == 0 and (url.method, _address(url)) in coded):
            continue
        rows.append((_address(url), url.method, str(url.status or NO_ANSWER), url.count or 0))
    for name, method, subtype, count in rows:
        key = subtype, clean(f"{method} {name}".strip())
        counts[key] = counts.get(key, 0) + count
    for (subtype, request), count in counts.items():
        if count:
            yield RemoteError(type="HTTP", subtype=subtype, occurrences=count, message=request, request=request)


# -- rows of numbers ---------------------------------------------------------------------------------------------------


def _address(url: Url) -> str:
    return url.url or url.name


def request_rows(urls: Sequence[Url], clean: Callable[[str], str]) -> Iterator[RemoteMetric]:
    for url in urls:
        failed = url.status is not None and (url.status == 0 or url.status >= 400)
        status = "" if url.status is None else f" ({url.status or NO_ANSWER})"
        numbers = {
            "count": url.count,
            "failed": url.count if failed else 0,
            "min_ms": url.min,
            "avg_ms": url.mean,
            "p95_ms": url.p95,
            "p99_ms": url.p99,
            "max_ms": url.max,
        }
        name = clean(f"{url.method} {_address(url)}".strip()) + status
        yield RemoteMetric(kind="request", name=name, numbers=known(numbers))


def check_rows(checks: Sequence[Check], groups: dict[str, str], clean: Callable[[str], str]) -> Iterator[RemoteMetric]:
    for check in checks:
        group = groups.get(check.group_id, "")
        total, failed = check.total_count, failures_of(check)
        numbers = {
            "count": total,
            "passed": check.success_count,
            "failed": failed,
            "error_rate": failed / total if total else None,
        }
        name = clean(f"{group}: {check.name}" if group else check.name)
        yield RemoteMetric(kind="check", name=name, numbers=known(numbers))
