"""How a log line looks, as a line for people or as a JSON object: one line per message, and no secrets in it."""

import logging
import re
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from runs.trace import work

MASK = "[hidden]"
_SECRET = re.compile(
    r"""(?ix)
    (?P<before>
        (?: proxy-)? authorization ["']? \s* [:=] \s* ["']? (?: basic | bearer | token )? \s*
      | \b (?: basic | bearer | token ) \s+ (?= [^\s"',;]{16} )
      | (?: x-api-key | [\w-]* (?: token | password | secret | sas_?key ) ) ["']? \s* [:=] \s* ["']?
      | [?&;] sig =
    )
    (?P<secret> [^\s"',;&]+ )
    """
)


def hide_secrets(text: str) -> str:
    """`text` with what looks like a credential (Authorization values, `…token=`, `sig=`) replaced by "[hidden]"."""
    return _SECRET.sub(lambda match: match["before"] + MASK, text)


class LineFormatter(logging.Formatter):
    """Masks credentials, in tracebacks too, and keeps a message on one line so that no input can forge a log entry."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        line = super().formatMessage(record)
        return f"{line} (request {work().id})" if work().id else line

    def format(self, record: logging.LogRecord) -> str:
        return hide_secrets(super().format(record))


class JsonLineFormatter(JsonFormatter):
    """An object per message: time, level, logger and message; where known request_id, user, account, exception, and of
    a request its method, view, status and ms. Nothing else that a library hands over gets in."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        known = {"request_id": work().id, "user": work().person, "account": work().account}
        given = {name: getattr(record, name, None) for name in _OF_A_REQUEST}
        texts = {"exception": message_dict.get("exc_info"), "stack": message_dict.get("stack_info")}
        log_data |= {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            # Masked before it becomes JSON, where a credential could end in an escape.
            "message": hide_secrets(record.getMessage()),
            **{name: value for name, value in (known | given).items() if value not in ("", None)},
            **{name: hide_secrets(text) for name, text in texts.items() if text},
        }


_OF_A_REQUEST = ("method", "view", "status", "ms")
