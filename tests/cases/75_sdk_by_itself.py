"""The SDK's own retries without a hint, for one caller and for a fleet, with more of them than usual.

Scenario: refused for ever without a hint; max_retries=5; starts together.
Verdict: fleet, one, openai_fleet, threads: the SDK's formula has enough jitter: nothing.
"""
import asyncio
from concurrent.futures import ThreadPoolExecutor

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
SCENARIOS = {"fleet": dict(provider=NEVER), "one": dict(provider=NEVER), "openai_fleet": dict(sdk="openai", provider=NEVER),
             "threads": dict(provider=NEVER)}
VERDICTS = {"fleet": dict(sync="ok", jitter="ok", growth="ok", cap="ok", layers="ok", retry_after="n/a"),
            "one": dict(sync="n/a", jitter="n/a", growth="ok", cap="ok", layers="ok", retry_after="n/a"),
            "openai_fleet": dict(sync="ok", jitter="ok", growth="ok", cap="ok", layers="ok", terminal="ok"),
            "threads": dict(sync="ok", jitter="ok", growth="ok", cap="ok", layers="ok")}


def ask(client, i):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])


async def fleet(client):
    client = client.with_options(max_retries=5)
    await asyncio.gather(*(ask(client, i) for i in range(12)), return_exceptions=True)


async def one(client):
    await ask(client.with_options(max_retries=5), 0)


async def openai_fleet(client):
    client = client.with_options(max_retries=5)
    await asyncio.gather(*(client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"q {i}"}])
                           for i in range(12)), return_exceptions=True)


def threads(client):
    client = client.with_options(max_retries=5)
    with ThreadPoolExecutor(12) as pool:
        for future in [pool.submit(ask, client, i) for i in range(12)]:
            future.exception()
