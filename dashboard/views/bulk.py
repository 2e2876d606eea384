"""What is done with several runs of the list at once: stop them, or export them."""

from dataclasses import dataclass, replace
from uuid import UUID
from zlib import crc32

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from dashboard.forms.selection import SelectionForm, StopSeveralForm
from dashboard.freshness import newest_known
from dashboard.intent_ends import End, end_of, is_unheeded
from dashboard.permissions import viewers
from dashboard.run_address import Address, tokens
from dashboard.seen import seen_by
from dashboard.stop_scope import Rest, rest_of, scope_named, scope_of
from dashboard.views.control import dialog, dialog_methods, go
from dashboard.views.runs import file_of, list_url
from runs.abilities import label_of
from runs.choices import IntentOutcome
from runs.export import FORMATS
from runs.models import Account, ControlIntent, LoadTest, Run
from runs.stop_several import MOST, Plan, fate_of, plan_of, stop_several, token_for


@dialog_methods
@viewers
def runs_stop(request: HttpRequest) -> HttpResponse:
    """Show what a stop of the selected runs would do to each (also by POST, for long selections); with a token, do it.

    What is done is what was shown: the dialog sends the runs it named, and no filter is asked again.
    """
    if request.method == "POST" and not request.user.has_perm("runs.control_run"):
        raise PermissionDenied
    if "token" in request.POST:
        return _stop(request)
    form = SelectionForm(request.POST if request.method == "POST" else request.GET, seen=seen_by(request.user))
    query = form.data.get("back", "")
    if not form.is_valid():
        status = 422 if request.method == "POST" else 200
        return dialog(request, "control/stop_several.html", {"problems": form.sentences(), **_back(query)}, status)
    about = tokens(form.list_form, Address.of(form.list_form.data)) if form.cleaned_data["all"] else []
    context = {"all": form.cleaned_data["all"], "tokens": about, "without": form.cleaned_data["without"]}
    return _show(request, plan_of(form.runs(), timezone.now()), StopSeveralForm(), query, context)


@require_safe
@viewers
def account_stop(request: HttpRequest, slug: str) -> HttpResponse:
    """Show everything of an account that a stop would reach; the button is that of `runs_stop`."""
    return _show_all(request, get_object_or_404(Account, slug=slug))


@require_safe
@viewers
def test_stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Show everything of a load test that a stop would reach; the button is that of `runs_stop`."""
    return _show_all(request, get_object_or_404(LoadTest.objects.select_related("account"), pk=pk))


def _show_all(request: HttpRequest, thing: Account | LoadTest) -> HttpResponse:
    scope = scope_of(thing)
    newest = newest_known()  # before the list is read: what comes between is told rather than lost
    plan = plan_of(scope.live, timezone.now())
    return _show(request, plan, StopSeveralForm(), scope.query, {"scope": scope, "newest": newest})


def _show(request: HttpRequest, plan: Plan, form: StopSeveralForm, query: str, more: dict) -> HttpResponse:
    context = {
        "plan": plan,
        "most": MOST,
        "form": form,
        "now": timezone.now(),
        "not_allowed": not request.user.has_perm("runs.control_run"),
        **_back(query),
        **more,
    }
    return dialog(request, "control/stop_several.html", context, 422 if form.errors else 200)


def _back(query: str) -> dict[str, str]:
    return {"query": query, "list_url": list_url(QueryDict(query))}


def _stop(request: HttpRequest) -> HttpResponse:
    form = StopSeveralForm(request.POST)
    query = request.POST.get("back", "")
    if not form.is_valid():
        shown = Run.objects.filter(pk__in=form.cleaned_data.get("id", ()))
        more = {"scope": scope_named(request.POST.get("scope", "")), "newest": form.cleaned_data.get("newest") or 0}
        return _show(request, plan_of(shown, timezone.now()), form, query, more)
    wanted = form.cleaned_data
    stop_several(user=request.user, run_ids=wanted["stop"], reason=wanted["reason"], press=wanted["token"])
    ids = {"id": ",".join(map(str, wanted["id"])), "stop": ",".join(map(str, wanted["stop"])), "back": query}
    if wanted["scope"]:
        ids |= {"scope": wanted["scope"], "newest": wanted["newest"] or 0}
    return go(request, f"{reverse('runs_stopped', args=[wanted['token']])}?{urlencode(ids)}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A line of the outcomes: `intent` is None where nothing was sent."""

    run: Run
    end: End
    intent: ControlIntent | None = None
    not_asked: bool = False
    unheeded: bool = False


@require_safe
@viewers
def runs_stopped(request: HttpRequest, token: UUID) -> HttpResponse:
    """What came of stopping several runs, one line each. Polled (`?seen=`) until all of it is settled."""
    form = StopSeveralForm(request.GET)
    form.full_clean()  # of its fields only the runs are asked for here
    ids, stop = form.cleaned_data.get("id", []), set(form.cleaned_data.get("stop", []))
    outcomes = _outcomes(token, ids[:MOST], stop)
    seen = str(crc32(repr([(line.run.status, line.end) for line in outcomes]).encode()))
    scope = scope_named(form.cleaned_data.get("scope", ""))
    rest = rest_of(scope, ids, form.cleaned_data.get("newest") or 0) if scope else Rest()
    seen = f"{seen}.{rest.since}.{rest.beyond}"
    polled = request.htmx and request.htmx.target == "stopped"
    if polled and request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    address = request.GET.copy()
    address["seen"] = seen
    context = {
        "outcomes": outcomes,
        "asked": sum(line.intent is not None for line in outcomes),
        "not_asked": [line.run for line in outcomes if line.not_asked],
        "unheeded": [line.run for line in outcomes if line.unheeded],
        "scope": scope,
        "rest": rest,
        "most": MOST,
        "polls": any(line.end.polls for line in outcomes),
        "poll_url": f"{request.path}?{address.urlencode()}",
        **_back(request.GET.get("back", "")),
    }
    return render(request, "control/_stopped.html" if polled else "control/stopped.html", context)


def _outcomes(press: UUID, ids: list[int], stop: set[int]) -> list[Outcome]:
    runs = Run.objects.for_list().with_failing().in_bulk(ids)
    sent = ControlIntent.objects.select_related("run")
    intents = {i.token: i for i in sent.filter(token__in=[token_for(press, pk) for pk in ids])}
    return [_outcome(runs[pk], intents.get(token_for(press, pk)), pk in stop) for pk in ids if pk in runs]


def _outcome(run: Run, intent: ControlIntent | None, wanted: bool) -> Outcome:
    provider = label_of(run.account)
    if intent is not None:
        now = timezone.now()
        end = end_of(intent, provider, now)
        if is_unheeded(intent, now):
            return Outcome(run, end, intent, unheeded=True)
        if intent.outcome == IntentOutcome.ACCEPTED:  # its own message names the run, as the line does
            end = replace(end, text=f"Waiting for {provider} to confirm it.")
        return Outcome(run, end, intent)
    fate = fate_of(run, timezone.now())
    if wanted and fate.stops:
        text = "There was no time left for it. Nothing was sent."
        return Outcome(run, End("Not asked", text, "warning", "clock-x"), not_asked=True)
    text = "" if fate.stops else fate.text.removeprefix("skipped, ").capitalize() + "."
    return Outcome(run, End("Skipped", text, "info", "minus"))


@require_POST
@viewers
def selection_export(request: HttpRequest) -> HttpResponse:
    """The selected runs as a file: `format=csv` or `json`, streamed, whatever their number."""
    form = SelectionForm(request.POST, seen=seen_by(request.user))
    wanted = request.POST.get("format", "csv")
    if wanted not in FORMATS or not form.is_valid():
        problems = form.sentences() or [f"Runs are exported as {' or '.join(FORMATS)}."]
        return HttpResponseBadRequest("\n".join(problems), content_type="text/plain; charset=utf-8")
    return file_of(form.runs(), wanted, timezone.now())
