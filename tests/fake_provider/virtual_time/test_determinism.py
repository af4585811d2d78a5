"""Repeatable runs of a fleet through a real SDK: one trace, however often, however busy."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import anthropic
import pytest
import tenacity
import trio

from fake_provider import FakeProvider, Limits

AGENTS, CALLS = 6, 3
LIMITS = Limits(tokens_per_minute=4_000_000)
LOCKSTEP = {"wait": tenacity.wait_fixed(5), "stop": tenacity.stop_after_attempt(5)}
JITTERED = {
    "wait": tenacity.wait_random_exponential(max=60),
    "stop": tenacity.stop_after_delay(600),
}
CLIENTS = {"lockstep": (0, LOCKSTEP), "jittered": (0, JITTERED), "sdk": (2, None)}
RETRIED = tenacity.retry_if_exception_type(anthropic.RateLimitError)
SYNC = {retries: anthropic.Anthropic(api_key="none", max_retries=retries) for retries in (0, 2)}
RUNS = 50


def body(agent):
    messages = [{"role": "user", "content": f"agent {agent}"}]
    return {"model": "claude-sonnet-5", "max_tokens": 16, "messages": messages}


def ask(client, agent):
    """All calls of one agent, which goes on when one of them is given up."""
    retries, policy = CLIENTS[client]
    call = SYNC[retries].messages.create
    if policy is not None:
        call = tenacity.retry(retry=RETRIED, reraise=True, **policy)(call)
    for _ in range(CALLS):
        try:
            call(**body(agent))
        except anthropic.RateLimitError:
            time.sleep(1)


async def ask_async(client, sdk, sleep, agent):
    """The same in an async library."""

    async def call(**options):  # what the SDK gives does not look like a coroutine function
        return await sdk.messages.create(**options)

    policy = CLIENTS[client][1]
    if policy is not None:
        call = tenacity.retry(retry=RETRIED, reraise=True, sleep=sleep, **policy)(call)
    for _ in range(CALLS):
        try:
            await call(**body(agent))
        except anthropic.RateLimitError:
            await sleep(1)


def sdk_of(client):
    return anthropic.AsyncAnthropic(api_key="none", max_retries=CLIENTS[client][0])


def in_threads(client):
    threads = [threading.Thread(target=ask, args=(client, agent)) for agent in range(AGENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_tasks(client):
    async def main():
        async with sdk_of(client) as sdk:
            tasks = (ask_async(client, sdk, asyncio.sleep, agent) for agent in range(AGENTS))
            await asyncio.gather(*tasks)

    asyncio.run(main())


def mixed(client):
    async def main():
        half = AGENTS // 2
        async with sdk_of(client) as sdk:
            tasks = [ask_async(client, sdk, asyncio.sleep, agent) for agent in range(half)]
            threads = [asyncio.to_thread(ask, client, agent) for agent in range(half, AGENTS)]
            await asyncio.gather(*tasks, *threads)

    asyncio.run(main())


def in_trio(client):
    async def main():
        async with sdk_of(client) as sdk, trio.open_nursery() as nursery:
            for agent in range(AGENTS):
                nursery.start_soon(ask_async, client, sdk, trio.sleep, agent)

    trio.run(main)


WORLDS = {"threads": in_threads, "tasks": in_tasks, "mixed": mixed, "trio": in_trio}


def trace_of(world, client):
    """The trace of one run, as it is written to a file."""
    options = {"tokens_per_request": 400_000 * 3, "latency": 0.5, "seed": 7}
    with FakeProvider(LIMITS, **options) as provider:
        WORLDS[world](client)
        assert provider.trace.refused
    target = io.StringIO()
    provider.trace.dump(target)
    return target.getvalue()


def traces(world, client, runs):
    """The distinct traces of some runs."""
    return {trace_of(world, client) for _ in range(runs)}


def busy_processes(stack, count):
    """Processes that compute until the stack is left."""
    for _ in range(count):
        process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        stack.callback(process.wait)
        stack.callback(process.kill)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("world", WORLDS)
def test_three_runs_give_one_trace(world, client):
    """A fleet of one seed leaves the same bytes, run after run."""
    assert len(traces(world, client, 3)) == 1


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("busy", [0, 6])
def test_fifty_runs_give_one_trace(world, client, busy):
    """The same fifty times, alone and with six busy processes beside it."""
    with ExitStack() as stack:
        busy_processes(stack, busy)
        assert len(traces(world, client, RUNS)) == 1
