"""Files: traces as the command line is given them."""

from __future__ import annotations

import sys
from pathlib import Path

from fake_provider import Trace, TraceError


class UsageError(Exception):
    """The command was given what it cannot take; the message is one line."""


def read(path: str) -> Trace:
    """Return the trace in a file, without the line that its writer was killed in.

    Args:
        path: The file; `-` reads standard input.

    Raises:
        UsageError: It cannot be read, or is no trace.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    lines = text.splitlines()
    try:
        return Trace.load(lines)
    except TraceError as error:
        if text.endswith("\n") or len(lines) < 2:
            raise UsageError(f"{path}: {error}") from None
    try:
        trace = Trace.load(lines[:-1])
    except TraceError as error:
        raise UsageError(f"{path}: {error}") from None
    print(f"{path}: the last line is not whole and was left out", file=sys.stderr)
    return trace
