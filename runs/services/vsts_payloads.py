"""VSTS Cloud Load Test: its answers' words and runs, read into ours.

Shapes: "Load test types" and "Load test runs" of the VSTS REST API reference. Members that are null, 0, false or an
unset date are left out by the service; enum words come in any case or as numbers; an empty identity is nobody.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from runs.choices import RunResult, RunStatus, StopReason

from .answers import clean_text
from .base import BadRow, RemoteRun, UnexpectedAnswer
from .redact import redact, redact_text
from .rows import Amount, Name, Row, Text, Time, Whole, list_of, mapping_of

LABEL = "VSTS Cloud Load Test"

# The position is the number by which old clients and servers write the word.
STATES = ("pending", "queued", "inProgress", "stopping", "completed", "aborted", "error")
SUBSTATES = (
    "none",
    "validatingTestRun",
    "acquiringResources",
    "configuringAgents",
    "executingSetupScript",
    "warmingUp",
    "runningTest",
    "executingCleanupScript",
    "collectingResults",
    "success",
    "partialSuccess",
)
STATUS = {
    "pending": RunStatus.CREATED,
    "queued": RunStatus.QUEUED,
    "inProgress": RunStatus.RUNNING,
    "stopping": RunStatus.STOPPING,
    "completed": RunStatus.FINISHED,
    "aborted": RunStatus.ABORTED,
    "error": RunStatus.ERROR,
}
# Where the substate says more than the state does.
SUBSTATUS = {
    ("queued", "acquiringResources"): RunStatus.STARTING,
    ("inProgress", "configuringAgents"): RunStatus.STARTING,
    ("inProgress", "executingSetupScript"): RunStatus.STARTING,
    ("inProgress", "executingCleanupScript"): RunStatus.PROCESSING,
    ("inProgress", "collectingResults"): RunStatus.PROCESSING,
}
# hostProcessPlatform as the service says it -> the word that a start takes. Its enum has no x64: that is amd64.
PLATFORMS = ("none", "msil", "x86", "ia64", "amd64", "arm")
PLATFORM = {"msil": "MSIL", "x86": "x86", "amd64": "x64", "x64": "x64"}

RUN_TYPES = ("visualStudioLoadTest", "jMeterLoadTest")

LONGEST_LINK = 500  # a longer one would be cut when it is stored, and lead nowhere
START_MARK = "plimsoll/"  # before our token in runSourceIdentifier
_ERROR_CODE = re.compile(r"\bVS\d{5,9}\b")


def word_of(value: object, words: Sequence[str]) -> str:
    """An enum value in the documented spelling, from a word in any case or its number; an unknown one as it came."""
    text = clean_text(value, 60).strip()
    if text.isdecimal() and int(text) < len(words):
        return words[int(text)]
    return next((word for word in words if word.lower() == text.lower()), text)


class Identity(Row):
    id: Name = ""
    displayName: Name = ""


Who = Annotated[Identity, BeforeValidator(mapping_of)]


class RunDetails(Row):
    duration: Amount = None
    virtualUserCount: Amount = None


class TestSettings(Row):
    cleanupCommand: Text = ""
    setupCommand: Text = ""
    hostProcessPlatform: Annotated[str, BeforeValidator(lambda value: word_of(value, PLATFORMS))] = ""


class TestDrop(Row):
    id: Name = ""


class AbortMessage(Row):
    cause: Text = ""
    action: Text = ""
    source: Name = ""
    details: Annotated[list[Text], BeforeValidator(list_of)] = Field(default_factory=list)


def _abort(value: object) -> object:
    """The types page says a string, every answer seen is an object: both are read."""
    return {"cause": value} if isinstance(value, str) else mapping_of(value)


class RunRow(Row):
    id: str = Field(min_length=1, max_length=200)
    name: Name = ""
    runNumber: Whole = None
    state: Annotated[str, BeforeValidator(lambda value: word_of(value, STATES))] = ""
    subState: Annotated[str, BeforeValidator(lambda value: word_of(value, SUBSTATES))] = ""
    description: Text = ""
    createdDate: Time = None
    queuedDate: Time = None
    startedDate: Time = None
    executionStartedDate: Time = None
    executionFinishedDate: Time = None
    finishedDate: Time = None
    createdBy: Who = Identity()
    stoppedBy: Who = Identity()
    runSpecificDetails: Annotated[RunDetails, BeforeValidator(mapping_of)] = RunDetails()
    testSettings: Annotated[TestSettings, BeforeValidator(mapping_of)] = TestSettings()
    testDrop: Annotated[TestDrop, BeforeValidator(mapping_of)] = TestDrop()
    abortMessage: Annotated[AbortMessage, BeforeValidator(_abort)] = AbortMessage()
    webResultUrl: Text = ""
    runSourceIdentifier: Text = ""


def rows_of(data: Any, what: str) -> list[Any]:
    """The items of a list answer, bare or as {count, value}; UnexpectedAnswer when it is neither, or has no object."""
    items = data.get("value") if isinstance(data, Mapping) else data
    if not isinstance(items, list) or (items and not any(isinstance(item, Mapping) for item in items)):
        raise unexpected(what)
    return items


def unexpected(what: str, *, maybe_done: bool = False) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"{LABEL} answered without {what} where they belong. Check the account's address; if it is right, "
        "report this to Plimsoll's maintainers.",
        maybe_done=maybe_done,
    )


def test_key(name: str) -> str:
    """The external id of a run name's load test. The service compares names without case, so they are one test too."""
    return name.strip().lower()[:300]


test_key.__test__ = False  # a name that pytest would collect


def is_jmeter(run: RemoteRun) -> bool:
    """Whether it is a JMeter run: by its type, which old answers lack, or by its name's ending."""
    return word_of(run.payload.get("runType"), RUN_TYPES) == RUN_TYPES[1] or run.test_name.lower().endswith(".jmx")


def read_run(data: Any, secrets: Sequence[str] = ()) -> RemoteRun | BadRow:
    """A TestRun or TestRunBasic as a RemoteRun; BadRow without an id or any date."""
    given = clean_text(data.get("id"), 200) if isinstance(data, Mapping) else ""
    try:
        row = RunRow.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return BadRow(given, f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}")
    created = row.createdDate or row.queuedDate or row.startedDate or row.finishedDate
    if created is None:
        return BadRow(given, "createdDate: missing or unreadable")
    return _run(row, created, redact(data, secrets), secrets)


def _run(row: RunRow, created: datetime, payload: Mapping[str, Any], secrets: Sequence[str]) -> RemoteRun:
    status = SUBSTATUS.get((row.state, row.subState)) or STATUS.get(row.state, RunStatus.UNKNOWN)
    name = redact_text(row.name, secrets) or "(no name)"
    note = redact_text(row.description, secrets)
    error_message = redact_text(_abort_text(row.abortMessage), secrets)
    settings = row.testSettings
    code = _ERROR_CODE.search(error_message)
    loaded = (row.executionStartedDate, row.executionFinishedDate)
    return RemoteRun(
        external_id=row.id,
        test_external_id=test_key(name),
        test_name=name,
        number=row.runNumber,
        status=status,
        # A finished run passes or fails by its errors, which `get_details` reads.
        result=RunResult.ERROR if status == RunStatus.ERROR else RunResult.NONE,
        stop_reason=_stop_reason(status, row.stoppedBy),
        provider_status=row.state,
        provider_substatus=row.subState,
        results_incomplete=row.subState == "partialSuccess",
        requested_by_id=row.createdBy.id,
        requested_by=row.createdBy.displayName,
        stopped_by_id=row.stoppedBy.id,
        stopped_by=row.stoppedBy.displayName,
        created_at=created,
        queued_at=row.queuedDate,
        started_at=row.startedDate,
        load_started_at=row.executionStartedDate,
        load_ended_at=row.executionFinishedDate,
        ended_at=row.finishedDate,
        duration_s=max((loaded[1] - loaded[0]).total_seconds(), 0.0) if all(loaded) else None,
        planned_duration_s=row.runSpecificDetails.duration or None,
        virtual_users=row.runSpecificDetails.virtualUserCount or None,
        note=note,
        web_url=_web_url(redact_text(row.webResultUrl, secrets)),
        error_code=code.group() if code else "",
        error_message=error_message,
        start_values={
            "name": name,
            "test_drop_id": row.testDrop.id,
            "description": note,
            "setup_command": redact_text(settings.setupCommand, secrets),
            "cleanup_command": redact_text(settings.cleanupCommand, secrets),
            "host_process_platform": PLATFORM.get(settings.hostProcessPlatform, ""),
        },
        start_token=row.runSourceIdentifier.removeprefix(START_MARK)
        if row.runSourceIdentifier.startswith(START_MARK)
        else "",
        payload=payload,
    )


def _stop_reason(status: RunStatus, stopped_by: Identity) -> str:
    if status != RunStatus.ABORTED:
        return ""
    return StopReason.USER if stopped_by.id or stopped_by.displayName else StopReason.SYSTEM


def _abort_text(message: AbortMessage) -> str:
    parts = (message.cause, message.action, *message.details)
    return clean_text("\n".join(part.strip() for part in parts if part.strip()))


def _web_url(url: str) -> str:
    return url if re.match(r"https?://[^\s\"'<>]+$", url, re.IGNORECASE) and len(url) <= LONGEST_LINK else ""
