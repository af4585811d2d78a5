"""Starts 0.3 s apart with fixed waits; a fleet of which half has jitter; two keys that know nothing of each other.

Verdict: staggered: never together: sync ok, jitter note, growth FLAG.  half: six of twelve wait exactly 4 s, refused together: sync FLAG,
  jitter FLAG.  two_keys: six callers on each of two keys, full jitter: ok.
"""
import asyncio
import random

import anthropic

FIVE = dict(script=lambda nth, n, b, t: (429, {}, None) if nth < 5 else None, latency=0.2)
SCENARIOS = {n: dict(entry="run", kwargs=dict(kind=n), provider=FIVE) for n in ("staggered", "half", "two_keys")}
VERDICTS = {"staggered": dict(sync="ok", jitter="note", growth="FLAG", layers="ok", cap="ok"),
            "half": dict(sync="FLAG", jitter="FLAG", layers="ok"),
            "two_keys": dict(sync="ok", jitter="ok", growth="ok", layers="ok")}


async def run(client, kind):
    client = client.with_options(max_retries=0)

    async def one(i):
        own = client.with_options(api_key=f"key-{i % 2}") if kind == "two_keys" else client
        if kind == "staggered":
            await asyncio.sleep(0.3 * i)
        for attempt in range(6):
            try:
                return await own.messages.create(model="claude-x", max_tokens=8,
                                                 messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.RateLimitError:
                fixed = kind == "staggered" or (kind == "half" and i % 2)
                await asyncio.sleep(4.0 if fixed else random.uniform(0, 4.0 * 2 ** attempt))

    await asyncio.gather(*(one(i) for i in range(12)))
