"""A person's wish -> the provider: the intent is stored first, sent once, and ends in one of three honest ways.

Done; refused, with the provider's reason; or no answer: then it may or may not have happened, the sync looks for it
(runs/sync/settle.py), and nothing is ever sent that could make a second run.
"""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from runs import guards
from runs.abilities import cannot, label_of
from runs.choices import IntentKind, IntentOutcome, RunStatus
from runs.fields import CredentialsUnusable
from runs.models import Account, ControlIntent, LoadTest, Run
from runs.provider_calls import counted_calls
from runs.services import SERVICES, service_for
from runs.services.base import Capability, CheckStep, Refused, RunService, ServiceError, UnexpectedAnswer
from runs.sync import link_run, request_sync, wish_of
from runs.sync.mirror import save_runs
from runs.sync.settle import settle

log = logging.getLogger(__name__)

NO_ANSWER = (
    "It may or may not have started. No answer came; Plimsoll is checking with {provider}, and nothing is sent that "
    "could start a second run. ({reason})"
)
USED = "This form was already used for something else. Open it again."
LONGEST_NAME = 150  # in every column that says who did something
# A write that does not leave this soon after it was noted is not sent any more: it might arrive after the sync has
# looked for it in vain (LIST_LAG) and told somebody to press again.
LEAVES_WITHIN = timedelta(seconds=15)
HELD_UP = "Plimsoll was held up for {seconds:.0f} s before it could send it, so nothing was sent. Try again."
NO_STOP_ANSWER = "It may or may not stop. No answer came; Plimsoll watches the run. Ask again if it goes on. ({reason})"


class NotAllowed(Exception):
    """A sentence saying why nothing was sent: a read-only account, a missing role, a run that cannot be stopped.

    `field`: what of the start form can be filled in to help (see `runs.guards.Refusal`), or "".
    """

    def __init__(self, sentence: str, field: str = ""):
        super().__init__(sentence)
        self.field = field


def may_control(user: User, account: Account, *needs: Capability) -> str:
    """Why this user may not change anything on this account (or not in these ways), as a sentence; empty when they may.

    Without `needs` it is about starting and stopping in general.
    """
    changes = bool(needs) and needs[0] not in (Capability.START, Capability.STOP, Capability.RERUN)
    if not user.has_perm("runs.control_run"):
        what = "Changing something at a provider" if changes else "Starting and stopping runs"
        return f"{what} takes the operator role. Ask an admin for it."
    if account.archive:
        return f"{account.name} is an archive: its runs came from a file, and there is no provider to ask."
    if not account.enabled:
        return f"{account.name} is switched off. An admin can switch it on again."
    if account.read_only:
        return (
            f"{account.name} is read-only: nobody can {'change anything' if changes else 'start or stop runs'} on it."
        )
    return next((sentence for need in needs if (sentence := cannot(account, need))), "")


def require(user: User, account: Account, *needs: Capability) -> None:
    """NotAllowed with the sentence of `may_control`, unless they may."""
    if sentence := may_control(user, account, *needs):
        raise NotAllowed(sentence)


def opened_service(account: Account, **options: Any) -> RunService:
    return service_for(account.provider, account.base_url, account.open_credentials(), **options)


def start_run(
    *, user: User, account: Account, load_test: LoadTest | None, values: dict[str, str], reason: str, token: UUID,
    target_name: str = "", override_reason: str = "", rerun_of: str = "",
) -> ControlIntent:  # fmt: skip
    """Start a run of `load_test`, or (where a run's name is its test) of the test named in `values`.

    Returns the intent as it stands. The same token again returns the first intent and sends nothing. `target_name` is
    what was typed to name a protected target, `override_reason` why an admin starts in a freeze window. `rerun_of`: the
    external id of a run to be repeated as it was; there are no `values` then.
    """
    with transaction.atomic():  # one decision at a time: what it rests on, and the intent that the next one counts
        load_test, test_name = named_test(account, load_test, values)
        account, load_test = guards.hold(account, load_test)
        first = ControlIntent.objects.filter(token=token).first()
        if first is not None:
            return _same_start(first, user, account, load_test, values, rerun_of)
        require(user, account, Capability.START, *([Capability.RERUN] if rerun_of else []))
        overridden = _pass_guards(user, account, load_test, None, target_name, override_reason)
        intent, mine = ControlIntent.objects.get_or_create(
            token=token,
            defaults={
                "kind": IntentKind.START, "account": account, "load_test": load_test, "user": user,
                "user_name": shown_name(user), "reason": reason, "test_name": test_name, "values": values,
                "override_reason": overridden, "rerun_of": rerun_of,
            },
        )  # fmt: skip
    if not mine:
        return _same_start(intent, user, account, load_test, values, rerun_of)
    return _send_steps(intent, SERVICES[account.provider].start_steps)


def may_override(user: User) -> bool:
    """Whether this user may start in a freeze window."""
    return user.has_perm("runs.manage_accounts")


def _pass_guards(
    user: User, account: Account, load_test: LoadTest | None, but: ControlIntent | None, typed: str, why: str
) -> str:
    """Why a freeze window is overridden, "" when none holds; NotAllowed where a rule stands against the start."""
    found = guards.guards_for(account, load_test, timezone.now(), but)
    refusal = found.refusal(may_override=may_override(user), target_name=typed, override_reason=why)
    if refusal is not None:
        raise NotAllowed(refusal.sentence, refusal.field)
    return why.strip() if found.frozen else ""


def named_test(account: Account, load_test: LoadTest | None, values: dict[str, str]) -> tuple[LoadTest | None, str]:
    """The test to start and its name; a name typed for a provider without tests may be another test, or a new one."""
    service = SERVICES.get(account.provider)
    name = values.get("name", "").strip() if service and service.starts_new_tests else ""
    if load_test is not None and (not name or name.casefold() == load_test.name.casefold()):
        return load_test, load_test.name
    if not name:
        raise NotAllowed("Name the load test to start.")
    return account.load_tests.filter(name__iexact=name).first(), name


def shown_name(user: User) -> str:
    return (user.get_full_name() or user.get_username())[:LONGEST_NAME]


def _same_start(
    first: ControlIntent, user: User, account: Account, load_test: LoadTest | None, values: dict[str, str],
    rerun_of: str,
) -> ControlIntent:  # fmt: skip
    """A form sent again for another test or with other settings must not look as if that had been started."""
    other_test = first.load_test_id and load_test and first.load_test_id != load_test.pk
    if (first.account_id, first.values, first.rerun_of) != (account.pk, values, rerun_of) or other_test:
        raise NotAllowed(USED)
    return _same_press(first, user, IntentKind.START)


def _same_press(first: ControlIntent, user: User, kind: IntentKind) -> ControlIntent:
    if first.user_id != user.pk or first.kind != kind:
        raise NotAllowed(USED)
    return first


def _send_steps(intent: ControlIntent, steps: tuple[str, ...]) -> ControlIntent:
    """Send the given steps in order, each once; stop at the first that is not answered with success."""
    with counted_calls(intent.account):
        return _send_each(intent, steps)


def _send_each(intent: ControlIntent, steps: tuple[str, ...]) -> ControlIntent:
    try:
        service = opened_service(intent.account)
    except CredentialsUnusable as problem:
        return _settled(intent, IntentOutcome.REFUSED, f"Not sent: {problem}")
    wish = wish_of(intent)
    _name_its_run(intent, service)
    for step in steps:
        if not _mark_sent(intent, step):
            return intent
        try:
            _leaves_in_time(intent)
            remote = service.start_step(step, wish, "" if step == service.start_steps[0] else intent.external_id)
        except ServiceError as problem:
            return _start_failed(intent, service, problem)
        if remote is not None:
            with transaction.atomic():
                [run] = save_runs(intent.account, [remote], timezone.now(), intent.sent_at)
                link_run(intent, run)
                intent.save(update_fields=["run", "external_id", "load_test"])
    if remote is None:
        _look_at(service, intent)
    return _settled(intent, IntentOutcome.DONE, "Started.")


def _name_its_run(intent: ControlIntent, service: RunService) -> None:
    """Note the id that the run will have, where we choose it: should the answer be lost, that very run is asked for."""
    if not intent.external_id and (named := service.run_id_of(str(intent.token))):
        intent.external_id = named
        intent.save(update_fields=["external_id"])


def _look_at(service: RunService, intent: ControlIntent) -> None:
    """Show the run as its last step left it; if it cannot be read now, the sync will."""
    asked_at = timezone.now()
    try:
        save_runs(intent.account, [service.get_run(intent.external_id)], timezone.now(), asked_at)
    except ServiceError as problem:
        log.info("The run just started could not be read: %s", problem)


def _mark_sent(intent: ControlIntent, step: str) -> bool:
    """Committed before the request leaves, so that nothing can send it again; False if it was settled meanwhile.

    The account becomes due as well: should this process die now, the next pass looks at once what came of it.
    """
    newest = Run.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    # `sent_at` is that of our own last step: another button may have taken the next one over meanwhile.
    marked = ControlIntent.objects.unsettled().filter(pk=intent.pk, sent_at=intent.sent_at)
    with transaction.atomic():
        mine = marked.update(step=step, outcome=IntentOutcome.SENT, sent_at=timezone.now(), known_up_to=newest)
        if mine:
            request_sync(intent.account)
    if not mine:
        intent.refresh_from_db()
        return False
    intent.refresh_from_db(fields=["step", "outcome", "sent_at"])
    return True


def _leaves_in_time(intent: ControlIntent) -> None:
    """Asked last before a write leaves; Refused when the machine slept, or was too busy, since it was noted."""
    waited = timezone.now() - intent.sent_at
    if waited > LEAVES_WITHIN:
        raise Refused(HELD_UP.format(seconds=waited.total_seconds()))


def _start_failed(intent: ControlIntent, service: RunService, problem: ServiceError) -> ControlIntent:
    # An unreadable answer to a write is no answer: the write may well have been done.
    if problem.maybe_done or isinstance(problem, UnexpectedAnswer):
        _unless_told(intent, message=NO_ANSWER.format(provider=service.label, reason=problem))
    elif intent.external_id and intent.step != service.start_steps[0]:
        settle(intent, IntentOutcome.CREATED, f"The run was created, but it is not queued. {problem}", timezone.now())
    else:
        intent.external_id = ""  # perhaps named by us, but never made
        settle(intent, IntentOutcome.REFUSED, f"Not started. {problem}", timezone.now())
    request_sync(intent.account)
    return intent


def _unless_told(intent: ControlIntent, **columns: str) -> None:
    """Write to a sent intent, unless a pass has found out meanwhile what came of it: that outranks what we know."""
    ControlIntent.objects.filter(pk=intent.pk, outcome=IntentOutcome.SENT, sent_at=intent.sent_at).update(**columns)
    intent.refresh_from_db()


def _settled(intent: ControlIntent, outcome: IntentOutcome, message: str) -> ControlIntent:
    settle(intent, outcome, message, timezone.now())
    request_sync(intent.account)
    return intent


def queue_created(
    *, user: User, intent: ControlIntent, target_name: str = "", override_reason: str = ""
) -> ControlIntent:
    """Queue a run that was created but not queued; once, however often the button is pressed. It is a start as well."""
    with transaction.atomic():
        account, load_test = guards.hold(intent.account, intent.load_test)
        require(user, account, Capability.START)
        intent.refresh_from_db()
        if intent.outcome != IntentOutcome.CREATED:
            return intent
        why = _pass_guards(user, account, load_test, intent, target_name, override_reason)
        intent.override_reason = "\n".join(filter(None, (intent.override_reason, why)))
        intent.outcome, intent.sent_at = IntentOutcome.SENT, timezone.now()
        claimed = ControlIntent.objects.filter(pk=intent.pk, outcome=IntentOutcome.CREATED)
        if not claimed.update(outcome=intent.outcome, sent_at=intent.sent_at, override_reason=intent.override_reason):
            intent.refresh_from_db()
            return intent
    return _send_steps(intent, SERVICES[intent.account.provider].start_steps[-1:])


def leave_created(*, user: User, intent: ControlIntent) -> ControlIntent:
    """Leave a created run as it is at the provider: it will not run, and nothing more is sent."""
    require(user, intent.account)
    ControlIntent.objects.filter(pk=intent.pk, outcome=IntentOutcome.CREATED).update(
        outcome=IntentOutcome.LEFT, settled_at=timezone.now(),
        message=f"Left as created by {shown_name(user)}; it was not queued.",
    )  # fmt: skip
    intent.refresh_from_db()
    return intent


def stop_run(*, user: User, run: Run, reason: str, token: UUID) -> ControlIntent:
    """Ask the provider to stop a run. Accepted is not stopped: the sync confirms that. Same token: nothing is sent."""
    first = ControlIntent.objects.filter(token=token).first()
    if first is not None:
        return _same_press(first, user, IntentKind.STOP)
    require(user, run.account, Capability.STOP)
    if not run.is_stoppable:
        raise NotAllowed(_why_not_stoppable(run))
    intent, mine = ControlIntent.objects.get_or_create(
        token=token,
        defaults={
            "kind": IntentKind.STOP, "account": run.account, "load_test": run.load_test, "run": run, "user": user,
            "user_name": shown_name(user), "reason": reason, "test_name": run.load_test.name,
            "external_id": run.external_id,
        },
    )  # fmt: skip
    if not mine:
        return _same_press(intent, user, IntentKind.STOP)
    return _send_stop(intent, run)


def _why_not_stoppable(run: Run) -> str:
    if run.gone_at:
        return f"{run.title} is no longer known to {label_of(run.account)}."
    if run.status == RunStatus.STOPPING:
        return f"{run.title} is stopping already."
    if run.is_ended:
        return f"{run.title} had already ended: {run.get_status_display().lower()}. Nothing was sent."
    return f"{run.title} cannot be stopped: its status is {run.get_status_display().lower()}."


def _send_stop(intent: ControlIntent, run: Run) -> ControlIntent:
    with counted_calls(intent.account):
        return _ask_to_stop(intent, run)


def _ask_to_stop(intent: ControlIntent, run: Run) -> ControlIntent:
    try:
        service = opened_service(intent.account)
    except CredentialsUnusable as problem:
        return _settled(intent, IntentOutcome.REFUSED, f"Not sent: {problem}")
    if not _mark_sent(intent, "stop"):
        return intent
    try:
        _leaves_in_time(intent)
        service.stop(run.external_id)
    except ServiceError as problem:
        return _stop_failed(intent, run, service, problem)
    _note_stop_request(intent, run)
    message = f"Stop asked for {run.title}. Waiting for {service.label} to confirm it."
    _unless_told(intent, outcome=IntentOutcome.ACCEPTED, message=message)
    request_sync(intent.account)
    return intent


def _note_stop_request(intent: ControlIntent, run: Run) -> None:
    run.stop_requested_at, run.stop_requested_by = intent.sent_at, intent.user_name
    run.save(update_fields=["stop_requested_at", "stop_requested_by"])


def _stop_failed(intent: ControlIntent, run: Run, service: RunService, problem: ServiceError) -> ControlIntent:
    if problem.maybe_done:
        _note_stop_request(intent, run)
        _unless_told(intent, message=NO_STOP_ANSWER.format(reason=problem))
        request_sync(intent.account)
        return intent
    # A refusal often means that the run ended meanwhile: look, so that the page says so.
    asked_at = timezone.now()
    try:
        [run] = save_runs(run.account, [service.get_run(run.external_id)], timezone.now(), asked_at)
    except ServiceError:
        return _settled(intent, IntentOutcome.REFUSED, f"Not stopped. {problem}")
    if run.is_ended:
        return _settled(intent, IntentOutcome.DONE, "The run had already ended; there was nothing to stop.")
    return _settled(intent, IntentOutcome.REFUSED, f"Not stopped. {problem}")


def test_connection(*, provider: str, base_url: str, credentials: dict[str, str]) -> list[CheckStep]:
    """Try an address with credentials, step by step, without storing anything."""
    return service_for(provider, base_url, credentials).test_connection()
