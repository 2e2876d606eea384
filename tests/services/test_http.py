"""What a call to a provider may do, and in which sentence each fault ends. Real sockets; one fault per test."""

import gzip
import json
import logging
import socket
import threading
import time
import tomllib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from runs.services.base import Forbidden, NotFound, Refused, ServiceError, Unauthorized, Unavailable, UnexpectedAnswer
from runs.services.http import VERSION, Http

from .faults import drip, endless, hang, raw, reset, response

TOKEN = "tok-0123456789abcdef"
OK = response(b'{"answer": 42}')


@pytest.fixture
def http(faults):
    return client(faults)


def client(faults, **options):
    options = {"deadline_s": 5, "waits": (0, 0), "secrets": (TOKEN,), **options}
    return Http(
        faults.url,
        provider="Example Load",
        hosts=("api.load.example",),
        extra_hosts=("127.0.0.1",),
        headers={"Authorization": f"Token {TOKEN}"},
        describe=lambda status, data: data.get("message", "") if isinstance(data, dict) else "",
        **options,
    )


def failure_of(call, *args, **kwargs) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        call(*args, **kwargs)
    error = caught.value
    text = str(error)
    assert "Example Load" in text  # who
    assert text.endswith(".")
    assert len(text.split(". ")) >= 2  # what happened, and what to do
    assert TOKEN not in text
    assert "?" not in text
    assert error.__context__ is None  # the library's own error holds the whole URL
    return error


# -- what is sent ------------------------------------------------------------------------------------------------------


def test_a_read_sends_the_query_the_headers_and_who_we_are(faults, http):
    faults.answer(OK)

    answer = http.get("/runs", {"name": "a b&c", "top": 3})

    assert (answer.status, answer.data) == (200, {"answer": 42})
    sent = faults.requests[0]
    assert (sent.method, sent.target) == ("GET", "/runs?name=a+b%26c&top=3")
    assert sent.headers["authorization"] == f"Token {TOKEN}"
    assert sent.headers["user-agent"] == f"Plimsoll/{VERSION}"


def test_the_version_sent_is_the_project_s():
    assert tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"] == VERSION


def test_a_write_sends_json(faults, http):
    faults.answer(response(b"", "202 Accepted"))

    answer = http.send("PATCH", "/runs/1", json={"state": "queued"})

    assert (answer.status, answer.data) == (202, None)
    assert json.loads(faults.requests[0].body) == {"state": "queued"}
    assert faults.requests[0].method == "PATCH"


def test_a_write_may_have_headers_of_its_own(faults, http):
    faults.answer(response(b"{}"))

    http.send("PATCH", "/runs/1", json={"note": ""}, headers={"Content-Type": "application/merge-patch+json"})

    sent = faults.requests[0]
    assert (sent.headers["content-type"], sent.body) == ("application/merge-patch+json", b'{"note": ""}')


def test_a_form_is_posted_as_one_and_tried_again(faults, http):
    faults.answer(response(b"", "500 Oops"), OK)

    assert http.read("POST", "/token", form={"scope": "a/.default"}).data == {"answer": 42}
    assert [request.body for request in faults.requests] == [b"scope=a%2F.default"] * 2
    assert faults.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"


def test_an_authorization_that_changes_is_asked_for_with_each_call_and_never_shown(faults):
    tokens = iter(["Bearer first-secret", "Bearer second-secret"])
    http = client(faults, authorization=lambda: next(tokens))
    faults.answer(OK, response(b'{"message": "second-secret is of no use"}', "400 Bad Request"))
    http.get("/a")

    error = failure_of(http.get, "/b")

    assert [request.headers["authorization"] for request in faults.requests] == [
        "Bearer first-secret",
        "Bearer second-secret",
    ]
    assert "second-secret" not in str(error)


def test_what_the_last_answer_said_in_its_headers_is_at_hand(faults, http):
    faults.answer(response(b"{}", "400 Bad Request", Api_Supported_Versions="1, 2"))
    failure_of(http.get, "/a")

    assert http.told["api-supported-versions"] == "1, 2"


def test_the_path_of_the_base_url_is_kept(faults):
    faults.answer(OK)
    Http(faults.url + "/org/", provider="Example Load", hosts=(), extra_hosts=("127.0.0.1",)).get("/runs")

    assert faults.requests[0].target == "/org/runs"


def test_cookies_are_never_sent_back(faults, http):
    faults.answer(response(b"{}", Set_Cookie="session=1; Path=/"))
    http.get("/a")
    http.get("/b")

    assert "cookie" not in faults.requests[1].headers


def test_proxy_and_netrc_of_the_machine_are_ignored(faults, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password them\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    faults.answer(OK)

    assert Http(faults.url, provider="Example Load", hosts=(), extra_hosts=("127.0.0.1",)).get("/").status == 200
    assert "authorization" not in faults.requests[0].headers


def test_a_link_of_the_same_origin_may_be_read(faults, http):
    faults.answer(OK)

    assert http.get(f"{faults.url}/page/2?cursor=x").data == {"answer": 42}
    assert faults.requests[0].target == "/page/2?cursor=x"


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/next",
        "https://127.0.0.1:{port}/next",
        "http://127.0.0.1:{port}@evil.example/next",
        "http://127.0.0.1:1/next",
        "http://me:you@127.0.0.1:{port}/next",
        "http://127.0.0.1:{port}\\@evil.example/next",
        "ftp://127.0.0.1:{port}/next",
    ],
)
def test_a_link_to_elsewhere_is_never_followed(faults, http, link):
    faults.answer(OK)

    error = failure_of(http.get, link.format(port=faults.port))

    assert isinstance(error, UnexpectedAnswer)
    assert faults.connections == 0


@pytest.mark.parametrize("path", ["//evil.example/x", "\\\\evil.example/x", "/runs/../../admin", "/a\nb"])
def test_a_path_cannot_leave_the_base(faults, http, path):
    faults.answer(OK)
    try:
        http.get(path)
    except UnexpectedAnswer:
        assert faults.connections == 0
    else:
        assert faults.requests[0].target == "//evil.example/x"  # a path on our own host, not another host


def test_credentials_that_cannot_be_sent_are_named_without_showing_them(faults):
    http = Http(
        faults.url,
        provider="Example Load",
        hosts=(),
        extra_hosts=("127.0.0.1",),
        headers={"Authorization": f"Token {TOKEN}\nX: y"},
    )

    error = failure_of(http.get, "/")

    assert isinstance(error, Unauthorized)
    assert faults.connections == 0


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad Request", Refused),
        ("401 Unauthorized", Unauthorized),
        ("403 Forbidden", Forbidden),
        ("404 Not Found", NotFound),
        ("405 Method Not Allowed", Refused),
        ("409 Conflict", Refused),
        ("410 Gone", NotFound),
        ("422 Unprocessable", Refused),
    ],
)
def test_a_refusal_is_not_tried_again_and_says_why(faults, http, status, kind):
    faults.answer(
        response(b'{"message": "Too   many\\nruns. See https://load.example/help?key=%s"}' % TOKEN.encode(), status)
    )

    error = failure_of(http.get, "/runs")

    assert type(error) is kind
    assert "Too many runs. See https://load.example/help" in str(error)
    assert len(faults.requests) == 1


def test_a_refused_write_was_certainly_not_done(faults, http):
    faults.answer(response(b'{"message": "no"}', "409 Conflict"))

    assert failure_of(http.send, "POST", "/runs", json={}).maybe_done is False


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://127.0.0.1:{other}/x", "https://evil.example/x", "/elsewhere"])
def test_a_redirect_is_never_followed(faults, other_faults, http, status, location):
    other_faults.answer(OK)
    place = location.format(other=other_faults.port)
    faults.answer(response(b"", f"{status} Moved", Location=place))

    error = failure_of(http.get, "/runs")

    assert isinstance(error, Refused)
    assert len(faults.requests) == 1
    assert other_faults.connections == 0


def test_a_disguised_sign_in_page_means_that_the_credentials_are_wrong(faults):
    http = client(faults, sign_in_statuses=(203, 302))
    faults.answer(
        response(b"<html>Sign in</html>", "203 Non-Authoritative"), response(b"", "302 Found", Location="/signin")
    )

    assert isinstance(failure_of(http.get, "/runs"), Unauthorized)
    assert isinstance(failure_of(http.get, "/runs"), Unauthorized)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("30", 30), ("0", 1), ("-5", 1), ("1000000000", 3600), ("soon", None), ("nan", None), (None, None)],
)
def test_429_is_not_tried_again_and_says_when(faults, http, given, seconds):
    faults.answer(response(b"", "429 Too Many Requests", **({"Retry_After": given} if given else {})))

    error = failure_of(http.get, "/runs")

    assert type(error) is Unavailable
    assert error.retry_after == seconds
    assert len(faults.requests) == 1


def test_retry_after_may_be_a_date(faults, http):
    faults.answer(
        response(b"", "429 No", Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    )

    assert 80 <= failure_of(http.get, "/runs").retry_after <= 91


def test_503_with_retry_after_is_left_alone_until_then(faults, http):
    faults.answer(response(b"", "503 Unavailable", Retry_After="600"))

    assert failure_of(http.get, "/runs").retry_after == 600
    assert len(faults.requests) == 1


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Unavailable", "504 Timeout"])
def test_a_short_fault_is_over_at_the_second_or_third_try(faults, http, status):
    faults.answer(response(b"", status), response(b"", status), OK)

    assert http.get("/runs").data == {"answer": 42}
    assert len(faults.requests) == 3


def test_a_lasting_fault_ends_after_two_more_tries(faults):
    slept = []
    http = client(faults, waits=(0.2, 0.5), sleep=slept.append)
    faults.answer(response(b"", "500 Oops"))

    assert isinstance(failure_of(http.get, "/runs"), Unavailable)
    assert len(faults.requests) == 3
    assert slept == [0.2, 0.5]


def test_a_read_by_post_is_tried_again_like_one_by_get(faults, http):
    faults.answer(reset, OK)

    assert http.read("POST", "/samples", json={"count": 1}).data == {"answer": 42}
    assert [request.body for request in faults.requests] == [b'{"count": 1}'] * 2


@pytest.mark.parametrize("fault", [reset, raw(response(b"", "500 Oops")), raw(b""), raw(b"nonsense\r\n\r\n")])
def test_a_write_without_an_answer_is_sent_once_and_may_be_done(faults, http, fault):
    faults.answer(fault)

    error = failure_of(http.send, "POST", "/runs", json={})

    assert isinstance(error, Unavailable)
    assert error.maybe_done is True
    assert len(faults.requests) == 1


def test_a_write_in_front_of_a_closed_door_was_certainly_not_done():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    http = Http(f"http://127.0.0.1:{port}", provider="Example Load", hosts=(), extra_hosts=("127.0.0.1",))

    error = failure_of(http.send, "POST", "/runs", json={})

    assert isinstance(error, Unavailable)
    assert error.maybe_done is False


def test_an_unknown_host_is_a_sentence_and_no_write():
    def no_such_name(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    http = Http("https://api.load.example", provider="Example Load", hosts=("api.load.example",), resolve=no_such_name)

    error = failure_of(http.send, "POST", "/runs", json={})

    assert isinstance(error, Unavailable)
    assert "could not be found" in str(error)
    assert error.maybe_done is False


def test_a_write_answered_with_nonsense_is_done(faults, http):
    faults.answer(response(b"<html>thanks</html>", "200 OK"), response(b'{"id": ', "200 OK"))

    assert http.send("POST", "/runs", json={}).data is None
    assert http.send("POST", "/runs", json={}).data is None


def test_a_write_goes_over_a_fresh_connection(faults, http):
    faults.answer(response(b"{}", Connection="keep-alive"))
    http.get("/runs")  # the server closes after it, without having said so

    http.send("POST", "/runs", json={})

    assert [request.method for request in faults.requests] == ["GET", "POST"]


# -- bodies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b'{"runs": [1, 2',
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"n": ' + b"9" * 5000 + b"}",
        b"\x00\x01\x02",
    ],
)
def test_a_body_that_is_no_data_is_tried_again_then_refused_whole(faults, http, body):
    faults.answer(response(body))

    assert isinstance(failure_of(http.get, "/runs"), UnexpectedAnswer)
    assert len(faults.requests) == 3


def test_a_page_of_a_proxy_between_two_answers_costs_nothing(faults, http):
    faults.answer(response(b"<html>hello</html>"), response(b'{"runs": []}'))

    assert http.get("/runs").data == {"runs": []}


def test_a_probe_tries_the_first_read_once_and_the_others_as_usual(faults):
    http = client(faults, probe=True)
    faults.answer(response(b"<html>hello</html>"))
    failure_of(http.get, "/runs")
    assert len(faults.requests) == 1

    faults.answer(response(b"{}"))
    http.get("/runs")
    faults.requests.clear()
    faults.answer(response(b"<html>hello</html>"))
    failure_of(http.get, "/runs")
    assert len(faults.requests) == 3


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"", None),
        (b"  \r\n", None),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": NaN, "b": -Infinity, "c": 1e999}', {"a": None, "b": None, "c": None}),
        (b'{"a": "x\\ud800y", "b\\u0000": "\\u0000z"}', {"a": "x\ufffdy", "b": "z"}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a": "caf\xe9"}', {"a": "caf\ufffd"}),
    ],
)
def test_what_databases_refuse_never_comes_in(faults, http, body, data):
    faults.answer(response(body))

    assert http.get("/runs").data == data


def test_a_body_cut_short_is_tried_again_then_unavailable(faults, http):
    faults.answer(response(b'{"runs": []}', Content_Length="500"))

    assert isinstance(failure_of(http.get, "/runs"), Unavailable)
    assert len(faults.requests) == 3


def test_a_gzip_bomb_stops_at_the_cap(faults):
    http = client(faults, max_bytes=2**20)
    bomb = gzip.compress(b" " * 2**26)
    faults.answer(response(bomb, Content_Encoding="gzip"))

    assert "larger than 1 MB" in str(failure_of(http.get, "/runs"))


def test_a_gzip_answer_is_unpacked(faults, http):
    faults.answer(response(gzip.compress(b'{"answer": 42}'), Content_Encoding="gzip"))

    assert http.get("/runs").data == {"answer": 42}


def test_an_endless_body_stops_at_the_cap(faults):
    http = client(faults, max_bytes=2**20)
    faults.answer(endless(b"[" * 65536, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"))

    assert isinstance(failure_of(http.get, "/runs"), UnexpectedAnswer)


def test_an_endless_error_page_does_not_hold_us(faults):
    http = client(faults, waits=())
    faults.answer(endless(b"x" * 65536, b"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n"))

    assert isinstance(failure_of(http.get, "/runs"), Unavailable)


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "has_status"),
    [
        (hang, False),
        (drip(b"HTTP/1.1 200 OK\r\nX: "), True),
        (drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), True),
        (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), True),
    ],
)
@pytest.mark.parametrize("method", ["get", "send"])
def test_a_slow_answer_ends_at_the_deadline(faults, fault, has_status, method):
    http = client(faults, deadline_s=0.3)
    faults.answer(fault)
    started = time.monotonic()

    if method == "get":
        assert "did not answer within 0.3 s" in str(failure_of(http.get, "/runs"))
    elif has_status:
        assert http.send("POST", "/runs", json={}).data is None  # it was done, only not told to the end
    else:
        assert failure_of(http.send, "POST", "/runs", json={}).maybe_done is True

    assert time.monotonic() - started < 1.3
    assert len(faults.requests) == 1


def test_a_slow_name_service_ends_at_the_deadline():
    def slow(*args, **kwargs):
        time.sleep(2)
        return []

    http = Http(
        "https://api.load.example", provider="Example Load", hosts=("api.load.example",), resolve=slow, deadline_s=0.2
    )
    started = time.monotonic()

    failure_of(http.get, "/runs")

    assert time.monotonic() - started < 1.2


# -- logs --------------------------------------------------------------------------------------------------------------


def test_the_log_has_the_call_but_neither_query_nor_token(faults, http, caplog):
    faults.answer(response(b"", "500 Oops"), OK)
    with caplog.at_level(logging.DEBUG):
        http.get("/runs", {"sig": "s1gnature"})

    assert any(f"GET 127.0.0.1:{faults.port}/runs 500" in line for line in caplog.messages)
    assert any(f"GET 127.0.0.1:{faults.port}/runs 200" in line for line in caplog.messages)
    assert "s1gnature" not in caplog.text
    assert TOKEN not in caplog.text


# -- downloads ---------------------------------------------------------------------------------------------------------


def test_a_download_is_passed_on_as_it_is_without_credentials(faults, http):
    data = gzip.compress(b"results" * 10_000)
    faults.answer(response(data, Content_Encoding="gzip"))

    download = http.download(
        f"{faults.url}/c/results.zip?sig=abc", filename="results.gz", content_type="application/gzip"
    )

    assert b"".join(download.chunks) == data
    assert (download.filename, download.content_type, download.size) == ("results.gz", "application/gzip", len(data))
    assert "authorization" not in faults.requests[0].headers
    assert faults.requests[0].target == "/c/results.zip?sig=abc"


def test_a_file_of_the_api_itself_is_asked_for_with_credentials(faults, http):
    faults.answer(response(b"export default", content_type="text/javascript"))
    opened = http.open_own("/runs/7/script", filename="run-7.js")
    assert b"".join(opened.chunks) == b"export default"
    assert faults.requests[0].headers["authorization"] == f"Token {TOKEN}"
    assert faults.requests[0].headers["accept"] == "*/*"


def test_a_file_of_another_host_is_never_asked_for_with_credentials(faults, http):
    assert isinstance(failure_of(http.open_own, "https://evil.example/x", filename="x"), UnexpectedAnswer)
    assert faults.requests == []


def test_a_write_carries_the_headers_of_its_call_and_the_next_one_does_not(faults, http):
    faults.answer(OK)
    http.send("POST", "/start", headers={"Idempotency-Key": "press-1"})
    http.send("POST", "/stop")
    assert [request.headers.get("idempotency-key") for request in faults.requests] == ["press-1", None]


def test_a_download_from_a_foreign_host_is_refused(faults, http):
    assert isinstance(failure_of(http.download, "https://evil.example/x?sig=1", filename="x"), Refused)


def test_a_download_that_is_too_large_is_refused_before_it_starts(faults, http):
    faults.answer(response(b"x" * 2000))

    assert isinstance(failure_of(http.download, f"{faults.url}/x", filename="x", max_bytes=1000), UnexpectedAnswer)


def test_a_download_without_end_stops_at_the_cap(faults, http):
    faults.answer(endless(b"x" * 65536, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"))
    download = http.download(f"{faults.url}/x", filename="x", max_bytes=2**20)

    with pytest.raises(UnexpectedAnswer):
        for _ in download.chunks:
            pass


def test_a_download_that_breaks_off_or_stalls_is_an_error_not_a_short_file(faults):
    http = client(faults, deadline_s=0.3)
    faults.answer(
        response(b"x" * 100, Content_Length="1000"), drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    )

    for _ in range(2):
        with pytest.raises(Unavailable):
            list(http.download(f"{faults.url}/x", filename="x").chunks)


@pytest.mark.parametrize("pieces", [0, 1])
@pytest.mark.parametrize("leave", [lambda chunks: chunks.close(), lambda chunks: None], ids=["closed", "let go"])
def test_a_download_that_nobody_reads_to_its_end_lets_its_connection_go(faults, leave, pieces):
    http = client(faults, deadline_s=30)
    gone = threading.Event()

    def wait_for_the_end(connection, server):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 65536)
        with suppress(ConnectionError):
            assert connection.recv(1) == b""
        gone.set()

    faults.answer(wait_for_the_end)
    download = http.download(f"{faults.url}/x", filename="x")
    for _ in range(pieces):
        next(download.chunks)
    leave(download.chunks)
    del download

    assert gone.wait(8)


def test_a_lost_file_is_not_found(faults, http):
    faults.answer(response(b"<Error/>", "404 Not Found"))

    assert isinstance(failure_of(http.download, f"{faults.url}/x?sig=1", filename="x"), NotFound)


def test_a_form_is_posted_once_and_the_cookies_it_earns_come_with_each_call_after(http, faults):
    faults.answer(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: session=abc.d-e; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly\r\n"
        b"Set-Cookie: two=2\r\nContent-Length: 2\r\n\r\n{}"
    )
    http.send("POST", "in", form={"name": "a b"})
    http.keep_cookies()
    http.get("more")
    first, second = faults.requests
    assert (first.method, first.body, first.headers.get("cookie")) == ("POST", b"name=a+b", None)
    assert second.headers["cookie"] == "session=abc.d-e; two=2"
