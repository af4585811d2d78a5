"""Sliding: the exact log of a window that moves with each instant."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from fake_provider._limiters import NEVER_NS, NS_PER_S, Level, Limiter, new_tuple

if TYPE_CHECKING:
    from fake_provider._limit import Limit


class SlidingWindow(Limiter):
    """An exact log: what is admitted in any window `(t - window, t]` stays within the capacity.

    All attempts of one instant are one event of 16 bytes whatever their tokens, and a wait is
    found by bisection over running totals. A refusal is logged like any charge, so it can take
    the room below 0. A settled attempt counts with its corrected cost, where it was charged.
    """

    def __init__(self, limit: Limit, zero_wall_ns: int = 0) -> None:
        super().__init__(limit, zero_wall_ns)
        self._window_ns = max(1, round(limit.window * NS_PER_S))
        # Two columns, one row per event: its instant, and all that was charged up to it.
        self._times = array("q")
        self._totals = array("q")
        self._dead = 0  # rows at the front that have left the window
        self._charged = 0  # units since the start
        self._expired = 0  # those of them that have left the window
        self._first_ends_ns = NEVER_NS  # when the first live row leaves the window
        self._last_ns = -1  # instant of the last live row

    def room(self, now_ns: int) -> int:
        """Return the capacity less what the window holds."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        return self.capacity - self._charged + self._expired

    def wait(self, cost: int, now_ns: int) -> int | None:
        """Return the nanoseconds until enough events have left the window."""
        if cost > self.capacity:
            return None
        excess = cost - self.room(now_ns)
        if cost == 0 or excess <= 0:
            return 0
        last_to_leave = bisect_left(self._totals, self._expired + excess, self._dead)
        return self._times[last_to_leave] + self._window_ns - self._now_ns

    def take(self, cost: int, now_ns: int) -> Level | None:
        """Log one event, if there is room for it; a cost of 0 is none."""
        if now_ns > self._now_ns:
            if now_ns >= self._first_ends_ns:
                self._expire(now_ns)
            self._now_ns = now_ns
        charged = self._charged + cost
        left = self.capacity - charged + self._expired
        if left < 0 or not cost:
            return None if cost else self._measured()
        self._charged = charged
        now_ns = self._now_ns
        if self._last_ns == now_ns:
            self._totals[-1] = charged
        else:
            self._totals.append(charged)
            self._times.append(now_ns)
            self._last_ns = now_ns
            if self._first_ends_ns == NEVER_NS:
                self._first_ends_ns = now_ns + self._window_ns
        return new_tuple(Level, (self.limit, left, self._window_ns))

    def put_back(self, cost: int) -> None:
        """Take an event that was logged in vain out of the log."""
        if cost:
            self._add(len(self._totals) - 1, -cost)

    def settle(self, change: int, charged_ns: int, now_ns: int) -> None:
        """Correct the event, unless it has left the window; takes time for each one after it."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        times, totals = self._times, self._totals
        if not change or charged_ns <= self._now_ns - self._window_ns:
            return
        row = bisect_left(times, charged_ns, self._dead)
        if row == len(times) or times[row] != charged_ns:
            # What was charged nothing has no event yet.
            times.insert(row, charged_ns)
            totals.insert(row, self._before(row))
        self._add(row, change)

    def reject(self, cost: int, now_ns: int) -> None:
        """Log the charged share of a refused attempt's cost, if there is any."""
        share = self.limit.charge_rejected
        if share:
            if now_ns > self._now_ns:
                self._move(now_ns)
            # One event of the whole capacity already blocks the window for as long as it lasts.
            self._log(min(round(share * cost), self.capacity))

    def level(self, now_ns: int) -> Level:
        """Return what remains, and when the last event leaves the window."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        return self._measured()

    def _measured(self) -> Level:
        """Return the level at the last instant seen."""
        held = self._charged - self._expired
        if not held:
            return Level(self.limit, self.capacity, 0)
        room = self.capacity - held
        full_ns = self._last_ns + self._window_ns - self._now_ns
        return Level(self.limit, max(0, room), full_ns)

    def _log(self, cost: int) -> None:
        """Append a charge, or join it to the others of this instant."""
        self._charged += cost
        if self._last_ns == self._now_ns:
            self._totals[-1] = self._charged
        elif cost:
            self._totals.append(self._charged)
            self._times.append(self._now_ns)
            self._last_ns = self._now_ns
            if self._first_ends_ns == NEVER_NS:
                self._first_ends_ns = self._now_ns + self._window_ns

    def _add(self, row: int, change: int) -> None:
        """Add to one event, and so to all totals from there on; drop events of nothing."""
        times, totals = self._times, self._totals
        for later in range(row, len(totals)):
            totals[later] += change
        self._charged += change
        while len(totals) > self._dead and self._charged == self._before(len(totals) - 1):
            del times[-1], totals[-1]
        live = len(times) > self._dead
        self._last_ns = times[-1] if live else -1
        self._first_ends_ns = times[self._dead] + self._window_ns if live else NEVER_NS

    def _before(self, row: int) -> int:
        """Return all that was charged before a live row."""
        return self._totals[row - 1] if row > self._dead else self._expired

    def _move(self, now_ns: int) -> None:
        """Move on to `now_ns`."""
        if now_ns >= self._first_ends_ns:
            self._expire(now_ns)
        self._now_ns = now_ns

    def _expire(self, now_ns: int) -> None:
        """Let go of the events that have left the window at `now_ns`: one at least."""
        times, dead = self._times, self._dead
        end, first_ends_ns = len(times), NEVER_NS
        while dead < end:
            first_ends_ns = times[dead] + self._window_ns
            if first_ends_ns > now_ns:
                break
            dead += 1
        self._first_ends_ns = first_ends_ns if dead < end else NEVER_NS
        self._expired = self._totals[dead - 1]
        # Compacting once a third is dead moves at most two live events for each dead one, and
        # keeps the two columns below 26 bytes per live event.
        if dead > 64 and 3 * dead > end:
            del times[:dead]
            del self._totals[:dead]
            dead = 0
        self._dead = dead
