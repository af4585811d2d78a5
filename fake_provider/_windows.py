"""Windows: limits that admit so much within a length of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._limiters import NS_PER_S, Level, Limiter, Row
from fake_provider._zones import day_around, zone

if TYPE_CHECKING:
    from fake_provider._limit import Limit


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

    def take(self, cost: int, now_ns: int) -> Row | None:
        """Add to the count, if that leads no further than to the capacity."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        used = self._used + cost
        left = self.capacity - used
        if left < 0 or not used:
            return None if cost else self._measured()
        self._used = used
        return self.limit, left, self._end_ns - self._now_ns

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

    def take(self, cost: int, now_ns: int) -> Row | None:
        """Add to the usage, which the next window may exceed by as much as it may grow."""
        row = super().take(cost, now_ns)
        if row is not None:
            self._admitted += cost
        return row

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
