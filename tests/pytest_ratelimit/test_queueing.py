"""Queueing: what a limiter of the client's own does to arrivals is not taken for lockstep."""

from __future__ import annotations

import random

import pytest

from fake_provider._attempt import Attempt
from fake_provider._limits import Limit
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Policy, judge
from pytest_ratelimit._checks._digest import Digest
from pytest_ratelimit._checks._queueing import handed_over, instants
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import SMALL, TEN_SECONDS, cold_start
from tests.pytest_ratelimit.simulation import refusal, trace_of

SERVICE_S = 0.2


def gated(seed: int, *, places: int = 4, callers: int = 12, fixed_s: float | None = None) -> Trace:
    """Callers that take one of a few places for each attempt, and are refused six times.

    The delay is spent outside the queue: full jitter, or the same for everybody.
    """
    rng = random.Random(seed)
    ready = [(0.0, caller) for caller in range(callers)]
    free = [0.0] * places
    counts = [0] * callers
    made: list[Attempt] = []
    while ready:
        ready.sort()
        free.sort()
        asked_at, caller = ready.pop(0)
        at = max(asked_at, free[0])
        free[0] = at + SERVICE_S
        own = {"caller": f"c{caller}", "call": caller, "unit": f"u{caller}"}
        made.append(refusal(**own, arrived_at=at, ended_at=at + SERVICE_S))
        counts[caller] += 1
        if counts[caller] <= 6:
            delay = rng.uniform(0, 2.0 ** counts[caller]) if fixed_s is None else fixed_s
            ready.append((at + SERVICE_S + delay, caller))
    return trace_of(*made)


@pytest.mark.parametrize("seed", range(60))
def test_a_semaphore_lets_its_queue_in_together(seed: int) -> None:
    """Full jitter behind a semaphore is no herd, although places become free at one instant."""
    for places in (3, 4, 6):
        assert judge(gated(seed, places=places))["RL101"].verdict in ("ok", "note"), places


def test_a_semaphore_does_not_hide_a_fixed_delay() -> None:
    """Callers that failed together and wait alike come back together, and find the places free."""
    for places in (3, 4, 6, 12):
        assert judge(gated(0, places=places, fixed_s=2.0))["RL101"].verdict == "FLAG", places


def test_what_makes_room_is_another_caller_s_earlier_attempt() -> None:
    """Attempts that end as they arrive, or of the same callers, free no place."""

    def one(caller: int, at: float, ends: float) -> Attempt:
        own = {"caller": f"c{caller}", "call": caller, "unit": f"u{caller}"}
        return refusal(**own, arrived_at=at, ended_at=ends)

    others = [one(caller, 0.0, 1.0) for caller in (1, 2, 3)]
    new = [one(caller, 1.0, 1.0) for caller in (4, 5, 6)]
    assert handed_over(trace_of(*others, *new).attempts, 1e-6) == {3, 4, 5}
    assert handed_over(trace_of(*others[:2], *new).attempts, 1e-6) == frozenset()
    assert handed_over(trace_of(*new).attempts, 1e-6) == frozenset()
    own = [one(caller, 1.0, 1.0) for caller in (1, 2, 3)]
    assert handed_over(trace_of(*others, *own).attempts, 1e-6) == frozenset()
    assert handed_over(trace_of(others[0], new[0]).attempts, 1e-6) == frozenset()


def test_instants_hold_what_cannot_be_told_apart() -> None:
    """Arrivals belong to one instant as far as the clock tells them apart."""
    trace = trace_of(*(refusal(arrived_at=at) for at in (0.0, 0.5e-6, 1.4e-6, 2.0)))
    sizes = [len(together) for together in instants(trace.attempts, 1e-6)]
    assert sizes == [2, 1, 1]
    assert list(instants((), 1e-6)) == []


@pytest.mark.parametrize("apart_s", [0.25, 0.5, 2.0])
def test_even_starts_with_a_fixed_delay_are_not_paced(apart_s: float) -> None:
    """Callers that start evenly apart and wait alike look paced, but nothing is queued."""
    made = []
    for i in range(12):
        at = apart_s * i
        for _ in range(5):
            fields = {"caller": f"a{i}", "call": i, "unit": f"u{i}"}
            made.append(refusal(**fields, arrived_at=at, ended_at=at))
            at += 12 * apart_s + 0.7
    digest = Digest(trace_of(*made), Policy())
    assert digest.pace == 0.0
    judged = judge(trace_of(*made))
    assert judged["RL102"].verdict == "note"
    assert judged["RL106"].verdict == "FLAG"


# Faster than what it stands in front of: it holds callers up for a part of the time.
LINE = Limit(kind="tokens", amount=5_000_000, algorithm="token-bucket", burst=200_000)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("limit", [SMALL, TEN_SECONDS], ids=["bucket", "window"])
def test_a_line_that_seldom_fills_is_not_taken_for_missing_jitter(seed: int, limit: Limit) -> None:
    """What a bucket of the client's own let go one by one says nothing of the delays."""
    for delay in (delays.full_jitter(), delays.equal_jitter(), delays.plus_uniform()):
        judged = judge(cold_start(delay, seed=seed, limit=limit, pacer=LINE))
        assert judged["RL102"].verdict in ("ok", "n/a")
        assert judged["RL104"].verdict in ("ok", "n/a")


@pytest.mark.parametrize("pacer", [None, LINE], ids=["at once", "in a line"])
def test_a_line_does_not_hide_a_fixed_delay(pacer: Limit | None) -> None:
    """A fixed delay is seen in those that the line did not hold up."""
    judged = judge(cold_start(delays.fixed(3.0), seed=1, over=30.0, pacer=pacer))
    assert judged["RL102"].verdict in ("note", "FLAG")
