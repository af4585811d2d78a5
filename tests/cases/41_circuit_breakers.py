"""Circuit breakers: one probe at a time, or every caller's own breaker with the same reset time.

Scenario: 8 callers, 529 until 60 s, then a limit of 120 requests a minute as a bucket of 3; no hint.
Verdict: shared_breaker: one probe while it is open, then callers come in over 8 s: nothing.
  own_breakers: each waits exactly 10 s after its first failure and tries again, all at once: sync
  and jitter FLAG, growth FLAG (always 10 s).
"""
import asyncio
import random

import anthropic

DOWN = dict(script=lambda nth, n, b, t: (529, {}, None) if t < 60 else None, rpm=120, bucket=True, latency=0.3)
SCENARIOS = {"shared_breaker": dict(provider=DOWN), "own_breakers": dict(provider=DOWN)}
VERDICTS = {
    "shared_breaker": dict(sync="ok", jitter="ok", cap="ok", layers="ok", terminal="n/a"),
    "own_breakers": dict(sync="FLAG", jitter="FLAG", growth="FLAG", layers="ok"),
}


def ask(client, i):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])


async def shared_breaker(client, callers=8):
    client = client.with_options(max_retries=0)
    closed, probing = asyncio.Event(), asyncio.Lock()

    async def one(i):
        await asyncio.sleep(random.uniform(0, 2.0))
        while not closed.is_set():
            async with probing:
                if closed.is_set():
                    break
                try:
                    await ask(client, i)
                    closed.set()
                    return
                except anthropic.APIStatusError:
                    await asyncio.sleep(random.uniform(5.0, 15.0))
        await asyncio.sleep(random.uniform(0, 8.0))
        await ask(client, i)

    await asyncio.gather(*(one(i) for i in range(callers)))


async def own_breakers(client, callers=8):
    client = client.with_options(max_retries=0)

    async def one(i):
        for _ in range(8):
            try:
                return await ask(client, i)
            except anthropic.APIStatusError:
                await asyncio.sleep(10.0)

    await asyncio.gather(*(one(i) for i in range(callers)), return_exceptions=True)
