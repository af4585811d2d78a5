"""Remedies that no delay can show: applied to clients of the real SDK that tripped the check."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fake_provider import FakeProvider, Fault, Trace, caller
from pytest_ratelimit._checks import Policy, judge
from tests.pytest_ratelimit.test_remedies import errors, numbers, remedy

anthropic = pytest.importorskip("anthropic")


def ask(client: Any, number: int, **options: Any) -> Awaitable[Any]:
    """One question of a caller."""
    messages = [{"role": "user", "content": f"question {number}"}]
    return client.with_options(max_retries=0).messages.create(
        **{"model": "claude-sonnet-5", "max_tokens": 100, "messages": messages, **options}
    )


def run(
    job: Callable[[Any, int], Awaitable[None]],
    *,
    callers: int = 8,
    script: Any = None,
    **settings: Any,
) -> Trace:
    """Run callers side by side, each by a name; what they give up on is theirs."""

    async def one(client: Any, number: int) -> None:
        with caller(f"agent-{number}"), contextlib.suppress(anthropic.APIError):
            await job(client, number)

    async def fleet() -> None:
        async with anthropic.AsyncAnthropic() as client:
            await asyncio.gather(*(one(client, number) for number in range(callers)))

    with FakeProvider(**settings) as provider:
        if script is not None:
            provider.script(script)
        asyncio.run(fleet())
    return provider.trace


def hint_of(refusal: Any) -> float:
    """Seconds that a refusal asks to wait."""
    return float(refusal.response.headers["retry-after"])


def test_an_error_that_no_wait_cures() -> None:
    """RL121: code that looks at the error's code before the status asks once."""
    quota = {"type": "error", "error": {"type": "billing_error", "message": "no credit"}}

    def client(terminal: tuple[str, ...]) -> Callable[[Any, int], Awaitable[None]]:
        async def job(sdk: Any, number: int) -> None:
            for refusals in range(4):
                try:
                    await ask(sdk, number)
                    return
                except anthropic.APIStatusError as refusal:
                    if refusal.body["error"]["type"] in terminal:
                        raise
                    await asyncio.sleep(random.uniform(0, 4.0 * 2**refusals))

        return job

    empty = Fault(status=429, body=quota)
    before = run(client(()), script=lambda _: empty)
    assert "look at the error's code before the status" in remedy(before, "RL121")
    after = run(client(("billing_error",)), script=lambda _: empty)
    assert judge(after)["RL121"].verdict == "ok"
    assert errors(after) == set()


def test_a_policy_around_what_reads_the_answer() -> None:
    """RL122: retries around the code that reads the response are made."""
    declared = Policy(retries_declared=True)

    async def retried(sdk: Any, number: int, call: Callable[[Any, int], Any]) -> Any:
        for _ in range(3):
            try:
                result = call(sdk, number)
                return await result if asyncio.iscoroutine(result) else result
            except anthropic.RateLimitError as refusal:
                await asyncio.sleep(hint_of(refusal) + random.uniform(0, 2.0))
        return None

    async def inert(sdk: Any, number: int) -> None:
        async def later() -> Any:
            return await ask(sdk, number)

        # What is retried returns something to await, and never fails itself.
        await (await retried(sdk, number, lambda *_: [later()]))[0]

    async def mended(sdk: Any, number: int) -> None:
        async def read(sdk: Any, number: int) -> Any:
            return await ask(sdk, number)

        await retried(sdk, number, read)

    def busy(arrival: Any) -> Fault | None:
        again = arrival.attempt > 1
        return None if again else Fault(status=429, headers={"retry-after": "5"})

    before = run(inert, script=busy)
    assert "wrap the code that reads the response" in remedy(before, "RL122", declared)
    after = run(mended, script=busy)
    assert judge(after, declared)["RL122"].verdict == "ok"
    assert errors(after) == set()


def test_a_timeout_above_the_service_time() -> None:
    """RL124: with the timeout that the remedy names every call is paid once."""

    def client(timeout: float) -> Callable[[Any, int], Awaitable[None]]:
        async def job(sdk: Any, number: int) -> None:
            patience = timeout if number else 60.0
            for refusals in range(3):
                try:
                    await ask(sdk, number, timeout=patience)
                    return
                except anthropic.APITimeoutError:
                    await asyncio.sleep(random.uniform(0, 4.0 * 2**refusals))

        return job

    before = run(client(5.0), latency=12.0)
    (timeout,) = numbers(r"set timeout=([\d.]+) on the client", remedy(before, "RL124"))
    assert timeout == 24
    after = run(client(timeout), latency=12.0)
    assert judge(after)["RL124"].verdict in ("ok", "n/a")
    assert len(after.attempts) == 8
    assert errors(after) == set()


def test_a_semaphore() -> None:
    """RL204: with the semaphore that the remedy names nothing is refused."""

    def client(most: int) -> Callable[[Any, int], Awaitable[None]]:
        gates: list[asyncio.Semaphore] = []

        async def job(sdk: Any, number: int) -> None:
            if not gates:
                gates.append(asyncio.Semaphore(most))
            for refusals in range(6):
                async with gates[0]:
                    try:
                        await ask(sdk, number)
                        return
                    except anthropic.RateLimitError:
                        pause = random.uniform(0, 2.0 * 2**refusals)
                await asyncio.sleep(pause)

        return job

    before = run(client(99), concurrent_requests=3, latency=2.0)
    (most,) = numbers(r"hold a semaphore of (\d+)", remedy(before, "RL204"))
    after = run(client(int(most)), concurrent_requests=3, latency=2.0)
    assert after.refused == ()
    assert errors(after) == set()


def test_a_hint_that_all_callers_share() -> None:
    """RL205: callers that wait until the latest instant that any was told begin no call early."""

    def client(*, shared: bool, spread_s: float) -> Callable[[Any, int], Awaitable[None]]:
        told_until = [0.0]

        async def job(sdk: Any, number: int) -> None:
            clock = asyncio.get_running_loop().time
            mine = 0.0
            await asyncio.sleep(3.0 * number)
            for _ in range(8):
                until = told_until[0] if shared else mine
                if until > clock():
                    await asyncio.sleep(until - clock() + random.uniform(0, spread_s))
                    if shared and told_until[0] > clock():
                        continue
                try:
                    await ask(sdk, number)
                    return
                except anthropic.RateLimitError as refusal:
                    mine = clock() + hint_of(refusal)
                    told_until[0] = max(told_until[0], mine)

        return job

    limit: dict[str, Any] = {
        "tokens_per_request": 1_000,
        "tokens_per_minute": 6_000,
        "algorithm": "token-bucket",
        "burst": 1_000,
    }
    before = run(client(shared=False, spread_s=10.0), **limit)
    (spread_s,) = numbers(r"random\.uniform\(0, ([\d.]+)\)", remedy(before, "RL205"))
    after = run(client(shared=True, spread_s=spread_s), **limit)
    assert judge(after)["RL205"].verdict == "ok"
    assert errors(after) == set()


def test_a_request_that_the_limit_can_admit() -> None:
    """RL203: with max_tokens at what the remedy names, the request is served."""

    def client(max_tokens: int) -> Callable[[Any, int], Awaitable[None]]:
        async def job(sdk: Any, number: int) -> None:
            await asyncio.sleep(60.0 * number)
            await ask(sdk, number, max_tokens=max_tokens)

        return job

    limit: dict[str, Any] = {
        "tokens_per_request": lambda body: body["max_tokens"],
        "tokens_per_minute": 4_000,
    }
    before = run(client(5_000), callers=2, **limit)
    (most,) = numbers(r"lower max_tokens, to at most ([\d,]+) tokens", remedy(before, "RL203"))
    after = run(client(int(most)), callers=2, **limit)
    assert judge(after)["RL203"].verdict == "ok"
    assert all(call.succeeded for call in after.calls)
    assert errors(after) == set()


def test_an_error_after_output_that_is_handed_on() -> None:
    """RL123: a client that retries only until the first output delivers nothing twice."""

    def client(*, replays: bool) -> Callable[[Any, int], Awaitable[None]]:
        async def job(sdk: Any, number: int) -> None:
            sdk = sdk.with_options(max_retries=0)
            messages = [{"role": "user", "content": f"question {number}"}]
            for refusals in range(5):
                delivered = False
                try:
                    async with sdk.messages.stream(
                        model="claude-sonnet-5", max_tokens=100, messages=messages
                    ) as stream:
                        async for _ in stream.text_stream:
                            delivered = True
                    return
                except anthropic.APIStatusError:
                    if delivered and not replays:
                        raise
                    await asyncio.sleep(random.uniform(0, 4.0 * 2**refusals))

        return job

    def breaks(arrival: Any) -> Fault | None:
        """Refuse the first attempt; break the second one off after two pieces of its output."""
        faults = [Fault(status=529), Fault(status=529, after=2)]
        return faults[arrival.attempt - 1] if arrival.attempt <= len(faults) else None

    settings = {"script": breaks, "latency": 1.0}
    before = run(client(replays=True), **settings)
    assert remedy(before, "RL123").startswith("retry only until the first output")
    assert "RL123" in errors(before)
    after = run(client(replays=False), **settings)
    assert judge(after)["RL123"].verdict == "ok"
    assert errors(after) == set()


def test_refused_work_that_is_dispatched_piece_by_piece() -> None:
    """RL101: re-queues that wait by themselves, as the remedy says, are no herd any more."""

    async def rounds(sdk: Any, spread: float) -> None:
        todo = list(range(10))
        for turn in range(5):

            async def one(number: int, wait: float) -> int | None:
                await asyncio.sleep(wait)
                try:
                    await ask(sdk, number)
                except anthropic.RateLimitError:
                    return number
                return None

            waits = [random.uniform(0, spread) if turn else 0.0 for _ in todo]
            failed = await asyncio.gather(*map(one, todo, waits))
            todo = [number for number in failed if number is not None]
            if not spread:
                await asyncio.sleep(20.0)

    def fleet(spread: float) -> Trace:
        async def job() -> None:
            async with anthropic.AsyncAnthropic() as sdk:
                await rounds(sdk, spread)

        with FakeProvider(requests_per_minute=4, hint="none") as provider:
            asyncio.run(job())
        return provider.trace

    before = fleet(0.0)
    (spread,) = numbers(r"after random\.uniform\(0, ([\d.]+)\)", remedy(before, "RL101"))
    after = fleet(spread)
    assert judge(after)["RL101"].verdict == "ok"
    assert errors(after) <= {"RL114"}
