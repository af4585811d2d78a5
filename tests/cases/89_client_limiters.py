"""Public limiters in front: aiolimiter, limits, a semaphore only; each against a sliding window that it knows.

Scenario: 30 calls of 10 callers, 20 requests / 60 s sliding; Retry-After; full jitter on top of it.
Verdict: aio (10 a minute, leaky bucket): 10 + 10 = 20 at most: nothing refused: sync n/a.  aio_full (20 a minute): up to 39 in a minute:
  refused, retried behind the bucket with the hint plus jitter: sync ok, retry_after ok.  semaphore: 5 at a time: refused; hint plus
  jitter: sync ok, retry_after ok.
"""
import asyncio
import random

import anthropic
from aiolimiter import AsyncLimiter

PROV = dict(rpm=20, latency=0.3)
SCENARIOS = {n: dict(provider=PROV) for n in ("aio", "aio_full", "semaphore")}
VERDICTS = {"aio": dict(sync="n/a", jitter="n/a", budget="ok", cold_start="ok", storm="ok", layers="n/a"),
            "aio_full": dict(sync="ok", jitter="ok", retry_after="ok", layers="ok", cap="ok", growth="n/a"),
            "semaphore": dict(sync="ok", jitter="ok", retry_after="ok", layers="ok", cap="ok", growth="n/a")}


async def _all(client, gate):
    client = client.with_options(max_retries=0)

    async def one(i):
        for k in range(3):
            for _ in range(9):
                try:
                    async with gate:
                        await client.messages.create(model="claude-x", max_tokens=8,
                                                     messages=[{"role": "user", "content": f"q {i}/{k}"}])
                    break
                except anthropic.RateLimitError as err:
                    await asyncio.sleep(float(err.response.headers["retry-after"]) + random.uniform(0, 60))

    await asyncio.gather(*(one(i) for i in range(10)))


async def aio(client):
    await _all(client, AsyncLimiter(10, 60))


async def aio_full(client):
    await _all(client, AsyncLimiter(20, 60))


async def semaphore(client):
    await _all(client, asyncio.Semaphore(5))
