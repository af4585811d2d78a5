"""A retry budget per process, and one that nobody shares.

Scenario: 30 callers, everything refused for 20 s (529), no hint.
Verdict: shared: a tenth of the calls may retry, full jitter over 30 s: storm ok, sync ok, cap ok.  each_its_own: every caller has
  10 retries of its own, full jitter from 0.5 s up to 4 s: storm FLAG, cap FLAG or ok by number (11 attempts: FLAG).
"""
import asyncio
import random

import anthropic

DOWN = dict(script=lambda nth, n, b, t: (529, {}, None) if t < 20 else None, latency=0.2)
SCENARIOS = {n: dict(provider=DOWN) for n in ("shared", "each_its_own")}
VERDICTS = {"shared": dict(storm="ok", sync="ok", cap="ok", layers="ok", jitter="ok"),
            "each_its_own": dict(storm="FLAG", sync="ok", layers="ok", jitter="ok", growth="ok")}


async def shared(client):
    client, left = client.with_options(max_retries=0), 3

    async def one(i):
        nonlocal left
        for attempt in range(4):
            try:
                return await client.messages.create(model="claude-x", max_tokens=8,
                                                    messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.APIStatusError:
                if not left:
                    return None
                left -= 1
                await asyncio.sleep(random.uniform(0, 30 * 2 ** attempt))

    await asyncio.gather(*(one(i) for i in range(30)))


async def each_its_own(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        for attempt in range(11):
            try:
                return await client.messages.create(model="claude-x", max_tokens=8,
                                                    messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.APIStatusError:
                await asyncio.sleep(random.uniform(0, min(4.0, 0.5 * 2 ** attempt)))

    await asyncio.gather(*(one(i) for i in range(30)))
