"""A second request on purpose: hedges, fallbacks to another model, racing of two models.

Scenario: no limit; 6 callers; answers take 2 s (hedge, race); the first model always answers 429 (fallback).
Verdict: hedge: a duplicate after 1 s, the loser cancelled: no retry at all, nothing FLAGged.  fallback: at
  once, but elsewhere: growth ok or n/a, not "hot".  race: two models at once: nothing.
  hammer: at once on the same model: growth FLAG (RL107), sync FLAG.
"""
import asyncio

import anthropic

SLOW = dict(latency=2.0)
BUSY = dict(script=lambda nth, n, b, t: (429, {}, None) if b["model"] == "claude-x" else None, latency=0.2)
SCENARIOS = {"hedge": dict(provider=SLOW), "race": dict(provider=SLOW), "fallback": dict(provider=BUSY),
             "hammer": dict(provider=BUSY)}
_none = dict(sync="n/a", jitter="n/a", retry_after="n/a", growth="n/a", layers="ok", terminal="n/a")
VERDICTS = {"hedge": _none, "race": _none, "fallback": _none,
            "hammer": dict(growth="FLAG", sync="FLAG", cap="ok", layers="ok")}


def ask(client, i, model="claude-x"):
    return client.messages.create(model=model, max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])


async def _all(one, callers=6):
    await asyncio.gather(*(one(i) for i in range(callers)), return_exceptions=True)


async def hedge(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        first = asyncio.create_task(ask(client, i))
        done, _ = await asyncio.wait({first}, timeout=1.0)
        if not done:
            second = asyncio.create_task(ask(client, i))
            _, pending = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    await _all(one)


async def race(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        tasks = {asyncio.create_task(ask(client, i, model)) for model in ("claude-x", "claude-y")}
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    await _all(one)


async def fallback(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        try:
            return await ask(client, i)
        except anthropic.RateLimitError:
            return await ask(client, i, "claude-y")

    await _all(one)


async def hammer(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        for _ in range(6):
            try:
                return await ask(client, i)
            except anthropic.RateLimitError:
                continue

    await _all(one)
