"""Limiters: what enforces a limit, told the time, in whole numbers only.

Times are integer nanoseconds on one clock that starts at 0; costs are whole requests or tokens.
A limiter reads no clock. An instant earlier than the last one it saw counts as that last one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_provider._limit import Limit

NS_PER_S = 1_000_000_000


class Level(NamedTuple):
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


# The values of a Level: making one of them takes three times as long as the values alone, and of
# most attempts nobody looks at the levels.
Row = tuple["Limit", int, int]
# What `Level(...)` calls: calling it at once saves a third of the time.
new_tuple = tuple.__new__


class Decision(NamedTuple):
    """What the limits say to one attempt.

    Args:
        admitted: True if the attempt fits every limit and was charged to all of them.
        room: How many attempts of this cost fitted on arrival, the least over the limits: below
            1 if it was refused, 0 if nothing was left, infinite without limits.
        wait_ns: 0 if admitted. Else nanoseconds until this cost fits every limit if nobody else
            comes, the charge for this refusal included; None if it can never fit; 0 if only a
            limit on concurrent requests refused it, whose wait nobody can compute.
        violated: The limits that refused it, longest wait first; empty if admitted.
        rows: The values of every limit's level after the decision, in the order of the limits.
        charged_ns: When it was charged, on the clock of whoever keeps the charges.
    """

    admitted: bool
    room: float
    wait_ns: int | None
    violated: tuple[Limit, ...]
    rows: tuple[Row, ...]
    charged_ns: int

    @property
    def levels(self) -> tuple[Level, ...]:
        """Every limit's level after the decision, in the order of the limits."""
        return tuple([new_tuple(Level, row) for row in self.rows])


class Limiter(ABC):
    """One limit and its state: what has been charged to it, and when.

    Args:
        limit: The limit to enforce.
        zero_wall_ns: What the provider's wall clock says when the limiter's clock is at 0, in
            POSIX nanoseconds.
    """

    def __init__(self, limit: Limit, zero_wall_ns: int = 0) -> None:
        self.limit = limit
        self.capacity = limit.capacity
        self._zero_wall_ns = zero_wall_ns
        self._now_ns = 0

    @abstractmethod
    def room(self, now_ns: int) -> int:
        """Return the units that would be admitted now; below 0 where it is overdrawn."""

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
    def take(self, cost: int, now_ns: int) -> Row | None:
        """Charge `cost` if it fits.

        Args:
            cost: Units, 0 or more. A cost of 0 always fits.
            now_ns: The present instant.

        Returns:
            The values of the level after it; None, and nothing is charged, if it does not fit.
        """

    @abstractmethod
    def put_back(self, cost: int) -> None:
        """Undo the last `take`: another limit refused the attempt at the same instant."""

    @abstractmethod
    def settle(self, change: int, charged_ns: int, now_ns: int) -> None:
        """Correct what an admitted attempt was charged, once its cost is known.

        Args:
            change: Units to charge more, or, below 0, to give back: at most what was charged.
            charged_ns: When the attempt was charged.
            now_ns: The present instant.
        """

    @abstractmethod
    def reject(self, cost: int, now_ns: int) -> None:
        """Book the share of a refused attempt's cost that the limit charges, in whole units."""

    @abstractmethod
    def level(self, now_ns: int) -> Level:
        """Return what remains, and when the limit is fully replenished."""

    def admit(self, cost: int, now_ns: int) -> Decision:
        """Charge an attempt to this limit alone, or refuse it."""
        return decide((self,), (cost,), now_ns)


class InFlight(Limiter):
    """A number of attempts that may be served at once; a place comes back when one ends."""

    def __init__(self, limit: Limit, zero_wall_ns: int = 0) -> None:
        super().__init__(limit, zero_wall_ns)
        self._running = 0

    def room(self, now_ns: int) -> int:  # noqa: ARG002  (time frees no place)
        """Return the free places."""
        return self.capacity - self._running

    def wait(self, cost: int, now_ns: int) -> int | None:  # noqa: ARG002
        """Return 0, for when an attempt in flight will end is not for a limiter to know."""
        return None if cost > self.capacity else 0

    def take(self, cost: int, now_ns: int) -> Row | None:
        """Take a place, if one is free."""
        if cost and cost > self.capacity - self._running:
            return None
        self._running += cost
        return self.level(now_ns)

    def put_back(self, cost: int) -> None:
        """Give back a place that was taken in vain."""
        self._running -= cost

    def settle(self, change: int, charged_ns: int, now_ns: int) -> None:
        """Change nothing: a place costs a place."""

    def reject(self, cost: int, now_ns: int) -> None:
        """Book nothing: a refused attempt is not in flight."""

    def level(self, now_ns: int) -> Level:  # noqa: ARG002
        """Return the free places."""
        return Level(self.limit, self.capacity - self._running, 0)

    def release(self) -> None:
        """Give back the place of an attempt that has ended."""
        self._running = max(0, self._running - 1)


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
    rows: list[Row] = []
    for limiter, cost in zip(limiters, costs, strict=True):
        row = limiter.take(cost, now_ns)
        if row is None:
            for taken, given in zip(limiters[: len(rows)], costs, strict=False):
                taken.put_back(given)
            return _refuse(limiters, costs, now_ns)
        rows.append(row)
        if cost:
            fits = (row[1] + cost) / cost
            if fits < fitting:
                fitting = fits
    return new_tuple(Decision, (True, fitting, 0, (), tuple(rows), now_ns))


def _refuse(limiters: Sequence[Limiter], costs: Sequence[int], now_ns: int) -> Decision:
    """Refuse one attempt, charge it what a refusal costs, and say how long it must wait."""
    priced = list(zip(limiters, costs, strict=True))
    rooms = [limiter.room(now_ns) for limiter in limiters]
    for limiter, cost in priced:
        limiter.reject(cost, now_ns)
    levels = [limiter.level(now_ns) for limiter in limiters]
    waits = [limiter.wait(cost, now_ns) for limiter, cost in priced]
    return refusal(costs, rooms, waits, levels, now_ns)


def refusal(
    costs: Sequence[int],
    rooms: Sequence[int],
    waits: Sequence[int | None],
    levels: Sequence[Level],
    now_ns: int,
) -> Decision:
    """Return the decision on an attempt that does not fit.

    Args:
        costs: Its cost against each limit, 0 or more.
        rooms: What each would have admitted on its arrival, in the limit's unit.
        waits: Nanoseconds until it fits each; None if it never can.
        levels: Each limit's level once the refusal is booked.
        now_ns: When that was.
    """
    asked = list(zip(costs, rooms, waits, levels, strict=True))
    fitting = min([room / cost for cost, room, _, _ in asked if cost])
    longest = sorted(asked, key=lambda row: math.inf if row[2] is None else row[2], reverse=True)
    violated = tuple([level[0] for cost, room, _, level in longest if cost and room < cost])
    return Decision(False, max(fitting, 0.0), longest[0][2], violated, tuple(levels), now_ns)
