"""Merging: the attempts of several servers as those of one trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fake_provider._attempt import UNNAMED, Attempt


def merged(parts: Iterable[tuple[float, Sequence[Attempt]]]) -> tuple[Attempt, ...]:
    """Return the attempts of several servers in order of arrival, numbered anew.

    Callers that state no name, calls and units of work are those of one server each.

    Args:
        parts: Of each server the seconds by which its clock began later, and its attempts.
    """
    attempts: list[Attempt] = []
    calls = 0
    for number, (later_s, own) in enumerate(parts, start=1):
        moved = [
            replace(
                attempt.later(later_s),
                call=attempt.call + calls,
                unit=f"{attempt.unit}@{number}",
                caller=_caller_on(number, attempt.caller),
            )
            for attempt in own
        ]
        attempts += moved
        calls = max((attempt.call + 1 for attempt in moved), default=calls)
    attempts.sort(key=lambda attempt: attempt.arrived_at)
    numbers: dict[int, int] = {}
    return tuple(
        replace(each, index=index, call=numbers.setdefault(each.call, len(numbers)))
        for index, each in enumerate(attempts)
    )


def _caller_on(server: int, caller: str) -> str:
    """Return the name of a caller of one server among those of all."""
    if not caller.startswith(UNNAMED):
        return caller
    return caller.replace(UNNAMED, f"server {server} {UNNAMED}", 1)
