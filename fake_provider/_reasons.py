"""Reasons: why the trace says that a scripted attempt failed."""

from __future__ import annotations

from fake_provider._faults import Fault
from fake_provider._recorder import Record
from fake_provider._terminal import TERMINAL_CODES
from fake_provider._wire._named import TERMINAL

_OVERLOADED = frozenset({503, 529})
# What an error event in a stream calls an overload (Anthropic and OpenAI, read 2026-11-25).
_OVERLOAD_CODES = frozenset({"overloaded_error", "server_is_overloaded", "server_overloaded"})


def note_fault(record: Record, fault: Fault, code: str | None) -> None:
    """Note why an attempt fails: by the code of a bill that no wait pays, or by name and status.

    Args:
        record: The attempt.
        fault: What the script answers it with.
        code: The dialect's code in the answer, None without one.
    """
    note_failure(record, code)
    if record.terminal:
        return
    if fault.name in TERMINAL:
        record.reason, record.terminal = fault.name, True
    elif fault.name == "overloaded" or fault.status in _OVERLOADED:
        record.reason = "overloaded"


def note_failure(record: Record, code: str | None) -> None:
    """Note why an attempt fails, as far as the code of the error tells.

    Args:
        record: The attempt.
        code: The dialect's code in the answer, None without one.
    """
    record.reason = "overloaded" if code in _OVERLOAD_CODES else "scripted"
    if code in TERMINAL_CODES:
        record.reason, record.terminal = code, True
