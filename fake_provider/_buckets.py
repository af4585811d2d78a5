"""Buckets: limits that admit a little all the time, at their rate, and so much at once."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from fake_provider._limiters import NS_PER_S, Level, Limiter, Row

if TYPE_CHECKING:
    from fake_provider._limit import Limit


class TokenBucket(Limiter):
    """A bucket that refills without pause at the limit's rate, up to its capacity.

    A leaky bucket is the same bucket seen from its other side: what is used drains at the rate,
    and a cost fits as long as the two together are within the capacity.
    """

    def __init__(self, limit: Limit, zero_wall_ns: int = 0) -> None:
        super().__init__(limit, zero_wall_ns)
        # A request or token is cut into as many parts as the rate's period has nanoseconds, so
        # that each nanosecond adds a whole number of parts: the rate's amount, in lowest terms.
        parts = max(1, round(limit.per * NS_PER_S))
        common = gcd(parts, limit.amount)
        self._parts = parts // common
        self._gain = limit.amount // common
        self._full = self.capacity * self._parts
        self._floor = (-self.capacity if limit.floor is None else limit.floor) * self._parts
        self._level = self._full

    def room(self, now_ns: int) -> int:
        """Return the whole units in the bucket, rounded down; below 0 once it is overdrawn."""
        if now_ns > self._now_ns:
            self._refill(now_ns)
        return self._level // self._parts

    def wait(self, cost: int, now_ns: int) -> int | None:
        """Return the nanoseconds, rounded up, until the bucket holds `cost`."""
        if cost > self.capacity:
            return None
        if now_ns > self._now_ns:
            self._refill(now_ns)
        missing = cost * self._parts - self._level
        return -(-missing // self._gain) if cost and missing > 0 else 0

    def take(self, cost: int, now_ns: int) -> Row | None:
        """Take `cost` out of the bucket, if it holds as much."""
        level = self._level
        if now_ns > self._now_ns:
            level += (now_ns - self._now_ns) * self._gain
            if level > self._full:  # `min` would cost half as much as the rest
                level = self._full
            self._level, self._now_ns = level, now_ns
        left = level - cost * self._parts
        if left < 0:
            return None if cost else self._measured()
        self._level = left
        full_ns = (self._full - left + self._gain - 1) // self._gain
        return self.limit, left // self._parts, full_ns

    def put_back(self, cost: int) -> None:
        """Put back what was taken out in vain."""
        self._level += cost * self._parts

    def settle(self, change: int, charged_ns: int, now_ns: int) -> None:  # noqa: ARG002
        """Take more out, however far below 0 that leads, or put some back up to the capacity."""
        if now_ns > self._now_ns:
            self._refill(now_ns)
        self._level = min(self._full, self._level - change * self._parts)

    def reject(self, cost: int, now_ns: int) -> None:
        """Take out the charged share of a refused attempt's cost, down to the floor."""
        if now_ns > self._now_ns:
            self._refill(now_ns)
        left = self._level - round(self.limit.charge_rejected * cost) * self._parts
        # Answers that cost more than was reserved may have led below the floor before.
        self._level = max(left, min(self._floor, self._level))

    def level(self, now_ns: int) -> Level:
        """Return the whole units in the bucket, and when it is full."""
        if now_ns > self._now_ns:
            self._refill(now_ns)
        return self._measured()

    def _measured(self) -> Level:
        """Return the level at the last instant seen."""
        level = self._level
        full_ns = -((level - self._full) // self._gain)
        return Level(self.limit, level // self._parts if level > 0 else 0, full_ns)

    def _refill(self, now_ns: int) -> None:
        """Move on to `now_ns`."""
        level = self._level + (now_ns - self._now_ns) * self._gain
        self._level = min(self._full, level)
        self._now_ns = now_ns
