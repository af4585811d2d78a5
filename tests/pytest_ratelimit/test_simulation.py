"""Simulation: the same trace as through the real SDK, event by event, for far more callers."""

from __future__ import annotations

import time
from typing import Any

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider import FakeProvider, Limits, Refused, ServiceTime, Simulation, Workload
from pytest_ratelimit import assert_no, check
from pytest_ratelimit._demo import broken, repaired
from pytest_ratelimit._demo.replay import LIMITS, replay, replay_in_threads
from pytest_ratelimit.strategies import workloads
from tests.pytest_ratelimit.incident import simulated

COMPARED = ("arrived_at", "ended_at", "status", "reason", "call", "attempt", "layer", "hint")
COMPARED += ("room", "charged", "terminal", "input_tokens", "output_tokens")
SMALL: dict[str, Any] = {"delay": lambda refused: 1.0, "limits": Limits(requests_per_minute=2)}


def rows(trace):
    """What both ways say of each attempt; their callers have other names."""
    return [tuple(getattr(attempt, name) for name in COMPARED) for attempt in trace.attempts]


def test_the_incident_is_the_replay_s_attempt_by_attempt():
    """Without the SDK every attempt arrives, ends and is refused at the same nanosecond."""
    expected = replay_in_threads(broken.run_in_threads, LIMITS)
    run = simulated()
    assert rows(run.trace) == rows(expected.trace)
    assert (len(run), run.refused) == (len(expected.trace.attempts), len(expected.trace.refused))
    assert run.makespan == pytest.approx(expected.trace.makespan)


def test_the_repaired_job_is_the_replay_s_too():
    """Callers that share a budget and draw their delays are simulated likewise."""
    expected = replay_in_threads(repaired.run_in_threads, LIMITS)
    assert rows(simulated(is_repaired=True).trace) == rows(expected.trace)


def test_the_incident_in_asyncio_differs_by_its_order_alone():
    """asyncio wakes tasks of one instant in an order of its own, which moves little."""
    expected, trace = replay(broken.run, LIMITS).trace, simulated().trace
    assert trace.makespan == pytest.approx(expected.makespan, rel=0.05)
    assert len(trace.attempts) == pytest.approx(len(expected.attempts), rel=0.1)
    waves = [[a.status for a in each.attempts if a.arrived_at == 0] for each in (trace, expected)]
    assert sorted(waves[0]) == sorted(waves[1])
    assert waves[0].count(429) == 8


def test_what_is_simulated_is_judged():
    """The checks find in the simulated incident what they find in the replayed one."""
    errors = {f.code for f in check(simulated().trace) if f.severity == "error"}
    assert {"RL101", "RL102", "RL103", "RL106", "RL113", "RL114", "RL202"} <= errors
    fixed = {f.code for f in check(simulated(is_repaired=True).trace) if f.severity == "error"}
    assert fixed == {"RL902"} or not fixed


def ask(client):
    """Wait as told and a second more, six times."""
    for attempt in range(1, 7):
        try:
            return client.with_options(max_retries=0).messages.create(
                model="claude-sonnet-5",
                max_tokens=500,
                messages=[{"role": "user", "content": f"{time.monotonic()}"}],
            )
        except anthropic.RateLimitError as refusal:
            if attempt == 6:
                raise
            time.sleep(float(refusal.response.headers["retry-after"]) + 1.0)
    raise AssertionError


def patient(refused: Refused) -> float | None:
    """What `ask` does."""
    return None if refused.attempt == 6 or refused.hint_s is None else refused.hint_s + 1.0


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(job=workloads(callers=st.integers(1, 5), calls=st.integers(1, 2), starts=("herd",)))
def test_any_herd_is_simulated_as_it_is_driven(job: Workload):
    """Instants, refusals, hints and rooms are those of threads on the SDK."""
    driven = [(a.arrived_at, a.status, a.hint, a.room) for a in job.drive(ask).attempts]
    made = [(a.arrived_at, a.status, a.hint, a.room) for a in job.simulate(patient).trace.attempts]
    assert sorted(made, key=str) == sorted(driven, key=str)


def test_a_call_that_is_given_up_is_lost_and_the_next_one_begins():
    """Without a re-queue a caller goes on, as a worker with a list of questions does."""
    limits = Limits(requests_per_minute=1)
    job = Simulation(delay=lambda refused: None, limits=limits, calls=3, latency=20.0)
    trace = job.run().trace
    assert [(a.arrived_at, a.status, a.call) for a in trace.attempts] == [
        (0.0, 200, 0),
        (20.0, 429, 1),
        (20.0, 429, 2),
    ]


def test_a_cost_that_can_never_fit_is_terminal_and_has_no_hint():
    """A client is told so, as by the provider."""
    told = []
    job = Simulation(delay=told.append, limits=Limits(tokens_per_minute=10), tokens=11)
    (only,) = job.run().trace.attempts
    assert (only.reason, only.terminal, only.hint) == ("too-large", True, None)
    assert [refused.hint_s for refused in told] == [None]


def test_a_refusal_takes_its_time_and_several_limits_decide():
    """The next attempt is sent after the refusal has come, and the limit that refused is named."""
    limits = Limits(requests_per_minute=5) + Limits(tokens_per_minute=10)
    service = ServiceTime(mean=1.0, refusal=0.25)
    job = Simulation(
        delay=lambda refused: 1.0 if refused.attempt == 1 else None,
        limits=limits,
        starts=(0.0, 0.5),
        tokens=6,
        latency=service,
    )
    trace = job.run().trace
    assert [(a.arrived_at, a.ended_at, a.reason) for a in trace.attempts] == [
        (0.0, 1.0, None),
        (0.5, 0.75, "tokens_per_minute"),
        (1.75, 2.0, "tokens_per_minute"),
    ]


def test_a_run_without_an_end_is_stopped():
    """The trace says so."""
    trace = Simulation(**{**SMALL, "calls": 9, "stop_after": 30.0}).run().trace
    assert trace.stopped == "30 virtual seconds are over"
    assert trace.ended_at <= 30.0


def test_the_same_seed_is_the_same_run():
    """Random delays come from the seed alone."""

    def runs(seed):
        delay = lambda refused: refused.random.uniform(0, 9)  # noqa: E731
        job = Simulation(**{**SMALL, "starts": (0.0,) * 6, "delay": delay, "seed": seed})
        return rows(job.run().trace)

    assert runs(1) == runs(1) != runs(2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"delay": 1.0}, "delay must be a function"),
        ({"limits": None}, "limits must be a Limits"),
        ({"limits": Limits(concurrent_requests=1)}, "charged once"),
        ({"limits": Limits(tokens_per_minute=9, charge="reserve")}, "charged once"),
        ({"starts": ()}, "starts must hold"),
        ({"starts": (-1.0,)}, "starts must be"),
        ({"calls": 0}, "calls must be"),
        ({"calls": (1, 2)}, "one for each of 1 starts"),
        ({"tokens": -1}, "tokens must be"),
        ({"latency": -1.0}, "latency must be"),
        ({"stop_after": 0.0}, "stop_after must be"),
    ],
)
def test_what_cannot_be_simulated_is_an_error(changes, says):
    """The message names argument, value and what is allowed."""
    with pytest.raises((TypeError, ValueError), match=says):
        Simulation(**{**SMALL, **changes})


def test_the_provider_s_limiters_decide():
    """Any algorithm that the provider has can be simulated: a minute ends at the minute."""
    limits = Limits(requests_per_minute=1, algorithm="fixed-window")
    job = Simulation(delay=lambda refused: refused.hint_s, limits=limits, calls=2, latency=7.0)
    assert [a.arrived_at for a in job.run().trace.attempts] == [0.0, 7.0, 60.0]
    assert FakeProvider(limits).limits == limits


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_thousand_callers_make_a_million_calls():
    """Whatever is asked for is served in the end, within the limit, in 72 bytes an attempt."""
    job = Workload(callers=100_000, calls=10, limits=Limits(requests_per_minute=20_000))

    def wait(refused: Refused) -> float:
        return refused.random.uniform(0.0, min(1_800.0, 2.0**refused.attempt))

    run = job.simulate(wait)
    assert len(run) - run.refused == 1_000_000
    assert run.makespan > 49 * 60
    assert run._rows.itemsize * len(run._rows) + run._rooms.itemsize * len(run) <= 72 * len(run)


def test_a_thousand_callers_are_judged():
    """The checks take a simulated trace of thousands of attempts."""
    job = Workload(callers=1_000, limits=Limits(requests_per_minute=600))
    lockstep = job.simulate(lambda refused: 5.0).trace
    with pytest.raises(AssertionError, match="RL101"):
        assert_no(lockstep, "RL101")
