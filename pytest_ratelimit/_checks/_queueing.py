"""Queueing: what a limiter of the client's own does to arrivals, whatever the delays were."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from pytest_ratelimit._stats import median

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fake_provider._attempt import Attempt
    from pytest_ratelimit._checks._digest import Retry

_PACED_SHARE = 0.3
_PACED_SMALLER = 0.1
_PACED_TOLERANCE = 0.02
# So many gaps that are equal as far as the clock tells are no chance.
_EXACT_GAPS = 4
# A gap so many times longer than the pace was not the pacing's doing.
_IDLE = 1.1


def paced_gap(attempts: Sequence[Attempt], resolution: float) -> float:
    """Return the gap of which one per token lies between most arrivals, in seconds, or 0.

    Args:
        attempts: Attempts in order of arrival; 13 of three callers at least show a pace.
        resolution: Seconds below which two instants cannot be told apart.
    """
    if len(attempts) < 13 or len({a.caller for a in attempts}) < 3:
        return 0.0
    gaps = sorted(
        (later.arrived_at - sooner.arrived_at) / max(1, later.tokens)
        for sooner, later in itertools.pairwise(attempts)
    )
    tokens = max(1.0, median(a.tokens for a in attempts))
    start = next((i for i, gap in enumerate(gaps) if gap * tokens > 10 * resolution), None)
    if start is None:
        return 0.0
    mode, members = _most_common(gaps, start)
    smaller = bisect_left(gaps, 0.9 * mode)
    if members < _PACED_SHARE * len(gaps) or smaller > _PACED_SMALLER * len(gaps):
        return 0.0
    return mode * tokens


def released(
    attempts: Sequence[Attempt], retries: Sequence[Retry], resolution: float
) -> frozenset[int]:
    """Return the indices of the attempts that came exactly one gap per token after the one before.

    A limiter of the client's own lets them go like that while its line is not empty, even where
    it seldom fills: their delays are the line's as well as their own.

    Args:
        attempts: All attempts, in order of arrival.
        retries: Their retries.
        resolution: Seconds below which two instants cannot be told apart.
    """
    gaps = sorted(
        ((later.arrived_at - sooner.arrived_at) / max(1, later.tokens), later.index)
        for sooner, later in itertools.pairwise(attempts)
        if later.arrived_at - sooner.arrived_at > 10 * resolution
    )
    tokens = max(1.0, median(a.tokens for a in attempts)) if attempts else 1.0
    best: list[int] = []
    low, mode = 0, 0.0
    for high, (gap, _) in enumerate(gaps):
        while gap - gaps[low][0] > resolution / tokens:
            low += 1
        if high - low + 1 > len(best):
            best, mode = [index for _, index in gaps[low : high + 1]], gap
    callers = {attempts[index].caller for index in best}
    if len(best) < _EXACT_GAPS or len(callers) < 3:
        return frozenset()
    if held_up(attempts, retries, mode * tokens, resolution) is not True:
        return frozenset()
    return frozenset(best)


def held_up(
    attempts: Sequence[Attempt], retries: Sequence[Retry], gap_s: float, resolution: float
) -> bool | None:
    """Return True if retries that had the line to themselves waited less than the others.

    Callers that start evenly apart and wait alike look paced, and no queue holds them up: False.
    None if none had it to itself, so that nothing tells.

    Args:
        attempts: All attempts, in order of arrival.
        retries: Their retries.
        gap_s: The gap that seems to lie between sends, for the usual cost.
        resolution: Seconds below which two instants cannot be told apart.
    """
    per_token = gap_s / max(1.0, median(a.tokens for a in attempts))
    alone: dict[int, float] = {}
    others: dict[int, float] = {}
    for retry in retries:
        attempt = retry.attempt
        idle_s = attempt.arrived_at - attempts[attempt.index - 1].arrived_at
        longest = alone if idle_s > _IDLE * per_token * max(1, attempt.tokens) else others
        longest[retry.number] = max(retry.delay, longest.get(retry.number, 0.0))
    told = alone.keys() & others.keys()
    return any(others[n] > alone[n] + 10 * resolution for n in told) if told else None


def _most_common(gaps: list[float], start: int) -> tuple[float, int]:
    """Return the centre of the fullest band of sorted gaps, and how many lie in it."""
    mode, members, low = 0.0, 0, start
    for high in range(start, len(gaps)):
        while gaps[high] > gaps[low] * (1 + 2 * _PACED_TOLERANCE):
            low += 1
        if high - low + 1 >= members:
            members, mode = high - low + 1, gaps[(low + high) // 2]
    return mode, members


def handed_over(attempts: Sequence[Attempt], resolution: float) -> frozenset[int]:
    """Return the indices of attempts that arrived together as at least as many of others ended.

    So does a semaphore let its queue in: what brought those together is that places became free
    at one instant, and not that they had waited alike.

    Args:
        attempts: Attempts in order of arrival.
        resolution: Seconds below which two instants cannot be told apart.
    """
    ended = sorted((a.ended_at, a.arrived_at, a.caller) for a in attempts if a.ended_at is not None)
    ends = [end for end, _, _ in ended]
    found: list[int] = []
    for together in instants(attempts, resolution):
        if len(together) < 2:
            continue
        at, callers = together[0].arrived_at, {attempt.caller for attempt in together}
        low = bisect_left(ends, at - resolution)
        high = bisect_right(ends, together[-1].arrived_at + resolution)
        # Neither an attempt that ended as it arrived made room, nor one of these callers' own.
        freed = sum(
            began < at - resolution and caller not in callers
            for _, began, caller in ended[low:high]
        )
        if freed >= len(together):
            found.extend(attempt.index for attempt in together)
    return frozenset(found)


def instants(attempts: Sequence[Attempt], resolution: float) -> Iterator[list[Attempt]]:
    """Yield the sets of attempts that arrived at one instant.

    Args:
        attempts: Attempts in order of arrival.
        resolution: Seconds below which two instants cannot be told apart.
    """
    together: list[Attempt] = []
    for attempt in attempts:
        if together and attempt.arrived_at - together[0].arrived_at > resolution:
            yield together
            together = []
        together.append(attempt)
    if together:
        yield together
