"""Activity: every start and stop asked for here, newest first, and which of them are not settled."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.forms.intent_filters import IntentFilterForm
from dashboard.intent_ends import End, end_of
from dashboard.permissions import viewers
from runs import actions
from runs.abilities import label_of
from runs.listing import BadCursor, Order, run_page
from runs.models import Account, ControlIntent
from runs.services.base import Capability


@dataclass(frozen=True, slots=True)
class Line:
    intent: ControlIntent
    end: End


@require_safe
@viewers
def intent_list(request: HttpRequest) -> HttpResponse:
    """A page of them; the filters and the place are in the address."""
    form = IntentFilterForm(request.GET)
    found = form.intents()
    try:
        page = run_page(found, Order(), after=request.GET.get("after", ""), before=request.GET.get("before", ""))
    except BadCursor:
        page = run_page(found, Order())
    now = timezone.now()
    lines = [Line(intent, end_of(intent, label_of(intent.account), now)) for intent in page.runs]
    accounts = Account.objects.all() if request.user.has_perm("runs.control_run") else ()
    context = {
        "form": form,
        "lines": lines,
        "page": page,
        "unsettled": ControlIntent.objects.unsettled().order_by().count(),
        "stoppable": [
            account for account in accounts if not actions.may_control(request.user, account, Capability.STOP)
        ],
    }
    return render(request, "control/intents.html", context)
