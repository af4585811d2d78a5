"""Windows: limits that admit so much within a length of time."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from fake_provider._limiters import NEVER_NS, NS_PER_S, Level, Limiter, new_tuple
from fake_provider._zones import day_around, zone

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


class FixedWindow(Limiter):
    """A count that starts again at each multiple of the window on the provider's wall clock."""

    def __init__(self, limit: Limit, zero_wall_ns: int = 0) -> None:
        super().__init__(limit, zero_wall_ns)
        self._window_ns = max(1, round(limit.window * NS_PER_S))
        self._used = 0
        self._begin_ns, self._end_ns = self._window_around(0)

    def room(self, now_ns: int) -> int:
        """Return the capacity less what was charged since the window began."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        return self.capacity - self._used

    def wait(self, cost: int, now_ns: int) -> int | None:
        """Return the nanoseconds until the window ends, unless the cost fits into this one."""
        if cost > self.capacity:
            return None
        return 0 if cost <= max(0, self.room(now_ns)) else self._end_ns - self._now_ns

    def take(self, cost: int, now_ns: int) -> Level | None:
        """Add to the count, if that leads no further than to the capacity."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        used = self._used + cost
        left = self.capacity - used
        if left < 0 or not used:
            return None if cost else self._measured()
        self._used = used
        return new_tuple(Level, (self.limit, left, self._end_ns - self._now_ns))

    def put_back(self, cost: int) -> None:
        """Take back what was counted in vain."""
        self._used -= cost

    def settle(self, change: int, charged_ns: int, now_ns: int) -> None:
        """Correct the count, unless it has started again since."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        if charged_ns >= self._begin_ns:
            self._used += change

    def reject(self, cost: int, now_ns: int) -> None:
        """Add the charged share of a refused attempt's cost."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        self._used += round(self.limit.charge_rejected * cost)

    def level(self, now_ns: int) -> Level:
        """Return what remains, and when the window ends."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        return self._measured()

    def _measured(self) -> Level:
        """Return the level at the last instant seen."""
        if not self._used:
            return Level(self.limit, self.capacity, 0)
        room = self.capacity - self._used
        return Level(self.limit, max(0, room), self._end_ns - self._now_ns)

    def _move(self, now_ns: int) -> None:
        """Move on to `now_ns`, and start again if the window has ended."""
        self._now_ns = now_ns
        if now_ns >= self._end_ns:
            self._used = 0
            self._begin_ns, self._end_ns = self._window_around(now_ns)

    def _window_around(self, now_ns: int) -> tuple[int, int]:
        """Return when the window of an instant begins and ends."""
        begin_ns = now_ns - (self._zero_wall_ns + now_ns) % self._window_ns
        return begin_ns, begin_ns + self._window_ns


class CalendarDay(FixedWindow):
    """A count that starts again at midnight in a time zone, after 23, 24 or 25 hours."""

    def _window_around(self, now_ns: int) -> tuple[int, int]:
        """Return when the day of an instant begins and ends."""
        zero_ns = self._zero_wall_ns
        begin_ns, end_ns = day_around(zone(self.limit.timezone), zero_ns + now_ns)
        return begin_ns - zero_ns, end_ns - zero_ns


class Acceleration(FixedWindow):
    """A window whose capacity grows with use: so many times what the one before admitted.

    The limit's own capacity is always allowed. Providers publish neither the rule nor the
    threshold; this is the simplest rule that refuses a sudden load and admits a gradual one.
    """

    def __init__(self, limit: Limit, zero_wall_ns: int = 0) -> None:
        super().__init__(limit, zero_wall_ns)
        self._least = self.capacity
        self._admitted = 0
        self._before = 0

    def wait(self, cost: int, now_ns: int) -> int | None:
        """Return the nanoseconds until the window ends if the cost fits into the next one."""
        if cost <= max(0, self.room(now_ns)):
            return 0
        return None if cost > self._grown(self._admitted) else self._end_ns - self._now_ns

    def take(self, cost: int, now_ns: int) -> Level | None:
        """Add to the usage, which the next window may exceed by as much as it may grow."""
        level = super().take(cost, now_ns)
        if level is not None:
            self._admitted += cost
        return level

    def put_back(self, cost: int) -> None:
        """Take back what was counted in vain, here and for the next window."""
        super().put_back(cost)
        self._admitted -= cost

    def settle(self, change: int, charged_ns: int, now_ns: int) -> None:
        """Correct the usage of the window in which the attempt was charged, or the one before."""
        super().settle(change, charged_ns, now_ns)
        if charged_ns >= self._begin_ns:
            self._admitted += change
        elif charged_ns >= self._begin_ns - self._window_ns:
            self._before += change
            self.capacity = self._grown(self._before)

    def _move(self, now_ns: int) -> None:
        """Move on to `now_ns`; a window that nobody used forgets the growth."""
        ended_ns = self._end_ns
        super()._move(now_ns)
        if now_ns >= ended_ns:
            self._before = self._admitted if now_ns < ended_ns + self._window_ns else 0
            self._admitted = 0
            self.capacity = self._grown(self._before)

    def _grown(self, usage: int) -> int:
        """Return the capacity of the window after one of this usage."""
        return max(self._least, int(self.limit.growth * usage))
