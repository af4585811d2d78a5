"""The hint in milliseconds only: the SDK obeys it, a hand-written loop reads the other header.

Scenario: 10 callers, 3 requests / 30 s, retry-after-ms only.
Verdict: sdk: obeyed exactly by all: sync FLAG, jitter FLAG, retry_after ok.  unread: looks for retry-after, finds none, waits
  1 s doubling with full jitter: retry_after FLAG.  read: ms plus up to 40 s: ok.
"""
import asyncio
import random

import openai

PROV = dict(rpm=3, window=30.0, latency=0.3, hint="ms")
SCENARIOS = {n: dict(sdk="openai", entry=n, provider=PROV) for n in ("sdk", "unread", "read")}
VERDICTS = {"sdk": dict(sync="FLAG", jitter="FLAG", retry_after="ok", layers="ok", cap="ok", growth="n/a"),
            "unread": dict(retry_after="FLAG", layers="ok"),
            "read": dict(retry_after="ok", sync="ok", jitter="ok", layers="ok", growth="n/a")}


def ask(client, i):
    return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"q {i}"}])


async def sdk(client):
    await asyncio.gather(*(ask(client, i) for i in range(10)), return_exceptions=True)


async def _loop(client, wait):
    client = client.with_options(max_retries=0)

    async def one(i):
        for attempt in range(8):
            try:
                return await ask(client, i)
            except openai.RateLimitError as err:
                await asyncio.sleep(wait(err.response.headers, attempt))

    await asyncio.gather(*(one(i) for i in range(10)))


async def unread(client):
    await _loop(client, lambda h, n: float(h.get("retry-after", random.uniform(0, 2 ** n))))


async def read(client):
    await _loop(client, lambda h, n: float(h["retry-after-ms"]) / 1000 + random.uniform(0, 40))
