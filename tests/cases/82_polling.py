"""Polling of a result that takes its time is no retrying.

Scenario: one caller asks the same every 5 s, 15 times, and is answered each time; 6 callers poll alike.
Verdict: nothing at all.
"""
import asyncio

FREE = dict(latency=0.2)
SCENARIOS = {"one": dict(sdk="openai", provider=FREE), "six": dict(sdk="openai", provider=FREE)}
_none = dict(sync="n/a", jitter="n/a", growth="n/a", cap="n/a", layers="n/a", retry_after="n/a", terminal="n/a", storm="ok")
VERDICTS = {"one": _none, "six": _none}


async def one(client, i=0):
    for _ in range(15):
        await client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"is job {i} done?"}])
        await asyncio.sleep(5.0)


async def six(client):
    await asyncio.gather(*(one(client, i) for i in range(6)))
