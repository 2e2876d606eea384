"""VSTS Cloud Load Test: what hangs below a run, put together from the answers about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from runs.choices import ENDED, RunResult, RunStatus

from .base import NotFound, Refused, RemoteDetails, RemoteError, RemoteRun, UnexpectedAnswer
from .redact import redact_text
from .vsts_counters import (
    GROUPS,
    Instance,
    charted,
    counter_metrics,
    read_instances,
    read_samples,
    read_series,
    run_metric,
    summary_metrics,
)
from .vsts_errors import ResultsRow, is_failure, read_errors, read_messages, read_thresholds
from .vsts_payloads import is_jmeter, unexpected


class Answers(Protocol):
    """Who answers about a run: the API, or what somebody saved of it. NotFound for what there is not."""

    def errors(self, run_id: str) -> Any: ...
    def messages(self, run_id: str) -> Any: ...
    def results(self, run_id: str) -> Any: ...
    def result_summary(self, run_id: str) -> Any: ...
    def counter_instances(self, run_id: str, groups: Sequence[str]) -> Any: ...
    def counter_samples(self, run_id: str, wanted: Mapping[str, int]) -> Any: ...


class BelowRun:
    """`secrets` are taken out of texts."""

    def __init__(self, api: Answers, secrets: Sequence[str] = ()):
        self._api, self._secrets = api, secrets

    def get_details(self, run: RemoteRun) -> RemoteDetails:
        """Two calls for a run without load, six for an ended one, four for a live one. What is missing stays empty."""
        told = or_none(self._api.errors, run.external_id)
        errors = read_errors(told, self._secrets) if told is not None else []
        messages = or_none(self._api.messages, run.external_id)
        details = RemoteDetails(
            result=_verdict(run, errors) if told is not None else None,
            errors=errors,
            messages=read_messages(messages, self._secrets) if messages is not None else (),
            thresholds=read_thresholds(errors),
        )
        return self._with_numbers(run, details) if run.load_started_at else details

    def _with_numbers(self, run: RemoteRun, details: RemoteDetails) -> RemoteDetails:
        results, summary = ResultsRow(), None
        if run.status in ENDED:
            results = self.results(run.external_id) or results
            summary = self._summary(run.external_id)
        instances = self._instances(run.external_id, results.group_names() or GROUPS)
        charts = charted(instances)
        return replace(
            details,
            # Addresses of requests are among their names, with whatever stands in their queries.
            metrics=[
                replace(metric, name=redact_text(metric.name, self._secrets))
                for metric in (*run_metric(summary, charts), *summary_metrics(summary), *counter_metrics(instances))
            ],
            series=self._series(run, charts),
            has_archive=bool(results.resultsUrl) or (run.status in ENDED and is_jmeter(run)),
        )

    def results(self, external_id: str) -> ResultsRow | None:
        data = or_none(self._api.results, external_id)
        if data is not None and not isinstance(data, Mapping):
            raise unexpected("results")
        return ResultsRow.model_validate(data) if data is not None else None

    def _summary(self, external_id: str) -> Any:
        """The result summary, where the server has it: it is in no manual, so any refusal of it is no fault."""
        try:
            return self._api.result_summary(external_id)
        except (NotFound, Refused, UnexpectedAnswer):
            return None

    def _instances(self, external_id: str, groups: Sequence[str]) -> list[Instance]:
        data = or_none(self._api.counter_instances, external_id, groups)
        return read_instances(data) if data is not None else []

    def _series(self, run: RemoteRun, charts: Mapping[str, Instance]) -> list[Any]:
        if not charts:
            return []
        ids = [row.counterInstanceId for row in charts.values()]
        try:
            samples = read_samples(lambda wanted: self._api.counter_samples(run.external_id, wanted), ids)
        except NotFound:
            return []
        return read_series(charts, samples, run.load_started_at)


def or_none(call: Callable[..., Any], *args: Any) -> Any:
    """A part of a run; None when the service has no such part (any more)."""
    try:
        return call(*args)
    except NotFound:
        return None


def _verdict(run: RemoteRun, errors: Sequence[RemoteError]) -> RunResult | None:
    """Only a finished run passes or fails: it fails by a critical threshold message among its errors."""
    if run.status != RunStatus.FINISHED:
        return None
    return RunResult.FAILED if any(map(is_failure, errors)) else RunResult.PASSED
