"""Since when a load test knows an error, and which of its runs had it: from our own history, by fingerprint."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Min

from runs.error_tree import Node
from runs.models import Run, RunError


def known_before(run: Run | None) -> frozenset[str] | None:
    """The fingerprints of a run's errors: what is not new afterwards. None for no run."""
    return None if run is None else frozenset(run.runerrors.values_list("fingerprint", flat=True))


def first_runs(run: Run, fingerprints: Collection[str] | None = None) -> dict[str, Run]:
    """Of each of these errors (None: of all of the run's), the first run of the same load test that had it.

    Two queries whatever their number. The runs have their number, id and time only.
    """
    wanted = run.runerrors.values("fingerprint") if fingerprints is None else fingerprints
    if fingerprints is not None and not fingerprints:
        return {}
    begun = dict(
        RunError.objects.filter(
            fingerprint__in=wanted, run__load_test=run.load_test_id, run__created_at__lte=run.created_at
        )
        .order_by()
        .values_list("fingerprint")
        .annotate(begun=Min("run__created_at"))
    )
    runs = Run.objects.filter(load_test=run.load_test_id, created_at__in=set(begun.values()))
    by_time = {found.created_at: found for found in runs.only("number", "external_id", "created_at").order_by("-pk")}
    return {fingerprint: by_time[moment] for fingerprint, moment in begun.items() if moment in by_time}


def first_run_of(node: Node, first: Mapping[str, Run]) -> Run | None:
    """Of a detail its own; of a branch the earliest of all details below it. None where it was not asked for."""
    if node.level == "detail":
        return first.get(node.fingerprint)
    below = [found for child in node.children if (found := first_run_of(child, first))]
    return min(below, key=lambda run: (run.created_at, run.pk), default=None)


@dataclass(frozen=True, slots=True)
class Sightings:
    """The runs of one load test that had an error: how many, the first, and the last few but the one looked at."""

    count: int
    first: Run | None
    others: Sequence[Run]


def sightings(run: Run, fingerprint: str, most: int = 5) -> Sightings:
    found = Run.objects.filter(load_test=run.load_test_id, runerrors__fingerprint=fingerprint).select_related(
        "load_test"
    )
    return Sightings(
        count=found.count(),
        first=found.order_by("created_at", "pk").first(),
        others=found.exclude(pk=run.pk).order_by("-created_at", "-pk")[:most],
    )
