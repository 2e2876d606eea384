"""Start and stop: a dialog to look at (GET), one act behind its button (POST), and how it ended."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from dashboard import words
from dashboard.control_forms import QueueForm, StartForm, StopForm
from dashboard.intent_ends import end_of, is_unheeded
from dashboard.permissions import viewers
from dashboard.start_cost import Cost, cost_of
from runs import actions
from runs.abilities import can, label_of
from runs.choices import IntentKind, IntentOutcome
from runs.guards import Guards, beside, guards_for
from runs.health import health_of
from runs.models import Account, ControlIntent, LoadTest, Run
from runs.services import SERVICES
from runs.services.base import Capability, RunService

dialog_methods = require_http_methods(["GET", "HEAD", "POST"])
START_AGAIN = (IntentOutcome.REFUSED, IntentOutcome.NOT_STARTED, IntentOutcome.CANNOT_TELL)
MESSAGE_LEVELS = {
    IntentOutcome.ACCEPTED: messages.SUCCESS,
    IntentOutcome.DONE: messages.SUCCESS,
    IntentOutcome.REFUSED: messages.ERROR,
}


@dataclass(frozen=True, slots=True)
class StartPlan:
    """What a start dialog is about. Without a load test it names a new one; `run` is the one to start again, with its
    settings or (`as_it_was`) with nothing to choose.
    """

    account: Account
    load_test: LoadTest | None = None
    run: Run | None = None
    as_it_was: bool = False

    @property
    def service(self) -> type[RunService]:
        """What its settings are; none where a run is repeated as it was, or the provider is not known here."""
        return RunService if self.as_it_was else SERVICES.get(self.account.provider, RunService)

    @property
    def has_settings(self) -> bool:
        """Whether a start that is no repetition has settings to choose."""
        return bool(SERVICES[self.account.provider].start_fields) if self.account.provider in SERVICES else False

    @property
    def needs(self) -> tuple[Capability, ...]:
        return (Capability.START, Capability.RERUN) if self.as_it_was else (Capability.START,)

    @property
    def rerun_of(self) -> str:
        return self.run.external_id if self.run and self.as_it_was else ""

    @property
    def repeat_url(self) -> str:
        """The same dialog to repeat the run as it was, where the provider can; "" where it is that already."""
        repeats = self.run and not self.as_it_was and not self.run.gone_at and can(self.account, Capability.RERUN)
        return f"{reverse('run_start_again', args=[self.run.pk])}?as_it_was=1" if repeats else ""

    @property
    def start_values(self) -> dict[str, str]:
        """The settings of the run to start again, else those with which the test was last run."""
        known = dict(self.load_test.start_values) if self.load_test else {}
        return known | (dict(self.run.start_values) if self.run else {})

    @property
    def back_url(self) -> str:
        if self.run:
            return reverse("run_page", args=[self.run.pk])
        return reverse("test_page", args=[self.load_test.pk]) if self.load_test else reverse("test_list")

    @property
    def others_url(self) -> str:
        """The same dialog with the settings of the last run, where those of an earlier one are taken."""
        if self.as_it_was:
            return reverse("run_start_again", args=[self.run.pk])
        earlier = self.run and self.service.start_fields and self.run.start_values != self.load_test.start_values
        return reverse("test_start", args=[self.load_test.pk]) if earlier else ""

    def guards(self, typed: QueryDict) -> Guards:
        """What holds for this start now; `typed` may name a load test that exists."""
        load_test, name = self.load_test, typed.get("name", "").replace("\0", "").strip()
        if load_test is None and name:
            load_test = load_tests().filter(account=self.account, name__iexact=name).first()
        return guards_for(self.account, load_test, timezone.now())

    def form(self, data: QueryDict | None = None, *, values: dict | None = None, reason: str = "") -> StartForm:
        """The dialog's form; unless there is `data`, with these values and this reason filled in."""
        return StartForm(
            self.service,
            data,
            test_name=self.load_test.name if self.load_test else "",
            start_values=self.start_values | (values or {}),
            reason=reason,
        )


def load_tests() -> QuerySet[LoadTest]:
    return LoadTest.objects.select_related("account", "target")


@dialog_methods
@viewers
def test_start(request: HttpRequest, pk: int) -> HttpResponse:
    """Start a load test with the settings it was last run with."""
    load_test = get_object_or_404(load_tests(), pk=pk)
    return _start(request, StartPlan(load_test.account, load_test))


@dialog_methods
@viewers
def run_start_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Start the load test of a run with that run's settings."""
    run = get_object_or_404(Run.objects.for_list(), pk=pk)
    as_it_was = bool(request.POST.get("as_it_was") or request.GET.get("as_it_was"))
    return _start(request, StartPlan(run.account, run.load_test, run, as_it_was))


@dialog_methods
@viewers
def account_start(request: HttpRequest, slug: str) -> HttpResponse:
    """Start a new load test by name, where the provider has no tests to choose from."""
    account = get_object_or_404(Account, slug=slug)
    if not SERVICES.get(account.provider, RunService).starts_new_tests:
        return redirect(f"{reverse('test_list')}?account={account.slug}")
    return _start(request, StartPlan(account))


def _start(request: HttpRequest, plan: StartPlan) -> HttpResponse:
    if request.method != "POST":
        before = _start_before(request, plan.account)
        return _start_dialog(request, plan, plan.form(values=before.values, reason=before.reason) if before else None)
    if not request.user.has_perm("runs.control_run"):
        raise PermissionDenied
    if "estimate" in request.POST:
        return _estimate(request, plan)
    if "look" in request.POST:  # whether the way is free by now; nothing is sent
        typed = request.POST.dict()
        return _start_dialog(request, plan, plan.form(values=typed, reason=typed.get("reason", "")))
    form = plan.form(request.POST)
    form.ask(plan.guards(request.POST), actions.may_override(request.user))
    if not form.is_valid():
        return _start_dialog(request, plan, form)
    entered = form.cleaned_data
    try:
        intent = actions.start_run(
            user=request.user, account=plan.account, load_test=plan.load_test, values=form.values(),
            reason=entered["reason"], token=entered["token"], rerun_of=plan.rerun_of, **form.guard_values(),
        )  # fmt: skip
    except actions.NotAllowed as refusal:
        return _start_dialog(request, plan, plan.form(request.POST), refusal)
    return _land(request, intent)


def _estimate(request: HttpRequest, plan: StartPlan) -> HttpResponse:
    """What such a start would cost, in the dialog with all that was typed; HTMX gets that line alone."""
    cost = cost_of(request.user, plan.account, plan.load_test, plan.form(request.POST), plan.rerun_of)
    if request.htmx.target == "start-cost":
        return render(request, "control/_start_cost.html", {"cost": cost, "provider": label_of(plan.account)})
    typed = request.POST.dict()
    return _start_dialog(request, plan, plan.form(values=typed, reason=typed.get("reason", "")), cost=cost)


def _start_before(request: HttpRequest, account: Account) -> ControlIntent | None:
    """The earlier start named by `?after=<token>`, whose entries a new dialog takes over."""
    try:
        token = UUID(request.GET.get("after", ""))
    except ValueError:
        return None
    return account.intents.filter(token=token, kind=IntentKind.START).first()


def _land(request: HttpRequest, intent: ControlIntent) -> HttpResponse:
    """To the run that was started; to the intent's own page as long as there is more to say than that."""
    if intent.outcome == IntentOutcome.DONE and intent.run_id:
        messages.success(request, f"Started {intent.run.title}.")
        return go(request, reverse("run_page", args=[intent.run_id]))
    return go(request, reverse("intent_page", args=[intent.token]))


def go(request: HttpRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


def dialog(request: HttpRequest, template: str, context: dict, status: int = 200) -> HttpResponse:
    """The inside of the dialog where HTMX asks for it, else a page around it."""
    in_dialog = bool(request.htmx) and request.htmx.target == "dialog"
    layout = f"components/dialog_{'only' if in_dialog else 'full'}.html"
    return render(request, template, {**context, "layout": layout, "in_dialog": in_dialog}, status=status)


def _start_dialog(
    request: HttpRequest, plan: StartPlan, form: StartForm | None = None, refusal: actions.NotAllowed | None = None,
    cost: Cost | None = None,
) -> HttpResponse:  # fmt: skip
    form = form or plan.form()
    guards, may_override = plan.guards(request.POST), actions.may_override(request.user)
    form.ask(guards, may_override, request.POST)
    refused = str(refusal or "")
    if refusal and form.refuse(refused, refusal.field):
        refused = ""
    past = plan.load_test.runs.for_list().order_by("-created_at", "-id") if plan.load_test else Run.objects.none()
    last_run = past.first()
    model = plan.run or last_run
    context = {
        "plan": plan,
        "account": plan.account,
        "load_test": plan.load_test,
        "run": plan.run,
        "provider": label_of(plan.account),
        "estimates": can(plan.account, Capability.ESTIMATE),
        "cost": cost,
        "steps": plan.service.start_steps,
        "form": form,
        "refusal": refused,
        "why_not": actions.may_control(request.user, plan.account, *plan.needs),
        "guards": guards,
        "beside": beside(guards, plan.load_test, timezone.now()),
        "blocked": guards.blocked(may_override),
        "frozen": guards.frozen_sentence(may_override),
        "last_run": last_run,
        "model": model,
        "load": words.load(model.virtual_users, model.planned_duration_s)
        if model and (form.settings or plan.as_it_was)
        else "",
        "ended": past.ended().first(),
        "health": health_of(plan.account, timezone.now()),
        "requester": actions.shown_name(request.user),
    }
    return dialog(request, "control/start.html", context, status=422 if form.errors else 200)


@dialog_methods
@viewers
def run_stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether to stop a run, then ask its provider to."""
    run = get_object_or_404(Run.objects.for_list().with_failing(), pk=pk)
    if request.method != "POST":
        return _stop_dialog(request, run, StopForm())
    if not request.user.has_perm("runs.control_run"):
        raise PermissionDenied
    form = StopForm(request.POST)
    if not form.is_valid():
        return _stop_dialog(request, run, form)
    entered = form.cleaned_data
    try:
        intent = actions.stop_run(user=request.user, run=run, reason=entered["reason"], token=entered["token"])
    except actions.NotAllowed as sentence:
        messages.info(request, str(sentence))
    else:
        messages.add_message(request, MESSAGE_LEVELS.get(intent.outcome, messages.WARNING), intent.message)
    return go(request, reverse("run_page", args=[run.pk]))


def _stop_dialog(request: HttpRequest, run: Run, form: StopForm) -> HttpResponse:
    context = {
        "run": run,
        "account": run.account,
        "provider": label_of(run.account),
        "form": form,
        "refusal": actions.may_control(request.user, run.account, Capability.STOP),
        "elapsed": run.duration_s if run.is_ended else (timezone.now() - _began(run)).total_seconds(),
    }
    return dialog(request, "control/stop.html", context, status=422 if form.errors else 200)


def _began(run: Run) -> datetime:
    return run.load_started_at or run.created_at


def intents() -> QuerySet[ControlIntent]:
    return ControlIntent.objects.for_list().select_related("load_test__target", "run__account")


@require_safe
@viewers
def intent_page(request: HttpRequest, token: UUID) -> HttpResponse:
    """How a start or a stop ended, or how far it has come. Polled (`?seen=<state>`) until it is settled."""
    intent = get_object_or_404(intents(), token=token)
    polled = request.htmx and request.htmx.target == "intent"
    if polled and request.GET.get("seen") == _state_of(intent):
        return HttpResponse(status=204)
    return _show_intent(request, intent, "control/_intent.html" if polled else "control/intent.html")


def _state_of(intent: ControlIntent) -> str:
    more = ("late" if is_unheeded(intent, timezone.now()) else "", len(intent.candidates) or "")
    return "-".join([intent.outcome, *(str(part) for part in more if part)])


def _show_intent(
    request: HttpRequest, intent: ControlIntent, template: str = "control/intent.html",
    refusal: actions.NotAllowed | None = None,
) -> HttpResponse:  # fmt: skip
    provider = label_of(intent.account)
    needs = Capability.START if intent.kind == IntentKind.START else Capability.STOP
    context = {
        "intent": intent,
        "state": _state_of(intent),
        "account": intent.account,
        "provider": provider,
        "end": end_of(intent, provider, timezone.now()),
        "unheeded": is_unheeded(intent, timezone.now()),
        "candidates": Run.objects.for_list().filter(account=intent.account, external_id__in=intent.candidates),
        "start_url": _start_url(intent),
        "may_control": not actions.may_control(request.user, intent.account, needs),
        "refusal": str(refusal or ""),
    }
    if intent.outcome == IntentOutcome.CREATED and context["may_control"]:
        context |= _queueing(request, intent, refusal)
    return render(request, template, context, status=422 if refusal else 200)


def _queueing(request: HttpRequest, intent: ControlIntent, refusal: actions.NotAllowed | None) -> dict[str, object]:
    """What stands against queueing a created run, and the form for it."""
    may_override = actions.may_override(request.user)
    guards = guards_for(intent.account, intent.load_test, timezone.now(), intent)
    form = QueueForm(request.POST if refusal else None, guards=guards, may_override=may_override)
    refused = str(refusal or "")
    if refusal and form.refuse(refused, refusal.field):
        refused = ""
    sentences = [*(limit.sentence for limit in guards.full), guards.frozen_sentence(may_override)]
    return {
        "queue_form": form, "refusal": refused, "blocked": guards.blocked(may_override),
        "sentences": [sentence for sentence in sentences if sentence and sentence != refused],
    }  # fmt: skip


def _start_url(intent: ControlIntent) -> str:
    """Where to try again what did not start, or may not have; "" where that does not apply."""
    if intent.kind != IntentKind.START or intent.outcome not in START_AGAIN:
        return ""
    after = urlencode({"after": intent.token})
    if intent.rerun_of and (run := intent.account.runs.filter(external_id=intent.rerun_of).first()):
        return f"{reverse('run_start_again', args=[run.pk])}?as_it_was=1&{after}"
    if intent.load_test_id:
        return f"{reverse('test_start', args=[intent.load_test_id])}?{after}"
    return f"{reverse('account_start', args=[intent.account.slug])}?{after}"


def _on_created(request: HttpRequest, token: UUID, act: Callable[..., ControlIntent], **typed: str) -> HttpResponse:
    if not request.user.has_perm("runs.control_run"):
        raise PermissionDenied
    intent = get_object_or_404(intents(), token=token)
    try:
        intent = act(user=request.user, intent=intent, **typed)
    except actions.NotAllowed as refusal:
        return _show_intent(request, intent, refusal=refusal)
    return _land(request, intent)


@require_POST
@viewers
def intent_queue(request: HttpRequest, token: UUID) -> HttpResponse:
    """Queue a run that was created but not queued."""
    typed = {name: request.POST.get(name, "").replace("\0", "") for name in ("target_name", "override_reason")}
    return _on_created(request, token, actions.queue_created, **typed)


@require_POST
@viewers
def intent_leave(request: HttpRequest, token: UUID) -> HttpResponse:
    """Leave a run that was created but not queued as it is."""
    return _on_created(request, token, actions.leave_created)
