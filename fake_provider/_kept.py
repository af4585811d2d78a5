"""Kept: a limit as a store keeps it, in numbers that a script can reckon with exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fake_provider._limit import BUCKETS
from fake_provider._limiters import Level
from fake_provider._tokens import Price, price, settled_price

if TYPE_CHECKING:
    from fake_provider._limit import Limit

US_PER_S = 1_000_000
NS_PER_US = 1_000
SHARED = ("sliding-window", *BUCKETS)
# Numbers of a script are floats, which hold whole numbers exactly below 2^53; a bucket may be
# overdrawn, and a window holds refusals too.
MOST_UNITS = 10**12
MOST_PARTS = 2**50
_NEVER = -1


class Kept(NamedTuple):
    """One limit as a store keeps it.

    Args:
        limit: The limit.
        parts: Parts that a unit of a bucket is cut into; 0 for a window.
        gain: Parts that a microsecond adds to it.
        charged: What an attempt is charged at admission.
        settled: What it is charged once its answer has ended; None if nothing changes.
    """

    limit: Limit
    parts: int
    gain: int
    charged: Price
    settled: Price | None

    @property
    def fixed(self) -> tuple[int, int, int, int]:
        """What the script is told of it each time."""
        floor = -self.limit.capacity if self.limit.floor is None else self.limit.floor
        return (self.limit.capacity, self.parts, self.gain, floor * self.parts)

    def booked(self, cost: int) -> int:
        """Return the units that a refused attempt is charged."""
        if not self.limit.charge_rejected:
            return 0
        share = round(self.limit.charge_rejected * cost)
        return share if self.parts else min(share, self.limit.capacity)

    def room(self, left: int) -> int:
        """Return what is left in the limit's unit."""
        return left // self.parts if self.parts else left

    def level(self, left: int, full_us: int) -> Level:
        """Return its level."""
        if not self.parts:
            return Level(self.limit, max(0, left), full_us * NS_PER_US)
        full_ns = self._until_ns(self.limit.capacity * self.parts - left)
        return Level(self.limit, max(0, left // self.parts), full_ns)

    def wait_ns(self, cost: int, left: int, wait_us: int) -> int | None:
        """Return the nanoseconds until a cost fits, None if it never can."""
        if wait_us == _NEVER or cost > self.limit.capacity:
            return None
        if not self.parts:
            return wait_us * NS_PER_US
        return self._until_ns(cost * self.parts - left) if cost else 0

    def _until_ns(self, missing: int) -> int:
        """Return the nanoseconds, rounded up, in which a bucket gains so many parts."""
        return -(-missing * NS_PER_US // self.gain) if missing > 0 else 0


def kept_as(limit: Limit) -> Kept:
    """Return a limit as a store keeps it."""
    parts, gain = _cut(limit)
    return Kept(limit, parts, gain, price(limit), settled_price(limit))


def _cut(limit: Limit) -> tuple[int, int]:
    """Return the parts of a bucket's unit, and those that it gains in a microsecond."""
    if not limit.refills:
        return 0, 0
    parts = max(1, round(limit.per * US_PER_S))
    common = math.gcd(parts, limit.amount)
    return parts // common, limit.amount // common


def window_us(limit: Limit) -> int:
    """Return a window in microseconds, rounded up: no window admits too much."""
    return max(1, -(-round(limit.window * US_PER_S * NS_PER_US) // NS_PER_US))


def check_shared(limits: Iterable[Limit]) -> None:
    """Raise for a limit that no store keeps.

    Raises:
        ValueError: There is one; the message names it and what is allowed.
    """
    for limit in limits:
        if limit.kind == "concurrent" or limit.algorithm not in SHARED:
            raise ValueError(
                f"a shared ledger keeps limits on requests and tokens by {', '.join(SHARED)}, "
                f"got {limit}"
            )
        parts, _ = _cut(limit)
        units = max(limit.capacity, -(limit.floor or 0))
        if units > MOST_UNITS or units * parts > MOST_PARTS:
            raise ValueError(
                f"a shared ledger cannot keep {limit} exactly: state it in rounder numbers, or as "
                f"a sliding window of at most {MOST_UNITS:,} {limit.unit}"
            )
