"""A dispatcher that sends one request every 6 s, whoever asks: equal pauses, no cluster.

Scenario: 12 callers, 2 calls each; 10 requests / 60 s; the first 3 of the run are refused by script without a hint, and
  put back at the end of the line.
Verdict: paced: sync ok, jitter ok or n/a, growth n/a, storm ok.
"""
import asyncio

import anthropic

PROV = dict(rpm=11, latency=0.3, script=lambda nth, n, b, t: (429, {}, None) if n < 3 else None)
SCENARIOS = {"paced": dict(provider=PROV)}
VERDICTS = {"paced": dict(sync="ok", jitter="ok", growth="n/a", layers="ok", cap="n/a", retry_after="n/a", storm="ok")}


async def paced(client, callers=12):
    client, line = client.with_options(max_retries=0), asyncio.Queue()

    async def dispatch():
        while True:
            turn = await line.get()
            turn.set()
            await asyncio.sleep(6.0)

    async def one(i):
        for k in range(2):
            while True:
                turn = asyncio.Event()
                line.put_nowait(turn)
                await turn.wait()
                try:
                    await client.messages.create(model="claude-x", max_tokens=8,
                                                 messages=[{"role": "user", "content": f"q {i}/{k}"}])
                    break
                except anthropic.RateLimitError:
                    pass

    pump = asyncio.create_task(dispatch())
    await asyncio.gather(*(one(i) for i in range(callers)))
    pump.cancel()
