"""The probes: each of them drives a user's function, and its trace shows what it is for."""

from __future__ import annotations

import asyncio
import random
import re
import time
from typing import Any

import pytest

from fake_provider import Trace
from pytest_ratelimit import check, herd_probe, outage_probe, policy_probe, reset_probe

anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")
tenacity = pytest.importorskip("tenacity")

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "What changed?"}],
}
Refused = anthropic.APIStatusError


def retrying(wait: Any, attempts: int = 5) -> Any:
    """Attempts with a delay before each retry."""
    return tenacity.retry(
        wait=wait,
        stop=tenacity.stop_after_attempt(attempts),
        retry=tenacity.retry_if_exception_type(Refused),
        reraise=True,
    )


@retrying(tenacity.wait_fixed(1))
def fixed(client: anthropic.Anthropic) -> None:
    client.with_options(max_retries=0).messages.create(**QUESTION)


@retrying(tenacity.wait_fixed(1))
async def fixed_async(client: anthropic.AsyncAnthropic) -> None:
    await client.with_options(max_retries=0).messages.create(**QUESTION)


@retrying(tenacity.wait_random_exponential(multiplier=2, max=60))
def jittered(client: anthropic.Anthropic) -> None:
    client.with_options(max_retries=0).messages.create(**QUESTION)


@retrying(tenacity.wait_random_exponential(multiplier=2, max=60))
async def jittered_async(client: anthropic.AsyncAnthropic) -> None:
    await client.with_options(max_retries=0).messages.create(**QUESTION)


def polite(client: anthropic.Anthropic) -> None:
    """Waits for the hint, and up to ten seconds more."""
    for refusals in range(5):
        try:
            client.with_options(max_retries=0).messages.create(**QUESTION)
            return
        except Refused as refusal:
            hint = float(refusal.response.headers.get("retry-after", 2**refusals))
            time.sleep(hint + random.uniform(0, 10.0))


def default_sdk(client: anthropic.Anthropic) -> None:
    client.messages.create(**QUESTION)


async def on_its_own() -> None:
    async with anthropic.AsyncAnthropic(max_retries=1) as client:
        await client.messages.create(**QUESTION)


def completion(client: openai.OpenAI) -> None:
    client.chat.completions.create(model="gpt-5", messages=QUESTION["messages"])


def endless(client: anthropic.Anthropic) -> None:
    while True:
        try:
            client.with_options(max_retries=0).messages.create(**QUESTION)
            return
        except Refused:
            time.sleep(random.uniform(0, 60.0))


def codes(trace: Trace, severity: str = "error") -> set[str]:
    return {finding.code for finding in check(trace) if finding.severity == severity}


@pytest.mark.parametrize("work", [fixed, fixed_async])
def test_the_policy_probe_condemns_a_fixed_delay(work: Any) -> None:
    """Eight callers, refused five times each, show that nothing varies and nothing grows."""
    trace = policy_probe(work)
    assert len(trace.callers) == 8
    assert [len(call.attempts) for call in trace.calls] == [5] * 8
    assert codes(trace) >= {"RL101", "RL102", "RL106"}


@pytest.mark.parametrize("work", [jittered, jittered_async])
def test_the_policy_probe_acquits_full_jitter(work: Any) -> None:
    """The same loop with full jitter shows no fault of its delays."""
    found = codes(policy_probe(work)) | codes(policy_probe(work), "warning")
    assert not found & {"RL101", "RL102", "RL104", "RL106", "RL107", "RL111", "RL112"}


def test_the_policy_probe_with_a_hint() -> None:
    """A hint of 20 s shows who ignores it, and who waits for it with jitter on top."""
    assert "RL103" in codes(policy_probe(fixed, hint=20.0))
    assert not codes(policy_probe(polite, hint=20.0)) & {"RL101", "RL102", "RL103"}


def test_the_policy_probe_ends_what_does_not() -> None:
    """A loop without an end is stopped, and found to be one."""
    trace = policy_probe(endless, callers=2, stop_after=600.0)
    assert trace.stopped is not None
    assert "RL111" in codes(trace)


@pytest.mark.parametrize(("work", "sdk"), [(on_its_own, "anthropic"), (completion, "openai")])
def test_what_a_function_may_take(work: Any, sdk: Any) -> None:
    """A function of nothing makes its own client; a client of either SDK is made for others."""
    trace = policy_probe(work, callers=3, sdk=sdk)
    assert len(trace.callers) == 3
    assert {attempt.dialect for attempt in trace.attempts} == {sdk}


def test_a_function_that_never_reaches_the_provider() -> None:
    """What it raised is raised: an empty trace would say less."""

    def broken(client: Any) -> None:
        client.no_such_thing.create()

    with pytest.raises(AttributeError, match="no_such_thing"):
        policy_probe(broken)


@pytest.mark.parametrize("probe", [policy_probe, herd_probe])
def test_callers_that_ask_once_are_not_taken_for_each_other(probe: Any) -> None:
    """Threads that give up at the first refusal make no re-queue of each other's question."""

    def once(client: anthropic.Anthropic) -> None:
        client.with_options(max_retries=0).messages.create(**QUESTION)

    trace = probe(once, hint=20.0) if probe is policy_probe else probe(once)
    assert len({attempt.unit for attempt in trace.attempts}) == len(trace.calls) == 8
    assert not codes(trace) & {"RL103", "RL114"}


def test_the_herd_probe() -> None:
    """The default SDK comes back in a herd when its hints end; a wide jitter on top does not."""
    trace = herd_probe(default_sdk, callers=12)
    assert len([a for a in trace.refused if a.arrived_at < 0.1]) == 8
    assert "RL101" in codes(trace)
    assert "RL101" not in codes(herd_probe(polite, callers=12))


def test_the_reset_probe() -> None:
    """Callers that started apart come back at one instant if they obey to the millisecond."""
    trace = reset_probe(default_sdk, callers=12)
    starts = [call.attempts[0].arrived_at for call in trace.calls]
    assert max(starts) > 10.0
    assert len({round(call.attempts[1].arrived_at, 2) for call in trace.calls}) == 1
    assert "RL101" in codes(trace)
    assert not codes(reset_probe(polite, callers=12)) & {"RL101", "RL102", "RL103"}


def test_the_outage_probe_sees_a_storm_that_does_not_end() -> None:
    """Eight attempts with jitter keep a limit full that charges what it refuses."""

    @retrying(tenacity.wait_random_exponential(multiplier=1, max=60), attempts=8)
    async def storm(client: anthropic.AsyncAnthropic) -> None:
        await client.with_options(max_retries=0).messages.create(**QUESTION)

    trace = outage_probe(storm, callers=4)
    assert {a.status for a in trace.refused if 60 <= a.arrived_at < 90} == {529}
    assert "RL304" in codes(trace)


def test_the_outage_probe_acquits_a_retry_budget() -> None:
    """Retries out of a budget of 20 % of the calls leave goodput where it was."""
    budget = 0.0

    async def budgeted(client: anthropic.AsyncAnthropic) -> None:
        nonlocal budget
        budget = min(10.0, budget + 0.2)
        for refusals in range(4):
            try:
                await client.with_options(max_retries=0).messages.create(**QUESTION)
                return
            except Refused:
                if budget < 1:
                    raise
                budget -= 1
                await asyncio.sleep(random.uniform(0, 2.0**refusals))

    trace = outage_probe(budgeted, callers=4)
    assert not codes(trace)
    assert any(attempt.arrived_at > 180.0 for attempt in trace.attempts)


@pytest.mark.parametrize("probe", [policy_probe, herd_probe, reset_probe])
def test_the_same_seed_gives_the_same_trace(probe: Any) -> None:
    """A probe is a pure function of the code and the seed."""
    one, two = probe(jittered_async, callers=4, seed=7), probe(jittered_async, callers=4, seed=7)
    assert one.attempts == two.attempts


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"callers": 1}, ValueError, "callers must be a whole number, at least 2, got 1"),
        ({"callers": 2.5}, ValueError, "callers must be a whole number, at least 2, got 2.5"),
        ({"hint": 0.0}, ValueError, "hint must be a finite number of seconds above 0, got 0.0"),
        ({"sdk": "groq"}, ValueError, "sdk must be one of anthropic, openai, got 'groq'"),
        ({"work": lambda a, b: None}, TypeError, "which needs 2 arguments"),
        ({"work": 3}, TypeError, "work must be a function of one SDK client or of nothing, got 3"),
    ],
)
def test_arguments_out_of_their_range(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """A wrong argument is named with its value and what is allowed."""
    with pytest.raises(error, match=re.escape(message)):
        policy_probe(**{"work": default_sdk, **arguments})


async def coroutine() -> None:
    """What a call of an async function gives."""


@pytest.mark.parametrize("probe", [policy_probe, herd_probe, reset_probe, outage_probe])
@pytest.mark.parametrize("work", [None, "ask", 5, {}, coroutine, type])
def test_what_is_no_function_is_named(probe: Any, work: Any) -> None:
    """Whatever is given in place of the function is one clear error that says what is meant."""
    given = coroutine() if work is coroutine else work
    message = "^work must be a function of one SDK client or of nothing, got "
    with pytest.raises(TypeError, match=message + re.escape(repr(given))):
        probe(given)


async def endless_async(client: anthropic.AsyncAnthropic) -> None:
    while True:
        try:
            await client.with_options(max_retries=0).messages.create(**QUESTION)
        except Refused:
            await asyncio.sleep(random.uniform(0, 60.0))


@pytest.mark.parametrize("work", [fixed, fixed_async, endless_async])
def test_a_probe_inside_a_running_loop(work: Any) -> None:
    """An async test may call a probe as it stands: the trace is that of a sync test."""

    async def test() -> Trace:
        return policy_probe(work, stop_after=600.0)

    inside, outside = asyncio.run(test()), policy_probe(work, stop_after=600.0)
    assert [a.arrived_at for a in inside.attempts] == [a.arrived_at for a in outside.attempts]
    assert inside.stopped == outside.stopped
    assert (inside.stopped is not None) == (work is endless_async)


def test_a_function_that_returns_a_coroutine_is_named() -> None:
    """A lambda around an async function is not seen to be async: the error says what to write."""
    with pytest.raises(TypeError, match=r"^work returned a coroutine and is no async function"):
        policy_probe(lambda client: fixed_async(client=client))
