"""Ideal: the least time in which a job's calls could have been served."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._costs import costs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fake_provider._attempt import Attempt
    from fake_provider._limits import Limit
    from fake_provider._trace import Trace


class Ideal(NamedTuple):
    """A lower bound for the makespan.

    Args:
        seconds: The bound.
        chain_s: The longest time for which one caller's calls were being served.
        limit: The limit that needs the longest, if there is one.
        limit_s: What it needs to admit all that was served, plus the shortest service time.
        tokens: Tokens that were served.
    """

    seconds: float
    chain_s: float
    limit: Limit | None
    limit_s: float
    tokens: int


def measure_ideal(trace: Trace) -> Ideal | None:
    """Return the least time in which the calls served could have been served; None if none was."""
    served = [attempt for attempt in trace.attempts if attempt.succeeded]
    if not served:
        return None
    chains: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in served:
        chains[attempt.caller].append(attempt)
    chain_s = max(covered_s((a.arrived_at, end_of(a)) for a in own) for own in chains.values())
    needs = [
        (_needed_s(limit, own), limit)
        for limit in trace.limits
        if limit.kind != "count_tokens" and limit.algorithm != "acceleration"
        for own in _pools(limit, served).values()
    ]
    limit_s, limit = max(needs, key=lambda need: need[0], default=(0.0, None))
    tokens = sum(attempt.tokens for attempt in served)
    return Ideal(max(chain_s, limit_s), chain_s, limit, limit_s, tokens)


def _pools(limit: Limit, served: list[Attempt]) -> dict[tuple[str | None, ...], list[Attempt]]:
    """Return the attempts that a limit holds for, by what shares one count of it."""
    pools: dict[tuple[str | None, ...], list[Attempt]] = defaultdict(list)
    for attempt in served:
        if limit.holds_for(attempt.model_class):
            pools[limit.pool(attempt.key, attempt.model_class)].append(attempt)
    return pools


def covered_s(spans: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of spans, in order of their starts, in seconds."""
    total, reached = 0.0, -math.inf
    for start, end in spans:
        if end > reached:
            total += end - max(start, reached)
            reached = end
    return total


def end_of(attempt: Attempt, otherwise: float = 0.0) -> float:
    """Return when an attempt ended, or the instant given if it has not."""
    return otherwise if attempt.ended_at is None else attempt.ended_at


def _needed_s(limit: Limit, served: list[Attempt]) -> float:
    """Return the least time in which a limit admits what one key was served, with its service."""
    services = [end_of(attempt) - attempt.arrived_at for attempt in served]
    if limit.kind == "concurrent":
        return sum(services) / limit.amount
    over = sum(costs(served, limit)) - limit.capacity
    if over <= 0:
        return min(services)
    if limit.refills:
        return over / limit.rate + min(services)
    # A window admits its capacity at its start, and as much again once that has left.
    return math.ceil(over / limit.capacity - 1e-9) * limit.window + min(services)
