"""Runs with little to judge: nobody refused, one caller, two callers, starts far apart.

Scenario: sequential (one caller, 20 calls, no limit), fleet (12 callers paced below the limit), two (two callers, fixed
  1 s, refused four times each), apart (6 callers that start 10 s apart, fixed 2 s, refused three times each).
Verdict: sequential, fleet: nothing at all.  two: no fleet: sync n/a; equal delays are seen (note), growth FLAG (three equal
  delays in each of two calls).  apart: they never meet: sync ok; jitter note (latent); growth FLAG.
"""
import asyncio

import anthropic

FREE = dict(latency=0.2)
LIMIT = dict(rpm=60, latency=0.2)
FOUR = dict(script=lambda nth, n, b, t: (429, {}, None) if nth < 4 else None, latency=0.1)
SCENARIOS = {"sequential": dict(provider=FREE), "fleet": dict(provider=LIMIT), "two": dict(provider=FOUR), "apart": dict(provider=FOUR)}
_none = dict(sync="n/a", jitter="n/a", retry_after="n/a", growth="n/a", terminal="n/a", layers="n/a")
VERDICTS = {"sequential": _none, "fleet": dict(_none, budget="ok", cold_start="ok"),
            "two": dict(sync="n/a", jitter="note", growth="FLAG", layers="ok"),
            "apart": dict(sync="ok", jitter="note", growth="FLAG", layers="ok")}


def ask(client, text):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": text}])


async def sequential(client):
    for i in range(20):
        await ask(client, f"step {i}")


async def fleet(client, callers=12):
    async def one(i):
        await asyncio.sleep(1.1 * i)
        for k in range(3):
            await ask(client, f"step {i}/{k}")
            await asyncio.sleep(14.0)

    await asyncio.gather(*(one(i) for i in range(callers)))


async def _fixed(client, callers, apart, wait):
    client = client.with_options(max_retries=0)

    async def one(i):
        await asyncio.sleep(apart * i)
        for _ in range(5):
            try:
                return await ask(client, f"q {i}")
            except anthropic.RateLimitError:
                await asyncio.sleep(wait)

    await asyncio.gather(*(one(i) for i in range(callers)))


async def two(client):
    await _fixed(client, 2, 0.0, 1.0)


async def apart(client):
    await _fixed(client, 6, 10.0, 2.0)
