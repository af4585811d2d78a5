"""randint on top of the hint: whole seconds, so that ten callers share four instants.

Verdict: few: 0 to 3 s on the hint of all: three and more at one instant, refused: sync FLAG.  wide: 0 to 120 s: sync ok.
"""
import asyncio
import random

import anthropic

PROV = dict(rpm=2, window=30.0, latency=0.3)
SCENARIOS = {"few": dict(entry="run", kwargs=dict(top=3), provider=PROV), "wide": dict(entry="run", kwargs=dict(top=120), provider=PROV)}
VERDICTS = {"few": dict(retry_after="ok", layers="ok"), "wide": dict(sync="ok", jitter="ok", retry_after="ok", layers="ok")}


async def run(client, top):
    client = client.with_options(max_retries=0)

    async def one(i):
        for attempt in range(9):
            try:
                return await client.messages.create(model="claude-x", max_tokens=8,
                                                    messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.RateLimitError as err:
                await asyncio.sleep(int(err.response.headers["retry-after"]) + random.randint(0, top))

    await asyncio.gather(*(one(i) for i in range(10)))
