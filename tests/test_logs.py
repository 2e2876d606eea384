"""What a log line never holds, and what it looks like."""

import logging
import sys

import pytest

from dashboard.logs import LineFormatter, hide_secrets


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("Authorization: Token k6secret", "k6secret"),
        ("{'Authorization': 'Bearer abc.def-ghi'}", "abc.def-ghi"),
        ("'authorization': 'Basic dXNlcjpwYXNz'", "dXNlcjpwYXNz"),
        ("using Token 0123456789abcdef0123", "0123456789abcdef0123"),
        ("GET https://x.example/a?sv=1&sig=abc%2Bdef%3D&se=2", "abc%2Bdef%3D"),
        ('{"sasKey": "s3cr3t", "ok": 1}', "s3cr3t"),
        ("agent_access_token=tok-123", "tok-123"),
        ("X-Api-Key: key-456", "key-456"),
        ("PLIMSOLL_ADMIN_PASSWORD=hunter2", "hunter2"),
    ],
)
def test_logs_hide_what_looks_like_a_credential(line, secret):
    assert secret in line
    assert secret not in hide_secrets(line)
    assert "[hidden]" in hide_secrets(line)


@pytest.mark.parametrize(
    "line", ["GET /runs/?status=running", "token bucket is empty", "basic checks passed", "design=1"]
)
def test_logs_leave_plain_words_alone(line):
    assert hide_secrets(line) == line


def test_a_log_message_stays_on_one_line():
    record = logging.LogRecord("runs", logging.INFO, __file__, 1, "name: %s", ("x\nERROR runs forged",), None)
    assert LineFormatter("%(levelname)s %(message)s").format(record) == "INFO name: x\\nERROR runs forged"


def test_logs_hide_credentials_in_tracebacks():
    try:
        raise ValueError("refused: Authorization: Token k6secret")
    except ValueError:
        record = logging.LogRecord("runs", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    text = LineFormatter("%(message)s").format(record)
    assert "ValueError" in text
    assert "k6secret" not in text
