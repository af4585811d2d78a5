"""One pause for all callers: released at one instant, or spread.

Scenario: 14 callers, 5 requests a minute in a sliding window, the hint in seconds.
Verdict: released_together: everybody sleeps until the latest hint to the second: sync FLAG, since the
  limit cannot take them; retry_after ok.  released_spread: up to 90 s more each: sync ok, retry_after ok.
  one_at_a_time: a queue lets one call go every 13 s: sync ok, storm ok.
"""
import asyncio
import random

import openai

LIMIT = dict(rpm=5, latency=0.3)
SCENARIOS = {name: dict(sdk="openai", provider=LIMIT)
             for name in ("released_together", "released_spread", "one_at_a_time")}
VERDICTS = {
    "released_together": dict(sync="FLAG", retry_after="ok", cap="ok", layers="ok"),
    "released_spread": dict(sync="ok", retry_after="ok", cap="ok", layers="ok"),
    "one_at_a_time": dict(sync="n/a", retry_after="n/a", layers="ok", storm="ok"),
}


def ask(client, i):
    return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"q {i}"}])


async def _paused(client, extra, callers=14):
    client, loop = client.with_options(max_retries=0), asyncio.get_running_loop()
    resume_at = 0.0

    async def one(i):
        nonlocal resume_at
        for _ in range(8):
            pause = resume_at - loop.time()
            if pause > 0:
                await asyncio.sleep(pause + random.uniform(0, extra))
            try:
                return await ask(client, i)
            except openai.RateLimitError as refusal:
                hint = float(refusal.response.headers["retry-after"])
                resume_at = max(resume_at, loop.time() + hint)

    await asyncio.gather(*(one(i) for i in range(callers)))


async def released_together(client):
    await _paused(client, 0.0)


async def released_spread(client):
    await _paused(client, 90.0)


async def one_at_a_time(client, callers=14):
    client, turn = client.with_options(max_retries=0), asyncio.Lock()

    async def one(i):
        async with turn:
            await asyncio.sleep(13.0)
        return await ask(client, i)

    await asyncio.gather(*(one(i) for i in range(callers)))
