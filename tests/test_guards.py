"""Guard rails before a start: each rule lets pass what it should, and refuses the rest before anything is sent."""

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from runs import actions
from runs.actions import NotAllowed
from runs.choices import IntentKind, IntentOutcome, RunResult, RunStatus
from runs.freezes import local
from runs.guards import guards_for
from runs.models import ControlIntent, FreezeWindow, Person, Target
from runs.services import SERVICES
from runs.services.base import Refused, Unavailable
from tests.fake_service import FakeService
from tests.pages import TwoStepService
from tests.rows import make_account, make_run, make_test, make_user

pytestmark = pytest.mark.django_db
LOST = Unavailable("Fake Provider did not answer in time.", maybe_done=True)


def with_provider(monkeypatch, service):
    monkeypatch.setitem(SERVICES, service.provider, service)
    account = make_account(f"{service.provider}-prod", provider=service.provider, base_url="https://fake.example")
    account.seal_credentials({"token": "t"})
    account.save()
    return account


@pytest.fixture
def fake(monkeypatch):
    service = FakeService()
    service.account = with_provider(monkeypatch, service)
    return service


@pytest.fixture
def twostep(monkeypatch):
    service = TwoStepService()
    service.account = with_provider(monkeypatch, service)
    return service


@pytest.fixture
def target():
    return Target.objects.create(name="Checkout API")


@pytest.fixture
def smoke(fake, target):
    return make_test(fake.account, "checkout smoke", external_id="t1", target=target)


@pytest.fixture
def peak(twostep, target):
    """Of another provider, against the same target."""
    return make_test(twostep.account, "Basket", external_id="t1", target=target)


@pytest.fixture
def maya(db):
    return make_user("operator", "maya")


@pytest.fixture
def admin(db):
    return make_user("admin", "ada")


def running(load_test, number=215, **fields):
    fields = {"status": RunStatus.RUNNING, "result": RunResult.NONE, "synced_at": timezone.now(), **fields}
    return make_run(load_test, number, **{"created_at": timezone.now() - timedelta(minutes=4), **fields})


def start(user, load_test, **wish):
    values = {"name": load_test.name} if SERVICES[load_test.account.provider].starts_new_tests else {}
    wish = {"account": load_test.account, "load_test": load_test, "values": values, "reason": "", **wish}
    return actions.start_run(user=user, token=uuid4(), **wish)


def refused(user, load_test, **wish) -> str:
    """The sentence of a start that is refused before any provider hears of it."""
    services = [service for service in SERVICES.values() if isinstance(service, FakeService)]
    before = [list(service.calls) for service in services], ControlIntent.objects.count()
    with pytest.raises(NotAllowed) as refusal:
        start(user, load_test, **wish)
    assert ([service.calls for service in services], ControlIntent.objects.count()) == before
    return str(refusal.value)


def freeze(name="Black Friday", hours=2, **scope):
    now = timezone.now()
    return FreezeWindow.objects.create(
        name=name, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=hours), **scope
    )


# -- Limits ------------------------------------------------------------------------------------------------------------


def test_a_target_takes_as_many_runs_as_it_allows_at_any_provider(maya, smoke, peak, target):
    assert start(maya, smoke).outcome == IntentOutcome.DONE
    assert "Checkout API allows 1 run at a time" in refused(maya, peak)
    target.max_running = 2
    target.save()
    assert start(maya, peak).outcome == IntentOutcome.DONE
    assert "Checkout API allows 2 runs at a time" in refused(maya, smoke)


def test_the_sentence_names_what_is_under_way_since_when_and_by_whom(maya, fake, twostep, smoke, peak):
    running(smoke, requested_by=Person.objects.create(account=fake.account, key="1", display="Ana"))
    assert refused(maya, peak) == (
        "Checkout API allows 1 run at a time; Fake Provider “checkout smoke” #215 has been running for 4\u00a0min "
        "(started by Ana). Start again once it has ended, or stop it."
    )


def test_of_many_under_way_three_are_named(maya, smoke, peak):
    for number in range(1, 6):
        running(smoke, number)
    said = refused(maya, peak)
    assert said.count("“checkout smoke” #") == 3
    assert said.endswith("; and 2 more. Start again once 5 of them have ended.")


def test_a_target_without_a_limit_and_a_test_without_a_target_take_any_number(maya, smoke, target):
    running(smoke)
    target.max_running = None
    target.save()
    assert start(maya, smoke).outcome == IntentOutcome.DONE
    smoke.target, target.max_running = None, 1
    smoke.save()
    target.save()
    assert start(maya, smoke).outcome == IntentOutcome.DONE


def test_runs_of_other_targets_do_not_count(maya, fake, smoke, peak):
    running(make_test(fake.account, "elsewhere", target=Target.objects.create(name="Search")))
    running(make_test(fake.account, "nowhere"), 216)
    assert start(maya, smoke).outcome == IntentOutcome.DONE


def test_an_account_takes_as_many_runs_as_its_limit_says_whatever_they_load(maya, fake, smoke):
    fake.account.max_running = 1
    fake.account.save()
    elsewhere = make_test(fake.account, "elsewhere", external_id="t2")
    assert start(maya, smoke).outcome == IntentOutcome.DONE
    assert "fake-prod allows 1 run at a time" in refused(maya, elsewhere)
    fake.account.max_running = 2
    fake.account.save()
    assert start(maya, elsewhere).outcome == IntentOutcome.DONE


def test_a_limit_of_none_at_all_says_who_can_change_it(maya, fake, smoke):
    fake.account.max_running = 0
    fake.account.save()
    assert refused(maya, smoke) == "fake-prod allows 0 runs at a time. An admin can change that."


@pytest.mark.parametrize("status", ["created", "queued", "starting", "running", "stopping"])
def test_a_run_that_loads_or_is_about_to_counts(maya, smoke, peak, status):
    running(smoke, status=status)
    assert "#215" in refused(maya, peak)


@pytest.mark.parametrize("status", ["processing", "finished", "aborted", "timed_out", "error", "unknown"])
def test_a_run_whose_load_is_over_does_not_count(maya, smoke, peak, status):
    running(smoke, status=status)
    assert start(maya, peak).outcome == IntentOutcome.DONE


def test_a_created_run_counts_for_ten_minutes(maya, smoke, peak):
    now = timezone.now()
    run = running(smoke, status=RunStatus.CREATED, created_at=now - timedelta(minutes=9))
    assert "was created 9\u00a0min ago" in refused(maya, peak)
    run.created_at = now - timedelta(minutes=11)
    run.save()
    assert start(maya, peak).outcome == IntentOutcome.DONE


def test_a_run_that_is_gone_does_not_count(maya, smoke, peak):
    running(smoke, gone_at=timezone.now())
    assert start(maya, peak).outcome == IntentOutcome.DONE


def test_a_start_without_an_answer_counts_until_it_is_settled(maya, fake, smoke, peak):
    fake.fail("start", LOST)
    intent = start(maya, smoke)
    said = refused(maya, peak)
    assert "a start of Fake Provider “checkout smoke” by maya, 0\u00a0s ago, is not settled yet" in said
    assert said.endswith("Start again once it is settled.")
    ControlIntent.objects.filter(pk=intent.pk).update(outcome=IntentOutcome.NOT_STARTED)
    assert start(maya, peak).outcome == IntentOutcome.DONE


def test_a_refused_start_takes_no_place(maya, fake, smoke, peak):
    fake.fail("start", Refused("Fake Provider refused it."))
    assert start(maya, smoke).outcome == IntentOutcome.REFUSED
    assert start(maya, peak).outcome == IntentOutcome.DONE


def test_a_start_that_has_its_run_counts_once(maya, smoke, target):
    ControlIntent.objects.create(
        kind=IntentKind.START, outcome=IntentOutcome.SENT, account=smoke.account, load_test=smoke, run=running(smoke),
        user_name="maya", test_name=smoke.name, sent_at=timezone.now(),
    )  # fmt: skip
    assert len(guards_for(smoke.account, smoke, timezone.now()).target_limit.taken) == 1


def test_the_sentence_says_how_old_what_it_rests_on_is(maya, smoke, peak):
    running(smoke, synced_at=timezone.now() - timedelta(minutes=12))
    assert "has been running for 4\u00a0min (as of 12\u00a0min ago)" in refused(maya, peak)


# -- Freeze windows ----------------------------------------------------------------------------------------------------


def test_a_freeze_window_refuses_until_it_ends_and_says_when_in_the_readers_zone(maya, smoke):
    window = freeze()
    with timezone.override("Asia/Tokyo"):
        said = refused(maya, smoke)
        assert local(window.ends_at) in said
    assert "JST" in said
    assert said.startswith("Freeze window “Black Friday” holds until ")
    assert said.endswith(": nothing may be started. An admin may start all the same, with a reason.")
    with time_machine.travel(window.ends_at):
        assert start(maya, smoke).outcome == IntentOutcome.DONE


def test_of_several_windows_the_one_that_lasts_longest_is_named(maya, smoke, target):
    freeze("Short", 1)
    freeze("Long", 5, target=target)
    said = refused(maya, smoke)
    assert said.startswith("Freeze window “Long”")
    assert "(and 1 more freeze window): nothing may be started on Checkout API." in said


def test_windows_of_other_accounts_and_targets_and_those_switched_off_let_pass(maya, smoke, twostep):
    freeze(account=twostep.account)
    freeze(target=Target.objects.create(name="Search"))
    freeze(enabled=False)
    assert start(maya, smoke).outcome == IntentOutcome.DONE


def test_a_window_of_the_account_holds_for_a_new_load_test_too(maya, twostep):
    window = freeze(account=twostep.account)
    new = {"account": twostep.account, "load_test": None, "values": {"name": "new one"}, "reason": ""}
    with pytest.raises(NotAllowed, match="Black Friday"):
        actions.start_run(user=maya, token=uuid4(), **new)
    assert twostep.calls == []
    window.delete()
    assert actions.start_run(user=maya, token=uuid4(), **new).outcome == IntentOutcome.DONE


def test_an_admin_overrides_with_a_reason_that_is_kept(admin, smoke):
    freeze()
    assert start(admin, smoke, override_reason=" hotfix 7 ").override_reason == "hotfix 7"


@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_the_window_holds_for_admins_too(admin, smoke, reason):
    freeze()
    assert "To start all the same, say why." in refused(admin, smoke, override_reason=reason, reason="other reason")


def test_an_operators_reason_lifts_nothing(maya, smoke):
    freeze()
    assert "Black Friday" in refused(maya, smoke, override_reason="I want to")


def test_a_reason_given_while_no_window_holds_overrides_nothing(admin, smoke):
    assert start(admin, smoke, override_reason="in case").override_reason == ""


def test_an_override_lifts_no_other_rule(admin, smoke, peak, target):
    freeze()
    running(peak)
    assert "Checkout API allows 1 run" in refused(admin, smoke, override_reason="hotfix")
    target.max_running, target.protected = None, True
    target.save()
    assert "type its name" in refused(admin, smoke, override_reason="hotfix")
    smoke.account.read_only = True
    smoke.account.save()
    assert "read-only" in refused(admin, smoke, override_reason="hotfix", target_name="Checkout API")


# -- Protected targets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["Checkout API", "checkout api", "  CHECKOUT API "])
def test_a_protected_target_lets_pass_who_types_its_name(maya, smoke, target, typed):
    target.protected = True
    target.save()
    assert start(maya, smoke, target_name=typed).outcome == IntentOutcome.DONE


@pytest.mark.parametrize("typed", ["", "Checkout", "CheckoutAPI", "Search"])
def test_a_protected_target_refuses_anything_else(maya, smoke, target, typed):
    target.protected = True
    target.save()
    assert refused(maya, smoke, target_name=typed) == ("Checkout API is protected: type its name to start a run on it.")


def test_a_name_typed_for_a_new_test_that_exists_finds_that_tests_target(maya, twostep, peak, target):
    target.protected = True
    target.save()
    new = {"account": twostep.account, "load_test": None, "values": {"name": "basket"}, "reason": ""}
    with pytest.raises(NotAllowed, match="Checkout API is protected"):
        actions.start_run(user=maya, token=uuid4(), **new)
    assert twostep.calls == []
    assert actions.start_run(user=maya, token=uuid4(), target_name="Checkout API", **new).load_test == peak


# -- Read-only, and the press ------------------------------------------------------------------------------------------


def test_a_read_only_account_is_looked_up_at_the_press(maya, fake, smoke):
    stale = smoke.account
    type(stale).objects.filter(pk=stale.pk).update(read_only=True)
    assert "read-only" in refused(maya, smoke)
    type(stale).objects.filter(pk=stale.pk).update(read_only=False)
    assert start(maya, smoke).outcome == IntentOutcome.DONE


def test_the_same_press_again_is_no_second_start_and_not_refused(maya, fake, smoke):
    token = uuid4()
    wish = {"user": maya, "account": smoke.account, "load_test": smoke, "values": {}, "reason": "", "token": token}
    assert actions.start_run(**wish) == actions.start_run(**wish)
    assert len(fake.asked("start")) == 1


# -- Queueing what was created -----------------------------------------------------------------------------------------


@pytest.fixture
def created(maya, twostep, peak):
    """A start whose run was created, and whose queueing was refused."""
    twostep.fail("queue", Refused("Two Step Provider refused it."))
    intent = start(maya, peak)
    assert intent.outcome == IntentOutcome.CREATED
    return intent


def not_queued(user, intent, service, **wish) -> str:
    calls = list(service.calls)
    with pytest.raises(NotAllowed) as refusal:
        actions.queue_created(user=user, intent=intent, **wish)
    intent.refresh_from_db()
    assert (service.calls, intent.outcome) == (calls, IntentOutcome.CREATED)
    return str(refusal.value)


def test_queueing_does_not_count_against_itself(maya, created):
    assert actions.queue_created(user=maya, intent=created).outcome == IntentOutcome.DONE


def test_queueing_is_refused_while_the_limit_is_reached(maya, created, twostep, smoke):
    run = running(smoke)
    assert "Checkout API allows 1 run" in not_queued(maya, created, twostep)
    run.delete()
    assert actions.queue_created(user=maya, intent=created).outcome == IntentOutcome.DONE


def test_queueing_in_a_freeze_window_takes_an_admins_reason(maya, admin, created, twostep):
    freeze()
    assert "Black Friday" in not_queued(maya, created, twostep, override_reason="please")
    assert "Black Friday" in not_queued(admin, created, twostep)
    queued = actions.queue_created(user=admin, intent=created, override_reason="hotfix")
    queued.refresh_from_db()
    assert (queued.outcome, queued.override_reason) == (IntentOutcome.DONE, "hotfix")


def test_queueing_on_a_protected_target_takes_its_name(maya, created, twostep, target):
    target.protected = True
    target.save()
    assert "type its name" in not_queued(maya, created, twostep)
    assert actions.queue_created(user=maya, intent=created, target_name="checkout api").outcome == IntentOutcome.DONE


def test_an_old_created_run_that_is_being_queued_counts(maya, created, twostep, smoke):
    type(created.run).objects.update(created_at=timezone.now() - timedelta(hours=1))
    twostep.fail("queue", LOST)
    assert actions.queue_created(user=maya, intent=created).outcome == IntentOutcome.SENT
    assert "a start of Two Step Provider “Basket” by maya" in refused(maya, smoke)
