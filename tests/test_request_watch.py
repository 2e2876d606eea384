"""Each request can be followed: its id is in the answer, in both logs and on the page for mistakes."""

import json
import logging
import re
import sys

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from dashboard.logs import JsonLineFormatter, LineFormatter
from dashboard.request_watch import watch_requests
from dashboard.urls import handler500, urlpatterns  # noqa: F401 (this module is a URL configuration too)
from runs import trace
from runs.services.calls import user_agent

OURS = re.compile(r"[0-9a-f]{16}")


def breaks(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("token=k6secret0123456789")


urlpatterns = [*urlpatterns, path("breaks/", breaks, name="breaks")]


# -- the id ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_answer_names_its_request_by_an_id_of_its_own(client):
    ids = [client.get(path)["X-Request-ID"] for path in ("/sign-in/", "/sign-in/", "/runs/", "/livez", "/nowhere/")]
    assert all(OURS.fullmatch(number) for number in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.django_db
def test_the_id_of_the_proxy_is_kept_only_where_the_proxy_is_trusted(client, settings):
    given = {"X-Request-ID": "7f3c-2b.A_1"}
    assert OURS.fullmatch(client.get("/livez", headers=given)["X-Request-ID"])
    settings.TRUST_PROXY = True
    assert client.get("/livez", headers=given)["X-Request-ID"] == "7f3c-2b.A_1"


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "a\nb", "é", '"><script>', "a,b"])
def test_what_could_be_anything_else_than_an_id_is_not_taken_over(given, client, settings):
    settings.TRUST_PROXY = True
    assert OURS.fullmatch(client.get("/livez", headers={"X-Request-ID": given})["X-Request-ID"])


@pytest.mark.django_db
@override_settings(ROOT_URLCONF=__name__)
def test_the_page_for_mistakes_names_the_id_under_which_the_log_has_it(viewer, caplog):
    viewer.raise_request_exception = False
    answer = viewer.get("/breaks/")
    assert answer.status_code == 500
    number = answer["X-Request-ID"]
    assert f"name this request: <code>{number}</code>" in answer.content.decode()
    assert "k6secret" not in answer.content.decode()


def test_inside_a_request_the_provider_is_told_which_one_it_is(rf):
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(user_agent())
        return HttpResponse()

    request = rf.get("/")
    request.resolver_match = None
    answer = watch_requests(view)(request)
    assert seen == [f"Plimsoll/0.1.0 (request {answer['X-Request-ID']})"]
    assert user_agent() == "Plimsoll/0.1.0"


def test_a_turn_inside_a_request_keeps_its_id_and_one_outside_makes_its_own():
    with trace.at_work(id="req-1", person="7"):
        with trace.at_work(account="retail"):
            assert trace.work() == trace.Work("req-1", "7", "retail")
        assert trace.work().account == ""
    with trace.at_work(account="retail"):
        assert OURS.fullmatch(trace.work().id)
    assert trace.work() == trace.Work()


# -- one line in the log -----------------------------------------------------------------------------------------------


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged of requests, as it comes."""
    caplog.set_level(logging.DEBUG, "dashboard.requests")
    return caplog


def told(lines: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    mine = [record for record in lines.records if record.name == "dashboard.requests"]
    return [(record.levelname, re.sub(r"\d+ ms", "… ms", record.getMessage())) for record in mine]


@pytest.mark.django_db
def test_a_request_is_one_line_with_its_view_and_without_its_address(client, lines):
    client.get("/sign-in/?next=/runs/&token=k6secret")
    client.post("/sign-in/", {"username": "ada", "password": "hunter2hunter2"})
    client.get("/runs/17/raw/?sig=abc")
    client.get("/nowhere/k6secret/")
    client.generic("BREW", "/sign-in/")
    assert told(lines) == [
        ("INFO", "GET sign_in 200 … ms"),
        ("INFO", "POST sign_in 200 … ms"),
        ("INFO", "GET run_raw 302 … ms"),
        ("INFO", "GET none 404 … ms"),
        ("INFO", "OTHER sign_in 405 … ms"),
    ]


def test_health_checks_are_told_only_to_those_who_want_to_know_everything(client, lines):
    client.get("/livez")
    assert told(lines) == [("DEBUG", "GET livez 200 … ms")]


@pytest.mark.django_db
def test_a_health_check_s_no_is_no_error_in_the_log(client, caplog):
    assert client.get("/readyz").status_code == 503
    assert caplog.records == []


# -- how it is written -------------------------------------------------------------------------------------------------


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("runs", logging.WARNING, __file__, 1, message, args, None)
    made.created = 1_763_644_320.25
    made.__dict__ |= extra
    return made


def test_a_line_for_people_ends_with_the_request_it_belongs_to():
    with trace.at_work(id="7f3c"):
        line = LineFormatter("%(levelname)s %(message)s").format(record("late"))
    assert line == "WARNING late (request 7f3c)"


def test_a_message_is_a_json_object_on_one_line():
    with trace.at_work(id="7f3c", person="12", account="retail"):
        line = JsonLineFormatter().format(record("no answer of %s", "x\n{}", status=503, request=object(), sig="k"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2025-11-20T13:12:00.250+00:00",
        "level": "WARNING",
        "logger": "runs",
        "message": "no answer of x\n{}",
        "request_id": "7f3c",
        "user": "12",
        "account": "retail",
        "status": 503,
    }


def test_what_is_not_known_is_left_out():
    assert json.loads(JsonLineFormatter().format(record("hello"))).keys() == {"time", "level", "logger", "message"}


@pytest.mark.parametrize(
    "text", ['{"sasKey": "k6secret\\\\"}', 'token=k6secret\\"x', "Authorization: Basic k6secret", "?a=1&sig=k6secret"]
)
def test_a_json_line_hides_credentials_and_stays_json(text):
    try:
        raise ValueError(text)
    except ValueError:
        made = record("%s", text)
        made.exc_info = sys.exc_info()
    line = JsonLineFormatter().format(made)
    assert "k6secret" not in line
    found = json.loads(line)
    assert "[hidden]" in found["message"]
    assert found["exception"].startswith("Traceback")
    assert "[hidden]" in found["exception"]


def test_a_message_that_is_an_object_is_text_too():
    assert json.loads(JsonLineFormatter().format(record({"level": "x", "token": "k6secret"})))["message"] == (
        "{'level': 'x', 'token': '[hidden]'}"
    )


@pytest.mark.django_db
def test_a_real_request_s_json_line_says_who_asked(viewer, caplog):
    written = []

    class Keep(logging.Handler):
        def emit(self, made: logging.LogRecord) -> None:
            written.append(json.loads(self.format(made)))

    keep = Keep()
    keep.setFormatter(JsonLineFormatter())
    logging.getLogger("dashboard.requests").addHandler(keep)
    try:
        answer = Client.get(viewer, "/me/")
    finally:
        logging.getLogger("dashboard.requests").removeHandler(keep)
    [line] = written
    assert line["request_id"] == answer["X-Request-ID"]
    assert line["user"] == viewer.session["_auth_user_id"]
    assert (line["method"], line["view"], line["status"]) == ("GET", "me", 200)
