"""Thresholds that we keep for a load test whose provider knows none, and the verdict they give. Pure.

`limits` is `LoadTest.own_thresholds`: {"p95_ms": 500, "error_rate": 0.01, "rate_per_s": 100}, each of them optional;
`numbers` are those of the run as a whole (`RemoteMetric.numbers`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runs.choices import RunResult, RunStatus
from runs.services.base import RemoteThreshold


@dataclass(frozen=True, slots=True)
class Kind:
    """One threshold that can be set: what it judges, in the words that `runs.criteria` reads."""

    key: str
    metric: str
    stat: str
    unit: str = ""
    at_least: bool = False  # the limit is the least that is good, else the most

    def condition(self, limit: float) -> str:
        return f"{self.stat}{'>=' if self.at_least else '<='}{limit:.12g}"


KINDS = (
    Kind("p95_ms", "http_req_duration", "p(95)", "ms"),
    Kind("error_rate", "http_req_failed", "rate"),
    Kind("rate_per_s", "http_reqs", "rate", "1/s", at_least=True),
)


def judge(limits: Mapping[str, float], numbers: Mapping[str, float], *, ended: bool) -> list[RemoteThreshold]:
    """Each threshold that is set, with how it stands.

    Not judged is one without a number, and while the run goes on one that asks for at least so much: it may still come.
    """
    judged = []
    for kind in KINDS:
        limit, value = limits.get(kind.key), numbers.get(kind.key)
        if limit is None:
            continue
        broken = None
        if value is not None and (ended or not kind.at_least):
            broken = value < limit if kind.at_least else value > limit
        judged.append(
            RemoteThreshold(
                metric=kind.metric, condition=kind.condition(limit), broken=broken, value=value, limit=limit,
                unit=kind.unit,
            )
        )  # fmt: skip
    return judged


def verdict(status: str, thresholds: Sequence[RemoteThreshold], *, incomplete: bool = False) -> RunResult:
    """The result of an ended run. Broken is failed, however it ended; passed is only who came to its end, with
    everything measured and held."""
    if any(threshold.broken for threshold in thresholds):
        return RunResult.FAILED
    held = bool(thresholds) and all(threshold.broken is False for threshold in thresholds)
    return RunResult.PASSED if held and status == RunStatus.FINISHED and not incomplete else RunResult.NONE
