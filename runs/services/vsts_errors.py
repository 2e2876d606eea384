"""VSTS Cloud Load Test: the errors, messages and results of a run, and the verdict in them.

Shapes: "Errors", "Messages" and "Get test run results" of the VSTS REST API reference.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from runs.choices import MessageLevel

from .answers import clean_text, number_of
from .base import RemoteError, RemoteMessage, RemoteThreshold
from .redact import redact_text
from .rows import Amount, Name, Row, Text, Time, list_of, mappings_of
from .vsts_payloads import rows_of, unexpected, word_of

LEVELS = ("info", "output", "error", "warning", "critical")
LEVEL = {
    "info": MessageLevel.INFO,
    "output": MessageLevel.OUTPUT,
    "error": MessageLevel.ERROR,
    "warning": MessageLevel.WARNING,
    "critical": MessageLevel.CRITICAL,
}
SOURCES = ("setupScript", "cleanupScript", "validation", "other", "autCounterCollection")

_THRESHOLD = re.compile(
    r"^\s*(?P<counter>\[.*?\])\s*:\s*The value (?P<value>-?[\d.,]+) (?P<how>exceeds|is below|falls below|is less than)"
    r".*?threshold value of (?P<limit>-?[\d.,]*\d)",
    re.IGNORECASE,
)


class ErrorDetail(Row):
    occurrences: Amount = None
    testCaseName: Name = ""
    scenarioName: Name = ""
    request: Text = ""
    stackTrace: Annotated[str, BeforeValidator(lambda value: clean_text(value, 100_000))] = ""
    messageText: Text = ""
    lastErrorDate: Time = None
    # Revision 1 of the resource is a flat list whose rows name their own type.
    type: Name = ""
    subType: Name = ""


def read_errors(data: Any, secrets: Sequence[str] = ()) -> list[RemoteError]:
    """The tree of `errors?detailed=true`, or the flat list of revision 1, as details; one per subtype without any."""
    if not isinstance(data, Mapping) or not ("types" in data or "value" in data):
        raise unexpected("errors")
    if "types" not in data:
        return [_error(row.get("type"), row.get("subType"), row, secrets) for row in mappings_of(data)]
    found = []
    for kind in mappings_of(data["types"]):
        for sub in mappings_of(kind.get("subTypes")):
            details = mappings_of(sub.get("errorDetailList")) or [{"occurrences": sub.get("occurrences")}]
            found += [_error(kind.get("typeName"), sub.get("subTypeName"), detail, secrets) for detail in details]
    return found


def _error(kind: object, subtype: object, data: Mapping[str, Any], secrets: Sequence[str]) -> RemoteError:
    row = ErrorDetail.model_validate(data)
    return RemoteError(
        type=clean_text(kind, 300) or "Error",
        subtype=clean_text(subtype, 300),
        occurrences=max(row.occurrences or 0, 1),
        message=redact_text(row.messageText, secrets),
        request=redact_text(row.request, secrets),
        test_case=row.testCaseName,
        scenario=row.scenarioName,
        stack_trace=redact_text(row.stackTrace, secrets),
        last_at=row.lastErrorDate,
    )


def is_failure(error: RemoteError) -> bool:
    """Whether this error is a broken threshold: the only thing by which this service judges a run."""
    return (error.type.lower(), error.subtype.lower()) == ("thresholdmessage", "critical")


def read_thresholds(errors: Sequence[RemoteError]) -> list[RemoteThreshold]:
    """One broken threshold per counter and limit, with the last value told. Others are not told by the service."""
    found: dict[tuple[str, str], RemoteThreshold] = {}
    for error in filter(is_failure, errors):
        threshold = _threshold(error.message)
        found[threshold.metric, threshold.condition] = threshold
    return list(found.values())


def _threshold(message: str) -> RemoteThreshold:
    match = _THRESHOLD.match(message)
    if not match:
        return RemoteThreshold(
            metric=clean_text(message, 300) or "threshold", condition="critical threshold", broken=True
        )
    counter = " / ".join(part for part in re.findall(r'"([^"]*)"', match["counter"]) if part) or match["counter"]
    value, limit = (number_of(match[group].replace(",", "").rstrip(".")) for group in ("value", "limit"))
    sign = "<=" if match["how"].lower() == "exceeds" else ">="
    return RemoteThreshold(
        metric=clean_text(counter, 300),
        condition=f"{sign} {match['limit']}",
        broken=True,
        value=value,
        limit=limit,
    )


class MessageRow(Row):
    messageId: Annotated[str, BeforeValidator(lambda value: clean_text(value, 200))] = ""
    agentId: Annotated[str, BeforeValidator(lambda value: clean_text(value, 200))] = ""
    messageType: Annotated[str, BeforeValidator(lambda value: word_of(value, LEVELS))] = "info"
    messageSource: Annotated[str, BeforeValidator(lambda value: word_of(value, SOURCES))] = ""
    loggedDate: Time = None
    message: Text = ""


def read_messages(data: Any, secrets: Sequence[str] = ()) -> list[RemoteMessage]:
    """The run's messages, oldest first: the service's own order is none to rely on."""
    rows = [MessageRow.model_validate(item) for item in rows_of(data, "messages") if isinstance(item, Mapping)]
    rows.sort(key=lambda row: row.loggedDate.timestamp() if row.loggedDate else 0.0)
    return [
        RemoteMessage(
            external_id=row.messageId or f"#{index}",
            level=LEVEL.get(row.messageType, MessageLevel.INFO),
            text=redact_text(row.message, secrets),
            logged_at=row.loggedDate,
            source=row.messageSource,
            agent=row.agentId,
        )
        for index, row in enumerate(rows)
    ]


class ResultsRow(Row):
    """The links in it are secrets: they are used and never kept."""

    resultsUrl: Text = ""
    counterGroups: Annotated[list[Any], BeforeValidator(list_of)] = Field(default_factory=list)

    def group_names(self) -> list[str]:
        return [name for group in mappings_of(self.counterGroups) if (name := clean_text(group.get("groupName"), 100))]
