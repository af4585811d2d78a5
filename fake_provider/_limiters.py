"""Limiters: the algorithms that enforce a limit, told the time, in whole numbers only.

Times are integer nanoseconds on one clock that starts at 0; costs are whole requests or tokens.
A limiter reads no clock. An instant earlier than the last one it saw counts as that last one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_provider._limits import Limit

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Level:
    """How full one limit is, as response headers report it.

    Args:
        limit: The limit.
        remaining: What it would admit now, in its unit, 0 or more.
        full_ns: Nanoseconds until it is fully replenished if nobody comes; 0 if it is full, and
            for a limit on concurrent requests, which no wait replenishes.
    """

    limit: Limit
    remaining: int
    full_ns: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What the limits say to one attempt.

    Args:
        admitted: True if the attempt fits every limit and was charged to all of them.
        room: How many attempts of this cost fitted on arrival, the least over the limits: below
            1 if it was refused, 0 if nothing was left, infinite without limits.
        wait_ns: 0 if admitted. Else nanoseconds until this cost fits every limit if nobody else
            comes, the charge for this refusal included; None if it can never fit; 0 if only a
            limit on concurrent requests refused it, whose wait nobody can compute.
        violated: The limits that refused it, longest wait first; empty if admitted.
        levels: Every limit's level after the decision, in the order of the limits.
    """

    admitted: bool
    room: float
    wait_ns: int | None
    violated: tuple[Limit, ...]
    levels: tuple[Level, ...]


class Limiter(ABC):
    """One limit and its state: what has been charged to it, and when.

    Args:
        limit: The limit to enforce.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.capacity = limit.capacity
        self._now_ns = 0

    @abstractmethod
    def room(self, now_ns: int) -> int:
        """Return the units that would be admitted now; below 0 where refusals overdrew it."""

    @abstractmethod
    def wait(self, cost: int, now_ns: int) -> int | None:
        """Return the nanoseconds until `cost` fits if nobody else comes.

        Args:
            cost: Units, 0 or more. A cost of 0 always fits.
            now_ns: The present instant.

        Returns:
            0 if it fits now; None if it is above the capacity, so that it can never fit.
        """

    @abstractmethod
    def charge(self, cost: int, now_ns: int) -> None:
        """Book the cost of an admitted attempt."""

    @abstractmethod
    def reject(self, cost: int, now_ns: int) -> None:
        """Book the share of a refused attempt's cost that the limit charges, in whole units."""

    @abstractmethod
    def level(self, now_ns: int) -> Level:
        """Return what remains, and when the limit is fully replenished."""

    def admit(self, cost: int, now_ns: int) -> Decision:
        """Charge an attempt to this limit alone, or refuse it."""
        return decide((self,), (cost,), now_ns)


class SlidingWindow(Limiter):
    """An exact log: what is admitted in any window `(t - window, t]` stays within the capacity.

    One attempt is one event of 16 bytes whatever its tokens, and a wait is found by bisection
    over running totals. A refusal is logged like any charge, so it can take the room below 0.
    """

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        self._window_ns = max(1, round(limit.window * NS_PER_S))
        # Two columns, one row per event: its instant, and all that was charged up to it.
        self._times = array("q")
        self._totals = array("q")
        self._dead = 0  # rows at the front that have left the window
        self._charged = 0  # units since the start
        self._expired = 0  # those of them that have left the window

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
        last_to_leave = bisect_left(self._totals, self._expired + excess)
        return self._times[last_to_leave] + self._window_ns - self._now_ns

    def charge(self, cost: int, now_ns: int) -> None:
        """Log one event; a cost of 0 is none."""
        if now_ns > self._now_ns:
            self._move(now_ns)
        if cost:
            self._charged += cost
            self._totals.append(self._charged)
            self._times.append(self._now_ns)

    def reject(self, cost: int, now_ns: int) -> None:
        """Log the charged share of a refused attempt's cost, if there is any."""
        # One event of the whole capacity already blocks the window for as long as it lasts.
        self.charge(min(round(self.limit.charge_rejected * cost), self.capacity), now_ns)

    def level(self, now_ns: int) -> Level:
        """Return what remains, and when the last event leaves the window."""
        room = self.room(now_ns)
        if room == self.capacity:
            return Level(self.limit, room, 0)
        full_ns = self._times[-1] + self._window_ns - self._now_ns
        return Level(self.limit, max(0, room), full_ns)

    def _move(self, now_ns: int) -> None:
        """Move on to `now_ns` and let go of the events that have left the window."""
        self._now_ns = now_ns
        horizon = now_ns - self._window_ns
        times, dead = self._times, self._dead
        while dead < len(times) and times[dead] <= horizon:
            dead += 1
        if dead == self._dead:
            return
        self._expired = self._totals[dead - 1]
        # Compacting once a third is dead moves at most two live events for each dead one, and
        # keeps the two columns below 26 bytes per live event.
        if dead > 64 and 3 * dead > len(times):
            del times[:dead]
            del self._totals[:dead]
            dead = 0
        self._dead = dead


class TokenBucket(Limiter):
    """A bucket that refills without pause at the limit's rate, up to its capacity."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        # A request or token is cut into as many parts as the rate's period has nanoseconds, so
        # that each nanosecond adds a whole number of parts: the rate's amount.
        self._parts = max(1, round(limit.per * NS_PER_S))
        self._gain = limit.amount
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

    def charge(self, cost: int, now_ns: int) -> None:
        """Take `cost` out of the bucket."""
        if now_ns > self._now_ns:
            self._refill(now_ns)
        self._level -= cost * self._parts

    def reject(self, cost: int, now_ns: int) -> None:
        """Take out the charged share of a refused attempt's cost, down to the floor at most."""
        self.charge(round(self.limit.charge_rejected * cost), now_ns)
        self._level = max(self._level, self._floor)

    def level(self, now_ns: int) -> Level:
        """Return the whole units in the bucket, and when it is full."""
        room = self.room(now_ns)
        full_ns = -((self._level - self._full) // self._gain)
        return Level(self.limit, max(0, room), full_ns)

    def _refill(self, now_ns: int) -> None:
        """Move on to `now_ns`."""
        gained = (now_ns - self._now_ns) * self._gain
        self._level = min(self._full, self._level + gained)
        self._now_ns = now_ns


class InFlight(Limiter):
    """A number of attempts that may be served at once; a place comes back when one ends."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        self._running = 0

    def room(self, now_ns: int) -> int:  # noqa: ARG002  (time frees no place)
        """Return the free places."""
        return self.capacity - self._running

    def wait(self, cost: int, now_ns: int) -> int | None:  # noqa: ARG002
        """Return 0, for when an attempt in flight will end is not for a limiter to know."""
        return None if cost > self.capacity else 0

    def charge(self, cost: int, now_ns: int) -> None:  # noqa: ARG002
        """Take a place."""
        self._running += cost

    def reject(self, cost: int, now_ns: int) -> None:
        """Book nothing: a refused attempt is not in flight."""

    def level(self, now_ns: int) -> Level:
        """Return the free places."""
        return Level(self.limit, self.room(now_ns), 0)

    def release(self) -> None:
        """Give back the place of an attempt that has ended."""
        self._running = max(0, self._running - 1)


def limiter_for(limit: Limit) -> Limiter:
    """Return a fresh limiter that enforces `limit`."""
    if limit.kind == "concurrent":
        return InFlight(limit)
    return (TokenBucket if limit.algorithm == "token-bucket" else SlidingWindow)(limit)


def decide(limiters: Sequence[Limiter], costs: Sequence[int], now_ns: int) -> Decision:
    """Charge one attempt to every limiter, or to none if it does not fit all of them.

    Args:
        limiters: The limiters that it must satisfy.
        costs: Its cost against each, 0 or more, in the limit's unit.
        now_ns: The present instant.

    Returns:
        The decision, with the levels after it.
    """
    fitting = math.inf
    refusing = []
    for limiter, cost in zip(limiters, costs, strict=True):
        if cost:
            room = limiter.room(now_ns)
            fitting = min(fitting, room / cost)
            if room < cost:
                refusing.append(limiter)
    for limiter, cost in zip(limiters, costs, strict=True):
        (limiter.reject if refusing else limiter.charge)(cost, now_ns)
    levels = tuple([limiter.level(now_ns) for limiter in limiters])
    if not refusing:
        return Decision(admitted=True, room=fitting, wait_ns=0, violated=(), levels=levels)
    waits = [(each, each.wait(cost, now_ns)) for each, cost in zip(limiters, costs, strict=True)]
    waits.sort(key=lambda row: math.inf if row[1] is None else row[1], reverse=True)
    violated = tuple(limiter.limit for limiter, _ in waits if limiter in refusing)
    return Decision(False, max(fitting, 0.0), waits[0][1], violated, levels)
