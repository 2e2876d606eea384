"""How an account of Azure Load Testing signs in, and agrees with the service on a version of its API."""

import json
import threading
from urllib.parse import parse_qs

import pytest
from werkzeug import Response

from runs.services.azure_api import VERSIONS, forget_versions
from runs.services.azure_token import Tokens, forget_tokens
from runs.services.base import Refused, Unauthorized, Unavailable, UnexpectedAnswer

from .test_azure import CREDENTIALS, PRESS, SECRET, TOKEN, TOKEN_PAGE, answer_start, made, payload, sent, serve, wish

LOGIN = "/login/orchard/oauth2/v2.0/token"
SCOPE = "https://cnt-prod.loadtesting.azure.com/.default"


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_versions()
    forget_tokens()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def tokens_of(httpserver, clock, **changes):
    options = {"extra_hosts": ("127.0.0.1", "localhost"), "waits": (0, 0), "clock": clock}
    return Tokens(httpserver.url_for("/login"), CREDENTIALS | changes, SCOPE, **options)


@pytest.fixture
def asked(httpserver):
    """How often a token was asked for; each time another one is given, of an hour."""
    given = []

    def answer(request):
        given.append(request)
        body = {"token_type": "Bearer", "expires_in": 3600, "access_token": f"token-{len(given)}"}
        return Response(json.dumps(body), content_type="application/json")

    httpserver.expect_request(LOGIN, method="POST").respond_with_handler(answer)
    return given


# -- the token ---------------------------------------------------------------------------------------------------------


def test_the_app_signs_in_with_its_secret(httpserver, clock, asked):
    assert tokens_of(httpserver, clock).header() == "Bearer token-1"

    [request] = asked
    assert {key: values for key, [values] in parse_qs(request.get_data(as_text=True)).items()} == {
        "grant_type": "client_credentials",
        "client_id": "app-1",
        "client_secret": SECRET,
        "scope": SCOPE,
    }
    assert "Authorization" not in request.headers


def test_a_token_is_kept_for_every_service_of_the_account_until_five_minutes_before_its_end(httpserver, clock, asked):
    headers = [tokens_of(httpserver, clock).header()]
    for now in (1000 + 3299, 1000 + 3301):
        clock.now = now
        headers.append(tokens_of(httpserver, clock).header())

    assert headers == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_another_secret_gets_a_token_of_its_own(httpserver, clock, asked):
    tokens_of(httpserver, clock).header()

    assert tokens_of(httpserver, clock, client_secret="another").header() == "Bearer token-2"


def test_threads_that_need_a_token_at_once_ask_for_it_once(httpserver, clock, asked):
    tokens, together, headers = tokens_of(httpserver, clock), threading.Barrier(4), []

    def use():
        together.wait(5)
        headers.append(tokens.header())

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert headers == ["Bearer token-1"] * 4
    assert len(asked) == 1


def test_a_token_that_somebody_else_has_renewed_is_not_renewed_again(httpserver, clock, asked):
    tokens = tokens_of(httpserver, clock)
    old = tokens.header()
    tokens.refused(old)
    assert tokens.header() == "Bearer token-2"
    tokens.refused(old)

    assert tokens.header() == "Bearer token-2"


def test_a_refused_token_is_renewed_once_and_then_it_is_the_credentials(httpserver, asked):
    serve(httpserver, "/test-runs/r", {"error": {"code": "Unauthorized", "message": "No."}}, status=401)

    with pytest.raises(Unauthorized, match="did not accept the credentials"):
        made(httpserver).get_run("r")
    assert [request.headers["Authorization"] for request in sent(httpserver)] == ["Bearer token-1", "Bearer token-2"]


def test_a_start_whose_token_had_ended_is_carried_out_with_a_new_one(httpserver, asked):
    good = {"testRunId": PRESS, "testId": "sale", "status": "ACCEPTED", "createdDateTime": "2026-05-12T09:30:00Z"}
    answers = [Response("{}", status=401), Response(json.dumps(good), status=201)]
    httpserver.expect_request(f"/test-runs/{PRESS}").respond_with_handler(lambda request: answers.pop(0))

    assert made(httpserver).start_step("start", wish(), "").external_id == PRESS


def test_what_the_role_does_not_allow_is_no_reason_for_a_new_token(httpserver, asked):
    serve(httpserver, "/test-runs/r", {"error": {"code": "Forbidden", "message": "Not your role."}}, status=403)

    with pytest.raises(Unauthorized, match="Not your role"):
        made(httpserver).get_run("r")
    assert len(asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_secret_is_told_with_the_code_and_never_the_secret(httpserver, clock, status):
    told = payload("token_error")
    told["error_description"] += f" {SECRET}"
    serve(httpserver, LOGIN, told, method="POST", status=status)

    with pytest.raises(Unauthorized) as caught:
        tokens_of(httpserver, clock).header()

    said = str(caught.value)
    assert "AADSTS7000215: Invalid client secret provided" in said
    assert said.startswith("Microsoft Entra ID")
    assert said.endswith(".")
    for never in (SECRET, "Trace ID", "Correlation"):
        assert never not in said


def test_a_code_that_stands_beside_its_text_is_told_too(httpserver, clock):
    serve(httpserver, LOGIN, {"error": "invalid_client", "error_codes": [700016]}, method="POST", status=400)

    with pytest.raises(Unauthorized, match="AADSTS700016: invalid_client"):
        tokens_of(httpserver, clock).header()


def test_a_tenant_that_is_not_there(httpserver, clock):
    serve(httpserver, LOGIN, {}, method="POST", status=404)

    with pytest.raises(Unauthorized, match=r"Check the tenant id"):
        tokens_of(httpserver, clock).header()


def test_a_passing_fault_is_waited_for(httpserver, clock):
    told = {"error": "temporarily_unavailable", "error_description": "AADSTS90033: A transient error has occurred."}
    serve(httpserver, LOGIN, told, method="POST", status=400)

    with pytest.raises(Unavailable, match="AADSTS90033"):
        tokens_of(httpserver, clock).header()


def test_entra_that_is_down_is_no_refusal(httpserver, clock):
    serve(httpserver, LOGIN, {}, method="POST", status=503)

    with pytest.raises(Unavailable):
        tokens_of(httpserver, clock).header()


@pytest.mark.parametrize("page", [{}, [], "x", {"access_token": None}, {"access_token": ""}])
def test_an_answer_without_a_token(httpserver, clock, page):
    serve(httpserver, LOGIN, page, method="POST")

    with pytest.raises(UnexpectedAnswer, match="without a token"):
        tokens_of(httpserver, clock).header()


@pytest.mark.parametrize("expires_in", ["3600", 60, None, "soon"])
def test_how_long_it_lasts_is_read_leniently(httpserver, clock, expires_in):
    serve(httpserver, LOGIN, TOKEN_PAGE | {"expires_in": expires_in}, method="POST")

    assert tokens_of(httpserver, clock).header() == f"Bearer {TOKEN}"


def test_secrets_go_only_to_where_an_account_may_sign_in(httpserver, clock):
    tokens = Tokens("http://login.evil.example", CREDENTIALS, SCOPE, clock=clock)

    with pytest.raises(Refused, match="over https"):
        tokens.header()


@pytest.mark.parametrize(
    ("host", "login", "scope"),
    [
        ("a.eastus.cnt-prod.loadtesting.azure.com", "https://login.microsoftonline.com", "azure.com"),
        ("a.usgovtexas.cnt-prod.loadtesting.azure.us", "https://login.microsoftonline.us", "azure.us"),
    ],
)
def test_each_cloud_has_its_own_place_to_sign_in(host, login, scope, monkeypatch):
    from runs.services import azure

    seen = []
    monkeypatch.setattr(azure, "Tokens", lambda *args, **options: seen.append(args))
    monkeypatch.setattr(azure, "AzureApi", lambda *args, **options: None)
    azure.AzureService(f"https://{host}", CREDENTIALS)

    assert seen == [(login, CREDENTIALS, f"https://cnt-prod.loadtesting.{scope}/.default")]


def test_the_setting_outranks_the_cloud_s_own_place(settings, httpserver, asked):
    settings.AZURE_LOGIN_URL = httpserver.url_for("/login")
    serve(httpserver, "/test-runs/r", payload("runs")[0])

    made(httpserver, login_url="").get_run("r")
    assert len(asked) == 1


# -- the version -------------------------------------------------------------------------------------------------------


def speaks(httpserver, *versions, told=True):
    """A service that knows these versions alone."""

    def answer(request):
        if request.args["api-version"] not in versions:
            text = f"The API version '{request.args['api-version']}' is not supported."
            body, status = {"error": {"code": "UnsupportedApiVersion", "message": text}}, 400
        else:
            body, status = {"value": []}, 200
        headers = {"api-supported-versions": ", ".join(versions)} if told else {}
        return Response(json.dumps(body), status=status, headers=headers, content_type="application/json")

    httpserver.expect_request("/tests").respond_with_handler(answer)
    httpserver.expect_request("/test-runs").respond_with_handler(answer)
    httpserver.expect_request("/test-runs/r").respond_with_handler(answer)


def versions_sent(httpserver):
    return [request.args["api-version"] for request in sent(httpserver)]


def test_the_newest_version_is_tried_first(httpserver, asked):
    speaks(httpserver, *VERSIONS)

    steps = made(httpserver).test_connection()

    assert [step.ok for step in steps] == [True] * 3
    assert steps[1].sentence == "It takes 2026-04-01."
    assert versions_sent(httpserver) == [VERSIONS[0]] * 2


@pytest.mark.parametrize("told", [True, False])
def test_an_older_service_is_asked_for_what_it_knows_and_remembered(httpserver, asked, told):
    speaks(httpserver, VERSIONS[2], told=told)

    assert made(httpserver).api.agree_on_version() == VERSIONS[2]
    assert versions_sent(httpserver) == ([VERSIONS[0], VERSIONS[2]] if told else list(VERSIONS))
    list(made(httpserver).iter_runs(None))
    assert sent(httpserver)[-1].args["api-version"] == VERSIONS[2]
    assert sent(httpserver)[-1].args["orderby"] == "executedDateTime desc"


def test_a_version_that_is_taken_no_more_is_agreed_on_anew(httpserver, asked):
    service = made(httpserver)
    speaks(httpserver, VERSIONS[1])

    with pytest.raises(UnexpectedAnswer):  # this stand-in has no runs; it did answer
        service.get_run("r")
    assert versions_sent(httpserver) == [VERSIONS[0], VERSIONS[0], VERSIONS[1], VERSIONS[1]]


def test_a_start_refused_for_its_version_alone_is_carried_out_by_another(httpserver, asked):
    speaks(httpserver, VERSIONS[1])
    refusal = {"error": {"code": "UnsupportedApiVersionValue", "message": "No."}}
    httpserver.expect_oneshot_request(f"/test-runs/{PRESS}").respond_with_json(refusal, status=400)
    answer_start(httpserver)

    assert made(httpserver).start_step("start", wish(), "").external_id == PRESS


def test_a_service_that_knows_none_of_ours(httpserver, asked):
    speaks(httpserver, "2031-01-01")

    steps = made(httpserver).test_connection()

    assert [step.ok for step in steps] == [True, False, None]
    assert "takes none of the API versions that Plimsoll knows" in steps[1].sentence


def test_a_connection_with_a_wrong_secret_ends_at_the_sign_in(httpserver):
    serve(httpserver, LOGIN, payload("token_error"), method="POST", status=401)

    steps = made(httpserver).test_connection()

    assert [step.ok for step in steps] == [False, None, None]
    assert "AADSTS7000215" in steps[0].sentence
    assert sent(httpserver) == []
