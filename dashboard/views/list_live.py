"""How often the run list asks for news."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from dashboard.context import preference_of
from dashboard.forms.live import LiveForm
from dashboard.freshness import freshness_of
from dashboard.views.runs import viewers


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
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure())
    return redirect(back if safe else "run_list")
