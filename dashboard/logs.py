"""How a log line looks: one line per message, and no secrets in it."""

import logging
import re

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
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return hide_secrets(super().format(record))
