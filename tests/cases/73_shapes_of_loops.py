"""One retry layer in five shapes: recursion, a while loop, tenacity's iterator, a context manager, a helper with callbacks.

Scenario: 8 callers, refused four times without a hint, full jitter; SDK retries off.
Verdict: all: layers ok, cap ok, jitter ok, sync ok, growth ok.
"""
import asyncio
import random

import anthropic
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

FOUR = dict(script=lambda nth, n, b, t: (429, {}, None) if nth < 4 else None, latency=0.2)
NAMES = ("recursion", "while_loop", "iterator", "helper", "wrapped_twice")
SCENARIOS = {n: dict(provider=FOUR) for n in NAMES}
VERDICTS = {n: dict(layers="ok", cap="ok", jitter="ok", sync="ok", growth="ok", retry_after="n/a", terminal="n/a") for n in NAMES}


def ask(client, i):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])


async def _all(client, one):
    client = client.with_options(max_retries=0)
    await asyncio.gather(*(one(client, i) for i in range(8)))


async def recursion(client):
    async def one(client, i, attempt=0):
        try:
            return await ask(client, i)
        except anthropic.RateLimitError:
            if attempt == 5:
                raise
            await asyncio.sleep(random.uniform(0, 2 * 2 ** attempt))
            return await one(client, i, attempt + 1)

    await _all(client, one)


async def while_loop(client):
    async def one(client, i):
        top, answer = 2.0, None
        while answer is None:
            try:
                answer = await ask(client, i)
            except anthropic.RateLimitError:
                await asyncio.sleep(random.uniform(0, top))
                top = min(60.0, 2 * top)
        return answer

    await _all(client, one)


async def iterator(client):
    async def one(client, i):
        async for attempt in AsyncRetrying(stop=stop_after_attempt(6), wait=wait_random_exponential(multiplier=2, max=60),
                                           retry=retry_if_exception_type(anthropic.RateLimitError)):
            with attempt:
                return await ask(client, i)

    await _all(client, one)


async def helper(client):
    async def with_retries(make, tries=6):
        for attempt in range(tries):
            try:
                return await make()
            except anthropic.RateLimitError:
                await asyncio.sleep(random.uniform(0, 2 * 2 ** attempt))

    await _all(client, lambda client, i: with_retries(lambda: ask(client, i)))


async def wrapped_twice(client):
    async def one(client, i):
        return await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(inner(client, i))), 600)

    async def inner(client, i):
        for attempt in range(6):
            try:
                return await ask(client, i)
            except anthropic.RateLimitError:
                await asyncio.sleep(random.uniform(0, 2 * 2 ** attempt))

    await _all(client, one)
