"""Azure Load Testing: its tests and runs, read into ours.

Shapes: "Test" and "TestRun" of the data plane's REST API reference. Most members came with later versions, and all but
the ids may be missing.

| our field | from |
| --- | --- |
| status, result | status, testResult, by the tables below; a result only once the run has ended |
| created_at, queued_at | createdDateTime, executedDateTime (when it was asked for) |
| started_at, ended_at | startDateTime, endDateTime: with the time it takes to get engines ready |
| load_started_at, load_ended_at, duration_s | executionStartDateTime, executionEndDateTime: the load alone |
| planned_duration_s | loadTestConfiguration.optionalLoadTestConfig.duration |
| cost_vuh | virtualUserHours, before that estimatedVirtualUserHours |
| note, web_url, error_* | description, portalUrl, errorDetails |
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from runs.choices import ENDED, LIVE, RunResult, RunStatus, StopReason

from .answers import clean_text
from .base import BadRow, RemoteRun, RemoteTest
from .redact import redact, redact_text
from .rows import Amount, Name, Number, Row, Text, Time, list_of, mapping_of, mappings_of

STATUS = {
    "ACCEPTED": RunStatus.QUEUED,
    "NOTSTARTED": RunStatus.QUEUED,
    "PROVISIONING": RunStatus.STARTING,
    "PROVISIONED": RunStatus.STARTING,
    "CONFIGURING": RunStatus.STARTING,
    "CONFIGURED": RunStatus.STARTING,
    "VALIDATION_SUCCESS": RunStatus.STARTING,
    "EXECUTING": RunStatus.RUNNING,
    "EXECUTED": RunStatus.PROCESSING,
    "DEPROVISIONING": RunStatus.PROCESSING,
    "DEPROVISIONED": RunStatus.PROCESSING,
    "CANCELLING": RunStatus.STOPPING,
    "DONE": RunStatus.FINISHED,
    "CANCELLED": RunStatus.ABORTED,
    "FAILED": RunStatus.ERROR,
    "VALIDATION_FAILURE": RunStatus.ERROR,
}
RESULT = {"PASSED": RunResult.PASSED, "FAILED": RunResult.FAILED}
NOT_JUDGED = "NOT_APPLICABLE"  # nothing to judge, or not judged yet, or never: it does not say which

LONGEST_LINK = 500  # a longer one would be cut when it is stored, and lead nowhere
_AUTO_STOP = re.compile(r"auto-?stop|high error rate", re.IGNORECASE)

# Member of testArtifacts -> what people call it. The container is left out: its link opens more than one file.
OUTPUT_FILES = {"resultFileInfo": "Results", "logsFileInfo": "Engine logs", "reportFileInfo": "Report"}
INPUT_FILES = {
    "testScriptFileInfo": "Test script",
    "configFileInfo": "Test configuration",
    "urlTestConfigFileInfo": "URL test configuration",
    "userPropFileInfo": "User properties",
    "inputArtifactsZipFileInfo": "Zipped test files",
    "additionalFileInfo": "Test file",
}


def _word(words: Collection[str]) -> Any:
    """A word in the documented spelling; an unknown one as it came."""

    def read(value: object) -> str:
        text = clean_text(value, 60).strip()
        return text.upper() if text.upper() in words else text

    return Annotated[str, BeforeValidator(read)]


class LoadSettings(Row):
    duration: Amount = None


class LoadConfiguration(Row):
    optionalLoadTestConfig: Annotated[LoadSettings, BeforeValidator(mapping_of)] = LoadSettings()


class ErrorDetail(Row):
    code: Annotated[str, BeforeValidator(lambda value: clean_text(value, 60))] = ""
    message: Text = ""


class RunRow(Row):
    testRunId: str = Field(min_length=1, max_length=200)
    testId: str = Field(min_length=1, max_length=200)
    displayName: Name = ""
    description: Text = ""
    status: _word(STATUS) = ""
    testResult: _word((*RESULT, NOT_JUDGED)) = ""
    createdBy: Name = ""
    createdDateTime: Time = None
    executedDateTime: Time = None
    startDateTime: Time = None
    endDateTime: Time = None
    executionStartDateTime: Time = None
    executionEndDateTime: Time = None
    virtualUsers: Amount = None
    virtualUserHours: Number = None
    estimatedVirtualUserHours: Number = None
    portalUrl: Text = ""
    loadTestConfiguration: Annotated[LoadConfiguration, BeforeValidator(mapping_of)] = LoadConfiguration()
    errorDetails: Annotated[list[Any], BeforeValidator(list_of)] = Field(default_factory=list)
    passFailCriteria: Annotated[Mapping[str, Any], BeforeValidator(mapping_of)] = Field(default_factory=dict)
    testRunStatistics: Annotated[Mapping[str, Any], BeforeValidator(mapping_of)] = Field(default_factory=dict)

    def errors(self) -> list[ErrorDetail]:
        return [ErrorDetail.model_validate(item) for item in mappings_of(self.errorDetails)]


def read_test(data: Any) -> RemoteTest | None:
    """A test; None without an id."""
    test_id = clean_text(data.get("testId"), 200) if isinstance(data, Mapping) else ""
    return RemoteTest(external_id=test_id, name=clean_text(data.get("displayName"), 300)) if test_id else None


def read_run(data: Any, secrets: Sequence[str] = ()) -> RemoteRun | BadRow:
    """A TestRun as a RemoteRun; BadRow without its ids or any date."""
    given = clean_text(data.get("testRunId"), 200) if isinstance(data, Mapping) else ""
    try:
        row = RunRow.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return BadRow(given, f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}")
    created = row.createdDateTime or row.executedDateTime or row.startDateTime
    if created is None:
        return BadRow(given, "createdDateTime: missing or unreadable")
    return _run(row, created, kept(data, secrets), secrets)


def _run(row: RunRow, created: datetime, payload: Mapping[str, Any], secrets: Sequence[str]) -> RemoteRun:
    status = STATUS.get(row.status, RunStatus.UNKNOWN)
    ended = status not in LIVE
    over = ended or status in (RunStatus.STOPPING, RunStatus.PROCESSING)
    note = redact_text(row.description, secrets)
    errors = row.errors()
    message = "\n".join(dict.fromkeys(redact_text(error.message, secrets) for error in errors if error.message))
    begun, done = row.executionStartDateTime, row.executionEndDateTime if over else None
    return RemoteRun(
        external_id=row.testRunId,
        test_external_id=row.testId,
        status=status,
        result=_result(row, status),
        name=redact_text(row.displayName, secrets),
        stop_reason=_stop_reason(row, status, message),
        provider_status=row.status,
        provider_result=row.testResult,
        results_incomplete=status == RunStatus.FINISHED and not is_told(row),
        cost_vuh=row.estimatedVirtualUserHours if row.virtualUserHours is None else row.virtualUserHours,
        requested_by=row.createdBy,
        created_at=created,
        queued_at=row.executedDateTime,
        started_at=row.startDateTime,
        load_started_at=begun,
        load_ended_at=done,
        ended_at=row.endDateTime if ended else None,
        duration_s=max((done - begun).total_seconds(), 0.0) if begun and done else None,
        planned_duration_s=row.loadTestConfiguration.optionalLoadTestConfig.duration or None,
        virtual_users=row.virtualUsers or None,
        note=note,
        web_url=_web_url(redact_text(row.portalUrl, secrets)),
        error_code=next((error.code for error in errors if error.code), ""),
        error_message=clean_text(message),
        start_token=row.testRunId,
        start_values={"display_name": redact_text(row.displayName, secrets), "description": note},
        payload=payload,
    )


def _result(row: RunRow, status: RunStatus) -> RunResult:
    if status not in ENDED:
        return RunResult.NONE
    if row.testResult not in RESULT and status == RunStatus.ERROR:
        return RunResult.ERROR
    return RESULT.get(row.testResult, RunResult.NONE)


def is_told(row: RunRow) -> bool:
    """Whether a run that is done has its results: numbers come some time after that, and the verdict with them."""
    judged = row.testResult in RESULT or not any(row.passFailCriteria.values())
    return judged and (row.virtualUsers is not None or bool(row.testRunStatistics))


def is_final(run: RemoteRun) -> bool:
    """Whether nothing is to be expected of an ended run any more: its numbers, its verdict and its results file."""
    if run.load_started_at is None and run.status != RunStatus.FINISHED:
        return True  # it ended before its load, which leaves nothing behind
    row = RunRow.model_validate(run.payload)
    if row.virtualUsers is None or not row.testRunStatistics:
        return False
    outputs = mapping_of(mapping_of(run.payload.get("testArtifacts")).get("outputArtifacts"))
    return not run.results_incomplete and bool(mapping_of(outputs.get("resultFileInfo")).get("fileName"))


def _stop_reason(row: RunRow, status: RunStatus, message: str) -> str:
    """Why it ended early, as far as it is told: texts that tell of the auto-stop, a criterion that stops, else a person
    (nobody but somebody's call cancels a run)."""
    if status not in (RunStatus.ABORTED, RunStatus.ERROR):
        return ""
    if _AUTO_STOP.search(message):
        return StopReason.AUTO_STOP
    criteria = [mapping_of(item) for kind in row.passFailCriteria.values() for item in mapping_of(kind).values()]
    if any((item.get("action"), item.get("result")) == ("stop", "failed") for item in criteria):
        return StopReason.THRESHOLD
    return StopReason.USER if status == RunStatus.ABORTED else ""


def _web_url(url: str) -> str:
    return url if re.match(r"https?://[^\s\"'<>]+$", url, re.IGNORECASE) and len(url) <= LONGEST_LINK else ""


# -- files -------------------------------------------------------------------------------------------------------------


def files_of(data: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Name -> (label, link) of a run's files, results first; the link is "" in what we kept."""
    artifacts = mapping_of(data.get("testArtifacts"))
    found: dict[str, tuple[str, str]] = {}
    for group, labels in (("outputArtifacts", OUTPUT_FILES), ("inputArtifacts", INPUT_FILES)):
        members = mapping_of(artifacts.get(group))
        for member, label in labels.items():
            value = members.get(member)
            for item in mappings_of([value] if isinstance(value, Mapping) else value):
                if name := clean_text(item.get("fileName"), 300):
                    found.setdefault(name, (label, clean_text(item.get("url"))))
    return found


def kept(data: Any, secrets: Sequence[str] = ()) -> Any:
    """What may be stored of a run: without secrets, and without any link to its files."""
    data = dict(data)
    if isinstance(data.get("testArtifacts"), Mapping):
        data["testArtifacts"] = _without_links(data["testArtifacts"])
    return redact(data, secrets)


def _without_links(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_links(item) for key, item in value.items() if key.lower() != "url"}
    return [_without_links(item) for item in value] if isinstance(value, list) else value
