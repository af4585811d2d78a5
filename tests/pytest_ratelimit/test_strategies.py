"""The strategies: workloads that drive a client, and shrink to the smallest herd."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from fake_provider import Limits, Trace
from pytest_ratelimit import check
from pytest_ratelimit._verdict import SEARCHED, Verdict
from pytest_ratelimit.strategies import (
    RetryPolicy,
    Workload,
    latencies,
    limits,
    policies,
    traces,
    workloads,
)

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


def test_an_outage_is_answered_529_from_its_first_to_its_last_instant() -> None:
    """A workload's outages come before its limits."""
    job = Workload(callers=3, start="staggered", gap_s=10.0, outages=((5.0, 15.0),), latency_s=0.0)
    trace = job.drive(lambda client: client.with_options(max_retries=0).messages.create(**QUESTION))
    assert [attempt.status for attempt in trace.attempts] == [200, 529, 200]
    assert trace.attempts[1].reason == "overloaded"


@pytest.mark.parametrize("outages", [((5.0, 5.0),), ((-1.0, 5.0),)])
def test_an_outage_that_ends_before_it_begins_is_named(outages: Any) -> None:
    """So is one that begins before the first call."""
    with pytest.raises(ValueError, match="outages must be a number of seconds"):
        Workload(outages=outages)


def test_an_outage_cannot_be_simulated() -> None:
    """A simulation has limits alone, and says so."""
    with pytest.raises(ValueError, match=r"outages must be \(\) for a simulation"):
        Workload(outages=((1.0, 2.0),)).simulate(lambda refused: None)


def test_searches_reach_outages_and_slow_answers_and_shrink_to_none() -> None:
    """They are drawn where they are asked for, and the simplest example has neither."""
    searched = workloads(outages=True, latency_s=latencies())
    assert find(searched, lambda job: True, settings=QUIET) == find(
        workloads(), lambda job: True, settings=QUIET
    )
    late = find(searched, lambda job: bool(job.outages and job.latency_s > 1), settings=QUIET)
    assert (late.outages, late.latency_s, late.callers) == (((0.0, 1.0),), 5.0, 1)


def test_policies_shrink_to_a_fixed_delay_and_reach_every_kind() -> None:
    """The simplest policy asks once; each jitter, with and without hints, is found."""
    simplest = find(policies(), lambda policy: True, settings=QUIET)
    assert simplest == RetryPolicy(attempts=1, factor=1.0)
    for jitter in ("none", "equal", "full"):
        for obeys in (False, True):
            find(
                policies(),
                lambda policy, wanted=(jitter, obeys): (policy.jitter, policy.obeys_hint) == wanted,
                settings=QUIET,
            )


@settings(QUIET, max_examples=100)
@given(traces())
def test_whatever_is_simulated_can_be_judged(trace: Trace) -> None:
    """Every trace of the strategy is one that the checks take, and none is empty."""
    assert trace.attempts
    check(trace)


def test_a_herd_among_traces_shrinks_to_few_callers() -> None:
    """The smallest herd is one caller that is served and three that wait, with a call each."""

    def is_herd(trace: Trace) -> bool:
        return any(f.code == "RL101" and f.severity == "error" for f in check(trace))

    smallest = find(traces(), is_herd, settings=settings(QUIET, max_examples=2_000))
    assert (len(smallest.callers), len(smallest.calls)) == (4, 4)


def test_types_are_enough_for_hypothesis() -> None:
    """`from_type` knows the values that tests are given, without an import of the strategies."""
    code = """
from hypothesis import find, settings, strategies as st
from fake_provider import Limits, RetryPolicy, Workload
quiet = settings(database=None, derandomize=True)
for kind in (Limits, RetryPolicy, Workload):
    print(find(st.from_type(kind), lambda value: True, settings=quiet))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    limit, policy, job = done.stdout.splitlines()
    assert limit == "<Limits requests_per_minute=1>"
    assert policy.startswith("RetryPolicy(base_s=1.0, factor=1.0")
    assert job.startswith("Workload(callers=1, calls=1")
