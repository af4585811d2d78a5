"""Hypothesis strategies: limits, workloads against them, retry policies, and traces of all three.

They shrink towards the smallest herd: one caller, one call, all at once.
"""

from __future__ import annotations

from hypothesis import strategies as st

from fake_provider import Limits, Trace
from fake_provider._retry_policy import JITTERS, RetryPolicy
from fake_provider._stated import whole_number
from fake_provider._workload import STARTS, Start, Workload

__all__ = [
    "RetryPolicy",
    "Start",
    "Workload",
    "latencies",
    "limits",
    "policies",
    "traces",
    "workloads",
]

_LONGEST_GAP_S = 10
_LATENCIES_S = (0.5, 0.0, 5.0, 60.0)
_LATEST_S, _LONGEST_OUTAGE_S = 60, 120
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
    latency_s: st.SearchStrategy[float] | float = 0.5,
    outages: bool = False,
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
        latency_s: Seconds that the provider takes for an answer, a number or a strategy of numbers
            of at least 0, such as `latencies()`.
        outages: True lets the provider be overloaded for a while in some of them.

    Returns:
        The strategy; it shrinks towards one caller with one call and no outage.
    """
    # What is drawn first shrinks first: a herd shows in one call each rather than in more.
    each = calls if isinstance(calls, int) else draw(calls)
    number = callers if isinstance(callers, int) else draw(callers)
    cost = tokens if isinstance(tokens, int) else draw(tokens)
    start = draw(st.sampled_from(starts))
    gap = 0 if start == "herd" else draw(st.integers(1, _LONGEST_GAP_S))
    if limits is None:
        limits = _limits(tokens=cost)
    outage = draw(st.none() | _outages()) if outages else None
    return Workload(
        callers=number,
        calls=each,
        start=start,
        gap_s=float(gap),
        tokens=cost,
        limits=limits if isinstance(limits, Limits) else draw(limits),
        latency_s=latency_s if isinstance(latency_s, (int, float)) else draw(latency_s),
        outages=() if outage is None else (outage,),
    )


def _outages() -> st.SearchStrategy[tuple[float, float]]:
    """Return a strategy of outages, from when to when."""
    return st.builds(
        lambda began, lasts: (float(began), float(began + lasts)),
        st.integers(0, _LATEST_S),
        st.integers(1, _LONGEST_OUTAGE_S),
    )


def latencies() -> st.SearchStrategy[float]:
    """Return a strategy of service times in seconds, from none to a minute."""
    return st.sampled_from(_LATENCIES_S)


def policies(*, most_attempts: int = 8) -> st.SearchStrategy[RetryPolicy]:
    """Return a strategy of retry policies, good and bad, for `Workload.simulate`.

    Args:
        most_attempts: Most attempts of a call, at least 1.

    Returns:
        The strategy; it shrinks towards one attempt, and a fixed second without jitter.

    Raises:
        TypeError: The argument is no number.
        ValueError: It is out of its range.
    """
    whole_number("most_attempts", most_attempts)
    return st.builds(
        RetryPolicy,
        attempts=st.integers(1, most_attempts),
        jitter=st.sampled_from(JITTERS),
        factor=st.sampled_from((1.0, 2.0, 4.0)),
        base_s=st.sampled_from((1.0, 0.25, 5.0, 20.0)),
        cap_s=st.sampled_from((60.0, 10.0, 300.0)),
        obeys_hint=st.booleans(),
    )


def traces(
    *,
    policies: st.SearchStrategy[RetryPolicy] | None = None,
    workloads: st.SearchStrategy[Workload] | None = None,
) -> st.SearchStrategy[Trace]:
    """Return a strategy of traces, as `check` and the assertions take them.

    Args:
        policies: The retry policies of the clients; None for those of `policies()`.
        workloads: What they ask for; None for those of `workloads()`.

    Returns:
        The strategy; it shrinks towards one attempt.
    """
    return st.builds(
        lambda workload, policy: workload.simulate(policy).trace,
        _workloads() if workloads is None else workloads,
        _policies() if policies is None else policies,
    )


# Arguments above have the same names.
_limits, _policies, _workloads = limits, policies, workloads
