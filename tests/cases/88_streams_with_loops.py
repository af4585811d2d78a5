"""Streams: refused before the first byte and retried, closed early by the reader, or cut and continued elsewhere.

Scenario: refused: 6 callers, first request 429 + Retry-After 5.  closed: the reader takes one piece and closes, then asks the next.
Verdict: refused: plus jitter: retry_after ok, replay n/a, sync ok.  closed: replay at most a note, no layers.
"""
import asyncio
import random

import anthropic

ONCE = dict(script=lambda nth, n, b, t: (429, {"retry-after": "5"}, None) if nth == 0 else None, latency=0.3, output=50)
SCENARIOS = {"refused": dict(provider=ONCE), "closed": dict(provider=dict(latency=0.3, output=50))}
VERDICTS = {"refused": dict(retry_after="ok", replay="n/a", sync="ok", jitter="ok", layers="ok"),
            "closed": dict(replay="note", layers="ok", growth="n/a", cap="n/a", sync="n/a")}


async def _read(client, text):
    async with client.messages.stream(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": text}]) as stream:
        return [piece async for piece in stream.text_stream]


async def refused(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        for _ in range(4):
            try:
                return await _read(client, f"q {i}")
            except anthropic.RateLimitError as err:
                await asyncio.sleep(float(err.response.headers["retry-after"]) + random.uniform(0, 5))

    await asyncio.gather(*(one(i) for i in range(6)))


async def closed(client):
    for k in range(5):
        async with client.messages.stream(model="claude-x", max_tokens=8,
                                          messages=[{"role": "user", "content": f"q {k}"}]) as stream:
            async for _ in stream.text_stream:
                break
