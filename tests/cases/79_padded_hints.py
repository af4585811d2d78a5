"""Hints that say more or less than the limit needs.

Scenario: 8 callers, 4 requests / 60 s; the hint is 15 s too long (padded), or 20 s too short (short).
Verdict: both: the client waits the hint plus up to 60 s: retry_after ok, sync ok, jitter ok; trimmed: takes 10 s off a padded hint:
  retry_after FLAG all the same, since the hint is the contract.
"""
import asyncio
import random

import openai

SCENARIOS = {"padded": dict(sdk="openai", entry="run", provider=dict(rpm=4, latency=0.3, hint_pad=15)),
             "short": dict(sdk="openai", entry="run", provider=dict(rpm=4, latency=0.3, hint_pad=-20)),
             "trimmed": dict(sdk="openai", entry="run", kwargs=dict(less=10.0), provider=dict(rpm=4, latency=0.3, hint_pad=15))}
_ok = dict(retry_after="ok", sync="ok", jitter="ok", growth="n/a", layers="ok", cap="ok")
VERDICTS = {"padded": _ok, "short": _ok, "trimmed": dict(retry_after="FLAG", layers="ok", cap="ok")}


async def run(client, less=0.0):
    client = client.with_options(max_retries=0)

    async def one(i):
        for _ in range(9):
            try:
                return await client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"q {i}"}])
            except openai.RateLimitError as err:
                hint = float(err.response.headers["retry-after"])
                await asyncio.sleep(hint - less + (0 if less else random.uniform(0, 60)))

    await asyncio.gather(*(one(i) for i in range(8)))
