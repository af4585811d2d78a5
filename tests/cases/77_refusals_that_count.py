"""Refused requests are charged as well.

Scenario: 10 callers, 5 requests / 30 s sliding, refusals count; no hint.
Verdict: gentle: full jitter over 15 s doubling: sync ok, jitter ok, growth ok.  polling: every 2 s for ever: growth FLAG, sync FLAG,
  jitter FLAG, cap FLAG.
"""
import asyncio
import random

import anthropic

PROV = dict(rpm=5, window=30.0, latency=0.2, hint="none", count_rejected=True)
SCENARIOS = {"gentle": dict(provider=PROV), "polling": dict(provider=PROV, give_up_after=300)}
VERDICTS = {"gentle": dict(sync="ok", jitter="ok", growth="ok", layers="ok", cap="ok", retry_after="n/a"),
            "polling": dict(sync="FLAG", jitter="FLAG", growth="FLAG", cap="FLAG", layers="ok")}


async def _all(client, wait, tries):
    client = client.with_options(max_retries=0)

    async def one(i):
        for attempt in range(tries):
            try:
                return await client.messages.create(model="claude-x", max_tokens=8,
                                                    messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.RateLimitError:
                await asyncio.sleep(wait(attempt))

    await asyncio.gather(*(one(i) for i in range(10)))


async def gentle(client):
    await _all(client, lambda n: random.uniform(0, 15.0 * 2 ** n), 8)


async def polling(client):
    await _all(client, lambda n: 2.0, 10_000)
