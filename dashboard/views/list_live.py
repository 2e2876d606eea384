"""How often the run list asks for news."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from dashboard.context import preference_of
from dashboard.forms.preferences import LiveForm
from dashboard.freshness import freshness_of
from dashboard.permissions import viewers
from dashboard.way_back import way_back


@require_POST
@viewers
def list_live(request: HttpRequest) -> HttpResponse:
    """Remember the interval, if it is one of those offered: the chip anew for HTMX, else back to the list at `next`."""
    form = LiveForm(request.POST, instance=preference_of(request))
    if form.is_valid():
        form.save()
    if request.htmx:
        fresh = freshness_of(preference_of(request).live_seconds, request.POST.get("live") == "1")
        return render(request, "runs/_freshness_menu.html", {"fresh": fresh, "live": request.POST.get("live") == "1"})
    return way_back(request, "run_list")
