"""The run that another run is held against: every "was 441", "3 % fewer" and NEW of a run's page means this one."""

from django.db.models import Q

from runs.choices import RunStatus
from runs.models import Run


def previous_comparable(run: Run) -> Run | None:
    """The last run of the same load test requested before this one that is fit to compare with, whatever its result.

    Fit: it ran its course (finished, all results processed), its details were read, and where both runs know them it
    had the same virtual users and the same planned duration. A run that failed counts: what it had is not new now.
    """
    earlier = Q(created_at__lt=run.created_at) | Q(created_at=run.created_at, pk__lt=run.pk)
    runs = (
        Run.objects.filter(earlier, load_test=run.load_test_id, created_at__lte=run.created_at)
        .filter(status=RunStatus.FINISHED, results_incomplete=False, details_at__isnull=False, details_error="")
        .select_related("load_test")
    )
    for name in ("virtual_users", "planned_duration_s"):
        if (planned := getattr(run, name)) is not None:
            runs = runs.filter(Q(**{name: planned}) | Q(**{name: None}))
    return runs.order_by("-created_at", "-pk").first()
