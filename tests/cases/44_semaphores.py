"""A semaphore in front of the SDK: does it hide the waits behind it?

Scenario: 12 callers, 4 at a time, every attempt refused for 40 s, no hint.
Verdict: jittered: full jitter outside the semaphore: ok.  fixed: sleeps 2 s outside the semaphore: the
  four that failed together come back together: sync FLAG or at least jitter FLAG; growth FLAG.
"""
import asyncio
import random

import anthropic

DOWN = dict(script=lambda nth, n, b, t: (429, {}, None) if t < 40 else None, latency=0.2)
SCENARIOS = {"jittered": dict(provider=DOWN), "fixed": dict(provider=DOWN)}
VERDICTS = {"jittered": dict(sync="ok", jitter="ok", growth="ok", cap="ok", layers="ok"),
            "fixed": dict(sync="FLAG", jitter="FLAG", growth="FLAG", layers="ok")}


async def _all(client, wait, callers=12):
    client, gate = client.with_options(max_retries=0), asyncio.Semaphore(4)

    async def one(i):
        for attempt in range(9):
            async with gate:
                try:
                    return await client.messages.create(model="claude-x", max_tokens=8,
                                                        messages=[{"role": "user", "content": f"q {i}"}])
                except anthropic.RateLimitError:
                    pass
            await asyncio.sleep(wait(attempt))

    await asyncio.gather(*(one(i) for i in range(callers)))


async def jittered(client):
    await _all(client, lambda n: random.uniform(0, min(20.0, 2.0 * 2 ** n)))


async def fixed(client):
    await _all(client, lambda n: 2.0)
