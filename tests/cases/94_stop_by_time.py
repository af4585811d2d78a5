"""Loops that end by time: tenacity stop_after_delay, a deadline in a while, asyncio.timeout around everything.

Scenario: 8 callers refused for ever, no hint.
Verdict: tenacity: wraps a plain function that only returns an awaitable, so it never fires: all n/a; deadline: 90 s, waits of 10 to 20 s: cap ok.
  timeout: asyncio.timeout(45) around an endless jittered loop: layers ok, sync ok.
"""
import asyncio
import random

import anthropic
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
SCENARIOS = {n: dict(provider=NEVER) for n in ("tenacity", "deadline", "timeout")}
VERDICTS = {"tenacity": dict(layers="n/a", sync="n/a", jitter="n/a", growth="n/a"),
            "deadline": dict(layers="ok", sync="ok", jitter="ok", cap="ok"),
            "timeout": dict(layers="ok", sync="ok", jitter="ok")}


def ask(client, i):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])


async def tenacity(client):
    client = client.with_options(max_retries=0)
    policy = retry(stop=stop_after_delay(60), wait=wait_random_exponential(multiplier=2, max=20), reraise=True,
                   retry=retry_if_exception_type(anthropic.RateLimitError))
    await asyncio.gather(*(policy(ask)(client, i) for i in range(8)), return_exceptions=True)


async def deadline(client):
    client, loop = client.with_options(max_retries=0), asyncio.get_running_loop()

    async def one(i):
        until = loop.time() + 90
        while loop.time() < until:
            try:
                return await ask(client, i)
            except anthropic.RateLimitError:
                await asyncio.sleep(random.uniform(10, 20))

    await asyncio.gather(*(one(i) for i in range(8)))


async def timeout(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        async with asyncio.timeout(45):
            attempt = 0
            while True:
                try:
                    return await ask(client, i)
                except anthropic.RateLimitError:
                    await asyncio.sleep(random.uniform(1, 3.0 * 2 ** attempt))
                    attempt += 1

    await asyncio.gather(*(one(i) for i in range(8)), return_exceptions=True)
