"""Budgets (RL201, RL203): was more asked for than the limit or the budget allows?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._costs import cost, costs
from pytest_ratelimit._checks._demand import (
    bucket_excess,
    in_flight_peak,
    numbered_peak,
    window_number,
    window_peak,
)
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import amount, instant, many, names, seconds
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from fake_provider._attempt import Attempt
    from fake_provider._limits import Limit
    from pytest_ratelimit._checks._digest import Digest

_NOT_WINDOWED = ("concurrent", "count_tokens")
_SIZED = ("tokens", "input_tokens", "output_tokens")


class Overrun(NamedTuple):
    """Demand above a limit.

    Args:
        limit: The limit.
        demand: The demand in the window, in the limit's unit.
        allowed: What the limit admits in that window.
        attempts: The attempts of the window.
    """

    limit: Limit
    demand: float
    allowed: float
    attempts: list[Attempt]


def judge_overrun(digest: Digest, unguided: AbstractSet[int]) -> Judgement:
    """Return the judgement on RL201.

    Args:
        digest: The trace's digest.
        unguided: Indices of refused retries that had neither waited for the hint nor for long
            enough to spread.
    """
    policy = digest.policy
    limits = windowed(digest)
    if not limits and not policy.states_budget:
        return Judgement.unjudged("no limit was enforced, and no budget is stated")
    worst = max(_overruns(digest, limits), key=lambda o: o.demand / o.allowed, default=None)
    stated = []
    if policy.budget_tokens is not None:
        stated.append(_stated_finding(digest, policy.budget_tokens))
    if policy.budget_in_flight is not None:
        stated.append(_in_flight_finding(digest, policy.budget_in_flight))
    again = bool(unguided & {a.index for a in digest.limited})
    severe = again or policy.states_budget
    return Judgement.of(*stated, None if worst is None else _overrun_finding(worst, severe=severe))


def windowed(digest: Digest) -> list[Limit]:
    """Return the limits that hold for a window of time."""
    return [limit for limit in digest.trace.limits if limit.kind not in _NOT_WINDOWED]


def _overruns(digest: Digest, limits: list[Limit]) -> Iterator[Overrun]:
    """Yield the worst window of each limit that was overrun."""
    for limit in limits:
        for attempts in digest.demands(limit):
            times = [attempt.arrived_at for attempt in attempts]
            amounts = costs(attempts, limit)
            if limit.refills:
                peak = bucket_excess(times, amounts, limit.rate, limit.capacity)
                members = attempts[peak.first : peak.last + 1]
                demand = float(sum(amounts[peak.first : peak.last + 1]))
                allowed = demand - peak.amount
            elif limit.follows_the_date:
                zero_s = digest.trace.started_at
                peak = numbered_peak([window_number(limit, zero_s + at) for at in times], amounts)
                members = attempts[peak.first : peak.last + 1]
                demand, allowed = peak.amount, float(limit.capacity)
            elif limit.algorithm == "acceleration":
                continue  # what it allows depends on what it admitted before
            else:
                peak = window_peak(times, amounts, limit.window)
                members = attempts[peak.first : peak.last + 1]
                demand, allowed = peak.amount, float(limit.capacity)
            if members and demand > allowed:
                yield Overrun(limit, demand, allowed, members)


def _window_remedy(limit: Limit, largest: int) -> str:
    """Return how callers keep to a limit on a window, of which one call costs so much at most."""
    # Burst and refill of a bucket both fall into one window: together they must fit.
    burst = int(limit.capacity) // 2
    unit = limit.unit.removesuffix("s")
    if largest > burst:
        return (
            f"let one call go at a time, {seconds(limit.window)} after the one before, whichever "
            f"caller makes it: the limit has no room for two of {many(largest, unit)}."
        )
    return (
        f"share one bucket of {many(burst, unit)} at once and "
        f"{amount(int(limit.capacity) - burst)} per {seconds(limit.window)} between all callers: a "
        "full burst and a window's refill both fall into one window."
    )


def _overrun_finding(overrun: Overrun, *, severe: bool) -> Finding:
    """Return the finding about the worst window."""
    limit, attempts = overrun.limit, overrun.attempts
    first, last = attempts[0].arrived_at, attempts[-1].arrived_at
    refused = [a for a in attempts if a.refused]
    retries = sum(a.is_retry for a in attempts)
    excess = overrun.demand - overrun.allowed
    span = f"in {seconds(last - first)}" if last > first else "at one instant"
    if limit.refills:
        rule = (
            f"Its bucket admits {amount(limit.capacity)} at once and {amount(limit.rate)} a "
            f"second: {amount(overrun.allowed)} in {seconds(last - first)}."
        )
        remedy = f"share one bucket of {amount(limit.rate * 0.9)} {limit.unit} a second"
        remedy += f" and {amount(limit.capacity)} at once between all callers."
    else:
        each = "each" if limit.follows_the_date else "any"
        rule = f"It admits {amount(limit.capacity)} in {each} {seconds(limit.window)}."
        span = f"within {seconds(limit.window)}"
        remedy = _window_remedy(limit, max(cost(attempt, limit) for attempt in attempts))
    return Finding(
        code="RL201",
        severity="error" if severe else "warning",
        summary=f"{amount(overrun.demand)} {limit.unit} demanded {span}, {amount(excess)} more "
        f"than {limit.name} admits",
        evidence=(
            (
                f"From {instant(first)} to {instant(last)}: {many(len(attempts), 'attempt')}, "
                f"{retries:,} of them retries, {len(refused):,} refused."
            ),
            rule,
        ),
        cause="callers do not know what the others have sent: no budget is shared.",
        remedy=remedy,
        attempts=tuple(attempt.index for attempt in attempts),
    )


def _stated_finding(digest: Digest, budget: float) -> Finding | None:
    """Return the finding about the stated token budget, if it was overrun."""
    attempts = digest.trace.attempts
    per = digest.policy.budget_per_s
    peak = window_peak([a.arrived_at for a in attempts], [a.tokens for a in attempts], per)
    if peak.amount <= budget:
        return None
    members = attempts[peak.first : peak.last + 1]
    return Finding(
        code="RL201",
        severity="error",
        summary=f"{many(round(peak.amount), 'token')} demanded in {seconds(per)}, "
        f"{amount(peak.amount - budget)} more than the stated budget of {amount(budget)}",
        evidence=(
            (
                f"From {instant(members[0].arrived_at)} to {instant(members[-1].arrived_at)}: "
                f"{many(len(members), 'attempt')}."
            ),
        ),
        cause="attempts are sent without taking their cost from the budget first.",
        remedy="take each attempt's cost, retries too, from one budget shared by all callers.",
        attempts=tuple(attempt.index for attempt in members),
    )


def _in_flight_finding(digest: Digest, budget: float) -> Finding | None:
    """Return the finding about the stated budget of tokens in flight, if it was overrun."""
    trace = digest.trace
    peak = in_flight_peak(trace.attempts, trace.ended_at)
    if peak.amount <= budget:
        return None
    at = next(a.arrived_at for a in trace.attempts if a.index == peak.first)
    flying = [
        a
        for a in trace.attempts
        if a.arrived_at <= at and (a.ended_at is None or a.ended_at > at) and a.index <= peak.first
    ]
    return Finding(
        code="RL201",
        severity="error",
        summary=f"{many(round(peak.amount), 'token')} in flight, "
        f"{amount(peak.amount - budget)} more than the stated budget of {amount(budget)}",
        evidence=(f"At {instant(at)}, with {many(len(flying), 'attempt')} being served.",),
        cause="attempts are sent without waiting for others to end.",
        remedy=f"hold a semaphore of tokens, {amount(budget)} in all, while a request is served.",
        attempts=tuple(attempt.index for attempt in flying),
    )


def judge_oversize(digest: Digest) -> Judgement:
    """Return the judgement on RL203."""
    limits = [limit for limit in digest.trace.limits if limit.kind in _SIZED]
    if not limits:
        return Judgement.unjudged("no limit on tokens was enforced")
    attempts = digest.trace.attempts
    over = [
        (attempt, limit)
        for limit in limits
        for attempt, each in zip(attempts, costs(attempts, limit), strict=True)
        if each > limit.capacity and not attempt.succeeded
    ]
    if not over:
        return Judgement.of()
    worst, limit = max(over, key=lambda row: cost(*row) / row[1].capacity)
    indices = sorted({attempt.index for attempt, _ in over})
    callers = list(dict.fromkeys(attempt.caller for attempt, _ in over))
    return Judgement.of(
        Finding(
            code="RL203",
            severity="error",
            summary=f"{many(len(indices), 'attempt')} can never be admitted: "
            f"{amount(cost(worst, limit))} {limit.unit} against {limit.name}, which admits "
            f"{amount(limit.capacity)} at once",
            evidence=(f"Callers: {names(callers)}.",),
            cause="one request costs more than a whole window of the limit.",
            remedy=f"split the request, or lower max_tokens, to at most {amount(limit.capacity)} "
            f"{limit.unit}.",
            attempts=tuple(indices),
        )
    )
