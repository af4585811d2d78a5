"""Demand: what attempts ask of a limit, and how long it takes to admit them."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from datetime import datetime
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

from fake_provider._zones import zone
from pytest_ratelimit._checks._costs import cost, costs
from pytest_ratelimit._stats import median

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fake_provider._attempt import Attempt
    from fake_provider._limits import Limit
    from pytest_ratelimit._checks._digest import Digest, Retry


class Peak(NamedTuple):
    """The largest demand among some attempts.

    Args:
        amount: The demand, or its excess, in the limit's unit.
        first: Position of the first attempt of the window that holds it.
        last: Position of its last attempt.
    """

    amount: float
    first: int
    last: int


def window_peak(times: Sequence[float], amounts: Sequence[float], window: float) -> Peak:
    """Return the largest sum of amounts in any window, open at its start, closed at its end.

    Args:
        times: Arrivals in seconds, in order.
        amounts: Their demands, in the limit's unit.
        window: Length of the window, in seconds.
    """
    best = Peak(0.0, 0, -1)
    total, first = 0.0, 0
    for last, (at, amount) in enumerate(zip(times, amounts, strict=True)):
        total += amount
        while times[first] <= at - window:
            total -= amounts[first]
            first += 1
        if total > best.amount:
            best = Peak(total, first, last)
    return best


def window_number(limit: Limit, wall_s: float) -> int:
    """Return the number of the fixed window, or of the calendar's day, in which an instant lies.

    Args:
        limit: A limit of fixed windows or of days.
        wall_s: The instant, in POSIX seconds.
    """
    if limit.algorithm == "fixed-window":
        # The tolerance keeps an arrival at the very start of a window out of the one before.
        return math.floor(wall_s / limit.window + 1e-9)
    return datetime.fromtimestamp(wall_s, zone(limit.timezone)).toordinal()


def numbered_peak(numbers: Sequence[int], amounts: Sequence[float]) -> Peak:
    """Return the largest sum of amounts in any one window of those that follow each other.

    Args:
        numbers: The window of each attempt, never falling.
        amounts: Their demands, in the limit's unit.
    """
    best = Peak(0.0, 0, -1)
    total, first = 0.0, 0
    for last, (number, amount) in enumerate(zip(numbers, amounts, strict=True)):
        if number != numbers[first]:
            total, first = 0.0, last
        total += amount
        if total > best.amount:
            best = Peak(total, first, last)
    return best


def bucket_excess(
    times: Sequence[float], amounts: Sequence[float], rate: float, burst: float
) -> Peak:
    """Return the largest excess of demand over burst + rate x length, on any interval.

    One pass computes it exactly: the level of a bucket that leaks at the rate and never
    overflows is the largest backlog of all intervals that end now.

    Args:
        times: Arrivals in seconds, in order.
        amounts: Their demands, in the limit's unit.
        rate: What the bucket gains, in the unit per second.
        burst: Its capacity, in the unit.
    """
    best = Peak(0.0, 0, -1)
    level, before, first = 0.0, -math.inf, 0
    for last, (at, amount) in enumerate(zip(times, amounts, strict=True)):
        level -= (at - before) * rate
        if level <= 0:
            level, first = 0.0, last
        level += amount
        before = at
        if level - burst > best.amount:
            best = Peak(level - burst, first, last)
    return best


def in_flight_peak(
    attempts: Iterable[Attempt],
    ended_at: float,
    each: Callable[[Attempt], int] = lambda attempt: attempt.tokens,
) -> Peak:
    """Return the largest amount in flight at one instant.

    Args:
        attempts: The attempts, in order of arrival.
        ended_at: When the trace was read, in seconds: the end of those still being served.
        each: What one attempt holds while it is in flight; its tokens.
    """
    events: list[tuple[float, int, int, int]] = []
    for attempt in attempts:
        end = ended_at if attempt.ended_at is None else attempt.ended_at
        if end > attempt.arrived_at:
            held = each(attempt)
            events.append((attempt.arrived_at, 1, attempt.index, held))
            events.append((end, 0, attempt.index, -held))
    best, total = Peak(0.0, 0, -1), 0
    for _, _, index, held in sorted(events):
        total += held
        if total > best.amount:
            best = Peak(total, index, index)
    return best


def drain_s(limit: Limit, attempts: int, each: float, room: float) -> float:
    """Return the seconds over which a limit admits attempts that arrive together.

    Args:
        limit: The limit that binds.
        attempts: How many attempts there are.
        each: The cost of each, in the limit's unit.
        room: How many of them fit at once.

    Returns:
        For a token bucket the time in which it regains what is missing. A sliding window admits
        a whole window's worth at one instant, so only further windows take time.
    """
    if each <= 0 or not math.isfinite(limit.rate):
        return 0.0
    if limit.refills:
        return max(0.0, attempts - max(0.0, room)) * each / limit.rate
    per_window = max(1, int(limit.capacity // each))
    return (attempts - 1) // per_window * limit.window


class Binding(NamedTuple):
    """The limit that refused some retries, the cost of each, and how many fitted."""

    limit: Limit
    each: float
    room: float


def binding(digest: Digest, retries: Sequence[Retry]) -> Binding | None:
    """Return what refused some retries; None if it was no limit."""
    refused = (digest.limit_of(retry.attempt) for retry in retries)
    limit = next((limit for limit in refused if limit is not None), None)
    if limit is None:
        return None
    each = median(costs([retry.attempt for retry in retries], limit))
    return Binding(limit, each, retries[0].attempt.room or 0.0)


class Charges:
    """What one limit had charged at any time, read from the attempts of one key and model class.

    Args:
        limit: The limit.
        attempts: Attempts on the same key and model class, in order of arrival.
    """

    def __init__(self, limit: Limit, attempts: Sequence[Attempt]) -> None:
        self._limit = limit
        self._times = [attempt.arrived_at for attempt in attempts]
        self._indices = [attempt.index for attempt in attempts]
        shares = (attempt.charged for attempt in attempts)
        amounts = map(mul, costs(attempts, limit), shares)
        self._sums = list(accumulate(amounts, initial=0.0))

    def waits_s(self, refused: Attempt) -> float | None:
        """Return how long a refused attempt's cost would have had to wait if nobody else came.

        Args:
            refused: One of the attempts, refused by this limit.

        Returns:
            Seconds from its arrival; None if it can never fit, or if nothing tells.
        """
        limit, each = self._limit, cost(refused, self._limit)
        if each > limit.capacity or refused.room is None:
            return None
        if limit.refills:
            return max(0.0, 1 - refused.room) * each / limit.rate
        if limit.algorithm != "sliding-window":
            return None  # when a window began, and what it allows, is not in the trace
        now = bisect_left(self._indices, refused.index)
        oldest = bisect_right(self._times, refused.arrived_at - limit.window, hi=now)
        missing = self._sums[now] - self._sums[oldest] + each - limit.capacity
        # The first charge to leave with which enough has left.
        last = bisect_left(self._sums, self._sums[oldest] + missing, lo=oldest + 1, hi=now + 1) - 1
        if missing <= 0 or last >= now:
            return None
        return self._times[last] + limit.window - refused.arrived_at
