"""Sliding: the exact log of a window that moves with each instant."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from fake_provider._limiters import NS_PER_S, Level, Limiter, Row

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
        # The capacity, and those of them that have left the window: what may have been charged.
        self._ceiling = self.capacity
        self._first_ends_ns = 0  # when the first live row leaves the window; 0 if none is live

    def room(self, now_ns: int) -> int:
        """Return the capacity less what the window holds."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        return self._ceiling - self._charged

    def wait(self, cost: int, now_ns: int) -> int | None:
        """Return the nanoseconds until enough events have left the window."""
        if cost > self.capacity:
            return None
        excess = cost - self.room(now_ns)
        if cost == 0 or excess <= 0:
            return 0
        gone = self._ceiling - self.capacity
        last_to_leave = bisect_left(self._totals, gone + excess, self._dead)
        return self._times[last_to_leave] + self._window_ns - self._now_ns

    def take(self, cost: int, now_ns: int) -> Row | None:
        """Log one event, if there is room for it; a cost of 0 is none."""
        if now_ns <= self._now_ns or not cost:
            return self._take_at_once(cost, now_ns)
        if now_ns >= self._first_ends_ns:
            # As a rule one event leaves when one comes: that is not worth a call.
            times, dead = self._times, self._dead + 1
            if 3 * dead < len(times) and times[dead] > now_ns - self._window_ns:
                self._dead = dead
                self._first_ends_ns = times[dead] + self._window_ns
                self._ceiling = self.capacity + self._totals[dead - 1]
            else:
                self._expire(now_ns)
        self._now_ns = now_ns
        charged = self._charged + cost
        left = self._ceiling - charged
        if left < 0:
            self._forget_promise()
            return None
        self._charged = charged
        self._totals.append(charged)
        self._times.append(now_ns)
        return self.limit, left, self._window_ns

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

    def _take_at_once(self, cost: int, now_ns: int) -> Row | None:
        """Take what may be of the last instant, or costs nothing."""
        room = self.room(now_ns)
        if not cost:
            return self._measured()
        if room < cost:
            return None
        self._log(cost)
        return self.limit, room - cost, self._window_ns

    def _measured(self) -> Level:
        """Return the level at the last instant seen."""
        held = self.capacity - self._ceiling + self._charged
        if not held:
            return Level(self.limit, self.capacity, 0)
        room = self.capacity - held
        full_ns = self._times[-1] + self._window_ns - self._now_ns
        return Level(self.limit, max(0, room), full_ns)

    def _log(self, cost: int) -> None:
        """Append a charge, or join it to the others of this instant."""
        self._charged += cost
        if self._times and self._times[-1] == self._now_ns:
            self._totals[-1] = self._charged
        elif cost:
            if not self._first_ends_ns:
                self._first_ends_ns = self._now_ns + self._window_ns
            self._totals.append(self._charged)
            self._times.append(self._now_ns)

    def _add(self, row: int, change: int) -> None:
        """Add to one event, and so to all totals from there on; drop events of nothing."""
        times, totals = self._times, self._totals
        for later in range(row, len(totals)):
            totals[later] += change
        self._charged += change
        while len(totals) > self._dead and self._charged == self._before(len(totals) - 1):
            del times[-1], totals[-1]
        live = len(times) > self._dead
        self._first_ends_ns = times[self._dead] + self._window_ns if live else 0

    def _before(self, row: int) -> int:
        """Return all that was charged before a live row."""
        return self._totals[row - 1] if row > self._dead else self._ceiling - self.capacity

    def _move(self, now_ns: int) -> None:
        """Move on to `now_ns`."""
        if now_ns >= self._first_ends_ns:
            self._expire(now_ns)
            self._forget_promise()
        self._now_ns = now_ns

    def _forget_promise(self) -> None:
        """Take back that a row is logged now, where no row is live."""
        if self._dead == len(self._times):
            self._first_ends_ns = 0

    def _expire(self, now_ns: int) -> None:
        """Let go of the first live row, and of the others that have left the window at `now_ns`.

        If none stays, a row that is logged now is taken to be the first.
        """
        times, dead = self._times, self._dead
        end, first_ns = len(times), now_ns
        if dead < end:
            last_ns = now_ns - self._window_ns
            dead += 1
            while dead < end:
                first_ns = times[dead]
                if first_ns > last_ns:
                    break
                dead += 1
            else:
                first_ns = now_ns
            self._ceiling = self.capacity + self._totals[dead - 1]
            # Compacting once a third is dead moves at most two live events for each dead one, and
            # keeps the two columns below 26 bytes per live event.
            if 3 * dead > end and dead > 64:
                del times[:dead]
                del self._totals[:dead]
                dead = 0
            self._dead = dead
        self._first_ends_ns = first_ns + self._window_ns
