"""Waiting inside the semaphore: the place is kept while the caller sleeps.

Scenario: 12 callers, 3 at a time, 6 requests / 30 s, Retry-After in seconds.
Verdict: jittered: the hint plus up to 20 s, inside: sync ok, retry_after ok, jitter ok.  exact: the hint exactly, three at a time wake
  at one instant: jitter FLAG, retry_after ok.
"""
import asyncio
import random

import anthropic

PROV = dict(rpm=6, window=30.0, latency=0.3)
SCENARIOS = {n: dict(provider=PROV) for n in ("jittered", "exact")}
VERDICTS = {"jittered": dict(sync="ok", retry_after="ok", jitter="ok", layers="ok", cap="ok", growth="n/a"),
            "exact": dict(retry_after="ok", layers="ok", cap="ok", growth="n/a")}


async def _all(client, extra):
    client, gate = client.with_options(max_retries=0), asyncio.Semaphore(3)

    async def one(i):
        async with gate:
            for _ in range(8):
                try:
                    return await client.messages.create(model="claude-x", max_tokens=8,
                                                        messages=[{"role": "user", "content": f"q {i}"}])
                except anthropic.RateLimitError as err:
                    await asyncio.sleep(float(err.response.headers["retry-after"]) + random.uniform(0, extra))

    await asyncio.gather(*(one(i) for i in range(12)))


async def jittered(client):
    await _all(client, 20.0)


async def exact(client):
    await _all(client, 0.0)
