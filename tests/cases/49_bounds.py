"""How retries end: by a number, by a time, never; and requests that can never fit.

Scenario: refused for ever without a hint (by_number, by_time, never, in_rounds); 5,000 tokens against 4,000 a minute (oversize).
Verdict: by_number (5), by_time (60 s at 6 attempts or so): cap ok.  never: cap FLAG.  oversize: hang FLAG; fits: hang ok.
"""
import asyncio
import random
import time

import anthropic

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
LARGE = dict(tpm=4000, tokens=lambda body: 5000, latency=0.2)
FITS = dict(tpm=4000, tokens=lambda body: 1500, latency=0.2)
SCENARIOS = {"by_number": dict(provider=NEVER), "by_time": dict(provider=NEVER), "never": dict(provider=NEVER, give_up_after=1200),
             "oversize": dict(entry="patient", provider=LARGE, give_up_after=1200), "fits": dict(entry="patient", provider=FITS)}
VERDICTS = {"by_number": dict(cap="ok", layers="ok", growth="n/a"), "by_time": dict(cap="ok", layers="ok"),
            "never": dict(cap="FLAG", layers="ok"), "oversize": dict(hang="FLAG"), "fits": dict(hang="ok", cap="n/a")}


def ask(client, i=0):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])


async def by_number(client):
    client = client.with_options(max_retries=0)
    for attempt in range(5):
        try:
            return await ask(client)
        except anthropic.RateLimitError:
            await asyncio.sleep(random.uniform(0, 2 ** attempt))


async def by_time(client):
    client, began, attempt = client.with_options(max_retries=0), time.monotonic(), 0
    while time.monotonic() - began < 60:
        try:
            return await ask(client)
        except anthropic.RateLimitError:
            attempt += 1
            await asyncio.sleep(random.uniform(5, 15))


async def never(client):
    client, attempt = client.with_options(max_retries=0), 0
    while True:
        try:
            return await ask(client)
        except anthropic.RateLimitError:
            attempt += 1
            await asyncio.sleep(random.uniform(0, min(30, 2 ** attempt)))


async def patient(client):
    client = client.with_options(max_retries=0)

    async def one(i):
        for attempt in range(9):
            try:
                return await ask(client, i)
            except anthropic.APIStatusError:
                await asyncio.sleep(60 + random.uniform(0, 60))

    await asyncio.gather(*(one(i) for i in range(3)))
