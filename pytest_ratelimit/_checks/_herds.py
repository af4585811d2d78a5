"""Herds: callers that failed together, and whether their jitter is enough for the limit (RL101)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._demand import binding, drain_s
from pytest_ratelimit._checks._schedule import explain
from pytest_ratelimit._checks._text import many, seconds
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_provider._limits import Limit
    from pytest_ratelimit._checks._digest import Digest, Retry

# Callers whose calls were refused this close together, in seconds, belong to one herd.
_TOGETHER_S = 0.05


def judge_herds(digest: Digest) -> Finding | None:
    """Return the warning about a herd that stayed narrower than its limit needs, if there is one.

    Args:
        digest: The trace's digest.
    """
    narrow = next(_narrow_herds(digest), None)
    return None if narrow is None else _narrow_finding(digest, narrow)


class _Herd(NamedTuple):
    """Callers that failed together and never spread as wide as the limit needs.

    Args:
        retries: Their retries, in order of arrival.
        rounds: How many rounds of retries stayed narrow.
        widest_s: Their widest spread, in seconds.
        needed_s: What the limit needed for that round, in seconds.
        limit: The limit.
        callers: How many callers there were.
    """

    retries: tuple[Retry, ...]
    rounds: int
    widest_s: float
    needed_s: float
    limit: Limit
    callers: int


def _narrow_herds(digest: Digest) -> Iterator[_Herd]:
    """Yield the herds that stayed narrower than the limit needs, in every round."""
    by_call: dict[int, list[Retry]] = defaultdict(list)
    for retry in digest.certain:
        by_call[retry.attempt.call].append(retry)
    for together in failed_together(digest):
        rounds: dict[int, list[Retry]] = defaultdict(list)
        for first in together:
            for retry in by_call[first.attempt.call]:
                rounds[retry.number].append(retry)
        herd = _narrow(digest, rounds)
        if herd is not None:
            yield herd


def failed_together(digest: Digest) -> Iterator[list[Retry]]:
    """Yield the first retries of calls that were refused together, where callers are enough."""
    first = sorted(
        (r for r in digest.certain if r.number == 1 and r.before.refused),
        key=lambda r: r.failed_at,
    )
    herd: list[Retry] = []
    for retry in (*first, None):
        if retry is not None and (not herd or retry.failed_at - herd[-1].failed_at <= _TOGETHER_S):
            herd.append(retry)
            continue
        if len({r.attempt.caller for r in herd}) >= digest.policy.min_callers:
            yield herd
        herd = [] if retry is None else [retry]


def _narrow(digest: Digest, rounds: dict[int, list[Retry]]) -> _Herd | None:
    """Return the herd if every round of it was narrow, and more than one was refused."""
    widest: _Herd | None = None
    for number in sorted(rounds):
        members = sorted(rounds[number], key=lambda r: r.attempt.index)
        callers = len({retry.attempt.caller for retry in members})
        if callers < digest.policy.min_callers:
            break
        bound = binding(digest, members)
        if bound is None:
            return None
        spread = members[-1].attempt.arrived_at - members[0].attempt.arrived_at
        # The spread of n draws is (n - 1) / (n + 1) of what they are drawn from, on average.
        drawn_from = spread * (len(members) + 1) / (len(members) - 1)
        needed = drain_s(bound.limit, len(members), bound.each, bound.room)
        if drawn_from >= needed:
            return None
        if widest is None or spread > widest.widest_s:
            widest = _Herd((), number, spread, needed, bound.limit, callers)
        widest = widest._replace(retries=(*widest.retries, *members), rounds=number)
    return widest if widest is not None and widest.rounds > 1 else None


def _narrow_finding(digest: Digest, herd: _Herd) -> Finding:
    """Return the warning about jitter that is there and not enough for this limit."""
    first = herd.retries[0]
    explanation = explain(digest, first.path, first.delay, 2 * herd.needed_s, shared=False)
    return Finding(
        code="RL101",
        severity="warning",
        summary=f"retries of {many(herd.callers, 'caller')} stayed within "
        f"{seconds(herd.widest_s)} in each of {many(herd.rounds, 'round')}, and the limit needs "
        f"{seconds(herd.needed_s)} to admit them",
        evidence=(
            f"The limit is {herd.limit.name}; some of them were refused again in every round.",
            "Narrow: the delays carry jitter, but less than this limit needs.",
        ),
        cause="the jitter is measured by the delay, not by the time in which the limit admits "
        "so many attempts.",
        remedy=explanation.remedy,
        attempts=tuple(sorted(retry.attempt.index for retry in herd.retries)),
    )
