"""What every registered provider's service keeps, against its stand-in. A new provider joins by being registered."""

import re
from base64 import b64encode
from urllib.parse import quote

import pytest

from runs.choices import ENDED, LIVE, RunResult, RunStatus
from runs.services import SERVICES
from runs.services.base import (
    Capability,
    NotFound,
    Refused,
    RunService,
    ServiceError,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)

from .stages import all_runs, stage_of, stoppable, wish_like

# Capability -> the methods that belong to it.
METHODS = {
    Capability.START: ("start_step",),
    Capability.STOP: ("stop",),
    Capability.ARCHIVE: ("open_archive",),
    Capability.FILES: ("open_file",),
    Capability.SCRIPT: ("open_script",),
    Capability.NOTE: ("set_note",),
    Capability.STAR: ("set_star",),
    Capability.SCHEDULES: ("iter_schedules", "set_schedule"),
    Capability.ESTIMATE: ("estimate",),
    Capability.FACTS: ("facts",),
    Capability.RERUN: ("start_step",),
    Capability.OWN_THRESHOLDS: (),
}
every_provider = pytest.mark.parametrize("provider", list(SERVICES))


@pytest.fixture
def stage(provider):
    with stage_of(provider) as stage:
        yield stage


# --- what it declares ------------------------------------------------------------------------------------------------


@every_provider
def test_it_says_who_it_is(provider):
    service = SERVICES[provider]

    assert re.fullmatch(r"[a-z][a-z0-9-]{1,19}", provider)
    assert service.label
    assert len(service.tile) == 2
    assert len({cls.label for cls in SERVICES.values()}) == len(SERVICES)


@every_provider
def test_its_forms_have_one_field_for_each_thing_and_hide_what_is_secret(provider):
    service = SERVICES[provider]
    for fields in (service.credential_fields, service.start_fields):
        assert len({field.key for field in fields}) == len(fields)
        assert all(field.label for field in fields)
        assert not any(field.secret and field.default for field in fields)
    assert any(field.secret for field in service.credential_fields)
    assert not any(field.secret for field in service.start_fields)


@every_provider
def test_it_has_the_methods_of_what_it_declares_and_no_others(provider):
    service = SERVICES[provider]
    declared = {method for capability in service.capabilities for method in METHODS[capability]}
    optional = {method for methods in METHODS.values() for method in methods}

    assert {name for name in optional if getattr(service, name) is not getattr(RunService, name)} == declared


def test_every_capability_is_known_here():
    assert set(METHODS) == set(Capability)


# --- lists -----------------------------------------------------------------------------------------------------------


@every_provider
@pytest.mark.parametrize("page_size", [3, 1000])
def test_a_full_pass_shows_every_run_once(stage, page_size):
    pages = list(stage.service(page_size=page_size).iter_runs(None))

    shown = [run.external_id for page in pages for run in page.runs]
    assert [row for page in pages for row in page.bad] == []
    assert sorted(set(shown)) == sorted(stage.ids())
    assert len(shown) == len(set(shown)) or page_size == 3  # windows of a provider that cannot page may overlap


@every_provider
def test_a_pass_goes_on_after_any_page(stage):
    service = stage.service(page_size=3)
    pages = list(service.iter_runs(None))
    for at in {0, len(pages) // 2, len(pages) - 1}:
        before = {run.external_id for page in pages[: at + 1] for run in page.runs}
        after = {run.external_id for page in service.iter_runs(None, pages[at].resume) for run in page.runs}
        assert before | after == stage.ids()


@every_provider
@pytest.mark.parametrize("fault", ["kind=503", "kind=html", "kind=truncated", "kind=dead"])
def test_a_list_that_breaks_off_raises(stage, fault):
    service = stage.service(page_size=3)
    list(service.iter_runs(None))
    asked = len([row for row in stage.requests() if row["method"] == "GET"])
    stage.break_(f"{fault},method=GET,after={asked // 2}")

    with pytest.raises((Unavailable, UnexpectedAnswer)):
        all_runs(stage.service(page_size=3))


@pytest.mark.parametrize("provider", [key for key, service in SERVICES.items() if service.keeps_history])
def test_a_row_that_cannot_be_read_is_named_and_hides_no_other(stage):
    stage.break_("kind=odd_rows,method=GET,path=run")
    pages = list(stage.service(page_size=1000).iter_runs(None))

    bad = [row for page in pages for row in page.bad]
    assert bad
    assert all(row.reason for row in bad)
    assert {run.external_id for page in pages for run in page.runs} <= stage.ids()


# --- words -----------------------------------------------------------------------------------------------------------


@every_provider
def test_only_runs_that_ended_have_a_verdict(stage):
    runs = []
    for status in (RunStatus.FINISHED, RunStatus.RUNNING):
        stage.show(status)
        runs += all_runs(stage.service())

    assert {run.status in LIVE for run in runs} == {True, False}
    assert {run.result for run in runs if run.status not in ENDED} <= {RunResult.NONE}
    assert all(run.provider_status for run in runs)


@every_provider
def test_a_word_nobody_knows_is_unknown_and_never_passed(stage):
    stage.break_("kind=words")
    runs = all_runs(stage.service())

    assert runs
    assert {run.status for run in runs} == {RunStatus.UNKNOWN}
    assert {run.result for run in runs} == {RunResult.NONE}
    assert all("surprise" in run.provider_status or run.provider_status == "4242" for run in runs)


# --- errors ----------------------------------------------------------------------------------------------------------

ERRORS = {
    "kind=401": Unauthorized,
    "kind=403": Unauthorized,
    "kind=404": NotFound,
    "kind=400": Refused,
    "kind=409": Refused,
    "kind=429": Unavailable,
    "kind=500": Unavailable,
    "kind=503": Unavailable,
    "kind=dead": Unavailable,
    "kind=html": UnexpectedAnswer,
    "kind=truncated": UnexpectedAnswer,
    "kind=redirect": (UnexpectedAnswer, Refused),
}


@every_provider
@pytest.mark.parametrize("fault", list(ERRORS))
def test_an_error_says_by_its_kind_what_helps(stage, fault):
    run = all_runs(stage.service())[0]
    stage.break_(fault)
    with pytest.raises(ServiceError) as caught:
        stage.service().get_run(run.external_id)

    assert isinstance(caught.value, ERRORS[fault])
    assert caught.value.maybe_done is False
    assert str(caught.value).endswith(".")
    assert not any(secret in str(caught.value) for secret in stage.secrets())


@every_provider
def test_it_says_how_long_to_wait(stage):
    run = all_runs(stage.service())[0]
    stage.break_("kind=429,retry_after=30")
    with pytest.raises(Unavailable) as caught:
        stage.service().get_run(run.external_id)

    assert caught.value.retry_after == pytest.approx(30, abs=1)


@every_provider
@pytest.mark.parametrize("external_id", ["999999999", "../../secret", "a/b?c=d#e", "%2e%2e%2f", "ü" * 40])
def test_an_id_that_is_none_of_its_own_leads_nowhere(stage, external_id):
    with pytest.raises((NotFound, Refused, UnexpectedAnswer)):
        stage.service().get_run(external_id)

    assert not any(row["status"] == 200 and "secret" in row["path"] for row in stage.requests())


# --- writes ----------------------------------------------------------------------------------------------------------


def writes(stage):
    """What could change something: neither reads, nor questions that are asked by POST, nor a sign-in."""
    return [row for row in stage.requests() if row["method"] != "GET" and stage.is_write(row)]


@every_provider
@pytest.mark.parametrize("fault", ["kind=lost", "kind=503", "kind=reset"])
def test_a_start_without_an_answer_is_sent_once_and_says_that_it_may_be_done(stage, fault):
    service = stage.service()
    wish = wish_like(next(run for run in all_runs(service) if run.status in ENDED))
    stage.requests()
    for method in ("POST", "PATCH", "PUT"):
        stage.break_(f"{fault},method={method},path={stage.start_path}")
    with pytest.raises(ServiceError) as caught:
        service.start_step(service.start_steps[0], wish, "")

    assert caught.value.maybe_done is True
    assert len(writes(stage)) == 1


@every_provider
def test_a_start_that_is_refused_was_not_done(stage):
    service = stage.service()
    wish = wish_like(next(run for run in all_runs(service) if run.status in ENDED))
    before = stage.ids()
    for method in ("POST", "PATCH", "PUT"):
        stage.break_(f"kind=400,method={method},path={stage.start_path}")
    with pytest.raises(Refused) as caught:
        service.start_step(service.start_steps[0], wish, "")

    assert caught.value.maybe_done is False
    assert stage.ids() == before


@every_provider
def test_a_stop_without_an_answer_is_sent_once(stage):
    stage.show(RunStatus.RUNNING)
    service = stage.service()
    run = stoppable(service)
    stage.requests()
    for method in ("POST", "PATCH"):
        stage.break_(f"kind=lost,method={method},path={stage.stop_path}")
    with pytest.raises(ServiceError) as caught:
        service.stop(run.external_id)

    assert caught.value.maybe_done is True
    assert len(writes(stage)) == 1


@every_provider
def test_a_started_run_can_be_stopped_and_both_are_seen(stage):
    service = stage.service()
    wish = wish_like(next(run for run in all_runs(service) if run.status in ENDED))
    before, external_id = stage.ids(), ""
    for step in service.start_steps:
        run = service.start_step(step, wish, external_id)
        external_id = run.external_id if run else external_id
    assert stage.ids() - before == {external_id}
    assert service.get_run(external_id).status in LIVE
    if service.run_id_of(wish.token):
        assert external_id == service.run_id_of(wish.token)

    service.stop(external_id)
    stage.advance(600)

    stopped = service.get_run(external_id)
    assert stopped.status in ENDED
    assert stopped.result != RunResult.PASSED


# --- secrets ---------------------------------------------------------------------------------------------------------


@every_provider
def test_nothing_secret_is_in_a_record(stage):
    service = stage.service()
    runs = all_runs(service)
    ended = [run for run in runs if run.status in ENDED][:15]
    text = "\n".join([repr(service), *map(repr, runs), *(repr(service.get_details(run)) for run in ended)])

    secrets = stage.secrets()
    assert set(filter(None, service_secrets(stage))) <= secrets
    for secret in secrets:
        for form in (secret, quote(secret, safe=""), b64encode(secret.encode()).decode()):
            assert form not in text


def service_secrets(stage):
    fields = SERVICES[stage.provider].credential_fields
    return [stage.account["credentials"].get(field.key, "") for field in fields if field.secret]
