"""A deadline around it: giving up is legal, coming back early is not.

Scenario: 5 callers, hint of 60 s for 300 s.
Verdict: gives_up: the wait exceeds the deadline of 30 s: no retry: retry_after n/a, cap n/a.  impatient: wait_for of 10 s around
  an SDK that sleeps 60 s, in a loop of 5: attempts every 10 s: retry_after FLAG, layers ok (the SDK never sent its retry).
  waits: 60 s plus up to 30 s: ok.
"""
import asyncio
import random

import anthropic

PROV = dict(script=lambda nth, n, b, t: (429, {"retry-after": "60"}, None) if t < 300 else None, latency=0.2)
SCENARIOS = {n: dict(provider=PROV) for n in ("gives_up", "impatient", "waits")}
VERDICTS = {"gives_up": dict(retry_after="n/a", cap="n/a", sync="n/a", layers="n/a", terminal="n/a"),
            "impatient": dict(retry_after="FLAG", layers="ok", cap="ok"),
            "waits": dict(retry_after="ok", sync="ok", jitter="ok", layers="ok", cap="ok", growth="n/a")}


def ask(client, i):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])


async def gives_up(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        try:
            return await ask(client, i)
        except anthropic.RateLimitError as err:
            if float(err.response.headers["retry-after"]) > 30:
                return None
            raise

    await asyncio.gather(*(one(i) for i in range(5)))


async def impatient(client):
    async def one(i):
        for _ in range(5):
            try:
                return await asyncio.wait_for(ask(client, i), 10)
            except TimeoutError:
                continue

    await asyncio.gather(*(one(i) for i in range(5)))


async def waits(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        for _ in range(9):
            try:
                return await ask(client, i)
            except anthropic.RateLimitError as err:
                await asyncio.sleep(float(err.response.headers["retry-after"]) + random.uniform(0, 30))

    await asyncio.gather(*(one(i) for i in range(5)))
