"""The SDK with more retries than usual, inside loops, with hints.

Verdict: many: max_retries=14, refused for ever: 15 attempts: cap FLAG, layers ok.  hinted_stack: the SDK obeys 20 s, the loop outside
  comes 1-2 s after its last refusal: retry_after FLAG, layers FLAG.  should_not: 429 with x-should-retry false, retried by hand: terminal FLAG;
  should_not_sdk: the SDK obeys: terminal ok.  conn: nothing refused: n/a.
"""
import asyncio
import random

import openai

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
HINT = dict(script=lambda nth, n, b, t: (429, {"retry-after": "20"}, None), latency=0.2)
NOT = dict(script=lambda nth, n, b, t: (429, {"x-should-retry": "false"}, None), latency=0.2)
SCENARIOS = {"many": dict(sdk="openai", provider=NEVER), "hinted_stack": dict(sdk="openai", provider=HINT),
             "should_not": dict(sdk="openai", provider=NOT), "should_not_sdk": dict(sdk="openai", provider=NOT)}
VERDICTS = {"many": dict(cap="FLAG", layers="ok", growth="ok"), "hinted_stack": dict(retry_after="FLAG", layers="FLAG"),
            "should_not": dict(terminal="FLAG", layers="ok"), "should_not_sdk": dict(terminal="ok", layers="ok", cap="n/a")}


def ask(client, i=0):
    return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"hi {i}"}])


async def many(client):
    await ask(client.with_options(max_retries=14))


async def hinted_stack(client):
    for attempt in range(3):
        try:
            return await ask(client)
        except openai.RateLimitError:
            await asyncio.sleep(1 + random.random())


async def should_not(client):
    client = client.with_options(max_retries=0)
    for attempt in range(4):
        try:
            return await ask(client)
        except openai.RateLimitError:
            await asyncio.sleep(random.uniform(0, 2 ** attempt))


async def should_not_sdk(client):
    await ask(client)
