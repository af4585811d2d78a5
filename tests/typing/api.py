"""Code that uses the public API as documented: checked by mypy, never run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, assert_type

import pytest
from hypothesis import given
from hypothesis.strategies import SearchStrategy

from fake_provider import (
    Arrival,
    Attempt,
    AttemptLimit,
    Call,
    FakeProvider,
    Fault,
    HintStyle,
    Limit,
    Limits,
    ProviderError,
    ServiceTime,
    Trace,
    TraceError,
    UnansweredRequest,
    caller,
)
from fake_provider.virtual_time import RealClock, VirtualClock, VirtualTimeLimit, active
from pytest_ratelimit import (
    Finding,
    FindingsError,
    Policy,
    assert_all_calls_succeed,
    assert_attempts_bounded,
    assert_exercised,
    assert_finishes_within,
    assert_jittered,
    assert_no,
    assert_retries_spread,
    assert_retry_after_respected,
    assert_well_behaved,
    assert_within_budget,
    check,
    herd_probe,
    outage_probe,
    policy_probe,
    reset_probe,
)
from pytest_ratelimit.strategies import RetryPolicy, Workload, limits, policies, traces, workloads


def tokens(body: Mapping[str, Any]) -> int:
    return len(body)


def script(arrival: Arrival) -> Fault | None:
    assert_type(arrival.body, Mapping[str, Any])
    return Fault(status=529, headers={"retry-after": "5"}) if arrival.attempt == 1 else None


def provider() -> FakeProvider:
    return FakeProvider(
        Limits(requests_per_minute=5) + Limits.preset("anthropic-build"),
        tokens_per_minute=4_000_000,
        algorithm="token-bucket",
        burst=200_000,
        floor=-200_000,
        tokens_per_request=tokens,
        output_tokens=50,
        latency=ServiceTime(mean=2.0, cv=0.5, first_token=0.5, tokens_per_second=80.0),
        hint=HintStyle(form="date", pad_s=1.0),
        hosts={"llm-gateway.corp": "openai"},
        allow_hosts=["example.com"],
        schedule="random",
        clock="virtual",
        start="2026-01-01T00:00:00Z",
        stop_after=3_600.0,
    )


def run(target: Path) -> Trace:
    with provider() as opened:
        opened.script(script)
        opened.script(Fault(kind="overloaded"), first=3, between=(60, 90), caller="planner")
        opened.script([Fault(), None, Fault(body={"error": {"type": "insufficient_quota"}})])
        opened.script(lambda arrival: Fault(body="busy") if arrival.nth else None)
        with caller("researcher"):
            opened.clock.advance(1.0)
        assert_type(opened.env, dict[str, str])
        assert_type(opened.base_url, str)
        assert_type(opened.clock, VirtualClock | RealClock)
        assert_type(opened.clock.elapsed(), float)
        opened.reset()
    assert_type(opened.limits, Limits)
    opened.trace.dump(target)
    return Trace.load(target)


def read(trace: Trace) -> None:
    assert_type(trace.attempts, tuple[Attempt, ...])
    assert_type(trace.calls, tuple[Call, ...])
    assert_type(trace.callers, tuple[str, ...])
    assert_type(trace.attempts[0].hint, float | None)
    assert_type(trace.attempts[0].refused, bool)
    assert_type(trace.makespan, float)
    assert_type([limit.capacity for limit in trace.limits], list[int])
    assert_type(next(iter(trace.limits)), Limit)


def judge(trace: Trace) -> tuple[Finding, ...]:
    assert_well_behaved(trace, strict=True, allow_quiet=True)
    assert_no(trace, "RL112", "RL101")
    assert_retries_spread(trace)
    assert_jittered(trace)
    assert_retry_after_respected(trace)
    assert_attempts_bounded(trace, max_attempts=5)
    assert_within_budget(trace, tokens=4_000_000, per=60.0, in_flight=1e6, retry_ratio=0.2)
    assert_all_calls_succeed(trace)
    assert_finishes_within(trace, seconds=600.0, times_ideal=3.0)
    assert_exercised(trace, min_callers=8)
    assert_type(check(trace, Policy(alpha=1e-3)), list[Finding])
    try:
        assert_well_behaved(trace)
    except FindingsError as error:
        return error.findings
    return ()


def errors(work: Callable[[], Trace]) -> Trace:
    try:
        return work()
    except TraceError as error:
        return error.trace
    except (AttemptLimit, ProviderError, UnansweredRequest, VirtualTimeLimit):
        clock = active()
        assert_type(clock, VirtualClock | None)
        raise


@pytest.mark.ratelimit(
    Limits(requests_per_minute=5), tokens_per_minute=4_000_000, policy=Policy(max_attempts=5)
)
def test_marked(fake_provider: FakeProvider) -> None:
    assert_type(fake_provider.trace, Trace)


def ask(client: object) -> None: ...


async def ask_async() -> None: ...


def probes() -> list[Trace]:
    return [
        policy_probe(ask, callers=12, hint=20.0, sdk="openai", seed=1, stop_after=60.0),
        herd_probe(ask_async, charge_rejected=1.0),
        reset_probe(ask),
        outage_probe(ask),
    ]


@given(workload=workloads(callers=12, starts=("herd", "waves"), limits=limits(tokens=500)))
def test_searched(workload: Workload) -> None:
    assert_type(workload.drive(ask, sdk="anthropic"), Trace)
    assert_type(workload.starts_s, tuple[float, ...])
    assert_type(workloads(), SearchStrategy[Workload])
    assert_type(policies(), SearchStrategy[RetryPolicy])
    assert_type(traces(), SearchStrategy[Trace])
    assert_type(limits(most_calls=5), SearchStrategy[Limits])
