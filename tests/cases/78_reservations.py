"""max_tokens counts at admission.

Scenario: 10,000 tokens / 60 s, max_tokens reserved on top of the prompt.
Verdict: oversize: one request reserves 16,000: never admitted: hang FLAG.  modest: 2,000 each, 3 callers one after the other,
  Retry-After plus jitter: hang ok, retry_after ok, terminal ok.  none_set: 1,000 each: hang ok.
"""
import asyncio
import random

import anthropic

PROV = dict(tpm=10_000, tokens=500, reserve=True, latency=0.3)
SCENARIOS = {"oversize": dict(entry="run", kwargs=dict(max_tokens=16_000), provider=PROV, give_up_after=900),
             "modest": dict(entry="run", kwargs=dict(max_tokens=2_000), provider=PROV),
             "small": dict(entry="run", kwargs=dict(max_tokens=100), provider=PROV)}
VERDICTS = {"oversize": dict(hang="FLAG"), "modest": dict(hang="ok", retry_after="ok", layers="ok", cap="ok"),
            "small": dict(hang="ok", layers="n/a", cap="n/a", storm="ok")}


async def run(client, max_tokens, callers=6):
    client = client.with_options(max_retries=0)

    async def one(i):
        await asyncio.sleep(3.0 * i)
        for attempt in range(6):
            try:
                return await client.messages.create(model="claude-x", max_tokens=max_tokens,
                                                    messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.RateLimitError as err:
                await asyncio.sleep(float(err.response.headers.get("retry-after", 60)) + random.uniform(0, 20))

    await asyncio.gather(*(one(i) for i in range(callers)), return_exceptions=True)
