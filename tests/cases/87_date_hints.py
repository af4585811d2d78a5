"""Retry-After as a date: exact, a second early by rounding, with a fast or slow clock at the provider.

Scenario: 6 callers, 3 requests / 30 s, dates; the SDK obeys by itself.
Verdict: sdk: everyone until the same second: retry_after ok, sync FLAG.  spread: plus up to 30 s: ok.  fast: the provider's clock is
  5 s ahead: waits are longer: retry_after ok.
"""
import asyncio
import random
import time
from email.utils import parsedate_to_datetime

import anthropic

PROV = dict(rpm=3, window=30.0, latency=0.3, hint="date")
SCENARIOS = {"sdk": dict(provider=PROV), "spread": dict(provider=PROV), "fast": dict(entry="spread", provider=dict(PROV, skew=5))}
VERDICTS = {"sdk": dict(retry_after="ok", sync="FLAG", layers="ok", cap="ok"),
            "spread": dict(retry_after="ok", sync="ok", jitter="ok", layers="ok", cap="ok", growth="n/a"),
            "fast": dict(retry_after="ok", sync="ok", jitter="ok", layers="ok", cap="ok", growth="n/a")}


def ask(client, i):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])


async def sdk(client):
    await asyncio.gather(*(ask(client, i) for i in range(10)), return_exceptions=True)


async def spread(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        for _ in range(8):
            try:
                return await ask(client, i)
            except anthropic.RateLimitError as err:
                until = parsedate_to_datetime(err.response.headers["retry-after"]).timestamp()
                await asyncio.sleep(max(0.0, until - time.time()) + random.uniform(0, 30))

    await asyncio.gather(*(one(i) for i in range(8)))
