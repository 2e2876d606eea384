"""The thresholds that we keep for a load test whose provider knows none."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from dashboard.forms.thresholds import ThresholdsForm
from dashboard.views.control import dialog, dialog_methods, go
from runs import own_thresholds
from runs.abilities import can
from runs.criteria import words
from runs.models import LoadTest
from runs.services.base import Capability

operators = permission_required("runs.control_run", raise_exception=True)


def in_words(test: LoadTest) -> list[tuple[str, str]]:
    """Each threshold that is set: what it is about, what is allowed."""
    set_ones = own_thresholds.judge(test.own_thresholds, {}, ended=False)
    return [(told.what, told.allowed) for told in map(words, set_ones)]


@dialog_methods
@operators
def test_thresholds(request: HttpRequest, pk: int) -> HttpResponse:
    """Say by which thresholds the runs of a load test pass or fail."""
    test = get_object_or_404(LoadTest.objects.select_related("account"), pk=pk)
    if not can(test.account, Capability.OWN_THRESHOLDS):
        raise Http404
    form = ThresholdsForm(request.POST if request.method == "POST" else None, kept=test.own_thresholds)
    if request.method == "POST" and form.is_valid():
        test.own_thresholds = form.thresholds()
        test.save(update_fields=["own_thresholds"])
        said = "Runs that end from now on pass or fail by them." if test.own_thresholds else "Its runs get no verdict."
        messages.success(request, f"Thresholds of {test} saved. {said}")
        return go(request, reverse("test_page", args=[pk]))
    return dialog(request, "tests/thresholds.html", {"test": test, "form": form}, status=422 if form.errors else 200)
