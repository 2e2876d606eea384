"""Every part of the pages in every state, on one page: what one looks at before making another one."""

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard import example_lists, examples
from dashboard.control_forms import StopForm
from dashboard.forms.looks import Looks
from dashboard.run_columns import COLUMNS, USUAL
from runs.choices import RunStatus
from runs.criteria import words


class ExampleForm(Looks, forms.Form):
    """A field of each kind: empty, filled, disabled, wrong."""

    empty = forms.CharField(label="Test name", help_text="As the provider shows it.")
    filled = forms.CharField(label="Base URL", initial="https://api.k6.io")
    off = forms.CharField(label="Provider", initial="VSTS Cloud Load Test", disabled=True)
    choice = forms.ChoiceField(label="Sync", choices=[("60", "every minute"), ("3600", "every hour")])
    reason = forms.CharField(label="Reason", widget=forms.Textarea(attrs={"rows": 2}), required=False)
    ticked = forms.BooleanField(label="Read only", initial=True, help_text="Nobody can start or stop runs.")


class WrongForm(Looks, forms.Form):
    """A field with a complaint."""

    wrong = forms.IntegerField(label="Virtual users")


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """For admins, and for everybody who is signed in while DEBUG is on."""
    if not (settings.DEBUG or request.user.has_perm("auth.change_user")):
        raise PermissionDenied
    wrong = WrongForm({"wrong": "many"}, auto_id="wrong_%s", label_suffix="")
    wrong.is_valid()
    context = {
        "colours": examples.COLOURS,
        "statuses": examples.statuses(),
        "results": examples.results(),
        "strips": examples.strips(),
        "chart": examples.finished_chart(),
        "live_chart": examples.live_chart(),
        "example_form": ExampleForm(auto_id="example_%s", label_suffix=""),
        "wrong_form": wrong,
        "moments": examples.moments(),
        "steps": examples.STEPS,
        "healths": examples.HEALTHS,
        "providers": examples.PROVIDERS,
        "ages": examples.data_ages(),
        **_lists(request),
    }
    return render(request, "styleguide/page.html", context)


def _lists(request: HttpRequest) -> dict[str, object]:
    to_stop = examples.a_run(RunStatus.RUNNING, virtual_users=400, planned_duration_s=1800)
    return {
        "run_rows": example_lists.run_rows(request.user),
        "row_heads": [column.label for column in COLUMNS if column.usual],
        "shown": USUAL,
        "menu": example_lists.result_menu(),
        "changes": example_lists.changes(),
        "thresholds": [{"row": row, "words": words(row)} for row in example_lists.thresholds()],
        "lives": example_lists.lives(),
        "error_rows": example_lists.error_rows(),
        "week": example_lists.week_of_history(),
        "to_stop": to_stop,
        "stop_form": StopForm(),
    }
