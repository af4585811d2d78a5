"""The SDK's own retries inside a decorator, a framework's with_retry, or a hand-written loop.

Scenario: every attempt refused without a hint; one caller.
Verdict: tenacity_outside, by_hand: layers FLAG (4 x 3).  sdk_only: ok (3 attempts).  sdk_off: ok.  with_retry, a
  framework's default of 3 attempts around a client that makes 7 (max_retries=6): layers FLAG.
"""
import asyncio
import random

import openai
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter, wait_random_exponential

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
SCENARIOS = {name: dict(sdk="openai", provider=NEVER)
             for name in ("tenacity_outside", "by_hand", "sdk_only", "sdk_off", "with_retry")}
_ok = dict(layers="ok", cap="ok", terminal="ok", retry_after="n/a", sync="n/a")
VERDICTS = {"tenacity_outside": dict(layers="FLAG", terminal="ok"), "by_hand": dict(layers="FLAG", terminal="ok"),
            "sdk_only": _ok, "sdk_off": _ok, "with_retry": dict(layers="FLAG")}


async def ask(client):
    return await client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])


def _policy(stop, wait):
    return dict(stop=stop_after_attempt(stop), wait=wait, reraise=True, retry=retry_if_exception_type(openai.RateLimitError))


async def tenacity_outside(client):
    await retry(**_policy(4, wait_random_exponential(max=20)))(ask)(client)


async def by_hand(client):
    for attempt in range(4):
        try:
            return await ask(client)
        except openai.RateLimitError:
            await asyncio.sleep(2 ** attempt + random.random())


async def sdk_only(client):
    await ask(client)


async def sdk_off(client):
    await retry(**_policy(4, wait_random_exponential(max=20)))(ask)(client.with_options(max_retries=0))


async def with_retry(client):
    await retry(**_policy(3, wait_exponential_jitter()))(ask)(client.with_options(max_retries=6))
