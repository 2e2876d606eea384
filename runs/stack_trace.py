"""Which line of a stack trace is the first in the tester's own code, as .NET, JavaScript, Java and Python write it."""

import re

# A place in a source file: "in C:\src\Shop.cs:line 148", "(file:///shop.js:148:34)", "(Shop.java:17)", "line 3".
_PLACE = re.compile(r":line \d+|[\w)\]]\.\w{1,5}:\d+|^\s*File \"[^\"]+\", line \d+", re.IGNORECASE)
# What comes with the language or the tool, and is never where the fault is.
_FOREIGN = re.compile(
    r"\bat (System|Microsoft|Newtonsoft|java|javax|jdk|sun|kotlin|scala|org\.junit|go\.k6\.io|internal|node:)\b"
    r"|node_modules|site-packages|[\\/]lib[\\/]python|\(native\)|node:internal|<anonymous>|<frozen ",
    re.IGNORECASE,
)


def own_line(trace: str) -> int | None:
    """The index of the first line that names a place in the tester's own source; None when none is recognised.

    Python's traces begin with the oldest call, so of those it is the last such line.
    """
    lines = trace.splitlines()
    own = [index for index, line in enumerate(lines) if _PLACE.search(line) and not _FOREIGN.search(line)]
    if not own:
        return None
    return own[-1] if lines[0].startswith("Traceback (most recent call last)") else own[0]


def around_own_line(trace: str) -> tuple[str, str, str]:
    """The text before that line, the line, the text after it: together the whole trace, ("", "", trace) without one."""
    index = own_line(trace)
    if index is None:
        return "", "", trace
    lines = trace.splitlines(keepends=True)
    return "".join(lines[:index]), lines[index], "".join(lines[index + 1 :])
