"""The strategies: workloads that drive a client, and shrink to the smallest herd."""

from __future__ import annotations

import asyncio
import random
import re
import time
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from fake_provider import Limits
from pytest_ratelimit import check
from pytest_ratelimit._verdict import SEARCHED, Verdict
from pytest_ratelimit.strategies import Workload, limits, workloads

anthropic = pytest.importorskip("anthropic")

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "What changed?"}],
}
QUIET = settings(deadline=None, database=None, derandomize=True)


def lockstep(client: anthropic.Anthropic) -> None:
    """Waits one second after every refusal, five times."""
    for _ in range(5):
        try:
            client.with_options(max_retries=0).messages.create(**QUESTION)
            return
        except anthropic.RateLimitError:
            time.sleep(1.0)


async def patient(client: anthropic.AsyncAnthropic) -> None:
    """Waits for the hint, and up to ten seconds more."""
    for _ in range(40):
        try:
            await client.with_options(max_retries=0).messages.create(**QUESTION)
            return
        except anthropic.RateLimitError as refusal:
            hint = float(refusal.response.headers["retry-after"])
            await asyncio.sleep(hint + random.uniform(0, 10.0))


@pytest.mark.parametrize("work", [lockstep, patient])
def test_a_workload_makes_its_calls(work: Any) -> None:
    """So many callers make so many calls one after the other, in threads and in tasks."""
    job = Workload(callers=3, calls=2, start="staggered", gap_s=4.0, tokens=500)
    trace = job.drive(work)
    assert [len([c for c in trace.calls if c.caller == f"caller-{n}"]) for n in range(3)] == [2] * 3
    assert {attempt.tokens for attempt in trace.attempts} == {500}
    firsts = {c.caller: c.attempts[0].arrived_at for c in reversed(trace.calls)}
    assert [round(firsts[f"caller-{n}"]) for n in range(3)] == [0, 4, 8]


@pytest.mark.parametrize(
    ("start", "starts_s"),
    [("herd", (0.0,) * 5), ("staggered", (0.0, 2.0, 4.0, 6.0, 8.0)), ("waves", (0, 0, 0, 2, 2))],
)
def test_the_patterns_of_starts(start: Any, starts_s: tuple[float, ...]) -> None:
    """A herd begins at once, the others are a gap apart: each caller, or the second half."""
    assert Workload(callers=5, start=start, gap_s=2.0).starts_s == starts_s


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"callers": 0}, "callers must be a whole number, at least 1, got 0"),
        ({"calls": 0}, "calls must be a whole number, at least 1, got 0"),
        ({"gap_s": -1.0}, "gap_s must be a number of seconds, at least 0, got -1.0"),
        ({"start": "rush"}, "start must be one of herd, staggered, waves, got 'rush'"),
    ],
)
def test_a_workload_out_of_its_range(argument: dict[str, Any], message: str) -> None:
    """A wrong argument is named with its value and what is allowed."""
    with pytest.raises(ValueError, match=re.escape(message)):
        Workload(**argument)


@settings(QUIET, max_examples=200)
@given(job=workloads())
def test_every_workload_can_be_served(job: Workload) -> None:
    """The limits admit one call of the cost at least."""
    assert 1 <= job.callers <= 12
    for limit in job.limits:
        assert limit.capacity >= (job.tokens if limit.unit == "tokens" else 1)


def test_the_smallest_workload() -> None:
    """Workloads shrink towards one caller that makes one call, limits towards one a minute."""
    smallest = find(workloads(), lambda _: True, settings=QUIET)
    assert (smallest.callers, smallest.calls, smallest.start) == (1, 1, "herd")
    assert find(limits(), lambda _: True, settings=QUIET) == Limits(requests_per_minute=1)


def test_a_planted_lockstep_shrinks_to_the_smallest_herd() -> None:
    """A workload that shows missing jitter shrinks to three callers with one call each."""

    def shows(job: Workload) -> bool:
        return any(f.code == "RL102" for f in check(job.drive(lockstep)))

    smallest = find(workloads(), shows, settings=settings(QUIET, max_examples=50))
    assert smallest.callers <= 3
    assert (smallest.calls, smallest.start) == (1, "herd")


@settings(QUIET, max_examples=5)
@given(job=workloads(callers=12, calls=1, starts=("herd",)))
def test_health_checks_are_clean(job: Workload) -> None:
    """Twelve agents on the real SDK are an example like any other."""
    trace = job.drive(patient)
    assert len(trace.callers) == 12


def test_a_searched_for_example_is_judged_a_thousand_times_stricter() -> None:
    """Inside `@given` an assertion's alpha is divided, and outside it is not."""
    trace = Workload(callers=4, limits=Limits(requests_per_minute=1)).drive(lockstep)
    levels = []

    @settings(QUIET, max_examples=1, phases=[Phase.generate])
    @given(st.none())
    def example(_: None) -> None:
        levels.append(Verdict(trace).alpha)

    example()
    assert levels == [1e-5 / SEARCHED]
    assert Verdict(trace).alpha == 1e-5
