"""Pipe: a command whose reader may leave before the end, as `head` does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

# What a shell says of a command that SIGPIPE ended.
LEFT = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1


def until_left(command: Callable[[], int]) -> int:
    """Run a command; return its exit status, or `LEFT` once nobody reads what it prints.

    Args:
        command: Prints, and returns an exit status.
    """
    try:
        status = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return LEFT
    return status
