"""A shared rate that halves on a refusal and creeps up again (AIMD), and a herd behind a pause without one.

Scenario: 8 callers of 5 calls, 20 requests / 60 s bucket; no hint.
Verdict: aimd: one line, one rate: sync ok, jitter n/a or ok, growth n/a or ok, layers ok.
"""
import asyncio

import anthropic

PROV = dict(rpm=20, bucket=True, latency=0.3, hint="none")
SCENARIOS = {"aimd": dict(provider=PROV)}
VERDICTS = {"aimd": dict(sync="ok", jitter="ok", growth="ok", layers="ok", terminal="n/a")}


async def aimd(client):
    client, loop = client.with_options(max_retries=0), asyncio.get_running_loop()
    gap, next_at = 0.5, 0.0

    async def turn():
        nonlocal next_at
        at = max(loop.time(), next_at)
        next_at = at + gap
        await asyncio.sleep(at - loop.time())

    async def one(i):
        nonlocal gap
        for k in range(5):
            while True:
                await turn()
                try:
                    await client.messages.create(model="claude-x", max_tokens=8,
                                                 messages=[{"role": "user", "content": f"q {i}/{k}"}])
                    gap = max(0.5, gap - 0.05)
                    break
                except anthropic.RateLimitError:
                    gap = min(30.0, 2 * gap)

    await asyncio.gather(*(one(i) for i in range(8)))
