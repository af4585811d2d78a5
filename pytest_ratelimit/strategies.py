"""Hypothesis strategies: limits, and workloads against them.

They shrink towards the smallest herd: one caller, one call, all at once.
"""

from __future__ import annotations

from hypothesis import strategies as st

from fake_provider import Limits
from fake_provider._stated import whole_number
from fake_provider._workload import STARTS, Start, Workload

__all__ = ["Start", "Workload", "limits", "workloads"]

_LONGEST_GAP_S = 10
_TOKENS = 1_000


def limits(*, tokens: int = _TOKENS, most_calls: int = 30) -> st.SearchStrategy[Limits]:
    """Return a strategy of limits that admit one call of this cost at least.

    Each is a limit on tokens or on requests, in a sliding window or a token bucket.

    Args:
        tokens: Tokens that a call costs, at least 1.
        most_calls: Most calls that a minute admits, at least 1.

    Returns:
        The strategy; it shrinks towards one call a minute.

    Raises:
        TypeError: An argument is no number.
        ValueError: An argument is out of its range.
    """
    whole_number("tokens", tokens)
    whole_number("most_calls", most_calls)
    calls = st.integers(1, most_calls)
    return st.one_of(
        calls.map(lambda number: Limits(requests_per_minute=number)),
        calls.map(lambda number: Limits(tokens_per_minute=number * tokens)),
        st.builds(
            lambda number, burst: Limits(
                tokens_per_minute=number * tokens,
                algorithm="token-bucket",
                burst=min(burst, number) * tokens,
            ),
            calls,
            calls,
        ),
    )


@st.composite
def workloads(
    draw: st.DrawFn,
    *,
    callers: st.SearchStrategy[int] | int = st.integers(1, 12),  # noqa: B008 - never changed
    calls: st.SearchStrategy[int] | int = st.integers(1, 3),  # noqa: B008
    starts: tuple[Start, ...] = STARTS,
    tokens: st.SearchStrategy[int] | int = st.integers(1, 50).map(lambda n: n * 1_000),  # noqa: B008
    limits: st.SearchStrategy[Limits] | Limits | None = None,
) -> Workload:
    """Return a strategy of workloads.

    Args:
        draw: Given by Hypothesis.
        callers: How many callers, a number or a strategy of numbers of at least 1.
        calls: How many calls each makes, a number or a strategy of numbers of at least 1.
        starts: The patterns in which callers may begin, simplest first.
        tokens: What a call costs, a number or a strategy of numbers of at least 1.
        limits: The limits, or a strategy of them; None for those of `limits()` that admit one call
            at least.

    Returns:
        The strategy; it shrinks towards one caller with one call.
    """
    # What is drawn first shrinks first: a herd shows in one call each rather than in more.
    each = calls if isinstance(calls, int) else draw(calls)
    number = callers if isinstance(callers, int) else draw(callers)
    cost = tokens if isinstance(tokens, int) else draw(tokens)
    start = draw(st.sampled_from(starts))
    gap = 0 if start == "herd" else draw(st.integers(1, _LONGEST_GAP_S))
    if limits is None:
        limits = _limits(tokens=cost)
    return Workload(
        callers=number,
        calls=each,
        start=start,
        gap_s=float(gap),
        tokens=cost,
        limits=limits if isinstance(limits, Limits) else draw(limits),
    )


# The argument of `workloads` has the same name.
_limits = limits
