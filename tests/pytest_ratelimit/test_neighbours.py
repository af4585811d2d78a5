"""Innocent neighbours: healthy clients that look like faulty ones, through the real SDK.

No check finds an error or a warning in any of them. Calls that a client gives up on purpose are
reported as lost (RL301), which is what they are.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fake_provider import Arrival, FakeProvider, Fault, ServiceTime, Trace, caller
from pytest_ratelimit import check

anthropic = pytest.importorskip("anthropic")

HINT_S = 20.0


def ask(client: Any, text: str, model: str = "claude-sonnet-5") -> Awaitable[Any]:
    """One question."""
    messages = [{"role": "user", "content": text}]
    return client.messages.create(model=model, max_tokens=100, messages=messages)


def client(**options: Any) -> Any:
    """A client that leaves retries to the code around it."""
    return anthropic.AsyncAnthropic(**{"api_key": "one", "max_retries": 0, **options})


def hint_of(refusal: Any) -> float:
    """Seconds that a refusal asks to wait."""
    return float(refusal.response.headers["retry-after"])


async def fleet(job: Callable[[int], Awaitable[None]], callers: int) -> None:
    """Run callers side by side, each by a name."""

    async def named(number: int) -> None:
        with caller(f"agent-{number}"):
            await job(number)

    await asyncio.gather(*(named(number) for number in range(callers)))


def run(
    job: Callable[[int], Awaitable[None]],
    *,
    callers: int = 8,
    script: Callable[[Arrival], Fault | None] | None = None,
    **settings: Any,
) -> Trace:
    """Run a job of every caller under a provider, and return the trace."""
    with FakeProvider(**settings) as provider:
        if script is not None:
            provider.script(script)
        asyncio.run(fleet(job, callers))
    return provider.trace


def refuse_first(arrival: Arrival) -> Fault | None:
    """Refuse the first attempt of each call, with a hint."""
    refused = arrival.attempt == 1
    return Fault(status=429, headers={"retry-after": f"{HINT_S:g}"}) if refused else None


def accused(trace: Trace, *, besides: tuple[str, ...] = ()) -> list[str]:
    """The errors and warnings of all checks but those."""
    found = [f for f in check(trace) if f.severity != "note" and f.code not in besides]
    return [str(finding) for finding in found]


@pytest.mark.parametrize("other", ["key", "same"])
def test_hedged_requests(other: str) -> None:
    """A second request after a second without an answer, of which the slower one is cancelled."""

    async def job(number: int) -> None:
        async with client() as first, client(api_key="two") as second:
            for question in range(4):
                text = f"question {number}/{question}"
                racing = {asyncio.create_task(ask(first, text))}
                done, _ = await asyncio.wait(racing, timeout=1.0)
                if not done:
                    hedge = second if other == "key" else first
                    racing.add(asyncio.create_task(ask(hedge, text)))
                    await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
                for loser in racing:
                    loser.cancel()
                await asyncio.gather(*racing, return_exceptions=True)

    trace = run(job, latency=ServiceTime(mean=1.0, cv=1.0), seed=3)
    assert len(trace.attempts) > 36  # of 32 questions
    assert any(a.cancelled_at is not None for a in trace.attempts)
    assert accused(trace, besides=("RL301",)) == []


@pytest.mark.parametrize("other", ["key", "model", "deployment"])
def test_an_immediate_retry_elsewhere(other: str) -> None:
    """A refused request goes at once to another key, model or deployment, and is served there."""

    async def job(number: int) -> None:
        elsewhere = {
            "key": {"api_key": "two"},
            "model": {},
            "deployment": {"base_url": "https://second.test"},
        }
        async with client() as first, client(**elsewhere[other]) as second:
            for question in range(3):
                try:
                    await ask(first, f"question {number}/{question}")
                except anthropic.RateLimitError:
                    model = "claude-haiku-4-5" if other == "model" else "claude-sonnet-5"
                    await ask(second, f"question {number}/{question}", model)

    def busy(arrival: Arrival) -> Fault | None:
        first = arrival.attempt == 1 and arrival.body["model"] == "claude-sonnet-5"
        return Fault(status=429) if first else None

    trace = run(job, script=busy, hosts={"second.test": "anthropic"})
    assert len(trace.refused) == 24
    assert accused(trace) == []


@pytest.mark.parametrize("together", [False, True], ids=["in a row", "together"])
def test_identical_samples_of_one_prompt(together: bool) -> None:
    """A task that asks the same five times wants five answers: nothing is asked for again."""

    async def job(number: int) -> None:
        async with client() as one:
            if together:
                await asyncio.gather(*(ask(one, f"prompt {number}") for _ in range(5)))
                return
            for _ in range(5):
                await ask(one, f"prompt {number}")

    trace = run(job)
    assert len(trace.calls) == len({call.unit for call in trace.calls}) == 40
    assert accused(trace) == []


def test_identical_samples_that_are_refused_once_each() -> None:
    """Each sample that is refused, and asked for again after the hint, is a call with one retry."""

    async def job(number: int) -> None:
        async with client() as one:
            for _ in range(5):
                try:
                    await ask(one, "the same prompt for all")
                except anthropic.RateLimitError as refusal:
                    await asyncio.sleep(hint_of(refusal) + random.uniform(0, 4.0))
                    await ask(one, "the same prompt for all")

    trace = run(job, script=refuse_first)
    assert [len(call.attempts) for call in trace.calls] == [2] * 40
    assert accused(trace) == []


def test_a_global_pause_that_is_released_with_a_spread() -> None:
    """All callers pause until the latest hint, and come back as slowly as the limit admits."""
    resume_at = 0.0
    spread_s = 12.0

    async def job(number: int) -> None:
        nonlocal resume_at
        clock = asyncio.get_running_loop().time
        async with client() as one:
            for question in range(2):
                for _ in range(5):
                    pause = resume_at - clock()
                    if pause > 0:
                        await asyncio.sleep(pause + random.uniform(0, spread_s))
                    try:
                        await ask(one, f"question {number}/{question}")
                        break
                    except anthropic.RateLimitError as refusal:
                        resume_at = max(resume_at, clock() + hint_of(refusal))

    def closed(arrival: Arrival) -> Fault | None:
        hint = {"retry-after": f"{HINT_S - arrival.at:.3f}"}
        return Fault(status=429, headers=hint) if arrival.at < 1.0 else None

    # The limit admits 12 calls at once and two more a second.
    trace = run(
        job,
        callers=12,
        script=closed,
        tokens_per_request=1_000,
        tokens_per_minute=120_000,
        algorithm="token-bucket",
        burst=12_000,
    )
    assert len(trace.refused) == 12
    assert min(retry.arrived_at for retry in trace.retries) >= HINT_S
    assert accused(trace) == []


def test_half_open_probes_of_a_circuit_breaker() -> None:
    """While the circuit is open one caller at a time asks whether it may close, and is refused."""
    probes = 0

    async def job(number: int) -> None:
        nonlocal probes
        async with client() as one:
            await asyncio.sleep(random.uniform(0, 2.0))
            while True:
                async with turnstile:
                    if circuit.is_set():
                        break
                    try:
                        await ask(one, f"question {number}")
                        circuit.set()
                        return
                    except anthropic.APIStatusError as refusal:
                        probes += 1
                        pause = hint_of(refusal) + random.uniform(0, 5.0)
                    await asyncio.sleep(pause)
            await asyncio.sleep(random.uniform(0, 5.0))
            await ask(one, f"question {number}")

    def down(arrival: Arrival) -> Fault | None:
        overloaded = Fault(status=529, headers={"retry-after": "10"})
        return overloaded if arrival.at < 90.0 else None

    with FakeProvider() as provider:
        provider.script(down)
        circuit, turnstile = asyncio.Event(), asyncio.Lock()
        asyncio.run(fleet(job, 8))
    assert probes == len(provider.trace.refused) >= 6
    assert accused(provider.trace) == []


def test_giving_up_because_the_hint_exceeds_the_deadline() -> None:
    """Whoever is told to wait longer than it may ends the call: lost on purpose, and no more."""

    async def job(number: int) -> None:
        async with client() as one:
            await asyncio.sleep(number * 3.0)
            try:
                await ask(one, f"question {number}")
            except anthropic.RateLimitError as refusal:
                if hint_of(refusal) < 10.0:
                    await ask(one, f"question {number}")

    trace = run(job, script=refuse_first)
    assert trace.retries == ()
    assert len(trace.refused) == 8
    assert accused(trace, besides=("RL301",)) == []
    (lost,) = [f for f in check(trace) if f.code == "RL301"]
    assert lost.severity == "warning"


@pytest.mark.parametrize("callers", [1, 5])
def test_polling(callers: int) -> None:
    """The same question every half minute for twenty minutes is neither a retry nor a throttle."""

    async def job(number: int) -> None:
        async with client() as one:
            await asyncio.sleep(number * 6.0)
            for _ in range(40):
                await ask(one, "is the batch done?")
                await asyncio.sleep(30.0)

    trace = run(job, callers=callers, requests_per_minute=60)
    assert trace.retries == ()
    assert trace.makespan > 1_170.0
    assert accused(trace) == []


def test_a_retry_budget_that_sheds() -> None:
    """Retries stop when the budget of all callers is empty: what is shed is lost on purpose."""
    budget = 4.0

    async def job(number: int) -> None:
        nonlocal budget
        async with client() as one:
            await asyncio.sleep(random.uniform(0, 30.0))
            for refusals in range(4):
                try:
                    await ask(one, f"question {number}")
                    return
                except anthropic.RateLimitError:
                    if budget < 1:
                        return
                    budget -= 1
                    await asyncio.sleep(random.uniform(0, 2.0**refusals))

    trace = run(job, callers=24, script=lambda a: Fault(status=429) if a.number % 2 else None)
    assert len(trace.retries) == 4
    assert any(not call.succeeded for call in trace.calls)
    assert accused(trace, besides=("RL301",)) == []
