"""Lag: how late an event loop is, which is how well it can tell instants apart."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

TICK_S = 0.02
# The share of the moments at which requests were there that the stated lag does not cover.
TAIL = 0.01
_STEP_S = 1e-3
# A loop that stood still for longer counts as late by this much.
_LONGEST_S = 60.0


class Lag:
    """Measures how late a loop wakes while there are requests.

    A loop that stands still while it answers wakes once, very late: every tick that it slept
    through counts as well, or the worst moments would hardly show.

    Args:
        load: Returns how many requests have come so far, and how many are being answered.
    """

    def __init__(self, load: Callable[[], tuple[int, int]]) -> None:
        self._load = load
        self._counts: Counter[int] = Counter()
        self.worst_s = 0.0

    async def measure(self) -> None:
        """Measure for as long as the loop runs."""
        seen = 0
        while True:
            due_s = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            before, (seen, answering) = seen, self._load()
            if answering or seen != before:
                self.note(time.monotonic() - due_s, answering=bool(answering))

    def note(self, late_s: float, *, answering: bool) -> None:
        """Count one lateness in seconds; with requests under way, each tick slept through too."""
        late_s = min(max(late_s, 0.0), _LONGEST_S)
        self.worst_s = max(self.worst_s, late_s)
        self._counts[int(late_s / _STEP_S)] += 1
        while answering and late_s >= TICK_S:
            late_s -= TICK_S
            self._counts[int(late_s / _STEP_S)] += 1

    @property
    def usual_s(self) -> float:
        """Seconds that the loop was late by at most, in 99 % of the moments; 0 if unknown."""
        left = TAIL * self._counts.total()
        for step in sorted(self._counts, reverse=True):
            left -= self._counts[step]
            if left < 0:
                return (step + 1) * _STEP_S
        return 0.0

    def reset(self) -> None:
        """Forget what was measured."""
        self._counts.clear()
        self.worst_s = 0.0
